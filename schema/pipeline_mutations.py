"""What can be done with pipelines and their stages, in the schema: translate in, translate out."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain import pipelines, stage_archive, stages
from domain.pipelines import Template
from domain.requirements import CUSTOM, MILESTONES
from domain.stages import NewStage, Requirements, StageDetails
from domain.unset import UNSET
from models.stages import Stage as StageRow
from models.stages import StageKind
from models.users import Role
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.filters import field_name
from schema.inputs import about, exactly, expected_version, own_id, unless_null
from schema.pipelines import Pipeline
from schema.stages import Stage


@strawberry.input(description="A stage of a new pipeline.")
class NewStageInput:
    name: str = strawberry.field(
        description="What it is called, at most 200 characters; no two of a pipeline share one."
    )
    kind: StageKind = strawberry.field(description="Which of the six phases of the sales cycle it belongs to.")
    probability: float | None = strawberry.field(
        default=None, description="The chance to win of leads in it, 0 to 1; by its kind if left out."
    )
    rot_days: int | None = strawberry.field(
        default=None, description="After how many days a lead in it rots; never if left out."
    )
    is_intake: bool = strawberry.field(
        default=False, description="Whether it is a queue of raw leads; only of kind PROSPECT."
    )


@strawberry.input(description="A pipeline to make, from a template or with stages of one's own.")
class CreatePipelineInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str | None = strawberry.field(
        default=None, description="What it is called, at most 200 characters; the template's name if left out."
    )
    template: Template | None = strawberry.field(default=None, description="The kind of business it is for.")
    stages: list[NewStageInput] | None = strawberry.field(
        default=None, description="Its stages in their order, those of kind FOLLOW_UP last; at most 50."
    )


@strawberry.input(description="A change of a pipeline; what is left out stays as it is.")
class UpdatePipelineInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The pipeline.")
    name: str | None = optional("What it is called, at most 200 characters; no two share one.")
    position: int | None = optional("Its place among the pipelines, 0 for the first; null changes nothing.")
    make_default: bool = strawberry.field(
        default=False, description="Let new leads come here, and no longer elsewhere."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A pipeline to take out of use.")
class ArchivePipelineInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The pipeline; not the default one, and without open leads.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived pipeline to bring back.")
class RestorePipelineInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The pipeline.")


@strawberry.input(description="A stage to add to a pipeline.")
class CreateStageInput(MutationInput):
    id: strawberry.ID | None = own_id()
    pipeline_id: strawberry.ID = strawberry.field(description="The pipeline.")
    name: str = strawberry.field(
        description="What it is called, at most 200 characters; no two of a pipeline share one."
    )
    kind: StageKind = strawberry.field(description="Which of the six phases of the sales cycle it belongs to.")
    probability: float | None = strawberry.field(
        default=None, description="The chance to win of leads in it, 0 to 1; by its kind if left out."
    )
    rot_days: int | None = strawberry.field(
        default=None, description="After how many days a lead in it rots; never if left out."
    )
    is_intake: bool = strawberry.field(
        default=False, description="Whether it is a queue of raw leads; only of kind PROSPECT."
    )
    position: int | None = strawberry.field(
        default=None, description="Its place in the pipeline, 0 for the first; behind those of its sort if left out."
    )


@strawberry.input(description="A change of a stage; what is left out stays as it is.")
class UpdateStageInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The stage.")
    name: str | None = optional("What it is called, at most 200 characters; no two of a pipeline share one.")
    kind: StageKind | None = optional("The phase it belongs to; its leads must fit. Null changes nothing.")
    probability: float | None = optional("The chance to win of leads in it, 0 to 1; null is the usual one of its kind.")
    rot_days: int | None = optional("After how many days a lead in it rots; null: never.")
    is_intake: bool | None = optional("Whether it is a queue of raw leads; null changes nothing.")
    expected_version: int | None = expected_version()


@strawberry.input(description="What a lead needs to enter a stage, and how it may enter and leave it.")
class StageRequirementsInput:
    fields: list[str] = strawberry.field(
        default_factory=list,
        description="Fields of the lead that must be filled, as the API names them; custom:key for a custom one.",
    )
    min_needs: int = strawberry.field(default=0, description="How many needs must be named, at most 50.")
    no_skipping: bool = strawberry.field(
        default=False, description="Whether it is entered from the stage right before it only."
    )
    no_going_back: bool = strawberry.field(default=False, description="Whether leads do not go back from it.")
    roles_in: list[Role] = strawberry.field(
        default_factory=list, description="Who may move leads in; empty: all who may move leads."
    )
    roles_out: list[Role] = strawberry.field(
        default_factory=list, description="Who may move leads out; empty: all who may move leads."
    )
    needs_approval: bool = strawberry.field(default=False, description="Whether a manager approves moves into it.")
    criterion_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Criteria of the checklist that must be answered, at most 50."
    )
    all_criteria: bool = strawberry.field(
        default=False, description="Whether the whole checklist must be answered, as it is at any time."
    )
    proposal_accepted: bool = strawberry.field(
        default=False, description="Whether a customer must have accepted a proposal."
    )
    terms_agreed: bool = strawberry.field(
        default=False,
        description="Whether both sides must have agreed on terms: in a negotiation, or by accepting a proposal.",
    )
    contract_signed: bool = strawberry.field(
        default=False, description="Whether both sides must have signed a contract."
    )
    invoice_paid: bool = strawberry.field(default=False, description="Whether an invoice must be paid.")


@strawberry.input(description="Requirements of a stage, in place of those it has.")
class SetStageRequirementsInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The stage.")
    requirements: StageRequirementsInput = strawberry.field(description="All its requirements.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An order of the stages of a pipeline.")
class ReorderStagesInput(MutationInput):
    pipeline_id: strawberry.ID = strawberry.field(description="The pipeline.")
    stage_ids: list[strawberry.ID] = strawberry.field(
        description="All its stages that are not archived, each once, those of kind FOLLOW_UP last."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version of the pipeline that was edited; refused as STALE at another one."
    )


@strawberry.input(description="A stage to take out of use.")
class ArchiveStageInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The stage.")
    move_leads_to: strawberry.ID | None = strawberry.field(
        default=None, description="The stage of the same pipeline that its leads go to; needed where it has any."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived stage to bring back.")
class RestoreStageInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The stage.")


@strawberry.type(description="A pipeline after a mutation.")
class PipelinePayload(Payload):
    stale_field: ClassVar[str] = "pipeline"
    pipeline: Pipeline | None = strawberry.field(
        default=None, description="The pipeline; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A stage after a mutation.")
class StagePayload(Payload):
    stale_field: ClassVar[str] = "stage"
    stage: Stage | None = strawberry.field(
        default=None, description="The stage; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A stage that was emptied and taken out of use.")
class ArchiveStagePayload(StagePayload):
    moved_leads_to: Stage | None = strawberry.field(
        default=None, description="The stage where its leads stand now, for its fresh counts."
    )


def _new_stage(input: NewStageInput | CreateStageInput) -> NewStage:
    return NewStage(
        name=input.name,
        kind=input.kind,
        probability=exactly(input.probability),
        rot_days=input.rot_days,
        is_intake=input.is_intake,
    )


def _required(name: str) -> str:
    """Return the name of a required field as the domain takes it: a custom field may be named by its global id."""
    named = field_name(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else None
    return f"{CUSTOM}{named.hex}" if isinstance(named, UUID) else name


def _requirements(input: StageRequirementsInput) -> Requirements:
    return Requirements(
        fields=tuple(_required(name) for name in input.fields),
        min_needs=input.min_needs,
        no_skipping=input.no_skipping,
        no_going_back=input.no_going_back,
        roles_in=tuple(input.roles_in),
        roles_out=tuple(input.roles_out),
        needs_approval=input.needs_approval,
        criteria=tuple(
            ids.decode_all(input.criterion_ids, "QualificationCriterion", field="requirements.criterionIds")
        ),
        all_criteria=input.all_criteria,
        **{name: getattr(input, name) for name in MILESTONES},
    )


def _probability(value: Any) -> Any:
    return UNSET if value is strawberry.UNSET else exactly(value)


@strawberry.type
class PipelineMutations:
    @strawberry.mutation(description="Make a pipeline.")
    @reports_user_errors
    async def create_pipeline(
        self, info: Info, input: Annotated[CreatePipelineInput, about("The pipeline.")]
    ) -> PipelinePayload:
        row = await pipelines.create(
            info.context.actor,
            id=ids.decode_new(input.id, "Pipeline"),
            name=input.name,
            template=input.template,
            new_stages=None if input.stages is None else [_new_stage(stage) for stage in input.stages],
            now=info.context.now,
        )
        return PipelinePayload(pipeline=shown(row))

    @strawberry.mutation(description="Rename a pipeline, put it elsewhere among the others, or make it the default.")
    @reports_user_errors
    async def update_pipeline(
        self, info: Info, input: Annotated[UpdatePipelineInput, about("The change.")]
    ) -> PipelinePayload:
        row = await pipelines.update(
            info.context.actor,
            ids.decode(input.id, "Pipeline"),
            expected_version=input.expected_version,
            name=given(input.name),
            position=unless_null(input.position),
            make_default=input.make_default,
            now=info.context.now,
        )
        return PipelinePayload(pipeline=shown(row))

    @strawberry.mutation(description="Take a pipeline out of use; its closed leads stay in it.")
    @reports_user_errors
    async def archive_pipeline(
        self, info: Info, input: Annotated[ArchivePipelineInput, about("The pipeline.")]
    ) -> PipelinePayload:
        row = await pipelines.archive(
            info.context.actor,
            ids.decode(input.id, "Pipeline"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return PipelinePayload(pipeline=shown(row))

    @strawberry.mutation(description="Bring an archived pipeline back, behind the others.")
    @reports_user_errors
    async def restore_pipeline(
        self, info: Info, input: Annotated[RestorePipelineInput, about("The pipeline.")]
    ) -> PipelinePayload:
        row = await pipelines.restore(info.context.actor, ids.decode(input.id, "Pipeline"), now=info.context.now)
        return PipelinePayload(pipeline=shown(row))

    @strawberry.mutation(description="Put the stages of a pipeline into an order; it is an edit of the pipeline.")
    @reports_user_errors
    async def reorder_stages(
        self, info: Info, input: Annotated[ReorderStagesInput, about("The order.")]
    ) -> PipelinePayload:
        row = await stages.reorder(
            info.context.actor,
            ids.decode(input.pipeline_id, "Pipeline", field="pipelineId"),
            ids.decode_all(input.stage_ids, "Stage", field="stageIds"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return PipelinePayload(pipeline=shown(row))


@strawberry.type
class StageMutations:
    @strawberry.mutation(description="Add a stage to a pipeline.")
    @reports_user_errors
    async def create_stage(self, info: Info, input: Annotated[CreateStageInput, about("The stage.")]) -> StagePayload:
        row = await stages.create(
            info.context.actor,
            ids.decode(input.pipeline_id, "Pipeline", field="pipelineId"),
            _new_stage(input),
            id=ids.decode_new(input.id, "Stage"),
            position=input.position,
            now=info.context.now,
        )
        return StagePayload(stage=shown(row))

    @strawberry.mutation(description="Change a stage; with its probability goes that of its open leads.")
    @reports_user_errors
    async def update_stage(self, info: Info, input: Annotated[UpdateStageInput, about("The change.")]) -> StagePayload:
        row = await stages.update(
            info.context.actor,
            ids.decode(input.id, "Stage"),
            StageDetails(
                name=given(input.name),
                kind=unless_null(input.kind),
                probability=_probability(input.probability),
                rot_days=given(input.rot_days),
                is_intake=unless_null(input.is_intake),
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return StagePayload(stage=shown(row))

    @strawberry.mutation(description="Say what leads need to enter a stage, and how they enter and leave it.")
    @reports_user_errors
    async def set_stage_requirements(
        self, info: Info, input: Annotated[SetStageRequirementsInput, about("The requirements.")]
    ) -> StagePayload:
        row = await stages.set_requirements(
            info.context.actor,
            ids.decode(input.id, "Stage"),
            _requirements(input.requirements),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return StagePayload(stage=shown(row))

    @strawberry.mutation(description="Empty a stage into another of its pipeline and take it out of use.")
    @reports_user_errors
    async def archive_stage(
        self, info: Info, input: Annotated[ArchiveStageInput, about("The stage.")]
    ) -> ArchiveStagePayload:
        target = ids.decode_maybe(input.move_leads_to, "Stage", field="moveLeadsTo")
        row = await stage_archive.archive(
            info.context.actor,
            ids.decode(input.id, "Stage"),
            move_leads_to=target,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        moved_to = await info.context.row(StageRow, target)
        return ArchiveStagePayload(stage=shown(row), moved_leads_to=shown(moved_to))

    @strawberry.mutation(description="Bring an archived stage back, behind those of its sort.")
    @reports_user_errors
    async def restore_stage(self, info: Info, input: Annotated[RestoreStageInput, about("The stage.")]) -> StagePayload:
        row = await stage_archive.restore(info.context.actor, ids.decode(input.id, "Stage"), now=info.context.now)
        return StagePayload(stage=shown(row))
