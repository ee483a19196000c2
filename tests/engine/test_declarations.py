"""Where each field of the schema comes from is declared, and what is declared is there."""

from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_list_type,
)
from tortoise.models import Model

from engine.conditions import EVERYTHING, All, AnyOf, Compare, Condition, Exists, Not, Op, Search
from engine.nouns import NOUNS, columns
from engine.pages import Order, PageRequest
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
    Read,
    Relation,
    Some,
)
from engine.sql import Params, where
from models import database
from models.companies import Company
from models.contacts import Contact
from models.conversations import CommentMention, LeadWatcher
from models.files import File
from models.leads import Lead, LeadTag
from queries.custom_fields import OWNERS
from schema.filters import _facts
from tests.engine.ways import SCHEMA, object_type, read_of
from tests.factories import NOW, member

pytestmark = pytest.mark.usefixtures("db")

# Resolvers written by hand. Each runs once a row of what is above it, so that there must be a reason for it: they are
# root fields that are no list of rows, or parts of objects that are made once an answer.
BY_HAND = {
    "Query": "scoreFields scoreModelPreview scoreOutcomes surveyForm surveyResults fieldDefinitions canMoveLead cursor "
    "viewer leadSummary search workspace "
    "reminderSettings sellingSettings webPushPublicKey mailTemplates previewMailTemplate "
    "documentTemplates previewDocumentTemplate publicNegotiation publicProposal",
    "Viewer": "user workspace memberships permissions timeZone locale unreadNotifications",
    "Membership": "workspace",
    "FieldDefinition": "options requiredAtStages",
    "LeadSummaryGroup": "stage owner team topTeam source campaign product lostReason lostTo status companyRelationship",
    "LeadSummaryKey": "key label",
    "SurveyResults": "verbatims",
    "SurveyResultGroup": "key label sent responses responseRate distribution meanScore nps satisfiedShare",
    "SurveyTotals": "sent responses responseRate distribution meanScore nps satisfiedShare",
    "MoveRequestPayload": "lead",
    "LeadChanged": "activityId activity commentId comment attachmentId attachment followUpId followUp",
    "NotificationReceived": "notification",
    "HandOverPayload": "lead",
    "OfferMade": "offer",
    "CommentMade": "comment",
    "Agreed": "round total",
    "BrokenOff": "ending reason",
}
LISTED = {"edges", "nodes", "pageInfo", "totalCount"}


def types() -> Iterator[GraphQLObjectType]:
    for name, type_ in SCHEMA.type_map.items():
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            yield type_


def model_of(type_: GraphQLObjectType) -> type[Model] | None:
    """Return the model whose rows are the roots of a type; None where they are instances of a class."""
    test = vars(type_.extensions["strawberry-definition"].origin).get("is_type_of")
    held = [cell.cell_contents for cell in getattr(getattr(test, "__func__", None), "__closure__", None) or ()]
    return next((one for one in held if isinstance(one, type) and issubclass(one, Model)), None)


def rows() -> list[tuple[GraphQLObjectType, type[Model]]]:
    return [(type_, model) for type_ in types() if (model := model_of(type_)) is not None]


def resolves_by_hand(field: GraphQLField) -> bool:
    return read_of(field) is None and field.extensions["strawberry-definition"].base_resolver is not None


def by_rule(type_: GraphQLObjectType) -> set[str]:
    """Return the fields of a type that are resolved by hand as those of all its like are."""
    if type_.name.endswith("Connection"):
        return LISTED
    if type_.name.endswith("Payload"):
        return {"query"}
    interfaces = {interface.name: set(interface.fields) for interface in type_.interfaces}
    of_interfaces = ("SeenLeadEvent", "LeadEvent", "LeadMeasures", "NotificationEvent", "NegotiationEvent")
    return next((interfaces[name] for name in of_interfaces if name in interfaces), set())


@pytest.mark.parametrize("type_", list(types()), ids=str)
def test_fields_are_declared_or_known_to_be_written_by_hand(type_: GraphQLObjectType) -> None:
    if type_ in (SCHEMA.mutation_type, SCHEMA.subscription_type):
        return
    found = {name for name, field in type_.fields.items() if resolves_by_hand(field)}
    assert found == by_rule(type_) | set(BY_HAND.get(type_.name, "").split())


def test_rows_have_no_field_that_is_written_by_hand() -> None:
    assert len(rows()) > 20
    fields = {f"{type_}.{name}": field for type_, _ in rows() for name, field in type_.fields.items()}
    assert [name for name, field in fields.items() if resolves_by_hand(field)] == []


def test_every_row_type_is_that_of_a_noun() -> None:
    assert {model for _, model in rows()} <= NOUNS.keys()
    assert {type_.name: model for type_, model in rows() if "id" in type_.fields} == MODELS


def test_what_the_compiler_cannot_join_is_not_declared() -> None:
    # A row that is joined may not exist for the actor.
    assert [
        f"{type_}.{name}"
        for type_, _ in rows()
        for name, field in type_.fields.items()
        if isinstance(read_of(field), Relation | Group) and isinstance(field.type, GraphQLNonNull)
    ] == []


# Every name


def lacking(model: type[Model], *names: str) -> list[str]:
    """Return the names that are no column of a model, and nothing that is read like one."""
    return [name for name in names if name not in columns(model) and name not in NOUNS[model].derived]


def faults(model: type[Model], read: Read, field: GraphQLField) -> list[str]:
    """Return what of a declaration is not there."""
    match read:
        case Key():
            return lacking(model, "id")
        case Column(name):
            return lacking(model, name or field.extensions["strawberry-definition"].python_name)
        case Group(of):
            named = get_named_type(field.type)
            assert isinstance(named, GraphQLObjectType)
            inner = {each.extensions["strawberry-definition"].python_name for each in named.fields.values()}
            return lacking(model, *of.values()) + sorted(inner ^ set(of))
        case Computed(needs, fn):
            return lacking(model, *needs) + _calls(fn, len(needs))
        case Batch(needs, fn):
            given = {one.python_name for one in field.extensions["strawberry-definition"].arguments}
            return lacking(model, *needs or ()) + sorted(given - signature(fn).parameters.keys())
        case Relation(other, by):
            return lacking(model, by) or _leads_elsewhere(model, by, other)
        case ConnectionOf(other, request, _):
            return request_faults(request(NOW), model) + ([] if request(NOW).model is other else ["another model"])
        case FewOf(other, request):
            return request_faults(request, model) + ([] if request.model is other else ["another model"])
        case _:
            return ["no declaration of rows"]


def _calls(fn: Callable[..., Any], count: int) -> list[str]:
    if isinstance(fn, type):
        return []
    taken = [one for one in signature(fn).parameters.values() if one.default is Parameter.empty]
    return [] if len(taken) == count else [f"takes {len(taken)} of {count}"]


def _leads_elsewhere(model: type[Model], by: str, other: type[Model]) -> list[str]:
    keys = [field for field in model._meta.fields_map.values() if getattr(field, "source_field", None) == by]
    leads_to = [field.related_model for field in keys if hasattr(field, "related_model")]
    return [] if leads_to in ([], [other]) and other in NOUNS else [f"{by} leads to {leads_to}"]


def request_faults(request: PageRequest, parent: type[Model] | None) -> list[str]:
    """Return what of a list is not there; without a parent it is a list of the whole workspace."""
    found = lacking(request.model, *(order.column for order in request.orders if not order.link))
    found += condition_faults(request.model, request.condition)
    if parent is None:
        return found + [str(name) for name in (request.by, request.through) if name]
    if request.through is None:
        return found + lacking(request.model, request.by or "")
    table, ours, theirs = request.through
    models: tuple[type[Model], ...] = (*NOUNS, LeadTag, CommentMention, LeadWatcher)
    between = next(model for model in models if model._meta.db_table == table)
    names = columns(between)
    return found + [name for name in (ours, theirs) if name not in names]


def condition_faults(model: type[Model], condition: Condition) -> list[str]:
    match condition:
        case Compare(column):
            return lacking(model, column)
        case All(of) | AnyOf(of):
            return [fault for part in of for fault in condition_faults(model, part)]
        case Not(of):
            return condition_faults(model, of)
        case Exists(link, inner):
            links = NOUNS[model].links
            return condition_faults(links[link].to, inner) if link in links else [link]
        case Search():
            return [] if NOUNS[model].search else ["no search"]
        case _:
            # Of a workspace's own fields, which no declaration names.
            return [str(condition)]


@pytest.mark.parametrize(("type_", "model"), rows(), ids=str)
def test_every_name_that_a_row_type_declares_is_there(type_: GraphQLObjectType, model: type[Model]) -> None:
    found = {
        name: wrong
        for name, field in type_.fields.items()
        if (read := read_of(field)) is not None and (wrong := faults(model, read, field))
    }
    assert found == {}


def test_every_root_list_and_every_root_row_is_there() -> None:
    assert SCHEMA.query_type
    for name, field in SCHEMA.query_type.fields.items():
        match read_of(field):
            case ConnectionOf(model, request, _):
                assert request(NOW).model is model
                assert request_faults(request(NOW), None) == [], name
            case One(model, _):
                assert model in NOUNS, name
            case other:
                assert other is None or isinstance(other, Some), name


def test_relations_of_what_functions_make_are_attributes_of_it() -> None:
    found = []
    for type_ in types():
        for name, field in type_.fields.items():
            read = read_of(field)
            if isinstance(read, Relation) and model_of(type_) is None:
                found.append(f"{type_}.{name}")
                attributes = type_.extensions["strawberry-definition"].origin.__dataclass_fields__
                assert read.by in attributes, f"{type_}.{name}"
                assert read.model in NOUNS
    of_answers = {"QualificationAnswer.criterion", "QualificationAnswer.answeredBy"}
    others = {
        "CustomValue.field",
        "EventActor.user",
        "FieldDefinition.customField",
        "LeadMove.stage",
        "ProposalSection.need",
    }
    of_events = {f"EventLinks.{name}" for name in ("followUp", "surveyDispatch", "surveyResponse", "referral")}
    assert set(found) == others | of_answers | of_events


def test_no_field_promises_more_than_its_column_holds() -> None:
    promised = []
    for type_, model in rows():
        for name, field in type_.fields.items():
            read = read_of(field)
            if isinstance(read, Column) and isinstance(field.type, GraphQLNonNull):
                column = read.name or field.extensions["strawberry-definition"].python_name
                if NOUNS[model].nullable(column):
                    promised.append(f"{type_}.{name}")
    assert promised == []


def test_wrong_names_are_noticed() -> None:
    title, value = object_type("Lead").fields["title"], object_type("Lead").fields["value"]
    wrong: list[tuple[type[Model], Read]] = [
        (Lead, Column("nope")),
        (Lead, Computed(("titel",), str)),
        (Lead, Computed(("title", "rank"), lambda title: title)),
        (Lead, Relation(Company, "company")),
        (Lead, Relation(Contact, "company_id")),
        (Lead, Relation(File, "company_id")),
        (Lead, FewOf(LeadTag, PageRequest(Contact, (Order("name"),), by="lead_id"))),
        (Lead, FewOf(Contact, PageRequest(Contact, (Order("nmae"),), by="company_id"))),
        (Lead, FewOf(Contact, PageRequest(Contact, (), by="company_id", condition=Exists("nope", EVERYTHING)))),
        (Lead, FewOf(Contact, PageRequest(Contact, (), by="company_id", condition=Compare("x", Op.EQ, 1)))),
    ]
    assert [read for model, read in wrong if not faults(model, read, title)] == []
    assert faults(Lead, Group({"amount": "value", "currency_code": "curency"}), value)
    assert faults(Lead, Group({"amount": "value"}), value)
    assert not faults(Lead, Group({"amount": "value", "currency_code": "currency"}), value)

    async def batch(rows: Any, info: Any) -> Any: ...

    assert faults(Lead, Batch(("ownerid",), batch), title)
    assert not faults(Lead, Batch(None, batch), title)


# Filters, orders and nouns


def arguments(name: str) -> Iterator[tuple[str, type[Model], Any]]:
    """Give the type of this argument of every list, with the list's model."""
    for type_ in types():
        for field, definition in type_.fields.items():
            read = read_of(definition)
            if isinstance(read, ConnectionOf) and name in definition.args:
                yield f"{type_}.{field}", read.model, get_named_type(definition.args[name].type)


def columns_of(condition: Condition) -> list[str]:
    """Return the columns that a condition compares."""
    parts: Any = getattr(condition, "of", ())
    inner = [name for part in (parts if isinstance(parts, tuple) else (parts,)) for name in columns_of(part)]
    return [condition.column] if isinstance(condition, Compare) else inner


def test_every_filter_tests_columns_and_links_that_are_there() -> None:
    pending = [(model, filter_type) for _, model, filter_type in arguments("filter")]
    seen: set[tuple[type[Model], str]] = set()
    while pending:
        model, filter_type = pending.pop()
        if (model, filter_type.name) in seen:
            continue
        seen.add((model, filter_type.name))
        assert isinstance(filter_type, GraphQLInputObjectType)
        origin = filter_type.extensions["strawberry-definition"].origin
        inputs = {each.extensions["strawberry-definition"].python_name: each for each in filter_type.fields.values()}
        for name, metadata in _facts(origin):
            if "column" in metadata:
                assert lacking(model, metadata["column"]) == [], f"{filter_type}.{name}"
                assert metadata["noun"] is None or metadata["noun"] in MODELS, f"{filter_type}.{name}"
            elif "link" in metadata:
                assert metadata["link"] in NOUNS[model].links, f"{filter_type}.{name}"
                inner: Any = get_named_type(inputs[name].type)
                some = inner.fields.get("some")
                pending.append((NOUNS[model].links[metadata["link"]].to, get_named_type(some.type) if some else inner))
            elif "flag" in metadata:
                assert lacking(model, *columns_of(metadata["flag"])) == [], f"{filter_type}.{name}"
            elif "custom" in metadata:
                assert model in OWNERS, f"{filter_type}.{name}"
            else:
                assert name in ("and_", "or_", "not_"), f"{filter_type}.{name}"
    assert len(seen) > 10


def test_every_order_is_by_columns_that_are_there() -> None:
    orders = list(arguments("orderBy"))
    for name, model, order in orders:
        assert isinstance(order, GraphQLInputObjectType)
        by = get_named_type(order.fields["field"].type)
        assert isinstance(by, GraphQLEnumType)
        for value in by.values.values():
            link, _, column = value.value.rpartition(".")
            assert column, f"{name}: {value.value}"
            other = NOUNS[model].links[link].to if link else model
            assert lacking(other, column) == [], f"{name}: {value.value}"
    assert len(orders) > 10


@pytest.mark.parametrize("model", NOUNS, ids=lambda model: model.__name__)
async def test_what_a_noun_says_is_understood_by_postgresql(model: type[Model]) -> None:
    actor, noun = await member(), NOUNS[model]
    for name, link in noun.links.items():
        assert lacking(model, link.ours) == lacking(link.to, link.theirs) == [], name
        if link.through:
            assert {link.through_ours, link.through_theirs} <= columns(link.through).keys(), name
    params = Params()
    conditions: list[Condition] = [Exists(name, EVERYTHING) for name in noun.links]
    conditions += [Search("one two")] if noun.search else []
    tests = [where(noun, condition, actor, params, "r") for condition in conditions]
    tests += [noun.live.format(alias="r")] if noun.live else []
    read = [f'r."{column}"' for column in columns(model)]
    read += [expression.format(alias="r") for expression in noun.derived.values()]
    condition = " AND ".join(f"({test})" for test in tests) or "TRUE"
    await database.read(f"SELECT {', '.join(read)} FROM {noun.table} r WHERE {condition} LIMIT 1", *params.values)


def test_lists_are_lists_and_relations_are_none() -> None:
    for type_ in types():
        for name, field in type_.fields.items():
            inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
            if isinstance(read_of(field), FewOf):
                assert is_list_type(inner), f"{type_}.{name}"
            elif isinstance(read_of(field), Relation | One | ConnectionOf | Group):
                assert not is_list_type(inner), f"{type_}.{name}"
