"""Pipelines: boards of stages, from templates per kind of business."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain import locks, policy, stages
from domain.actors import Actor
from domain.events import Event, record
from domain.policy import Action
from domain.stages import NewStage
from models.database import transaction
from models.pipelines import Pipeline
from models.stages import StageKind

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
        await locks.hold(actor.workspace_id, "pipelines")
        return await _insert(actor, name=draft.name, new_stages=draft.stages, is_default=True, now=now)


async def _insert(
    actor: Actor, *, name: str, new_stages: Sequence[NewStage], is_default: bool, now: datetime
) -> Pipeline:
    last = await Pipeline.filter(workspace_id=actor.workspace_id).order_by("-position").first()
    pipeline = await Pipeline.create(
        workspace_id=actor.workspace_id,
        name=name,
        position=last.position + 1 if last else 0,
        is_default=is_default,
        created_at=now,
        updated_at=now,
    )
    await record(
        PipelineCreated(
            actor, pipeline.id, {"name": name, "is_default": is_default, "version": pipeline.version}
        ),
        now=now,
    )
    await stages.insert(actor, pipeline, new_stages, now=now)
    return pipeline
