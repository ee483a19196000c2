"""What somebody is told, the moment that they are told it."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any

import strawberry

from domain import notifications
from models.conversations import Notification as NotificationRow
from schema import ids
from schema.context import Info
from schema.fields import shown
from schema.live import AfterCursor, ResyncRequired, is_step, watching
from schema.live_watches import NotificationWatch, Step
from schema.notifications import Notification, unread_of


@strawberry.interface(
    description="Something that happened to the viewer's notifications. It may come twice: drop an eventId that you "
    "have."
)
class NotificationEvent:
    @strawberry.field(description="Where it stands in the log: pass it as `after` to go on from here.")
    def cursor(self) -> str:
        message: Any = self
        return message.cursor  # type: ignore[no-any-return]

    @strawberry.field(description="The event's id.")
    def event_id(self) -> strawberry.ID:
        message: Any = self
        return ids.encode("Event", message.event.id)

    @strawberry.field(description="When it happened.")
    def occurred_at(self) -> datetime:
        message: Any = self
        return message.event.occurred_at  # type: ignore[no-any-return]

    @strawberry.field(description="How many are unread now.")
    async def unread_notifications(self, info: Info) -> int:
        return await unread_of(info.context)


@strawberry.type(description="The viewer is told of something.")
class NotificationReceived(NotificationEvent):
    is_type_of = is_step(Step.ENTERED)

    @strawberry.field(description="What; null where its lead has gone out of sight since.")
    async def notification(self, info: Info) -> Notification | None:
        message: Any = self
        return shown(await info.context.row(NotificationRow, message.event.subject_id))  # type: ignore[no-any-return]


@strawberry.type(description="The viewer has marked notifications as read, perhaps on another screen.")
class NotificationsRead(NotificationEvent):
    is_type_of = is_step(Step.CHANGED)


NotificationMessage = Annotated[
    NotificationReceived | NotificationsRead | ResyncRequired,
    strawberry.union("NotificationMessage", description="What a live stream of notifications says."),
]


@strawberry.type
class NotificationSubscriptions:
    @strawberry.subscription(
        description="What the viewer is told, as they are told it, and only they: of an API key, its service user."
    )
    async def notification_received(
        self, info: Info, after: AfterCursor = None
    ) -> AsyncGenerator[NotificationMessage, None]:
        return watching(info.context, NotificationWatch(notifications.reader(info.context.actor)), after)
