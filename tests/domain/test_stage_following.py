"""Leads follow their sale: forward, to the first stage of a kind, as far as the stages' rules let them."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import closings, leads, moves, notifications, stage_following
from domain.actors import Actor
from domain.money import Money
from models.base import uuid7
from models.contracts import Contract, ContractState
from models.conversations import Notification, NotificationKind
from models.events import Event
from models.invoices import InvoiceState, Payment
from models.leads import Lead, LeadStatus
from models.negotiations import Negotiation, NegotiationState
from models.proposals import Proposal, ProposalState
from models.selling import SellingSettings, WonAt
from models.stages import Stage, StageKind, StageTransition
from models.users import Role
from tests.factories import NOW, events, lead, member, seller, stage
from tests.sold import STAMPS, contracted, invoiced, negotiated, proposed

PROSPECT, PROPOSAL, NEGOTIATION = StageKind.PROSPECT, StageKind.PROPOSAL, StageKind.NEGOTIATION
CLOSING, FOLLOW_UP = StageKind.CLOSING, StageKind.FOLLOW_UP
LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def happened(row: Lead, name: str, *, by: Actor | None = None, **facts: Any) -> UUID:
    """Note an event of a lead's sale, and return its id."""
    event = await Event.create(
        workspace_id=row.workspace_id,
        name=name,
        subject_type="lead",
        subject_id=row.id,
        actor={"kind": "USER", "user": str(by.user_id)} if by else {"kind": "LINK"},
        data={key: str(value) for key, value in facts.items()},
        occurred_at=NOW,
    )
    return event.id


async def follow(row: Lead, name: str, **facts: Any) -> UUID:
    """Have a lead follow a new event of its sale, and return the event's id."""
    key = await happened(row, name, **facts)
    await stage_following.follow(row.workspace_id, key, now=LATER)
    return key


async def kind(row: Lead) -> StageKind:
    found = await Lead.get(id=row.id).select_related("stage")
    return found.stage.kind


async def names(row: Lead) -> list[str]:
    return [event.name for event in await events(row.id) if event.data.get("follows")]


async def sell(actor: Actor, **settings: Any) -> None:
    await SellingSettings.create(workspace_id=actor.workspace_id, **settings, **STAMPS)


async def paid(row: Lead, amount: int) -> UUID:
    invoice = await invoiced(row, InvoiceState.ISSUED)
    payment = await Payment.create(
        id=uuid7(),
        workspace_id=row.workspace_id,
        invoice_id=invoice.id,
        lead_id=row.id,
        amount=Decimal(amount),
        currency="EUR",
        received_on=NOW.date(),
        created_at=NOW,
    )
    return payment.id


class TestMoves:
    async def test_what_is_sent_negotiated_and_accepted_moves_the_lead_to_the_first_stage_of_its_kind(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered = await proposed(row)
        await follow(row, "proposal.sent", proposal_id=offered.id)
        assert (await Lead.get(id=row.id)).stage_id == (await stage(admin, PROPOSAL)).id
        opened = await negotiated(offered, NegotiationState.OPEN)
        await follow(row, "negotiation.opened", negotiation_id=opened.id)
        assert await kind(row) is NEGOTIATION
        await Negotiation.filter(id=opened.id).update(state=NegotiationState.AGREED)
        await follow(row, "negotiation.agreed", negotiation_id=opened.id)
        assert await kind(row) is CLOSING
        passed = await StageTransition.filter(lead_id=row.id).order_by("moved_at", "id")
        assert [(one.user_id, one.moved_at) for one in passed[1:]] == [(None, LATER)] * 3

    async def test_the_move_says_what_it_follows_and_by_whom(self) -> None:
        admin = await seller()
        row = await lead(admin)
        key = await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id, by=admin)
        *_, moved = await events(row.id)
        assert moved.name == "lead.moved"
        assert moved.actor == {"kind": "SYSTEM", "task": "follow_sales"}
        assert moved.data["follows"] == {"event_id": str(key), "name": "proposal.sent"}
        assert moved.data["caused_by_id"] == str(admin.user_id)

    async def test_a_lead_goes_forward_only_whatever_comes_late(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        late = await happened(row, "proposal.sent", proposal_id=offered.id)
        await follow(row, "proposal.accepted", proposal_id=offered.id)
        assert await kind(row) is CLOSING
        await stage_following.follow(row.workspace_id, late, now=LATER)
        assert await kind(row) is CLOSING

    async def test_a_later_stage_of_the_same_kind_is_far_enough(self) -> None:
        admin = await seller()
        row, first = await lead(admin), await stage(admin, PROPOSAL)
        second = await Stage.create(
            workspace_id=admin.workspace_id,
            pipeline_id=first.pipeline_id,
            name="Revised",
            kind=PROPOSAL,
            position=first.position + 1,
            probability=first.probability,
            **STAMPS,
        )
        await moves.move(admin, row.id, stage_id=second.id, now=NOW)
        await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        assert (await Lead.get(id=row.id)).stage_id == second.id

    async def test_a_pipeline_without_such_a_stage_moves_nothing_and_holds_nothing(self) -> None:
        admin = await seller()
        row = await lead(admin)
        await Stage.filter(workspace_id=admin.workspace_id, kind=PROPOSAL).update(archived_at=NOW)
        await follow(row, "proposal.sent", proposal_id=(await proposed(row, net=Decimal(100))).id)
        assert await kind(row) is PROSPECT
        assert "lead.move_held" not in await names(row)

    async def test_an_event_is_followed_once_even_after_somebody_has_moved_the_lead_back(self) -> None:
        admin = await seller()
        row, first = await lead(admin), await stage(admin, PROSPECT)
        key = await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        await moves.move(admin, row.id, stage_id=first.id, now=LATER)
        await stage_following.follow(row.workspace_id, key, now=LATER)
        assert await kind(row) is PROSPECT

    async def test_two_who_follow_at_once_move_it_once(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        sent = await happened(row, "proposal.sent", proposal_id=offered.id)
        accepted = await happened(row, "proposal.accepted", proposal_id=offered.id)
        every = [sent, accepted] * 3
        await asyncio.gather(*(stage_following.follow(row.workspace_id, key, now=LATER) for key in every))
        assert await kind(row) is CLOSING
        made = [event for event in await events(row.id) if event.name == "lead.moved"]
        assert 1 <= len(made) <= 2

    @pytest.mark.parametrize("state", [ProposalState.WITHDRAWN, ProposalState.DECLINED, ProposalState.EXPIRED])
    async def test_what_is_over_when_the_lead_is_to_follow_moves_nothing(self, state: ProposalState) -> None:
        admin = await seller()
        row = await lead(admin)
        await follow(row, "proposal.sent", proposal_id=(await proposed(row, state)).id)
        assert await names(row) == []

    async def test_a_deleted_lead_a_deleted_proposal_and_an_event_of_another_workspace_move_nothing(self) -> None:
        admin, stranger = await seller(), await seller()
        row, other = await lead(admin), await lead(stranger)
        gone = await proposed(row)
        await Proposal.filter(id=gone.id).update(deleted_at=NOW)
        await follow(row, "proposal.sent", proposal_id=gone.id)
        key = await happened(other, "proposal.sent", proposal_id=(await proposed(other)).id)
        await stage_following.follow(admin.workspace_id, key, now=LATER)
        await leads.delete(stranger, other.id, now=NOW)
        await stage_following.follow(stranger.workspace_id, key, now=LATER)
        assert (await kind(row), await kind(other)) == (PROSPECT, PROSPECT)

    @pytest.mark.parametrize("status", [LeadStatus.LOST, LeadStatus.DISQUALIFIED, LeadStatus.WON])
    async def test_a_closed_lead_is_left_alone(self, status: LeadStatus) -> None:
        admin = await seller()
        row = await lead(admin)
        await Lead.filter(id=row.id).update(status=status, closed_at=NOW)
        await follow(row, "proposal.accepted", proposal_id=(await proposed(row, ProposalState.ACCEPTED)).id)
        assert await names(row) == []

    @pytest.mark.parametrize(
        ("switch", "name"),
        [
            ("follows_proposal", "proposal.sent"),
            ("follows_negotiation", "negotiation.opened"),
            ("follows_agreement", "proposal.accepted"),
        ],
    )
    async def test_each_rule_can_be_switched_off(self, switch: str, name: str) -> None:
        admin = await seller()
        await sell(admin, value_follows=False, **{switch: False})
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        opened = await negotiated(offered, NegotiationState.OPEN)
        await follow(row, name, proposal_id=offered.id, negotiation_id=opened.id)
        assert await names(row) == []


class TestHeld:
    async def test_a_lead_that_lacks_what_the_stage_asks_for_stays_and_an_event_says_why(self) -> None:
        admin = await seller()
        row, target = await lead(admin), await stage(admin, CLOSING)
        await Stage.filter(id=target.id).update(requirements={"fields": ["product"], "contract_signed": True})
        await follow(row, "proposal.accepted", proposal_id=(await proposed(row, ProposalState.ACCEPTED)).id)
        assert await kind(row) is PROSPECT
        *_, held = await events(row.id)
        assert held.name == "lead.move_held"
        assert [fault["code"] for fault in held.data["unmet"]] == ["FIELD_MISSING", "SIGNATURE_MISSING"]
        assert target.name in held.data["unmet"][0]["message"]
        assert held.data["to_stage_id"] == str(target.id)
        assert held.data["before"] == held.data["after"]

    @pytest.mark.parametrize(
        ("asked", "code"), [({"no_skipping": True}, "STAGE_SKIPPED"), ({"needs_approval": True}, "APPROVAL_REQUIRED")]
    )
    async def test_neither_order_nor_a_managers_approval_is_passed_over(self, asked: Any, code: str) -> None:
        admin = await seller()
        row, target = await lead(admin), await stage(admin, CLOSING)
        await Stage.filter(id=target.id).update(requirements=asked)
        await follow(row, "proposal.accepted", proposal_id=(await proposed(row, ProposalState.ACCEPTED)).id)
        *_, held = await events(row.id)
        assert [fault["code"] for fault in held.data["unmet"]] == [code]

    async def test_roles_bind_people_only(self) -> None:
        admin = await seller()
        row, target = await lead(admin), await stage(admin, PROPOSAL)
        await Stage.filter(id=target.id).update(requirements={"roles_in": ["MANAGER"]})
        await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        assert await kind(row) is PROPOSAL

    async def test_the_owner_is_told_and_a_second_look_tells_nothing_more(self) -> None:
        admin = await seller()
        owner = await member(Role.REP, of=admin)
        row, target = await lead(admin), await stage(admin, PROPOSAL)
        await leads.assign(admin, row.id, owner.user_id, now=NOW)
        await Stage.filter(id=target.id).update(requirements={"min_needs": 1})
        key = await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        await stage_following.follow(row.workspace_id, key, now=LATER)
        told = [event.id for event in await events(row.id) if event.name == "lead.move_held"]
        assert len(told) == 1
        await notifications.notify(row.workspace_id, told, now=LATER)
        [one] = await Notification.filter(workspace_id=row.workspace_id)
        assert (one.kind, one.user_id, one.lead_id) == (NotificationKind.MOVE_HELD, owner.user_id, row.id)

    async def test_who_caused_a_move_is_not_told_that_the_lead_moved(self) -> None:
        admin = await seller()
        owner = await member(Role.REP, of=admin)
        row = await lead(admin)
        await leads.assign(admin, row.id, owner.user_id, now=NOW)
        offered = await proposed(row)
        await follow(row, "proposal.sent", proposal_id=offered.id, by=owner)
        opened = await negotiated(offered, NegotiationState.OPEN)
        await follow(row, "negotiation.opened", negotiation_id=opened.id, by=admin)
        moved = [event.id for event in await events(row.id) if event.name == "lead.moved"]
        await notifications.notify(row.workspace_id, moved, now=LATER)
        [one] = await Notification.filter(workspace_id=row.workspace_id)
        assert (one.kind, one.user_id, one.event_id) == (NotificationKind.LEAD_MOVED, owner.user_id, moved[1])


class TestWins:
    async def test_a_signed_contract_wins_unless_the_workspace_says_otherwise(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        await follow(row, "proposal.accepted", proposal_id=offered.id)
        assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN
        signed = await contracted(offered, ContractState.SIGNED)
        await follow(row, "contract.completed", contract_id=signed.id)
        won = await Lead.get(id=row.id)
        assert (won.status, won.closed_at, await kind(row)) == (LeadStatus.WON, LATER, FOLLOW_UP)

    async def test_acceptance_wins_at_once_without_a_stop_on_the_way(self) -> None:
        admin = await seller()
        await sell(admin, won_at=WonAt.ACCEPTANCE)
        row = await lead(admin)
        await follow(row, "proposal.accepted", proposal_id=(await proposed(row, ProposalState.ACCEPTED)).id)
        assert await names(row) == ["lead.updated", "lead.closed"]
        assert (await Lead.get(id=row.id)).status is LeadStatus.WON

    async def test_the_first_payment_wins_and_no_refund_does(self) -> None:
        admin = await seller()
        await sell(admin, won_at=WonAt.FIRST_PAYMENT)
        row = await lead(admin)
        await follow(row, "payment.recorded", payment_id=await paid(row, -5))
        assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN
        await follow(row, "payment.recorded", payment_id=await paid(row, 5))
        assert (await Lead.get(id=row.id)).status is LeadStatus.WON
        await follow(row, "payment.recorded", payment_id=await paid(row, 50))
        assert (await names(row)).count("lead.closed") == 1

    async def test_nothing_wins_where_people_do_it_by_hand(self) -> None:
        admin = await seller()
        await sell(admin, won_at=WonAt.BY_HAND)
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        signed = await contracted(offered, ContractState.SIGNED)
        await follow(row, "proposal.accepted", proposal_id=offered.id)
        await follow(row, "contract.completed", contract_id=signed.id)
        await follow(row, "payment.recorded", payment_id=await paid(row, 5))
        assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN
        assert await kind(row) is CLOSING

    async def test_a_cancelled_contract_wins_nothing(self) -> None:
        admin = await seller()
        row = await lead(admin)
        signed = await contracted(await proposed(row, ProposalState.ACCEPTED), ContractState.SIGNED)
        await Contract.filter(id=signed.id).update(state=ContractState.CANCELLED)
        await follow(row, "contract.completed", contract_id=signed.id)
        assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN

    async def test_a_win_that_the_stage_of_wins_refuses_is_held_and_the_lead_moves_as_far_as_it_may(self) -> None:
        admin = await seller()
        await sell(admin, won_at=WonAt.ACCEPTANCE)
        row, won = await lead(admin), await stage(admin, FOLLOW_UP)
        await Stage.filter(id=won.id).update(requirements={"invoice_paid": True})
        await follow(row, "proposal.accepted", proposal_id=(await proposed(row, ProposalState.ACCEPTED)).id)
        assert await names(row) == ["lead.updated", "lead.move_held", "lead.moved"]
        assert await kind(row) is CLOSING
        [held] = [event for event in await events(row.id) if event.name == "lead.move_held"]
        assert [fault["code"] for fault in held.data["unmet"]] == ["PAYMENT_MISSING"]

    async def test_a_lead_that_was_opened_again_is_not_won_by_what_won_it_before(self) -> None:
        admin = await seller()
        row = await lead(admin)
        signed = await contracted(await proposed(row, ProposalState.ACCEPTED), ContractState.SIGNED)
        key = await follow(row, "contract.completed", contract_id=signed.id)
        await closings.reopen(admin, row.id, now=LATER)
        await stage_following.follow(row.workspace_id, key, now=LATER)
        assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN


class TestValue:
    async def test_a_lead_is_worth_what_was_accepted_in_its_currency(self) -> None:
        admin = await seller()
        row = await lead(admin, value=Money(Decimal(5), "EUR"))
        offered = await proposed(row, ProposalState.ACCEPTED, currency="USD", net=Decimal("99.90"))
        await follow(row, "proposal.accepted", proposal_id=offered.id)
        now = await Lead.get(id=row.id)
        assert (now.value, now.currency) == (Decimal("99.90"), "USD")
        [changed] = [event for event in await events(row.id) if event.name == "lead.updated"]
        assert changed.data["changes"]["currency"] == ["EUR", "USD"]

    async def test_what_is_sent_counts_only_while_no_value_is_known(self) -> None:
        admin = await seller()
        unknown, known = await lead(admin), await lead(admin, value=Money(Decimal(5), "EUR"))
        for row in (unknown, known):
            await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        assert (await Lead.get(id=unknown.id)).value == Decimal(100)
        assert (await Lead.get(id=known.id)).value == Decimal(5)

    async def test_what_was_agreed_is_the_version_that_came_of_it(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered, revised = await proposed(row), await proposed(row, net=Decimal(80))
        agreed = await negotiated(offered, NegotiationState.AGREED)
        await Negotiation.filter(id=agreed.id).update(agreed_version_id=revised.current_id)
        await follow(row, "negotiation.agreed", negotiation_id=agreed.id)
        assert (await Lead.get(id=row.id)).value == Decimal(80)

    async def test_the_value_counts_among_what_a_stage_asks_for(self) -> None:
        admin = await seller()
        row, target = await lead(admin), await stage(admin, PROPOSAL)
        await Stage.filter(id=target.id).update(requirements={"fields": ["value"]})
        await follow(row, "proposal.sent", proposal_id=(await proposed(row)).id)
        assert await kind(row) is PROPOSAL

    async def test_a_later_draft_changes_nothing_of_what_was_accepted(self) -> None:
        admin = await seller()
        row = await lead(admin)
        offered = await proposed(row, ProposalState.ACCEPTED)
        await Proposal.filter(id=offered.id).update(net=Decimal(1), state=ProposalState.DRAFT)
        await follow(row, "proposal.accepted", proposal_id=offered.id)
        assert (await Lead.get(id=row.id)).value == Decimal(100)
