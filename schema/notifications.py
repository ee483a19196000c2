"""Notifications in the schema: what the viewer was told, and that they have read it."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import notifications
from domain.errors import NotFound
from engine.conditions import Compare, Op
from engine.pages import Order, PageRequest
from engine.records import counts
from models.conversations import Comment as CommentRow
from models.conversations import Notification as NotificationRow
from models.conversations import NotificationKind
from models.events import Event as EventRow
from models.leads import Lead as LeadRow
from models.reminders import Reminder as ReminderRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Context, Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors, user_error
from schema.events import HistoryEntry
from schema.fields import batch, column, computed, noun, relation, shown
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.inputs import about
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.comments import Comment
    from schema.leads import Lead
    from schema.reminders import Reminder
    from schema.users import User

described(
    NotificationKind,
    "What somebody is told of.",
    MENTION="A comment mentions them.",
    COMMENT="Somebody commented on what they own or watch.",
    ASSIGNED="A lead became theirs.",
    LEAD_MOVED="A lead that they own or watch went to another stage.",
    LEAD_CLOSED="A lead that they own or watch was closed.",
    LEAD_REOPENED="A lead that they own or watch was opened again.",
    MOVE_REQUESTED="Somebody asks for a move that they may approve.",
    MOVE_APPROVED="A move that they asked for was approved.",
    MOVE_REJECTED="A move that they asked for was rejected.",
    HAND_OVER="A lead is handed over to them.",
    HAND_OVER_ACCEPTED="A lead that they handed over was accepted.",
    HAND_OVER_RETURNED="A lead that they handed over came back.",
    BULK_DONE="Work on many leads that they started is done.",
    IMPORT_DONE="An import that they started has ended.",
    SURVEY_ANSWERED="A customer of theirs answered a survey.",
    SURVEY_DETRACTOR="A customer of theirs, or of somebody whom they manage, is not satisfied.",
    MOVE_HELD="A lead of theirs did not follow its sale, since its next stage asks for more.",
    APPROVAL_REQUESTED="A proposal or an offer waits for their approval.",
    PROPOSAL_APPROVED="A proposal of theirs was approved.",
    PROPOSAL_REJECTED="A proposal of theirs was not approved.",
    PROPOSAL_VIEWED="A customer of theirs has opened a proposal for the first time.",
    PROPOSAL_QUESTION="A customer of theirs asks about a proposal.",
    PROPOSAL_ACCEPTED="A customer of theirs has accepted a proposal.",
    PROPOSAL_DECLINED="A customer of theirs has declined a proposal.",
    PROPOSAL_ENDING="A proposal of theirs soon expires.",
    PROPOSAL_EXPIRED="A proposal of theirs has expired.",
    OFFER_RECEIVED="A customer of theirs has made an offer.",
    OFFER_APPROVED="An offer of theirs beyond the guard rails was approved.",
    OFFER_REJECTED="An offer of theirs beyond the guard rails was not approved.",
    NEGOTIATION_AGREED="A negotiation of theirs has ended in an agreement.",
    NEGOTIATION_BROKEN_OFF="A negotiation of theirs was broken off.",
    NEGOTIATION_OVERDUE="A negotiation of theirs has passed the day until which it was to be answered.",
    CONTRACT_SIGNED="A contract of theirs was signed.",
    INVOICE_PAID="An invoice of theirs is paid.",
    INVOICE_OVERDUE="An invoice of theirs is overdue.",
    CUSTOMER_NOT_MAILED="A customer of theirs could not be mailed of their sale; the event says why.",
    TRAINING_ENDED="A training of a score model that they asked for has ended.",
    SCORE_DRIFTED="Leads have moved from those that a learned score model knows, or it foretells worse than it did.",
    REMINDER="Something that they are to do is due.",
    ESCALATION="Something that somebody of theirs was to do is overdue.",
    LEAD_ROTTING="A lead of theirs has been in its stage for too long.",
    FIRST_RESPONSE_MISSED="A lead was not answered in time.",
)


async def unread_of(context: Context) -> int:
    """Return how many unread notifications there are of whoever asks."""
    unread = Compare("read_at", Op.IS_NULL, True)
    [number] = await counts(PageRequest(NotificationRow, (Order("id"),), condition=unread), context.actor)
    return number


async def _events(rows: list[Any], info: Info) -> list[HistoryEntry | None]:
    keys = [None if row.data.get("events") else row.event_id for row in rows]
    return await info.context.rows(EventRow, keys)


@noun(NotificationRow, description="What the viewer was told; nobody else sees it.")
class Notification(Node):
    kind: NotificationKind = column("What it tells of.")
    created_at: datetime = column("When they were told.")
    read_at: datetime | None = column("When it was marked as read; null until then.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about, if one; null where it tells of several.", by="lead_id"
    )
    comment: Annotated["Comment", strawberry.lazy("schema.comments")] | None = relation(
        CommentRow, "The comment that it is about, if one; null where it was deleted since.", by="comment_id"
    )
    reminder: Annotated["Reminder", strawberry.lazy("schema.reminders")] | None = relation(
        ReminderRow, "The reminder that it shows, if one.", by="reminder_id"
    )
    actor: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who caused it; null where it was Salescycle itself.", by="actor_id"
    )
    event_id: strawberry.ID = computed(
        lambda key: ids.encode("Event", key),
        "The event that it tells of, as live streams name it; the first of several. A reminder tells of none, and has "
        "an id of its own here.",
        needs=("event_id",),
    )
    events: int = computed(
        lambda data: int(data.get("events", 1)),
        "How many events of one kind it tells of, where they happened at once, as in an import.",
        needs=("data",),
    )
    event: HistoryEntry | None = batch(
        _events, "What happened; null where it tells of several events, or is a reminder.", needs=("event_id", "data")
    )


@strawberry.input(description="Which notifications.")
class NotificationFilter:
    kind: EnumFilter[NotificationKind] | None = on("By what they tell of.", "kind")
    read_at: DateTimeFilter | None = on("By when they were read: `isNull: true` leaves the unread ones.", "read_at")
    created_at: DateTimeFilter | None = on("By when the viewer was told.", "created_at")
    lead: IDFilter | None = on("By the lead that they are about.", "lead_id", noun="Lead")
    actor: IDFilter | None = on("By who caused them.", "actor_id", noun="User")
    and_: list["NotificationFilter"] | None = junction("and", "All of these pass.")
    or_: list["NotificationFilter"] | None = junction("or", "Any of these passes.")
    not_: "NotificationFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What notifications can be ordered by.")
class NotificationOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When the viewer was told.")


@strawberry.input(description="An order of notifications.")
class NotificationOrder:
    field: NotificationOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class NotificationQueries:
    notifications: Connection[Notification] = connection(
        "Notification",
        "schema.notifications",
        model=NotificationRow,
        default=(Order("created_at", descending=True),),
        description="What the viewer was told in the last 90 days, the newest first: of an API key, its service user. "
        "What is about a lead that they may no longer see is not there.",
    )


@strawberry.input(description="Which notifications were read: say so in one of the three ways.")
class MarkNotificationsReadInput(MutationInput):
    ids: list[strawberry.ID] | None = strawberry.field(default=None, description="These, at most 100.")
    up_to_id: strawberry.ID | None = strawberry.field(
        default=None, description="This one and all that are older: the newest that a screen has shown."
    )
    all: bool = strawberry.field(default=False, description="All that there are.")


@strawberry.type(description="Notifications after they were marked as read.")
class MarkNotificationsReadPayload(Payload):
    notifications: list[Notification] = strawberry.field(
        default_factory=list,
        description="Those that were named by `ids`, in their order. One that is gone is told as NOT_FOUND, and stops "
        "no other.",
    )
    unread_notifications: int | None = strawberry.field(
        default=None, description="How many are unread now; null on errors."
    )


@strawberry.type
class NotificationMutations:
    @strawberry.mutation(description="Mark the viewer's notifications as read; those that are stay as they are.")
    @reports_user_errors
    async def mark_notifications_read(
        self, info: Info, input: Annotated[MarkNotificationsReadInput, about("Which.")]
    ) -> MarkNotificationsReadPayload:
        keys = None if input.ids is None else ids.decode_all(input.ids, "Notification", field="ids")
        rows = await notifications.mark_read(
            info.context.actor,
            ids=keys,
            up_to_id=ids.decode_maybe(input.up_to_id, "Notification", field="upToId"),
            everything=input.all,
            now=info.context.now,
        )
        known = {row.id for row in rows}
        gone = [place for place, key in enumerate(keys or ()) if key not in known]
        return MarkNotificationsReadPayload(
            notifications=shown(rows),
            unread_notifications=await unread_of(info.context),
            user_errors=[user_error(NotFound(noun="notification", field=f"ids.{place}")) for place in gone],
        )
