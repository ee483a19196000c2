"""From a selection to levels: which columns, joins and lists each type's fields ask for, and the shape of its rows."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.field import StrawberryField
from tortoise.models import Model

from engine.arguments import Arguments
from engine.costs import OBJECT, cost_of_one
from engine.frames import Frame, LevelBuilder, ObjectFrame, RecordFrame, completer
from engine.levels import Batched, Finish, Joined, Leaves, Level, Levels, Objects, Resolved, Trouble, Values
from engine.lists import Entries, Few, Keyed, Named, PageInfos, Pages, Part, Totals, TypeName
from engine.reads import (
    MODELS,
    Batch,
    Column,
    Computed,
    ConnectionOf,
    FewOf,
    Group,
    Key,
    One,
    Relation,
    Some,
)
from engine.select import Select
from engine.selections import Selected, Selections, Unplannable
from engine.shapes import Constant, Expression, Object, getter, shaper


class Compiler:
    """Compiles the selections of one operation, given its flags. Raises Unplannable."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        flags: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._selections = Selections(schema, fragments, flags)

    def root(self, parent: GraphQLObjectType, selections: SelectionSetNode) -> Level:
        """Return the level of the root object of an operation."""
        level = self._objects(parent, [selections])
        level.cost -= OBJECT
        return level

    def value(self, type_: GraphQLOutputType, selections: list[SelectionSetNode]) -> Finish:
        """Return what makes answers of values that a resolver returned."""
        named = get_named_type(type_)
        if is_leaf_type(named):
            return Leaves(completer(type_))
        if not is_abstract_type(named):
            assert isinstance(named, GraphQLObjectType)
            return Objects(type_, self._objects(named, selections))
        possible = self._schema.get_possible_types(named)
        levels = {one.name: self._objects(one, selections) for one in possible}

        def name_of(value: Any) -> str:
            for one in possible:
                if one.is_type_of is not None and one.is_type_of(value, None):  # type: ignore[arg-type]
                    return one.name
            raise Trouble("an object of no possible type")

        return Objects(type_, Levels(levels, name_of))

    def _objects(self, type_: GraphQLObjectType, selections: list[SelectionSetNode]) -> Level:
        builder = LevelBuilder()
        return self._level(builder, type_, self._entries(ObjectFrame(builder), type_, selections))

    def _records(self, type_: GraphQLObjectType, selections: list[SelectionSetNode], select: Select) -> Level:
        builder = LevelBuilder()
        return self._level(builder, type_, self._entries(RecordFrame(builder, select, select.model), type_, selections))

    def _level(self, builder: LevelBuilder, type_: GraphQLObjectType, entries: Object, *beside: str) -> Level:
        builder.level.shape = shaper(entries, [*beside, *builder.columns], builder.names)
        builder.level.cost = cost_of_one(type_) + OBJECT * entries.objects
        return builder.level

    def _entries(self, frame: Frame, type_: GraphQLObjectType, selections: list[SelectionSetNode]) -> Object:
        entries = []
        for selected in self._selections.of(type_, selections):
            entries.append((selected.key, self._field(frame, type_, selected)))
        return Object(tuple(entries), missing=frame.missing)

    def _field(self, frame: Frame, parent: GraphQLObjectType, selected: Selected) -> Expression:
        if selected.name == "__typename":
            return Constant(parent.name)
        definition = selected.definition
        assert definition is not None
        declared: StrawberryField = definition.extensions["strawberry-definition"]
        read = declared.metadata.get("read")
        match read:
            case Key(prefix):
                return f"{frame.builder.names.of(prefix(parent.name))} + {frame.digits()}"
            case Column(name):
                return frame.leaf(name or declared.python_name, definition.type)
            case Group(columns):
                return self._group(frame, columns, definition, selected)
            case Computed(needs, fn):
                values = ", ".join(frame.value(name) for name in needs)
                return self._computed(frame, f"{frame.builder.names.of(fn)}({values})", definition, selected)
            case Relation():
                return self._relation(frame, read, definition, selected)
            case Batch(needs, fn):
                arguments, facts = self._arguments(definition, declared, selected), self._facts(parent, selected)
                finish = self.value(definition.type, selected.below)
                return self._hang(frame, frame.row(needs), lambda get: Batched(get, read, arguments, facts, finish))
            case One() | Some():
                return self._named(frame, read, declared, selected)
            case FewOf():
                return self._few(frame, read, selected)
            case ConnectionOf():
                return self._pages(frame, parent, read, declared, selected)
        if declared.base_resolver is None:
            return self._computed(frame, frame.value(declared.python_name), definition, selected)
        return self._resolved(frame, parent, declared, selected)

    def _computed(self, frame: Frame, value: str, definition: GraphQLField, selected: Selected) -> Expression:
        """Return what becomes of a value that an expression gives."""
        if is_leaf_type(get_named_type(definition.type)):
            return f"{frame.builder.names.of(completer(definition.type))}({value})"
        finish = self.value(definition.type, selected.below)
        return self._hang(frame, value, lambda get: Values(get, finish))

    def _group(
        self, frame: Frame, columns: Mapping[str, str], definition: GraphQLField, selected: Selected
    ) -> Expression:
        named = get_named_type(definition.type)
        assert isinstance(named, GraphQLObjectType)
        if is_non_null_type(definition.type):
            raise Unplannable("a group that may not be null")
        entries: list[tuple[str, Expression]] = []
        for inner in self._selections.of(named, selected.below):
            if inner.name == "__typename":
                entries.append((inner.key, Constant(named.name)))
            else:
                assert inner.definition is not None
                name = inner.definition.extensions["strawberry-definition"].python_name
                entries.append((inner.key, frame.leaf(columns[name], inner.definition.type)))
        fields = {field.extensions["strawberry-definition"].python_name: field for field in named.fields.values()}
        missing = " or ".join(frame.lacks(column, fields[name].type) for name, column in columns.items())
        return Object(tuple(entries), missing=missing)

    def _relation(self, frame: Frame, read: Relation, definition: GraphQLField, selected: Selected) -> Expression:
        named = get_named_type(definition.type)
        assert isinstance(named, GraphQLObjectType)
        if isinstance(frame, RecordFrame):
            if is_non_null_type(definition.type):
                raise Unplannable("a relation that may not be null")
            return self._entries(frame.join(read.model, read.by), named, selected.below)
        select = _keyed(read.model)
        level = self._records(named, selected.below, select)
        required = is_non_null_type(definition.type)
        return self._hang(frame, frame.value(read.by), lambda get: Keyed(get, select, level, required))

    def _named(self, frame: Frame, read: One | Some, declared: StrawberryField, selected: Selected) -> Expression:
        definition = selected.definition
        assert definition is not None
        named: Any = get_named_type(definition.type)
        if isinstance(read, One):
            types, some = {read.model: named}, read.some
        else:
            types, some = {MODELS[one.name]: one for one in self._schema.get_possible_types(named)}, read
        kinds = {}
        for model, type_ in types.items():
            select = _keyed(model)
            kinds[model] = select, self._records(type_, selected.below, select)
        is_list = is_list_type(getattr(definition.type, "of_type", definition.type))
        return frame.builder.hang(Named(some, self._arguments(definition, declared, selected), kinds, is_list))

    def _few(self, frame: Frame, read: FewOf, selected: Selected) -> Expression:
        assert selected.definition is not None
        select, named = Select(read.model), get_named_type(selected.definition.type)
        assert isinstance(named, GraphQLObjectType)
        level = self._records(named, selected.below, select)
        return self._hang(frame, frame.value("id"), lambda get: Few(get, read.request, select, level))

    def _pages(
        self,
        frame: Frame,
        parent: GraphQLObjectType,
        read: ConnectionOf,
        declared: StrawberryField,
        selected: Selected,
    ) -> Expression:
        definition = selected.definition
        assert definition is not None
        arguments, select = self._arguments(definition, declared, selected), Select(read.model)
        named = get_named_type(definition.type)
        assert isinstance(named, GraphQLObjectType)
        parts = {part.key: self._part(named, part, select) for part in self._selections.of(named, selected.below)}
        if parent is self._schema.query_type:
            return frame.builder.hang(Pages(None, read, arguments, select, parts))
        return self._hang(frame, frame.value("id"), lambda get: Pages(get, read, arguments, select, parts))

    def _part(self, connection: GraphQLObjectType, selected: Selected, select: Select) -> Part:
        if selected.name == "__typename":
            return TypeName(connection.name)
        assert selected.definition is not None
        named: Any = get_named_type(selected.definition.type)
        match selected.name:
            case "nodes":
                return Entries(self._records(named, selected.below, select))
            case "edges":
                return self._edges(named, selected.below, select)
            case "pageInfo":
                return PageInfos([(part.key, part.name) for part in self._selections.of(named, selected.below)])
            case "totalCount":
                return Totals()
            case other:
                raise Unplannable(f"{connection.name}.{other}")

    def _edges(self, type_: GraphQLObjectType, selections: list[SelectionSetNode], select: Select) -> Entries:
        builder = LevelBuilder()
        frame = RecordFrame(builder, select, select.model)
        entries: list[tuple[str, Expression]] = []
        for selected in self._selections.of(type_, selections):
            match selected.name:
                case "__typename":
                    entries.append((selected.key, Constant(type_.name)))
                case "cursor":
                    entries.append((selected.key, "cursor"))
                case "node":
                    assert selected.definition is not None
                    named: Any = get_named_type(selected.definition.type)
                    entries.append((selected.key, self._entries(frame, named, selected.below)))
                case other:
                    raise Unplannable(f"{type_.name}.{other}")
        beside = ["cursor"] if any(value == "cursor" for _, value in entries) else []
        return Entries(self._level(builder, type_, Object(tuple(entries)), *beside), shows_cursors=bool(beside))

    def _resolved(
        self, frame: Frame, parent: GraphQLObjectType, declared: StrawberryField, selected: Selected
    ) -> Expression:
        definition = selected.definition
        assert definition is not None
        call, finish = _caller(declared), self.value(definition.type, selected.below)
        arguments, facts = self._arguments(definition, declared, selected), self._facts(parent, selected)
        return self._hang(frame, frame.row(None), lambda get: Resolved(get, call, arguments, facts, finish))

    def _hang(self, frame: Frame, expression: str, child: Callable[[Any], Any]) -> str:
        names = frame.builder.names
        made = child(getter(expression, names))
        return frame.builder.hang(Joined(getter(f"not ({frame.missing})", names), made) if frame.missing else made)

    def _arguments(self, definition: GraphQLField, declared: StrawberryField, selected: Selected) -> Arguments:
        extensions = self._schema.extensions["strawberry-definition"]
        converter = extensions.schema_converter
        return Arguments(definition, declared, selected.nodes[0], extensions.config, converter.scalar_registry)

    def _facts(self, parent: GraphQLObjectType, selected: Selected) -> tuple[Any, ...]:
        return parent, selected.definition, selected.nodes, selected.key


def _keyed(model: type[Model]) -> Select:
    """Return a selection that has the id first."""
    select = Select(model)
    select.column("r", "id")
    return select


def _caller(declared: StrawberryField) -> Callable[[Any, Any, dict[str, Any]], Any]:
    """Return what calls a field's resolver with a row, what it is told of the operation, and its arguments."""
    resolver = declared.base_resolver
    if resolver is None or declared.extensions:
        raise Unplannable("a field with extensions")
    takes_self, info = resolver.self_parameter is not None, resolver.info_parameter
    root = resolver.root_parameter or resolver.parent_parameter

    def call(row: Any, told: Any, arguments: dict[str, Any]) -> Any:
        more = {info.name: told} if info else {}
        if root:
            more[root.name] = row
        return resolver(row, **arguments, **more) if takes_self else resolver(**arguments, **more)

    return call
