"""A lead's score follows from what is known of it and from time alone, and tells why."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextvars import Context
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tortoise.connection import get_connection

from domain import closings, companies, contacts, leads, locks, scoring, workspaces
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.errors import OutOfRange
from domain.jobs import Queue
from domain.leads import LeadDetails
from domain.money import Money
from domain.scoring import leads_concerned, schedule_faded
from domain.scoring.assessing import Assessed, by_rules, known_of
from domain.scoring.default_model import SOURCES, default_model
from domain.scoring.rescoring import rescore
from models.catalog import Source, SourceKind
from models.database import transaction
from models.events import Job
from models.exchange_rates import ExchangeRate
from models.leads import ContactRole, Grade, Lead, LeadStatus
from models.needs import Need
from models.stages import StageKind
from models.workspaces import Workspace
from tests.factories import NOW, events, lead, lead_in, seller, stage

Found = TypeVar("Found")

BEST: dict[str, Any] = {
    "source_kind": "REFERRAL",
    "value": 1_000_000,
    "company": "Globex",
    "contact.email": "of a company",
    "contact.phone": "given",
    "contact.seniority": "Owner or chief",
    "owner": "Ada",
    "close_date_days": 0,
    "needs": 3,
    "days_silent": 0,
    "inbound": 1,
}
NOTHING: dict[str, Any] = {"days_silent": 365, "needs": 0}
MET = ((0, "MEETING", 3.0), *[(0, "PAGE_VISIT", 3.0)] * 3)

said = st.fixed_dictionaries(
    {
        "source_kind": st.none() | st.sampled_from([kind.value for kind in SourceKind]),
        "value": st.none() | st.decimals(0, 10**9, places=4),
        "company": st.none() | st.just("Globex"),
        "contact.email": st.none() | st.just("private"),
        "contact.phone": st.none() | st.just("given"),
        "contact.seniority": st.none() | st.sampled_from(["Owner or chief", "Manager", "Other"]),
        "owner": st.none() | st.just("Ada"),
        "close_date_days": st.none() | st.integers(-400, 400),
        "needs": st.integers(0, 50),
        "days_silent": st.floats(0, 400),
        "inbound": st.integers(0, 5),
    }
)


def score(known: Mapping[str, Any], *, done: Iterable[tuple[int, str, float]] = (), typical: Any = 10_000) -> Assessed:
    """Return what the rules that ship say of one lead."""
    rules = default_model(Decimal(typical))
    return by_rules(rules, known_of([known], done, rules.wanted))[0]


def labels(assessed: Assessed) -> dict[str, float]:
    return {factor["label"]: factor["points"] for factor in assessed.factors}


def test_the_best_lead_has_a_hundred_points_and_the_worst_none() -> None:
    best, worst = score(BEST, done=MET), score(NOTHING)
    assert (best.score, best.grade, best.engagement) == (100, Grade.A, 1)
    assert (worst.score, worst.grade, worst.engagement) == (0, Grade.D, 4)
    assert labels(worst) == {
        "Nothing happened for 60 days": -10,
        "Source is unknown": 0,
        "Value, or its exchange rate, is unknown": 0,
        "Company is unknown": 0,
        "No email address is known": 0,
        "No phone number is known": 0,
        "Nobody owns it": 0,
        "Expected close date is unknown": 0,
        "Needs are unknown": 0,
        "A score is at least 0": 10,
    }


@given(said)
def test_a_score_is_the_sum_of_its_reasons_between_0_and_100(known: dict[str, Any]) -> None:
    result = score(known, done=MET)
    assert 0 <= result.score <= 100
    assert result.score == sum(factor["points"] for factor in result.factors)
    assert len(labels(result)) == len(result.factors) <= 12
    assert all(factor["direction"] == ("UP" if factor["points"] > 0 else "DOWN") for factor in result.factors)


@given(said)
def test_knowing_more_never_lowers_a_score(known: dict[str, Any]) -> None:
    before = score(known).score
    for more in ("contact.email", "contact.phone", "contact.seniority", "company", "owner", "inbound"):
        assert score(known | {more: BEST[more]}).score >= before
    assert score(known | {"needs": known["needs"] + 1}).score >= before
    if known["value"] is not None:
        assert score(known | {"value": known["value"] * 2}).score >= before


@given(said, st.integers(0, 500))
def test_time_alone_never_raises_a_score(known: dict[str, Any], days: int) -> None:
    due = known["close_date_days"]
    later = known | {"days_silent": known["days_silent"] + days, "close_date_days": due if due is None else due - days}
    assert score(later).score <= score(known).score


@pytest.mark.parametrize(
    ("value", "points"),
    [("50000", 20), ("49999", 16), ("20000", 16), ("10000", 12), ("5000", 8), ("1000", 4), ("999", 0), ("0", 0)],
)
def test_a_value_counts_by_what_a_lead_is_typically_worth(value: str, points: int) -> None:
    known = {"days_silent": 40, "needs": 0, "value": Decimal(value)}
    assert score(known).score == points
    assert score(known, typical=10_000_000).score == 0


@pytest.mark.parametrize(("days", "points"), [(0, 16), (2.9, 16), (3, 12), (7, 8), (14, 4), (30, 0), (60, -10)])
def test_what_happened_lately_counts_more(days: float, points: int) -> None:
    told = labels(score(BEST | {"days_silent": days}))
    assert [value for label, value in told.items() if "happened" in label] == ([points] if points else [])


def test_a_close_date_that_has_passed_is_held_against_a_lead() -> None:
    assert labels(score(BEST | {"close_date_days": -1}))["Expected close date has passed"] == -4


def test_every_kind_of_source_has_its_points() -> None:
    assert set(SOURCES) == set(SourceKind)


async def scored(row: Lead, *, now: Any = NOW, bulk: bool = False) -> Lead:
    await rescore(row.workspace_id, [row.id], now=now, bulk=bulk)
    return await Lead.get(id=row.id)


async def factors(row: Lead) -> dict[str, int]:
    return {factor["label"]: factor["points"] for factor in (await scored(row)).score_factors}


async def need_of(row: Lead) -> Need:
    return await Need.create(
        workspace_id=row.workspace_id, lead_id=row.id, title="Lower bills", created_at=NOW, updated_at=NOW
    )


@pytest.fixture
async def admin(db: str) -> Actor:
    return await seller()


async def test_a_lead_is_scored_with_its_reasons_and_no_new_version(admin: Actor) -> None:
    row = await lead(admin, value=Money(Decimal(20_000), "EUR"))
    after = await scored(row)
    assert (after.score, after.grade, after.engagement, after.scored_at) == (32, Grade.D, 3, NOW)
    assert after.score_factors[0] == {"label": "Worth twice the typical lead or more", "points": 16, "direction": "UP"}
    assert after.score_factors[2] == {"label": "Source is unknown", "points": 0, "direction": "DOWN"}
    assert (after.version, after.updated_at) == (row.version, row.updated_at)


async def test_the_event_says_what_live_readers_test(admin: Actor) -> None:
    row = await lead(admin)
    after = await scored(row)
    event = (await events(row.id))[-1]
    assert (event.name, event.actor) == ("lead.scored", {"kind": "SYSTEM", "task": "score_leads"})
    assert event.data == {
        "version": 1,
        "before": leads.live_columns(row, []),
        "after": leads.live_columns(after, []),
        "changes": {"score": [None, 16], "grade": [None, "D"], "engagement": [None, 3]},
    }


async def stored(row: Lead) -> tuple[Any, ...]:
    """Return which writing of a lead's row stands, and its columns."""
    sql = "SELECT xmin::text AS written_by, ctid::text AS place, lead.* FROM lead WHERE id = $1"
    [found] = await get_connection("default").execute_query_dict(sql, [row.id])
    return tuple(found.items())


async def test_a_score_that_stays_leaves_the_row_alone(admin: Actor) -> None:
    row, other = await lead(admin), await lead(admin)
    await scored(row)
    before = await stored(row)
    await Lead.filter(id=other.id).update(score=3, grade=Grade.D, engagement=3, scored_at=NOW)
    later = NOW + timedelta(hours=1)
    assert await rescore(row.workspace_id, [row.id, other.id], now=later) == 1
    assert await stored(row) == before
    assert (await Lead.get(id=other.id)).scored_at == later
    assert [event.name for event in await events(row.id)] == ["lead.captured", "lead.scored"]


async def test_reasons_that_change_without_the_score_are_written(admin: Actor) -> None:
    row = await lead(admin)
    await scored(row)
    later = NOW + timedelta(hours=1)
    await leads.update(admin, row.id, LeadDetails(value=Money(Decimal(5), "EUR")), now=later)
    assert await rescore(row.workspace_id, [row.id], now=later) == 0
    after = await Lead.get(id=row.id)
    assert (after.score, after.scored_at) == (16, later)
    assert "Worth next to nothing" in {factor["label"] for factor in after.score_factors}


async def test_a_grade_that_stays_is_no_change(admin: Actor) -> None:
    row = await lead(admin)
    await scored(row)
    await leads.update(admin, row.id, LeadDetails(value=Money(Decimal(5_000), "EUR")), now=NOW)
    after = await scored(row)
    assert after.grade == Grade.D
    assert (await events(row.id))[-1].data["changes"] == {"score": [16, 24]}


async def test_bulk_scores_are_marked_as_such(admin: Actor) -> None:
    row = await lead(admin)
    await scored(row, bulk=True)
    assert (await events(row.id))[-1].data["bulk"] is True


async def test_only_open_leads_of_the_workspace_are_scored(admin: Actor) -> None:
    first = await stage(admin, StageKind.PROSPECT)
    won = await lead_in(await stage(admin, StageKind.FOLLOW_UP), status=LeadStatus.WON)
    lost = await lead_in(first, status=LeadStatus.LOST)
    deleted = await lead_in(first, deleted=True)
    foreign = await lead_in(await stage(await seller(), StageKind.PROSPECT))
    keys = [row.id for row in (won, lost, deleted, foreign)]
    assert await rescore(admin.workspace_id, keys, now=NOW) == 0
    assert await Lead.filter(id__in=keys, scored_at__isnull=True).count() == 4


async def test_each_part_of_what_is_known_counts(admin: Actor) -> None:
    source = await Source.create(
        workspace_id=admin.workspace_id, name="Tips", kind=SourceKind.REFERRAL, created_at=NOW, updated_at=NOW
    )
    row = await lead(admin, source_id=source.id, expected_close_date=NOW.date())
    assert admin.user_id
    await leads.assign(admin, row.id, admin.user_id, now=NOW)
    await need_of(row)
    person = await contacts.create(admin, ContactDetails(name="Ada", email="ada@example.com"), now=NOW)
    await leads.set_contact(admin, row.id, person.id, role=ContactRole.USER, is_primary=True, now=NOW)
    assert await factors(row) == {
        "Came by referral": 20,
        "Something happened in the last 3 days": 16,
        "Contact has an email address": 5,
        "Somebody owns it": 4,
        "Expected close date is set": 4,
        "Needs are known": 4,
        "Value, or its exchange rate, is unknown": 0,
        "Company is unknown": 0,
        "No phone number is known": 0,
    }
    await contacts.delete(admin, person.id, now=NOW)
    assert "No email address is known" in await factors(row)


async def test_a_foreign_value_counts_at_the_rate_of_the_day(admin: Actor) -> None:
    row = await lead(admin, value=Money(Decimal(20_000), "USD"))
    assert (await factors(row))["Value, or its exchange rate, is unknown"] == 0
    for days, rate in ((10, "0.05"), (0, "0.5"), (-1, "5")):
        await ExchangeRate.create(
            workspace_id=admin.workspace_id,
            currency="USD",
            rate=Decimal(rate),
            valid_on=NOW.date() - timedelta(days=days),
            created_at=NOW,
        )
    assert (await factors(row))["Worth as much as a typical lead"] == 12


async def test_a_workspace_says_what_a_lead_is_typically_worth(admin: Actor) -> None:
    row = await lead(admin, value=Money(Decimal(20_000), "EUR"))
    for setting, points in ((1000, 20), (200_000, 4), ("much", 16), (-1, 16), ("NaN", 16)):
        await Workspace.filter(id=admin.workspace_id).update(settings={"typicalLeadValue": setting})
        assert (await scored(row)).score == points + 16


async def test_another_typical_value_has_all_leads_scored_anew(admin: Actor) -> None:
    made = await workspaces.update(admin, typical_lead_value=Decimal("1E+3"), now=NOW)
    await workspaces.update(admin, typical_lead_value=Decimal(1000), name="Ours", now=NOW)
    assert made.settings["typicalLeadValue"] == "1000"
    assert await Job.filter(task="score_all_leads", workspace_id=admin.workspace_id).count() == 1
    with pytest.raises(OutOfRange):
        await workspaces.update(admin, typical_lead_value=Decimal(0), now=NOW)


async def test_two_workers_on_the_same_leads_score_them_once(admin: Actor) -> None:
    rows = [await lead(admin) for _ in range(20)]
    keys = [row.id for row in rows]
    found = await asyncio.gather(
        *(rescore(admin.workspace_id, order, now=NOW) for order in (keys, keys[::-1], keys[5:] + keys[:5]))
    )
    assert sum(found) == len(rows)
    for row in rows:
        assert [event.name for event in await events(row.id)] == ["lead.captured", "lead.scored"]


async def test_a_score_waits_for_an_edit_and_sees_it(admin: Actor) -> None:
    row = await lead(admin)
    await scored(row)
    async with transaction():
        await leads.update(admin, row.id, LeadDetails(value=Money(Decimal(50_000), "EUR")), now=NOW)
        waiting = _task(rescore(admin.workspace_id, [row.id], now=NOW))
        await _until_somebody_waits()
    assert await waiting == 1
    assert (await Lead.get(id=row.id)).score == 36


def _task(work: Coroutine[Any, Any, Found]) -> asyncio.Task[Found]:
    """Start something outside the transaction of the test, as another process would."""
    return asyncio.get_running_loop().create_task(work, context=Context())


async def _until_somebody_waits() -> None:
    for _ in range(500):
        rows = await get_connection("default").execute_query_dict(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if rows:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for the lead")


async def test_leads_are_found_by_what_hangs_on_them(admin: Actor) -> None:
    row, other = await lead(admin), await lead(admin)
    need = await need_of(row)
    person = await contacts.create(admin, ContactDetails(name="Ada"), now=NOW)
    await leads.set_contact(admin, row.id, person.id, role=ContactRole.USER, is_primary=True, now=NOW)
    workspace_id = admin.workspace_id
    assert await leads_concerned(workspace_id, "lead", [row.id, other.id]) == [row.id, other.id]
    assert await leads_concerned(workspace_id, "need", [need.id]) == [row.id]
    assert await leads_concerned(workspace_id, "contact", [person.id]) == [row.id]
    stranger = await seller()
    assert await leads_concerned(stranger.workspace_id, "contact", [person.id]) == []
    rate = await ExchangeRate.create(
        workspace_id=workspace_id, currency="USD", rate=Decimal(1), valid_on=NOW.date(), created_at=NOW
    )
    assert await leads_concerned(workspace_id, "exchange_rate", [rate.id]) == []
    await leads.update(admin, other.id, LeadDetails(value=Money(Decimal(5), "USD")), now=NOW)
    assert await leads_concerned(workspace_id, "exchange_rate", [rate.id]) == [other.id]


async def test_leads_of_a_chunk_that_is_being_imported_are_waited_for(admin: Actor) -> None:
    first = await stage(admin, StageKind.PROSPECT)
    company = await companies.create(admin, CompanyDetails(name="Globex"), now=NOW)
    workspace_id = admin.workspace_id
    async with transaction():
        await locks.hold(workspace_id, locks.IMPORTS)
        row = await lead_in(first, company_id=company.id)
        await scored(row)
        await _task(companies.delete(admin, company.id, now=NOW))
        waiting = _task(_rescored(workspace_id, "company", company.id))
        await _until_somebody_waits()
    assert await waiting == 1
    labels = {factor["label"] for factor in (await Lead.get(id=row.id)).score_factors}
    assert "Company is unknown" in labels


async def _rescored(workspace_id: UUID, subject_type: str, subject_id: UUID) -> int:
    async with transaction():
        keys = await leads_concerned(workspace_id, subject_type, [subject_id])
        return await rescore(workspace_id, keys, now=NOW)


async def faded(*, now: Any) -> set[str]:
    """Return the leads of the jobs that a night makes."""
    await Job.all().delete()
    await schedule_faded(now=now)
    rows = await Job.all()
    assert all((row.task, row.queue) == ("score_leads", Queue.BULK) for row in rows)
    return {key for row in rows for key in row.arguments["subject_ids"]}


async def test_a_night_finds_the_leads_whose_score_time_has_changed(clean_db: str) -> None:
    admin = await seller()
    first = await stage(admin, StageKind.PROSPECT)
    new = await lead_in(first, scored_at=NOW)
    due = await lead_in(first, scored_at=NOW, expected_close_date=NOW.date())
    never = await lead_in(first)
    old = await lead_in(
        first, scored_at=NOW, created_at=NOW - timedelta(days=90), stage_entered_at=NOW - timedelta(days=90)
    )
    await lead_in(first, status=LeadStatus.LOST)
    assert await faded(now=NOW) == {str(never.id)}
    await scored(never)
    await Lead.filter(id=never.id).update(
        created_at=NOW - timedelta(days=90), stage_entered_at=NOW - timedelta(days=90)
    )
    assert await faded(now=NOW + timedelta(hours=1)) == set()
    assert await faded(now=NOW + timedelta(days=1)) == {str(due.id)}
    assert await faded(now=NOW + timedelta(days=3)) == {str(due.id), str(new.id)}
    for row in (new, due):
        await scored(row, now=NOW + timedelta(days=3))
    assert await faded(now=NOW + timedelta(days=3, hours=1)) == set()
    assert str(old.id) not in await faded(now=NOW + timedelta(days=100))


async def rate(admin: Actor, value: str, *, days: int) -> None:
    """Set the rate of the dollar from so many days after NOW."""
    await ExchangeRate.create(
        workspace_id=admin.workspace_id,
        currency="USD",
        rate=Decimal(value),
        valid_on=NOW.date() + timedelta(days=days),
        created_at=NOW,
    )


async def test_a_night_looks_at_what_has_a_new_rate_and_leaves_a_score_that_stays(clean_db: str) -> None:
    admin = await seller()
    row = await lead(admin, value=Money(Decimal(20_000), "USD"))
    await rate(admin, "0.9", days=-10)
    await scored(row)
    before = await stored(row)
    await rate(admin, "0.8", days=1)
    assert await faded(now=NOW) == set()
    tomorrow = NOW + timedelta(days=1)
    assert await faded(now=tomorrow) == {str(row.id)}
    await scored(row, now=tomorrow)
    assert await stored(row) == before


@pytest.mark.parametrize("hours", [0, 1, 24, 72, 73, 24 * 7, 24 * 29, 24 * 61, 24 * 400])
async def test_a_lead_just_scored_waits_for_no_night(clean_db: str, hours: int) -> None:
    admin = await seller()
    first = await stage(admin, StageKind.PROSPECT)
    await rate(admin, "0.9", days=2)
    rows = [
        await lead_in(
            first,
            currency=currency,
            value=Decimal(100),
            engaged_at=NOW - timedelta(days=ago),
            expected_close_date=NOW.date() + timedelta(days=ago - 20),
        )
        for ago in (0, 10, 40, 400)
        for currency in ("EUR", "USD")
    ]
    now = NOW + timedelta(hours=hours)
    for at in (NOW, now):
        await rescore(admin.workspace_id, [row.id for row in rows], now=at)
    assert await faded(now=now) == set()


async def test_many_leads_are_scored_in_jobs_of_three_hundred(clean_db: str) -> None:
    admin = await seller()
    keys = [UUID(int=number) for number in range(800)]
    assert await scoring.schedule(admin.workspace_id, keys, now=NOW) == len(keys)
    sizes = [len(row.arguments["subject_ids"]) for row in await Job.all()]
    assert sorted(sizes) == [200, 300, 300]


async def test_a_closed_lead_keeps_the_score_of_its_day(admin: Actor) -> None:
    row = await lead(admin)
    before = (await scored(row)).score
    await closings.close(admin, row.id, LeadStatus.DISQUALIFIED, now=NOW)
    assert (await scored(row, now=NOW + timedelta(days=100))).score == before
