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
from engine.levels import (
    AbstractObjects,
    Batched,
    Few,
    Finish,
    Joined,
    Keyed,
    Leaves,
    Level,
    Listing,
    Objects,
    Pages,
    Resolved,
    Run,
    Several,
    Single,
    Trouble,
    Values,
)
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

CURSORS = frozenset({"startCursor", "endCursor"})


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
        if is_abstract_type(named):
            levels = {
                possible.name: self._objects(possible, selections)
                for possible in self._schema.get_possible_types(named)
            }
            return AbstractObjects(type_, named, levels, self._name_of)
        assert isinstance(named, GraphQLObjectType)
        return Objects(type_, self._objects(named, selections))

    def _name_of(self, value: Any, run: Run, of: Any) -> str:
        for possible in self._schema.get_possible_types(of):
            if possible.is_type_of is not None and possible.is_type_of(value, None):  # type: ignore[arg-type]
                return possible.name
        raise Trouble("an object of no possible type")

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
            case ConnectionOf() | FewOf() | One() | Some():
                return self._listed(frame, parent, read, declared, selected)
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

    def _listed(
        self,
        frame: Frame,
        parent: GraphQLObjectType,
        read: ConnectionOf | FewOf | One | Some,
        declared: StrawberryField,
        selected: Selected,
    ) -> Expression:
        definition = selected.definition
        assert definition is not None
        arguments = self._arguments(definition, declared, selected)
        named = get_named_type(definition.type)
        below = selected.below
        if isinstance(read, Some):
            kinds = {}
            for possible in self._schema.get_possible_types(named):  # type: ignore[arg-type]
                model = MODELS[possible.name]
                select = _keyed(model)
                kinds[model] = select, self._records(possible, below, select)
            is_list = is_list_type(getattr(definition.type, "of_type", definition.type))
            return frame.builder.hang(Several(read, arguments, kinds, is_list))
        assert isinstance(named, GraphQLObjectType)
        if isinstance(read, One):
            select = _keyed(read.model)
            return frame.builder.hang(Single(read.key, arguments, select, self._records(named, below, select)))
        select = Select(read.model)
        if isinstance(read, FewOf):
            level = self._records(named, below, select)
            return self._hang(frame, frame.value("id"), lambda get: Few(get, read.request, select, level))
        listing = self._listing(named, below, select)
        if parent is self._schema.query_type:
            return frame.builder.hang(Pages(None, read, arguments, select, listing))
        return self._hang(frame, frame.value("id"), lambda get: Pages(get, read, arguments, select, listing))

    def _listing(self, type_: GraphQLObjectType, selections: list[SelectionSetNode], select: Select) -> Listing:
        listing = Listing()
        for selected in self._selections.of(type_, selections):
            key, below = selected.key, selected.below
            listing.order.append(key)
            if selected.name == "__typename":
                listing.names[key] = type_.name
                continue
            assert selected.definition is not None
            named: Any = get_named_type(selected.definition.type)
            match selected.name:
                case "nodes":
                    listing.nodes[key] = self._records(named, below, select)
                case "edges":
                    level, bears_cursors = self._edges(named, below, select)
                    listing.edges[key] = level, bears_cursors
                    listing.shows_cursors |= bears_cursors
                case "pageInfo":
                    parts = [(part.key, part.name) for part in self._selections.of(named, below)]
                    listing.page_infos[key] = parts
                    listing.shows_cursors |= any(name in CURSORS for _, name in parts)
                case "totalCount":
                    listing.totals.append(key)
                case other:
                    raise Unplannable(f"{type_.name}.{other}")
        return listing

    def _edges(
        self, type_: GraphQLObjectType, selections: list[SelectionSetNode], select: Select
    ) -> tuple[Level, bool]:
        """Return the level of edges, and whether they show cursors."""
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
        return self._level(builder, type_, Object(tuple(entries)), *beside), bool(beside)

    def _resolved(
        self, frame: Frame, parent: GraphQLObjectType, declared: StrawberryField, selected: Selected
    ) -> Expression:
        definition = selected.definition
        assert definition is not None and definition.resolve is not None
        resolve, finish = definition.resolve, self.value(definition.type, selected.below)
        arguments, facts = self._arguments(definition, declared, selected), self._facts(parent, selected)
        return self._hang(frame, frame.row(None), lambda get: Resolved(get, resolve, arguments, facts, finish))

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
