"""How a stage goes out of use: its leads go to another stage, all at once, and it comes back empty."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import edits, leads, policy, ranks, relationships, stages
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.moves import LeadMoved
from models.database import transaction
from models.leads import Lead
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition

CHUNK = 1_000


class StageArchived(Event):
    name = "stage.archived"


class StageRestored(Event):
    name = "stage.restored"


class StageNotEmpty(DomainError):
    """Leads stand in this stage ({count}): say to which other one they go."""


class StageUnfit(DomainError):
    """Leads cannot go to {name}: it must be another stage of the pipeline, not archived, for {status} leads."""


MOVE = """
UPDATE lead SET stage_id = $2, probability = $3, stage_entered_at = $4, updated_at = $4, version = version + 1,
                rank = moved.rank, engaged_at = moved.engaged_at
FROM unnest($1::uuid[], $5::text[], $6::timestamptz[]) AS moved(id, rank, engaged_at) WHERE lead.id = moved.id
"""
TAGS = "SELECT lead_id, tag_id FROM lead_tag WHERE lead_id = ANY($1)"


async def archive(
    actor: Actor,
    stage_id: UUID,
    *,
    move_leads_to: UUID | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> Stage:
    """Take a stage out of use; the leads that stand in it go on top of another stage, in their order.

    Lost and disqualified leads keep pointing to it. A stage that is archived stays so. Raises NotFound, Stale,
    Forbidden, StageNotEmpty, StageUnfit, and StageKindMissing where the pipeline would be left without its sort.
    """
    async with transaction():
        stage = await stages.locked(actor, stage_id, expected_version=expected_version, archived=True)
        if stage.archived_at is not None:
            return stage
        others = [other for other in await stages.live(stage.pipeline_id) if other.id != stage.id]
        for fault in stages.whole_faults(others, field="id"):
            raise fault
        await _empty(actor, stage, await _target(actor, stage, others, move_leads_to), now=now)
        await _forget_requests(stage, now=now)
        await edits.apply(stage, {"archived_at": now}, now=now)
        await stages.number(others)
        facts = stages.facts(stage, moved_to=move_leads_to)
        await record(StageArchived(actor, stage.id, facts), now=now)
    return stage


async def restore(actor: Actor, stage_id: UUID, *, now: datetime) -> Stage:
    """Bring an archived stage back, behind those of its sort; one that is in use stays as it is.

    Raises NotFound, Forbidden, AlreadyExists where another stage has its name by now, TooManyStages.
    """
    async with transaction():
        stage = await stages.locked(actor, stage_id, archived=True)
        if stage.archived_at is None:
            return stage
        others, faults = await stages.live(stage.pipeline_id), Faults()
        stages.forbid_name(faults, stage.name, others)
        if len(others) >= stages.MOST_STAGES:
            faults.add(stages.TooManyStages(limit=stages.MOST_STAGES))
        faults.raise_any()
        await edits.apply(stage, {"archived_at": None}, now=now)
        await stages.number(stages.placed(others, stage))
        await record(StageRestored(actor, stage.id, stages.facts(stage)), now=now)
    return stage


async def _target(actor: Actor, stage: Stage, others: Sequence[Stage], move_leads_to: UUID | None) -> Stage | None:
    """Return the stage that the leads go to, held; None where there are none and none is named."""
    status = stages.holds(stage.kind)
    if move_leads_to is None:
        count = await Lead.filter(
            workspace_id=actor.workspace_id, stage_id=stage.id, status=status, deleted_at=None
        ).count()
        if count:
            raise StageNotEmpty(count=count, field="moveLeadsTo")
        return next((other for other in others if stages.holds(other.kind) is status), None)
    target = await policy.get(actor, Stage, move_leads_to, field="moveLeadsTo")
    fits = any(other.id == target.id and stages.holds(other.kind) is status for other in others)
    if not fits:
        raise StageUnfit(name=target.name, status=status.value, field="moveLeadsTo")
    return target


async def _empty(actor: Actor, stage: Stage, target: Stage | None, *, now: datetime) -> None:
    """Move the leads that stand in a stage, deleted ones too, a chunk after the other."""
    if target is None:
        return
    await stages.hold(target)
    standing = Lead.filter(workspace_id=actor.workspace_id, stage_id=stage.id, status=stages.holds(stage.kind))
    top, done = ranks.top(now), 0
    while chunk := await standing.order_by("rank", "id").limit(CHUNK).select_for_update(no_key=True):
        places = [f"{top}{place:08x}8" for place in range(done, done + len(chunk))]
        await _move(actor, chunk, stage, target, places, now=now)
        done += len(chunk)


async def _move(
    actor: Actor,
    rows: Sequence[Lead],
    stage: Stage,
    target: Stage,
    places: Sequence[str],
    *,
    now: datetime,
) -> None:
    tags = await _tags(rows)
    before = [(leads.live_columns(row, tags[row.id]), row.stage_entered_at) for row in rows]
    for row, place in zip(rows, places, strict=True):
        row.stage_id, row.rank, row.probability = target.id, place, target.probability
        row.stage_entered_at = row.updated_at = now
        row.version += 1
        if row.engaged_at is None and not target.is_intake:
            row.engaged_at = now
    keys, engaged = [row.id for row in rows], [row.engaged_at for row in rows]
    await get_connection("default").execute_query(
        MOVE, [keys, target.id, target.probability, now, list(places), engaged]
    )
    await StageTransition.bulk_create(
        [
            StageTransition(
                workspace_id=row.workspace_id,
                lead_id=row.id,
                from_stage_id=stage.id,
                to_stage_id=target.id,
                user_id=actor.user_id,
                moved_at=now,
                stayed_seconds=max(0, int((now - entered_at).total_seconds())),
            )
            for row, (_, entered_at) in zip(rows, before, strict=True)
        ]
    )
    moved: dict[str, Any] = {"stage_id": [stage.id, target.id]}
    await record(
        *(
            LeadMoved(actor, row.id, leads.facts(live, row, tags[row.id], moved))
            for row, (live, _) in zip(rows, before, strict=True)
        ),
        now=now,
    )
    if StageKind.PROSPECT in (stage.kind, target.kind) and stage.kind is not target.kind:
        companies, contacts = await relationships.of_leads(keys)
        await relationships.refresh(actor, company_ids=companies, contact_ids=contacts, now=now)


async def _tags(rows: Sequence[Lead]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {row.id: [] for row in rows}
    for row in await get_connection("default").execute_query_dict(TAGS, [list(found)]):
        found[row["lead_id"]].append(row["tag_id"])
    return found


async def _forget_requests(stage: Stage, *, now: datetime) -> None:
    """Close requests to move leads into or out of the stage, which nobody can approve any more."""
    for column in ("from_stage_id", "to_stage_id"):
        await MoveRequest.filter(
            **{"workspace_id": stage.workspace_id, column: stage.id, "status": MoveRequestStatus.PENDING}
        ).update(status=MoveRequestStatus.OBSOLETE, decided_at=now)
