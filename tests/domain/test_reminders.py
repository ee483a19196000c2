"""Reminders: each person is reminded once of what is due, overdue, rotting or unanswered, or it says why not."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import (
    absences,
    follow_ups,
    lead_reminders,
    reminder_settings,
    reminders,
    users,
    workspaces,
)
from domain.absences import Absence
from domain.actors import Actor
from domain.follow_up_details import FollowUpDetails
from domain.reminder_settings import ReminderDetails
from domain.subjects import SubjectKey
from domain.unreminded import ENDED
from models.base import uuid7
from models.conversations import Notification, NotificationKind
from models.deliveries import Channel, Delivery, DeliveryStatus
from models.events import Event
from models.follow_ups import FollowUp, FollowUpKind
from models.leads import Lead
from models.reminders import (
    Device,
    DevicePlatform,
    Reminder,
    ReminderKind,
    ReminderMail,
    ReminderWatch,
    Weekday,
)
from models.stages import Stage
from models.users import Membership, Role, User
from models.workspaces import Workspace
from tests.factories import NOW, lead, member, seller, team

TOMORROW = NOW + timedelta(days=1)
# Thursday, 2026-03-05, 09:00 UTC: whatever was due before is past.
THEN = NOW + timedelta(days=3)
SENT, SKIPPED, PENDING = DeliveryStatus.SENT, DeliveryStatus.SKIPPED, DeliveryStatus.PENDING

pytestmark = pytest.mark.usefixtures("db")


async def plan(actor: Actor, subject: Lead, due_at: datetime = TOMORROW, **details: Any) -> FollowUp:
    given = {"kind": FollowUpKind.CALL, "title": "Call Ada", "due_at": due_at, **details}
    return await follow_ups.create(actor, SubjectKey(Lead, subject.id), FollowUpDetails(**given), now=NOW)


async def all_of(sweep: Callable[[datetime], Awaitable[int]], now: datetime) -> None:
    while await sweep(now):
        pass


async def due(now: datetime) -> None:
    await all_of(reminders.remind_of_due, now)


async def overdue(now: datetime) -> None:
    await all_of(reminders.escalate_overdue, now)


async def deliveries_of(row: Reminder) -> dict[Channel, tuple[DeliveryStatus, str | None]]:
    found = await Delivery.filter(about_id=row.id)
    assert len({one.occasion for one in found}) == len(found)
    return {one.channel: (one.status, one.reason) for one in found}


async def reminders_of(follow_up: FollowUp) -> list[Reminder]:
    return await Reminder.filter(follow_up_id=follow_up.id).order_by("created_at", "id")


async def owned(admin: Actor, owner: Actor) -> Lead:
    """Make a lead of somebody's."""
    row = await lead(admin)
    await Lead.filter(id=row.id).update(owner_id=owner.user_id)
    return await Lead.get(id=row.id)


async def a_rep(of: Actor, **facts: Any) -> Actor:
    return await member(Role.REP, of=of, **facts)


def user_id(actor: Actor) -> UUID:
    assert actor.user_id
    return actor.user_id


async def test_an_owner_is_reminded_in_the_app_by_mail_and_on_their_devices() -> None:
    actor = await seller()
    device = await Device.create(
        workspace_id=actor.workspace_id,
        user_id=actor.user_id,
        platform=DevicePlatform.FCM,
        address=str(uuid7()),
        created_at=NOW,
        updated_at=NOW,
    )
    wanting = await owned(actor, actor)
    made = await plan(actor, wanting)
    await due(TOMORROW - timedelta(seconds=1))
    assert await reminders_of(made) == []
    await due(TOMORROW)
    await due(TOMORROW)

    [row] = await reminders_of(made)
    assert (row.kind, row.user_id, row.lead_id) == (ReminderKind.FOLLOW_UP_DUE, actor.user_id, wanting.id)
    assert (row.due_at, row.created_at) == (TOMORROW, TOMORROW)
    assert await deliveries_of(row) == {
        Channel.IN_APP: (SENT, None),
        Channel.MAIL: (PENDING, None),
        Channel.PUSH: (PENDING, None),
    }
    assert (await Delivery.get(about_id=row.id, channel=Channel.PUSH)).device_id == device.id
    [told] = await Notification.filter(user_id=actor.user_id)
    assert (told.kind, told.reminder_id, told.lead_id) == (NotificationKind.REMINDER, row.id, wanting.id)
    event = await Event.get(name="notification.created", subject_id=told.id)
    assert event.data == {
        "user_id": str(actor.user_id),
        "kind": "REMINDER",
        "lead": {"owner_id": str(wanting.owner_id), "deleted": False},
    }
    again = await FollowUp.get(id=made.id)
    assert (again.remind_at, again.version) == (None, made.version)


async def test_what_is_snoozed_reminds_again_and_what_is_done_does_not() -> None:
    actor = await seller()
    wanting = await lead(actor)
    snoozed, done = await plan(actor, wanting), await plan(actor, wanting)
    await due(TOMORROW)
    await follow_ups.snooze(actor, snoozed.id, TOMORROW + timedelta(hours=2), now=TOMORROW)
    await follow_ups.complete(actor, done.id, now=TOMORROW)
    await due(TOMORROW + timedelta(hours=2))
    await overdue(THEN)
    assert [row.kind for row in await reminders_of(snoozed)] == [
        ReminderKind.FOLLOW_UP_DUE,
        ReminderKind.FOLLOW_UP_DUE,
        ReminderKind.FOLLOW_UP_OVERDUE,
    ]
    [row] = await reminders_of(done)
    assert (await deliveries_of(row))[Channel.MAIL] == (SKIPPED, ENDED)


async def test_two_sweeps_at_once_remind_once() -> None:
    actor = await seller()
    wanting = await lead(actor)
    made = [await plan(actor, wanting) for _ in range(20)]
    await asyncio.gather(*(due(TOMORROW) for _ in range(4)))
    found = await Reminder.filter(follow_up_id__in=[one.id for one in made])
    assert len({row.follow_up_id for row in found}) == len(found) == 20
    assert await Notification.filter(user_id=actor.user_id).count() == 20
    mails = await Delivery.filter(about_id__in=[row.id for row in found], channel=Channel.MAIL)
    assert len(mails) == 20


async def test_a_sweep_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = await seller()
    made = await plan(actor, await lead(actor))

    async def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("domain.deliveries.enqueue_all", fail)
        with pytest.raises(ZeroDivisionError):
            await due(TOMORROW)
    assert await reminders_of(made) == []
    assert not await Notification.filter(user_id=actor.user_id).exists()
    await due(TOMORROW)
    assert len(await reminders_of(made)) == 1


async def test_the_same_occasion_reminds_once_even_where_it_is_claimed_twice() -> None:
    actor = await seller()
    made = await plan(actor, await lead(actor))
    await due(TOMORROW)
    await FollowUp.filter(id=made.id).update(remind_at=TOMORROW)
    await due(TOMORROW)
    assert len(await reminders_of(made)) == 1
    assert await Notification.filter(user_id=actor.user_id).count() == 1


async def test_an_owner_who_left_or_may_not_see_it_is_skipped_on_record() -> None:
    admin = await seller()
    gone, blind = await a_rep(admin), await a_rep(admin)
    left = await plan(admin, await owned(admin, gone), owner_id=gone.user_id)
    hidden = await owned(admin, blind)
    unseen = await plan(admin, hidden, owner_id=blind.user_id)
    nobodys = await plan(admin, hidden, owner_id=None)
    await Membership.filter(user_id=gone.user_id).update(active=False)
    await Lead.filter(id=hidden.id).update(owner_id=admin.user_id)
    removed = await lead(admin)
    deleted = await plan(admin, removed)
    await Lead.filter(id=removed.id).update(deleted_at=NOW)
    await due(TOMORROW)
    why = {}
    for name, follow_up in {"left": left, "unseen": unseen, "nobodys": nobodys, "deleted": deleted}.items():
        [row] = await reminders_of(follow_up)
        found = await deliveries_of(row)
        assert list(found) == [Channel.IN_APP]
        why[name] = (row.user_id, *found[Channel.IN_APP])
    assert why == {
        "left": (gone.user_id, SKIPPED, reminders.GONE),
        "unseen": (blind.user_id, SKIPPED, reminders.UNSEEING),
        "nobodys": (None, SKIPPED, reminders.NOBODY),
        "deleted": (admin.user_id, SKIPPED, reminders.DELETED),
    }
    assert not await Notification.filter(workspace_id=admin.workspace_id).exists()


async def test_somebody_who_is_away_is_stood_in_for_by_who_may_see_it() -> None:
    admin = await seller()
    owner, other = await a_rep(admin), await member(Role.QUALIFIER, of=admin)
    wanting = await owned(admin, owner)
    made = await plan(admin, wanting, owner_id=owner.user_id)
    blind = await a_rep(admin)
    for away, stands in ((owner, other), (other, blind)):
        absence = Absence(away_from=NOW, away_until=NOW + timedelta(days=9), substitute_id=user_id(stands))
        await users.update_member(admin, user_id(away), absence=absence, now=NOW)
    await due(TOMORROW)
    [row] = await reminders_of(made)
    assert row.user_id == other.user_id
    line = await absences.standing_in([admin.workspace_id], now=NOW)
    assert line[admin.workspace_id, user_id(owner)] == [blind.user_id, other.user_id]


async def test_substitutes_in_a_circle_lead_nowhere() -> None:
    admin = await seller()
    first, second = await a_rep(admin), await a_rep(admin)
    for away, stands in ((first, second), (second, first)):
        absence = Absence(away_from=NOW, substitute_id=user_id(stands))
        await users.update_member(admin, user_id(away), absence=absence, now=NOW)
    made = await plan(admin, await owned(admin, first), owner_id=first.user_id)
    await due(TOMORROW)
    assert [row.user_id for row in await reminders_of(made)] == [first.user_id]


async def test_what_is_overdue_goes_to_the_nearest_manager_above() -> None:
    admin = await seller()
    top = await team(admin)
    middle = await team(admin, parent=top)
    low = await team(admin, parent=middle)
    owner = await a_rep(admin, team=low)
    chief = await member(Role.MANAGER, of=admin, team=top)
    one, two = [await member(Role.MANAGER, of=admin, team=middle) for _ in range(2)]
    await member(Role.MANAGER, of=admin)
    made = await plan(admin, await owned(admin, owner), owner_id=owner.user_id)
    of_manager = await plan(admin, await owned(admin, chief), owner_id=chief.user_id)
    await overdue(TOMORROW + timedelta(hours=24))
    assert {row.user_id for row in await reminders_of(made)} == {one.user_id, two.user_id}
    assert {row.user_id for row in await reminders_of(of_manager)} == {admin.user_id}
    told = await Notification.filter(user_id=one.user_id)
    assert [row.kind for row in told] == [NotificationKind.ESCALATION]
    await Membership.filter(user_id__in=[one.user_id, two.user_id]).update(active=False)
    await FollowUp.filter(id=made.id).update(escalate_at=THEN)
    await overdue(THEN)
    assert chief.user_id in {row.user_id for row in await reminders_of(made)}


async def test_where_nobody_leads_it_says_so() -> None:
    admin = await seller()
    made = await plan(admin, await lead(admin))
    await overdue(THEN)
    [row] = await reminders_of(made)
    assert (row.user_id, await deliveries_of(row)) == (None, {Channel.IN_APP: (SKIPPED, reminders.UNLED)})


async def test_who_wants_no_mails_or_has_no_device_has_that_on_record() -> None:
    actor = await seller()
    made = await plan(actor, await lead(actor))
    await reminder_settings.update(actor, ReminderDetails(mail=ReminderMail.OFF, push=False), now=NOW)
    await due(TOMORROW)
    [row] = await reminders_of(made)
    assert await deliveries_of(row) == {
        Channel.IN_APP: (SENT, None),
        Channel.MAIL: (SKIPPED, reminders.NO_MAILS),
        Channel.PUSH: (SKIPPED, reminders.NO_PUSHES),
    }
    await reminder_settings.update(actor, ReminderDetails(mail=None, push=True), now=NOW)
    await User.filter(id=actor.user_id).update(email=None, email_normalised=None)
    other = await plan(actor, await lead(actor))
    await due(TOMORROW)
    [row] = await reminders_of(other)
    assert (await deliveries_of(row))[Channel.MAIL] == (SKIPPED, reminders.NO_EMAIL)
    assert (await deliveries_of(row))[Channel.PUSH] == (SKIPPED, reminders.NO_DEVICE)


async def test_mails_and_pushes_wait_until_quiet_ends_and_the_app_does_not() -> None:
    actor = await seller()
    await User.filter(id=actor.user_id).update(time_zone="Europe/Berlin")
    quiet = ReminderDetails(quiet_from="09:00", quiet_until="12:30", quiet_days=[Weekday.WEDNESDAY])
    await reminder_settings.update(actor, quiet, now=NOW)
    tuesday, wednesday = await plan(actor, await lead(actor)), await plan(actor, await lead(actor), THEN - DAY)
    await due(TOMORROW)
    await due(THEN - DAY)
    for made, mail_at in ((tuesday, "2026-03-03T11:30Z"), (wednesday, "2026-03-04T23:00Z")):
        [row] = await reminders_of(made)
        found = {one.channel: one for one in await Delivery.filter(about_id=row.id)}
        assert found[Channel.MAIL].due_at == datetime.fromisoformat(mail_at)
        assert found[Channel.IN_APP].status is SENT


DAY = timedelta(days=1)


async def test_who_has_no_time_zone_lives_in_that_of_the_workspace() -> None:
    actor = await seller()
    await Workspace.filter(id=actor.workspace_id).update(time_zone="America/New_York")
    await reminder_settings.update(actor, ReminderDetails(quiet_from="00:00", quiet_until="08:00"), now=NOW)
    made = await plan(actor, await lead(actor))
    await due(TOMORROW)
    [row] = await reminders_of(made)
    mail = await Delivery.get(about_id=row.id, channel=Channel.MAIL)
    assert mail.due_at == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


async def test_a_digest_carries_all_of_a_day_and_what_comes_too_late_goes_with_the_next() -> None:
    actor = await seller()
    await reminder_settings.update(actor, ReminderDetails(mail=ReminderMail.DIGEST, digest_at="18:00"), now=NOW)
    wanting = await lead(actor)
    first, second = await plan(actor, wanting), await plan(actor, wanting)
    later = await plan(actor, wanting, TOMORROW + timedelta(hours=2))
    await asyncio.gather(due(TOMORROW), due(TOMORROW))
    digest = await Delivery.get(user_id=actor.user_id, kind=reminders.DIGEST)
    assert (digest.status, digest.due_at) == (PENDING, datetime(2026, 3, 3, 18, 0, tzinfo=UTC))
    # A worker has it in its hands.
    await Delivery.filter(id=digest.id).update(lease_until=TOMORROW + DAY)
    await due(TOMORROW + timedelta(hours=2))
    following = await Delivery.filter(user_id=actor.user_id, kind=reminders.DIGEST).order_by("due_at").last()
    assert following and following.due_at == datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
    carried = {}
    for made in (first, second, later):
        [row] = await reminders_of(made)
        carried[made.id] = (await Delivery.get(about_id=row.id, channel=Channel.MAIL)).carried_by_id
    assert carried == {first.id: digest.id, second.id: digest.id, later.id: following.id}


async def stage_of(row: Lead, rot_days: int | None) -> Stage:
    await Stage.filter(id=row.stage_id).update(rot_days=rot_days)
    return await Stage.get(id=row.stage_id)


async def looked_through(now: datetime, *, since: datetime | None = None, of: Actor) -> None:
    if since is not None:
        await lead_reminders.watch_new(since)
        await ReminderWatch.filter(id=of.workspace_id).update(
            rotten_to=since, missed_to=since, due_at=since, rotten_id=of.workspace_id, missed_id=of.workspace_id
        )
    await all_of(lead_reminders.remind_of_leads, now)


async def test_a_lead_that_rots_reminds_once_for_every_stay() -> None:
    actor = await seller()
    fresh, old, free = await lead(actor), await lead(actor), await lead(actor)
    await Lead.filter(id=fresh.id).update(stage_entered_at=NOW)
    await Lead.filter(id=old.id).update(stage_entered_at=NOW - timedelta(days=400))
    await Lead.filter(id=free.id).update(stage_entered_at=NOW, owner_id=None)
    await stage_of(fresh, 7)
    await looked_through(NOW + timedelta(days=7) - timedelta(seconds=1), since=NOW, of=actor)
    assert not await Reminder.filter(workspace_id=actor.workspace_id).exists()
    for _ in range(2):
        await looked_through(NOW + timedelta(days=7, minutes=2), of=actor)
    found = {row.lead_id: row for row in await Reminder.filter(workspace_id=actor.workspace_id)}
    assert set(found) == {fresh.id, free.id}
    assert found[fresh.id].kind is ReminderKind.LEAD_ROTTING
    assert found[fresh.id].due_at == NOW + timedelta(days=7)
    assert found[free.id].user_id == actor.user_id
    assert {row.kind for row in await Notification.filter(user_id=actor.user_id)} == {NotificationKind.LEAD_ROTTING}
    await Lead.filter(id=fresh.id).update(stage_entered_at=NOW + timedelta(days=8))
    await looked_through(NOW + timedelta(days=16), of=actor)
    assert await Reminder.filter(lead_id=fresh.id).count() == 2


async def test_a_limit_that_is_set_since_reminds_of_nothing_that_is_past() -> None:
    actor = await seller()
    row = await lead(actor)
    await Lead.filter(id=row.id).update(stage_entered_at=NOW)
    await stage_of(row, None)
    await looked_through(NOW + timedelta(days=20), since=NOW, of=actor)
    await stage_of(row, 7)
    await looked_through(NOW + timedelta(days=21), of=actor)
    assert not await Reminder.filter(workspace_id=actor.workspace_id).exists()


async def test_more_than_one_look_finds_are_found_by_the_next_though_all_are_of_one_instant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lead_reminders, "ROTTEN_AT_ONCE", 3)
    monkeypatch.setattr(lead_reminders, "CAPTURED_AT_ONCE", 3)
    actor = await seller()
    await workspaces.update(actor, first_response_hours=4, now=NOW)
    made = [await lead(actor) for _ in range(8)]
    await Lead.filter(workspace_id=actor.workspace_id).update(stage_entered_at=NOW, created_at=NOW)
    await stage_of(made[0], 1)
    since = NOW - timedelta(seconds=1)
    await looked_through(NOW + timedelta(days=2), since=since, of=actor)
    for kind in (ReminderKind.LEAD_ROTTING, ReminderKind.FIRST_RESPONSE_MISSED):
        found = await Reminder.filter(workspace_id=actor.workspace_id, kind=kind)
        assert {row.lead_id for row in found} == {row.id for row in made}
        assert len(found) == 8
    watch = await ReminderWatch.get(id=actor.workspace_id)
    assert (watch.rotten_to, watch.missed_to) == (NOW + timedelta(days=2), NOW + timedelta(days=2))


async def test_two_who_look_at_once_find_each_once() -> None:
    actor = await seller()
    made = [await lead(actor) for _ in range(5)]
    await Lead.filter(workspace_id=actor.workspace_id).update(stage_entered_at=NOW)
    await stage_of(made[0], 1)
    await looked_through(NOW, since=NOW - timedelta(seconds=1), of=actor)
    at = NOW + timedelta(days=1, minutes=2)
    await asyncio.gather(*(all_of(lead_reminders.remind_of_leads, at) for _ in range(3)))
    assert await Reminder.filter(workspace_id=actor.workspace_id).count() == 5


async def test_a_lead_that_nobody_answers_in_time_reminds_once() -> None:
    actor = await seller()
    await workspaces.update(actor, first_response_hours=4, now=NOW)
    missed, answered, closed = await lead(actor), await lead(actor), await lead(actor)
    brought = await lead(actor)
    await Lead.filter(workspace_id=actor.workspace_id).update(created_at=NOW)
    await Lead.filter(id=answered.id).update(first_response_seconds=60)
    await Lead.filter(id=closed.id).update(status="LOST")
    await Event.create(
        workspace_id=actor.workspace_id,
        name="lead.captured",
        subject_type="lead",
        subject_id=brought.id,
        data={"tasks_done": ["score_leads", "notify"]},
        occurred_at=NOW,
    )
    since = NOW - timedelta(seconds=1)
    await looked_through(NOW + timedelta(hours=4) - timedelta(seconds=1), since=since, of=actor)
    assert not await Reminder.filter(workspace_id=actor.workspace_id).exists()
    for hours in (5, 6):
        await looked_through(NOW + timedelta(hours=hours), of=actor)
    [row] = await Reminder.filter(workspace_id=actor.workspace_id)
    assert (row.kind, row.lead_id) == (ReminderKind.FIRST_RESPONSE_MISSED, missed.id)


async def test_a_clock_that_was_set_back_reminds_of_nothing_twice() -> None:
    actor = await seller()
    row = await lead(actor)
    made = await plan(actor, row)
    await Lead.filter(id=row.id).update(stage_entered_at=NOW)
    await stage_of(row, 1)
    await looked_through(TOMORROW + timedelta(minutes=2), since=NOW, of=actor)
    await due(TOMORROW)
    for at in (NOW, TOMORROW + timedelta(minutes=1), TOMORROW + timedelta(minutes=9)):
        await looked_through(at, of=actor)
        await due(at)
    assert await Reminder.filter(workspace_id=actor.workspace_id).count() == 2
    assert len(await reminders_of(made)) == 1


async def test_first_responses_are_watched_where_a_workspace_says_so() -> None:
    actor = await seller()
    made = await workspaces.update(actor, first_response_hours=4, now=NOW)
    same = await workspaces.update(actor, first_response_hours=4, now=NOW)
    none = await workspaces.update(actor, first_response_hours=None, now=NOW)
    assert (made.settings["firstResponseHours"], same.version) == (4, made.version)
    assert none.settings.get("firstResponseHours") is None
