"""Calendar feeds: a private address each, at which an app reads what its owner has to do.

Calendar apps cannot sign in. So whoever has the address reads the feed, until its owner revokes it, or is no longer a
member; each app gets an address of its own, that one may be revoked without the others.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import edits, inputs, policy, sessions, subjects, tokens, users
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.subjects import Subject
from domain.tokens import EndedLink, Kind
from models.base import uuid7
from models.calendar_feeds import CalendarFeed
from models.database import in_one_go, transaction
from models.follow_ups import FollowUp, FollowUpStatus
from models.users import User
from models.workspaces import Workspace
from settings import settings

MOST_FEEDS = 20
# What has been due for longer than this is in the follow-ups' list, and no longer in anybody's calendar.
OVERDUE = timedelta(days=90)
MOST_ENTRIES = 1_000
# How exact `read_at` is: an app that asks every minute must not write every minute.
READ_EVERY = timedelta(hours=1)


class CalendarFeedCreated(Event):
    name = "calendar_feed.created"


class CalendarFeedRevoked(Event):
    name = "calendar_feed.revoked"


class TooManyCalendarFeeds(DomainError):
    """You have {limit} calendar feeds, which is the most: revoke one that is not used any more."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a feed tells: its owner's open follow-ups, soonest first, each with what it is about."""

    name: str
    zone: ZoneInfo
    entries: list[tuple[FollowUp, Subject]]


@in_one_go
async def create(actor: Actor, *, name: str, id: UUID | None = None, now: datetime) -> CalendarFeed:
    """Make an address for an app of the actor's. Raises Forbidden, TooManyCalendarFeeds, AlreadyExists."""
    user_id = sessions.person(actor)
    faults = Faults()
    key = edits.new_id(faults, id)
    checked = inputs.name(faults, name, field="name")
    faults.raise_any()
    with edits.collisions("calendar feed", {"calendar_feed_pkey": "id"}):
        async with transaction():
            # Two made at once must not be one too many.
            await users.locked(user_id, expected_version=None)
            mine = CalendarFeed.filter(workspace_id=actor.workspace_id, user_id=user_id, revoked_at=None)
            if await mine.count() >= MOST_FEEDS:
                raise TooManyCalendarFeeds(limit=MOST_FEEDS)
            row = await CalendarFeed.create(
                id=key or uuid7(), workspace_id=actor.workspace_id, user_id=user_id, name=checked, created_at=now
            )
            await record(CalendarFeedCreated(actor, row.id, {"name": checked}), now=now)
    return row


@in_one_go
async def revoke(actor: Actor, feed_id: UUID, *, now: datetime) -> CalendarFeed:
    """End an address of the actor's: who asks there is told that it has ended. Raises NotFound."""
    async with transaction():
        row = await policy.locked(actor, CalendarFeed, feed_id, field="id")
        if row.revoked_at is None:
            await edits.write(row, {"revoked_at": now})
            await record(CalendarFeedRevoked(actor, row.id, {"name": row.name}), now=now)
    return row


def address(feed_id: UUID) -> str:
    """Return where an app reads a feed."""
    return f"{settings().public_url.rstrip('/')}/calendar/{tokens.sign(Kind.CALENDAR, feed_id)}.ics"


async def read(token: str, *, now: datetime) -> Calendar:
    """Return what the feed of an address tells now, and keep that it was read.

    What its owner may no longer see is left out. Raises InvalidLink, EndedLink.
    """
    feed = await CalendarFeed.get_or_none(id=tokens.verify(Kind.CALENDAR, token))
    if feed is None or feed.revoked_at is not None:
        raise EndedLink
    owner = (await users.members(feed.workspace_id, [feed.user_id])).get(feed.user_id)
    if owner is None:
        raise EndedLink
    if feed.read_at is None or now - feed.read_at >= READ_EVERY:
        await CalendarFeed.filter(id=feed.id).update(read_at=now)
    workspace, user = await Workspace.get(id=feed.workspace_id), await User.get(id=feed.user_id)
    return Calendar(workspace.name, ZoneInfo(user.time_zone or workspace.time_zone), await _entries(owner, now=now))


async def _entries(owner: Actor, *, now: datetime) -> list[tuple[FollowUp, Subject]]:
    open_ = FollowUp.filter(
        workspace_id=owner.workspace_id,
        owner_id=owner.user_id,
        status=FollowUpStatus.OPEN,
        due_at__gte=now - OVERDUE,
    )
    rows = await open_.order_by("due_at", "id").limit(MOST_ENTRIES).prefetch_related("lead", "company", "contact")
    found = [(row, row.lead or row.company or row.contact) for row in rows]
    return [(row, subject) for row, subject in found if subject and subjects.is_seen_by(owner, subject)]
