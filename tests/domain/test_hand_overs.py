"""Hand-overs: from those who qualify to those who sell, accepted or returned, and over when the lead goes elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import bulks, closings, hand_overs, leads, notifications, policy
from domain.actors import Actor
from domain.bulks import Work
from domain.closings import WhyMissing
from domain.edits import OwnerInactive, OwnerViewer
from domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Required, Stale, TooLong
from domain.hand_overs import AlreadyHandedOver, NotHandedOver, ReceiverOwnsIt
from domain.moves import LeadNotOpen
from models.base import uuid7
from models.bulks import BulkKind
from models.catalog import LostReason
from models.conversations import Notification, NotificationKind
from models.hand_overs import HandOver, HandOverStatus
from models.leads import Lead, LeadStatus
from models.users import Membership, Role
from tests.factories import NOW, again, events, lead, member, seller, team

LATER = NOW + timedelta(hours=2)
PENDING, ACCEPTED, RETURNED, OBSOLETE = HandOverStatus

pytestmark = pytest.mark.usefixtures("db")


async def people() -> tuple[Actor, Actor, Actor]:
    """Make a workspace; return its admin, a marketer and a rep."""
    admin = await seller()
    return admin, await member(Role.MARKETER, of=admin), await member(Role.REP, of=admin)


def key(person: Actor) -> UUID:
    assert person.user_id
    return person.user_id


async def handed(by: Actor, to: Actor) -> Lead:
    """Capture a lead as somebody and hand it over to somebody else."""
    row = await lead(by)
    await hand_overs.hand_over(by, row.id, key(to), now=NOW)
    return row


async def standing(row: Lead) -> HandOver:
    return await HandOver.get(lead_id=row.id)


async def test_a_lead_is_handed_over_and_accepted_and_the_time_between_is_known() -> None:
    _, marketer, rep = await people()
    row = await lead(marketer)
    with pytest.raises(NotFound):
        await policy.get(rep, Lead, row.id)

    given = await hand_overs.hand_over(marketer, row.id, key(rep), note=" Call today ", expected_version=1, now=NOW)
    await policy.get(rep, Lead, row.id)
    accepted = await hand_overs.accept(rep, row.id, now=LATER)

    assert (given.status, given.note, given.from_user_id, given.to_user_id, given.former_owner_id) == (
        PENDING,
        "Call today",
        marketer.user_id,
        rep.user_id,
        None,
    )
    assert (accepted.id, accepted.status, accepted.decided_by_id, accepted.decided_at) == (
        given.id,
        ACCEPTED,
        rep.user_id,
        LATER,
    )
    kept = await Lead.get(id=row.id)
    assert (kept.owner_id, kept.version) == (rep.user_id, 2)
    over, taken = (await events(row.id))[1:]
    assert (over.name, taken.name) == ("lead.handed_over", "lead.accepted")
    assert (over.data["before"]["owner_id"], over.data["after"]["owner_id"]) == (None, str(rep.user_id))
    assert over.data["changes"] == {"owner_id": [None, str(rep.user_id)], "note": [None, "Call today"]}
    assert taken.data["before"] == taken.data["after"] == over.data["after"]
    for event in (over, taken):
        assert event.data["hand_over_id"] == str(given.id)
        assert event.data["from_user_id"] == str(marketer.user_id)
        assert event.data["to_user_id"] == str(rep.user_id)


async def test_a_returned_lead_goes_back_to_its_owner_for_a_reason_and_may_be_handed_over_again() -> None:
    admin, marketer, rep = await people()
    first = await member(Role.REP, of=admin)
    row = await lead(marketer)
    await leads.assign(admin, row.id, first.user_id, now=NOW)
    await hand_overs.hand_over(marketer, row.id, key(rep), now=NOW)

    with pytest.raises(Required):
        await hand_overs.give_back(rep, row.id, reason="  ", now=LATER)
    back = await hand_overs.give_back(rep, row.id, reason=" No budget ", now=LATER)
    again_over = await hand_overs.hand_over(marketer, row.id, key(rep), now=LATER)

    assert (back.status, back.reason, back.decided_by_id) == (RETURNED, "No budget", rep.user_id)
    returned = next(event for event in await events(row.id) if event.name == "lead.returned")
    assert returned.data["after"]["owner_id"] == str(first.user_id)
    assert returned.data["changes"]["reason"] == [None, "No budget"]
    assert (again_over.status, again_over.former_owner_id) == (PENDING, first.user_id)
    assert (await HandOver.get(id=back.id)).reason == "No budget"


@pytest.mark.parametrize(("owner_leaves", "giver_leaves"), [(False, False), (True, False), (True, True)])
async def test_a_lead_goes_back_to_who_is_there_still(owner_leaves: bool, giver_leaves: bool) -> None:
    admin, marketer, rep = await people()
    first = await member(Role.REP, of=admin)
    row = await lead(first)
    await hand_overs.hand_over(marketer, row.id, key(rep), now=NOW)
    for person, leaves in ((first, owner_leaves), (marketer, giver_leaves)):
        if leaves:
            await Membership.filter(user_id=person.user_id).update(active=False)

    await hand_overs.give_back(rep, row.id, reason="No budget", now=LATER)

    wanted = None if giver_leaves else marketer.user_id if owner_leaves else first.user_id
    assert (await Lead.get(id=row.id)).owner_id == wanted


async def test_a_lead_that_nobody_owned_goes_back_to_who_handed_it_over() -> None:
    _, marketer, rep = await people()
    row = await handed(marketer, rep)

    await hand_overs.give_back(rep, row.id, reason="No budget", now=LATER)

    assert (await Lead.get(id=row.id)).owner_id == marketer.user_id


async def test_a_manager_of_the_receiver_answers_for_them_and_others_do_not() -> None:
    admin, marketer, _ = await people()
    north, south = await team(admin), await team(admin)
    rep = await member(Role.REP, of=admin, team=north)
    theirs = await again(await member(Role.MANAGER, of=admin, team=north))
    other = await again(await member(Role.MANAGER, of=admin, team=south))
    row, second = await handed(marketer, rep), await handed(marketer, rep)

    with pytest.raises(NotFound):
        await hand_overs.accept(other, row.id, now=LATER)
    for person in (marketer, await member(Role.QUALIFIER, of=admin), await member(Role.VIEWER, of=admin)):
        with pytest.raises(Forbidden):
            await hand_overs.accept(person, row.id, now=LATER)
        with pytest.raises(Forbidden):
            await hand_overs.give_back(person, row.id, reason="Mine", now=LATER)
    accepted = await hand_overs.accept(theirs, row.id, now=LATER)
    await hand_overs.give_back(theirs, second.id, reason="No time", now=LATER)

    assert accepted.decided_by_id == theirs.user_id
    assert (await Lead.get(id=row.id)).owner_id == rep.user_id
    assert (await Lead.get(id=second.id)).owner_id == marketer.user_id


async def test_who_hands_over_what_to_whom() -> None:
    admin, marketer, rep = await people()
    row = await lead(marketer)
    viewer, gone = await member(Role.VIEWER, of=admin), await member(Role.REP, of=admin, active=False)
    stranger = await seller()

    for actor, to, error in (
        (marketer, viewer, OwnerViewer),
        (marketer, gone, OwnerInactive),
        (marketer, stranger, NotFound),
        (viewer, rep, Forbidden),
        (rep, rep, NotFound),
        (stranger, stranger, NotFound),
    ):
        with pytest.raises(error):
            await hand_overs.hand_over(actor, row.id, key(to), now=NOW)
    own = await lead(rep)
    with pytest.raises(Forbidden):
        await hand_overs.hand_over(rep, own.id, key(admin), now=NOW)
    with pytest.raises(ReceiverOwnsIt):
        await hand_overs.hand_over(marketer, own.id, key(rep), now=NOW)
    with pytest.raises(Stale):
        await hand_overs.hand_over(marketer, row.id, key(rep), expected_version=9, now=NOW)
    with pytest.raises(Invalid) as caught:
        await hand_overs.hand_over(marketer, row.id, uuid7(), note="x" * 20_001, now=NOW)
    assert {type(fault) for fault in caught.value.faults} == {TooLong, NotFound}
    assert not await HandOver.exists(workspace_id=admin.workspace_id)


async def test_what_is_not_handed_over_is_neither_accepted_nor_returned() -> None:
    admin, marketer, rep = await people()
    never = await lead(admin)
    row = await handed(marketer, rep)
    await hand_overs.accept(rep, row.id, now=LATER)

    for attempt in (
        hand_overs.accept(admin, never.id, now=LATER),
        hand_overs.accept(rep, row.id, now=LATER),
        hand_overs.give_back(rep, row.id, reason="Late", now=LATER),
    ):
        with pytest.raises(NotHandedOver):
            await attempt
    assert (await standing(row)).status is ACCEPTED


async def test_a_lead_waits_for_one_answer_at_a_time_and_is_open() -> None:
    admin, marketer, rep = await people()
    row, closed = await handed(marketer, rep), await lead(admin)
    await closings.close(admin, closed.id, LeadStatus.WON, now=NOW)

    with pytest.raises(AlreadyHandedOver):
        await hand_overs.hand_over(marketer, row.id, key(admin), now=NOW)
    with pytest.raises(LeadNotOpen):
        await hand_overs.hand_over(marketer, closed.id, key(rep), now=NOW)

    assert (await standing(row)).to_user_id == rep.user_id


Deed = Callable[[Actor, Actor, Lead], Awaitable[Any]]
ENDS: dict[str, Deed] = {
    "won": lambda admin, other, row: closings.close(admin, row.id, LeadStatus.WON, now=LATER),
    "disqualified": lambda admin, other, row: closings.disqualify(admin, row.id, note="A student", now=LATER),
    "deleted": lambda admin, other, row: leads.delete(admin, row.id, now=LATER),
    "given to somebody else": lambda admin, other, row: leads.assign(admin, row.id, other.user_id, now=LATER),
    "given to nobody": lambda admin, other, row: leads.assign(admin, row.id, None, now=LATER),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_hand_over_is_over_when_the_lead_is(how: str) -> None:
    admin, marketer, rep = await people()
    row = await handed(marketer, rep)

    await ENDS[how](admin, marketer, row)

    over = await standing(row)
    assert (over.status, over.decided_at, over.decided_by_id) == (OBSOLETE, LATER, None)
    assert (await events(row.id))[-1].data["obsolete_hand_over_id"] == str(over.id)
    with pytest.raises((NotHandedOver, NotFound)):
        await hand_overs.accept(admin, row.id, now=LATER)


@pytest.mark.parametrize("kind", [BulkKind.ASSIGN, BulkKind.CLOSE, BulkKind.DELETE])
async def test_hand_overs_are_over_when_many_leads_are_at_once(kind: BulkKind) -> None:
    admin, marketer, rep = await people()
    rows = [await handed(marketer, rep) for _ in range(3)]
    kept = await handed(marketer, rep)
    arguments: dict[BulkKind, dict[str, Any]] = {
        BulkKind.ASSIGN: {"owner_id": marketer.user_id},
        BulkKind.CLOSE: {"status": LeadStatus.DISQUALIFIED},
        BulkKind.DELETE: {},
    }

    outcomes = await bulks.named(admin, Work(kind, arguments[kind]), [row.id for row in rows], now=LATER)

    assert [outcome.faults for outcome in outcomes if outcome.faults] == []
    assert [(await standing(row)).status for row in (*rows, kept)] == [OBSOLETE, OBSOLETE, OBSOLETE, PENDING]


async def test_a_lead_that_comes_back_does_not_wait_any_more() -> None:
    admin, marketer, rep = await people()
    deleted, closed = await handed(marketer, rep), await handed(marketer, rep)
    await leads.delete(admin, deleted.id, now=LATER)
    await closings.close(admin, closed.id, LeadStatus.DISQUALIFIED, now=LATER)

    await leads.restore(admin, deleted.id, now=LATER)
    await closings.reopen(admin, closed.id, now=LATER)

    assert [(await standing(row)).status for row in (deleted, closed)] == [OBSOLETE, OBSOLETE]
    assert (await hand_overs.hand_over(marketer, deleted.id, key(admin), now=LATER)).status is PENDING


async def test_what_leaves_the_lead_with_its_receiver_leaves_the_hand_over_alone() -> None:
    admin, marketer, rep = await people()
    row = await handed(marketer, rep)

    await leads.assign(admin, row.id, rep.user_id, now=LATER)
    await leads.update(rep, row.id, leads.LeadDetails(title="Bigger roof"), now=LATER)

    assert (await standing(row)).status is PENDING


async def test_of_two_who_hand_over_at_once_one_does() -> None:
    admin, marketer, rep = await people()
    row = await lead(marketer)

    outcomes = await asyncio.gather(
        hand_overs.hand_over(marketer, row.id, key(rep), now=NOW),
        hand_overs.hand_over(admin, row.id, key(marketer), now=NOW),
        return_exceptions=True,
    )

    [refused] = [each for each in outcomes if isinstance(each, DomainError)]
    assert isinstance(refused, AlreadyHandedOver)
    over = await standing(row)
    assert (await Lead.get(id=row.id)).owner_id == over.to_user_id
    assert len([event for event in await events(row.id) if event.name == "lead.handed_over"]) == 1


@pytest.mark.parametrize("number", range(3))
async def test_of_an_acceptance_and_a_return_at_once_one_counts(number: int) -> None:
    admin, marketer, rep = await people()
    row = await handed(marketer, rep)

    outcomes = await asyncio.gather(
        hand_overs.accept(rep, row.id, now=LATER),
        hand_overs.give_back(admin, row.id, reason="No budget", now=LATER),
        hand_overs.accept(admin, row.id, now=LATER),
        return_exceptions=True,
    )

    done = [each for each in outcomes if isinstance(each, HandOver)]
    refused = [each for each in outcomes if not isinstance(each, HandOver)]
    assert len(done) == 1
    # Whoever does not see the lead any more is told that there is none.
    assert all(isinstance(each, NotHandedOver | NotFound) for each in refused)
    over, kept = await standing(row), await Lead.get(id=row.id)
    assert over.status is done[0].status
    assert kept.owner_id == (rep.user_id if over.status is ACCEPTED else marketer.user_id)


@pytest.mark.parametrize("number", range(3))
async def test_an_acceptance_and_another_owner_at_once_agree_on_whose_the_lead_is(number: int) -> None:
    admin, marketer, rep = await people()
    row = await handed(marketer, rep)

    outcomes = await asyncio.gather(
        hand_overs.accept(admin, row.id, now=LATER),
        leads.assign(admin, row.id, marketer.user_id, now=LATER),
        return_exceptions=True,
    )

    assert not isinstance(outcomes[1], BaseException)
    assert (await Lead.get(id=row.id)).owner_id == marketer.user_id
    accepted = isinstance(outcomes[0], HandOver)
    assert (await standing(row)).status is (ACCEPTED if accepted else OBSOLETE)


async def test_the_receiver_is_told_of_a_hand_over_and_the_giver_of_its_end() -> None:
    admin, marketer, rep = await people()
    accepted, returned = await handed(marketer, rep), await handed(marketer, rep)
    await hand_overs.accept(rep, accepted.id, now=LATER)
    await hand_overs.give_back(rep, returned.id, reason="No budget", now=LATER)
    happened = [event.id for row in (accepted, returned) for event in await events(row.id)]

    await notifications.notify(admin.workspace_id, happened, now=LATER)

    told = await Notification.filter(workspace_id=admin.workspace_id)
    # What came back is no longer the receiver's to see, so that nobody tells them that it was handed over.
    assert {(one.user_id, one.kind, one.lead_id, one.actor_id) for one in told} == {
        (rep.user_id, NotificationKind.HAND_OVER, accepted.id, marketer.user_id),
        (marketer.user_id, NotificationKind.HAND_OVER_ACCEPTED, accepted.id, rep.user_id),
        (marketer.user_id, NotificationKind.HAND_OVER_RETURNED, returned.id, rep.user_id),
    }


async def test_a_lead_for_who_is_away_goes_to_who_stands_in_for_them() -> None:
    admin, marketer, rep = await people()
    deputy = await member(Role.REP, of=admin)
    await Membership.filter(user_id=rep.user_id).update(away_from=NOW, substitute_id=deputy.user_id)

    row = await handed(marketer, rep)

    over = await standing(row)
    assert over.to_user_id == deputy.user_id == (await Lead.get(id=row.id)).owner_id
    assert (await events(row.id))[-1].data["instead_of"] == str(rep.user_id)
    assert (await hand_overs.accept(deputy, row.id, now=LATER)).status is ACCEPTED


async def test_a_lead_is_disqualified_for_a_reason_or_in_words() -> None:
    admin, _, rep = await people()
    student, rival = await lead(rep), await lead(admin)
    why = await LostReason.create(workspace_id=admin.workspace_id, name="No project", created_at=NOW, updated_at=NOW)

    with pytest.raises(WhyMissing):
        await closings.disqualify(rep, student.id, note=" ", now=NOW)
    done = await closings.disqualify(rep, student.id, lost_reason_id=why.id, expected_version=1, now=NOW)
    other = await closings.disqualify(admin, rival.id, note="A rival", now=NOW)
    reopened = await closings.reopen(rep, student.id, now=LATER)

    assert (done.status, done.lost_reason_id, done.close_note) == (LeadStatus.DISQUALIFIED, why.id, None)
    assert (other.status, other.lost_reason_id, other.close_note) == (LeadStatus.DISQUALIFIED, None, "A rival")
    assert reopened.lost_reason_id is None
    with pytest.raises((Conflict, closings.LeadAlreadyClosed)):
        await closings.disqualify(admin, rival.id, note="Again", now=NOW)
