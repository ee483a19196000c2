"""One statement a level, whatever the number of rows, with the columns asked for only."""

import re

import pytest
from graphql import get_named_type, is_leaf_type, is_required_argument

from domain.actors import Actor
from engine.reads import MODELS, Batch, Column, Computed, ConnectionOf, Group, Read
from models.companies import Company
from models.leads import Lead
from schema import ids
from tests.engine.running import planned
from tests.engine.ways import (
    Step,
    Way,
    fields_reached,
    identity,
    is_list_of_objects,
    list_steps,
    object_type,
    read_of,
    relation_steps,
    row_types,
    steps_of,
    ways,
    whole,
    with_relation,
)

ONE, MANY = 1, 5
# Lists of objects that hand-written resolvers return, each with statements of its own.
BY_HAND = {
    "Query.fieldDefinitions",
    "Query.nodes",
    "Query.scoreFields",
    "Query.search",
    "FieldDefinition.options",
    "FieldDefinition.requiredAtStages",
    "LeadSummary.groups",
    "LeadSummaryGroup.keys",
    "LeadSummaryGroup.valueByCurrency",
    "LeadTotals.valueByCurrency",
    "Viewer.memberships",
    "Viewer.permissions",
}
# Attributes of objects that batch resolvers and pure functions return, which no statement reads.
WITHIN_AN_ANSWER = {
    *("LeadMove.unmetRequirements", "SearchHit.highlight"),
    *("LeadQualification.answers", "LeadQualification.open"),
    *("Query.mailTemplates", "MailTemplateTrial.problems", "Query.documentTemplates"),
    *("Questionnaire.questions", "SurveyQuestion.choices", "SurveyQuestion.conditions", "SurveyForm.questions"),
    *("FormQuestion.choices", "SurveyForm.answers"),
    *("PublicProposal.lines", "PublicProposal.questions", "PublicProposal.sections", "PublicProposal.taxes"),
    *("PublicNegotiation.comments", "PublicNegotiation.lines", "PublicNegotiation.offers"),
    *(
        "OfferDiff.terms",
        "PublicOfferDiff.terms",
        "NegotiationPosition.conceded",
        "OfferTerms.free",
        "OfferTerms.lines",
    ),
    *("ScoreModelPreview.deciles", "ScoreModelPreview.problems", "ScoreRuleGroup.rules", "ScoreRules.groups"),
    *("ScoreQuality.calibration", "ScoreQuality.deciles", "ScoreReport.compared", "ScoreReport.dropped"),
    *("ScoreReport.suspected", "ScoreReport.unrated"),
    *("ProposalDiff.changes", "ProposalDiff.lines", "ProposalLineDifference.changes"),
    *("SurveyResults.groups", "SurveyResultGroup.distribution", "SurveyTotals.distribution"),
}


async def test_several_levels_are_several_statements_whatever_the_number_of_rows(admin: Actor) -> None:
    for document, levels in (
        ("query ($n: Int) { leads(first: $n) { nodes { title } } companies(first: $n) { nodes { name } } }", 2),
        ("query ($n: Int) { a: leads(first: $n) { nodes { id } } b: leads(first: $n) { nodes { id } } }", 2),
        (
            """query ($n: Int) { leads(first: $n) { nodes { tags { name }
                 company { name parent { name owner { name } contacts(first: $n) { nodes { name } } } }
                 contacts { nodes { contact { name leads(first: $n) { nodes { title stage { name } } } } } } } } }""",
            5,
        ),
    ):
        for number in (ONE, MANY):
            found = await planned(admin, document, n=number)
            assert len(found.sent) == levels, "\n".join(found.sent)


# What hangs on a lead, a company or a contact, but on one of them only.
HANGING = frozenset({"Attachment", "Comment", "FollowUp"})


@pytest.mark.parametrize("step", list_steps(), ids=str)
async def test_a_list_takes_one_statement(admin: Actor, step: Step) -> None:
    await _one_a_level(admin, ways()[step.type].then(step))


@pytest.mark.parametrize("step", [step for step in list_steps() if isinstance(step.read, ConnectionOf)], ids=str)
async def test_counting_a_list_takes_one_more(admin: Actor, step: Step) -> None:
    way = ways()[step.type].then(step)
    for number in (ONE, MANY):
        found = await planned(admin, way.document(identity(step.to), total=True), n=number)
        assert len(found.sent) == way.levels + 1, "\n".join(found.sent)


# An entry of a timeline tells of one thing: the latest here are of activities.
# Lines of proposals are as deep as lists may be.
BEYOND = ("TimelineEntry.comment", "TimelineEntry.attachment", "ProposalLine.product")
TOLD = [step for step in relation_steps() if str(step) not in BEYOND]


@pytest.mark.parametrize("step", TOLD, ids=str)
async def test_a_list_of_what_is_joined_takes_one_statement(admin: Actor, step: Step) -> None:
    for below in steps_of(step.to):
        if below.is_list:
            await _one_a_level(admin, _way_up(step).then(below))


def _way_up(step: Step) -> Way:
    """Return the way to what something hangs on: by the list of that, where it may hang on other things as well."""
    down = [one for one in list_steps() if (one.type, one.to) == (step.to, step.type)]
    if step.type in HANGING and down:
        return ways()[step.to].then(down[0]).then(step)
    return ways()[step.type].then(step)


async def _one_a_level(admin: Actor, way: Way) -> None:
    document = way.document(with_relation(way.steps[-1].to))
    for number in (ONE, MANY):
        found = await planned(admin, document, n=number)
        assert len(found.sent) == way.levels, "\n".join((document, *found.sent))
    lists = way.lists(found.data)
    several = [rows for rows in lists if len(rows) > 1]
    assert len(several) >= min(2, way.levels), f"too few to tell: {document}"


@pytest.mark.parametrize("name", row_types())
async def test_every_relation_is_joined(admin: Actor, name: str) -> None:
    joined = [step.around(with_relation(step.to)) for step in steps_of(name) if not step.is_list]
    found = await planned(admin, ways()[name].document(" ".join([identity(name), *joined])), n=MANY)
    assert len(found.sent) == ways()[name].levels
    assert found.sent[-1].count("LEFT JOIN") >= len(joined)


async def test_a_row_is_joined_once_however_often_it_is_asked_for(admin: Actor) -> None:
    found = await planned(admin, "{ leads { nodes { stage { id } again: stage { name pipeline { id } } } } }")
    [statement] = found.sent
    assert statement.count("LEFT JOIN") == 2


@pytest.mark.parametrize("name", row_types())
async def test_batch_fields_take_as_many_statements_for_one_row_as_for_many(admin: Actor, name: str) -> None:
    for field in _fields(name, Batch):
        sent = []
        for number in (ONE, MANY):
            found = await planned(admin, ways()[name].document(f"{identity(name)} {field}"), n=number)
            sent.append([re.sub(r"\$\d+|\(\$[\d,$]+\)", "$", statement) for statement in found.sent])
        assert len(sent[0]) == len(sent[1]), f"{name}.{field}: {sent}"


# Rules within groups within versions within models are deeper than lists may be: they are asked for of one model.
TOO_DEEP = ("ScoreModelVersion", "rules")


@pytest.mark.parametrize("name", row_types())
async def test_what_is_made_of_columns_takes_none(admin: Actor, name: str) -> None:
    for field in _fields(name, Column, Group, Computed):
        if (name, field.partition(" ")[0]) == TOO_DEEP:
            some = await planned(admin, "{ scoreModels { nodes { id } } }")
            document = (
                f"query ($id: ID!) {{ scoreModel(id: $id) {{ versions {{ nodes {{ {identity(name)} {field} }} }} }} }}"
            )
            told = [await planned(admin, document, id=one["id"]) for one in some.data["scoreModels"]["nodes"]]
            assert {len(found.sent) for found in told} == {2}
            assert any(one["rules"] for found in told for one in found.data["scoreModel"]["versions"]["nodes"])
            continue
        found = await planned(admin, ways()[name].document(f"{identity(name)} {field}"), n=MANY)
        assert len(found.sent) == ways()[name].levels, field


async def test_objects_that_functions_made_have_relations_in_one_statement(admin: Actor) -> None:
    document = """query ($n: Int) { leads(first: $n) { nodes {
      history { nodes { actor { user { name } } } } moves { stage { name pipeline { name } } }
      qualification { answers { criterion { label } answeredBy { name } } open { label } } } } }"""
    found = {number: await planned(admin, document, n=number) for number in (ONE, MANY)}
    assert len(found[ONE].sent) == len(found[MANY].sent)
    of_users = [statement for statement in found[MANY].sent if 'FROM "user_account" r' in statement]
    of_stages = [statement for statement in found[MANY].sent if 'FROM "stage" r' in statement]
    assert (len(of_users), len(of_stages)) == (2, 1)


def _fields(name: str, *kinds: type[Read]) -> list[str]:
    """Return the fields of these kinds that need no arguments, with all that can be asked of them."""
    found = []
    for field, definition in object_type(name).fields.items():
        if isinstance(read_of(definition), kinds) and not any(map(is_required_argument, definition.args.values())):
            named = get_named_type(definition.type)
            found.append(field if is_leaf_type(named) else f"{field} {{ {whole(named.name)} }}")
    return found


@pytest.mark.parametrize("name", [name for name in row_types() if name in MODELS])
async def test_a_level_asks_for_the_columns_asked_for_only(admin: Actor, name: str) -> None:
    way = ways()[name]
    for field, definition in object_type(name).fields.items():
        read = read_of(definition)
        if isinstance(read, Column):
            column = read.name or definition.extensions["strawberry-definition"].python_name
            found = await planned(admin, way.document(field), n=MANY)
            assert _selected(found.sent[-1]) == {f'r."{column}"'}, found.sent[-1]


def _selected(statement: str) -> set[str]:
    """Return what the outermost SELECT of a level asks for, but for the parent's place."""
    listed = re.match(r"SELECT (.*?) FROM ", statement)
    assert listed, statement
    return set(re.sub(r"trim_scale\((.*?)\)::text", r"\1", listed[1]).split(", ")) - {"parent.place"}


async def test_joined_rows_give_the_columns_asked_for_only(admin: Actor) -> None:
    [statement] = (await planned(admin, "{ leads { nodes { title company { industry } } } }")).sent
    assert _selected(statement) == {'r."title"', 'uuid_send(j0."id")', 'j0."industry"'}


async def test_cursors_add_what_the_list_is_ordered_by(admin: Actor) -> None:
    document = "{ leads(orderBy: [{ field: SCORE }]) { edges { cursor node { title } } } }"
    [statement] = (await planned(admin, document)).sent
    assert _selected(statement) == {'r."title"', 'r."score"', 'r."id"'}


@pytest.mark.parametrize("shown", ["edges { cursor node { id score } }", "nodes { id score } pageInfo { endCursor }"])
async def test_cursors_add_nothing_that_is_there(admin: Actor, shown: str) -> None:
    document = f"{{ leads(first: 5, orderBy: [{{ field: SCORE }}]) {{ {shown} }} }}"
    [statement] = (await planned(admin, document)).sent
    assert _selected(statement) == {'uuid_send(r."id")', 'r."score"'}


async def test_ids_take_one_statement_a_noun(admin: Actor) -> None:
    leads = [str(ids.encode("Lead", row.id)) for row in await Lead.filter(workspace_id=admin.workspace_id).limit(5)]
    others = Company.filter(workspace_id=admin.workspace_id).limit(5)
    companies = [str(ids.encode("Company", row.id)) for row in await others]
    document = """query ($ids: [ID!]!) { nodes(ids: $ids) {
      id ... on Lead { title stage { name } tags { name } } ... on Company { name contacts { nodes { name } } } } }"""
    for number, wanted in ((2, leads[:1]), (2, leads), (4, [*leads[:1], *companies[:1]]), (4, [*leads, *companies])):
        found = await planned(admin, document, ids=wanted)
        assert [node["id"] for node in found.data["nodes"]] == wanted
        assert len(found.sent) == number, "\n".join(found.sent)


async def test_nothing_is_asked_for_where_there_are_no_rows(admin: Actor) -> None:
    document = """{ leads(filter: { title: { eq: "none" } }) { nodes {
      company { contacts { nodes { id } } } tags { id } moves { allowed } } } }"""
    assert len((await planned(admin, document)).sent) == 1
    # None of these companies is within another.
    document = """{ companies(filter: { parent: { isNull: true } }) { nodes {
      parent { contacts { nodes { id } } viewerCan { update } externalRefs { system } } } } }"""
    assert len((await planned(admin, document)).sent) == 1


async def test_a_search_is_one_statement_and_one_a_noun_that_was_found(admin: Actor) -> None:
    document = """query ($n: Int, $words: String!) { search(query: $words, first: $n) {
      rank highlight { text } node { __typename ... on Lead { title } ... on Company { name } } } }"""
    for words, n in (("name", 1), ("name", 20), ("name", 100), ("lead", 100), ("nobody", 10)):
        found = await planned(admin, document, n=n, words=words)
        nouns = {hit["node"]["__typename"] for hit in found.data["search"]}
        assert nouns or words == "nobody"
        assert len(found.sent) == 1 + len(nouns)
    assert (await planned(admin, document, n=3, words="...")).sent == []


def test_every_list_of_objects_is_known_here() -> None:
    walked = {str(step) for step in list_steps()}
    known = walked | BY_HAND | WITHIN_AN_ANSWER
    lists = {f"{name}.{field}": definition for name, field, definition in fields_reached()}
    lists = {name: definition for name, definition in lists.items() if is_list_of_objects(definition)}
    unknown = {
        name
        for name, definition in lists.items()
        if name not in known
        and not isinstance(read_of(definition), Batch | Computed)
        and not name.partition(".")[0].endswith("Connection")
    }
    assert unknown == set()
    assert lists.keys() >= BY_HAND | WITHIN_AN_ANSWER
