"""Members who are away: who stands in for them, and to whom goes what is handed to them meanwhile.

It is asked where a lead is given to somebody by name: when it is assigned and when it is captured. What somebody gives
to themselves stays theirs, and an import keeps to what its file says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound
from domain.unset import UNSET, Unset, given
from models.database import read, remembered
from models.users import Membership, Role

# Each who is away is followed by their substitute, unless that one is inactive, a viewer or was in the row before.
STANDING = """
WITH RECURSIVE standing (place, user_id, active, role, substitute_id, away, passed) AS (
    SELECT 1, user_id, active, role, substitute_id, away_from <= $3 AND coalesce(away_until > $3, TRUE), ARRAY[user_id]
    FROM membership WHERE workspace_id = $1 AND user_id = $2
    UNION ALL
    SELECT place + 1, next.user_id, next.active, next.role, next.substitute_id,
           next.away_from <= $3 AND coalesce(next.away_until > $3, TRUE), passed || next.user_id
    FROM standing JOIN membership next ON next.workspace_id = $1 AND next.user_id = standing.substitute_id
    WHERE standing.active AND standing.away AND next.active AND next.role <> 'VIEWER'
      AND next.user_id <> ALL (passed)
)
SELECT user_id, active, role, away AND substitute_id = ANY (passed) AS returns FROM standing ORDER BY place
"""
# Those who are away, each with whoever stands in for them and is active.
AWAY = """
SELECT m.workspace_id, m.user_id, m.substitute_id FROM membership m
JOIN membership s ON s.workspace_id = m.workspace_id AND s.user_id = m.substitute_id AND s.active
WHERE m.workspace_id = ANY($1) AND m.away_from <= $2 AND coalesce(m.away_until > $2, TRUE)
"""


class AwayBackwards(DomainError):
    """An absence ends after it begins."""


class OwnSubstitute(DomainError):
    """Nobody stands in for themselves: name somebody else."""


class SubstituteInactive(DomainError):
    """This user is no active member: name another substitute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """When somebody is away and who stands in for them; what is UNSET is left as it is, None clears it."""

    away_from: datetime | Unset | None = UNSET
    away_until: datetime | Unset | None = UNSET
    substitute_id: UUID | Unset | None = UNSET

    def __bool__(self) -> bool:
        return bool(given(away_from=self.away_from, away_until=self.away_until, substitute_id=self.substitute_id))


PRESENT = Absence()


async def owner(faults: Faults, actor: Actor, user_id: UUID | None, *, field: str, now: datetime) -> UUID | None:
    """Return to whom goes what is given to an active member: themselves, or whoever stands in for them now.

    Substitutes of substitutes are followed; where they lead back, it stays with the first.
    """
    if user_id is None:
        return None
    values = (actor.workspace_id, user_id, now)
    standing = await remembered(("standing", *values), lambda: read(STANDING, *values))
    if not standing:
        faults.add(NotFound(noun="user", field=field))
        return user_id
    if not standing[0]["active"]:
        faults.add(edits.OwnerInactive(field=field))
        return user_id
    if standing[0]["role"] == Role.VIEWER:
        faults.add(edits.OwnerViewer(field=field))
        return user_id
    stays = user_id == actor.user_id or standing[-1]["returns"]
    return user_id if stays else UUID(int=standing[-1]["user_id"].int)


async def standing_in(workspace_ids: Sequence[UUID], *, now: datetime) -> dict[tuple[UUID, UUID], list[UUID]]:
    """Return who stands in for those who are away, by workspace and user: the last of the line first."""
    rows = await read(AWAY, list(workspace_ids), now)
    away = {(row["workspace_id"], row["user_id"]): row["substitute_id"] for row in rows}
    return {key: _line(away, *key) for key in away}


def _line(away: Mapping[tuple[UUID, UUID], UUID], workspace_id: UUID, user_id: UUID) -> list[UUID]:
    line = [user_id]
    while (following := away.get((workspace_id, line[-1]))) is not None and following not in line:
        line.append(following)
    return line[:0:-1]


def instead_of(asked: UUID | None, owner_id: UUID | None) -> dict[str, Any]:
    """Return what an event says beside the owner, where somebody else was meant."""
    return {"instead_of": asked} if asked is not None and asked != owner_id else {}


async def check(faults: Faults, place: Membership, absence: Absence, *, now: datetime) -> dict[str, Any]:
    """Check an absence of a member and return it as columns; one without a beginning begins now."""
    columns = given(away_from=absence.away_from, away_until=absence.away_until, substitute_id=absence.substitute_id)
    for name in ("away_from", "away_until"):
        if name in columns:
            columns[name] = inputs.instant(faults, getattr(absence, name), field=edits.camel(name))
    begins: Any
    ends: Any
    begins, ends = (columns.get(name, getattr(place, name)) for name in ("away_from", "away_until"))
    if begins is None and columns.get("away_until") is not None:
        begins = columns["away_from"] = now
    if begins is None and ends is not None:
        columns["away_until"] = ends = None
    if begins is not None and ends is not None and begins.tzinfo and ends.tzinfo and ends <= begins:
        faults.add(AwayBackwards(field="awayUntil"))
    if isinstance(absence.substitute_id, UUID):
        await _check_substitute(faults, place, absence.substitute_id)
    return columns


async def _check_substitute(faults: Faults, place: Membership, user_id: UUID) -> None:
    if user_id == place.user_id:
        faults.add(OwnSubstitute(field="substituteId"))
        return
    other = await Membership.get_or_none(workspace_id=place.workspace_id, user_id=user_id)
    if other is None:
        faults.add(NotFound(noun="user", field="substituteId"))
    elif not other.active:
        faults.add(SubstituteInactive(field="substituteId"))
    elif other.role is Role.VIEWER:
        faults.add(edits.OwnerViewer(field="substituteId"))
