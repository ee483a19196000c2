"""The short lists of a workspace in the schema: sources, lost reasons, tags."""

from datetime import datetime
from enum import Enum

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.activities import ActivityType as ActivityTypeRow
from models.catalog import LostReason as LostReasonRow
from models.catalog import Source as SourceRow
from models.catalog import SourceKind
from models.catalog import Tag as TagRow
from schema.connections import Connection, connection
from schema.fields import column, noun
from schema.filters import BooleanFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can

BY_NAME = (Order("name"),)


@noun(SourceRow, description="Where leads come from.")
class Source(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CATALOG, delete=Action.MANAGE_CATALOG)
    name: str = column("What it is called.")
    kind: SourceKind = column("What kind of source it is.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.input(description="Which sources.")
class SourceFilter:
    id: IDFilter | None = on("By id.", "id", noun="Source")
    name: StringFilter | None = on("By name.", "name")
    kind: EnumFilter[SourceKind] | None = on("By kind.", "kind")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[SourceFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SourceFilter] | None" = junction("or", "Any of these passes.")
    not_: "SourceFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What sources can be ordered by.")
class SourceOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of sources.")
class SourceOrder:
    field: SourceOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@noun(LostReasonRow, description="Why leads are lost.")
class LostReason(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CATALOG, delete=Action.MANAGE_CATALOG)
    name: str = column("The reason.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.input(description="Which lost reasons.")
class LostReasonFilter:
    id: IDFilter | None = on("By id.", "id", noun="LostReason")
    name: StringFilter | None = on("By name.", "name")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[LostReasonFilter] | None" = junction("and", "All of these pass.")
    or_: "list[LostReasonFilter] | None" = junction("or", "Any of these passes.")
    not_: "LostReasonFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What lost reasons can be ordered by.")
class LostReasonOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of lost reasons.")
class LostReasonOrder:
    field: LostReasonOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@noun(TagRow, description="A mark that leads can bear.")
class Tag(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.TAG, delete=Action.TAG)
    name: str = column("What it says.")
    color: str | None = column("Its colour, as #rrggbb.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.input(description="Which tags.")
class TagFilter:
    id: IDFilter | None = on("By id.", "id", noun="Tag")
    name: StringFilter | None = on("By name.", "name")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[TagFilter] | None" = junction("and", "All of these pass.")
    or_: "list[TagFilter] | None" = junction("or", "Any of these passes.")
    not_: "TagFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What tags can be ordered by.")
class TagOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of tags.")
class TagOrder:
    field: TagOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@noun(ActivityTypeRow, description="A kind of activity that the workspace added.")
class ActivityType(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CATALOG, delete=Action.MANAGE_CATALOG)
    name: str = column("What it is called.")
    is_touch: bool = column("Whether activities of this type count as touches, as calls do.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.input(description="Which types of activities.")
class ActivityTypeFilter:
    id: IDFilter | None = on("By id.", "id", noun="ActivityType")
    name: StringFilter | None = on("By name.", "name")
    is_touch: BooleanFilter | None = on("By whether they count as touches.", "is_touch")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[ActivityTypeFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ActivityTypeFilter] | None" = junction("or", "Any of these passes.")
    not_: "ActivityTypeFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What types of activities can be ordered by.")
class ActivityTypeOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of types of activities.")
class ActivityTypeOrder:
    field: ActivityTypeOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class CatalogQueries:
    sources: Connection[Source] = connection(
        "Source",
        "schema.catalog",
        model=SourceRow,
        default=BY_NAME,
        description="The sources by name, archived ones included.",
    )
    lost_reasons: Connection[LostReason] = connection(
        "LostReason",
        "schema.catalog",
        model=LostReasonRow,
        default=BY_NAME,
        description="The reasons by name, archived ones included.",
    )
    tags: Connection[Tag] = connection(
        "Tag",
        "schema.catalog",
        model=TagRow,
        default=BY_NAME,
        description="The tags by name, archived ones included.",
    )
    activity_types: Connection[ActivityType] = connection(
        "ActivityType",
        "schema.catalog",
        model=ActivityTypeRow,
        default=BY_NAME,
        description="The workspace's own kinds of activities by name, archived ones included.",
    )
