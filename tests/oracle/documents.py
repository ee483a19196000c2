"""Documents by chance, drawn from the executable schema: most of them valid, a share of them wrong on purpose.

A document is valid by construction because within it a response key of a type always stands for the same field with
the same arguments: whatever fragments are merged, they agree.
"""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLType,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from schema.schema import graphql_schema
from tests.oracle.compare import Case
from tests.oracle.values import NOTHING, Hint, Name, Reference, Value, Values, literal, plain
from tests.oracle.world import ACTORS, NOUN_MODELS, World

SCHEMA = graphql_schema._schema
Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
Path: TypeAlias = tuple[str, ...]

# How often a root field is drawn beside the others.
WEIGHTS = {"leads": 8, "companies": 5, "contacts": 4, "node": 4, "nodes": 5, "lead": 5, "company": 3, "pipelines": 3,
           "pipeline": 3, "stage": 3, "products": 3, "teams": 3, "users": 3, "leadSummary": 3}  # fmt: skip
ODD_ALIASES = (
    "self", "root", "info", "None", "True", "lambda", "class", "import", "_rows", "__proto", "row", "data", "x", "r",
    "id2", "dict", "yield", "constructor", "_", "_0", "v0", "args", "t", "page",
)  # fmt: skip
WEIGHT_OF_ACTOR = {"admin": 5, "manager": 3, "rep": 3, "admin abroad": 2}

# Mistakes that validation finds, that execution finds in the variables, that limits find, and that resolvers find.
INVALID = ("unknown field", "unknown argument", "selection of a leaf", "no selection", "wrong literal",
           "missing argument", "undeclared variable", "unused variable", "unknown fragment", "fragment cycle",
           "conflict", "unknown directive", "bare directive", "wrong place for a variable", "repeated argument",
           "impossible fragment", "cut off")  # fmt: skip
UNFIT = ("missing variable", "wrong variable", "odd variable", "wrong operation", "no operation")
TOO_MUCH = ("too deep", "too many aliases", "too costly", "too many roots", "lists too deep")
REFUSED = ("wrong page", "both ends", "wrong cursor", "wrong id", "long search", "too many values", "deep filter",
           "wide filter", "wrong dimensions", "too many nodes")  # fmt: skip
MISTAKES = (*INVALID, *UNFIT, *TOO_MUCH, *REFUSED)
# JSON that some types take, though they write it otherwise, and others refuse.
ODD_JSON: tuple[Any, ...] = (
    True, False, 0, 1, 2.0, 2.5, 1e30, 2**31, 2**70, -1, "", "x", "1", "true", "ASC", [], [[]], ["x"], [None], [1, 2],
    {}, {"eq": 1}, {"nope": 1}, {"and": {}}, {"not": {"or": [{}]}}, None, "\x00", "2026-01-01",
)  # fmt: skip
# What is added to a document whose mistake found no place by chance.
SURELY = {
    "unknown field": "nope",
    "unknown argument": "cursor(nonsense: 1)",
    "selection of a leaf": "cursor { x }",
    "no selection": "leads",
    "wrong literal": "lead(id: 1.5) { id }",
    "missing argument": "lead { id }",
    "undeclared variable": "leads(first: $undeclared) { totalCount }",
    "repeated argument": "leads(first: 1, first: 1) { totalCount }",
    "impossible fragment": "leads { ... on Money { amount } }",
    "conflict": "cursor z: __typename",
    "unknown fragment": "leads { ...Nowhere }",
    "unknown directive": "cursor @nope",
    "bare directive": "cursor @include",
    "wrong page": "leads(last: 101) { totalCount }",
    "both ends": "leads(first: 1, last: 1) { totalCount }",
    "wrong cursor": 'leads(after: "bm9uZQ") { nodes { id } }',
    "wrong id": 'lead(id: "nonsense") { id }',
    "long search": f'leads(search: "{"x y " * 60}") {{ totalCount }}',
    "too many values": f"leads(filter: {{ score: {{ in: {list(range(501))} }} }}) {{ totalCount }}",
    "deep filter": f"companies(filter: {'{ not: ' * 7}{{}}{' }' * 7}) {{ totalCount }}",
    "wide filter": f"contacts(filter: {{ or: [{'{} ' * 51}] }}) {{ totalCount }}",
    "wrong dimensions": "leadSummary(groupBy: [STAGE, STAGE]) { total { count } }",
    "too many nodes": f"nodes(ids: {list(range(101))}) {{ id }}",
}
DIMENSIONS = ["STAGE", "OWNER", "TEAM", "SOURCE"]


@dataclass(frozen=True, slots=True)
class Room:
    """What a selection may still grow by: depth, nested lists, and how many rows stand above it."""

    depth: int = 9
    lists: int = 3
    rows: int = 1

    def below(self, *, rows: int = 1, is_list: bool = False) -> "Room":
        return Room(self.depth - 1, self.lists - is_list, self.rows * max(rows, 1))

    def holds(self, other: "Room") -> bool:
        return self.depth >= other.depth and self.lists >= other.lists and self.rows <= other.rows


@dataclass(frozen=True, slots=True)
class Drawn:
    """A case, with the variables that take cursors and where in the answer these cursors are found."""

    case: Case
    cursors: tuple[tuple[str, Path], ...] = ()
    covered: frozenset[str] = frozenset()


@dataclass(slots=True)
class Fragment:
    name: str
    on: str
    text: str
    room: Room
    shapes: dict[str, str]


Shapes: TypeAlias = dict[str, str]


@dataclass(slots=True)
class Declared:
    """A variable: its type as written, its default as written, and its value unless it is left out."""

    type: str
    default: str | None
    value: Any
    absent: bool


def draw(world: World, seed: int, number: int) -> Drawn:
    """Return the document of a seed and a number, which are all that it depends on beside the world."""
    chance = Random(f"{seed} {number}")
    actor = chance.choices(ACTORS, [WEIGHT_OF_ACTOR.get(name, 1) for name in ACTORS])[0]
    mistake = chance.choice(MISTAKES) if chance.random() < 0.16 else ""
    return Drawing(world, actor, chance, mistake).draw()


@dataclass
class Drawing:
    world: World
    actor: str
    chance: Random
    mistake: str
    wrong: str = ""
    fields_left: int = 0
    aliases_left: int = 24
    directives_left: int = 20
    keys: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    shapes: dict[tuple[str, str], Shapes] = field(default_factory=dict)
    variables: dict[str, Declared] = field(default_factory=dict)
    fragments: list[Fragment] = field(default_factory=list)
    cursors: list[tuple[str, Path]] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.fields_left = self.chance.choice((3, 6, 10, 16, 24, 40))
        self.values = Values(self.world, self.world.home_of(self.actor), self.chance)
        self.values.place = self._place
        # Some documents are written without variables, some with little else.
        self.variable_share = self.chance.choice((0.0, 0.1, 0.1, 0.5))

    def luck(self, share: float) -> bool:
        return self.chance.random() < share

    def errs(self, mistake: str, share: float = 0.5) -> bool:
        """Say whether the mistake that this document is to have is made here; it is made once."""
        if self.mistake != mistake or self.wrong or not self.luck(share):
            return False
        self.wrong = mistake
        return True

    def draw(self) -> Drawn:
        assert SCHEMA.query_type
        text = self._too_much() if self.mistake in TOO_MUCH else self._roots(SCHEMA.query_type)
        if self.mistake in SURELY and not self.wrong:
            self.wrong = self.mistake
            text += f" z: {SURELY[self.mistake]}"
        document, operation = self._document(text)
        if self.errs("cut off", 1):
            document = document[: self.chance.randrange(2, len(document))].rstrip("}") + "{"
        case = Case(document, self._given(), operation, self.actor, self.wrong)
        return Drawn(case, tuple(self.cursors), frozenset(self.covered | self.values.drawn))

    def _document(self, text: str, kind: str = "query") -> tuple[str, str | None]:
        if self.errs("unused variable", 1):
            self.variables["unused"] = Declared("Int", None, 1, False)
        if self.errs("missing variable", 1):
            self.variables["missing"] = Declared("Boolean!", None, None, True)
            text += " a: __typename @include(if: $missing)"
        if self.errs("wrong variable", 1):
            wrong: Any = self.chance.choice(("x", [], {"a": 1}, 1.5, [1, "x"]))
            self.variables["wrong"] = Declared("Int", None, wrong, False)
            text += " a: leads(first: $wrong) { totalCount }"
        declared = ", ".join(
            f"${name}: {one.type}{'' if one.default is None else f' = {one.default}'}"
            for name, one in self.variables.items()
        )
        name = self.chance.choice(("Q", "Other", "query", "data")) if declared or self.luck(0.4) else ""
        head = f"{kind} {name}{f'({declared})' if declared else ''} "
        if kind == "query" and not name and self.luck(0.5):
            head = ""
        parts = [f"{head}{{ {text} }}", *(fragment.text for fragment in self.fragments)]
        operation = name or None if self.luck(0.5) else None
        if name and (self.luck(0.06) or self.mistake in ("wrong operation", "no operation")):
            parts.append("query Beside { cursor } mutation Never { signOut { signedOut } }")
            operation = name
            if self.errs("no operation", 1):
                operation = None
        if self.errs("wrong operation", 1):
            operation = "Nowhere"
        if self.errs("fragment cycle", 1):
            parts.append("fragment Round on Query { ...Round }")
            parts[0] = f"{parts[0].rstrip('}')} ...Round }}"
        self.chance.shuffle(parts)
        return self.chance.choice((" ", "\n", "\n# a remark { ' } $1\n", ",\t")).join(parts), operation

    def _given(self) -> dict[str, Any]:
        given = {name: one.value for name, one in self.variables.items() if not one.absent}
        if self.variables and self.errs("odd variable", 1):
            given[self.chance.choice(list(self.variables))] = self.chance.choice(ODD_JSON)
        if self.luck(0.03):
            given["beside"] = {"not": "declared"}
        return given

    def _roots(self, query: GraphQLObjectType) -> str:
        names = list(query.fields)
        count = self.chance.choice((1, 1, 1, 1, 2, 2, 3))
        chosen = self.chance.choices(names, [WEIGHTS.get(name, 1) for name in names], k=count)
        shapes = self._shapes_at("", "")
        parts = [self._field(query, name, Room(), (), shapes) for name in chosen]
        if self.luck(0.1):
            parts.append(self._typename(query, shapes))
        if self.luck(0.008):
            parts.append("__schema { queryType { name } types { name kind } }")
        if self.luck(0.15):
            parts.append(self._spread(query, Room(), (), shapes))
        return " ".join(part for part in parts if part) or "__typename"

    # Selections

    def _selection(self, type_: Composite, room: Room, path: Path | None, shapes: Shapes) -> str:
        """Return what stands between braces; never nothing."""
        parts: list[str] = []
        if is_abstract_type(type_):
            parts += self._abstract(type_, room, path, shapes)
        else:
            wanted = self.chance.choice((1, 2, 2, 3, 4, 6))
            names = self._names(type_, room)
            for name in self._chosen(type_, names, wanted):
                if parts and self.fields_left <= 0:
                    break
                parts.append(self._maybe_in_fragment(type_, name, room, path, shapes))
            if parts and names and self.luck(0.12):
                # The same again, with another selection below it, or under another key with other arguments.
                again = [name for name in names if f"{name}(" in parts[-1] or f"{name} " in parts[-1]] or names
                parts.append(self._field(type_, self.chance.choice(again), room, path, shapes))
        if self.luck(0.08) or not any(parts):
            parts.append(self._typename(type_, shapes))
        if self.luck(0.06):
            parts.append(self._spread(type_, room, path, shapes))
        if self.errs("unknown field", 0.3):
            parts.append(self.chance.choice(("nope", "__nope", "titel", "Name")))
        if self.errs("unknown fragment", 0.3):
            parts.append("...Nowhere")
        if self.errs("impossible fragment", 0.3):
            parts.append(f"... on {'Money' if type_.name != 'Money' else 'Lead'} {{ __typename }}")
        if self.errs("conflict", 0.3):
            parts.append("clash: __typename clash: id")
        if self.luck(0.2):
            self.chance.shuffle(parts)
        return " ".join(part for part in parts if part)

    def _chosen(self, type_: Composite, names: list[str], wanted: int) -> list[str]:
        """Return some of the fields of a type; lists are drawn twice as often as others."""
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        weights = [2 if type_.fields[name].args else 1 for name in names]
        return list(dict.fromkeys(self.chance.choices(names, weights, k=wanted))) if names else []

    def _names(self, type_: Composite, room: Room) -> list[str]:
        """Return the fields of a type for which there is room."""
        if isinstance(type_, GraphQLUnionType):
            return []
        return [name for name, each in type_.fields.items() if self._fits(each, room)]

    def _fits(self, each: GraphQLField, room: Room) -> bool:
        if is_leaf_type(get_named_type(each.type)):
            return True
        if self.fields_left <= 1 or room.depth <= 1:
            return False
        if _is_connection(each):
            return room.lists > 1 and room.rows <= 300
        return not _is_list(each.type) or (room.lists > 0 and room.rows <= 30)

    def _maybe_in_fragment(self, type_: Composite, name: str, room: Room, path: Path | None, shapes: Shapes) -> str:
        text = self._field(type_, name, room, path, shapes)
        if not text or not self.luck(0.07):
            return text
        condition = f"on {type_.name} " if self.luck(0.6) else ""
        return f"... {condition}{self._directive()}{{ {text} }}"

    def _abstract(self, type_: Composite, room: Room, path: Path | None, shapes: Shapes) -> list[str]:
        assert isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)
        parts = []
        if isinstance(type_, GraphQLInterfaceType) and self.luck(0.5):
            parts.append(self._field(type_, self.chance.choice(list(type_.fields)), room, path, shapes))
        possible = sorted(SCHEMA.get_possible_types(type_), key=lambda one: one.name)
        weights = [3 if one.name in ("Lead", "Company", "Stage") else 1 for one in possible]
        for chosen in self.chance.choices(possible, weights, k=self.chance.choice((1, 2, 3, 5))):
            if self.luck(0.3):
                parts.append(self._spread(chosen, room, path, shapes))
            else:
                inner = self._selection(chosen, room, path, shapes)
                parts.append(f"... on {chosen.name} {self._directive()}{{ {inner} }}")
        return parts

    def _spread(self, type_: Composite, room: Room, path: Path | None, shapes: Shapes) -> str:
        """Spread a named fragment that fits: one that stands already, or a new one."""
        known = [
            one
            for one in self.fragments
            if one.on == type_.name and room.holds(one.room) and _agree(shapes, one.shapes)
        ]
        if known and self.luck(0.6):
            fragment = self.chance.choice(known)
            shapes.update(fragment.shapes)
            return f"...{fragment.name} {self._directive()}"
        if len(self.fragments) >= 6 or self.fields_left <= 0:
            return ""
        on: Composite = type_
        if isinstance(type_, GraphQLObjectType) and type_.interfaces and self.luck(0.2):
            on = self.chance.choice(list(type_.interfaces))
        own: Shapes = dict(shapes)
        before = set(own)
        # What is drawn while this one is unfinished must not spread it, so it is listed last.
        inner = self._selection(on, room, None, own)
        directive = self._directive()
        shapes.update(own)
        name = f"{self.chance.choice(('F', 'Part', 'fragment', 'on_', 'type'))}{len(self.fragments)}"
        text = f"fragment {name} on {on.name} {{ {inner} }}"
        added = {key: own[key] for key in own if key not in before} | {
            key: shape for key, shape in own.items() if key in before
        }
        self.fragments.append(Fragment(name, on.name, text, room, added))
        return f"...{name} {directive}"

    def _typename(self, type_: Composite, shapes: Shapes) -> str:
        if self.luck(0.6) or self.aliases_left <= 0:
            return "__typename"
        key = self.chance.choice(("t", "kind_of", "type_"))
        if not self._claims(type_, key, "__typename", "", "String!", shapes):
            return "__typename"
        self.aliases_left -= 1
        return f"{key}: __typename"

    # Fields

    def _field(self, type_: Composite, name: str, room: Room, path: Path | None, shapes: Shapes) -> str:
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        each = type_.fields[name]
        key = self._key(type_, name, each, shapes)
        if key is None:
            return ""
        self.fields_left -= 1
        self.covered.add(f"{type_.name}.{name}")
        below = (*path, key) if path is not None else None
        known = self.keys.get((type_.name, key))
        if known is not None:
            # Arguments that stand already are repeated as they are; how many rows they ask for is not known.
            arguments, size, forced = known[1], 5 if known[1] else 20, ""
        else:
            arguments, size, forced = self._arguments(type_, name, each, room, below)
        self.keys[(type_.name, key)] = (name, arguments)
        shapes[key] = str(each.type)
        alias = f"{key}: " if key != name else ""
        head = f"{alias}{name}{arguments} {self._directive()}".rstrip()
        named = get_named_type(each.type)
        if is_leaf_type(named):
            return f"{head} {{ x }}" if self.errs("selection of a leaf", 0.2) else head
        if self.errs("no selection", 0.3):
            return head
        assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        inner = self._below(each, named, room, size, below, self._shapes_at(type_.name, key))
        return f"{head} {{ {' '.join(part for part in (forced, inner) if part)} }}"

    def _below(
        self, each: GraphQLField, named: Composite, room: Room, size: int, path: Path | None, shapes: Shapes
    ) -> str:
        if _is_connection(each):
            return self._connection(named, room, size, path, shapes)
        listed = _is_list(each.type)
        return self._selection(named, room.below(rows=4 if listed else 1, is_list=listed), path, shapes)

    def _connection(self, named: Composite, room: Room, size: int, path: Path | None, shapes: Shapes) -> str:
        """Return a selection of a connection; what is drawn of it is mostly its rows."""
        rows = room.below(rows=size, is_list=True)
        parts = []
        for name in self.chance.choice(
            (("nodes",), ("nodes",), ("edges",), ("nodes", "pageInfo"), ("edges", "totalCount"), ("totalCount",),
             ("pageInfo",), ("edges", "nodes", "pageInfo", "totalCount"))
        ):  # fmt: skip
            free = name in ("pageInfo", "totalCount")
            parts.append(self._field(named, name, room if free else replace(rows, depth=room.depth), path, shapes))
        if self.luck(0.1):
            parts.append(self._typename(named, shapes))
        if self.luck(0.1):
            parts.append(self._spread(named, replace(rows, depth=room.depth), path, shapes))
        return " ".join(part for part in parts if part) or "totalCount"

    def _key(self, type_: Composite, name: str, each: GraphQLField, shapes: Shapes) -> str | None:
        """Return the response key of a field; None where nothing fits."""
        wants_alias = self.luck(0.3 if each.args else 0.1)
        if not wants_alias and self._may_claim(type_, name, name, str(each.type), shapes):
            return name
        if self.aliases_left <= 0:
            return None
        self.aliases_left -= 1
        unique = f"a{len(self.keys)}"
        names = [unique]
        if not is_abstract_type(type_):
            # An alias may be the name of another field, or one that means something elsewhere.
            assert isinstance(type_, GraphQLObjectType)
            inherited = {name for interface in type_.interfaces for name in interface.fields}
            names += [*(one for one in type_.fields if one not in inherited), *ODD_ALIASES]
        key = self.chance.choice(names) if self.luck(0.5) else unique
        # A key that is new to this type takes new arguments.
        if (type_.name, key) not in self.keys and self._may_claim(type_, key, name, str(each.type), shapes):
            return key
        return unique if (type_.name, unique) not in self.keys and unique not in shapes else None

    def _may_claim(self, type_: Composite, key: str, name: str, shape: str, shapes: Shapes) -> bool:
        known = self.keys.get((type_.name, key))
        return (known is None or known[0] == name) and shapes.get(key, shape) == shape

    def _claims(self, type_: Composite, key: str, name: str, arguments: str, shape: str, shapes: Shapes) -> bool:
        """Let a key of a type stand for a field in all of the document, unless it stands for another."""
        known = self.keys.get((type_.name, key))
        if known not in (None, (name, arguments)) or shapes.get(key, shape) != shape:
            return False
        self.keys[(type_.name, key)] = (name, arguments)
        shapes[key] = shape
        return True

    def _shapes_at(self, type_name: str, key: str) -> Shapes:
        """Return what the keys below a field are, wherever in the document it stands."""
        return self.shapes.setdefault((type_name, key), {"id": "ID!"})

    # Arguments

    def _arguments(
        self, type_: Composite, name: str, each: GraphQLField, room: Room, path: Path | None
    ) -> tuple[str, int, str]:
        """Return arguments as written, how many rows they ask for, and what must be selected for their cursors."""
        given: dict[str, str] = {}
        size, forced = 1, ""
        if _is_connection(each):
            page, size, forced = self._page(each, room, path)
            given |= page
        for argument, one in each.args.items():
            if argument in ("first", "last", "after", "before"):
                if not _is_connection(each):
                    size = self.chance.choice((1, 2, 3))
                    given[argument] = self._variable_or(one.type, size)
                continue
            needed = is_required_argument(one)
            if needed and self.errs("missing argument", 0.6):
                continue
            share = 0.3 if argument in ("filter", "orderBy", "search") else 0.9
            if needed or self.luck(share):
                self.covered.add(f"{type_.name}.{name}({argument})")
                given[argument] = self._argument(name, argument, one, each)
        self.covered |= {f"{type_.name}.{name}({argument})" for argument in given}
        if self.errs("unknown argument", 0.3):
            given["nonsense"] = "1"
        if not given:
            return "", size, forced
        names = list(given)
        if self.luck(0.3):
            self.chance.shuffle(names)
        text = ", ".join(f"{argument}: {given[argument]}" for argument in names)
        if self.errs("repeated argument", 0.5):
            text += f", {names[0]}: {given[names[0]]}"
        return f"({text})", size, forced

    def _argument(self, name: str, argument: str, one: GraphQLArgument, each: GraphQLField) -> str:
        hint = _hint(name, argument, each)
        if self.errs("wrong literal", 0.5):
            return self.chance.choice(("{ a: 1 }", "[[[1]]]", "NOPE", "1.5e3", '"x" ', "[$v]"))
        if self.errs("undeclared variable", 0.5):
            return "$undeclared"
        if self.errs("wrong place for a variable", 0.5):
            self.variables["misplaced"] = Declared("[[Float]]", None, None, True)
            return "$misplaced"
        value = self._refused(name, argument, one) if self.mistake in REFUSED else None
        if value is None:
            self.values.bad = 0.08 if argument == "id" else 0.03
            value = self._dimensions(one.type) if argument == "groupBy" else self.values.draw(one.type, hint)
        placed = self._place(one.type, value, hint, twice=2)
        return literal(placed, self.chance)

    def _dimensions(self, type_: GraphQLType) -> Value:
        """Return what leads are grouped by, each dimension once."""
        before, self.values.place = self.values.place, lambda type_, value, hint: value
        drawn = self.values.draw(type_)
        self.values.place = before
        return list(dict.fromkeys(drawn)) if isinstance(drawn, list) else drawn

    def _refused(self, name: str, argument: str, one: GraphQLArgument) -> Value | None:
        """Return a value that the type takes and the resolver does not; None where this is not the place for it."""
        named = get_named_type(one.type)
        if argument in ("id", "leadId", "stageId") and self.errs("wrong id"):
            self.values.bad = 1
            return self.values.id(Hint())
        if argument == "search" and self.errs("long search"):
            return "x y " * 60
        if argument == "ids" and self.errs("too many nodes"):
            return [self.values.id(NOTHING)] * 101
        if argument == "groupBy" and self.errs("wrong dimensions"):
            return [Name(value) for value in self.chance.choice((DIMENSIONS, DIMENSIONS[:1] * 2))]
        if argument != "filter":
            return None
        if self.errs("too many values"):
            ids = self.world.gids(self.values.at, "Lead")
            of_leads = named.name == "LeadFilter"
            return {"id": {"in": (ids * 501)[:501]}} if of_leads else {"or": [{"name": {"in": ["x"] * 501}}]}
        if self.errs("deep filter"):
            value: Value = {}
            for _ in range(7):
                value = {"not": value}
            return value
        if self.errs("wide filter"):
            return {"or": [{}] * 51}
        return None

    def _page(self, each: GraphQLField, room: Room, path: Path | None) -> tuple[dict[str, str], int, str]:
        given: dict[str, str] = {}
        most = max(1, min(6, 40 // room.rows))
        size = self.chance.choice((0, 1, 1, 2, 2, 3, most, most))
        if self.errs("wrong page"):
            wrong = self.chance.choice((101, -1, 10**6))
            given[self.chance.choice(("first", "last"))] = self._variable_or(each.args["first"].type, wrong)
            return given, 1, ""
        if self.errs("both ends"):
            return {"first": "2", "last": self._variable_or(each.args["last"].type, 2)}, 2, ""
        backward = self.luck(0.35)
        if room.rows * 20 <= 60 and self.luck(0.25):
            size = 20
            if self.luck(0.2):
                given["first"] = self._variable_or(each.args["first"].type, None)
        else:
            given["last" if backward else "first"] = self._variable_or(each.args["first"].type, size)
            if self.luck(0.05):
                given["first" if backward else "last"] = "null"
        forced = ""
        side = self.chance.choice(("after", "before"))
        if self.errs("wrong cursor", 0.8):
            given[side] = literal(self._wrong_cursor(), self.chance)
        elif path is not None and self.luck(0.35):
            forced = self._cursor(get_named_type(each.type), given, side, path)
        elif self.luck(0.03):
            given[side] = "null"
        return given, size, forced

    def _cursor(self, listed: Any, given: dict[str, str], side: str, path: Path) -> str:
        """Give a side of a page a variable that is filled once an answer has told a cursor; select cursors."""
        holder, names = self.chance.choice((("edges", ("cursor",)), ("pageInfo", ("startCursor", "endCursor"))))
        below = get_named_type(listed.fields[holder].type)
        if not self._claims_all(listed, (holder,)) or not self._claims_all(below, names):
            return ""
        name = f"c{len(self.variables)}"
        self.variables[name] = Declared("String", None, None, self.luck(0.5))
        given[side] = f"${name}"
        self.cursors.append((name, path))
        return f"{holder} {{ {' '.join(names)} }}"

    def _claims_all(self, type_: Any, names: tuple[str, ...]) -> bool:
        """Let fields of a type stand under their own names in all of the document, unless others do."""
        for name in names:
            if self.keys.setdefault((type_.name, name), (name, "")) != (name, ""):
                return False
        self.covered |= {f"{type_.name}.{name}" for name in names}
        return True

    def _wrong_cursor(self) -> str:
        return self.chance.choice(
            ("", "nonsense", "W10", "eyJhIjoxfQ", "bnVsbA", "WyJ4IixbXSwiMDAiXQ", "ünï", "====", "a" * 3000, "\x00",
             "WyJhIiwgW10sICIwMTkiXQ", "'; --", "{alias}", "W1tbW10=", "MQ")
        )  # fmt: skip

    def _variable_or(self, type_: GraphQLType, value: Value) -> str:
        return literal(self._place(type_, value, NOTHING, twice=2), self.chance)

    def _place(self, type_: GraphQLType, value: Value, hint: Hint, *, twice: int = 1) -> Value:
        """Return the value, or a variable that holds it."""
        if not self.luck(min(self.variable_share * twice, 0.7)) or _has_reference(value):
            return value
        return Reference(self._variable(type_, value))

    def _variable(self, type_: GraphQLType, value: Value) -> str:
        """Declare a variable for a place of a type: as the place wants it, or stricter, or with a default."""
        prefix = self.chance.choice(("v", "v", "input", "filter_", "_", "if"))
        name = f"{prefix}{len(self.variables)}"
        optional = not isinstance(type_, GraphQLNonNull)
        written = str(type_)
        if optional and value is not None and self.luck(0.2):
            self.variables[name] = Declared(f"{written}!", None, plain(value), False)
        elif value is not None and self.luck(0.25):
            # With a default, a variable may be nullable where its place is not.
            nullable = written.removesuffix("!") if self.luck(0.5) else written
            self.variables[name] = Declared(nullable, literal(value, self.chance), plain(value), self.luck(0.7))
        else:
            self.variables[name] = Declared(written, None, self._json(value), value is None and self.luck(0.5))
        return name

    def _json(self, value: Value) -> Any:
        """Return a value as JSON; a whole number may come as one with a point."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        return float(value) if whole and self.luck(0.06) else plain(value)

    def _directive(self) -> str:
        if self.errs("unknown directive", 0.2):
            return "@nope "
        if self.errs("bare directive", 0.2):
            return "@skip "
        if self.directives_left <= 0 or not self.luck(0.06):
            return ""
        self.directives_left -= 1
        names = ("skip", "include", "skip") if self.luck(0.1) else (self.chance.choice(("skip", "include")),)
        written = []
        for name in dict.fromkeys(names):
            stays = self.luck(0.7)
            value = (name == "include") is stays
            written.append(f"@{name}(if: {literal(self._boolean(value), self.chance)})")
        return " ".join(written) + " "

    def _boolean(self, value: bool) -> Value:
        if not self.luck(0.5):
            return value
        known = [name for name, one in self.variables.items() if one.type == "Boolean!" and one.value is value]
        if known and self.luck(0.5):
            return Reference(self.chance.choice(known))
        return Reference(self._variable(GraphQLNonNull(SCHEMA.type_map["Boolean"]), value))  # type: ignore[type-var]

    # Too much

    def _too_much(self) -> str:
        self.wrong = self.mistake
        if self.mistake == "too deep":
            return "companies { nodes { " + "parent { " * 13 + "id" + " }" * 13 + " } }"
        if self.mistake == "too many aliases":
            return f"workspace {{ {' '.join(f'a{number}: name' for number in range(31))} }}"
        if self.mistake == "too many roots":
            return " ".join(f"a{number}: __typename" for number in range(21))
        if self.mistake == "too costly":
            name = self._variable_or(SCHEMA.type_map["Int"], 100)
            return f"leads(first: {name}) {{ nodes {{ company {{ leads(first: 60) {{ nodes {{ id }} }} }} }} }}"
        return "leads { nodes { company { contacts { nodes { leads { nodes { contacts { nodes { id } } } } } } } } }"


def _agree(these: Shapes, those: Shapes) -> bool:
    return all(these.get(key, shape) == shape for key, shape in those.items())


def _hint(name: str, argument: str, each: GraphQLField) -> Hint:
    """Return what an argument of a field is about."""
    if argument == "search" or (name, argument) == ("search", "query"):
        return Hint(search=True)
    noun = get_named_type(each.type).name if argument == "id" else argument[0].upper() + argument.removesuffix("Id")[1:]
    return Hint(id_of=noun) if noun in NOUN_MODELS else NOTHING


def _is_list(type_: GraphQLType) -> bool:
    return "[" in str(type_)


def _is_connection(each: GraphQLField) -> bool:
    return "first" in each.args and "after" in each.args


def _has_reference(value: Value) -> bool:
    match value:
        case Reference():
            return True
        case list():
            return any(map(_has_reference, value))
        case dict():
            return any(map(_has_reference, value.values()))
        case _:
            return False
