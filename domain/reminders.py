"""Reminders: what is due is claimed by sweeps, put on record once for each person, and told by each of their channels.

A reminder, what is shown of it in the app, and its mails and pushes are written in one transaction with the claim, so
that a worker that dies leaves all of it or nothing. Why somebody was not reminded stands in the delivery.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import deliveries, notifications, reminder_settings
from domain import reminded_people as reminded
from domain.deliveries import Message
from domain.notifications import Reminded
from domain.reminded_people import About, Asked, People, Ways
from domain.unreminded import ENDED
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.conversations import NotificationKind
from models.database import transaction
from models.deliveries import Channel, DeliveryStatus
from models.follow_ups import FollowUpStatus
from models.leads import Lead
from models.postgres import connected
from models.reminders import ReminderKind, ReminderMail

BATCH = 500
DIGEST = "reminder_digest"
# What is told of each kind: in the app, and by mail and push.
NOTIFIED: Mapping[ReminderKind, NotificationKind] = {
    ReminderKind.FOLLOW_UP_DUE: NotificationKind.REMINDER,
    ReminderKind.FOLLOW_UP_OVERDUE: NotificationKind.ESCALATION,
    ReminderKind.LEAD_ROTTING: NotificationKind.LEAD_ROTTING,
    ReminderKind.FIRST_RESPONSE_MISSED: NotificationKind.FIRST_RESPONSE_MISSED,
}
COMPOSED: Mapping[ReminderKind, str] = {
    ReminderKind.FOLLOW_UP_DUE: "reminder",
    ReminderKind.FOLLOW_UP_OVERDUE: "escalation",
    ReminderKind.LEAD_ROTTING: "lead_rotting",
    ReminderKind.FIRST_RESPONSE_MISSED: "first_response_missed",
}
DELETED = "What it is about was deleted."
NOBODY = "It is nobody's."
GONE = "Its owner is no longer a member."
UNSEEING = "Its owner may no longer see what it is about."
UNLED = "There is no manager or admin who may see it."
NO_MAILS = "They want no mails."
NO_EMAIL = "They have no email address."
NO_PUSHES = "They want no pushes."
NO_DEVICE = "They have no device."

# Rows that somebody works on are theirs for now; what they leave due is claimed a moment later.
CLAIM = """
WITH due AS (
    SELECT id, {column} AS at FROM follow_up WHERE {column} <= $1
    ORDER BY {column} LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE follow_up SET {column} = NULL FROM due WHERE follow_up.id = due.id
    RETURNING follow_up.id, workspace_id, owner_id, status, lead_id, company_id, contact_id, due.at
)
SELECT c.*, l.owner_id AS lead_owner_id, coalesce(l.deleted_at, o.deleted_at, p.deleted_at) AS deleted_at
FROM claimed c
LEFT JOIN lead l ON l.id = c.lead_id
LEFT JOIN company o ON o.id = c.company_id
LEFT JOIN contact p ON p.id = c.contact_id
"""
CLAIM_DUE, CLAIM_OVERDUE = (CLAIM.format(column=column) for column in ("remind_at", "escalate_at"))

# Everybody writes them in one order, so that two who remind of the same wait for each other and no more.
INSERT = """
INSERT INTO reminder (id, workspace_id, kind, occasion, user_id, follow_up_id, lead_id, due_at, created_at)
SELECT id, workspace_id, kind, occasion, user_id, follow_up_id, lead_id, due_at, $1
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::timestamptz[])
     AS new(id, workspace_id, kind, occasion, user_id, follow_up_id, lead_id, due_at)
ORDER BY workspace_id, occasion, user_id
ON CONFLICT (workspace_id, occasion, user_id) DO NOTHING
RETURNING id
"""
# A digest that a worker has claimed takes no more along: what comes then goes with the next.
ATTACH = """
INSERT INTO delivery (id, workspace_id, channel, kind, occasion, user_id, data, status, due_at, attempts, at_risk,
    created_at)
SELECT id, workspace_id, 'MAIL', $1, occasion, user_id, '{}', 'PENDING', due_at, 0, false, $2
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::timestamptz[])
     AS new(id, workspace_id, occasion, user_id, due_at)
ORDER BY workspace_id, occasion
ON CONFLICT (workspace_id, occasion) DO UPDATE SET due_at = delivery.due_at
    WHERE delivery.status = 'PENDING' AND delivery.lease_until IS NULL
RETURNING id, workspace_id, user_id
"""
MOST_DIGESTS_TRIED = 4


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that calls for a reminder; with a `reason` it calls for none any more."""

    asked: Asked
    kind: ReminderKind
    name: str
    due_at: datetime
    follow_up_id: UUID | None = None
    lead_id: UUID | None = None
    reason: str | None = None


@dataclass(slots=True)
class Made:
    """A reminder of one person; with a `reason` they are not told."""

    id: UUID
    occasion: Occasion
    user_id: UUID | None
    reason: str | None = None

    @property
    def workspace_id(self) -> UUID:
        return self.occasion.asked.workspace_id


async def remind_of_due(now: datetime) -> int:
    """Remind owners of a batch of follow-ups; return how many there were."""
    return await _sweep(CLAIM_DUE, ReminderKind.FOLLOW_UP_DUE, now)


async def escalate_overdue(now: datetime) -> int:
    """Tell managers of a batch of follow-ups that are overdue; return how many there were."""
    return await _sweep(CLAIM_OVERDUE, ReminderKind.FOLLOW_UP_OVERDUE, now)


async def _sweep(sql: str, kind: ReminderKind, now: datetime) -> int:
    async with transaction():
        rows = await connected().fetch(sql, [now, BATCH])
        await remind([_of_follow_up(dict(row), kind) for row in rows], now=now)
    return len(rows)


def _of_follow_up(row: Mapping[str, Any], kind: ReminderKind) -> Occasion:
    noun = Lead if row["lead_id"] else Company if row["company_id"] else Contact
    reason = ENDED if row["status"] != FollowUpStatus.OPEN else DELETED if row["deleted_at"] is not None else None
    managers = kind is ReminderKind.FOLLOW_UP_OVERDUE
    asked = Asked(row["workspace_id"], row["owner_id"], About(noun, row["lead_owner_id"]), managers)
    name = f"{COMPOSED[kind]}:{row['id']}:{row['at'].isoformat()}"
    return Occasion(asked, kind, name, row["at"], row["id"], row["lead_id"], reason)


async def remind(occasions: Sequence[Occasion], *, now: datetime) -> None:
    """Put reminders on record, each person's of an occasion once, and have them told; in the running transaction."""
    if not occasions:
        return
    people = await reminded.people([one.asked for one in occasions], now=now)
    made = [one for occasion in occasions for one in _made(occasion, people)]
    fresh = await _insert(made, now=now)
    told = [one for one in fresh if one.reason is None and one.user_id is not None]
    ways = await reminded.ways(((one.workspace_id, one.user_id) for one in told if one.user_id), now=now)
    await notifications.remind([_notified(one) for one in told], now=now)
    digests = await _digests(told, ways, now=now)
    await deliveries.enqueue_all([item for one in fresh for item in _messages(one, ways, digests, now)], now=now)


def _made(occasion: Occasion, people: People) -> Iterable[Made]:
    asked = occasion.asked
    found = [] if occasion.reason else people.of(asked)
    for key in found:
        yield Made(uuid7(), occasion, key)
    if not found:
        reason = occasion.reason or _why_nobody(asked, people)
        yield Made(uuid7(), occasion, None if asked.managers else asked.owner_id, reason)


def _why_nobody(asked: Asked, people: People) -> str:
    if asked.managers:
        return UNLED
    if asked.owner_id is None:
        return NOBODY
    return UNSEEING if people.is_active(asked.workspace_id, asked.owner_id) else GONE


async def _insert(made: Sequence[Made], *, now: datetime) -> list[Made]:
    """Write reminders and return those that are new."""
    columns: list[list[Any]] = [
        [one.id for one in made],
        [one.workspace_id for one in made],
        [one.occasion.kind.value for one in made],
        [one.occasion.name for one in made],
        [one.user_id for one in made],
        [one.occasion.follow_up_id for one in made],
        [one.occasion.lead_id for one in made],
        [one.occasion.due_at for one in made],
    ]
    new = {row["id"] for row in await connected().fetch(INSERT, [now, *columns])}
    return [one for one in made if one.id in new]


def _notified(one: Made) -> Reminded:
    assert one.user_id is not None
    occasion = one.occasion
    owner = occasion.asked.about.lead_owner_id
    return Reminded(one.workspace_id, one.user_id, NOTIFIED[occasion.kind], one.id, occasion.lead_id, owner)


async def _digests(
    told: Sequence[Made], ways: Mapping[reminded.Member, Ways], *, now: datetime
) -> dict[reminded.Member, tuple[UUID, datetime]]:
    """Return the next digest of each who wants one, held until the transaction ends, so that it takes these along."""
    wanted = {
        (one.workspace_id, one.user_id): now
        for one in told
        if one.user_id and ways[one.workspace_id, one.user_id].chosen.mail is ReminderMail.DIGEST
        if ways[one.workspace_id, one.user_id].has_email
    }
    found: dict[reminded.Member, tuple[UUID, datetime]] = {}
    for _ in range(MOST_DIGESTS_TRIED):
        if not wanted:
            break
        due = {
            key: reminder_settings.next_digest(ways[key].chosen, ways[key].zone, after=after)
            for key, after in wanted.items()
        }
        columns: list[list[Any]] = [
            [uuid7() for _ in due],
            [workspace_id for workspace_id, _ in due],
            [f"digest:{user_id}:{day}" for (_, user_id), (day, _) in due.items()],
            [user_id for _, user_id in due],
            [instant for _, instant in due.values()],
        ]
        for row in await connected().fetch(ATTACH, [DIGEST, now, *columns]):
            key = (row["workspace_id"], row["user_id"])
            found[key] = row["id"], due[key][1]
        wanted = {key: instant for key, (_, instant) in due.items() if key not in found}
    return found


def _messages(
    one: Made,
    ways: Mapping[reminded.Member, Ways],
    digests: Mapping[reminded.Member, tuple[UUID, datetime]],
    now: datetime,
) -> Iterable[tuple[UUID, Message]]:
    """Return a reminder's deliveries by every channel, those included that are none, with the reason."""

    def message(channel: Channel, due_at: datetime = now, more: str = "", **facts: Any) -> tuple[UUID, Message]:
        occasion = f"reminder:{one.id}:{channel}{more}"
        kind = COMPOSED[one.occasion.kind]
        return one.workspace_id, Message(channel, kind, occasion, due_at, user_id=one.user_id, about_id=one.id, **facts)

    if one.reason is not None or one.user_id is None:
        yield message(Channel.IN_APP, status=DeliveryStatus.SKIPPED, reason=one.reason)
        return
    yield message(Channel.IN_APP, status=DeliveryStatus.SENT)
    key = (one.workspace_id, one.user_id)
    way = ways[key]
    if (why := _no_mail(way)) is not None:
        yield message(Channel.MAIL, status=DeliveryStatus.SKIPPED, reason=why)
    elif key in digests:
        digest_id, due_at = digests[key]
        yield message(Channel.MAIL, due_at, carried_by_id=digest_id)
    else:
        yield message(Channel.MAIL, reminder_settings.not_quiet(way.chosen, way.zone, at=now))
    if not way.chosen.push or not way.devices:
        why = NO_DEVICE if way.chosen.push else NO_PUSHES
        yield message(Channel.PUSH, status=DeliveryStatus.SKIPPED, reason=why)
        return
    due_at = reminder_settings.not_quiet(way.chosen, way.zone, at=now)
    for device_id in way.devices:
        yield message(Channel.PUSH, due_at, f":{device_id}", device_id=device_id)


def _no_mail(way: Ways) -> str | None:
    if way.chosen.mail is ReminderMail.OFF:
        return NO_MAILS
    return None if way.has_email else NO_EMAIL
