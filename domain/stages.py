"""Stages: the columns of a pipeline, their order, and what they ask of leads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import custom_values, edits, inputs, policy, relationships
from domain.actors import Actor
from domain.criteria import MOST_CRITERIA, CriterionArchived, TooManyCriteria
from domain.edits import path
from domain.errors import AlreadyExists, Conflict, DomainError, Faults, OutOfRange
from domain.events import Event, record
from domain.policy import Action
from domain.requirements import FILLED as FILLED
from domain.requirements import LeadFacts as LeadFacts
from domain.requirements import Requirements as Requirements
from domain.unset import UNSET, Unset
from models import rows
from models.custom_fields import CustomFieldOwner
from models.database import read, remembered, transaction, unit
from models.leads import Lead, LeadStatus
from models.pipelines import Pipeline
from models.qualification import QualificationCriterion
from models.stages import Stage, StageKind

MOST_STAGES = 50
MOST_ROT_DAYS = 3650
UNIQUE = {"stage_pkey": "id"}
USUAL_PROBABILITY = {
    StageKind.PROSPECT: Decimal("0.1"),
    StageKind.QUALIFY: Decimal("0.25"),
    StageKind.PROPOSAL: Decimal("0.5"),
    StageKind.NEGOTIATION: Decimal("0.7"),
    StageKind.CLOSING: Decimal("0.9"),
    StageKind.FOLLOW_UP: Decimal(1),
}


HOLD_PIPELINE = """
SELECT 1 FROM pipeline WHERE id = (SELECT pipeline_id FROM lead WHERE workspace_id = $1 AND id = $2) FOR SHARE
"""


class StageCreated(Event):
    name = "stage.created"


class StageUpdated(Event):
    name = "stage.updated"


class StagesReordered(Event):
    name = "pipeline.stages_reordered"


class TooManyStages(DomainError):
    """A pipeline has at most {limit} stages."""


class StageKindMissing(DomainError):
    """A pipeline keeps at least one stage of kind FOLLOW_UP, and one of another kind that is no intake."""


class StageOrder(DomainError):
    """Stages of kind FOLLOW_UP come after all others."""


class StagesIncomplete(DomainError):
    """{field} must name every stage of the pipeline that is not archived exactly once."""


class IntakeKind(DomainError):
    """Only a stage of kind PROSPECT can be an intake."""


class StageOccupied(DomainError):
    """A stage of kind {kind} holds no leads that are {status}; this one has {count}."""


class StageArchived(DomainError):
    """The stage {stage} is archived: no lead can stand in it."""


class PipelineIsArchived(DomainError):
    """The pipeline {name} is archived."""


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage to be made; without a probability it has the usual one, without `rot_days` it never rots."""

    name: str
    kind: StageKind
    probability: Decimal | None = None
    rot_days: int | None = None
    is_intake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDetails:
    """What an edit says of a stage; what is UNSET is left as it is. None clears `rot_days`."""

    name: str | Unset | None = UNSET
    kind: StageKind | Unset = UNSET
    probability: Decimal | Unset | None = UNSET
    rot_days: int | Unset | None = UNSET
    is_intake: bool | Unset = UNSET


def holds(kind: StageKind) -> LeadStatus:
    """Return the status of the leads that stand in stages of this kind."""
    return LeadStatus.WON if kind is StageKind.FOLLOW_UP else LeadStatus.OPEN


async def live(pipeline_id: UUID) -> list[Stage]:
    """Return the stages of a pipeline that are not archived, in their order."""
    return await Stage.filter(pipeline_id=pipeline_id, archived_at=None).order_by("position", "id")


async def hold(stage: Stage, *, field: str | None = None) -> Stage:
    """Return a stage that a lead is about to enter, as it is now and stays until the transaction ends.

    Raises StageArchived, PipelineIsArchived, and Conflict where it holds leads of another status by now.
    """

    async def shared() -> tuple[Stage, Any]:
        fresh = await rows.to_share(Stage, stage.id, workspace_id=stage.workspace_id)
        assert fresh is not None
        # Asked for by another statement, so that it is as whoever had the stage before has left it.
        [pipeline] = await read("SELECT name, archived_at FROM pipeline WHERE id = $1", fresh.pipeline_id)
        return fresh, pipeline

    running = unit()
    # What a part locks after it has written something is let go again where the part fails.
    lasts = running is not None and running.is_part_of_many and not running.writes
    fresh, pipeline = await (remembered(("shared", stage.id), shared) if lasts else shared())
    if fresh.archived_at is not None:
        raise StageArchived(stage=fresh.name, field=field)
    if pipeline["archived_at"] is not None:
        raise PipelineIsArchived(name=pipeline["name"], field=field)
    if holds(fresh.kind) is not holds(stage.kind):
        raise Conflict(reason=f"The stage {fresh.name} was changed meanwhile: try again.", field=field)
    return fresh


async def hold_pipeline(workspace_id: UUID, lead_id: UUID) -> Pipeline | None:
    """Return the pipeline of a lead, which stays in use or archived until the transaction ends.

    Who locks the lead does so afterwards, as those do who empty stages.
    """
    await get_connection("default").execute_query(HOLD_PIPELINE, [workspace_id, lead_id])
    return await Pipeline.filter(workspace_id=workspace_id, leads__id=lead_id).first()


def check(faults: Faults, new: NewStage, *, within: str = "") -> NewStage:
    """Check a stage to be made, by itself."""
    if new.is_intake and new.kind is not StageKind.PROSPECT:
        faults.add(IntakeKind(field=path(within, "isIntake")))
    return NewStage(
        name=inputs.name(faults, new.name, field=path(within, "name")),
        kind=new.kind,
        probability=_probability(faults, new.probability, new.kind, field=path(within, "probability")),
        rot_days=_rot_days(faults, new.rot_days, field=path(within, "rotDays")),
        is_intake=new.is_intake,
    )


def check_all(faults: Faults, new_stages: Sequence[NewStage], *, field: str) -> list[NewStage]:
    """Check the stages of a new pipeline, each by itself and all together."""
    if len(new_stages) > MOST_STAGES:
        faults.add(TooManyStages(limit=MOST_STAGES, field=field))
        return []
    checked = [check(faults, new, within=f"{field}.{at}") for at, new in enumerate(new_stages)]
    for at, new in enumerate(checked):
        forbid_name(faults, new.name, checked[:at], field=f"{field}.{at}.name")
    faults.extend(whole_faults(checked, field=field))
    return checked


def whole_faults(ordered: Sequence[NewStage | Stage], *, field: str) -> Iterator[DomainError]:
    """Yield what is wrong with the stages of a pipeline as a whole, in their order."""
    follow_ups = [stage.kind is StageKind.FOLLOW_UP for stage in ordered]
    workable = any(stage.kind is not StageKind.FOLLOW_UP and not stage.is_intake for stage in ordered)
    if not any(follow_ups) or not workable:
        yield StageKindMissing(field=field)
    if follow_ups != sorted(follow_ups):
        yield StageOrder(field=field)


def forbid_name(faults: Faults, name: str, others: Sequence[NewStage | Stage], *, field: str = "name") -> None:
    """Add a fault where another stage of the pipeline has this name."""
    if name and inputs.normalised_name(name) in {inputs.normalised_name(other.name) for other in others}:
        faults.add(AlreadyExists(noun="stage", what="name", field=field))


def placed(others: Sequence[Stage], stage: Stage, position: int | None = None) -> list[Stage]:
    """Return the stages with one among them: at a place, or else behind those of its sort."""
    if position is None:
        last = stage.kind is StageKind.FOLLOW_UP
        position = len(others) if last else sum(other.kind is not StageKind.FOLLOW_UP for other in others)
    return [*others[:position], stage, *others[position:]]


async def number(ordered: Sequence[Stage]) -> None:
    """Give stages the positions of their order, as the system does, so that no version rises."""
    moved = [stage for position, stage in enumerate(ordered) if stage.position != position]
    for position, stage in enumerate(ordered):
        stage.position = position
    if moved:
        await Stage.bulk_update(moved, ["position"])


async def insert(actor: Actor, pipeline: Pipeline, new_stages: Sequence[NewStage], *, now: datetime) -> list[Stage]:
    """Add checked stages to a new pipeline, in their order."""
    rows = [_row(pipeline, new, position=at, now=now) for at, new in enumerate(new_stages)]
    await Stage.bulk_create(rows)
    await record(*(_created(actor, row) for row in rows), now=now)
    return rows


async def create(
    actor: Actor,
    pipeline_id: UUID,
    new: NewStage,
    *,
    id: UUID | None = None,
    position: int | None = None,
    now: datetime,
) -> Stage:
    """Add a stage at a place among the pipeline's (0 is first), else behind those of its sort.

    Raises NotFound, Forbidden, AlreadyExists (id, name), StageOrder, TooManyStages, and faults of the input.
    """
    with edits.collisions("stage", UNIQUE):
        async with transaction():
            pipeline = await policy.locked(actor, Pipeline, pipeline_id, field="pipelineId")
            policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
            faults = Faults()
            key = edits.new_id(faults, id)
            new = check(faults, new)
            others = await live(pipeline.id)
            inputs.whole(faults, position, field="position", least=0, most=len(others))
            forbid_name(faults, new.name, others)
            if len(others) >= MOST_STAGES:
                faults.add(TooManyStages(limit=MOST_STAGES))
            faults.raise_any()
            stage = _row(pipeline, new, position=len(others), id=key, now=now)
            ordered = placed(others, stage, position)
            for fault in whole_faults(ordered, field="position"):
                raise fault
            await edits.insert(stage)
            await number(ordered)
            await record(_created(actor, stage), now=now)
    return stage


async def update(
    actor: Actor,
    stage_id: UUID,
    details: StageDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Stage:
    """Change what is given of a stage; with its probability goes that of its open leads.

    A stage that becomes FOLLOW_UP, or is it no longer, goes to the border between the two sorts. Raises NotFound,
    Stale, Forbidden, StageOccupied where its leads do not fit the new kind, and faults of the input.
    """
    async with transaction():
        stage = await locked(actor, stage_id, expected_version=expected_version)
        others = [other for other in await live(stage.pipeline_id) if other.id != stage.id]
        faults = Faults()
        columns = _columns(faults, stage, details)
        forbid_name(faults, columns.get("name", ""), others)
        faults.raise_any()
        changed = await edits.apply(stage, columns, now=now)
        if "kind" in changed:
            await _forbid_misfits(stage)
        turned = StageKind.FOLLOW_UP in changed.get("kind", ())
        ordered = placed(others, stage, None if turned else stage.position)
        for fault in whole_faults(ordered, field="kind" if "kind" in changed else "isIntake"):
            raise fault
        await number(ordered)
        await _take_along(actor, stage, changed, now=now)
        if changed:
            await record(StageUpdated(actor, stage.id, facts(stage, changes=changed)), now=now)
    return stage


async def set_requirements(
    actor: Actor,
    stage_id: UUID,
    requirements: Requirements,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Stage:
    """Say what leads need to enter a stage, in place of what was said before.

    Raises NotFound, Stale, Forbidden, and faults of the input.
    """
    faults = Faults()
    async with transaction():
        custom = await custom_values.named(
            actor.workspace_id, CustomFieldOwner.LEAD, requirements.custom, held=bool(requirements.custom)
        )
        checked = requirements.checked(faults, field="requirements", custom=custom)
        stage = await locked(actor, stage_id, expected_version=expected_version)
        await _check_criteria(faults, actor, checked, had=Requirements.of(stage).criteria)
        faults.raise_any()
        changed = await edits.apply(stage, {"requirements": checked.to_json()}, now=now)
        if changed:
            await record(StageUpdated(actor, stage.id, facts(stage, changes=changed)), now=now)
    return stage


async def _check_criteria(faults: Faults, actor: Actor, wanted: Requirements, *, had: Sequence[UUID]) -> None:
    """Check that criteria exist, and are not archived where the stage did not ask for them before."""
    if len(wanted.criteria) > MOST_CRITERIA:
        faults.add(TooManyCriteria(limit=MOST_CRITERIA, count=len(wanted.criteria), field="requirements.criterionIds"))
        return
    for key in wanted.criteria:
        row = await edits.referred(faults, actor, QualificationCriterion, key, field="requirements.criterionIds")
        if row is not None and row.archived_at is not None and key not in had:
            faults.add(CriterionArchived(label=row.label, field="requirements.criterionIds"))


async def reorder(
    actor: Actor,
    pipeline_id: UUID,
    stage_ids: Sequence[UUID],
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Pipeline:
    """Put the stages of a pipeline into this order; it is an edit of the pipeline.

    Raises NotFound, Stale, Forbidden, StagesIncomplete, StageOrder.
    """
    async with transaction():
        pipeline = await policy.locked(
            actor, Pipeline, pipeline_id, expected_version=expected_version, field="pipelineId"
        )
        policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
        known = {stage.id: stage for stage in await live(pipeline.id)}
        if sorted(stage_ids) != sorted(known):
            raise StagesIncomplete(field="stageIds")
        ordered = [known[key] for key in stage_ids]
        for fault in whole_faults(ordered, field="stageIds"):
            raise fault
        before = list(known)
        if before != list(stage_ids):
            await number(ordered)
            await edits.raise_version(pipeline, now=now)
            changed = {"stages": [before, list(stage_ids)]}
            data = {"changes": changed, "version": pipeline.version}
            await record(StagesReordered(actor, pipeline.id, data), now=now)
    return pipeline


async def locked(actor: Actor, stage_id: UUID, *, expected_version: int | None = None, archived: bool = False) -> Stage:
    """Return a stage to be edited, with its pipeline locked before it; archived ones only with `archived`.

    Raises NotFound, Stale, Forbidden, Conflict.
    """
    pipeline_id = (await policy.get(actor, Stage, stage_id, field="id")).pipeline_id
    pipeline = await policy.locked(actor, Pipeline, pipeline_id, field="id")
    policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
    stage = await policy.locked(actor, Stage, stage_id, expected_version=expected_version, field="id")
    if stage.archived_at is not None and not archived:
        raise Conflict(reason=f"The stage {stage.name} is archived: restore it first.")
    return stage


def facts(stage: Stage, **more: Any) -> dict[str, Any]:
    """Return what every event of a stage says."""
    return {"pipeline_id": stage.pipeline_id, "version": stage.version, **more}


def _columns(faults: Faults, stage: Stage, details: StageDetails) -> dict[str, Any]:
    kind = stage.kind if details.kind is UNSET else details.kind
    is_intake = stage.is_intake if details.is_intake is UNSET else details.is_intake
    columns: dict[str, Any] = {"kind": kind, "is_intake": is_intake}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    if details.probability is not UNSET:
        columns["probability"] = _probability(faults, details.probability, kind, field="probability")
    elif StageKind.FOLLOW_UP in (stage.kind, kind) and stage.kind is not kind:
        columns["probability"] = USUAL_PROBABILITY[kind]
    if details.rot_days is not UNSET:
        columns["rot_days"] = _rot_days(faults, details.rot_days, field="rotDays")
    if is_intake and kind is not StageKind.PROSPECT:
        faults.add(IntakeKind(field="kind" if details.is_intake is UNSET else "isIntake"))
    return columns


def _probability(faults: Faults, value: Decimal | None, kind: StageKind, *, field: str) -> Decimal:
    if value is None:
        return USUAL_PROBABILITY[kind]
    checked = inputs.fraction(faults, value, field=field)
    if kind is StageKind.FOLLOW_UP and checked != 1:
        faults.add(OutOfRange(field=field, least=1, most=1))
    return checked


def _rot_days(faults: Faults, value: int | None, *, field: str) -> int | None:
    return inputs.whole(faults, value, field=field, least=1, most=MOST_ROT_DAYS)


async def _forbid_misfits(stage: Stage) -> None:
    """Refuse a new kind that the leads of the stage do not fit; deleted ones may be restored and count too."""
    misfit = LeadStatus.OPEN if holds(stage.kind) is LeadStatus.WON else LeadStatus.WON
    count = await Lead.filter(workspace_id=stage.workspace_id, stage_id=stage.id, status=misfit).count()
    if count:
        raise StageOccupied(count=count, status=misfit.value, kind=stage.kind.value, field="kind")


async def _take_along(actor: Actor, stage: Stage, changed: Mapping[str, Any], *, now: datetime) -> None:
    """Give the stage's leads, and who they are of, what follows from its new probability and kind."""
    leads = Lead.filter(workspace_id=stage.workspace_id, stage_id=stage.id, status=LeadStatus.OPEN)
    if "probability" in changed:
        await leads.update(probability=stage.probability)
    if StageKind.PROSPECT in changed.get("kind", ()):
        keys = [lead.id for lead in await leads.only("id")]
        companies, contacts = await relationships.of_leads(keys)
        await relationships.refresh(actor, company_ids=companies, contact_ids=contacts, now=now)


def _row(pipeline: Pipeline, new: NewStage, *, position: int, now: datetime, id: UUID | None = None) -> Stage:
    return Stage(
        id=edits.new_id(Faults(), id),
        workspace_id=pipeline.workspace_id,
        pipeline_id=pipeline.id,
        name=new.name,
        kind=new.kind,
        position=position,
        probability=USUAL_PROBABILITY[new.kind] if new.probability is None else new.probability,
        rot_days=new.rot_days,
        is_intake=new.is_intake,
        created_at=now,
        updated_at=now,
    )


def _created(actor: Actor, stage: Stage) -> StageCreated:
    about = facts(stage, name=stage.name, kind=stage.kind.value, position=stage.position)
    return StageCreated(actor, stage.id, about)
