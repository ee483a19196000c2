"""What can be done with plans of follow-ups and with days off, in the schema: translate in, translate out."""

from datetime import date
from typing import Annotated, Any, ClassVar

import strawberry

from domain import follow_up_plans, holidays, laying_out
from domain.follow_up_plans import NewStep, PlanDetails
from domain.holidays import NewHoliday
from domain.unset import UNSET
from models.follow_ups import FollowUpKind, PlanAnchor, PlanTrigger, Priority
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, given_id, optional, shown
from schema.follow_up_plans import FollowUpPlan, Holiday
from schema.follow_ups import FollowUp
from schema.inputs import about, expected_version, own_id, unless_null


@strawberry.input(description="One follow-up that a plan lays out.")
class FollowUpPlanStepInput:
    kind: FollowUpKind = strawberry.field(description="What is to be done.")
    title: str = strawberry.field(description="What it is, at most 200 characters.")
    days: int = strawberry.field(
        description="How many days after its anchor; before the end of the term where it is negative. A day off is "
        "passed over: to the next day or, counted back, to the one before."
    )
    note: str | None = strawberry.field(default=None, description="More about it, at most 20,000 characters.")
    priority: Priority = strawberry.field(default=Priority.NORMAL, description="How much it matters.")
    anchor: PlanAnchor = strawberry.field(default=PlanAnchor.TRIGGER, description="From what its days are counted.")
    at: str | None = strawberry.field(
        default=None, description="At what time on the owner's clock, as HH:MM; on the day if left out."
    )


@strawberry.input(description="A plan of follow-ups to make.")
class CreateFollowUpPlanInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters.")
    trigger: PlanTrigger = strawberry.field(description="When it is laid out.")
    stage_id: strawberry.ID | None = optional("The stage, where it is laid out for leads that enter it.")
    pipeline_id: strawberry.ID | None = optional(
        "The pipeline, where it is laid out for won leads of that one alone; null is of any."
    )
    steps: list[FollowUpPlanStepInput] = strawberry.field(description="What it lays out, at most 50 steps.")


@strawberry.input(description="A change of a plan of follow-ups; what is left out stays as it is.")
class UpdateFollowUpPlanInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The plan.")
    name: str | None = optional("What it is called, at most 200 characters.")
    trigger: PlanTrigger | None = optional("When it is laid out; null changes nothing.")
    stage_id: strawberry.ID | None = optional("The stage, where it is laid out for leads that enter it.")
    pipeline_id: strawberry.ID | None = optional(
        "The pipeline, where it is laid out for won leads of that one alone; null is of any."
    )
    steps: list[FollowUpPlanStepInput] | None = optional(
        "All that it lays out, in place of what it did; null changes nothing."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A plan of follow-ups to archive.")
class ArchiveFollowUpPlanInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The plan.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived plan of follow-ups to use again.")
class RestoreFollowUpPlanInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The plan.")


@strawberry.input(description="A plan to lay out for a lead.")
class ApplyFollowUpPlanInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    plan_id: strawberry.ID = strawberry.field(description="The plan.")


@strawberry.type(description="A plan of follow-ups after a mutation.")
class FollowUpPlanPayload(Payload):
    stale_field: ClassVar[str] = "follow_up_plan"
    follow_up_plan: FollowUpPlan | None = strawberry.field(
        default=None, description="The plan; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="What was laid out.")
class ApplyFollowUpPlanPayload(Payload):
    follow_ups: list[FollowUp] = strawberry.field(
        default_factory=list, description="The follow-ups that were laid out, in the order of the plan."
    )


def _steps(value: Any) -> Any:
    """Return steps as the domain takes them: its own mark where none are given."""
    if value is None or value is strawberry.UNSET:
        return UNSET
    names = ("kind", "title", "days", "note", "priority", "anchor", "at")
    return [NewStep(**{name: getattr(step, name) for name in names}) for step in value]


def _plan(input: CreateFollowUpPlanInput | UpdateFollowUpPlanInput) -> PlanDetails:
    return PlanDetails(
        name=given(input.name),
        trigger=unless_null(input.trigger),
        stage_id=given_id(input.stage_id, "Stage", field="stageId"),
        pipeline_id=given_id(input.pipeline_id, "Pipeline", field="pipelineId"),
        steps=_steps(input.steps),
    )


@strawberry.type
class FollowUpPlanMutations:
    @strawberry.mutation(description="Make a plan of follow-ups, for leads that come where it says from now on.")
    @reports_user_errors
    async def create_follow_up_plan(
        self, info: Info, input: Annotated[CreateFollowUpPlanInput, about("The plan.")]
    ) -> FollowUpPlanPayload:
        row = await follow_up_plans.create(
            info.context.actor, _plan(input), id=ids.decode_new(input.id, "FollowUpPlan"), now=info.context.now
        )
        return FollowUpPlanPayload(follow_up_plan=shown(row))

    @strawberry.mutation(description="Change a plan of follow-ups; what it has laid out stays as it is.")
    @reports_user_errors
    async def update_follow_up_plan(
        self, info: Info, input: Annotated[UpdateFollowUpPlanInput, about("The change.")]
    ) -> FollowUpPlanPayload:
        row = await follow_up_plans.update(
            info.context.actor,
            ids.decode(input.id, "FollowUpPlan"),
            _plan(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return FollowUpPlanPayload(follow_up_plan=shown(row))

    @strawberry.mutation(description="Lay a plan of follow-ups out no more; what it has laid out stays.")
    @reports_user_errors
    async def archive_follow_up_plan(
        self, info: Info, input: Annotated[ArchiveFollowUpPlanInput, about("The plan.")]
    ) -> FollowUpPlanPayload:
        row = await follow_up_plans.archive(
            info.context.actor,
            ids.decode(input.id, "FollowUpPlan"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return FollowUpPlanPayload(follow_up_plan=shown(row))

    @strawberry.mutation(description="Lay an archived plan of follow-ups out again from now on.")
    @reports_user_errors
    async def restore_follow_up_plan(
        self, info: Info, input: Annotated[RestoreFollowUpPlanInput, about("The plan.")]
    ) -> FollowUpPlanPayload:
        key = ids.decode(input.id, "FollowUpPlan")
        row = await follow_up_plans.restore(info.context.actor, key, now=info.context.now)
        return FollowUpPlanPayload(follow_up_plan=shown(row))

    @strawberry.mutation(description="Lay out a plan of follow-ups for a lead by hand, as if it came there now.")
    @reports_user_errors
    async def apply_follow_up_plan(
        self, info: Info, input: Annotated[ApplyFollowUpPlanInput, about("The plan and the lead.")]
    ) -> ApplyFollowUpPlanPayload:
        rows = await laying_out.apply(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            ids.decode(input.plan_id, "FollowUpPlan", field="planId"),
            now=info.context.now,
        )
        return ApplyFollowUpPlanPayload(follow_ups=[shown(row) for row in rows])


@strawberry.input(description="A holiday to make.")
class CreateHolidayInput(MutationInput):
    id: strawberry.ID | None = own_id()
    day: date = strawberry.field(description="The day.")
    name: str = strawberry.field(description="What it is called, at most 200 characters.")


@strawberry.input(description="A day on which nobody works.")
class HolidayInput:
    day: date = strawberry.field(description="The day.")
    name: str = strawberry.field(description="What it is called, at most 200 characters.")


@strawberry.input(description="Holidays to make together.")
class CreateHolidaysInput(MutationInput):
    holidays: list[HolidayInput] = strawberry.field(description="The days, at most 400.")


@strawberry.input(description="A change of a holiday; what is left out stays as it is.")
class UpdateHolidayInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The holiday.")
    day: date | None = optional("The day; null changes nothing.")
    name: str | None = optional("What it is called, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A holiday to delete.")
class DeleteHolidayInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The holiday.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A holiday after a mutation.")
class HolidayPayload(Payload):
    stale_field: ClassVar[str] = "holiday"
    holiday: Holiday | None = strawberry.field(
        default=None, description="The holiday; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="Holidays after a mutation.")
class HolidaysPayload(Payload):
    holidays: list[Holiday] = strawberry.field(
        default_factory=list, description="The holidays on all these days, from the first."
    )


@strawberry.type(description="A deleted holiday.")
class DeleteHolidayPayload(HolidayPayload):
    deleted_holiday_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


@strawberry.type
class HolidayMutations:
    @strawberry.mutation(description="Make a holiday.")
    @reports_user_errors
    async def create_holiday(
        self, info: Info, input: Annotated[CreateHolidayInput, about("The holiday.")]
    ) -> HolidayPayload:
        new = NewHoliday(input.day, input.name, ids.decode_new(input.id, "Holiday"))
        row = await holidays.create(info.context.actor, new, now=info.context.now)
        return HolidayPayload(holiday=shown(row))

    @strawberry.mutation(description="Make holidays together; a day that is one already stays as it is.")
    @reports_user_errors
    async def create_holidays(
        self, info: Info, input: Annotated[CreateHolidaysInput, about("The holidays.")]
    ) -> HolidaysPayload:
        news = [NewHoliday(one.day, one.name) for one in input.holidays]
        rows = await holidays.create_many(info.context.actor, news, now=info.context.now)
        return HolidaysPayload(holidays=[shown(row) for row in rows])

    @strawberry.mutation(description="Change a holiday; what is laid out already stays where it is.")
    @reports_user_errors
    async def update_holiday(
        self, info: Info, input: Annotated[UpdateHolidayInput, about("The change.")]
    ) -> HolidayPayload:
        row = await holidays.update(
            info.context.actor,
            ids.decode(input.id, "Holiday"),
            day=unless_null(input.day),
            name=given(input.name),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return HolidayPayload(holiday=shown(row))

    @strawberry.mutation(description="Delete a holiday for good.")
    @reports_user_errors
    async def delete_holiday(
        self, info: Info, input: Annotated[DeleteHolidayInput, about("The holiday.")]
    ) -> DeleteHolidayPayload:
        row = await holidays.delete(
            info.context.actor,
            ids.decode(input.id, "Holiday"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteHolidayPayload(deleted_holiday_id=ids.encode("Holiday", row.id))
