"""Moves of leads between stages and within one, the rules that stages set, and moves that a manager approves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import criteria, custom_values, edits, inputs, leads, locks, policy, ranks, relationships, stages
from domain.actors import Actor, ActorKind, system
from domain.errors import Conflict, DomainError, Faults, raise_all
from domain.events import Event, record
from domain.leads import StageArchived, StageClosesLeads
from domain.policy import Action
from domain.requirements import CUSTOM
from domain.stages import LeadFacts, Requirements
from models import rows
from models.custom_fields import CustomField, CustomFieldOwner
from models.database import read, remembered, transaction, unit
from models.leads import Lead, LeadStatus
from models.qualification import QualificationCriterion
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition

BOARD = (LeadStatus.OPEN, LeadStatus.WON)


class LeadMoved(Event):
    name = "lead.moved"


class StageRebalanced(Event):
    name = "stage.rebalanced"


class LeadMoveRequested(Event):
    name = "lead.move_requested"


class LeadMoveApproved(Event):
    name = "lead.move_approved"


class LeadMoveRejected(Event):
    name = "lead.move_rejected"


class FieldMissing(DomainError):
    """The stage {stage} asks for {name}, which is empty."""


class NeedsMissing(DomainError):
    """The stage {stage} asks for needs ({wanted}), of which the lead names fewer ({named})."""


class AnswerMissing(DomainError):
    """The stage {stage} asks for an answer to {criterion}."""


class AcceptanceMissing(DomainError):
    """The stage {stage} asks for a proposal that the customer has accepted."""


class AgreementMissing(DomainError):
    """The stage {stage} asks for terms that both sides have agreed on."""


class SignatureMissing(DomainError):
    """The stage {stage} asks for a contract that both sides have signed."""


class PaymentMissing(DomainError):
    """The stage {stage} asks for an invoice that is paid."""


class StageSkipped(DomainError):
    """The stage {stage} is entered from the stage right before it only."""


class WentBack(DomainError):
    """A lead does not go back from the stage {stage}."""


class RoleMayNotEnter(DomainError):
    """Your role may not move leads into the stage {stage}."""


class RoleMayNotLeave(DomainError):
    """Your role may not move leads out of the stage {stage}."""


class ApprovalRequired(DomainError):
    """A manager has to approve a move into the stage {stage}: use requestMove."""


class LeadNotOpen(DomainError):
    """The lead is {status}: reopen it first."""


class NeighbourElsewhere(DomainError):
    """The lead to drop beside is not in the stage any more: drop it again."""


class ApprovalNotNeeded(DomainError):
    """The stage {stage} asks for no approval: use moveLead."""


class MoveAlreadyRequested(DomainError):
    """A move of this lead is waiting for approval already."""


class MoveAlreadyDecided(DomainError):
    """This request was decided already: it is {status}."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its stage a lead is dropped: under `after`, above `before`; neither is the top."""

    after: UUID | None = None
    before: UUID | None = None

    def __bool__(self) -> bool:
        return self.after is not None or self.before is not None


TOP = Place()
HANGING = """
SELECT id, ARRAY(SELECT tag_id FROM lead_tag WHERE lead_id = lead.id) AS tag_ids,
       ARRAY(SELECT contact_id FROM lead_contact WHERE lead_id = lead.id) AS contact_ids,
       EXISTS (SELECT FROM lead_contact WHERE lead_id = lead.id AND is_primary) AS has_primary_contact,
       (SELECT count(*) FROM need WHERE lead_id = lead.id AND deleted_at IS NULL) AS needs,
       ARRAY(SELECT criterion_id FROM qualification_answer WHERE lead_id = lead.id) AS answered,
       ARRAY(SELECT id FROM hand_over WHERE lead_id = lead.id AND status = 'PENDING') AS hand_over_ids,
       EXISTS (SELECT FROM move_request WHERE lead_id = lead.id AND status = 'PENDING') AS is_requested,
       {reached} AS reached
FROM unnest($1::uuid[]) AS lead(id)
"""
# Each milestone by the rows that show it. Who accepts a proposal agrees to its terms.
ACCEPTED = """
SELECT FROM proposal p JOIN proposal_version v ON v.id = p.sent_id
WHERE p.lead_id = lead.id AND p.deleted_at IS NULL AND v.state = 'ACCEPTED'
"""
REACHED = {
    "proposal_accepted": ACCEPTED,
    "terms_agreed": f"{ACCEPTED} UNION ALL SELECT FROM negotiation WHERE lead_id = lead.id AND state = 'AGREED'",
    "contract_signed": "SELECT FROM contract WHERE lead_id = lead.id AND state = 'SIGNED'",
    "invoice_paid": "SELECT FROM invoice WHERE lead_id = lead.id AND kind = 'INVOICE' AND state = 'PAID'",
}
FAR = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS ({sql})" for name, sql in REACHED.items())
# Most workspaces ask for none of it, and then nothing is read of it.
HANGING_ONLY, HANGING_AND_REACHED = HANGING.format(reached="'{}'::text[]"), HANGING.format(reached=f"ARRAY({FAR})")
# What lacks, and where the lead has it.
LACKING: Mapping[str, tuple[type[DomainError], str]] = {
    "proposal_accepted": (AcceptanceMissing, "proposals"),
    "terms_agreed": (AgreementMissing, "negotiations"),
    "contract_signed": (SignatureMissing, "contracts"),
    "invoice_paid": (PaymentMissing, "invoices"),
}
NEIGHBOURS = """
SELECT id, rank FROM lead
WHERE workspace_id = $1 AND stage_id = $2 AND deleted_at IS NULL AND status IN ('OPEN', 'WON') AND id <> $3
"""


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on a lead; `reached` are the milestones of its sale, where a stage of its workspace asks for any."""

    tag_ids: list[UUID]
    contact_ids: list[UUID]
    has_primary_contact: bool
    needs: int
    answered: list[UUID]
    hand_over_ids: list[UUID]
    is_requested: bool
    reached: list[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """The stages of a workspace, and what they ask for; the checklist is read only where they ask for answers."""

    stages: dict[UUID, Stage]
    custom: dict[str, CustomField]
    checklist: Sequence[QualificationCriterion]
    milestones: bool


@dataclass(frozen=True, slots=True)
class Board:
    """What moves of leads are judged by: a workspace's stages and checklist, and what hangs on the leads.

    The checklist is read only where a stage asks for answers.
    """

    stages: dict[UUID, Stage]
    hanging: dict[UUID, Hanging]
    custom: dict[str, CustomField] = field(default_factory=dict)
    checklist: Sequence[QualificationCriterion] = ()

    def pipeline(self, pipeline_id: UUID) -> list[Stage]:
        """Return the stages of a pipeline that leads can stand in, in their order."""
        rows = (row for row in self.stages.values() if row.pipeline_id == pipeline_id and row.archived_at is None)
        return sorted(rows, key=lambda row: (row.position, row.id))

    def facts(self, lead: Lead) -> LeadFacts:
        hanging = self.hanging[lead.id]
        return LeadFacts(lead, len(hanging.contact_ids), hanging.has_primary_contact, len(hanging.tag_ids), self.custom)


async def board(workspace_id: UUID, lead_ids: Sequence[UUID]) -> Board:
    """Read what moves of these leads are judged by, in two statements.

    Where stages ask for custom fields or for answers, it is one more for each of the two.
    """
    asked = await _asked(workspace_id)
    hanging = _seen_ahead(lead_ids) or await _hanging_on(lead_ids, asked)
    return Board(asked.stages, hanging, asked.custom, asked.checklist)


async def _asked(workspace_id: UUID) -> Asked:
    return await remembered(("stages", workspace_id), lambda: _read_asked(workspace_id))


async def _read_asked(workspace_id: UUID) -> Asked:
    known = await rows.of_workspace(Stage, workspace_id)
    wanted = [Requirements.of(stage) for stage in known.values()]
    custom = await custom_values.named(
        workspace_id, CustomFieldOwner.LEAD, {name for one in wanted for name in one.custom}
    )
    by_hex = {one.id.hex: one for one in custom.values()}
    checklist = await criteria.live(workspace_id) if any(one.asks_for_answers for one in wanted) else ()
    return Asked(known, by_hex, checklist, any(one.milestones for one in wanted))


async def _hanging_on(lead_ids: Sequence[UUID], asked: Asked) -> dict[UUID, Hanging]:
    found = await read(HANGING_AND_REACHED if asked.milestones else HANGING_ONLY, list(lead_ids))
    names = Hanging.__dataclass_fields__
    return {row["id"]: Hanging(**{name: row[name] for name in names}) for row in found}


async def look_ahead(workspace_id: UUID, lead_ids: Sequence[UUID]) -> None:
    """Read what hangs on leads that are locked, for the parts of a transaction that move one each."""
    if (running := unit()) is not None and running.memory is not None:
        found = await _hanging_on(lead_ids, await _asked(workspace_id))
        running.memory.update({("hanging", key): hanging for key, hanging in found.items()})


def _seen_ahead(lead_ids: Sequence[UUID]) -> dict[UUID, Hanging]:
    """Return what hangs on leads where that was read ahead for all of them, else nothing."""
    memory = known.memory if (known := unit()) is not None else None
    found = {key: memory.pop(("hanging", key), None) for key in lead_ids} if memory else {}
    return {} if None in found.values() else found


def unmet(actor: Actor, lead: Lead, target: Stage, on: Board) -> list[DomainError]:
    """Return what stands against a move, in the order in which a person would mend it; empty: it may move."""
    if target.archived_at is not None:
        return [StageArchived(stage=target.name, field="stageId")]
    won = lead.status is LeadStatus.WON and target.kind is StageKind.FOLLOW_UP
    if lead.status is not LeadStatus.OPEN and not won:
        return [LeadNotOpen(status=lead.status.value)]
    faults: list[DomainError] = []
    if target.kind is StageKind.FOLLOW_UP and not won:
        faults.append(StageClosesLeads(stage=target.name, field="stageId"))
    current = on.stages[lead.stage_id]
    faults += unfilled(lead, target, on)
    faults += _order(current, target, on.pipeline(target.pipeline_id))
    leaving, entering = Requirements.of(current), Requirements.of(target)
    if actor.kind is not ActorKind.SYSTEM:
        if leaving.roles_out and actor.role not in leaving.roles_out:
            faults.append(RoleMayNotLeave(stage=current.name))
        if entering.roles_in and actor.role not in entering.roles_in:
            faults.append(RoleMayNotEnter(stage=target.name))
        if entering.needs_approval and not policy.may(actor, Action.APPROVE_MOVE, lead):
            faults.append(ApprovalRequired(stage=target.name))
    return faults


def unfilled(lead: Lead, target: Stage, on: Board) -> list[DomainError]:
    """Return the fields, needs, answers and milestones that a stage asks for and the lead lacks."""
    wanted, named = Requirements.of(target), on.hanging[lead.id].needs
    lacking = wanted.unfilled(on.facts(lead))
    labels = {f"{CUSTOM}{row.key}": custom_values.short(row.label) for row in on.custom.values()}
    faults: list[DomainError] = [
        FieldMissing(stage=target.name, name=labels.get(name, name), field=(name,)) for name in lacking
    ]
    if named < wanted.min_needs:
        faults.append(NeedsMissing(stage=target.name, wanted=wanted.min_needs, named=named, field="needs"))
    asked = unanswered(lead, target, on)
    faults += [AnswerMissing(stage=target.name, criterion=row.label, field="qualification") for row in asked]
    return faults + [
        error(stage=target.name, field=where)
        for name, (error, where) in LACKING.items()
        if name in wanted.milestones and name not in on.hanging[lead.id].reached
    ]


def unanswered(lead: Lead, target: Stage, on: Board) -> list[QualificationCriterion]:
    """Return the criteria that a stage asks for and nobody has answered; archived ones are asked for no more."""
    wanted, answered = Requirements.of(target), on.hanging[lead.id].answered
    asked = (row for row in on.checklist if wanted.all_criteria or row.id in wanted.criteria)
    return [row for row in asked if row.id not in answered]


def _order(current: Stage, target: Stage, stages: Sequence[Stage]) -> list[DomainError]:
    """Return what the order of stages stands against; between pipelines there is none."""
    if current.pipeline_id != target.pipeline_id:
        return []
    faults: list[DomainError] = []
    skipped = [stage for stage in stages if current.position < stage.position < target.position]
    if Requirements.of(target).no_skipping and skipped:
        faults.append(StageSkipped(stage=target.name))
    if Requirements.of(current).no_going_back and target.position < current.position:
        faults.append(WentBack(stage=current.name))
    return faults


async def move(
    actor: Actor,
    lead_id: UUID,
    *,
    stage_id: UUID,
    place: Place = TOP,
    expected_version: int | None = None,
    now: datetime,
) -> Lead:
    """Move a lead to a place in a stage, of its pipeline or of another.

    Raises NotFound, Stale, Forbidden, NeighbourElsewhere, and together all that stands against the move.
    """
    async with transaction():
        if place:
            await locks.hold(actor.workspace_id, f"ranks:{stage_id}")
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.MOVE_LEAD, lead)
        on = await board(actor.workspace_id, [lead.id])
        target = policy.seen(actor, Stage, on.stages.get(stage_id), field="stageId")
        if lead.stage_id != target.id:
            raise_all(unmet(actor, lead, target, on))
        elif not place:
            return lead
        elif lead.status not in BOARD:
            raise LeadNotOpen(status=lead.status.value)
        rank = await _rank(lead, target, place, now) if place else ranks.top(now)
        await enter(LeadMoved, actor, lead, target, {"rank": rank}, on, now=now)
    return lead


async def enter(
    event: type[Event],
    actor: Actor,
    lead: Lead,
    target: Stage,
    columns: dict[str, object],
    on: Board,
    *,
    now: datetime,
    more: dict[str, Any] | None = None,
) -> None:
    """Put a locked lead into a stage (or only change its columns where it stands there) and keep the history.

    `more` is added to the event's facts.
    """
    came_from, entered_at = lead.stage_id, lead.stage_entered_at
    hanging = on.hanging[lead.id]
    if came_from != target.id:
        target = await stages.hold(target, field="stageId")
        columns = {
            "pipeline_id": target.pipeline_id,
            "stage_id": target.id,
            "probability": target.probability,
            "stage_entered_at": now,
            "rank": ranks.top(now),
            **columns,
        }
        if lead.engaged_at is None and not target.is_intake:
            columns["engaged_at"] = now
    await leads.change(
        event, actor, lead, columns, now=now, more=more, tag_ids=hanging.tag_ids, hand_over_ids=hanging.hand_over_ids
    )
    if came_from == target.id:
        return
    lead.came_from = came_from
    await edits.insert(
        StageTransition(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            from_stage_id=came_from,
            to_stage_id=target.id,
            user_id=actor.user_id,
            moved_at=now,
            stayed_seconds=max(0, int((now - entered_at).total_seconds())),
        )
    )
    if hanging.is_requested:
        await forget_request(lead, now=now)
    began, goes_on = (stage.kind is StageKind.PROSPECT for stage in (on.stages[came_from], target))
    if event is LeadMoved and began is not goes_on:
        people = hanging.contact_ids
        await relationships.refresh(actor, company_ids=[lead.company_id], contact_ids=people, now=now)


async def forget_request(lead: Lead, *, now: datetime) -> None:
    """Close the request to move a lead that has gone elsewhere meanwhile."""
    pending = MoveRequest.filter(lead_id=lead.id, status=MoveRequestStatus.PENDING)
    await pending.update(status=MoveRequestStatus.OBSOLETE, decided_at=now)


async def _rank(lead: Lead, target: Stage, place: Place, now: datetime) -> str:
    """Return a rank at a place in a stage whose ranks are held."""
    for _ in range(2):
        low, high = await _neighbours(lead, target, place)
        if low is None or high is None or low < high:
            rank = ranks.between(low, high)
            if len(rank) <= ranks.LONGEST:
                return rank
        await ranks.rebalance(lead.workspace_id, target.id, now=now)
        by = system(lead.workspace_id, task="rebalance")
        await record(StageRebalanced(by, target.id, {"pipeline_id": str(target.pipeline_id)}), now=now)
    raise Conflict(reason="The stage is being rearranged: try again.")


async def _neighbours(lead: Lead, target: Stage, place: Place) -> tuple[str | None, str | None]:
    """Return the ranks between which a place lies, as the stage stands now.

    Of two neighbours given, one that has gone elsewhere meanwhile is left out of account.
    """
    scope = (lead.workspace_id, target.id, lead.id)
    beside = [key for key in (place.after, place.before) if key is not None]
    found = await read(f"{NEIGHBOURS} AND id = ANY($4::uuid[])", *scope, beside)
    known = {row["id"]: row["rank"] for row in found}
    if place.after in known:
        low = known[place.after]
        follows = f"{NEIGHBOURS} AND (rank, id) > ($4, $5) ORDER BY rank, id LIMIT 1"
        after = await read(follows, *scope, low, place.after)
        return low, after[0]["rank"] if after else None
    if place.before in known:
        high = known[place.before]
        precedes = f"{NEIGHBOURS} AND (rank, id) < ($4, $5) ORDER BY rank DESC, id DESC LIMIT 1"
        before = await read(precedes, *scope, high, place.before)
        return before[0]["rank"] if before else None, high
    raise NeighbourElsewhere(field="afterLeadId" if place.after else "beforeLeadId")


async def request(
    actor: Actor, lead_id: UUID, *, stage_id: UUID, note: str | None = None, now: datetime
) -> MoveRequest:
    """Ask a manager to approve a move into a stage that wants it.

    Raises NotFound, Forbidden, ApprovalNotNeeded, MoveAlreadyRequested, and whatever else stands against the move.
    """
    faults = Faults()
    kept = inputs.text(faults, note, field="note")
    async with transaction():
        target = await policy.get(actor, Stage, stage_id, field="stageId")
        lead = await policy.locked(actor, Lead, lead_id)
        policy.require(actor, Action.MOVE_LEAD, lead)
        against = unmet(actor, lead, target, await board(actor.workspace_id, [lead.id]))
        for fault in against:
            if not isinstance(fault, ApprovalRequired):
                faults.add(fault)
        faults.raise_any()
        if not against:
            raise ApprovalNotNeeded(stage=target.name)
        if await MoveRequest.exists(lead_id=lead.id, status=MoveRequestStatus.PENDING):
            raise MoveAlreadyRequested()
        row = await MoveRequest.create(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            from_stage_id=lead.stage_id,
            to_stage_id=target.id,
            note=kept,
            requested_by_id=actor.user_id,
            created_at=now,
        )
        await _tell(LeadMoveRequested, actor, lead, row, now)
    return row


async def approve(actor: Actor, request_id: UUID, *, now: datetime) -> MoveRequest:
    """Approve a requested move and make it. Raises NotFound, Forbidden, MoveAlreadyDecided, and the rules' refusals."""
    async with transaction():
        row, lead = await _decided(actor, request_id)
        on = await board(actor.workspace_id, [lead.id])
        target = on.stages[row.to_stage_id]
        raise_all(unmet(actor, lead, target, on))
        await _decide(row, MoveRequestStatus.APPROVED, actor, now)
        await _tell(LeadMoveApproved, actor, lead, row, now)
        # Whoever asked is told that it is approved, and no second time that the lead moved.
        asked = {"requested_by_id": row.requested_by_id}
        await enter(LeadMoved, actor, lead, target, {}, on, now=now, more=asked)
    return row


async def reject(actor: Actor, request_id: UUID, *, note: str | None = None, now: datetime) -> MoveRequest:
    """Reject a requested move. Raises NotFound, Forbidden, MoveAlreadyDecided."""
    faults = Faults()
    kept = inputs.text(faults, note, field="note")
    faults.raise_any()
    async with transaction():
        row, lead = await _decided(actor, request_id)
        row.decision_note = kept
        await _decide(row, MoveRequestStatus.REJECTED, actor, now)
        await _tell(LeadMoveRejected, actor, lead, row, now)
    return row


async def _decided(actor: Actor, request_id: UUID) -> tuple[MoveRequest, Lead]:
    """Return a pending request and its lead, both locked; the lead first, as moves do."""
    row = await policy.get(actor, MoveRequest, request_id)
    lead = await policy.locked(actor, Lead, row.lead_id)
    policy.require(actor, Action.APPROVE_MOVE, lead)
    row = await policy.locked(actor, MoveRequest, request_id)
    if row.status is not MoveRequestStatus.PENDING:
        raise MoveAlreadyDecided(status=row.status.value)
    return row, lead


async def _decide(row: MoveRequest, status: MoveRequestStatus, actor: Actor, now: datetime) -> None:
    row.status, row.decided_by_id, row.decided_at = status, actor.user_id, now
    written = ("status", "decided_by_id", "decided_at", "decision_note")
    await edits.write(row, {name: getattr(row, name) for name in written})


async def _tell(event: type[Event], actor: Actor, lead: Lead, row: MoveRequest, now: datetime) -> None:
    told = {
        "request_id": row.id,
        "requested_by_id": row.requested_by_id,
        "from_stage_id": row.from_stage_id,
        "to_stage_id": row.to_stage_id,
    }
    await leads.tell(event, actor, lead, told, now=now)
