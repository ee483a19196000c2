"""Attachments in the schema: what hangs on leads, companies and contacts, and where it can be fetched."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import files, policy
from domain.policy import Action
from engine.conditions import EVERYTHING, AnyOf, Compare, Exists, Op, both
from engine.pages import Order, PageRequest
from engine.records import pages
from models.attachments import Attachment as AttachmentRow
from models.companies import Company as CompanyRow
from models.contacts import Contact as ContactRow
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema.connections import Connection, connection
from schema.context import Info
from schema.fields import batch, column, noun, relation
from schema.filters import DateTimeFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import URL

if TYPE_CHECKING:
    from schema.companies import Company
    from schema.contacts import Contact
    from schema.leads import Lead
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
SEEN = AnyOf((Exists("lead", EVERYTHING), Exists("company", EVERYTHING), Exists("contact", EVERYTHING)))


@strawberry.type(description="What the viewer may do with an attachment.")
class AttachmentPermissions:
    update: bool = strawberry.field(description="Rename it.")
    delete: bool = strawberry.field(description="Delete and restore it.")


async def _permissions(rows: list[Any], info: Info) -> list[AttachmentPermissions]:
    actor = info.context.actor
    found = [policy.may(actor, Action.DELETE_ATTACHMENT, row) for row in rows]
    return [AttachmentPermissions(update=may, delete=may) for may in found]


async def _urls(rows: list[Any], info: Info) -> list[str | None]:
    """Return links to files for who sees what they hang on."""
    mine = Compare("id", Op.IN, tuple(row.id for row in rows))
    request = PageRequest(AttachmentRow, NEWEST, limit=len(rows), condition=both(mine, SEEN))
    [page] = await pages(request, info.context.actor)
    seen = {row.id for row in page.rows}
    now = info.context.now
    return [files.download_url(row.file_id, now=now) if row.file_id and row.id in seen else None for row in rows]


@noun(AttachmentRow, description="A file on a lead, a company or a contact: on one of the three.")
class Attachment(Node):
    name: str = column("What the file is called.")
    content_type: str = column(
        "Its media type, as its first bytes tell it; application/octet-stream where they do not."
    )
    size: float = column("Its size in bytes.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it hangs on, if it hangs on one.", by="lead_id"
    )
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that it hangs on, if it hangs on one.", by="company_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact that it hangs on, if it hangs on one.", by="contact_id"
    )
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who attached it.", by="user_id"
    )
    created_at: datetime = column("When it was attached.")
    version: int = column("Rises with every edit by a person.")
    download_url: URL | None = batch(
        _urls,
        "Where it can be fetched, for 15 minutes and by whoever has the link; null where what it hangs on is not seen.",
        needs=("file_id",),
    )
    viewer_can: AttachmentPermissions = batch(_permissions, "What the viewer may do with it.", needs=("user_id",))


@strawberry.input(description="Which attachments.")
class AttachmentFilter:
    id: IDFilter | None = on("By id.", "id", noun="Attachment")
    name: StringFilter | None = on("By name.", "name")
    content_type: StringFilter | None = on("By media type.", "content_type")
    lead: IDFilter | None = on("By the lead that they hang on.", "lead_id", noun="Lead")
    company: IDFilter | None = on("By the company that they hang on.", "company_id", noun="Company")
    contact: IDFilter | None = on("By the contact that they hang on.", "contact_id", noun="Contact")
    user: IDFilter | None = on("By who attached them.", "user_id", noun="User")
    created_at: DateTimeFilter | None = on("By when they were attached.", "created_at")
    and_: "list[AttachmentFilter] | None" = junction("and", "All of these pass.")
    or_: "list[AttachmentFilter] | None" = junction("or", "Any of these passes.")
    not_: "AttachmentFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What attachments can be ordered by.")
class AttachmentOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was attached.")
    NAME = strawberry.enum_value("name", description="Its name.")
    SIZE = strawberry.enum_value("size", description="Its size.")


@strawberry.input(description="An order of attachments.")
class AttachmentOrder:
    field: AttachmentOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def attachments(by: str) -> Any:
    """Declare the files on a noun, whose key stands in the column `by`."""
    return connection(
        "Attachment",
        "schema.attachments",
        model=AttachmentRow,
        by=by,
        default=NEWEST,
        plain=True,
        description="The files on it, the newest first.",
    )


@strawberry.type
class AttachmentQueries:
    attachments: Connection[Attachment] = connection(
        "Attachment",
        "schema.attachments",
        model=AttachmentRow,
        default=NEWEST,
        description="The files on the leads, companies and contacts that the viewer may see, the newest first.",
    )
