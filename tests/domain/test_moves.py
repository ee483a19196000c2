"""Moves: places within a stage, the rules of stages, approvals, and the history."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from domain import bulks, closings, leads, moves, ranks
from domain.actors import Actor
from domain.errors import Forbidden, Invalid, NotFound, Stale
from domain.leads import LeadDetails, StageClosesLeads
from domain.moves import (
    AcceptanceMissing,
    ApprovalNotNeeded,
    ApprovalRequired,
    FieldMissing,
    MoveAlreadyDecided,
    MoveAlreadyRequested,
    NeedsMissing,
    NeighbourElsewhere,
    PaymentMissing,
    Place,
    RoleMayNotEnter,
    RoleMayNotLeave,
    StageSkipped,
    WentBack,
)
from models.bulks import BulkKind
from models.contracts import Contract, ContractState
from models.events import Event
from models.invoices import Invoice, InvoiceKind, InvoiceState
from models.leads import Lead, LeadStatus
from models.negotiations import Negotiation, NegotiationState
from models.proposals import Proposal, ProposalState, ProposalVersion
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition
from models.users import Role
from tests.factories import NOW, lead, seller, stage
from tests.sold import contracted, invoiced, negotiated, proposed

pytestmark = pytest.mark.usefixtures("db")
PROSPECT, QUALIFY, PROPOSAL = StageKind.PROSPECT, StageKind.QUALIFY, StageKind.PROPOSAL


async def require(target: Stage, **requirements: Any) -> None:
    await Stage.filter(id=target.id).update(requirements=requirements)


async def order(target: Stage) -> list[str]:
    rows = await Lead.filter(stage_id=target.id, deleted_at=None).order_by("id")
    return [row.title for row in sorted(rows, key=lambda row: row.rank.encode())]


async def test_a_move_changes_the_stage_and_keeps_how_long_the_lead_stayed() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, QUALIFY)
    moved = await moves.move(admin, row.id, stage_id=target.id, now=NOW + timedelta(hours=2))
    assert (moved.stage_id, moved.probability, moved.version) == (target.id, target.probability, 2)
    last = await StageTransition.filter(lead_id=row.id).order_by("-id").first()
    assert last is not None
    assert (last.from_stage_id, last.to_stage_id, last.stayed_seconds) == (row.stage_id, target.id, 7200)
    assert last.user_id == admin.user_id
    event = await Event.get(subject_id=row.id, name="lead.moved")
    assert event.data["changes"]["stage_id"] == [str(row.stage_id), str(target.id)]
    assert event.data["version"] == 2


async def test_a_lead_without_a_place_goes_on_top() -> None:
    admin = await seller()
    target = await stage(admin, QUALIFY)
    for minute, title in enumerate("ABC"):
        row = await lead(admin, title=title)
        await moves.move(admin, row.id, stage_id=target.id, now=NOW + timedelta(minutes=minute))
    assert await order(target) == ["C", "B", "A"]


async def test_a_lead_is_dropped_under_one_lead_and_above_another() -> None:
    admin = await seller()
    first = await stage(admin, PROSPECT)
    rows = {title: await lead(admin, title=title, now=NOW - timedelta(minutes=at)) for at, title in enumerate("ABCD")}
    assert await order(first) == ["A", "B", "C", "D"]
    await moves.move(admin, rows["D"].id, stage_id=first.id, place=Place(after=rows["A"].id), now=NOW)
    assert await order(first) == ["A", "D", "B", "C"]
    await moves.move(admin, rows["C"].id, stage_id=first.id, place=Place(before=rows["A"].id), now=NOW)
    assert await order(first) == ["C", "A", "D", "B"]
    place = Place(after=rows["D"].id, before=rows["B"].id)
    await moves.move(admin, rows["C"].id, stage_id=first.id, place=place, now=NOW)
    assert await order(first) == ["A", "D", "C", "B"]


async def test_a_neighbour_that_went_elsewhere_is_left_out_of_account_unless_it_is_the_only_one() -> None:
    admin = await seller()
    first, other = await stage(admin, PROSPECT), await stage(admin, QUALIFY)
    a, b, c = [await lead(admin, title=title, now=NOW - timedelta(minutes=at)) for at, title in enumerate("ABC")]
    await moves.move(admin, a.id, stage_id=other.id, now=NOW)
    await moves.move(admin, c.id, stage_id=first.id, place=Place(after=a.id, before=b.id), now=NOW)
    assert await order(first) == ["C", "B"]
    with pytest.raises(NeighbourElsewhere):
        await moves.move(admin, c.id, stage_id=first.id, place=Place(after=a.id), now=NOW)


async def test_people_who_drop_at_the_same_place_at_once_leave_every_lead_a_rank_of_its_own() -> None:
    admin = await seller()
    first, target = await stage(admin, PROSPECT), await stage(admin, QUALIFY)
    top, bottom = [await lead(admin, title=title) for title in ("top", "bottom")]
    await moves.move(admin, bottom.id, stage_id=target.id, now=NOW)
    await moves.move(admin, top.id, stage_id=target.id, now=NOW + timedelta(seconds=1))
    dropped = [await lead(admin, title=str(number)) for number in range(12)]
    place = Place(after=top.id, before=bottom.id)
    await asyncio.gather(*(moves.move(admin, row.id, stage_id=target.id, place=place, now=NOW) for row in dropped))
    rows = await Lead.filter(stage_id=target.id)
    assert len({row.rank for row in rows}) == 14
    titles = await order(target)
    assert (titles[0], titles[-1]) == ("top", "bottom")
    assert await order(first) == []


async def test_ranks_that_grew_long_are_rebalanced_without_raising_a_version() -> None:
    admin = await seller()
    first = await stage(admin, PROSPECT)
    a, b, c = [await lead(admin, title=title, now=NOW - timedelta(minutes=at)) for at, title in enumerate("ABC")]
    await Lead.filter(id=b.id).update(rank=a.rank + "0" * 60 + "1")
    await moves.move(admin, c.id, stage_id=first.id, place=Place(after=a.id, before=b.id), now=NOW)
    assert await order(first) == ["A", "C", "B"]
    rows = {row.title: row for row in await Lead.filter(stage_id=first.id)}
    assert max(len(row.rank) for row in rows.values()) <= ranks.LONGEST
    assert rows["B"].version == 1
    assert await Event.filter(subject_id=first.id, name="stage.rebalanced").count() == 1


async def test_random_drags_keep_the_order_that_the_people_see() -> None:
    admin = await seller()
    first, chance = await stage(admin, PROSPECT), random.Random(7)
    rows = [await lead(admin, title=f"{at:02}", now=NOW - timedelta(minutes=at)) for at in range(8)]
    seen = list(rows)
    for _ in range(60):
        dragged = seen.pop(chance.randrange(len(seen)))
        at = chance.randrange(len(seen) + 1)
        place = Place(after=seen[at - 1].id) if at else Place(before=seen[0].id)
        await moves.move(admin, dragged.id, stage_id=first.id, place=place, now=NOW)
        seen.insert(at, dragged)
    assert await order(first) == [row.title for row in seen]


async def test_a_stage_asks_for_fields_and_needs_and_says_all_that_is_missing() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, QUALIFY)
    await require(target, fields=["value", "primaryContact"], min_needs=1)
    with pytest.raises(Invalid) as refused:
        await moves.move(admin, row.id, stage_id=target.id, now=NOW)
    assert [type(fault) for fault in refused.value.faults] == [FieldMissing, FieldMissing, NeedsMissing]
    told = moves.unmet(admin, row, await Stage.get(id=target.id), await moves.board(admin.workspace_id, [row.id]))
    assert [fault.message for fault in told] == [fault.message for fault in refused.value.faults]
    assert (await Lead.get(id=row.id)).stage_id == row.stage_id


async def asked_for(actor: Actor, row: Lead, target: Stage) -> set[str]:
    on = await moves.board(actor.workspace_id, [row.id])
    return {fault.code for fault in moves.unmet(actor, row, on.stages[target.id], on)}


MILESTONES = {
    "proposal_accepted": "ACCEPTANCE_MISSING",
    "terms_agreed": "AGREEMENT_MISSING",
    "contract_signed": "SIGNATURE_MISSING",
    "invoice_paid": "PAYMENT_MISSING",
}


async def test_a_stage_asks_how_far_the_sale_has_come_and_says_what_it_lacks() -> None:
    admin = await seller()
    row, other, target = await lead(admin), await lead(admin), await stage(admin, PROPOSAL)
    await require(target, **dict.fromkeys(MILESTONES, True))
    assert await asked_for(admin, row, target) == set(MILESTONES.values())
    offered = await proposed(row, ProposalState.VIEWED)
    await negotiated(offered, NegotiationState.OPEN)
    await contracted(offered, ContractState.OPEN)
    await invoiced(row, InvoiceState.PARTIALLY_PAID)
    await invoiced(row, InvoiceState.PAID, InvoiceKind.CREDIT_NOTE)
    assert await asked_for(admin, row, target) == set(MILESTONES.values())
    await Negotiation.filter(lead_id=row.id).update(state=NegotiationState.AGREED)
    assert await asked_for(admin, row, target) == set(MILESTONES.values()) - {"AGREEMENT_MISSING"}
    await Contract.filter(lead_id=row.id).update(state=ContractState.SIGNED)
    assert await asked_for(admin, row, target) == {"ACCEPTANCE_MISSING", "PAYMENT_MISSING"}
    await Invoice.filter(lead_id=row.id, kind=InvoiceKind.INVOICE).update(state=InvoiceState.PAID)
    with pytest.raises(AcceptanceMissing, match=f"{target.name} asks for a proposal"):
        await moves.move(admin, row.id, stage_id=target.id, now=NOW)
    await ProposalVersion.filter(proposal_id=offered.id).update(state=ProposalState.ACCEPTED)
    await moves.move(admin, row.id, stage_id=target.id, now=NOW)
    assert await asked_for(admin, other, target) == set(MILESTONES.values())


async def test_who_accepts_a_proposal_agrees_to_its_terms_unless_it_is_deleted() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, PROPOSAL)
    await require(target, proposal_accepted=True, terms_agreed=True)
    offered = await proposed(row, ProposalState.ACCEPTED)
    assert await asked_for(admin, row, target) == set()
    await Proposal.filter(id=offered.id).update(deleted_at=NOW)
    assert await asked_for(admin, row, target) == {"ACCEPTANCE_MISSING", "AGREEMENT_MISSING"}


async def test_leads_are_won_only_as_far_as_their_sale_has_come_where_the_stage_of_wins_asks_for_it() -> None:
    admin = await seller()
    row, won = await lead(admin), await stage(admin, StageKind.FOLLOW_UP)
    await require(won, invoice_paid=True)
    with pytest.raises(PaymentMissing):
        await closings.close(admin, row.id, LeadStatus.WON, now=NOW)
    await invoiced(row, InvoiceState.PAID)
    assert (await closings.close(admin, row.id, LeadStatus.WON, now=NOW)).stage_id == won.id


async def test_of_many_leads_each_moves_as_far_as_its_own_sale_has_come() -> None:
    admin = await seller()
    target = await stage(admin, PROPOSAL)
    await require(target, proposal_accepted=True)
    rows = [await lead(admin) for _ in range(3)]
    await proposed(rows[1], ProposalState.ACCEPTED)
    work = bulks.Work(BulkKind.MOVE, {"stage_id": target.id})
    outcomes = await bulks.named(admin, work, [row.id for row in rows], now=NOW)
    told = [[fault.code for fault in outcome.faults] for outcome in outcomes]
    assert told == [["ACCEPTANCE_MISSING"], [], ["ACCEPTANCE_MISSING"]]


async def test_a_stage_may_forbid_skipping_and_going_back() -> None:
    admin = await seller()
    row, proposal, first = await lead(admin), await stage(admin, PROPOSAL), await stage(admin, PROSPECT)
    await require(proposal, no_skipping=True, no_going_back=True)
    with pytest.raises(StageSkipped):
        await moves.move(admin, row.id, stage_id=proposal.id, now=NOW)
    await moves.move(admin, row.id, stage_id=(await stage(admin, QUALIFY)).id, now=NOW)
    await moves.move(admin, row.id, stage_id=proposal.id, now=NOW)
    with pytest.raises(WentBack):
        await moves.move(admin, row.id, stage_id=first.id, now=NOW)


async def test_a_stage_may_name_the_roles_that_move_leads_in_and_out() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    row, qualify, proposal = await lead(rep), await stage(admin, QUALIFY), await stage(admin, PROPOSAL)
    await require(proposal, roles_in=["MANAGER"])
    with pytest.raises(RoleMayNotEnter):
        await moves.move(rep, row.id, stage_id=proposal.id, now=NOW)
    await moves.move(rep, row.id, stage_id=qualify.id, now=NOW)
    await require(qualify, roles_out=["ADMIN"])
    await require(proposal)
    with pytest.raises(RoleMayNotLeave):
        await moves.move(rep, row.id, stage_id=proposal.id, now=NOW)
    assert (await moves.move(admin, row.id, stage_id=proposal.id, now=NOW)).stage_id == proposal.id


async def test_won_leads_stages_are_entered_by_closing_only() -> None:
    admin = await seller()
    row, follow_up = await lead(admin), await stage(admin, StageKind.FOLLOW_UP)
    with pytest.raises(StageClosesLeads):
        await moves.move(admin, row.id, stage_id=follow_up.id, now=NOW)


async def test_a_manager_approves_what_a_rep_requests() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    row, target = await lead(rep), await stage(admin, PROPOSAL)
    await require(target, needs_approval=True)
    with pytest.raises(ApprovalRequired):
        await moves.move(rep, row.id, stage_id=target.id, now=NOW)
    wish = await moves.request(rep, row.id, stage_id=target.id, note="They are ready", now=NOW)
    with pytest.raises(MoveAlreadyRequested):
        await moves.request(rep, row.id, stage_id=target.id, now=NOW)
    with pytest.raises(Forbidden):
        await moves.approve(rep, wish.id, now=NOW)
    approved = await moves.approve(admin, wish.id, now=NOW)
    assert (approved.status, approved.decided_by_id) == (MoveRequestStatus.APPROVED, admin.user_id)
    assert (await Lead.get(id=row.id)).stage_id == target.id
    with pytest.raises(MoveAlreadyDecided):
        await moves.reject(admin, wish.id, now=NOW)


async def test_a_rejected_request_moves_nothing_and_another_move_makes_a_request_obsolete() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    row, target = await lead(rep), await stage(admin, PROPOSAL)
    await require(target, needs_approval=True)
    with pytest.raises(ApprovalNotNeeded):
        await moves.request(rep, row.id, stage_id=(await stage(admin, QUALIFY)).id, now=NOW)
    wish = await moves.request(rep, row.id, stage_id=target.id, note="They are ready", now=NOW)
    rejected = await moves.reject(admin, wish.id, note="Not yet", now=NOW)
    assert (rejected.note, rejected.decision_note) == ("They are ready", "Not yet")
    assert (await Lead.get(id=row.id)).stage_id == row.stage_id
    second = await moves.request(rep, row.id, stage_id=target.id, now=NOW)
    await moves.move(rep, row.id, stage_id=(await stage(admin, QUALIFY)).id, now=NOW)
    assert (await MoveRequest.get(id=second.id)).status is MoveRequestStatus.OBSOLETE


async def test_two_decisions_at_once_end_in_one() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    row, target = await lead(rep), await stage(admin, PROPOSAL)
    await require(target, needs_approval=True)
    wish = await moves.request(rep, row.id, stage_id=target.id, now=NOW)
    decisions = [moves.approve(admin, wish.id, now=NOW), moves.reject(admin, wish.id, now=NOW)]
    outcomes = await asyncio.gather(*decisions, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["MoveAlreadyDecided", "MoveRequest"]


async def test_a_stale_move_is_refused_and_a_strangers_stage_does_not_exist() -> None:
    admin, stranger = await seller(), await seller()
    row = await lead(admin)
    await leads.update(admin, row.id, LeadDetails(title="Roof"), now=NOW)
    with pytest.raises(Stale):
        await moves.move(admin, row.id, stage_id=(await stage(admin, QUALIFY)).id, expected_version=1, now=NOW)
    with pytest.raises(NotFound):
        await moves.move(admin, row.id, stage_id=(await stage(stranger, QUALIFY)).id, now=NOW)


async def mover(actor: Actor, row: Lead, target: Stage) -> Lead:
    return await moves.move(actor, row.id, stage_id=target.id, now=NOW)


async def test_moves_of_one_lead_at_once_leave_a_history_without_gaps() -> None:
    admin = await seller()
    row = await lead(admin)
    targets = [await stage(admin, kind) for kind in (QUALIFY, PROPOSAL, StageKind.NEGOTIATION)]
    await asyncio.gather(*(mover(admin, row, target) for target in targets))
    history = await StageTransition.filter(lead_id=row.id)
    links = {step.from_stage_id: step.to_stage_id for step in history}
    at = links.pop(None)
    while at in links:
        at = links.pop(at)
    assert not links
    assert at == (await Lead.get(id=row.id)).stage_id
