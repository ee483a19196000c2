"""The demo: rows as if people had made them one by one, and always the same for the same seed."""

import asyncio
import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from tortoise.connection import get_connection

from domain import (
    custom_values,
    exchange_rates,
    laying_out,
    leads,
    questionnaires,
    relationships,
    sessions,
    touches,
)
from domain.actors import ALL, Actor, ActorKind
from domain.demo import Filled, Plan, fill
from domain.errors import AlreadyExists, Faults, Invalid, OutOfRange
from domain.events import EVENTS
from domain.scoring.rescoring import rescore
from models.activities import Activity, ActivityKind
from models.companies import Company
from models.competitors import Competitor
from models.contacts import Contact
from models.contracts import Contract, ContractState
from models.conversations import Comment
from models.custom_fields import CustomField
from models.database import transaction
from models.deliveries import Delivery
from models.events import Event
from models.follow_ups import FollowUp, FollowUpStatus
from models.invoices import Invoice, InvoiceState, Payment
from models.leads import Lead, LeadCompetitor, LeadContact, LeadStatus, LeadTag
from models.negotiations import Negotiation, NegotiationState
from models.proposals import Proposal, ProposalState
from models.qualification import QualificationAnswer, QualificationCriterion
from models.stages import Stage, StageKind, StageTransition
from models.surveys import DispatchStatus, Survey, SurveyDispatch, SurveyResponse
from models.teams import Team
from models.users import Membership, Role, User
from models.workspaces import Workspace
from workers.subscriptions import SUBSCRIPTIONS

pytestmark = pytest.mark.usefixtures("db")
NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
LEADS = 700
PASSWORD = "eleven quiet boats"
OPEN, WON = LeadStatus.OPEN, LeadStatus.WON
TOUCHED = ("first_activity_at", "last_activity_at", "first_response_seconds", "touches")
UNVERSIONED = {
    "lead.activity_logged",
    "lead.qualification_answered",
    "lead.commented",
    "lead.follow_up_created",
    "lead.follow_up_completed",
    "lead.survey_answered",
}
_made: dict[str, Filled] = {}


def plan(email: str = "robin@sunfield.example", *, seed: int = 7, count: int = LEADS) -> Plan:
    return Plan("Sunfield Energy", email, PASSWORD, count, seed)


@pytest.fixture
async def demo(db: str) -> Filled:
    """One demo for all tests that only look at it, which is made again where another test has emptied the database."""
    if db not in _made or not await Workspace.filter(id=_made[db].workspace_id).exists():
        _made[db] = await fill(plan(), now=NOW)
    return _made[db]


def admin(demo: Filled) -> Actor:
    return Actor(ActorKind.USER, demo.workspace_id, role=Role.ADMIN, rows=ALL)


async def test_it_makes_as_many_leads_as_wanted_and_says_what_it_made(demo: Filled) -> None:
    assert await Lead.filter(workspace_id=demo.workspace_id).count() == LEADS == demo.rows["lead"]
    assert await Company.filter(workspace_id=demo.workspace_id).count() == demo.rows["company"] > LEADS / 10
    assert await Event.filter(workspace_id=demo.workspace_id).count() == demo.rows["event"] > LEADS * 2


async def test_its_admin_signs_in(demo: Filled) -> None:
    signed_in = await sessions.sign_in(email="robin@sunfield.example", password=PASSWORD, now=NOW)
    assert signed_in.session.workspace_id == demo.workspace_id
    membership = await Membership.get(workspace_id=demo.workspace_id, user_id=signed_in.session.user_id)
    assert membership.role is Role.ADMIN
    others = await Membership.filter(workspace_id=demo.workspace_id).exclude(id=membership.id).prefetch_related("user")
    assert {other.role for other in others} == set(Role) - {Role.ADMIN}
    assert all(other.user.password_hash is None for other in others)
    assert await Team.filter(workspace_id=demo.workspace_id, parent_id=None).exists()


async def test_status_and_stage_go_together(demo: Filled) -> None:
    rows = await Lead.filter(workspace_id=demo.workspace_id).prefetch_related("stage")
    statuses = Counter(row.status for row in rows)
    assert all(statuses[status] > LEADS / 50 for status in LeadStatus)
    for row in rows:
        assert row.pipeline_id == row.stage.pipeline_id
        assert (row.stage.kind is StageKind.FOLLOW_UP) == (row.status is WON)
        assert (row.closed_at is None) == (row.status is OPEN) == (row.closing_rate is None)
        assert (row.lost_reason_id is not None) == (row.status is LeadStatus.LOST)
        assert row.probability == (row.stage.probability if row.status is OPEN else int(row.status is WON))
        moments = [row.created_at, row.stage_entered_at, row.closed_at or NOW, NOW]
        assert moments == sorted(moments)
        assert row.created_at <= row.updated_at <= NOW
        assert row.engaged_at is None or row.created_at <= row.engaged_at


def _of_a_sale(event: dict[str, Any]) -> bool:
    """Say whether an event tells of what hangs on a lead, and changes nothing of it."""
    return not event["name"].startswith("lead.")


async def test_events_tell_each_lead_from_its_capture_to_what_it_is_now(demo: Filled) -> None:
    events: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in await get_connection("default").execute_query_dict(
        "SELECT subject_id, name, data, occurred_at FROM event WHERE workspace_id = $1 AND subject_type = 'lead'"
        " ORDER BY seq",
        [demo.workspace_id],
    ):
        events[row["subject_id"]].append(row | {"data": orjson.loads(row["data"])})
    tags: dict[Any, list[Any]] = defaultdict(list)
    for tag in await LeadTag.filter(workspace_id=demo.workspace_id):
        tags[tag.lead_id].append(tag.tag_id)
    for lead in await Lead.filter(workspace_id=demo.workspace_id):
        told = events[lead.id]
        assert told[0]["name"] == "lead.captured"
        edits = [one["data"]["version"] for one in told if one["name"] not in UNVERSIONED and not _of_a_sale(one)]
        assert edits == list(range(1, lead.version + 1))
        assert [one["data"]["version"] for one in told] == sorted(one["data"]["version"] for one in told)
        assert [one["occurred_at"] for one in told] == sorted(one["occurred_at"] for one in told)
        assert all(one["data"]["bulk"] for one in told)
        states = [None, *(one["data"]["after"] for one in told)]
        assert [one["data"]["before"] for one in told] == states[:-1]
        assert states[-1] == leads.live_columns(lead, tags[lead.id])
        last = [one["name"] for one in told if one["name"] not in UNVERSIONED and not _of_a_sale(one)][-1]
        assert (last == "lead.closed") == (lead.status is not OPEN)


async def test_something_is_planned_said_asked_and_answered_and_nobody_is_reminded(demo: Filled) -> None:
    home = {"workspace_id": demo.workspace_id}
    todos = await FollowUp.filter(**home)
    assert {row.status for row in todos} == {FollowUpStatus.OPEN, FollowUpStatus.DONE}
    assert {row.plan_id is None for row in todos} == {True, False}
    assert not any(row.remind_at or row.escalate_at for row in todos)
    assert all((row.ended_at is None) == (row.status is FollowUpStatus.OPEN) for row in todos)
    due: dict[Any, list[datetime]] = defaultdict(list)
    for row in todos:
        if row.status is FollowUpStatus.OPEN:
            due[row.lead_id].append(row.due_at)
    for lead in await Lead.filter(**home):
        assert lead.next_follow_up_at == min(due[lead.id], default=None)
    for name in ("created", "completed"):
        told = await Event.filter(**home, name=f"lead.follow_up_{name}")
        done = {str(row.id) for row in todos if name == "created" or row.status is FollowUpStatus.DONE}
        assert Counter(event.data["follow_up_id"] for event in told) == dict.fromkeys(done, 1)
    assert await Competitor.filter(**home).count() == 4
    assert await LeadCompetitor.filter(**home).exists() and await Comment.filter(**home).exists()
    answered = await SurveyResponse.filter(**home).prefetch_related("dispatch")
    assert answered and {row.dispatch.status for row in answered} == {DispatchStatus.ANSWERED}
    assert len(answered) == await SurveyDispatch.filter(**home, status=DispatchStatus.ANSWERED).count()
    asking = await Survey.get(workspace_id=demo.workspace_id)
    for one in answered:
        limits = {"detractor_most": asking.detractor_most, "promoter_least": asking.promoter_least}
        assert one.verdict is questionnaires.verdict_of(one.score, **limits)
        made = questionnaires.load(asking.content)
        assert questionnaires.check_answers(Faults(), made, one.answers, field="answers") == one.answers


async def test_plans_and_surveys_find_nothing_to_do_where_they_look_again(demo: Filled) -> None:
    home = {"workspace_id": demo.workspace_id}
    before = [await table.filter(**home).count() for table in (FollowUp, SurveyDispatch)]
    keys = [row.id for row in await Lead.filter(**home, status=WON)]
    await laying_out.settle(demo.workspace_id, keys, now=NOW)
    events = await Event.filter(**home, name="lead.closed")
    assert {"lay_out_plans", "dispatch_surveys", "notify"} <= set(events[0].data["tasks_done"])
    assert [await table.filter(**home).count() for table in (FollowUp, SurveyDispatch)] == before
    assert not await FollowUp.filter(**home, status=FollowUpStatus.CANCELLED).exists()


async def test_activities_are_logged_and_stand_on_their_leads(demo: Filled) -> None:
    made = await Activity.filter(workspace_id=demo.workspace_id)
    logged = await Event.filter(workspace_id=demo.workspace_id, name="lead.activity_logged")
    assert len(made) == len(logged) > LEADS / 4
    assert {event.data["activity_id"] for event in logged} == {str(row.id) for row in made}
    assert {row.kind for row in made} >= {
        ActivityKind.CALL,
        ActivityKind.EMAIL,
        ActivityKind.MEETING,
        ActivityKind.NOTE,
    }
    assert all(row.kind is not ActivityKind.NOTE or row.subject or row.text for row in made)
    rows = await Lead.filter(workspace_id=demo.workspace_id)
    stands = {row.id: [getattr(row, name) for name in TOUCHED] for row in rows}
    async with transaction():
        for row in rows:
            await touches.recount(row)
            assert [getattr(row, name) for name in TOUCHED] == stands[row.id]
            assert row.last_activity_at is None or row.created_at <= row.last_activity_at <= NOW
    busy = sum(row.last_activity_at is not None for row in rows if row.status is OPEN)
    assert busy > 0.6 * sum(row.status is OPEN for row in rows)


async def test_answers_and_custom_values_are_such_as_people_give(demo: Filled) -> None:
    criteria = {row.id: row for row in await QualificationCriterion.filter(workspace_id=demo.workspace_id)}
    answers = await QualificationAnswer.filter(workspace_id=demo.workspace_id)
    told: dict[Any, dict[str, Any]] = {}
    for event in await Event.filter(workspace_id=demo.workspace_id, name="lead.qualification_answered"):
        told[event.subject_id] = event.data["changes"]["answers"][1]
    assert len(criteria) == 3 and len(answers) > LEADS / 10
    for row in answers:
        assert row.value in {choice["key"] for choice in criteria[row.criterion_id].choices}
        assert told[row.lead_id][str(row.criterion_id)]["value"] == row.value
    own = {row.id.hex: row for row in await CustomField.filter(workspace_id=demo.workspace_id)}
    filled = [row for row in await Lead.filter(workspace_id=demo.workspace_id) if row.custom]
    assert len(own) == 3 and len(filled) > LEADS / 5
    for lead in filled:
        for key, value in lead.custom.items():
            faults = Faults()
            assert custom_values.parse(faults, own[key], value, field="value") == value
            faults.raise_any()


async def test_transitions_lead_from_stage_to_stage(demo: Filled) -> None:
    ways: dict[Any, list[StageTransition]] = defaultdict(list)
    for move in await StageTransition.filter(workspace_id=demo.workspace_id).order_by("moved_at", "id"):
        ways[move.lead_id].append(move)
    for lead in await Lead.filter(workspace_id=demo.workspace_id):
        way = ways[lead.id]
        assert (way[0].from_stage_id, way[0].stayed_seconds) == (None, None)
        assert (way[-1].to_stage_id, way[-1].moved_at) == (lead.stage_id, lead.stage_entered_at)
        for here, there in itertools.pairwise(way):
            assert there.from_stage_id == here.to_stage_id
            assert there.stayed_seconds == int((there.moved_at - here.moved_at).total_seconds())


async def test_every_event_has_its_subject_and_every_subject_its_event(demo: Filled) -> None:
    for table in (
        "company",
        "contact",
        "need",
        "team",
        "stage",
        "pipeline",
        "source",
        "campaign",
        "product",
        "tag",
        "lead",
    ):
        kind = f"{table}.{'captured' if table == 'lead' else 'created'}"
        [row] = await get_connection("default").execute_query_dict(
            f"SELECT count(*) AS missing FROM (SELECT id FROM {table} WHERE workspace_id = $1) AS subject"
            " FULL JOIN (SELECT subject_id FROM event WHERE workspace_id = $1 AND name = $2) AS told"
            " ON told.subject_id = subject.id WHERE subject.id IS NULL OR told.subject_id IS NULL",
            [demo.workspace_id, kind],
        )
        assert (table, row["missing"]) == (table, 0)


async def test_relationships_are_those_that_follow_from_the_leads(demo: Filled) -> None:
    companies = [row.id for row in await Company.filter(workspace_id=demo.workspace_id)]
    contacts = [row.id for row in await Contact.filter(workspace_id=demo.workspace_id)]
    before = await Event.filter(workspace_id=demo.workspace_id).count()
    await relationships.refresh(admin(demo), company_ids=companies, contact_ids=contacts, now=NOW)
    assert await Event.filter(workspace_id=demo.workspace_id).count() == before


async def test_scores_are_those_that_a_worker_would_give(demo: Filled) -> None:
    keys = [row.id for row in await Lead.filter(workspace_id=demo.workspace_id, status=OPEN)]
    assert keys
    assert await rescore(demo.workspace_id, keys, now=NOW) == 0


async def test_closed_leads_keep_the_rate_of_their_day(demo: Filled) -> None:
    foreign = await Lead.filter(workspace_id=demo.workspace_id, closed_at__isnull=False).exclude(currency="EUR")
    assert len({row.currency for row in foreign}) > 2
    for row in foreign[:40]:
        assert row.closed_at
        rates = await exchange_rates.rates_on(demo.workspace_id, row.closed_at.date())
        assert row.closing_rate == rates[row.currency]


async def test_every_lead_has_one_primary_contact_and_ranks_tell_all_apart(demo: Filled) -> None:
    primary = await LeadContact.filter(workspace_id=demo.workspace_id, is_primary=True)
    assert len({row.lead_id for row in primary}) == len(primary) == LEADS
    ranks = [row.rank for row in await Lead.filter(workspace_id=demo.workspace_id)]
    assert len(set(ranks)) == LEADS


async def test_the_same_seed_makes_the_same_rows_whenever_it_is_made() -> None:
    first = await fill(plan("one@demo.example", count=60), now=NOW)
    known = await rows_of(first)
    await Workspace.filter(id=first.workspace_id).update(name="Another")
    await wipe(first)
    second = await fill(plan("one@demo.example", count=60), now=NOW)
    assert await rows_of(second) == known
    await wipe(second)
    later = await fill(plan("one@demo.example", count=60), now=NOW + timedelta(days=7))
    assert later.workspace_id == first.workspace_id
    other = await fill(plan("two@demo.example", seed=8, count=60), now=NOW)
    assert other.workspace_id != first.workspace_id
    assert [row[1] for row in await rows_of(other)] != [row[1] for row in known]


async def rows_of(demo: Filled) -> list[tuple[Any, ...]]:
    rows = await Lead.filter(workspace_id=demo.workspace_id).order_by("id")
    people = await Contact.filter(workspace_id=demo.workspace_id).order_by("id")
    return [(row.id, row.title, row.status, row.value, row.rank, row.created_at) for row in rows] + [
        (row.id, row.name, row.email, row.phone) for row in people
    ]


async def wipe(demo: Filled) -> None:
    """Remove a workspace and its members for good."""
    members = [row.user_id for row in await Membership.filter(workspace_id=demo.workspace_id)]
    connection = get_connection("default")
    for table in ("event", "stage_transition", "lead", "stage"):
        await connection.execute_query(f"DELETE FROM {table} WHERE workspace_id = $1", [demo.workspace_id])
    await Workspace.filter(id=demo.workspace_id).delete()
    await User.filter(id__in=members).delete()


async def test_an_address_in_use_and_faulty_plans_are_refused_and_leave_nothing(demo: Filled) -> None:
    workspaces = await Workspace.all().count()
    with pytest.raises(AlreadyExists):
        await fill(plan(), now=NOW)
    with pytest.raises(OutOfRange):
        await fill(plan("new@demo.example", count=0), now=NOW)
    with pytest.raises(Invalid) as refused:
        await fill(Plan("", "none", "short", 10, 1), now=NOW)
    assert {fault.code for fault in refused.value.faults} == {"REQUIRED", "MALFORMED", "PASSWORD_TOO_SHORT"}
    assert await Workspace.all().count() == workspaces


async def test_the_same_plan_a_second_time_is_refused_whoever_its_admin_is_by_now() -> None:
    first = await fill(plan("again@demo.example", count=5), now=NOW)
    await User.filter(email="again@demo.example").update(
        email="else@demo.example", email_normalised="else@demo.example"
    )
    with pytest.raises(AlreadyExists) as refused:
        await fill(plan("again@demo.example", count=5), now=NOW)
    assert refused.value.field == ("seed",)
    assert await Lead.filter(workspace_id=first.workspace_id).count() == 5


async def test_of_two_at_once_for_one_address_one_is_refused() -> None:
    plans = [plan("twice@demo.example", seed=seed, count=5) for seed in (1, 2)]
    made = await asyncio.gather(*(fill(each, now=NOW) for each in plans), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["AlreadyExists", "Filled"]


async def test_a_demo_that_is_ended_leaves_nothing() -> None:
    def end(written: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await fill(plan("ended@demo.example", count=50), now=NOW, progress=end)
    assert not await User.filter(email="ended@demo.example").exists()


async def test_stages_come_from_templates(demo: Filled) -> None:
    stages = await Stage.filter(workspace_id=demo.workspace_id, pipeline__is_default=True).order_by("position")
    assert next(stage.name for stage in stages) == "New"
    assert {stage.kind for stage in stages} == set(StageKind)
    assert await Stage.filter(workspace_id=demo.workspace_id, is_intake=True).count() == 1


async def test_leads_have_the_sales_that_fit_where_they_stand(demo: Filled) -> None:
    home = {"workspace_id": demo.workspace_id}
    made = await Proposal.filter(**home).prefetch_related("lead__stage")
    assert demo.rows["proposal"] == len(made) > LEADS / 25
    stood = {(row.lead.stage.kind, row.lead.status, row.state) for row in made}
    assert (StageKind.CLOSING, OPEN, ProposalState.ACCEPTED) in stood
    assert (StageKind.FOLLOW_UP, WON, ProposalState.ACCEPTED) in stood
    assert (StageKind.PROPOSAL, LeadStatus.LOST, ProposalState.DECLINED) in stood
    assert all((row.net, row.currency) == (row.lead.value, row.lead.currency) for row in made)
    assert await Negotiation.filter(**home, state=NegotiationState.OPEN).exists()
    assert {row.state for row in await Contract.filter(**home)} == {ContractState.OPEN, ContractState.SIGNED}
    bills = await Invoice.filter(**home)
    assert {InvoiceState.ISSUED, InvoiceState.PAID} <= {row.state for row in bills}
    assert sum(row.amount for row in await Payment.filter(**home)) == sum(row.paid for row in bills) > 0


async def test_nothing_follows_from_sales_of_a_demo(demo: Filled) -> None:
    sold = [row for row in await Event.filter(workspace_id=demo.workspace_id) if not row.name.startswith("lead.")]
    asked = [row for row in sold if EVENTS[row.name].subject_type == "lead"]
    assert len(asked) > LEADS / 10
    for row in asked:
        assert {task.name for task in SUBSCRIPTIONS[EVENTS[row.name]]} <= set(row.data["tasks_done"])
    assert not await Delivery.filter(workspace_id=demo.workspace_id, kind="proposal").exists()
