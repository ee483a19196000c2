"""Everything that happened to a lead, in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.activities import Activity as ActivityRow
from models.attachments import Attachment as AttachmentRow
from models.conversations import Comment as CommentRow
from models.events import Event as EventRow
from models.leads import Lead as LeadRow
from models.stages import StageTransition as StageTransitionRow
from models.timeline import TimelineEntry as TimelineEntryRow
from models.timeline import TimelineKind
from models.users import User as UserRow
from schema.events import HistoryEntry
from schema.fields import column, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.activities import Activity
    from schema.attachments import Attachment
    from schema.comments import Comment
    from schema.leads import Lead, StageTransition
    from schema.users import User


@noun(TimelineEntryRow, description="Something that happened to a lead: its kind says which field tells of it.")
class TimelineEntry(Node):
    kind: TimelineKind = column("What it tells of.")
    occurred_at: datetime = column("When it happened.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who did it; null where Salescycle itself did.", by="user_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "The lead.", by="lead_id")
    activity: Annotated["Activity", strawberry.lazy("schema.activities")] | None = relation(
        ActivityRow, "The activity, of an ACTIVITY.", by="activity_id"
    )
    transition: Annotated["StageTransition", strawberry.lazy("schema.leads")] | None = relation(
        StageTransitionRow, "The move, of a MOVE.", by="transition_id"
    )
    comment: Annotated["Comment", strawberry.lazy("schema.comments")] | None = relation(
        CommentRow, "The comment, of a COMMENT.", by="comment_id"
    )
    attachment: Annotated["Attachment", strawberry.lazy("schema.attachments")] | None = relation(
        AttachmentRow, "The file, of an ATTACHMENT.", by="attachment_id"
    )
    event: HistoryEntry | None = relation(EventRow, "What happened, of a SCORE or an EVENT.", by="event_id")


@strawberry.input(description="Which entries of a timeline.")
class TimelineEntryFilter:
    kind: EnumFilter[TimelineKind] | None = on("By what they tell of.", "kind")
    occurred_at: DateTimeFilter | None = on("By when it happened.", "occurred_at")
    user: IDFilter | None = on("By who did it.", "user_id", noun="User")
    and_: "list[TimelineEntryFilter] | None" = junction("and", "All of these pass.")
    or_: "list[TimelineEntryFilter] | None" = junction("or", "Any of these passes.")
    not_: "TimelineEntryFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What a timeline can be ordered by.")
class TimelineEntryOrderField(Enum):
    OCCURRED_AT = strawberry.enum_value("occurred_at", description="When it happened.")


@strawberry.input(description="An order of a timeline.")
class TimelineEntryOrder:
    field: TimelineEntryOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()
