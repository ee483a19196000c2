"""Plans of follow-ups and days off in the schema."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.follow_up_plans import MOST_STEPS
from domain.policy import Action
from engine.pages import Order
from models.follow_ups import FollowUpKind, PlanAnchor, PlanTrigger, Priority
from models.follow_ups import FollowUpPlan as FollowUpPlanRow
from models.follow_ups import FollowUpPlanStep as FollowUpPlanStepRow
from models.follow_ups import Holiday as HolidayRow
from models.pipelines import Pipeline as PipelineRow
from models.stages import Stage as StageRow
from schema.connections import Connection, connection, few
from schema.fields import by_id, column, noun, relation
from schema.filters import DateFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can

if TYPE_CHECKING:
    from schema.pipelines import Pipeline
    from schema.stages import Stage

BY_NAME = (Order("name"),)
BY_DAY = (Order("day"),)


@noun(FollowUpPlanStepRow, description="One follow-up that a plan lays out.")
class FollowUpPlanStep:
    number: int = column("Its place in the plan, from 1.")
    kind: FollowUpKind = column("What is to be done.")
    title: str = column("What it is, in a line.")
    note: str | None = column("More about it: plain text.")
    priority: Priority = column("How much it matters.")
    anchor: PlanAnchor = column("From what its days are counted.")
    days: int = column("How many days after it; negative, before it.")
    at: str | None = column("At what time on the owner's clock, as HH:MM; null: on the day.")


@noun(FollowUpPlanRow, description="A series of follow-ups that is laid out when a lead comes into a stage, or is won.")
class FollowUpPlan(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_PLANS, delete=Action.MANAGE_PLANS)
    name: str = column("What it is called.")
    trigger: PlanTrigger = column("When it is laid out.")
    stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "The stage whose leads it is laid out for, where it is laid out when they enter it.", by="stage_id"
    )
    pipeline: Annotated["Pipeline", strawberry.lazy("schema.pipelines")] | None = relation(
        PipelineRow, "The pipeline of whose won leads alone it is laid out for; null: of any.", by="pipeline_id"
    )
    steps: list[FollowUpPlanStep] = few(
        FollowUpPlanStepRow,
        by="plan_id",
        default=(Order("number"),),
        most=MOST_STEPS,
        description="What it lays out, in its order.",
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@noun(HolidayRow, description="A day on which the workspace does not work.")
class Holiday(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_HOLIDAYS, delete=Action.MANAGE_HOLIDAYS)
    day: date = column("The day.")
    name: str = column("What it is called.")
    version: int = column("Rises with every edit by a person.")


@strawberry.input(description="Which plans of follow-ups.")
class FollowUpPlanFilter:
    id: IDFilter | None = on("By id.", "id", noun="FollowUpPlan")
    name: StringFilter | None = on("By name.", "name")
    trigger: EnumFilter[PlanTrigger] | None = on("By when they are laid out.", "trigger")
    stage: IDFilter | None = on("By stage.", "stage_id", noun="Stage")
    pipeline: IDFilter | None = on("By pipeline.", "pipeline_id", noun="Pipeline")
    archived_at: DateTimeFilter | None = on("By when they were archived; null is: in use.", "archived_at")
    and_: "list[FollowUpPlanFilter] | None" = junction("and", "All of these pass.")
    or_: "list[FollowUpPlanFilter] | None" = junction("or", "Any of these passes.")
    not_: "FollowUpPlanFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What plans of follow-ups can be ordered by.")
class FollowUpPlanOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of plans of follow-ups.")
class FollowUpPlanOrder:
    field: FollowUpPlanOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.input(description="Which days off.")
class HolidayFilter:
    id: IDFilter | None = on("By id.", "id", noun="Holiday")
    day: DateFilter | None = on("By day.", "day")
    name: StringFilter | None = on("By name.", "name")
    and_: "list[HolidayFilter] | None" = junction("and", "All of these pass.")
    or_: "list[HolidayFilter] | None" = junction("or", "Any of these passes.")
    not_: "HolidayFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What days off can be ordered by.")
class HolidayOrderField(Enum):
    DAY = strawberry.enum_value("day", description="The day.")


@strawberry.input(description="An order of days off.")
class HolidayOrder:
    field: HolidayOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class FollowUpPlanQueries:
    follow_up_plans: Connection[FollowUpPlan] = connection(
        "FollowUpPlan",
        "schema.follow_up_plans",
        model=FollowUpPlanRow,
        default=BY_NAME,
        description="The plans of follow-ups, by name; archived ones among them.",
    )

    follow_up_plan: FollowUpPlan | None = by_id(FollowUpPlanRow, "FollowUpPlan", "A plan of follow-ups.")

    holidays: Connection[Holiday] = connection(
        "Holiday",
        "schema.follow_up_plans",
        model=HolidayRow,
        default=BY_DAY,
        description="The days on which the workspace does not work, from the first.",
    )
