"""Plans of follow-ups: templates, set as a whole. What one has laid out stays as it is when the template changes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, leads, policy
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, Malformed, Required
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.base import uuid7
from models.database import transaction
from models.follow_ups import (
    FollowUpKind,
    FollowUpPlan,
    FollowUpPlanStep,
    PlanAnchor,
    PlanTrigger,
    Priority,
)
from models.pipelines import Pipeline
from models.stages import Stage

MOST_STEPS = 50
MOST_PLANS = 200
MOST_DAYS = 3_660
UNIQUE = {"follow_up_plan_pkey": "id", "follow_up_plan_name_idx": "name"}
AT = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class FollowUpPlanCreated(Event):
    name = "follow_up_plan.created"


class FollowUpPlanUpdated(Event):
    name = "follow_up_plan.updated"


class FollowUpPlanArchived(Event):
    name = "follow_up_plan.archived"


class FollowUpPlanRestored(Event):
    name = "follow_up_plan.restored"


class TooManyPlans(DomainError):
    """A workspace has at most {limit} plans of follow-ups in use."""


class TooManySteps(DomainError):
    """A plan has at most {limit} steps, not {count}."""


class StageOfNoTrigger(DomainError):
    """A plan that is laid out when a lead is won has no stage; it may have a pipeline."""


class PipelineOfNoTrigger(DomainError):
    """A plan that is laid out when a lead enters a stage has no pipeline but its stage's."""


class BeforeItsTrigger(DomainError):
    """A step before the plan is laid out comes too late: count such days from the end of the term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStep:
    """One follow-up of a plan: so many days after its anchor, on the day or `at` HH:MM on its owner's clock."""

    kind: FollowUpKind
    title: str
    days: int
    note: str | None = None
    priority: Priority = Priority.NORMAL
    anchor: PlanAnchor = PlanAnchor.TRIGGER
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDetails:
    """What people say of a plan; what is UNSET is left as it is. Steps are given all together, in their order."""

    name: str | Unset | None = UNSET
    trigger: PlanTrigger | Unset = UNSET
    stage_id: UUID | Unset | None = UNSET
    pipeline_id: UUID | Unset | None = UNSET
    steps: Sequence[NewStep] | Unset = UNSET


async def create(actor: Actor, details: PlanDetails, *, id: UUID | None = None, now: datetime) -> FollowUpPlan:
    """Make a plan with its steps; leads that come where it says from now on get it laid out.

    Raises Forbidden, AlreadyExists (id, name), TooManyPlans, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_PLANS)
    faults = Faults()
    key = edits.new_id(faults, id)
    if details.name is UNSET:
        faults.add(Required(field="name"))
    if isinstance(details.trigger, Unset):
        faults.add(Required(field="trigger"))
    columns = await _check(faults, actor, details, current=None)
    steps = _steps(faults, details)
    faults.raise_any()
    with edits.collisions("follow-up plan", UNIQUE):
        async with transaction():
            await _make_room(actor)
            row = FollowUpPlan(
                id=key, workspace_id=actor.workspace_id, since=now, created_at=now, updated_at=now, **columns
            )
            await edits.insert(row)
            await _set_steps(row, steps or [], had=[], now=now)
            facts = edits.facts(row, columns)
            facts["changes"]["steps"] = [None, [step.title for step in steps or []]]
            await record(FollowUpPlanCreated(actor, row.id, facts), now=now)
    return row


async def update(
    actor: Actor, plan_id: UUID, details: PlanDetails, *, expected_version: int | None = None, now: datetime
) -> FollowUpPlan:
    """Change a plan; steps that are given replace all it had. What it has laid out stays as it is.

    Where it is laid out elsewhere from now on, leads that are there already are left out. Raises NotFound, Stale,
    Forbidden, Conflict where it is archived, AlreadyExists (name), and faults of the input.
    """
    faults = Faults()
    with edits.collisions("follow-up plan", UNIQUE):
        async with transaction():
            row = await policy.locked(actor, FollowUpPlan, plan_id, expected_version=expected_version)
            policy.require(actor, Action.MANAGE_PLANS, row)
            if row.archived_at is not None:
                raise Conflict(reason=f"{row.name} is archived: restore it first.")
            columns = await _check(faults, actor, details, current=row)
            steps = _steps(faults, details)
            faults.raise_any()
            if any(getattr(row, name) != columns.get(name, getattr(row, name)) for name in WHERE):
                columns["since"] = now
            had = await steps_of([row.id])
            differ = steps is not None and [_said(step) for step in had] != [_said(step) for step in steps]
            changed: dict[str, Any] = dict(await edits.apply(row, columns, now=now))
            changed.pop("since", None)
            if differ and not changed:
                await edits.raise_version(row, now=now)
            if differ:
                await _set_steps(row, steps or [], had=had, now=now)
                changed["steps"] = [[step.title for step in had], [step.title for step in steps or []]]
            if changed:
                facts = {"changes": changed, "version": row.version}
                await record(FollowUpPlanUpdated(actor, row.id, facts), now=now)
    return row


async def archive(actor: Actor, plan_id: UUID, *, expected_version: int | None = None, now: datetime) -> FollowUpPlan:
    """Lay a plan out no more; what it has laid out stays. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await policy.locked(actor, FollowUpPlan, plan_id, expected_version=expected_version)
        policy.require(actor, Action.MANAGE_PLANS, row)
        if row.archived_at is None:
            await edits.apply(row, {"archived_at": now}, now=now)
            await record(FollowUpPlanArchived(actor, row.id, {"version": row.version}), now=now)
    return row


async def restore(actor: Actor, plan_id: UUID, *, now: datetime) -> FollowUpPlan:
    """Lay an archived plan out again, for leads that come where it says from now on.

    Raises NotFound, Forbidden, AlreadyExists (name), TooManyPlans, Archived where its stage or pipeline is.
    """
    with edits.collisions("follow-up plan", UNIQUE):
        async with transaction():
            row = await policy.locked(actor, FollowUpPlan, plan_id)
            policy.require(actor, Action.MANAGE_PLANS, row)
            if row.archived_at is not None:
                await _make_room(actor)
                faults = Faults()
                await _refer(faults, actor, row.stage_id, row.pipeline_id)
                faults.raise_any()
                await edits.apply(row, {"archived_at": None, "since": now}, now=now)
                await record(FollowUpPlanRestored(actor, row.id, {"version": row.version}), now=now)
    return row


# Columns that say for which leads a plan is laid out.
WHERE = ("trigger", "stage_id", "pipeline_id")
SAID = ("kind", "title", "note", "priority", "anchor", "days", "at")


async def steps_of(plan_ids: Sequence[UUID]) -> list[FollowUpPlanStep]:
    """Return the steps that plans have now, each plan's in their order."""
    rows = FollowUpPlanStep.filter(plan_id__in=list(plan_ids), removed_at=None)
    return await rows.order_by("plan_id", "number")


def _said(step: FollowUpPlanStep | NewStep) -> tuple[Any, ...]:
    return tuple(getattr(step, name) for name in SAID)


async def _set_steps(
    row: FollowUpPlan, steps: Sequence[NewStep], *, had: Sequence[FollowUpPlanStep], now: datetime
) -> None:
    """Write the steps of a plan anew; those that it had are kept for what they have laid out."""
    if had:
        await FollowUpPlanStep.filter(id__in=[step.id for step in had]).update(removed_at=now)
    for number, step in enumerate(steps, start=1):
        await edits.insert(
            FollowUpPlanStep(
                id=uuid7(),
                workspace_id=row.workspace_id,
                plan_id=row.id,
                number=number,
                created_at=now,
                updated_at=now,
                **dict(zip(SAID, _said(step), strict=True)),
            )
        )


async def _check(faults: Faults, actor: Actor, details: PlanDetails, *, current: FollowUpPlan | None) -> dict[str, Any]:
    """Check what is given of a plan, but for its steps, and return it as columns."""
    columns: dict[str, Any] = given(trigger=details.trigger, stage_id=details.stage_id, pipeline_id=details.pipeline_id)
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    trigger = columns.get("trigger", getattr(current, "trigger", None))
    moved = current is not None and trigger is not current.trigger
    stage_id = columns.get("stage_id", None if moved else getattr(current, "stage_id", None))
    pipeline_id = columns.get("pipeline_id", None if moved else getattr(current, "pipeline_id", None))
    if trigger is PlanTrigger.STAGE_ENTERED and stage_id is None:
        faults.add(Required(field="stageId"))
    if trigger is PlanTrigger.STAGE_ENTERED and pipeline_id is not None:
        faults.add(PipelineOfNoTrigger(field="pipelineId"))
    if trigger is PlanTrigger.LEAD_WON and stage_id is not None:
        faults.add(StageOfNoTrigger(field="stageId"))
    fresh = {name: key for name, key in (("stage_id", stage_id), ("pipeline_id", pipeline_id)) if key is not None}
    fresh = {name: key for name, key in fresh.items() if current is None or getattr(current, name) != key}
    await _refer(faults, actor, fresh.get("stage_id"), fresh.get("pipeline_id"))
    return columns | ({"stage_id": stage_id, "pipeline_id": pipeline_id} if trigger else {})


async def _refer(faults: Faults, actor: Actor, stage_id: UUID | None, pipeline_id: UUID | None) -> None:
    """Check that the stage and the pipeline of a plan are there and in use."""
    for noun, key, field in ((Stage, stage_id, "stageId"), (Pipeline, pipeline_id, "pipelineId")):
        row: Any = await edits.referred(faults, actor, noun, key, field=field)
        leads.refuse_archived(faults, row, field=field)


def _steps(faults: Faults, details: PlanDetails) -> list[NewStep] | None:
    """Check steps and return them as they are kept; None where none are given."""
    if isinstance(details.steps, Unset):
        return None
    if len(details.steps) > MOST_STEPS:
        faults.add(TooManySteps(limit=MOST_STEPS, count=len(details.steps), field="steps"))
        return None
    return [_step(faults, step, f"steps.{at}") for at, step in enumerate(details.steps)]


def _step(faults: Faults, step: NewStep, within: str) -> NewStep:
    inputs.whole(faults, step.days, field=f"{within}.days", least=-MOST_DAYS, most=MOST_DAYS)
    if step.days < 0 and step.anchor is PlanAnchor.TRIGGER:
        faults.add(BeforeItsTrigger(field=f"{within}.days"))
    at = step.at or None
    if at is not None and not AT.fullmatch(at):
        faults.add(Malformed(field=f"{within}.at", what="a time of day such as 09:30"))
    return NewStep(
        kind=step.kind,
        title=inputs.name(faults, step.title, field=f"{within}.title"),
        days=step.days,
        note=inputs.text(faults, step.note, field=f"{within}.note"),
        priority=step.priority,
        anchor=step.anchor,
        at=at,
    )


async def _make_room(actor: Actor) -> None:
    if await FollowUpPlan.filter(workspace_id=actor.workspace_id, archived_at=None).count() >= MOST_PLANS:
        raise TooManyPlans(limit=MOST_PLANS)
