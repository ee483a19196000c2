"""The short lists of a workspace in the schema: sources, lost reasons, tags."""

from datetime import datetime

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.catalog import LostReason as LostReasonRow
from models.catalog import Source as SourceRow
from models.catalog import SourceKind
from models.catalog import Tag as TagRow
from schema.connections import Connection, connection
from schema.fields import column, noun
from schema.nodes import Node
from schema.permissions import ObjectPermissions, viewer_can

BY_NAME = (Order("name"),)


@noun(SourceRow, description="Where leads come from.")
class Source(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CATALOG, delete=Action.MANAGE_CATALOG)
    name: str = column("What it is called.")
    kind: SourceKind = column("What kind of source it is.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@noun(LostReasonRow, description="Why leads are lost.")
class LostReason(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CATALOG, delete=Action.MANAGE_CATALOG)
    name: str = column("The reason.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@noun(TagRow, description="A mark that leads can bear.")
class Tag(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.TAG, delete=Action.TAG)
    name: str = column("What it says.")
    color: str | None = column("Its colour, as #rrggbb.")
    version: int = column("Rises with every edit by a person.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.type
class CatalogQueries:
    sources: Connection[Source] = connection(
        "Source", "schema.catalog", model=SourceRow, default=BY_NAME, plain=True, description="The sources by name."
    )
    lost_reasons: Connection[LostReason] = connection(
        "LostReason",
        "schema.catalog",
        model=LostReasonRow,
        default=BY_NAME,
        plain=True,
        description="The reasons by name.",
    )
    tags: Connection[Tag] = connection(
        "Tag", "schema.catalog", model=TagRow, default=BY_NAME, plain=True, description="The tags by name."
    )
