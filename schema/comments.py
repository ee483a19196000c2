"""Comments in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.comments import MOST_MENTIONS
from domain.policy import Action
from engine.pages import Order
from models.companies import Company as CompanyRow
from models.contacts import Contact as ContactRow
from models.conversations import Comment as CommentRow
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema.connections import Connection, connection, few
from schema.fields import by_id, column, noun, relation
from schema.filters import DateTimeFilter, IDFilter, ListFilter, StringFilter, junction, on, through
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can

if TYPE_CHECKING:
    from schema.companies import Company
    from schema.contacts import Contact
    from schema.leads import Lead
    from schema.users import User, UserFilter

NEWEST = (Order("created_at", descending=True),)


@noun(CommentRow, description="What somebody wrote about a lead, a company or a contact.")
class Comment(Node):
    text: str = column("What they wrote: plain text, in which markup means nothing. Escape it where you show it.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(UserRow, "Who wrote it.", by="user_id")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about, if it is about one.", by="lead_id"
    )
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that it is about, if it is about one.", by="company_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact that it is about, if it is about one.", by="contact_id"
    )
    mentions: list[Annotated["User", strawberry.lazy("schema.users")]] = few(
        UserRow,
        through=("comment_mention", "comment_id", "user_id"),
        default=(Order("name"),),
        most=MOST_MENTIONS,
        description="Whom it mentions, by name.",
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was written.")
    updated_at: datetime = column("When it was last changed.")
    viewer_can: ObjectPermissions = viewer_can(
        update=Action.UPDATE_COMMENT, delete=Action.DELETE_COMMENT, needs=("user_id",)
    )


@strawberry.input(description="Which comments.")
class CommentFilter:
    id: IDFilter | None = on("By id.", "id", noun="Comment")
    lead: IDFilter | None = on("By the lead that they are about.", "lead_id", noun="Lead")
    company: IDFilter | None = on("By the company that they are about.", "company_id", noun="Company")
    contact: IDFilter | None = on("By the contact that they are about.", "contact_id", noun="Contact")
    user: IDFilter | None = on("By who wrote them.", "user_id", noun="User")
    text: StringFilter | None = on("By their text; `search` finds words faster.", "text")
    created_at: DateTimeFilter | None = on("By when they were written.", "created_at")
    mentions: ListFilter[Annotated["UserFilter", strawberry.lazy("schema.users")]] | None = through(
        "By whom they mention.", "mentions"
    )
    and_: list["CommentFilter"] | None = junction("and", "All of these pass.")
    or_: list["CommentFilter"] | None = junction("or", "Any of these passes.")
    not_: "CommentFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What comments can be ordered by.")
class CommentOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were written.")


@strawberry.input(description="An order of comments.")
class CommentOrder:
    field: CommentOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def comments_by(column: str, description: str) -> Any:
    """Declare the comments on a subject, whose key stands in this column of theirs."""
    return connection(
        "Comment", "schema.comments", model=CommentRow, by=column, default=NEWEST, description=description
    )


@strawberry.type
class CommentQueries:
    comments: Connection[Comment] = connection(
        "Comment",
        "schema.comments",
        model=CommentRow,
        default=NEWEST,
        description="The comments on what the viewer may see, the newest first.",
    )

    comment: Comment | None = by_id(CommentRow, "Comment", "A comment; null where it is deleted or may not be seen.")
