"""Follow-ups: planned, changed, done, cancelled, snoozed and reopened, by whoever may, once."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from domain import closings, companies, contacts, follow_ups, leads, users
from domain.actors import Actor, system
from domain.errors import AlreadyExists, DomainError, Forbidden, Invalid, NotFound, OutOfRange, Stale
from domain.follow_up_changes import MOST_OPEN, TooManyFollowUps
from domain.follow_up_details import DueMissing, DueTwice, FollowUpDetails
from domain.follow_up_owners import OwnerUnseeing
from domain.follow_ups import FollowUpEnded, SnoozedBackwards
from domain.recurrence import RecurrenceElsewhere, RecurrenceNotUnderstood
from domain.subjects import SubjectKey
from models.activities import Activity, ActivityKind
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.events import Event
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus, Priority
from models.leads import Lead, LeadStatus
from models.users import Role, User
from models.workspaces import Workspace
from tests.factories import NOW, lead, member, seller

LATER = NOW + timedelta(hours=1)
TOMORROW = NOW + timedelta(days=1)
CALL = FollowUpDetails(kind=FollowUpKind.CALL, title="Ask how it went", due_at=TOMORROW)

pytestmark = pytest.mark.usefixtures("db")


def on(row: Lead | Company | Contact) -> SubjectKey:
    return SubjectKey(type(row), row.id)


async def plan(actor: Actor, subject: Lead, **details: object) -> FollowUp:
    given = {"kind": FollowUpKind.CALL, "title": "Call", **details}
    if not details.keys() & {"due_at", "due_on"}:
        given["due_at"] = TOMORROW
    return await follow_ups.create(actor, on(subject), FollowUpDetails(**given), now=NOW)  # type: ignore[arg-type]


async def events_of(row: FollowUp) -> list[Event]:
    return [
        event
        for event in await Event.filter(workspace_id=row.workspace_id).order_by("id")
        if event.data.get("follow_up_id") == str(row.id)
    ]


async def test_a_follow_up_is_planned_done_and_told_of() -> None:
    actor = await seller()
    wanting = await lead(actor)

    made = await follow_ups.create(actor, on(wanting), CALL, now=NOW)
    planned = await Lead.get(id=wanting.id)
    done = await follow_ups.complete(actor, made.id, outcome="He buys", expected_version=1, now=LATER)
    again = await follow_ups.complete(actor, made.id, outcome="He buys", now=LATER)

    assert (made.owner_id, made.created_by_id, made.status) == (actor.user_id, actor.user_id, FollowUpStatus.OPEN)
    assert (made.remind_at, made.escalate_at) == (TOMORROW, TOMORROW + timedelta(days=1))
    assert (planned.next_follow_up_at, planned.version) == (TOMORROW, wanting.version)
    assert (done.status, done.outcome, done.ended_at) == (FollowUpStatus.DONE, "He buys", LATER)
    assert (done.ended_by_id, done.remind_at, done.escalate_at) == (actor.user_id, None, None)
    assert again.version == done.version == 2
    assert (await Lead.get(id=wanting.id)).next_follow_up_at is None
    told = await events_of(made)
    assert [event.name for event in told] == ["lead.follow_up_created", "lead.follow_up_completed"]
    assert {event.subject_id for event in told} == {wanting.id}
    assert told[0].data["changes"]["next_follow_up_at"] == [None, "2026-03-03T09:00:00Z"]
    assert told[0].data["before"] == told[0].data["after"]


async def test_a_cancelled_one_says_why_and_can_be_opened_again() -> None:
    actor = await seller()
    wanting = await lead(actor)
    made = await plan(actor, wanting)

    gone = await follow_ups.cancel(actor, made.id, reason="On holiday", now=LATER)
    same = await follow_ups.cancel(actor, made.id, reason="On holiday", now=LATER)
    with pytest.raises(FollowUpEnded):
        await follow_ups.complete(actor, made.id, now=LATER)
    with pytest.raises(FollowUpEnded):
        await follow_ups.snooze(actor, made.id, TOMORROW, now=LATER)
    with pytest.raises(FollowUpEnded):
        await follow_ups.update(actor, made.id, FollowUpDetails(title="X"), now=LATER)
    opened = await follow_ups.reopen(actor, made.id, now=LATER)
    standing = await follow_ups.reopen(actor, made.id, now=LATER)

    assert (gone.cancel_reason, same.version) == ("On holiday", 2)
    assert (opened.status, opened.cancel_reason, opened.ended_at) == (FollowUpStatus.OPEN, None, None)
    assert (opened.remind_at, standing.version) == (TOMORROW, 3)
    assert (await Lead.get(id=wanting.id)).next_follow_up_at == TOMORROW


async def test_who_plans_something_on_a_company_or_a_contact_is_told_of_there() -> None:
    actor = await seller()
    company = await companies.create(actor, companies.CompanyDetails(name="Acme"), now=NOW)
    contact = await contacts.create(actor, contacts.ContactDetails(name="Ann"), now=NOW)

    for row, name in ((company, "company"), (contact, "contact")):
        made = await follow_ups.create(actor, on(row), CALL, now=NOW)
        await follow_ups.complete(actor, made.id, log_activity=True, now=LATER)
        assert [event.name for event in await events_of(made)] == [
            f"{name}.follow_up_created",
            f"{name}.follow_up_completed",
        ]
    assert await Activity.filter(workspace_id=actor.workspace_id, kind=ActivityKind.CALL).count() == 2


async def test_what_was_done_is_logged_at_once() -> None:
    actor = await seller()
    wanting = await lead(actor)
    for kind, logged in (
        (FollowUpKind.CALL, ActivityKind.CALL),
        (FollowUpKind.EMAIL, ActivityKind.EMAIL),
        (FollowUpKind.MEETING, ActivityKind.MEETING),
        (FollowUpKind.TODO, ActivityKind.NOTE),
    ):
        made = await plan(actor, wanting, kind=kind, title=f"Do {kind}")
        await follow_ups.complete(actor, made.id, outcome="Done so", log_activity=True, now=LATER)
        one = await Activity.get(kind=logged, lead_id=wanting.id)
        assert (one.lead_id, one.subject, one.user_id) == (wanting.id, f"Do {kind}", actor.user_id)
        assert (one.text if logged is ActivityKind.NOTE else one.outcome) == "Done so"
    assert (await Lead.get(id=wanting.id)).touches == 3


async def test_twice_at_once_it_is_done_once() -> None:
    actor = await seller()
    wanting = await lead(actor)
    made = await plan(actor, wanting, recurrence="FREQ=DAILY")

    outcomes = await asyncio.gather(
        *(follow_ups.complete(actor, made.id, outcome=said, log_activity=True, now=LATER) for said in ("a", "a", "b")),
        return_exceptions=True,
    )

    done = [one for one in outcomes if isinstance(one, FollowUp)]
    refused = [type(one) for one in outcomes if isinstance(one, DomainError)]
    assert len(done) + len(refused) == 3
    assert set(refused) <= {FollowUpEnded}
    assert {one.version for one in done} == {2}
    assert await Activity.filter(lead_id=wanting.id).count() == 1
    assert await FollowUp.filter(lead_id=wanting.id, status=FollowUpStatus.OPEN).count() == 1
    with pytest.raises(Stale) as caught:
        await follow_ups.complete(actor, made.id, outcome="c", expected_version=1, now=LATER)
    assert caught.value.current.status is FollowUpStatus.DONE


async def test_the_next_step_of_a_lead_is_the_first_that_is_open_even_when_two_change_it_at_once() -> None:
    actor = await seller()
    wanting = await lead(actor)
    made = await asyncio.gather(*(plan(actor, wanting, due_at=NOW + timedelta(days=n)) for n in range(1, 7)))

    await asyncio.gather(*(follow_ups.complete(actor, row.id, now=LATER) for row in made[:3]))
    third = (await Lead.get(id=wanting.id)).next_follow_up_at
    await follow_ups.update(actor, made[3].id, FollowUpDetails(due_at=NOW + timedelta(days=9)), now=LATER)

    assert third == NOW + timedelta(days=4)
    assert (await Lead.get(id=wanting.id)).next_follow_up_at == NOW + timedelta(days=5)
    assert (await Lead.get(id=wanting.id)).version == wanting.version


async def test_a_day_ends_where_its_owner_lives() -> None:
    admin = await seller()
    wanting = await lead(admin)
    for zone, offset in (("Pacific/Auckland", 13), ("America/Los_Angeles", -8), ("Asia/Kolkata", 5.5)):
        await User.filter(id=admin.user_id).update(time_zone=zone)
        made = await plan(admin, wanting, due_on=date(2026, 3, 5))
        ends = datetime(2026, 3, 5, 23, 59, 59, tzinfo=UTC) - timedelta(hours=offset)
        nine = datetime(2026, 3, 5, 9, tzinfo=UTC) - timedelta(hours=offset)
        assert (made.due_at, made.remind_at, made.time_zone) == (ends, nine, zone)
    await User.filter(id=admin.user_id).update(time_zone=None)
    await Workspace.filter(id=admin.workspace_id).update(time_zone="Europe/Berlin")
    # The night to the 29th of March 2026 has 23 hours there.
    made = await plan(admin, wanting, due_on=date(2026, 3, 29), remind_minutes_before=60)
    assert made.due_at == datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)
    assert made.remind_at == datetime(2026, 3, 29, 6, tzinfo=UTC)


async def test_reminders_are_as_people_expect() -> None:
    actor = await seller()
    wanting = await lead(actor)

    meeting = await plan(actor, wanting, kind=FollowUpKind.MEETING)
    silent = await plan(actor, wanting, remind_minutes_before=None)
    soon = await plan(actor, wanting, remind_minutes_before=60, due_at=NOW + timedelta(minutes=30))
    past = await plan(actor, wanting, due_at=NOW - timedelta(days=3))
    by_other = await follow_ups.create(
        await seller(of=actor),
        on(wanting),
        FollowUpDetails(
            kind=FollowUpKind.CALL,
            title="Call",
            due_at=NOW + timedelta(minutes=30),
            remind_minutes_before=60,
            owner_id=actor.user_id,
        ),
        now=NOW,
    )

    assert meeting.remind_at == TOMORROW - timedelta(minutes=15)
    assert (silent.remind_at, soon.remind_at, past.remind_at, by_other.remind_at) == (None, None, None, NOW)
    assert past.escalate_at == NOW + timedelta(hours=24)


async def test_how_long_until_a_manager_is_told_is_set_for_the_workspace() -> None:
    actor = await seller()
    wanting = await lead(actor)
    for settings, after in (
        ({"followUps": {"escalateAfterHours": 4}}, timedelta(hours=4)),
        ({"followUps": {"escalateAfterHours": None}}, None),
        ({"followUps": {}}, timedelta(hours=24)),
    ):
        await Workspace.filter(id=actor.workspace_id).update(settings=settings)
        made = await plan(actor, wanting)
        assert made.escalate_at == (None if after is None else TOMORROW + after)


async def test_snoozed_it_is_reminded_of_later_and_due_as_before() -> None:
    actor = await seller()
    made = await plan(actor, await lead(actor))
    until = NOW + timedelta(days=2)

    snoozed = await follow_ups.snooze(actor, made.id, until, expected_version=1, now=LATER)
    same = await follow_ups.snooze(actor, made.id, until, now=LATER)
    with pytest.raises(SnoozedBackwards):
        await follow_ups.snooze(actor, made.id, NOW, now=LATER)
    with pytest.raises(OutOfRange):
        await follow_ups.snooze(actor, made.id, NOW + timedelta(days=3000), now=LATER)
    moved = await follow_ups.update(actor, made.id, FollowUpDetails(due_at=until), now=LATER)

    assert (snoozed.remind_at, snoozed.snoozed_until, snoozed.due_at, same.version) == (until, until, TOMORROW, 2)
    assert (moved.remind_at, moved.snoozed_until) == (until, None)


async def test_every_fault_is_reported_at_once() -> None:
    actor = await seller()
    wanting = await lead(actor)

    with pytest.raises(Invalid) as caught:
        await follow_ups.create(
            actor,
            on(wanting),
            FollowUpDetails(
                title=" ",
                note="\x00",
                due_at=datetime(1, 1, 1, tzinfo=UTC),
                remind_minutes_before=-1,
                owner_id=uuid7(),
                recurrence="FREQ=SECONDLY",
            ),
            now=NOW,
        )
    assert {fault.field for fault in caught.value.faults} == {
        (name,) for name in ("kind", "title", "note", "dueAt", "remindMinutesBefore", "ownerId", "recurrence")
    }
    for details, error in (
        (FollowUpDetails(kind=FollowUpKind.CALL, title="X"), DueMissing),
        (FollowUpDetails(kind=FollowUpKind.CALL, title="X", due_at=NOW, due_on=NOW.date()), DueTwice),
        (
            FollowUpDetails(
                kind=FollowUpKind.CALL, title="X", due_on=date(2026, 3, 3), recurrence="FREQ=WEEKLY;BYDAY=MO"
            ),
            RecurrenceElsewhere,
        ),
        (
            FollowUpDetails(kind=FollowUpKind.CALL, title="X", due_on=date(2026, 3, 3), recurrence="daily"),
            RecurrenceNotUnderstood,
        ),
    ):
        with pytest.raises(error):
            await follow_ups.create(actor, on(wanting), details, now=NOW)
    assert not await FollowUp.filter(lead_id=wanting.id).exists()


async def test_the_same_id_makes_one_even_at_once_and_an_occasion_as_well() -> None:
    actor, key = await seller(), uuid7()
    wanting = await lead(actor)
    by = system(actor.workspace_id, task="test")

    same = await asyncio.gather(
        *(follow_ups.create(actor, on(wanting), CALL, id=key, now=NOW) for _ in range(2)), return_exceptions=True
    )
    occasion = await asyncio.gather(
        *(follow_ups.create(by, on(wanting), CALL, occasion="survey:1", now=NOW) for _ in range(3))
    )

    assert [type(one) for one in same if not isinstance(one, FollowUp)] == [AlreadyExists]
    assert len({row.id for row in occasion}) == 1
    assert (occasion[0].owner_id, occasion[0].created_by_id) == (wanting.owner_id, None)
    assert await FollowUp.filter(lead_id=wanting.id).count() == 2


async def test_it_is_given_to_active_members_who_see_what_it_is_on() -> None:
    admin = await seller()
    rep, blind = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    gone = await member(Role.ADMIN, of=admin, active=False)
    wanting = await lead(admin, title="Roof")
    await leads.assign(admin, wanting.id, rep.user_id, now=NOW)

    made = await plan(admin, wanting, owner_id=rep.user_id)
    nobodys = await plan(admin, wanting, owner_id=None)
    for owner_id in (blind.user_id, gone.user_id, (await seller()).user_id):
        with pytest.raises(DomainError) as caught:
            await plan(admin, wanting, owner_id=owner_id)
        assert caught.value.field == ("ownerId",)
        with pytest.raises(DomainError):
            await follow_ups.update(admin, made.id, FollowUpDetails(owner_id=owner_id), now=NOW)
    with pytest.raises(OwnerUnseeing):
        await plan(rep, wanting, owner_id=blind.user_id)

    assert (made.owner_id, nobodys.owner_id) == (rep.user_id, None)


async def test_who_may_change_it() -> None:
    admin = await seller()
    rep, other = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    viewer = await member(Role.VIEWER, of=admin)
    marketer, manager = await member(Role.MARKETER, of=admin), await member(Role.ADMIN, of=admin)
    wanting = await lead(admin)
    await leads.assign(admin, wanting.id, rep.user_id, now=NOW)
    theirs = await plan(admin, wanting, owner_id=manager.user_id)
    by_marketer = await plan(marketer, wanting, owner_id=manager.user_id)

    for who, row in ((rep, theirs), (manager, theirs), (admin, theirs), (marketer, by_marketer)):
        await follow_ups.update(who, row.id, FollowUpDetails(note=f"by {who.role}"), now=NOW)
    for who, error in ((viewer, Forbidden), (marketer, Forbidden), (other, NotFound), (await seller(), NotFound)):
        for attempt in (
            follow_ups.complete(who, theirs.id, now=NOW),
            follow_ups.cancel(who, theirs.id, now=NOW),
            follow_ups.reopen(who, theirs.id, now=NOW),
            follow_ups.snooze(who, theirs.id, TOMORROW, now=NOW),
            follow_ups.update(who, theirs.id, FollowUpDetails(title="X"), now=NOW),
        ):
            with pytest.raises(error):
                await attempt
    with pytest.raises(Forbidden):
        await plan(viewer, wanting)
    with pytest.raises(NotFound):
        await plan(other, wanting)


async def test_with_its_lead_they_go_to_the_new_owner() -> None:
    admin = await seller()
    rep, next_ = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    await User.filter(id=next_.user_id).update(time_zone="Asia/Tokyo")
    wanting = await lead(admin)
    await leads.assign(admin, wanting.id, rep.user_id, now=NOW)
    call = await plan(rep, wanting)
    day = await plan(rep, wanting, due_on=date(2026, 3, 4))
    done = await plan(rep, wanting)
    await follow_ups.complete(rep, done.id, now=NOW)
    admins = await plan(admin, wanting)

    given = await leads.assign(admin, wanting.id, next_.user_id, now=LATER)
    await call.refresh_from_db()
    await day.refresh_from_db()
    await done.refresh_from_db()
    await admins.refresh_from_db()

    assert (call.owner_id, day.owner_id, done.owner_id, admins.owner_id) == (
        next_.user_id,
        next_.user_id,
        rep.user_id,
        admin.user_id,
    )
    assert (call.due_at, call.time_zone, call.version) == (TOMORROW, "UTC", 1)
    assert (day.due_at, day.time_zone) == (datetime(2026, 3, 4, 14, 59, 59, tzinfo=UTC), "Asia/Tokyo")
    assert day.remind_at == datetime(2026, 3, 4, tzinfo=UTC)
    assert day.escalate_at == day.due_at + timedelta(hours=24)
    event = await Event.filter(name="lead.assigned", subject_id=wanting.id).order_by("-id").first()
    assert event is not None
    assert set(event.data["follow_up_ids"]) == {str(call.id), str(day.id)}
    assert given.next_follow_up_at == TOMORROW


async def test_none_is_left_with_the_former_owner_who_plans_one_at_that_moment() -> None:
    admin = await seller()
    rep, next_ = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    for _ in range(5):
        wanting = await lead(admin)
        await leads.assign(admin, wanting.id, rep.user_id, now=NOW)
        await plan(rep, wanting)
        await asyncio.gather(
            plan(rep, wanting, due_at=NOW + timedelta(days=3)),
            leads.assign(admin, wanting.id, next_.user_id, now=LATER),
            return_exceptions=True,
        )
        assert not await FollowUp.filter(lead_id=wanting.id, owner_id=rep.user_id).exists()


async def test_a_lead_has_so_many_open_ones_at_most_and_a_deleted_one_none_to_change() -> None:
    actor = await seller()
    wanting = await lead(actor)
    first = await plan(actor, wanting)
    await FollowUp.bulk_create(
        FollowUp(
            workspace_id=actor.workspace_id,
            lead_id=wanting.id,
            kind=FollowUpKind.TODO,
            title=f"{n}",
            priority=Priority.LOW,
            due_at=TOMORROW,
            time_zone="UTC",
            created_at=NOW,
            updated_at=NOW,
        )
        for n in range(MOST_OPEN - 1)
    )

    with pytest.raises(TooManyFollowUps):
        await plan(actor, wanting)
    await follow_ups.cancel(actor, first.id, now=NOW)
    await plan(actor, wanting)
    with pytest.raises(TooManyFollowUps):
        await follow_ups.reopen(actor, first.id, now=NOW)
    await leads.delete(actor, wanting.id, now=NOW)
    for attempt in (plan(actor, wanting), follow_ups.complete(actor, first.id, now=NOW)):
        with pytest.raises(NotFound):
            await attempt


async def test_with_their_leads_all_that_an_heir_sees_goes_to_the_heir() -> None:
    admin = await seller()
    rep, heir = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    assert rep.user_id and heir.user_id
    await User.filter(id=heir.user_id).update(time_zone="Asia/Tokyo")
    open_, unseen = await lead(admin), await lead(admin)
    await leads.assign(admin, open_.id, rep.user_id, now=NOW)
    company = await companies.create(admin, companies.CompanyDetails(name="Acme"), now=NOW)
    day = FollowUpDetails(kind=FollowUpKind.TODO, title="Visit", due_on=date(2026, 3, 4), owner_id=rep.user_id)
    on_company = await follow_ups.create(admin, on(company), day, now=NOW)
    on_open = await follow_ups.create(admin, on(open_), day, now=NOW)
    await leads.assign(admin, unseen.id, rep.user_id, now=NOW)
    on_unseen = await follow_ups.create(admin, on(unseen), day, now=NOW)
    await closings.close(admin, unseen.id, LeadStatus.DISQUALIFIED, note="Joke", now=NOW)

    await users.transfer_leads(admin, rep.user_id, heir.user_id, now=LATER)
    for row in (on_company, on_open, on_unseen):
        await row.refresh_from_db()

    ends = datetime(2026, 3, 4, 14, 59, 59, tzinfo=UTC)
    assert (on_company.owner_id, on_company.due_at) == (heir.user_id, ends)
    assert (on_open.owner_id, on_open.due_at) == (heir.user_id, ends)
    assert (await Lead.get(id=open_.id)).next_follow_up_at == ends
    assert on_unseen.owner_id == rep.user_id
    told = await Event.get(name="user.follow_ups_handed_over", subject_id=rep.user_id)
    assert told.data["count"] == 1
