"""What members who leave had still to do goes to who owns what it is for, else to the manager, else to nobody."""

import asyncio
from datetime import date, timedelta

import pytest

from domain import closings, contacts, follow_ups, left_behind, users
from domain.actors import Actor
from domain.contacts import ContactDetails
from domain.follow_up_details import FollowUpDetails
from domain.subjects import Subject, SubjectKey
from models.events import Event
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus
from models.leads import Lead, LeadStatus
from models.users import Membership, Role, User
from tests.factories import NOW, lead, member, seller, team
from workers.subscriptions import SUBSCRIPTIONS
from workers.tasks.follow_ups import give_follow_ups

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def planned(actor: Actor, subject: Subject, **details: object) -> FollowUp:
    given = {"kind": FollowUpKind.CALL, "title": "Call", "due_on": date(2026, 3, 4), **details}
    key = SubjectKey(type(subject), subject.id)
    return await follow_ups.create(actor, key, FollowUpDetails(**given), now=NOW)  # type: ignore[arg-type]


async def leave(admin: Actor, gone: Actor) -> None:
    assert gone.user_id
    await users.update_member(admin, gone.user_id, active=False, now=LATER)
    await asyncio.gather(*(left_behind.give(admin.workspace_id, [gone.user_id], now=LATER) for _ in range(3)))


async def owner_of(row: FollowUp) -> object:
    return (await FollowUp.get(id=row.id)).owner_id


async def test_it_goes_to_whoever_owns_the_lead_and_days_end_where_they_live() -> None:
    admin = await seller()
    ann, bob = [await member(Role.REP, of=admin) for _ in range(2)]
    await User.filter(id=bob.user_id).update(time_zone="America/New_York")
    theirs = await lead(bob)
    row = await planned(admin, theirs, owner_id=bob.user_id)
    await FollowUp.filter(id=row.id).update(owner_id=ann.user_id, time_zone="UTC", due_at=NOW + timedelta(days=2))
    done = await planned(admin, theirs, owner_id=bob.user_id)
    await FollowUp.filter(id=done.id).update(owner_id=ann.user_id, status=FollowUpStatus.DONE)

    await leave(admin, ann)

    kept = await FollowUp.get(id=row.id)
    assert (kept.owner_id, kept.time_zone, kept.version) == (bob.user_id, "America/New_York", row.version)
    assert (await Lead.get(id=theirs.id)).next_follow_up_at == kept.due_at
    assert await owner_of(done) == ann.user_id
    told = await Event.filter(subject_id=ann.user_id, name="user.follow_ups_handed_over")
    assert [event.data for event in told] == [{"to_user_id": str(bob.user_id), "count": 1}]


async def test_where_the_lead_was_their_own_or_nobodys_it_goes_to_the_manager_of_the_nearest_team_above() -> None:
    admin = await seller()
    above = await team(admin)
    crew = await team(admin, parent=above)
    ann, manager, _ = [
        await member(role, of=admin, team=place)
        for role, place in ((Role.REP, crew), (Role.MANAGER, above), (Role.MANAGER, None))
    ]
    sold = await lead(ann)
    row = await planned(ann, sold)
    await closings.close(ann, sold.id, LeadStatus.WON, now=NOW)
    person = await contacts.create(ann, ContactDetails(name="Ada Lovelace"), now=NOW)
    other = await planned(ann, person)

    await leave(admin, ann)

    assert await owner_of(row) == manager.user_id
    assert await owner_of(other) == manager.user_id


async def test_where_nobody_is_left_who_may_see_it_it_is_nobodys_and_found_so() -> None:
    admin = await seller()
    ann = await member(Role.REP, of=admin)
    sold = await lead(ann)
    row = await planned(ann, sold)
    await closings.close(ann, sold.id, LeadStatus.WON, now=NOW)
    assert ann.user_id
    await users.update_member(admin, ann.user_id, active=False, now=LATER)
    await Membership.filter(user_id=admin.user_id).update(active=False)
    await left_behind.give(admin.workspace_id, [ann.user_id], now=LATER)
    assert await owner_of(row) is None
    [told] = await Event.filter(subject_id=ann.user_id, name="user.follow_ups_handed_over")
    assert told.data == {"to_user_id": None, "count": 1}


async def test_a_viewer_and_who_left_as_well_get_nothing() -> None:
    admin = await seller()
    ann, viewer, gone = [await member(role, of=admin) for role in (Role.REP, Role.VIEWER, Role.REP)]
    for owner in (viewer, gone):
        on = await lead(ann)
        await closings.close(ann, on.id, LeadStatus.WON, now=NOW)
        await planned(ann, on)
        await Lead.filter(id=on.id).update(owner_id=owner.user_id)
    await Membership.filter(user_id=gone.user_id).update(active=False)
    await leave(admin, ann)
    rows = await FollowUp.filter(workspace_id=admin.workspace_id)
    assert [row.owner_id for row in rows] == [admin.user_id] * 2


async def test_what_is_on_open_leads_stays_for_whoever_gets_these() -> None:
    admin = await seller()
    ann, bob = [await member(Role.REP, of=admin) for _ in range(2)]
    mine = await lead(ann)
    row = await planned(ann, mine)
    await Membership.filter(user_id=ann.user_id).update(active=False)
    assert ann.user_id and bob.user_id
    await left_behind.give(admin.workspace_id, [ann.user_id], now=LATER)
    assert await owner_of(row) == ann.user_id
    await users.transfer_leads(admin, ann.user_id, bob.user_id, now=LATER)
    assert await owner_of(row) == bob.user_id


async def test_who_is_a_member_still_or_again_keeps_it() -> None:
    admin = await seller()
    ann = await member(Role.REP, of=admin)
    row = await planned(ann, await lead(ann))
    assert ann.user_id
    await left_behind.give(admin.workspace_id, [ann.user_id], now=LATER)
    assert await owner_of(row) == ann.user_id


def test_a_worker_does_it_when_a_member_changes() -> None:
    assert give_follow_ups in SUBSCRIPTIONS[users.UserUpdated]
