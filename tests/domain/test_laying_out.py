"""Plans laid out for leads: once for each time that they come somewhere, and no longer than it applies."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain import closings, follow_up_plans, follow_ups, holidays, laying_out, leads, moves, workspaces
from domain.actors import Actor
from domain.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Required, Stale
from domain.follow_up_details import FollowUpDetails
from domain.follow_up_plans import BeforeItsTrigger, NewStep, PlanDetails, StageOfNoTrigger, TooManySteps
from domain.holidays import NewHoliday
from domain.laying_out import PlanLaidOutAlready, TermUnknown
from domain.leads import Archived, LeadDetails
from domain.moves import LeadNotOpen
from domain.subjects import SubjectKey
from domain.work_days import FollowUpRules, NeverAtWork
from models.events import Event, Job
from models.follow_ups import FollowUp, FollowUpKind, FollowUpPlan, FollowUpStatus, PlanAnchor, PlanTrigger
from models.leads import Lead, LeadStatus
from models.reminders import Weekday
from models.stages import StageKind
from models.users import Role, User
from tests.factories import NOW, lead, member, seller, stage

# NOW is Monday, the 2nd of March 2026, at nine.
LATER = NOW + timedelta(hours=1)
THANKS = NewStep(kind=FollowUpKind.EMAIL, title="Thank you", days=2)
CHECK_IN = NewStep(kind=FollowUpKind.CALL, title="Check in", days=14, at="10:00")
RENEWAL = NewStep(kind=FollowUpKind.MEETING, title="Renewal talk", days=-60, anchor=PlanAnchor.TERM_END)

pytestmark = pytest.mark.usefixtures("db")


async def sale_plan(actor: Actor, *steps: NewStep, **details: Any) -> FollowUpPlan:
    given = PlanDetails(name="After the sale", trigger=PlanTrigger.LEAD_WON, steps=steps, **details)
    return await follow_up_plans.create(actor, given, now=NOW - timedelta(days=1))


async def won(actor: Actor, *, now: datetime = NOW) -> Lead:
    row = await lead(actor, now=now)
    return await closings.close(actor, row.id, LeadStatus.WON, now=now)


async def settle(row: Lead, *, term: bool = False, now: datetime = LATER) -> None:
    await laying_out.settle(row.workspace_id, [row.id], term=term, now=now)


async def laid(row: Lead) -> list[FollowUp]:
    return await FollowUp.filter(lead_id=row.id).order_by("created_at", "id")


async def test_a_won_lead_gets_its_plan_once_whoever_looks_how_often() -> None:
    actor = await seller()
    plan = await sale_plan(actor, THANKS, CHECK_IN)
    sold = await won(actor)

    await asyncio.gather(*(settle(sold) for _ in range(4)))
    await settle(sold)

    thanks, check_in = await laid(sold)
    assert (thanks.kind, thanks.title, thanks.due_on, thanks.plan_id) == (
        FollowUpKind.EMAIL,
        "Thank you",
        date(2026, 3, 4),
        plan.id,
    )
    assert (check_in.due_at, check_in.due_on) == (datetime(2026, 3, 16, 10, tzinfo=UTC), None)
    assert (thanks.owner_id, thanks.created_by_id, thanks.remind_at) == (
        sold.owner_id,
        None,
        datetime(2026, 3, 4, 9, tzinfo=UTC),
    )
    assert (await Lead.get(id=sold.id)).next_follow_up_at == thanks.due_at
    told = await Event.filter(subject_id=sold.id, name="lead.follow_up_created")
    assert {event.data["follow_up_changes"]["plan_id"][1] for event in told} == {str(plan.id)}


async def test_what_a_stage_lays_out_ends_when_the_lead_leaves_it() -> None:
    actor = await seller()
    first, second = await stage(actor, StageKind.QUALIFY), await stage(actor, StageKind.PROPOSAL)
    details = PlanDetails(
        name="Qualify", trigger=PlanTrigger.STAGE_ENTERED, stage_id=first.id, steps=[CHECK_IN, THANKS]
    )
    await follow_up_plans.create(actor, details, now=NOW)
    row = await lead(actor)
    await settle(row)
    assert await laid(row) == []

    await moves.move(actor, row.id, stage_id=first.id, now=LATER)
    await settle(row)
    call, mail = await laid(row)
    await follow_ups.complete(actor, mail.id, now=LATER)
    await moves.move(actor, row.id, stage_id=second.id, now=LATER + timedelta(hours=1))
    await settle(row)
    await settle(row)
    await call.refresh_from_db()
    await mail.refresh_from_db()
    assert (call.status, call.cancel_reason, call.ended_by_id) == (
        FollowUpStatus.CANCELLED,
        laying_out.LEFT_STAGE,
        None,
    )
    assert (mail.status, call.version) == (FollowUpStatus.DONE, 1)
    assert (await Lead.get(id=row.id)).next_follow_up_at is None

    await moves.move(actor, row.id, stage_id=first.id, now=LATER + timedelta(hours=2))
    await settle(row)
    assert len(await laid(row)) == 4


async def test_leads_that_stood_there_before_the_plan_are_left_out() -> None:
    actor = await seller()
    sold = await won(actor, now=NOW - timedelta(days=2))
    plan = await sale_plan(actor, THANKS)
    await settle(sold)
    assert await laid(sold) == []

    archived = await follow_up_plans.archive(actor, plan.id, now=NOW)
    other = await won(actor)
    await settle(other)
    restored = await follow_up_plans.restore(actor, plan.id, now=LATER)
    await settle(other)
    assert (archived.archived_at, restored.archived_at, await laid(other)) == (NOW, None, [])


async def test_a_changed_plan_is_for_those_that_come_later() -> None:
    actor = await seller()
    plan = await sale_plan(actor, THANKS, CHECK_IN)
    before = await won(actor)
    await settle(before)
    await follow_up_plans.update(
        actor, plan.id, PlanDetails(steps=[NewStep(kind=FollowUpKind.TODO, title="Send a cake", days=1)]), now=LATER
    )
    after = await won(actor, now=LATER)
    await settle(before)
    await settle(after)
    await follow_up_plans.archive(actor, plan.id, now=LATER)
    await settle(before)

    assert [row.title for row in await laid(before)] == ["Thank you", "Check in"]
    assert {row.status for row in await laid(before)} == {FollowUpStatus.OPEN}
    assert [row.title for row in await laid(after)] == ["Send a cake"]


async def test_the_talk_before_the_end_of_a_term_is_laid_out_when_that_is_known_and_moves_with_it() -> None:
    actor = await seller()
    await sale_plan(actor, THANKS, RENEWAL)
    sold = await won(actor)
    await settle(sold)
    assert [row.title for row in await laid(sold)] == ["Thank you"]

    async def ends(day: date | None) -> FollowUp:
        await leads.update(actor, sold.id, LeadDetails(term_ends_on=day), now=LATER)
        await settle(sold, term=True)
        await settle(sold, term=True)
        [talk] = [row for row in await laid(sold) if row.title == "Renewal talk"]
        return talk

    # Sixty days before is a Saturday; counted back it is the Friday before.
    assert (await ends(date(2026, 12, 2))).due_on == date(2026, 10, 2)
    assert (await ends(date(2026, 12, 31))).due_on == date(2026, 10, 30)
    gone = await ends(None)
    assert (gone.status, gone.cancel_reason) == (FollowUpStatus.CANCELLED, laying_out.TERM_UNKNOWN)
    back = await ends(date(2027, 1, 4))
    assert (back.status, back.due_on, back.id) == (FollowUpStatus.OPEN, date(2026, 11, 5), gone.id)
    # What should have been before today is due now.
    assert (await ends(date(2026, 3, 20))).due_on == NOW.date()
    assert await Job.filter(workspace_id=actor.workspace_id, task="lay_out_plans").count() == 5


async def test_a_sale_undone_a_loss_and_a_deletion_cancel_and_their_return_brings_back() -> None:
    actor = await seller()
    await sale_plan(actor, THANKS)
    sold = await won(actor)
    await settle(sold)

    await leads.delete(actor, sold.id, now=LATER)
    await settle(sold)
    [thanks] = await laid(sold)
    assert (thanks.status, thanks.cancel_reason) == (FollowUpStatus.CANCELLED, laying_out.DELETED)
    await leads.restore(actor, sold.id, now=LATER)
    await settle(sold)
    [thanks] = await laid(sold)
    assert (thanks.status, thanks.cancel_reason) == (FollowUpStatus.OPEN, None)
    await closings.reopen(actor, sold.id, now=LATER)
    await settle(sold)
    [thanks] = await laid(sold)
    assert (thanks.status, thanks.cancel_reason) == (FollowUpStatus.CANCELLED, laying_out.REOPENED)
    await closings.close(actor, sold.id, LeadStatus.DISQUALIFIED, note="Joke", now=LATER)
    await settle(sold)
    await closings.reopen(actor, sold.id, now=LATER)
    await closings.close(actor, sold.id, LeadStatus.WON, now=LATER + timedelta(hours=1))
    await settle(sold)
    assert [row.status for row in await laid(sold)] == [FollowUpStatus.CANCELLED, FollowUpStatus.OPEN]


async def test_what_people_plan_or_cancel_themselves_stays() -> None:
    actor = await seller()
    await sale_plan(actor, THANKS, CHECK_IN)
    sold = await won(actor)
    await settle(sold)
    thanks, _ = await laid(sold)
    await follow_ups.cancel(actor, thanks.id, reason="Done by phone", now=LATER)
    key = SubjectKey(Lead, sold.id)
    own = await follow_ups.create(
        actor, key, FollowUpDetails(kind=FollowUpKind.TODO, title="Mine", due_on=date(2026, 4, 1)), now=LATER
    )
    await settle(sold)
    await closings.reopen(actor, sold.id, now=LATER)
    await settle(sold)
    await thanks.refresh_from_db()
    await own.refresh_from_db()

    assert (thanks.cancel_reason, own.status) == ("Done by phone", FollowUpStatus.OPEN)


async def test_days_off_are_passed_over() -> None:
    actor = await seller()
    await sale_plan(actor, NewStep(kind=FollowUpKind.CALL, title="Call", days=4))
    await holidays.create_many(
        actor, [NewHoliday(date(2026, 3, 6), "Friday"), NewHoliday(date(2026, 3, 9), "Monday")], now=NOW
    )
    # Four days after Monday is that Friday; then come the weekend and the other holiday.
    first = await won(actor)
    await settle(first)
    await workspaces.update(actor, follow_up_rules=FollowUpRules([Weekday.FRIDAY, Weekday.SATURDAY], None), now=NOW)
    second = await won(actor)
    await settle(second)

    assert (await laid(first))[0].due_on == date(2026, 3, 10)
    [sunday] = await laid(second)
    assert (sunday.due_on, sunday.escalate_at) == (date(2026, 3, 8), None)
    with pytest.raises(NeverAtWork):
        await workspaces.update(actor, follow_up_rules=FollowUpRules(list(Weekday)), now=NOW)


async def test_a_time_of_day_is_the_owners_also_where_it_is_skipped_or_repeated() -> None:
    admin = await seller()
    await User.filter(id=admin.user_id).update(time_zone="Europe/Berlin")
    await workspaces.update(admin, follow_up_rules=FollowUpRules(()), now=NOW)
    await sale_plan(admin, NewStep(kind=FollowUpKind.CALL, title="Call", days=1, at="02:30"))
    dues = []
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        row = await lead(admin, now=day)
        row = await leads.assign(admin, row.id, admin.user_id, now=day)
        await closings.close(admin, row.id, LeadStatus.WON, now=day)
        await settle(row, now=day)
        dues += [one.due_at for one in await laid(row)]
    # 02:30 is not there on the 29th of March: 03:00 is the first minute after the gap. In October the first counts.
    assert dues == [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


async def test_a_plan_is_laid_out_by_hand_once_while_it_is_open() -> None:
    admin = await seller()
    rep, viewer = await seller(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    plan = await sale_plan(admin, THANKS, CHECK_IN)
    talk = await follow_up_plans.create(
        admin, PlanDetails(name="Talk", trigger=PlanTrigger.LEAD_WON, steps=[RENEWAL]), now=NOW
    )
    row = await lead(admin)

    made = await asyncio.gather(
        *(laying_out.apply(admin, row.id, plan.id, now=NOW) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["PlanLaidOutAlready", "list"]
    assert [one.title for one in await laid(row)] == ["Thank you", "Check in"]
    assert {one.created_by_id for one in await laid(row)} == {admin.user_id}
    await settle(row)
    assert len(await FollowUp.filter(lead_id=row.id, status=FollowUpStatus.OPEN)) == 2
    for who, error in ((viewer, Forbidden), (rep, NotFound), (await seller(), NotFound)):
        with pytest.raises(error):
            await laying_out.apply(who, row.id, talk.id, now=NOW)
    with pytest.raises(TermUnknown):
        await laying_out.apply(admin, row.id, talk.id, now=NOW)
    with pytest.raises(PlanLaidOutAlready):
        await laying_out.apply(admin, row.id, plan.id, now=NOW)
    await follow_up_plans.archive(admin, plan.id, now=NOW)
    with pytest.raises(Archived):
        await laying_out.apply(admin, row.id, plan.id, now=NOW)
    await closings.close(admin, row.id, LeadStatus.DISQUALIFIED, note="Joke", now=LATER)
    await settle(row)
    assert {one.cancel_reason for one in await laid(row)} == {laying_out.CLOSED}
    with pytest.raises(LeadNotOpen):
        await laying_out.apply(admin, row.id, talk.id, now=NOW)


async def test_every_fault_of_a_plan_is_reported_at_once() -> None:
    actor = await seller()
    bad = NewStep(kind=FollowUpKind.CALL, title=" ", days=-1, at="25:00")
    far = NewStep(kind=FollowUpKind.CALL, title="Call", days=99_999)

    with pytest.raises(Invalid) as caught:
        await follow_up_plans.create(
            actor, PlanDetails(name="", trigger=PlanTrigger.STAGE_ENTERED, steps=[bad, far]), now=NOW
        )
    assert {".".join(fault.field or ()) for fault in caught.value.faults} == {
        "name",
        "stageId",
        "steps.0.title",
        "steps.0.days",
        "steps.0.at",
        "steps.1.days",
    }
    first = await stage(actor, StageKind.QUALIFY)
    for details, error in (
        (PlanDetails(name="X", trigger=PlanTrigger.LEAD_WON, stage_id=first.id), StageOfNoTrigger),
        (PlanDetails(name="X", trigger=PlanTrigger.LEAD_WON, steps=[THANKS] * 51), TooManySteps),
        (PlanDetails(name="X"), Required),
    ):
        with pytest.raises(error):
            await follow_up_plans.create(actor, details, now=NOW)
    assert not issubclass(BeforeItsTrigger, Malformed)


async def test_a_plan_is_changed_by_managers_with_its_version() -> None:
    actor = await seller()
    rep = await seller(Role.REP, of=actor)
    plan = await sale_plan(actor, THANKS)
    for attempt in (
        follow_up_plans.create(rep, PlanDetails(name="X", trigger=PlanTrigger.LEAD_WON), now=NOW),
        follow_up_plans.update(rep, plan.id, PlanDetails(name="X"), now=NOW),
        follow_up_plans.archive(rep, plan.id, now=NOW),
        follow_up_plans.restore(rep, plan.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt
    same = await follow_up_plans.update(actor, plan.id, PlanDetails(name="After the sale", steps=[THANKS]), now=LATER)
    steps = await follow_up_plans.update(actor, plan.id, PlanDetails(steps=[CHECK_IN]), expected_version=1, now=LATER)
    with pytest.raises(Stale):
        await follow_up_plans.update(actor, plan.id, PlanDetails(name="X"), expected_version=1, now=LATER)
    await follow_up_plans.archive(actor, plan.id, now=LATER)
    with pytest.raises(Conflict):
        await follow_up_plans.update(actor, plan.id, PlanDetails(name="X"), now=LATER)

    assert (same.version, steps.version) == (1, 2)
    assert [step.title for step in await follow_up_plans.steps_of([plan.id])] == ["Check in"]
