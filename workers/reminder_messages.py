"""What reminders say by mail and push: looked at once more before they go out, and told in their reader's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.push import Push, Target
from domain import reminded_people as reminded
from domain import reminder_settings, reminders, subjects, users
from domain.reminded_people import About, Ways
from domain.unreminded import ENDED
from domain.words import Words, best_language, words
from models.companies import Company
from models.contacts import Contact
from models.database import read
from models.deliveries import Channel
from models.follow_ups import FollowUpStatus, Priority
from models.leads import Lead, LeadStatus
from models.postgres import connected
from models.reminders import Device, ReminderKind, ReminderMail
from workers.messages import Composed, Due, Later, Letter, Skip

ELSEWHEN = "It is due at another time now."
MOVED_ON = "The lead has moved on."
ANSWERED = "Somebody has answered."
DEVICE_ENDED = "The device has ended."
EMPTY = "There is nothing left to be reminded of."
MOST_IN_DIGEST = 200

FACTS = """
SELECT r.id, r.workspace_id, r.kind, r.occasion, r.user_id, r.follow_up_id,
    f.title, f.status, f.due_at, f.due_on, f.remind_at, f.priority, o.name AS owner,
    l.id AS lead_id, l.title AS lead_title, l.owner_id AS lead_owner_id, l.status AS lead_status, l.stage_entered_at,
    l.first_response_seconds, l.created_at AS captured_at, s.name AS stage, f.company_id,
    coalesce(l.title, c.name, p.name) AS about, coalesce(l.deleted_at, c.deleted_at, p.deleted_at) AS deleted_at,
    u.name, u.email, u.locale, u.time_zone, w.name AS workspace, w.locale AS home_locale, w.time_zone AS home
FROM unnest($1::uuid[]) AS wanted(id)
JOIN reminder r ON r.id = wanted.id
JOIN workspace w ON w.id = r.workspace_id
JOIN user_account u ON u.id = r.user_id
LEFT JOIN follow_up f ON f.id = r.follow_up_id
LEFT JOIN user_account o ON o.id = f.owner_id
LEFT JOIN lead l ON l.id = coalesce(r.lead_id, f.lead_id)
LEFT JOIN stage s ON s.id = l.stage_id
LEFT JOIN company c ON c.id = f.company_id
LEFT JOIN contact p ON p.id = f.contact_id
"""
CARRIED = """
SELECT id, carried_by_id, about_id FROM delivery WHERE carried_by_id = ANY($1) AND status = 'PENDING'
ORDER BY created_at, id
"""
# Nobody ends these while they are on their way.
TAKE_ALONG = """
UPDATE delivery SET sending_at = clock_timestamp() WHERE id = ANY($1) AND status = 'PENDING' RETURNING id
"""
LEAVE_OUT = """
UPDATE delivery SET status = 'SKIPPED', reason = told.reason, ended_at = $3, sending_at = NULL
FROM unnest($1::uuid[], $2::text[]) AS told(id, reason) WHERE delivery.id = told.id AND delivery.status = 'PENDING'
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A reminder as it stands now: its facts, how its reader is reminded, and why there is none any more."""

    row: Mapping[str, Any]
    way: Ways | None
    why_not: str | None


async def compose(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose single mails and pushes of what is still to be reminded of; what is quiet waits."""
    told = await _told([row.about_id for row in rows if row.about_id], now=now)
    keys = [row.device_id for row in rows if row.device_id]
    devices = await Device.in_bulk(keys, "id") if keys else {}
    made: dict[UUID, Any] = {}
    for row in rows:
        known = told.get(row.about_id) if row.about_id else None
        if known is None:
            continue
        device = devices.get(row.device_id) if row.device_id else None
        made[row.id] = _not_now(row, known, now) or _message(row, known, device)
    return made


async def compose_digests(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose the mails of a day, of what is still to be reminded of; where nothing is, none goes out."""
    carried = await read(CARRIED, [row.id for row in rows])
    told = await _told([one["about_id"] for one in carried], now=now)
    stands = {one["id"]: told.get(one["about_id"]) for one in carried}
    left = {key: "It is gone." if known is None else known.why_not for key, known in stands.items()}
    if out := {key: why for key, why in left.items() if why}:
        await connected().fetch(LEAVE_OUT, [list(out), list(out.values()), now])
    taken = await connected().fetch(TAKE_ALONG, [[key for key, why in left.items() if not why]])
    kept = {row["id"] for row in taken}
    made: dict[UUID, Any] = {}
    for row in rows:
        mine = [stands[one["id"]] for one in carried if one["carried_by_id"] == row.id and one["id"] in kept]
        items = [one for one in mine if one is not None]
        made[row.id] = _digest(items, now) if items else Skip(EMPTY)
    return made


async def _told(reminder_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Told]:
    rows = [dict(row) for row in await read(FACTS, list(reminder_ids))]
    members = {(row["workspace_id"], row["user_id"]) for row in rows}
    ways = await reminded.ways(members, now=now)
    homes: dict[UUID, set[UUID]] = {}
    for workspace_id, user_id in members:
        homes.setdefault(workspace_id, set()).add(user_id)
    actors = {
        (workspace_id, key): actor
        for workspace_id, keys in homes.items()
        for key, actor in (await users.members(workspace_id, keys)).items()
    }
    found: dict[UUID, Told] = {}
    for row in rows:
        key = (row["workspace_id"], row["user_id"])
        actor = actors.get(key)
        why = _why_not(row, now)
        if why is None and actor is None:
            why = reminders.GONE
        if why is None and actor is not None and not reminded.sees(actor, _about(row)):
            why = reminders.UNSEEING
        found[row["id"]] = Told(row, ways.get(key), why)
    return found


def _about(row: Mapping[str, Any]) -> About:
    noun = Lead if row["lead_id"] else Company if row["company_id"] else Contact
    return About(noun, row["lead_owner_id"])


def _why_not(row: Mapping[str, Any], now: datetime) -> str | None:
    """Return why nobody need be told any more."""
    if row["deleted_at"] is not None:
        return reminders.DELETED
    kind = ReminderKind(row["kind"])
    if kind is ReminderKind.LEAD_ROTTING:
        stays = row["lead_status"] == LeadStatus.OPEN and row["occasion"].endswith(row["stage_entered_at"].isoformat())
        return None if stays else MOVED_ON
    if kind is ReminderKind.FIRST_RESPONSE_MISSED:
        waits = row["lead_status"] == LeadStatus.OPEN and row["first_response_seconds"] is None
        return None if waits else ANSWERED
    if row["status"] != FollowUpStatus.OPEN:
        return ENDED
    again = row["remind_at"] if kind is ReminderKind.FOLLOW_UP_DUE else row["due_at"]
    return ELSEWHEN if again is not None and again > now else None


def _not_now(row: Due, told: Told, now: datetime) -> Skip | Later | None:
    if told.why_not is not None or told.way is None:
        return Skip(told.why_not or reminders.GONE)
    chosen = told.way.chosen
    if row.channel is Channel.MAIL and chosen.mail is ReminderMail.OFF:
        return Skip(reminders.NO_MAILS)
    if row.channel is Channel.MAIL and not told.way.has_email:
        return Skip(reminders.NO_EMAIL)
    if row.channel is Channel.PUSH and not chosen.push:
        return Skip(reminders.NO_PUSHES)
    until = reminder_settings.not_quiet(chosen, told.way.zone, at=now)
    return Later(until) if until > now else None


def _message(row: Due, told: Told, device: Device | None) -> Letter | Push | Skip:
    if row.channel is Channel.MAIL:
        return _letter(told.row, _facts(told.row))
    if device is None or device.ended_at is not None:
        return Skip(DEVICE_ENDED)
    return _push(row.id, told, device)


def _letter(row: Mapping[str, Any], facts: Mapping[str, Any]) -> Letter:
    languages, zone = [row["locale"], row["home_locale"]], row["time_zone"] or row["home"]
    return Letter(row["email"], facts, name=row["name"], languages=languages, time_zone=zone)


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    rots = row["kind"] == ReminderKind.LEAD_ROTTING
    of_lead = row["follow_up_id"] is None
    return {
        "workspace": row["workspace"],
        "name": row["name"],
        "title": row["lead_title"] if of_lead else row["title"],
        "about": None if of_lead else row["about"],
        "due_at": None if of_lead else row["due_at"],
        "due_on": row["due_on"],
        "owner": row["owner"],
        "stage": row["stage"] if rots else None,
        "since": (row["stage_entered_at"] if rots else row["captured_at"]) if of_lead else None,
        "link": subjects.link_of(row["lead_id"]),
    }


def _digest(items: Sequence[Told], now: datetime) -> Letter:
    first = items[0].row
    zone = reminder_settings.zone(first["time_zone"], first["home"])
    told = [_facts(one.row) | {"kind": reminders.COMPOSED[ReminderKind(one.row["kind"])]} for one in items]
    told.sort(key=lambda one: one["due_at"] or one["since"])
    facts = {
        "workspace": first["workspace"],
        "name": first["name"],
        "day": now.astimezone(zone).date(),
        "items": told[:MOST_IN_DIGEST],
        "more": max(len(told) - MOST_IN_DIGEST, 0),
        "link": None,
    }
    return _letter(first, facts)


def _push(key: UUID, told: Told, device: Device) -> Push:
    row = told.row
    facts, kind = _facts(row), ReminderKind(row["kind"])
    said = words(best_language(row["locale"], row["home_locale"]))
    urgent = kind is ReminderKind.FOLLOW_UP_OVERDUE or row["priority"] == Priority.HIGH
    return Push(
        id=key,
        to=Target(device.platform, device.address, device.p256dh, device.auth),
        title=facts["title"],
        body=_body(said, kind, facts, row["time_zone"] or row["home"]),
        kind=kind.value,
        topic=f"{reminders.COMPOSED[kind]}:{row['follow_up_id'] or row['lead_id']}",
        url=facts["link"],
        urgent=urgent,
    )


def _body(said: Words, kind: ReminderKind, facts: Mapping[str, Any], zone: str) -> str:
    """Return what a push says beside its title."""
    if kind is ReminderKind.LEAD_ROTTING:
        return said("In the stage %(stage)s since %(moment)s", stage=facts["stage"], moment=_at(said, facts, zone))
    if kind is ReminderKind.FIRST_RESPONSE_MISSED:
        return said("Nobody has answered since %(moment)s", moment=_at(said, facts, zone))
    due = said("Due: %(moment)s", moment=_at(said, facts, zone))
    owner = facts["owner"] if kind is ReminderKind.FOLLOW_UP_OVERDUE else None
    return " · ".join(filter(None, (facts["about"], due, owner)))


def _at(said: Words, facts: Mapping[str, Any], zone: str) -> str:
    if facts["due_on"] is not None:
        return said.date(facts["due_on"])
    return said.moment(facts["due_at"] or facts["since"], zone)
