"""Calendar feeds in the schema."""

from datetime import datetime

import strawberry

from domain import calendar_feeds
from engine.pages import Order
from models.calendar_feeds import CalendarFeed as CalendarFeedRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import column, computed, noun, shown
from schema.inputs import own_id
from schema.nodes import Node
from schema.scalars import URL

NEWEST = (Order("created_at", descending=True),)


@noun(
    CalendarFeedRow,
    description="A private address at which one calendar app reads what the viewer has to do. It ends when it is "
    "revoked, and when the viewer is no longer an active member.",
)
class CalendarFeed(Node):
    name: str = column("What the viewer calls it, such as the app that reads it.")
    url: URL = computed(
        calendar_feeds.address,
        "Where an app reads the open follow-ups, as iCalendar (RFC 5545); whoever has the address may.",
        needs=("id",),
    )
    created_at: datetime = column("When it was made.")
    read_at: datetime | None = column("When an app last read it, give or take an hour; null is: never.")


@strawberry.type
class CalendarFeedQueries:
    calendar_feeds: Connection[CalendarFeed] = connection(
        "CalendarFeed",
        "schema.calendar_feeds",
        model=CalendarFeedRow,
        default=NEWEST,
        plain=True,
        description="The viewer's own calendar feeds, newest first.",
    )


@strawberry.input(description="A new calendar feed.")
class CreateCalendarFeedInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What to call it, such as the app that will read it.")


@strawberry.type(description="The new calendar feed.")
class CreateCalendarFeedPayload(Payload):
    calendar_feed: CalendarFeed | None = strawberry.field(default=None, description="The feed, with its address.")


@strawberry.input(description="Which calendar feed to end.")
class RevokeCalendarFeedInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The feed.")


@strawberry.type(description="The calendar feed that has ended.")
class RevokeCalendarFeedPayload(Payload):
    revoked_calendar_feed_id: strawberry.ID | None = strawberry.field(default=None, description="The feed's id.")


@strawberry.type
class CalendarFeedMutations:
    @strawberry.mutation(description="Make an address at which a calendar app reads the viewer's open follow-ups.")
    @reports_user_errors
    async def create_calendar_feed(
        self, info: Info, input: Given[CreateCalendarFeedInput]
    ) -> CreateCalendarFeedPayload:
        row = await calendar_feeds.create(
            info.context.actor, name=input.name, id=ids.decode_new(input.id, "CalendarFeed"), now=info.context.now
        )
        return CreateCalendarFeedPayload(calendar_feed=shown(row))

    @strawberry.mutation(description="End a calendar feed: its address says so from now on.")
    @reports_user_errors
    async def revoke_calendar_feed(
        self, info: Info, input: Given[RevokeCalendarFeedInput]
    ) -> RevokeCalendarFeedPayload:
        row = await calendar_feeds.revoke(
            info.context.actor, ids.decode(input.id, "CalendarFeed"), now=info.context.now
        )
        return RevokeCalendarFeedPayload(revoked_calendar_feed_id=ids.encode("CalendarFeed", row.id))
