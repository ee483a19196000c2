"""Pipelines in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.policy import Action
from engine.conditions import Compare, Op
from engine.pages import Order
from models.pipelines import Pipeline as PipelineRow
from models.stages import Stage as StageRow
from schema.boards import PipelineBoard
from schema.connections import Connection, connection, few
from schema.fields import by_id, column, noun
from schema.filters import BooleanFilter, DateTimeFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can

if TYPE_CHECKING:
    from schema.stages import Stage

KEPT = Compare("archived_at", Op.IS_NULL, True)
MOST_STAGES = 100


@noun(PipelineRow, description="A board that leads walk, stage by stage.")
class Pipeline(PipelineBoard, Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_PIPELINES, delete=Action.MANAGE_PIPELINES)
    name: str = column("What it is called.")
    position: int = column("Its place among the pipelines.")
    is_default: bool = column("Whether new leads come here unless somebody says otherwise.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")
    stages: list[Annotated["Stage", strawberry.lazy("schema.stages")]] = few(
        StageRow,
        by="pipeline_id",
        default=(Order("position"),),
        most=MOST_STAGES,
        where=KEPT,
        description="Its stages in their order, archived ones left out.",
    )


@strawberry.input(description="Which pipelines.")
class PipelineFilter:
    id: IDFilter | None = on("By id.", "id", noun="Pipeline")
    name: StringFilter | None = on("By name.", "name")
    is_default: BooleanFilter | None = on(
        "By whether new leads come here unless somebody says otherwise.", "is_default"
    )
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[PipelineFilter] | None" = junction("and", "All of these pass.")
    or_: "list[PipelineFilter] | None" = junction("or", "Any of these passes.")
    not_: "PipelineFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What pipelines can be ordered by.")
class PipelineOrderField(Enum):
    POSITION = strawberry.enum_value("position", description="Its place among the pipelines.")
    NAME = strawberry.enum_value("name", description="Its name.")
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")


@strawberry.input(description="An order of pipelines.")
class PipelineOrder:
    field: PipelineOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class PipelineQueries:
    pipelines: Connection[Pipeline] = connection(
        "Pipeline",
        "schema.pipelines",
        model=PipelineRow,
        default=(Order("position"),),
        description="The pipelines in their order, archived ones included.",
    )

    pipeline: Pipeline | None = by_id(PipelineRow, "Pipeline", "A pipeline.")
