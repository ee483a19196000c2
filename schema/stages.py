"""Stages in the schema."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.policy import Action
from domain.requirements import CUSTOM, MILESTONES
from domain.stages import Requirements
from models.custom_fields import CustomFieldOwner
from models.pipelines import Pipeline as PipelineRow
from models.stages import Stage as StageRow
from models.stages import StageKind
from models.users import Role
from schema import ids
from schema.boards import StageBoard
from schema.context import Info
from schema.custom_fields import fields_of
from schema.fields import batch, by_id, column, computed, noun, relation
from schema.nodes import Node
from schema.permissions import ObjectPermissions, viewer_can

if TYPE_CHECKING:
    from schema.pipelines import Pipeline


@strawberry.type(description="What a lead needs to enter a stage, and how it may enter and leave it.")
class StageRequirements:
    fields: list[str] = strawberry.field(
        description="Fields of the lead that must be filled, as the API names them; custom:key is a custom one."
    )
    min_needs: int = strawberry.field(description="How many needs must be named.")
    no_skipping: bool = strawberry.field(description="Whether it is entered from the stage right before it only.")
    no_going_back: bool = strawberry.field(description="Whether leads do not go back from it.")
    roles_in: list[Role] = strawberry.field(description="Who may move leads in; empty: all who may move leads.")
    roles_out: list[Role] = strawberry.field(description="Who may move leads out; empty: all who may move leads.")
    needs_approval: bool = strawberry.field(description="Whether a manager approves moves into it.")
    criterion_ids: list[strawberry.ID] = strawberry.field(
        description="Criteria of the checklist that must be answered; those that are archived are asked no more."
    )
    all_criteria: bool = strawberry.field(description="Whether the whole checklist must be answered.")
    proposal_accepted: bool = strawberry.field(description="Whether a customer must have accepted a proposal.")
    terms_agreed: bool = strawberry.field(
        description="Whether both sides must have agreed on terms: in a negotiation, or by accepting a proposal."
    )
    contract_signed: bool = strawberry.field(description="Whether both sides must have signed a contract.")
    invoice_paid: bool = strawberry.field(description="Whether an invoice must be paid.")


async def _requirements(stages: list[Any], info: Info) -> list[StageRequirements]:
    """Return the requirements of stages, custom fields by their keys and without those that are archived."""
    wanted = [Requirements.parse(stage.requirements) for stage in stages]
    custom = await fields_of(CustomFieldOwner.LEAD, info) if any(one.custom for one in wanted) else []
    names = {f"{CUSTOM}{field.id.hex}": f"{CUSTOM}{field.key}" for field in custom}
    return [_shown(one, names) for one in wanted]


def _shown(wanted: Requirements, custom: dict[str, str]) -> StageRequirements:
    return StageRequirements(
        fields=[custom.get(name, name) for name in wanted.fields if name in custom or not name.startswith(CUSTOM)],
        min_needs=wanted.min_needs,
        no_skipping=wanted.no_skipping,
        no_going_back=wanted.no_going_back,
        roles_in=list(wanted.roles_in),
        roles_out=list(wanted.roles_out),
        needs_approval=wanted.needs_approval,
        criterion_ids=[ids.encode("QualificationCriterion", key) for key in wanted.criteria],
        all_criteria=wanted.all_criteria,
        **{name: name in wanted.milestones for name in MILESTONES},
    )


@noun(StageRow, description="A column of a pipeline's board.")
class Stage(StageBoard, Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_PIPELINES, delete=Action.MANAGE_PIPELINES)
    name: str = column("What it is called.")
    kind: StageKind = column("Which of the six phases of the sales cycle it belongs to.")
    position: int = column("Its place in the pipeline.")
    probability: float = computed(float, "The chance to win of leads that stand in it, 0 to 1.", needs=("probability",))
    rot_days: int | None = column("After how many days a lead in it rots; null: never.")
    is_intake: bool = column("Whether it is a queue of raw leads, which counts in no value, forecast or rotting.")
    requirements: StageRequirements = batch(
        _requirements, "What a lead needs to enter it, and how it may enter and leave it.", needs=("requirements",)
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")
    pipeline: Annotated["Pipeline", strawberry.lazy("schema.pipelines")] | None = relation(
        PipelineRow, "Its pipeline.", by="pipeline_id"
    )


@strawberry.type
class StageQueries:
    stage: Stage | None = by_id(StageRow, "Stage", "A stage.")
