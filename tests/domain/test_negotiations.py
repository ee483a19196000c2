"""Negotiations: prepared by the seller, carried on in turns, ended by whoever is first."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain import concessions, negotiation_comments, negotiations, proposal_answers, proposal_expiry, proposals
from domain.concessions import Concession
from domain.errors import Forbidden, Invalid, Malformed, NotFound, OutOfRange, Required, Stale, TooLong
from domain.negotiating import Buyer, NegotiationOver, NotNegotiable
from domain.negotiations import NegotiationOpen, RespondByPast
from domain.offer_terms import TermKind
from domain.preparations import Preparation, RailsCrossed, TooMuchPrepared
from domain.proposal_answers import Given
from domain.proposal_details import ProposalDetails
from domain.tokens import EndedLink
from models.base import uuid7
from models.leads import Lead
from models.negotiations import NegotiationEnding, NegotiationState, Offer, OfferState
from models.proposal_links import Party, ProposalLink
from models.proposals import Proposal, ProposalState, ProposalVersion
from models.users import Role
from tests.factories import NOW, events, lead, member, seller
from tests.negotiating import Sitting, off, sent_proposal, sit_down

LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("db")


async def test_a_negotiation_opens_with_the_proposal_as_its_first_offer() -> None:
    until = NOW + timedelta(days=3)
    here = await sit_down(
        respond_by=until,
        target=Decimal(950),
        must_haves=[" Payment within a month ", " "],
        concessions=[Concession(key="mounting", text="Mounting for nothing", value=Decimal("200.0000"))],
        floor_price=Decimal(900),
        walk_away=Decimal(850),
    )

    negotiation = here.negotiation
    assert (negotiation.state, negotiation.turn, negotiation.rounds) == (NegotiationState.OPEN, Party.BUYER, 0)
    assert (negotiation.respond_by, negotiation.due_at) == (until, until)
    assert negotiation.must_haves == ["Payment within a month"]
    [kept] = concessions.load(negotiation.concessions)
    assert (kept.key, kept.text, kept.value) == ("mounting", "Mounting for nothing", Decimal(200))
    [first] = await here.offers()
    assert (first.round, first.party, first.state, first.net) == (0, Party.SELLER, OfferState.OPEN, Decimal(1000))
    told = (await events(here.lead.id))[-1]
    assert told.name == "negotiation.opened"
    assert told.data["before"] == told.data["after"], "the lead is as it was"
    assert told.data["negotiation_id"] == str(negotiation.id)
    assert "900" not in str(told.data), "the log tells nobody of the guard rails"


@pytest.mark.parametrize(
    "state", [one for one in ProposalState if one not in (ProposalState.SENT, ProposalState.VIEWED)]
)
async def test_only_what_was_sent_and_waits_for_an_answer_is_negotiated(state: ProposalState) -> None:
    actor = await seller()
    proposal, _ = await sent_proposal(await lead(actor), actor, state=state)

    with pytest.raises(NotNegotiable):
        await negotiations.open(actor, proposal.id, Preparation(), now=NOW)


async def test_a_proposal_has_one_open_negotiation() -> None:
    here = await sit_down()

    with pytest.raises(NegotiationOpen):
        await negotiations.open(here.actor, here.proposal.id, Preparation(), now=NOW)
    await negotiations.break_off(here.actor, here.negotiation.id, "Too far apart.", now=NOW)
    again = await negotiations.open(here.actor, here.proposal.id, Preparation(), now=LATER)

    assert again.id != here.negotiation.id


async def test_every_fault_of_a_preparation_is_told_at_once() -> None:
    actor = await seller()
    proposal, _ = await sent_proposal(await lead(actor), actor)
    wrong = Preparation(
        target=Decimal(800),
        walk_away=Decimal(900),
        floor_price=Decimal(-1),
        floor_margin=Decimal(101),
        most_discount=Decimal("0.0001"),
        must_haves=["x" * 501],
        concessions=[
            Concession(key="a", text="One"),
            Concession(key="a", text=""),
            Concession(key="b", text="Days", payment_days=-1),
            Concession(key="c", text="Price", term=TermKind.UNIT_PRICE, delivery_on=date(2026, 5, 1)),
        ],
    )

    with pytest.raises(Invalid) as caught:
        await negotiations.open(actor, proposal.id, wrong, respond_by=NOW, now=NOW)

    assert {(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults} == {
        (RailsCrossed, "walkAway"),
        (OutOfRange, "floorPrice"),
        (OutOfRange, "floorMargin"),
        (Malformed, "mostDiscount"),
        (TooLong, "mustHaves.0"),
        (Malformed, "concessions.1.key"),
        (Required, "concessions.1.text"),
        (OutOfRange, "concessions.2.paymentDays"),
        (Malformed, "concessions.2.paymentDays"),
        (Malformed, "concessions.3.term"),
        (Malformed, "concessions.3.deliveryOn"),
        (RespondByPast, "respondBy"),
    }
    many = Preparation(must_haves=["x"] * 51)
    with pytest.raises(TooMuchPrepared):
        await negotiations.open(actor, proposal.id, many, now=NOW)


async def test_what_was_prepared_changes_and_an_edit_that_changes_nothing_does_nothing() -> None:
    here = await sit_down(floor_price=Decimal(900))

    changed = await negotiations.update(
        here.actor, here.negotiation.id, Preparation(target=Decimal(950)), expected_version=1, now=LATER
    )
    same = await negotiations.update(here.actor, here.negotiation.id, Preparation(target=Decimal(950)), now=LATER)
    with pytest.raises(Stale):
        await negotiations.update(here.actor, here.negotiation.id, Preparation(), expected_version=1, now=LATER)

    assert (changed.target, changed.floor_price, same.version) == (Decimal(950), Decimal(900), 2)
    assert [event.name for event in await events(here.lead.id)].count("negotiation.updated") == 1
    assert (await events(here.lead.id))[-1].data["changed"] == ["target"]


async def test_a_guard_rail_is_loosened_by_those_who_approve_and_tightened_by_everybody() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    here = await sit_down(rep, floor_price=Decimal(900), most_discount=Decimal(10))
    key = here.negotiation.id

    for looser in (
        Preparation(floor_price=Decimal(899)),
        Preparation(floor_price=None),
        Preparation(most_discount=Decimal(11)),
    ):
        with pytest.raises(Forbidden):
            await negotiations.update(rep, key, looser, now=NOW)
    tighter = Preparation(floor_price=Decimal(910), most_discount=Decimal(5), walk_away=Decimal(800))
    assert (await negotiations.update(rep, key, tighter, now=NOW)).floor_price == 910
    with pytest.raises(Forbidden):
        await negotiations.update(rep, key, Preparation(walk_away=Decimal(700)), now=NOW)
    assert (await negotiations.update(admin, key, Preparation(floor_price=None), now=NOW)).floor_price is None


async def test_either_side_breaks_off_for_a_reason_which_is_kept() -> None:
    here, there = await sit_down(), await sit_down()

    by_seller = await negotiations.break_off(here.actor, here.negotiation.id, " Too far apart. ", now=LATER)
    by_buyer = await negotiations.leave(there.buyer, "We have another offer.", now=LATER)

    assert (by_seller.state, by_seller.ended_by, by_seller.reason) == (
        NegotiationState.BROKEN_OFF,
        Party.SELLER,
        "Too far apart.",
    )
    assert by_seller.ending is by_buyer.ending is NegotiationEnding.BROKEN_OFF
    assert (by_buyer.ended_by, by_buyer.reason, by_buyer.ended_at) == (
        Party.BUYER,
        "We have another offer.",
        LATER,
    )
    assert [offer.state for offer in await here.offers()] == [OfferState.LAPSED]
    told = (await events(there.lead.id))[-1]
    assert (told.name, told.actor["kind"]) == ("negotiation.broken_off", "LINK")
    assert (await Proposal.get(id=here.proposal.id)).state is ProposalState.SENT, "the proposal still stands"


async def test_broken_off_twice_by_one_side_is_once_and_the_other_side_is_told_what_happened() -> None:
    here = await sit_down()

    await negotiations.leave(here.buyer, "No.", now=NOW)
    again = await negotiations.leave(here.buyer, "No!", now=LATER)

    assert (again.reason, again.ended_at) == ("No.", NOW)
    with pytest.raises(NegotiationOver, match="the buyer broke it off"):
        await negotiations.break_off(here.actor, here.negotiation.id, "Never mind.", now=LATER)
    with pytest.raises(NegotiationOver):
        await here.offer(off("5"))
    with pytest.raises(NegotiationOver):
        await negotiations.update(here.actor, here.negotiation.id, Preparation(target=Decimal(1)), now=LATER)


async def test_a_reason_is_required() -> None:
    here = await sit_down()

    with pytest.raises(Required):
        await negotiations.break_off(here.actor, here.negotiation.id, "  ", now=NOW)
    with pytest.raises(TooLong):
        await negotiations.leave(here.buyer, "x" * 1001, now=NOW)


async def test_both_sides_comment_and_a_double_click_is_one() -> None:
    here = await sit_down()

    theirs = await negotiation_comments.remark(here.buyer, " Can you install in May? ", now=NOW)
    again = await negotiation_comments.remark(here.buyer, "Can you install in May?", now=NOW)
    ours = await negotiation_comments.comment(here.actor, here.negotiation.id, "Yes.", now=LATER)

    assert (theirs.text, theirs.party, theirs.name, theirs.link_id) == (
        "Can you install in May?",
        Party.BUYER,
        "Berta Buyer",
        here.link.id,
    )
    assert again.id == theirs.id
    assert (ours.party, ours.user_id, ours.link_id) == (Party.SELLER, here.actor.user_id, None)
    names = [event.name for event in await events(here.lead.id)]
    assert names.count("negotiation.commented") == 2
    await negotiations.leave(here.buyer, "No.", now=NOW)
    with pytest.raises(NegotiationOver):
        await negotiation_comments.comment(here.actor, here.negotiation.id, "Why?", now=LATER)


async def test_a_link_that_was_revoked_or_is_past_or_is_of_a_deleted_lead_carries_nothing_on() -> None:
    for columns in ({"revoked_at": NOW}, {"expires_at": NOW}):
        here = await sit_down()
        await ProposalLink.filter(id=here.link.id).update(**columns)
        with pytest.raises(EndedLink):
            await here.counter(off("5"), now=NOW)
    here = await sit_down()
    await Lead.filter(id=here.lead.id).update(deleted_at=NOW)
    with pytest.raises(EndedLink):
        await negotiations.leave(here.buyer, "No.", now=NOW)


async def test_a_link_leads_to_its_own_proposals_negotiation_only() -> None:
    here, there = await sit_down(), await sit_down()

    with pytest.raises(NotFound):
        await here.counter(off("5"), negotiation_id=there.negotiation.id)
    with pytest.raises(NotFound):
        await negotiations.leave(here.buyer, "No.", negotiation_id=uuid7(), now=NOW)
    assert (await there.now()).rounds == 0


async def test_whoever_acts_by_a_link_says_who_they_are() -> None:
    here = await sit_down()

    with pytest.raises(Required):
        await negotiations.leave(Buyer(link=here.link, name=" "), "No.", now=NOW)


async def test_members_carry_on_what_they_may_see_and_negotiate() -> None:
    admin = await seller()
    owner, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    viewer, stranger = await member(Role.VIEWER, of=admin), await seller()
    here = await sit_down(owner)

    for actor, error in ((other, NotFound), (stranger, NotFound), (viewer, Forbidden)):
        with pytest.raises(error):
            await negotiations.break_off(actor, here.negotiation.id, "No.", now=NOW)
        with pytest.raises(error):
            await negotiations.open(actor, here.proposal.id, Preparation(), now=NOW)
        with pytest.raises(error):
            await negotiation_comments.comment(actor, here.negotiation.id, "Hello", now=NOW)


async def test_a_proposal_that_went_on_without_the_negotiation_is_not_negotiated_any_more() -> None:
    here = await sit_down()
    await ProposalVersion.filter(id=here.negotiation.proposal_version_id).update(state=ProposalState.WITHDRAWN)

    with pytest.raises(NotNegotiable, match="withdrawn"):
        await here.counter(off("5"))

    version = await ProposalVersion.get(id=here.negotiation.proposal_version_id)
    next_one = version.clone(pk=uuid7())
    next_one.number, next_one.state = 2, ProposalState.SENT
    await next_one.save(force_create=True)
    await Proposal.filter(id=here.proposal.id).update(sent_id=next_one.id)
    with pytest.raises(NotNegotiable, match="another version"):
        await here.counter(off("5"))
    assert await Offer.filter(negotiation_id=here.negotiation.id).count() == 1


async def sent_anew(here: Sitting) -> None:
    await proposals.update(here.actor, here.proposal.id, ProposalDetails(title="Larger roof"), now=LATER)
    await proposals.send(here.actor, here.proposal.id, now=LATER)


async def withdrawn(here: Sitting) -> None:
    await proposals.withdraw(here.actor, here.proposal.id, now=LATER)


async def accepted(here: Sitting) -> None:
    await proposal_answers.accept(here.link.id, Given(name="Berta", sha256="0" * 64), now=LATER)


async def declined(here: Sitting) -> None:
    await proposal_answers.decline_for(here.actor, here.proposal.id, Given(reason="They called: no."), now=LATER)


async def expired(here: Sitting) -> None:
    await Proposal.filter(id=here.proposal.id).update(due_at=NOW)
    await proposal_expiry.expire_due(LATER)


@pytest.mark.parametrize(
    ("act", "ending", "by", "told"),
    [
        (sent_anew, NegotiationEnding.PROPOSAL_SENT_ANEW, Party.SELLER, "the seller sent another version"),
        (withdrawn, NegotiationEnding.PROPOSAL_WITHDRAWN, Party.SELLER, "the seller withdrew"),
        (accepted, NegotiationEnding.PROPOSAL_ACCEPTED, Party.BUYER, "the buyer accepted"),
        (declined, NegotiationEnding.PROPOSAL_DECLINED, Party.BUYER, "the buyer declined"),
        (expired, NegotiationEnding.PROPOSAL_EXPIRED, None, "the proposal expired"),
    ],
)
async def test_a_negotiation_ends_with_its_proposal_at_once_and_says_why(
    act: Callable[[Sitting], Awaitable[None]], ending: NegotiationEnding, by: Party | None, told: str
) -> None:
    here = await sit_down(respond_by=LATER, floor_price=900)
    await here.offer(off("20"))

    await act(here)

    now = await here.now()
    assert (now.state, now.ending, now.ended_by) == (NegotiationState.BROKEN_OFF, ending, by)
    assert (now.ended_at, now.reason, now.due_at) == (LATER, None, None)
    assert {offer.state for offer in await here.offers()} == {OfferState.LAPSED}
    [event] = [event for event in await events(here.lead.id) if event.name == "negotiation.broken_off"]
    assert (event.data["ending"], event.data["party"]) == (ending.value, by and by.value)
    with pytest.raises(NegotiationOver, match=told):
        await here.offer(off("5"))
