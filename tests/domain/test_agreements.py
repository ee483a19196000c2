"""Agreements: what both sides agreed on becomes the next version, with evidence of both; one of two answers wins."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import agreements, negotiations, offers, proposal_versions, proposals
from domain.actors import ALL
from domain.agreements import OfferNeedsApproval
from domain.errors import DomainError, Required
from domain.guard_rails import BelowWalkAway
from domain.negotiating import Buyer, NegotiationOver
from domain.offer_terms import FreeTerm, LineChange, TermsChange
from domain.offers import NotYourTurn, OfferOvertaken, UnknownRound
from domain.proposal_details import ProposalDetails
from models.negotiations import Negotiation, NegotiationState, Offer, OfferState
from models.proposal_links import Evidence, EvidenceKind, Party
from models.proposals import ApprovalKind, ApprovalRule, Proposal, ProposalLine, ProposalState, ProposalVersion
from models.selling import SellingSettings
from models.users import Role
from tests.factories import NOW, events, member, seller
from tests.negotiating import BROWSER, Sitting, off, sit_down

LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("db")


async def test_the_buyer_agrees_and_the_next_version_says_what_was_agreed() -> None:
    here = await sit_down()
    panel, mounting, battery = [await here.line(name) for name in ("Solar panel", "Mounting", "Battery")]
    await here.counter(
        TermsChange(
            lines=[
                LineChange(key=panel, unit_price=Decimal(70), quantity=Decimal(12)),
                LineChange(key=mounting, quantity=Decimal(0)),
                LineChange(key=battery, chosen=True, discount_percent=Decimal(10)),
            ],
            discount_amount=Decimal(40),
            delivery_on=date(2026, 5, 1),
            payment_days=30,
            free=[FreeTerm(key="training", label="Schulung", text="Ein Tag")],
        )
    )
    await here.offer(TermsChange(discount_amount=Decimal(30)))

    agreed = await agreements.accept(here.buyer, round=2, now=LATER)

    assert (agreed.state, agreed.ended_by, agreed.ended_at) == (NegotiationState.AGREED, Party.BUYER, LATER)
    assert (agreed.due_at, agreed.reason) == (None, None)
    proposal = await Proposal.get(id=here.proposal.id)
    version = await ProposalVersion.get(id=agreed.agreed_version_id)
    assert (proposal.state, proposal.sent_id, proposal.current_id) == (
        ProposalState.ACCEPTED,
        version.id,
        version.id,
    )
    assert (version.number, version.state, version.net, version.total) == (
        2,
        ProposalState.ACCEPTED,
        Decimal(1260),
        Decimal("1499.40"),
    )
    assert version.terms == "Ours.\n\nLieferung: am 1. Mai 2026\nZahlung: innerhalb von 30 Tagen\nSchulung: Ein Tag"
    lines = await ProposalLine.filter(version_id=version.id).order_by("position")
    assert [(line.key, line.position, line.quantity, line.unit_price, line.chosen) for line in lines] == [
        (panel, 0, Decimal(12), Decimal(70), True),
        (battery, 1, Decimal(1), Decimal(500), True),
    ]
    assert proposal_versions.is_genuine(proposal, version, lines), "frozen and hashed"
    first = await ProposalVersion.get(id=here.negotiation.proposal_version_id)
    assert (first.state, first.net) == (ProposalState.SUPERSEDED, Decimal(1000))
    assert [offer.state for offer in await here.offers()] == [
        OfferState.COUNTERED,
        OfferState.COUNTERED,
        OfferState.AGREED,
    ]
    told, accepted = (await events(here.lead.id))[-2:]
    assert (told.name, told.data["total"], told.data["round"]) == ("negotiation.agreed", "1499.4", 2)
    assert (accepted.name, accepted.data["negotiation_id"]) == ("proposal.accepted", str(here.negotiation.id))


async def test_both_sides_evidence_is_kept_by_the_hash_of_the_terms() -> None:
    here = await sit_down()
    made = await here.offer(off("3"))

    agreed = await agreements.accept(here.buyer, round=1, now=LATER)

    version = await ProposalVersion.get(id=agreed.agreed_version_id)
    found = {(row.kind, row.party): row for row in await Evidence.filter(proposal_id=here.proposal.id)}
    assert set(found) == {
        (EvidenceKind.AGREED, Party.SELLER),
        (EvidenceKind.AGREED, Party.BUYER),
        (EvidenceKind.ACCEPTED, Party.BUYER),
    }
    theirs, ours = found[EvidenceKind.AGREED, Party.BUYER], found[EvidenceKind.AGREED, Party.SELLER]
    assert theirs.sha256 == ours.sha256 == made.sha256
    assert (theirs.name, theirs.address, theirs.user_agent, theirs.link_id) == (
        "Berta Buyer",
        "192.0.2.7",
        BROWSER,
        here.link.id,
    )
    assert (ours.user_id, ours.link_id, ours.facts["said_at"]) == (here.actor.user_id, None, NOW.isoformat())
    accepted = found[EvidenceKind.ACCEPTED, Party.BUYER]
    assert (accepted.sha256, accepted.total, accepted.version_id) == (version.sha256, version.total, version.id)
    assert accepted.facts["options"] == []
    assert {row.version_id for row in found.values()} == {version.id}


async def test_the_seller_agrees_to_what_the_buyer_has_asked_for() -> None:
    here = await sit_down()
    asked = await here.counter(off("4"))

    agreed = await agreements.agree(here.actor, here.negotiation.id, round=1, now=LATER)

    assert (agreed.ended_by, (await ProposalVersion.get(id=agreed.agreed_version_id)).net) == (
        Party.SELLER,
        Decimal(960),
    )
    accepted = await Evidence.get(proposal_id=here.proposal.id, kind=EvidenceKind.ACCEPTED)
    assert (accepted.party, accepted.name, accepted.link_id) == (Party.BUYER, "Berta Buyer", here.link.id)
    assert asked.link_id == here.link.id


async def test_what_a_member_noted_for_the_buyer_is_evidence_that_names_the_member() -> None:
    here = await sit_down()
    await here.offer(off("4"), party=Party.BUYER, name="Bob Boss")

    await agreements.agree(here.actor, here.negotiation.id, round=1, now=LATER)

    accepted = await Evidence.get(proposal_id=here.proposal.id, kind=EvidenceKind.ACCEPTED)
    assert (accepted.name, accepted.user_id, accepted.link_id) == ("Bob Boss", here.actor.user_id, None)


async def test_the_proposal_itself_can_be_agreed_to_as_round_0() -> None:
    here = await sit_down()

    agreed = await agreements.accept(here.buyer, round=0, now=LATER)

    version = await ProposalVersion.get(id=agreed.agreed_version_id)
    assert (version.number, version.net, version.terms) == (2, Decimal(1000), "Ours.")


async def test_nobody_agrees_to_their_own_offer_nor_to_one_that_was_overtaken() -> None:
    here = await sit_down()
    key = here.negotiation.id

    with pytest.raises(NotYourTurn, match="buyer's turn"):
        await agreements.agree(here.actor, key, round=0, now=NOW)
    await here.offer(off("2"))
    with pytest.raises(OfferOvertaken, match=r"The seller \(.+\) has made another offer since, round 1"):
        await agreements.accept(here.buyer, round=0, now=NOW)
    for made_up in (-1, 2):
        with pytest.raises(UnknownRound, match=f"no round {made_up}: the last is 1"):
            await agreements.accept(here.buyer, round=made_up, now=NOW)
    await here.counter(off("9"))
    with pytest.raises(NotYourTurn, match="seller's turn"):
        await agreements.accept(here.buyer, round=2, now=NOW)
    with pytest.raises(Required):
        await agreements.accept(Buyer(link=here.link, name=""), round=2, now=NOW)


async def test_a_buyers_offer_beyond_the_guard_rails_needs_approval_before_a_rep_agrees() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    here = await sit_down(rep, floor_price=Decimal(900))
    asked = await here.counter(off("15"))

    said = r"Round 1 goes beyond the floor price of 900 EUR .it comes to 850 EUR net.: .* the role ADMIN or MANAGER has"
    with pytest.raises(OfferNeedsApproval, match=said):
        await agreements.agree(rep, here.negotiation.id, round=1, now=NOW)
    approved = await offers.approve(admin, asked.id, now=NOW)
    agreed = await agreements.agree(rep, here.negotiation.id, round=1, now=LATER)

    assert (approved.state, approved.decided_by_id) == (OfferState.OPEN, admin.user_id)
    assert agreed.state is NegotiationState.AGREED

    there = await sit_down(admin, floor_price=Decimal(900))
    asked = await there.counter(off("15"))
    await agreements.agree(admin, there.negotiation.id, round=1, now=NOW)
    assert (await Offer.get(id=asked.id)).decided_by_id == admin.user_id, "by agreeing"


async def test_below_the_walk_away_nobody_agrees() -> None:
    here = await sit_down(walk_away=Decimal(900))
    await here.counter(off("15"))

    with pytest.raises(BelowWalkAway):
        await agreements.agree(here.actor, here.negotiation.id, round=1, now=NOW)


async def test_a_reps_highest_discount_holds_for_what_they_agree_to() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    await SellingSettings.create(
        workspace_id=admin.workspace_id, most_discount={"REP": "5"}, created_at=NOW, updated_at=NOW
    )
    here = await sit_down(rep)
    await here.counter(off("6"))

    with pytest.raises(OfferNeedsApproval):
        await agreements.agree(rep, here.negotiation.id, round=1, now=NOW)


async def test_managers_let_nothing_pass_beyond_their_own_highest_discount() -> None:
    admin = await seller()
    manager = replace(await member(Role.MANAGER, of=admin), rows=ALL)
    await SellingSettings.create(
        workspace_id=admin.workspace_id, most_discount={"MANAGER": "10"}, created_at=NOW, updated_at=NOW
    )
    here = await sit_down(admin)
    asked = await here.counter(off("12"))

    with pytest.raises(OfferNeedsApproval, match=r"the role MANAGER, 10 %.*: a member with the role ADMIN has"):
        await agreements.agree(manager, here.negotiation.id, round=1, now=NOW)
    with pytest.raises(offers.NotForYou):
        await offers.approve(manager, asked.id, now=NOW)
    await offers.approve(admin, asked.id, now=NOW)
    agreed = await agreements.agree(manager, here.negotiation.id, round=1, now=NOW)

    assert agreed.state is NegotiationState.AGREED


async def test_the_workspaces_rules_of_approval_hold_for_offers_beyond_the_proposal() -> None:
    admin = await seller()
    manager = await member(Role.MANAGER, of=admin)
    manager = replace(manager, rows=ALL)
    for kind, threshold in ((ApprovalKind.DISCOUNT_OVER, 5), (ApprovalKind.VALUE_OVER, 500)):
        await ApprovalRule.create(
            workspace_id=admin.workspace_id,
            kind=kind,
            threshold=Decimal(threshold),
            roles=["ADMIN"],
            created_at=NOW,
            updated_at=NOW,
        )
    here = await sit_down(admin)

    within = await here.offer(off("5"))
    held = await here.offer(off("6"))

    assert within.state is OfferState.OPEN, "a value over 500 was approved with the proposal"
    [beyond] = held.beyond
    assert (beyond["rail"], beyond["limit"], beyond["actual"], beyond["roles"]) == (
        "APPROVAL_RULE",
        "5",
        "6",
        ["ADMIN"],
    )
    with pytest.raises(offers.NotForYou, match=r"a discount of 6 %, over 5 %.*the role ADMIN has"):
        await offers.approve(manager, held.id, now=NOW)
    assert (await offers.approve(admin, held.id, now=NOW)).state is OfferState.OPEN


async def test_an_admin_lets_pass_what_a_rule_asks_others_about() -> None:
    admin = await seller()
    await ApprovalRule.create(
        workspace_id=admin.workspace_id,
        kind=ApprovalKind.DISCOUNT_OVER,
        threshold=Decimal(5),
        roles=["MANAGER"],
        created_at=NOW,
        updated_at=NOW,
    )
    here = await sit_down(admin)
    held = await here.offer(off("9"))
    assert held.state is OfferState.HELD
    assert (await offers.approve(admin, held.id, now=NOW)).state is OfferState.OPEN


async def test_a_draft_of_the_next_version_is_kept_when_both_agree() -> None:
    here = await sit_down()
    await proposals.update(here.actor, here.proposal.id, ProposalDetails(title="Better roof"), now=NOW)
    assert (await Proposal.get(id=here.proposal.id)).state is ProposalState.DRAFT

    agreed = await agreements.accept(here.buyer, round=0, now=LATER)

    rows = await ProposalVersion.filter(proposal_id=here.proposal.id).order_by("number")
    assert [(row.number, row.state, row.title, row.frozen_at is not None) for row in rows] == [
        (1, ProposalState.SUPERSEDED, "Solar roof", True),
        (2, ProposalState.SUPERSEDED, "Better roof", True),
        (3, ProposalState.ACCEPTED, "Solar roof", True),
    ]
    assert (await Proposal.get(id=here.proposal.id)).state is ProposalState.ACCEPTED
    assert (await ProposalVersion.get(id=agreed.agreed_version_id)).title == "Solar roof"


# Two answers at once


async def settled(*deeds: Awaitable[Any]) -> tuple[list[Any], list[DomainError]]:
    """Do all of it at once; return what was done, and what was refused and how."""
    outcomes = await asyncio.gather(*deeds, return_exceptions=True)
    unexpected = [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, DomainError)]
    assert unexpected == []
    done = [one for one in outcomes if not isinstance(one, BaseException)]
    return done, [one for one in outcomes if isinstance(one, DomainError)]


async def consistent(here: Sitting) -> Negotiation:
    """Check that rows and log tell one story, and return how the negotiation stands."""
    now, made = await here.now(), await here.offers()
    names = [event.name for event in await events(here.lead.id)]
    versions = await ProposalVersion.filter(proposal_id=here.proposal.id).count()
    agreed = now.state is NegotiationState.AGREED
    assert names.count("negotiation.agreed") == (1 if agreed else 0)
    assert names.count("proposal.accepted") == (1 if agreed else 0)
    assert names.count("negotiation.broken_off") == (1 if now.state is NegotiationState.BROKEN_OFF else 0)
    assert versions == (2 if agreed else 1)
    assert sum(offer.state is OfferState.AGREED for offer in made) == (1 if agreed else 0)
    assert sum(offer.state is OfferState.OPEN for offer in made) == (1 if now.state is NegotiationState.OPEN else 0)
    assert sorted(offer.round for offer in made if offer.round is not None) == list(range(now.rounds + 1))
    assert names.count("negotiation.offer_made") == now.rounds
    assert await Evidence.filter(proposal_id=here.proposal.id).count() == (3 if agreed else 0)
    return now


async def test_of_accepting_and_revising_at_once_one_wins_and_the_other_is_told() -> None:
    for _ in range(5):
        here = await sit_down()
        done, refused = await settled(agreements.accept(here.buyer, round=0, now=NOW), here.offer(off("3")))
        assert (len(done), len(refused)) == (1, 1)
        now = await consistent(here)
        wanted = NegotiationOver if now.state is NegotiationState.AGREED else OfferOvertaken
        assert isinstance(refused[0], wanted)
        assert ("agreed to round 0" in refused[0].message) is (wanted is NegotiationOver)


async def test_of_agreeing_and_breaking_off_at_once_one_wins_and_the_other_is_told() -> None:
    for _ in range(5):
        here = await sit_down()
        await here.counter(off("5"))
        done, refused = await settled(
            agreements.agree(here.actor, here.negotiation.id, round=1, now=NOW),
            negotiations.leave(here.buyer, "Too late.", now=NOW),
        )
        assert (len(done), len(refused)) == (1, 1)
        now = await consistent(here)
        assert isinstance(refused[0], NegotiationOver)
        agreed = now.state is NegotiationState.AGREED
        assert ("the seller agreed" if agreed else "the buyer broke it off") in refused[0].message


async def test_double_clicks_agree_and_counter_once() -> None:
    here = await sit_down()
    done, refused = await settled(*(here.counter(off("5"), round=0) for _ in range(4)))
    assert (len({offer.id for offer in done}), refused) == (1, [])

    done, refused = await settled(
        *(agreements.agree(here.actor, here.negotiation.id, round=1, now=NOW) for _ in range(4))
    )
    assert (len(done), refused) == (4, [])
    await consistent(here)


async def test_two_people_of_one_side_countering_at_once_make_one_round() -> None:
    here = await sit_down()

    done, refused = await settled(here.counter(off("5")), here.counter(off("6")))

    assert len(done) == 1
    assert isinstance(refused[0], NotYourTurn)
    assert (await consistent(here)).rounds == 1


async def test_agreeing_and_withdrawing_the_proposal_at_once_leave_one_of_both() -> None:
    for _ in range(3):
        here = await sit_down()
        done, refused = await settled(
            agreements.accept(here.buyer, round=0, now=NOW), proposals.withdraw(here.actor, here.proposal.id, now=NOW)
        )
        assert (len(done), len(refused)) == (1, 1)
        state = (await Proposal.get(id=here.proposal.id)).state
        assert state is (ProposalState.ACCEPTED if isinstance(done[0], Negotiation) else ProposalState.WITHDRAWN)


async def test_whatever_both_sides_do_at_once_the_story_is_one() -> None:
    here = await sit_down()
    deeds: list[Awaitable[Any]] = []
    for number in range(1, 9):
        deeds += [
            here.counter(off(str(10 + number))),
            here.offer(off(str(number))),
            agreements.accept(here.buyer, round=number, now=NOW),
            agreements.agree(here.actor, here.negotiation.id, round=number, now=NOW),
        ]

    await settled(*deeds)

    await consistent(here)
