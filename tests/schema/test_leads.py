"""Leads through the API: lists, boards, moves, and what goes wrong."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from domain import closings, moves
from domain.captures import Capture, NewCompany, NewContact, capture
from domain.leads import LeadDetails
from domain.money import Money
from models.base import uuid7
from models.exchange_rates import ExchangeRate
from models.leads import Lead, LeadStatus
from models.stages import Stage, StageKind
from models.users import Role
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, lead, seller, stage
from tests.schema.asking import answer, ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")

LEADS = """
query Leads($first: Int, $after: String, $last: Int, $before: String, $filter: LeadFilter, $orderBy: [LeadOrder!],
            $search: String) {
  leads(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy,
        search: $search) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { title score } }
  }
}
"""
BOARD = """
query Board($id: ID!, $filter: LeadFilter, $search: String) {
  pipeline(id: $id) {
    cursor
    stages {
      name kind leadCount(filter: $filter, search: $search)
      leadValue(filter: $filter, search: $search) { amount currencyCode }
      leadValues(filter: $filter, search: $search) { amount currencyCode }
      leads(filter: $filter, search: $search, first: 50, orderBy: [{field: RANK}]) { nodes { title } }
    }
  }
}
"""
MOVE = """
mutation Move($input: MoveLeadInput!) {
  moveLead(input: $input) {
    lead { title version stage { name } } leadEdge { cursor node { title } }
    fromStage { leadCount } toStage { name leadCount }
    userErrors { code message field } clientMutationId query { viewer { user { name } } }
  }
}
"""


def titles(data: dict) -> list[str]:  # type: ignore[type-arg]
    return [edge["node"]["title"] for edge in data["leads"]["edges"]]


async def test_a_list_is_paged_both_ways_without_losing_or_repeating_a_lead() -> None:
    admin = await seller()
    for at in range(7):
        row = await lead(admin, title=f"L{at}", now=NOW + timedelta(minutes=at))
        await Lead.filter(id=row.id).update(score=[None, 10, 10, 90, None, 50, 10][at])
    order = [{"field": "SCORE", "direction": "DESC"}]
    whole = titles(await ask(admin, LEADS, first=100, orderBy=order))
    assert whole[0] == "L3"
    assert set(whole[-2:]) == {"L0", "L4"}
    forward: list[str] = []
    cursor = None
    while True:
        page = await ask(admin, LEADS, first=2, after=cursor, orderBy=order)
        forward += titles(page)
        cursor = page["leads"]["pageInfo"]["endCursor"]
        if not page["leads"]["pageInfo"]["hasNextPage"]:
            break
    assert forward == whole
    backward: list[str] = []
    cursor = None
    while True:
        page = await ask(admin, LEADS, last=3, before=cursor, orderBy=order)
        backward = titles(page) + backward
        cursor = page["leads"]["pageInfo"]["startCursor"]
        if not page["leads"]["pageInfo"]["hasPreviousPage"]:
            break
    assert backward == whole
    assert page["leads"]["totalCount"] == 7


async def test_a_cursor_of_another_list_is_refused() -> None:
    admin = await seller()
    await lead(admin)
    page = await ask(admin, LEADS, first=1)
    cursor = page["leads"]["edges"][0]["cursor"]
    assert await codes(admin, LEADS, after=cursor, filter={"status": {"eq": "WON"}}) == ["BAD_USER_INPUT"]
    assert await codes(admin, LEADS, after=cursor, orderBy=[{"field": "SCORE"}]) == ["BAD_USER_INPUT"]
    assert await codes(admin, LEADS, after="bm9uc2Vuc2U") == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("arguments", [{"first": 101}, {"first": -1}, {"first": 1, "last": 1}])
async def test_a_page_of_a_wrong_size_is_refused(arguments: dict[str, int]) -> None:
    assert await codes(await seller(), LEADS, **arguments) == ["BAD_USER_INPUT"]


async def test_leads_are_filtered_by_their_own_columns_and_by_what_hangs_on_them() -> None:
    admin = await seller()
    rich = await lead(admin, title="Rich", value=Money(Decimal(900), "EUR"))
    await lead(admin, title="Poor", value=Money(Decimal(5), "EUR"))
    told = Capture(
        details=LeadDetails(title="Known"),
        company=NewCompany(name="Acme", domain="acme.com"),
        contact=NewContact(name="Ann", email="ann@acme.com"),
    )
    await capture(admin, told, now=NOW)

    async def found(filter: dict) -> set[str]:  # type: ignore[type-arg]
        return set(titles(await ask(admin, LEADS, filter=filter)))

    assert await found({"value": {"gte": "100"}}) == {"Rich"}
    assert await found({"id": {"eq": gid("Lead", rich.id)}}) == {"Rich"}
    assert await found({"company": {"domain": {"eq": "acme.com"}}}) == {"Known"}
    assert await found({"contacts": {"some": {"email": {"startsWith": "ann@"}}}}) == {"Known"}
    assert await found({"contacts": {"none": {}}}) == {"Rich", "Poor"}
    assert await found({"or": [{"title": {"contains": "oo"}}, {"title": {"eq": "Rich"}}]}) == {"Poor", "Rich"}
    assert await found({"not": {"value": {"isNull": True}}}) == {"Rich", "Poor"}
    assert await found({"title": {"contains": "%"}}) == set()
    assert await found({"stage": {"in": [gid("Stage", rich.stage_id)]}, "status": {"ne": "WON"}}) == {
        "Rich",
        "Poor",
        "Known",
    }
    assert titles(await ask(admin, LEADS, search="ric")) == ["Rich"]
    assert titles(await ask(admin, LEADS, search="'; drop table lead; --")) == []


async def test_a_filter_that_nests_too_deep_or_names_a_foreign_id_is_refused() -> None:
    admin = await seller()
    deep: dict = {"title": {"eq": "x"}}  # type: ignore[type-arg]
    for _ in range(7):
        deep = {"not": deep}
    assert await codes(admin, LEADS, filter=deep) == ["BAD_USER_INPUT"]
    assert await codes(admin, LEADS, filter={"stage": {"eq": gid("Lead", admin.workspace_id)}}) == ["BAD_USER_INPUT"]
    assert await codes(admin, LEADS, filter={"stage": {"eq": "nonsense"}}) == ["BAD_USER_INPUT"]


async def test_a_rep_sees_their_own_leads_alone_everywhere() -> None:
    admin = await seller()
    rep, other = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    mine, hidden = await lead(rep, title="Mine"), await lead(other, title="Hidden")
    assert titles(await ask(rep, LEADS)) == ["Mine"]
    assert (await ask(rep, LEADS))["leads"]["totalCount"] == 1
    document = "query($a: ID!, $b: ID!) { lead(id: $a) { title } node(id: $a) { id } nodes(ids: [$a, $b]) { id } }"
    data = await ask(rep, document, a=gid("Lead", hidden.id), b=gid("Lead", mine.id))
    assert data == {"lead": None, "node": None, "nodes": [None, {"id": gid("Lead", mine.id)}]}
    board = await ask(rep, BOARD, id=gid("Pipeline", mine.pipeline_id))
    assert board["pipeline"]["stages"][0]["leadCount"] == 1


async def test_the_board_counts_and_sums_what_it_shows_in_the_base_currency_and_per_currency() -> None:
    admin = await seller()
    await ExchangeRate.create(
        workspace_id=admin.workspace_id, currency="USD", rate=Decimal("0.5"), valid_on=NOW.date(), created_at=NOW
    )
    first = await lead(admin, title="A", value=Money(Decimal(100), "EUR"))
    await lead(admin, title="B", value=Money(Decimal("10.50"), "USD"), now=NOW + timedelta(seconds=1))
    await lead(admin, title="C", value=Money(Decimal(7), "JPY"), now=NOW + timedelta(seconds=2))
    board = (await ask(admin, BOARD, id=gid("Pipeline", first.pipeline_id)))["pipeline"]
    column = board["stages"][0]
    assert column["leadCount"] == 3
    assert column["leadValue"] == {"amount": "105.25", "currencyCode": "EUR"}
    assert [value["currencyCode"] for value in column["leadValues"]] == ["EUR", "JPY", "USD"]
    assert [node["title"] for node in column["leads"]["nodes"]] == ["C", "B", "A"]
    filtered = await ask(admin, BOARD, id=gid("Pipeline", first.pipeline_id), filter={"title": {"eq": "A"}})
    column = filtered["pipeline"]["stages"][0]
    assert (column["leadCount"], column["leadValue"]["amount"]) == (1, "100")


async def test_the_board_takes_four_statements_whatever_stands_on_it() -> None:
    admin = await seller()
    first = await lead(admin)
    for kind in (StageKind.QUALIFY, StageKind.PROPOSAL):
        for _ in range(3):
            row = await lead(admin)
            await moves.move(admin, row.id, stage_id=(await stage(admin, kind)).id, now=NOW)
    seen: list[str] = []
    plain = AsyncpgDBClient.execute_query_dict

    async def counting(self: Any, query: str, values: list[Any] | None = None) -> Any:
        seen.append(query)
        return await plain(self, query, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncpgDBClient, "execute_query_dict", counting)
        result = await graphql_schema.execute(
            BOARD, {"id": gid("Pipeline", first.pipeline_id)}, context_value=Context(identity=admin, now=NOW)
        )
    assert result.errors is None
    assert len(seen) <= 4, seen


async def test_wins_leave_the_board_after_the_workspaces_window() -> None:
    admin = await seller()
    row = await lead(admin, value=Money(Decimal(100), "EUR"))
    now = datetime.now(UTC)
    await closings.close(admin, row.id, LeadStatus.WON, now=now)
    board = (await ask(admin, BOARD, id=gid("Pipeline", row.pipeline_id)))["pipeline"]["stages"]
    assert [(each["kind"], each["leadCount"]) for each in board if each["leadCount"]] == [("FOLLOW_UP", 1)]
    await Lead.filter(id=row.id).update(closed_at=now - timedelta(days=91))
    board = (await ask(admin, BOARD, id=gid("Pipeline", row.pipeline_id)))["pipeline"]["stages"]
    assert sum(each["leadCount"] for each in board) == 0
    assert all(not each["leads"]["nodes"] for each in board)


async def test_a_move_answers_with_the_lead_its_edge_and_both_stages() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, StageKind.QUALIFY)
    given = {"id": gid("Lead", row.id), "stageId": gid("Stage", target.id), "clientMutationId": "drag-1"}
    told = (await ask(admin, MOVE, input=given))["moveLead"]
    assert told["userErrors"] == []
    assert told["lead"] == {"title": "Solar roof", "version": 2, "stage": {"name": target.name}}
    assert told["leadEdge"]["node"]["title"] == "Solar roof"
    assert (told["fromStage"]["leadCount"], told["toStage"]) == (0, {"name": target.name, "leadCount": 1})
    assert told["clientMutationId"] == "drag-1"


async def test_a_move_is_refused_with_the_list_that_the_lead_shows_before() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, StageKind.QUALIFY)
    await Stage.filter(id=target.id).update(requirements={"fields": ["value", "company"], "min_needs": 1})
    document = """query($id: ID!, $stage: ID!) {
      lead(id: $id) { moves { stage { id } allowed unmetRequirements { code message field } } }
      canMoveLead(leadId: $id, stageId: $stage) { allowed unmetRequirements { code message field } }
    }"""
    shown = await ask(admin, document, id=gid("Lead", row.id), stage=gid("Stage", target.id))
    [beforehand] = [move for move in shown["lead"]["moves"] if move["stage"]["id"] == gid("Stage", target.id)]
    given = {"id": gid("Lead", row.id), "stageId": gid("Stage", target.id)}
    refused = (await ask(admin, MOVE, input=given))["moveLead"]
    assert refused["lead"] is None
    assert [error["code"] for error in refused["userErrors"]] == ["FIELD_MISSING", "FIELD_MISSING", "NEEDS_MISSING"]
    assert beforehand["unmetRequirements"] == refused["userErrors"] == shown["canMoveLead"]["unmetRequirements"]
    assert not beforehand["allowed"]


async def test_a_stale_edit_brings_the_current_lead_along() -> None:
    admin = await seller()
    row = await lead(admin)
    document = """mutation($input: UpdateLeadInput!) { updateLead(input: $input) {
      lead { title version } userErrors { code field } } }"""
    given = {"id": gid("Lead", row.id), "title": "First", "expectedVersion": 1}
    await ask(admin, document, input=given)
    told = (await ask(admin, document, input=given | {"title": "Second"}))["updateLead"]
    assert told["userErrors"] == [{"code": "STALE", "field": ["expectedVersion"]}]
    assert told["lead"] == {"title": "First", "version": 2}


async def test_a_lead_is_captured_edited_closed_reopened_deleted_and_restored_through_the_api() -> None:
    admin = await seller()
    capture = """mutation($input: CaptureLeadInput!) { captureLead(input: $input) {
      lead { id title value { amount currencyCode } company { name relationship }
             contacts { nodes { role isPrimary contact { name email } } }
             viewerCan { update move delete } }
      userErrors { code message field } } }"""
    given = {
        "value": {"amount": "1200.50", "currencyCode": "USD"},
        "company": {"name": "Acme", "domain": "https://www.acme.com/"},
        "contact": {"name": "Ann", "email": "ann@acme.com", "role": "DECISION_MAKER"},
    }
    made = (await ask(admin, capture, input=given))["captureLead"]
    assert made["userErrors"] == []
    assert made["lead"]["title"] == "Acme"
    assert made["lead"]["value"] == {"amount": "1200.5", "currencyCode": "USD"}
    [person] = made["lead"]["contacts"]["nodes"]
    assert person == {
        "role": "DECISION_MAKER",
        "isPrimary": True,
        "contact": {"name": "Ann", "email": "ann@acme.com"},
    }
    key = made["lead"]["id"]
    steps = [
        ("updateLead", {"id": key, "description": "Wants a roof", "value": None}, "OPEN"),
        ("closeLead", {"id": key, "status": "WON"}, "WON"),
        ("reopenLead", {"id": key}, "OPEN"),
    ]
    for name, given, status in steps:
        kind = name[0].upper() + name[1:] + "Input"
        document = (
            f"mutation($input: {kind}!) {{ {name}(input: $input) {{ lead {{ status }} userErrors {{ code }} }} }}"
        )
        told = (await ask(admin, document, input=given))[name]
        assert told == {"lead": {"status": status}, "userErrors": []}
    document = "mutation($id: ID!) { deleteLead(input: {id: $id}) { deletedLeadId userErrors { code } } }"
    assert (await ask(admin, document, id=key))["deleteLead"]["deletedLeadId"] == key
    assert await ask(admin, "query($id: ID!) { lead(id: $id) { id } }", id=key) == {"lead": None}
    document = "mutation($id: ID!) { restoreLead(input: {id: $id}) { lead { id } userErrors { code } } }"
    assert (await ask(admin, document, id=key))["restoreLead"]["lead"]["id"] == key
    history = """query($id: ID!) { lead(id: $id) { history { nodes { name actor { kind user { name } }
      changes { field before after } } } transitions { nodes { fromStage { kind } toStage { kind } } } } }"""
    shown = (await ask(admin, history, id=key))["lead"]
    assert {entry["name"] for entry in shown["history"]["nodes"]} >= {"lead.captured", "lead.closed", "lead.restored"}
    assert len(shown["transitions"]["nodes"]) == 3


async def test_bad_input_is_told_with_its_field_and_writes_nothing() -> None:
    admin = await seller()
    document = (
        "mutation($input: CaptureLeadInput!) { captureLead(input: $input) { lead { id } userErrors { code field } } }"
    )
    given = {
        "title": "x" * 300,
        "value": {"amount": "-1", "currencyCode": "XXY"},
        "contact": {"email": "nobody", "phone": "12"},
    }
    told = (await ask(admin, document, input=given))["captureLead"]
    assert told["lead"] is None
    assert {tuple(error["field"]) for error in told["userErrors"]} >= {("title",), ("value", "amount")}
    assert await Lead.filter(workspace_id=admin.workspace_id).count() == 0
    for value in ({"amount": "NaN", "currencyCode": "EUR"}, {"amount": "1e400", "currencyCode": "EUR"}):
        whole = await answer(admin, document, input={"title": "x", "value": value})
        refused = whole.get("errors") or whole["data"]["captureLead"]["userErrors"]
        assert refused
    assert await codes(admin, document, input={"title": "x", "engagedAt": "2026-01-01T00:00:00"}) == ["BAD_USER_INPUT"]
    assert await codes(admin, document, input={"title": "x", "stageId": "nonsense"}) == ["BAD_USER_INPUT"]
    assert await Lead.filter(workspace_id=admin.workspace_id).count() == 0


async def test_who_is_not_signed_in_is_told_so() -> None:
    assert await codes(None, LEADS) == ["UNAUTHENTICATED"]


async def test_ten_thousand_tags_in_a_request_are_refused_before_any_is_looked_up() -> None:
    admin = await seller()
    row = await lead(admin)
    many = [gid("Tag", uuid7()) for _ in range(10_000)]
    update = """mutation ($input: UpdateLeadInput!) { updateLead(input: $input) { userErrors { code field } } }"""
    listed = """query ($filter: LeadFilter) { leads(filter: $filter) { totalCount } }"""

    told = await ask(admin, update, input={"id": gid("Lead", row.id), "tagIds": many})
    filtered = await codes(admin, listed, filter={"tags": {"some": {"id": {"in": many}}}})

    assert told["updateLead"]["userErrors"] == [{"code": "TOO_MANY_TAGS", "field": ["tagIds"]}]
    assert filtered == ["BAD_USER_INPUT"]
    some = await ask(admin, listed, filter={"tags": {"none": {"id": {"in": many[:500]}}}})
    assert some["leads"]["totalCount"] == 1
