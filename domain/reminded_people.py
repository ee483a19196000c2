"""Whom to remind: owners who are there, those who stand in for them, and the managers above; and how each wants it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from tortoise.models import Model

from domain import absences, policy, reminder_settings, users
from domain.actors import ALL, Actor
from models.database import read
from models.leads import Lead
from models.reminders import ReminderMail, ReminderSettings
from models.users import Role

Member = tuple[UUID, UUID]

LEADERS = """
SELECT m.workspace_id, m.user_id, m.role, m.team_id FROM membership m JOIN user_account u ON u.id = m.user_id
WHERE m.workspace_id = ANY($1) AND m.active AND m.role IN ('MANAGER', 'ADMIN') AND NOT u.is_service
ORDER BY m.created_at, m.id
"""
TEAMS = "SELECT id, parent_id FROM team WHERE workspace_id = ANY($1) AND deleted_at IS NULL"
PLACES = "SELECT workspace_id, user_id, team_id FROM membership WHERE workspace_id = ANY($1) AND user_id = ANY($2)"
WAYS = """
SELECT m.workspace_id, m.user_id, u.time_zone, w.time_zone AS home, u.email IS NOT NULL AS has_email,
    s.mail, s.digest_at, s.push, s.quiet_from, s.quiet_until, s.quiet_days, s.id IS NOT NULL AS is_set,
    ARRAY(
        SELECT d.id FROM device d
        WHERE d.workspace_id = m.workspace_id AND d.user_id = m.user_id AND d.ended_at IS NULL ORDER BY d.id
    ) AS devices
FROM unnest($1::uuid[], $2::uuid[]) AS wanted(workspace_id, user_id)
JOIN membership m ON m.workspace_id = wanted.workspace_id AND m.user_id = wanted.user_id
JOIN user_account u ON u.id = m.user_id
JOIN workspace w ON w.id = m.workspace_id
LEFT JOIN reminder_settings s ON s.workspace_id = m.workspace_id AND s.user_id = m.user_id
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a reminder is about, as far as it says who may see it: a noun's row and, of a lead, whose that is."""

    noun: type[Model]
    lead_owner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """How a member is reminded: as they have set it, on their clock, on their devices."""

    chosen: ReminderSettings
    zone: ZoneInfo
    has_email: bool
    devices: Sequence[UUID]


@dataclass(slots=True)
class Asked:
    """Whom something is for: an owner, or with `managers` those above them."""

    workspace_id: UUID
    owner_id: UUID | None
    about: About
    managers: bool = False


@dataclass(slots=True)
class People:
    """The people of some workspaces, read once for all that they are reminded of."""

    actors: dict[Member, Actor] = field(default_factory=dict)
    away: dict[Member, list[UUID]] = field(default_factory=dict)
    leaders: dict[UUID, list[tuple[UUID, Role, UUID | None]]] = field(default_factory=dict)
    parents: dict[UUID, UUID | None] = field(default_factory=dict)
    places: dict[Member, UUID | None] = field(default_factory=dict)

    def of(self, asked: Asked) -> list[UUID]:
        """Return who is reminded: each who may see it, or whoever stands in for them and may."""
        if not asked.managers:
            one = self._there(asked, asked.owner_id) if asked.owner_id else None
            return [one] if one else []
        for leaders in self._lines(asked):
            found = dict.fromkeys(one for key in leaders if (one := self._there(asked, key)))
            if found:
                return list(found)
        return []

    def is_active(self, workspace_id: UUID, user_id: UUID) -> bool:
        return (workspace_id, user_id) in self.actors

    def _there(self, asked: Asked, user_id: UUID) -> UUID | None:
        """Return who stands in for a member who is away, else the member; None where neither may see it."""
        if not self.is_active(asked.workspace_id, user_id):
            return None
        key: UUID
        for key in (*self.away.get((asked.workspace_id, user_id), ()), user_id):
            actor = self.actors.get((asked.workspace_id, key))
            if actor is not None and sees(actor, asked.about):
                return key
        return None

    def _lines(self, asked: Asked) -> Iterable[list[UUID]]:
        """Yield the managers of the owner's team, then those of each team above, then the admins; never the owner."""
        leaders = [one for one in self.leaders.get(asked.workspace_id, ()) if one[0] != asked.owner_id]
        team = self.places.get((asked.workspace_id, asked.owner_id)) if asked.owner_id else None
        passed: set[UUID] = set()
        while team is not None and team not in passed:
            passed.add(team)
            yield [key for key, role, place in leaders if role is Role.MANAGER and place == team]
            team = self.parents.get(team)
        if asked.owner_id is None:
            yield [key for key, role, _ in leaders if role is Role.MANAGER]
        yield [key for key, role, _ in leaders if role is Role.ADMIN]


def sees(actor: Actor, about: About) -> bool:
    """Say whether what a reminder is about exists for a member."""
    seen = policy.scope(actor, about.noun)
    return seen.includes(about.lead_owner_id) if about.noun is Lead else seen == ALL


async def people(asked: Sequence[Asked], *, now: datetime) -> People:
    """Read whom these may be for, in a few statements and one a workspace."""
    found = People()
    workspaces = sorted({one.workspace_id for one in asked})
    owners = {(one.workspace_id, one.owner_id) for one in asked if one.owner_id is not None}
    found.away = await absences.standing_in(workspaces, now=now)
    led = sorted({one.workspace_id for one in asked if one.managers})
    if led:
        for row in await read(LEADERS, led):
            known = found.leaders.setdefault(row["workspace_id"], [])
            known.append((row["user_id"], Role(row["role"]), row["team_id"]))
        found.parents = {row["id"]: row["parent_id"] for row in await read(TEAMS, led)}
        for row in await read(PLACES, led, list({key for _, key in owners})):
            found.places[row["workspace_id"], row["user_id"]] = row["team_id"]
    candidates: dict[UUID, set[UUID]] = {key: set() for key in workspaces}
    for workspace_id, key in owners:
        candidates[workspace_id].add(key)
    for workspace_id, leaders in found.leaders.items():
        candidates[workspace_id].update(key for key, _, _ in leaders)
    for (workspace_id, key), line in found.away.items():
        if key in candidates[workspace_id]:
            candidates[workspace_id].update(line)
    for workspace_id, keys in candidates.items():
        for key, actor in (await users.members(workspace_id, keys)).items():
            found.actors[workspace_id, key] = actor
    return found


async def ways(members: Iterable[Member], *, now: datetime) -> dict[Member, Ways]:
    """Return how each of these members is reminded."""
    wanted = sorted(set(members))
    rows = await read(WAYS, [workspace_id for workspace_id, _ in wanted], [key for _, key in wanted])
    return {(row["workspace_id"], row["user_id"]): way_of(row, now=now) for row in rows}


def way_of(row: object, *, now: datetime) -> Ways:
    """Return how the member of a row of WAYS is reminded."""
    told = dict(row)  # type: ignore[call-overload]
    chosen = reminder_settings.usual(told["workspace_id"], told["user_id"], now=now)
    if told["is_set"]:
        chosen.mail, chosen.push = ReminderMail(told["mail"]), told["push"]
        chosen.digest_at, chosen.quiet_from, chosen.quiet_until = (
            told[name] for name in ("digest_at", "quiet_from", "quiet_until")
        )
        chosen.quiet_days = orjson.loads(told["quiet_days"])
    zone = reminder_settings.zone(told["time_zone"], told["home"])
    return Ways(chosen, zone, told["has_email"], told.get("devices") or ())
