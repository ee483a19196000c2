"""Pipelines: boards of stages, from templates per kind of business."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import edits, inputs, locks, policy, stages
from domain.actors import Actor
from domain.errors import AlreadyExists, DomainError, Faults
from domain.events import Event, record
from domain.policy import Action
from domain.stages import NewStage, PipelineIsArchived
from domain.unset import UNSET, Unset
from models.database import transaction
from models.leads import Lead, LeadStatus
from models.pipelines import Pipeline
from models.stages import StageKind

MOST_PIPELINES = 100
UNIQUE = {"pipeline_pkey": "id"}

PROSPECT, QUALIFY, PROPOSAL = StageKind.PROSPECT, StageKind.QUALIFY, StageKind.PROPOSAL
NEGOTIATION, CLOSING, FOLLOW_UP = StageKind.NEGOTIATION, StageKind.CLOSING, StageKind.FOLLOW_UP


class Template(StrEnum):
    """A kind of business, for which a pipeline can be made ready."""

    B2B = "B2B"
    CONSUMER = "CONSUMER"
    DISTRIBUTOR = "DISTRIBUTOR"
    SUBSCRIPTION = "SUBSCRIPTION"
    SERVICES = "SERVICES"


class PipelineCreated(Event):
    name = "pipeline.created"


class PipelineUpdated(Event):
    name = "pipeline.updated"


class PipelineArchived(Event):
    name = "pipeline.archived"


class PipelineRestored(Event):
    name = "pipeline.restored"


class TemplateOrStages(DomainError):
    """Give a template or stages, one of the two."""


class TooManyPipelines(DomainError):
    """A workspace has at most {limit} pipelines that are not archived."""


class PipelineIsDefault(DomainError):
    """New leads enter this pipeline: make another one the default first."""


class PipelineOccupied(DomainError):
    """Leads are open in this pipeline ({count}): close them or move them to another first."""


def _stage(
    name: str, kind: StageKind, probability: str, rot_days: int | None = None, *, is_intake: bool = False
) -> NewStage:
    return NewStage(name, kind, Decimal(probability), rot_days, is_intake)


@dataclass(frozen=True, slots=True)
class Draft:
    """A pipeline as a template makes it."""

    name: str
    stages: tuple[NewStage, ...]


TEMPLATES: dict[Template, Draft] = {
    Template.B2B: Draft(
        "Sales",
        (
            _stage("New", PROSPECT, "0.05", 14),
            _stage("Contacted", PROSPECT, "0.1", 14),
            _stage("Qualified", QUALIFY, "0.25", 21),
            _stage("Proposal sent", PROPOSAL, "0.5", 21),
            _stage("Negotiation", NEGOTIATION, "0.7", 14),
            _stage("Contract out", CLOSING, "0.9", 7),
            _stage("Won", FOLLOW_UP, "1"),
        ),
    ),
    Template.CONSUMER: Draft(
        "Consumer sales",
        (
            _stage("New enquiry", PROSPECT, "0.1", 2),
            _stage("Reached", QUALIFY, "0.3", 5),
            _stage("Offer made", PROPOSAL, "0.5", 7),
            _stage("Objections", NEGOTIATION, "0.65", 5),
            _stage("Checkout", CLOSING, "0.9", 2),
            _stage("Customer", FOLLOW_UP, "1"),
        ),
    ),
    Template.DISTRIBUTOR: Draft(
        "Channel sales",
        (
            _stage("Manufacturer leads", PROSPECT, "0", is_intake=True),
            _stage("To contact", PROSPECT, "0.05", 7),
            _stage("Application checked", QUALIFY, "0.2", 14),
            _stage("Quotation", PROPOSAL, "0.4", 21),
            _stage("Price and terms", NEGOTIATION, "0.65", 14),
            _stage("Order expected", CLOSING, "0.85", 10),
            _stage("Delivered", FOLLOW_UP, "1"),
        ),
    ),
    Template.SUBSCRIPTION: Draft(
        "Subscriptions",
        (
            _stage("Signed up", PROSPECT, "0.05", 7),
            _stage("Trial active", QUALIFY, "0.2", 14),
            _stage("Demo held", QUALIFY, "0.35", 14),
            _stage("Plan proposed", PROPOSAL, "0.5", 14),
            _stage("Security and legal", NEGOTIATION, "0.7", 21),
            _stage("Order form out", CLOSING, "0.9", 7),
            _stage("Onboarding", FOLLOW_UP, "1"),
            _stage("Subscribed", FOLLOW_UP, "1"),
        ),
    ),
    Template.SERVICES: Draft(
        "Projects",
        (
            _stage("Enquiry", PROSPECT, "0.1", 7),
            _stage("Scoping call", QUALIFY, "0.25", 14),
            _stage("Estimate", PROPOSAL, "0.45", 21),
            _stage("Terms", NEGOTIATION, "0.7", 14),
            _stage("Signature", CLOSING, "0.9", 10),
            _stage("Project won", FOLLOW_UP, "1"),
        ),
    ),
}


async def create_default(actor: Actor, *, now: datetime, template: Template = Template.B2B) -> Pipeline:
    """Make the default pipeline of a new workspace."""
    draft = TEMPLATES[template]
    async with transaction():
        policy.require(actor, Action.MANAGE_PIPELINES)
        await _hold(actor)
        row = _row(actor, name=draft.name, position=0, is_default=True, now=now)
        return await _insert(actor, row, draft.stages, now=now)


async def create(
    actor: Actor,
    *,
    id: UUID | None = None,
    name: str | None = None,
    template: Template | None = None,
    new_stages: Sequence[NewStage] | None = None,
    now: datetime,
) -> Pipeline:
    """Make a pipeline from a template, whose name it takes where none is given, or with stages of one's own.

    The first pipeline of a workspace is its default. Raises Forbidden, TemplateOrStages, TooManyPipelines,
    AlreadyExists (id, name), and faults of the input.
    """
    policy.require(actor, Action.MANAGE_PIPELINES)
    if (template is None) == (new_stages is None):
        raise TemplateOrStages(field="template")
    draft = TEMPLATES[template] if template is not None else Draft("", tuple(new_stages or ()))
    faults = Faults()
    key = edits.new_id(faults, id)
    checked_name = inputs.name(faults, name or draft.name, field="name")
    checked = stages.check_all(faults, draft.stages, field="stages")
    with edits.collisions("pipeline", UNIQUE):
        async with transaction():
            await _hold(actor)
            others = await live(actor)
            _forbid_name(faults, checked_name, others)
            if len(others) >= MOST_PIPELINES:
                faults.add(TooManyPipelines(limit=MOST_PIPELINES))
            faults.raise_any()
            row = _row(actor, id=key, name=checked_name, position=len(others), is_default=not others, now=now)
            return await _insert(actor, row, checked, now=now)


async def update(
    actor: Actor,
    pipeline_id: UUID,
    *,
    expected_version: int | None = None,
    name: str | Unset | None = UNSET,
    position: int | Unset = UNSET,
    make_default: bool = False,
    now: datetime,
) -> Pipeline:
    """Rename a pipeline, put it at a place among the others (0 is first), or make it the default.

    Raises NotFound, Stale, Forbidden, PipelineIsArchived, AlreadyExists (name), and faults of the input.
    """
    async with transaction():
        await _hold(actor)
        pipeline = await policy.locked(actor, Pipeline, pipeline_id, expected_version=expected_version, field="id")
        policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
        if pipeline.archived_at is not None:
            raise PipelineIsArchived(name=pipeline.name)
        others = [other for other in await live(actor) if other.id != pipeline.id]
        faults = Faults()
        columns: dict[str, Any] = {}
        if name is not UNSET:
            columns["name"] = inputs.name(faults, name, field="name")
            _forbid_name(faults, columns["name"], others)
        if position is not UNSET:
            columns["position"] = inputs.whole(faults, position, field="position", least=0, most=len(others))
        faults.raise_any()
        if make_default:
            await _forget_default(actor, others, now=now)
            columns["is_default"] = True
        await _edit(actor, pipeline, columns, now=now)
        await _number([*others[: pipeline.position], pipeline, *others[pipeline.position :]])
    return pipeline


async def archive(actor: Actor, pipeline_id: UUID, *, expected_version: int | None = None, now: datetime) -> Pipeline:
    """Take a pipeline without open leads out of use; its closed leads stay in it.

    One that is archived stays so. Raises NotFound, Stale, Forbidden, PipelineIsDefault, PipelineOccupied.
    """
    async with transaction():
        await _hold(actor)
        pipeline = await policy.locked(actor, Pipeline, pipeline_id, expected_version=expected_version, field="id")
        policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
        if pipeline.archived_at is not None:
            return pipeline
        if pipeline.is_default:
            raise PipelineIsDefault()
        await _hold_stages(pipeline)
        count = await Lead.filter(
            workspace_id=actor.workspace_id,
            pipeline_id=pipeline.id,
            status=LeadStatus.OPEN,
            deleted_at=None,
        ).count()
        if count:
            raise PipelineOccupied(count=count)
        await edits.apply(pipeline, {"archived_at": now}, now=now)
        await _number(await live(actor))
        await record(PipelineArchived(actor, pipeline.id, {"version": pipeline.version}), now=now)
    return pipeline


async def restore(actor: Actor, pipeline_id: UUID, *, now: datetime) -> Pipeline:
    """Bring an archived pipeline back, behind the others; one that is in use stays as it is.

    Raises NotFound, Forbidden, AlreadyExists where another one has its name by now, TooManyPipelines.
    """
    async with transaction():
        await _hold(actor)
        pipeline = await policy.locked(actor, Pipeline, pipeline_id, field="id")
        policy.require(actor, Action.MANAGE_PIPELINES, pipeline)
        if pipeline.archived_at is None:
            return pipeline
        others, faults = await live(actor), Faults()
        _forbid_name(faults, pipeline.name, others)
        if len(others) >= MOST_PIPELINES:
            faults.add(TooManyPipelines(limit=MOST_PIPELINES))
        faults.raise_any()
        await edits.apply(pipeline, {"archived_at": None, "position": len(others)}, now=now)
        await record(PipelineRestored(actor, pipeline.id, {"version": pipeline.version}), now=now)
    return pipeline


async def live(actor: Actor) -> list[Pipeline]:
    """Return the pipelines of a workspace that are not archived, in their order."""
    rows = Pipeline.filter(workspace_id=actor.workspace_id, archived_at=None)
    return await rows.order_by("position", "id")


async def _hold(actor: Actor) -> None:
    """Let one at a time change which pipelines there are, their order and the default."""
    await locks.hold(actor.workspace_id, "pipelines")


async def _hold_stages(pipeline: Pipeline) -> None:
    """Wait for those who are putting leads into the pipeline, and keep others out."""
    await get_connection("default").execute_query(
        "SELECT id FROM stage WHERE pipeline_id = $1 ORDER BY id FOR NO KEY UPDATE", [pipeline.id]
    )


def _forbid_name(faults: Faults, name: str, others: Sequence[Pipeline]) -> None:
    if inputs.normalised_name(name) in {inputs.normalised_name(other.name) for other in others}:
        faults.add(AlreadyExists(noun="pipeline", what="name", field="name"))


async def _forget_default(actor: Actor, others: Sequence[Pipeline], *, now: datetime) -> None:
    for other in others:
        if other.is_default:
            await _edit(actor, other, {"is_default": False}, now=now)


async def _edit(actor: Actor, pipeline: Pipeline, columns: dict[str, Any], *, now: datetime) -> None:
    if changed := await edits.apply(pipeline, columns, now=now):
        facts = {"changes": changed, "version": pipeline.version}
        await record(PipelineUpdated(actor, pipeline.id, facts), now=now)


async def _number(ordered: Sequence[Pipeline]) -> None:
    """Give pipelines the positions of their order, as the system does, so that no version rises."""
    moved = [row for position, row in enumerate(ordered) if row.position != position]
    for position, row in enumerate(ordered):
        row.position = position
    if moved:
        await Pipeline.bulk_update(moved, ["position"])


def _row(
    actor: Actor, *, name: str, position: int, is_default: bool, now: datetime, id: UUID | None = None
) -> Pipeline:
    return Pipeline(
        id=edits.new_id(Faults(), id),
        workspace_id=actor.workspace_id,
        name=name,
        position=position,
        is_default=is_default,
        created_at=now,
        updated_at=now,
    )


async def _insert(actor: Actor, row: Pipeline, new_stages: Sequence[NewStage], *, now: datetime) -> Pipeline:
    await row.save(force_create=True)
    facts = {"name": row.name, "is_default": row.is_default, "version": row.version}
    await record(PipelineCreated(actor, row.id, facts), now=now)
    await stages.insert(actor, row, new_stages, now=now)
    return row
