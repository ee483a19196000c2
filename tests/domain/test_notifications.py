"""Notifications: who is told of what, once, and only of what they may see; and that they have read it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import bulks, captures, closings, comments, companies, leads, moves, notifications, watching
from domain.actors import NONE, Actor, ActorKind, Scope, system
from domain.bulks import Work
from domain.captures import Capture
from domain.companies import CompanyDetails
from domain.errors import Forbidden, NotFound
from domain.events import record
from domain.imports.runs import ImportCompleted
from domain.leads import LeadCaptured, LeadDetails
from domain.notifications import KEPT, RECIPIENTS, NotificationCreated, NotOneWay, TooManyNotifications
from domain.subjects import SubjectKey
from models.base import uuid7
from models.bulks import BulkKind
from models.conversations import LeadWatcher, Notification, NotificationKind
from models.database import transaction
from models.events import Event
from models.leads import Lead, LeadStatus
from models.stages import Stage, StageKind
from models.users import Membership, Role
from tests.factories import NOW, again, lead, member, partner, seller, stage, team, user
from tests.statements import recorded
from workers.subscriptions import SUBSCRIPTIONS
from workers.tasks.notifications import notify as notify_task

KIND = NotificationKind
LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


def key_of(actor: Actor) -> UUID:
    assert actor.user_id
    return actor.user_id


def on(row: Lead) -> SubjectKey:
    return SubjectKey(Lead, row.id)


async def tell(actor: Actor, *, together: bool = False) -> list[Event]:
    """Do the work of the task for everything that has happened in a workspace, as often as it is asked to."""
    events = await Event.filter(workspace_id=actor.workspace_id).order_by("id")
    await notifications.notify(actor.workspace_id, [event.id for event in events], together=together, now=NOW)
    return events


async def told(actor: Actor) -> list[NotificationKind]:
    rows = Notification.filter(user_id=actor.user_id, workspace_id=actor.workspace_id).order_by("id")
    return [row.kind for row in await rows]


async def nobody_was_told(actor: Actor) -> bool:
    return not await Notification.filter(workspace_id=actor.workspace_id).exists()


def test_every_event_that_somebody_is_told_of_reaches_the_task_and_no_other() -> None:
    subscribed = {event for event, tasks in SUBSCRIPTIONS.items() if notify_task in tasks}
    assert subscribed == set(RECIPIENTS)


async def test_a_mention_is_told_once_and_a_comment_to_the_owner_and_the_watchers() -> None:
    admin = await seller()
    owner, friend, watcher, other = [await member(Role.QUALIFIER, of=admin) for _ in range(4)]
    row = await lead(admin)
    await leads.assign(owner, row.id, owner.user_id, now=NOW)
    await watching.watch(watcher, row.id, now=NOW)
    await watching.watch(friend, row.id, now=NOW)
    made = await comments.add(admin, on(row), text="Look", mention_ids=[key_of(friend), key_of(admin)], now=NOW)

    await tell(admin)
    await tell(admin)

    assert [await told(one) for one in (owner, friend, watcher)] == [[KIND.COMMENT], [KIND.MENTION], [KIND.COMMENT]]
    assert await told(admin) == await told(other) == []
    [mention] = await Notification.filter(user_id=friend.user_id)
    assert (mention.lead_id, mention.comment_id, mention.actor_id) == (row.id, made.id, admin.user_id)
    heard = await Event.filter(workspace_id=admin.workspace_id, name=NotificationCreated.name)
    assert {event.subject_id for event in heard} == {
        one.id for one in await Notification.filter(workspace_id=admin.workspace_id)
    }
    assert {event.data["user_id"] for event in heard} == {str(one.user_id) for one in (owner, friend, watcher)}


async def test_an_edit_tells_only_whom_it_mentions_anew() -> None:
    admin = await seller()
    old, new = await member(Role.QUALIFIER, of=admin), await member(Role.QUALIFIER, of=admin)
    row = await lead(admin)
    made = await comments.add(admin, on(row), text="Look", mention_ids=[key_of(old)], now=NOW)
    await tell(admin)

    await comments.update(admin, made.id, text="Look there", mention_ids=[key_of(old), key_of(new)], now=LATER)
    await tell(admin)

    assert (await told(old), await told(new)) == ([KIND.MENTION], [KIND.MENTION])


async def test_a_comment_that_was_deleted_meanwhile_and_one_that_came_back_are_told_of_to_nobody() -> None:
    admin, row = (actor := await seller()), await lead(actor)
    friend = await member(Role.QUALIFIER, of=admin)
    made = await comments.add(admin, on(row), text="Look", mention_ids=[key_of(friend)], now=NOW)
    await comments.delete(admin, made.id, now=NOW)

    await tell(admin)

    assert await nobody_was_told(admin)


async def test_who_may_not_see_the_lead_any_more_is_not_told() -> None:
    admin = await seller()
    rep, left = await member(Role.REP, of=admin), await member(Role.QUALIFIER, of=admin)
    row = await lead(admin)
    await leads.assign(admin, row.id, rep.user_id, now=NOW)
    await watching.watch(rep, row.id, now=NOW)
    await watching.watch(left, row.id, now=NOW)
    await comments.add(admin, on(row), text="Look", mention_ids=[key_of(rep), key_of(left)], now=NOW)
    await leads.assign(admin, row.id, admin.user_id, now=NOW)
    await Membership.filter(user_id=left.user_id).update(active=False)

    await tell(admin)

    assert await nobody_was_told(admin)
    assert await LeadWatcher.filter(lead_id=row.id, user_id=rep.user_id).exists()


async def test_a_deleted_lead_is_told_of_to_nobody() -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin)
    await comments.add(admin, on(row), text="Look", mention_ids=[key_of(friend)], now=NOW)
    await leads.delete(admin, row.id, now=NOW)

    await tell(admin)

    assert await nobody_was_told(admin)


async def test_owners_are_told_of_what_becomes_theirs_and_watchers_of_where_it_goes() -> None:
    admin = await seller()
    owner, watcher = await member(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    row = await lead(admin)
    await watching.watch(watcher, row.id, now=NOW)
    await leads.assign(admin, row.id, owner.user_id, now=NOW)
    target = await stage(admin, StageKind.NEGOTIATION)
    await moves.move(admin, row.id, stage_id=target.id, now=NOW)
    await moves.move(admin, row.id, stage_id=target.id, place=moves.Place(), now=NOW)
    await closings.close(admin, row.id, status=LeadStatus.DISQUALIFIED, now=NOW)
    await closings.reopen(admin, row.id, now=NOW)

    await tell(admin)

    went = [KIND.LEAD_MOVED, KIND.LEAD_CLOSED, KIND.LEAD_REOPENED]
    assert await told(owner) == [KIND.ASSIGNED, *went]
    assert await told(watcher) == went
    assert await told(admin) == []


async def test_a_new_place_in_the_stage_is_no_news() -> None:
    admin = await seller()
    watcher = await member(Role.VIEWER, of=admin)
    row, other = await lead(admin), await lead(admin)
    await watching.watch(watcher, row.id, now=NOW)
    await moves.move(admin, row.id, stage_id=row.stage_id, place=moves.Place(after=other.id), now=NOW)

    assert any(event.name == "lead.moved" for event in await tell(admin))
    assert await nobody_was_told(admin)


async def test_who_may_approve_a_move_is_told_of_the_wish_and_who_asked_of_the_answer() -> None:
    admin = await seller()
    north = await team(admin)
    rep = await member(Role.REP, of=admin, team=north)
    near = await member(Role.MANAGER, of=admin, team=north)
    far = await member(Role.MANAGER, of=admin, team=await team(admin))
    near, far = await again(near), await again(far)
    row = await lead(admin)
    await leads.assign(admin, row.id, rep.user_id, now=NOW)
    target = await stage(admin, StageKind.NEGOTIATION)
    await Stage.filter(id=target.id).update(requirements={"needs_approval": True})
    wish = await moves.request(rep, row.id, stage_id=target.id, now=NOW)
    await moves.reject(admin, wish.id, now=NOW)
    again_asked = await moves.request(rep, row.id, stage_id=target.id, now=NOW)
    await moves.approve(near, again_asked.id, now=NOW)

    await tell(admin)

    wishes = [KIND.MOVE_REQUESTED, KIND.MOVE_REQUESTED]
    assert await told(near) == await told(admin) == wishes
    assert await told(far) == []
    assert await told(rep) == [KIND.ASSIGNED, KIND.MOVE_REJECTED, KIND.MOVE_APPROVED]


async def test_whoever_waits_for_their_import_is_told_though_they_began_it() -> None:
    admin = await seller()
    async with transaction():
        await record(ImportCompleted(admin, uuid7(), {"user_id": admin.user_id}), now=NOW)
        await record(ImportCompleted(system(admin.workspace_id, task="import"), uuid7(), {"user_id": None}), now=NOW)

    await tell(admin)

    assert await told(admin) == [KIND.IMPORT_DONE]


async def test_the_owner_of_a_company_is_told_of_comments_on_it() -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    company = await companies.create(admin, CompanyDetails(name="Acme", owner_id=owner.user_id), now=NOW)
    await comments.add(admin, SubjectKey(type(company), company.id), text="Grows", now=NOW)

    await tell(admin)

    assert await told(owner) == [KIND.COMMENT]
    [row] = await Notification.filter(user_id=owner.user_id)
    assert row.lead_id is None and row.comment_id


async def many_assigned(admin: Actor, owner: Actor, count: int) -> list[Lead]:
    rows = [await lead(admin) for _ in range(count)]
    for row in rows:
        await leads.assign(admin, row.id, owner.user_id, now=NOW)
    return rows


async def test_much_at_once_is_told_together() -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    rows = await many_assigned(admin, owner, 3)
    await watching.watch(owner, rows[0].id, now=NOW)
    await comments.add(admin, on(rows[0]), text="One", now=NOW)

    await tell(admin, together=True)
    await tell(admin, together=True)

    assigned, commented = await Notification.filter(user_id=owner.user_id).order_by("kind")
    assert (assigned.kind, assigned.data, assigned.lead_id) == (KIND.ASSIGNED, {"events": 3}, None)
    assert (commented.kind, commented.data, commented.lead_id) == (KIND.COMMENT, {}, rows[0].id)


async def test_who_began_to_watch_later_is_not_told_of_what_was_before() -> None:
    admin = await seller()
    late, row = await member(Role.VIEWER, of=admin), await lead(admin)
    await comments.add(admin, on(row), text="Early", now=NOW)
    await watching.watch(late, row.id, now=LATER)

    await tell(admin)
    assert await nobody_was_told(admin)
    await comments.add(admin, on(row), text="Late", now=LATER)
    await tell(admin)

    assert await told(late) == [KIND.COMMENT]


async def test_what_is_captured_for_somebody_is_told_to_them_unless_a_thousand_come_in_at_once() -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    row = await captures.capture(admin, Capture(details=LeadDetails(title="Roof"), owner_id=owner.user_id), now=NOW)
    live = leads.live_columns(row, [])
    imported = {"before": None, "after": live, "changes": {}, "bulk": True}
    await record(LeadCaptured(admin, row.id, imported), now=NOW)

    await tell(admin)

    assert await told(owner) == [KIND.ASSIGNED]


async def test_work_on_many_leads_is_told_once_however_many_jobs_tell_of_it() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    keys = [(await lead(admin)).id for _ in range(30)]
    work = Work(BulkKind.ASSIGN, {"owner_id": rep.user_id})
    outcomes = await bulks.named(admin, work, keys, now=NOW)
    assert not any(outcome.faults for outcome in outcomes)
    assigned = await Event.filter(name="lead.assigned", workspace_id=admin.workspace_id).order_by("id")
    for part in (assigned[:20], assigned[20:]):
        told = [event.id for event in part]
        await notifications.notify(admin.workspace_id, told, together=True, now=NOW)

    [row] = await Notification.filter(workspace_id=admin.workspace_id, kind=KIND.ASSIGNED)
    assert (row.user_id, row.lead_id, row.data) == (rep.user_id, None, {"events": 30})
    assert await Event.filter(name="notification.created", workspace_id=admin.workspace_id).count() == 1


async def test_telling_takes_as_many_statements_for_much_as_for_little() -> None:
    counts = []
    for number in (1, 12):
        admin = await seller()
        crowd = [await member(Role.QUALIFIER, of=admin) for _ in range(number)]
        for row in [await lead(admin) for _ in range(number)]:
            people = [key_of(one) for one in crowd]
            await comments.add(admin, on(row), text="Look", mention_ids=people, now=NOW)
        keys = [event.id for event in await Event.filter(workspace_id=admin.workspace_id)]
        with recorded() as sent:
            await notifications.notify(admin.workspace_id, keys, now=NOW)
        counts.append(len(sent))
        assert await Notification.filter(workspace_id=admin.workspace_id).count() == number**2
    assert counts[0] == counts[1] <= 12


async def test_two_who_tell_at_once_tell_once() -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    await many_assigned(admin, owner, 4)

    await asyncio.gather(*(tell(admin) for _ in range(5)))

    assert await told(owner) == [KIND.ASSIGNED] * 4
    assert await Event.filter(workspace_id=admin.workspace_id, name=NotificationCreated.name).count() == 4


async def test_one_who_is_killed_while_telling_leaves_nothing_and_another_tells_all() -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    await many_assigned(admin, owner, 2)

    with pytest.raises(ConnectionResetError):
        async with transaction():
            await tell(admin)
            raise ConnectionResetError
    assert await nobody_was_told(admin)
    await tell(admin)

    assert await told(owner) == [KIND.ASSIGNED] * 2


async def test_a_person_in_two_workspaces_has_the_news_of_each_there() -> None:
    here, there = await seller(), await seller()
    person = await user()
    place, elsewhere = [await member(Role.QUALIFIER, of=home, person=person) for home in (here, there)]
    row = await lead(here)
    await comments.add(here, on(row), text="Look", mention_ids=[person.id], now=NOW)
    await tell(here)

    assert (await told(place), await told(elsewhere)) == ([KIND.MENTION], [])
    [mine] = await notifications.mark_read(place, ids=[(await Notification.get(user_id=person.id)).id], now=NOW)
    assert await notifications.mark_read(elsewhere, ids=[mine.id], now=NOW) == []


class TestReading:
    async def three(self, admin: Actor, reader: Actor) -> list[Notification]:
        return [
            await Notification.create(
                workspace_id=admin.workspace_id,
                user_id=reader.user_id,
                kind=KIND.COMMENT,
                event_id=uuid7(),
                created_at=NOW + timedelta(minutes=number),
            )
            for number in range(3)
        ]

    async def unread(self, actor: Actor) -> list[UUID]:
        rows = Notification.filter(user_id=actor.user_id, read_at=None).order_by("created_at")
        return [row.id for row in await rows]

    async def test_one_says_which_by_ids_up_to_one_or_all(self) -> None:
        admin = await seller()
        first, second, third = await self.three(admin, admin)

        marked = await notifications.mark_read(admin, ids=[second.id, second.id], now=NOW)
        again_marked = await notifications.mark_read(admin, ids=[second.id], now=NOW + timedelta(hours=1))
        assert [row.read_at for row in (*marked, *again_marked)] == [NOW, NOW]
        assert await self.unread(admin) == [first.id, third.id]
        assert await notifications.mark_read(admin, up_to_id=second.id, now=NOW) == []
        assert await self.unread(admin) == [third.id]
        await notifications.mark_read(admin, everything=True, now=NOW)
        assert await self.unread(admin) == []
        told = await Event.filter(name="notification.read", subject_id=admin.user_id).order_by("id")
        assert [event.data["count"] for event in told] == [1, 1, 1]

    async def test_nobody_reads_what_is_anothers(self) -> None:
        admin = await seller()
        other, stranger = await member(of=admin), await seller()
        rows = await self.three(admin, other)

        for actor in (admin, stranger):
            assert await notifications.mark_read(actor, ids=[rows[0].id, uuid7()], now=NOW) == []
            with pytest.raises(NotFound):
                await notifications.mark_read(actor, up_to_id=rows[2].id, now=NOW)
            await notifications.mark_read(actor, everything=True, now=NOW)
        assert len(await self.unread(other)) == 3

    async def test_there_is_one_way_to_say_which_and_a_limit(self) -> None:
        admin = await seller()
        wrong: list[dict[str, Any]] = [{}, {"ids": [], "everything": True}, {"up_to_id": uuid7(), "everything": True}]
        for given in wrong:
            with pytest.raises(NotOneWay):
                await notifications.mark_read(admin, **given, now=NOW)
        with pytest.raises(TooManyNotifications):
            await notifications.mark_read(admin, ids=[uuid7() for _ in range(101)], now=NOW)

    async def test_a_key_reads_those_of_its_service_user_where_its_scopes_let_it(self) -> None:
        admin = await seller()
        key = await partner("lead:read", "notification:read", "notification:write", of=admin)
        rows = await self.three(admin, key)

        assert notifications.reader(key) == key.user_id
        await notifications.mark_read(key, ids=[rows[0].id], now=NOW)
        assert len(await self.unread(key)) == 2
        for scopes in ({"notification:write"}, {"notification:write", "notification:read"}):
            with pytest.raises(Forbidden):
                notifications.reader(await partner(*scopes, of=admin))
        with pytest.raises(Forbidden):
            notifications.reader(Actor(ActorKind.LINK, admin.workspace_id, rows=NONE))

    async def test_what_is_about_a_lead_out_of_sight_is_not_there(self) -> None:
        admin = await seller()
        rep = await member(Role.REP, of=admin)
        row = await lead(admin)
        await leads.assign(admin, row.id, rep.user_id, now=NOW)
        await tell(admin)
        [mine] = await Notification.filter(user_id=rep.user_id)
        await leads.assign(admin, row.id, admin.user_id, now=NOW)

        assert rep.rows == Scope(frozenset({key_of(rep)}))
        assert await notifications.mark_read(rep, ids=[mine.id], now=NOW) == []
        assert (await Notification.get(id=mine.id)).read_at is None

    async def test_what_is_old_is_forgotten(self) -> None:
        admin = await seller()
        rows = await self.three(admin, admin)

        await notifications.forget(now=rows[1].created_at + KEPT)

        assert set(await self.unread(admin)) == {rows[1].id, rows[2].id}
