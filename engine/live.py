"""What a live client is told of an event: filters and scopes tested in memory, on the lead before and after it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from operator import ge, gt, le, lt
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from domain.actors import Actor, Scope
from engine.conditions import All, AnyOf, Compare, Condition, Exists, Not, Op
from models.events import LiveEvent
from models.leads import Lead, LeadStatus

TEAM, TAGS = "membership", "tags"
# What hangs on a lead and is shown with it: its key in the facts of the events that tell of it.
HANGING = frozenset({"activity_id", "comment_id", "attachment_id", "follow_up_id"})
PLACE = ("pipeline_id", "stage_id", "rank")

LiveLead: TypeAlias = Mapping[str, Any]
Teams: TypeAlias = Mapping[str, str | None]
Test: TypeAlias = Callable[[LiveLead, Teams], bool]


class Step(StrEnum):
    """What an event is to somebody who watches."""

    ENTERED = "ENTERED"
    MOVED = "MOVED"
    CHANGED = "CHANGED"
    LEFT = "LEFT"


class ResyncReason(StrEnum):
    """Why a client has to read its board again."""

    LOG_TOO_SHORT = "LOG_TOO_SHORT"
    TOO_FAR_BEHIND = "TOO_FAR_BEHIND"
    TOO_SLOW = "TOO_SLOW"
    RANKS_REBALANCED = "RANKS_REBALANCED"
    VISIBILITY_CHANGED = "VISIBILITY_CHANGED"


@dataclass(frozen=True, slots=True)
class Resync:
    """The last message of a stream that cannot go on without a gap."""

    reason: ResyncReason


@dataclass(frozen=True, slots=True)
class View:
    """What exists for a watcher: a scope, the teams of owners, and wins that were closed since an instant."""

    scope: Scope
    teams: Teams
    wins_since: datetime

    def sees(self, lead: LiveLead) -> bool:
        """Say whether a lead exists."""
        return not lead["deleted"] and (self.scope.owners is None or lead["owner_id"] in owner_texts(self.scope))

    def sees_on_board(self, lead: LiveLead) -> bool:
        """Say whether a lead stands on a board: open, or won lately."""
        if lead["status"] == LeadStatus.OPEN:
            return True
        closed_at = lead.get("closed_at")
        return lead["status"] == LeadStatus.WON and (
            closed_at is None or datetime.fromisoformat(closed_at) >= self.wins_since
        )


class Watch(Protocol):
    """What somebody watches. Equal watches of equal scope are told the same."""

    @property
    def uses_teams(self) -> bool: ...

    def step(self, event: LiveEvent, view: View) -> Step | ResyncReason | None:
        """Return what the event is to whoever watches this."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineWatch:
    """The leads on a pipeline's board that meet a condition; one that tests the status decides it alone."""

    pipeline_id: UUID
    condition: Condition

    @property
    def uses_teams(self) -> bool:
        return TEAM in looked_at(self.condition)

    def step(self, event: LiveEvent, view: View) -> Step | ResyncReason | None:
        if event.name == "stage.rebalanced":
            same = event.data.get("pipeline_id") == str(self.pipeline_id)
            return ResyncReason.RANKS_REBALANCED if same else None
        if is_beside(event):
            return None
        pipeline_id, meets = str(self.pipeline_id), passing(self.condition)
        any_status = "status" in looked_at(self.condition)

        def matches(lead: LiveLead) -> bool:
            return (
                lead["pipeline_id"] == pipeline_id
                and view.sees(lead)
                and (any_status or view.sees_on_board(lead))
                and meets(lead, view.teams)
            )

        return lead_step(event, matches)


@dataclass(frozen=True, slots=True)
class LeadWatch:
    """One lead, wherever it stands."""

    lead_id: UUID
    uses_teams = False

    def step(self, event: LiveEvent, view: View) -> Step | ResyncReason | None:
        if event.subject_id != self.lead_id:
            return None
        return lead_step(event, view.sees)


@dataclass(frozen=True, slots=True)
class NotificationWatch:
    """What one person is told, and that they have read it somewhere."""

    user_id: UUID
    uses_teams = False

    def step(self, event: LiveEvent, view: View) -> Step | ResyncReason | None:
        if not event.name.startswith("notification.") or event.data.get("user_id") != str(self.user_id):
            return None
        lead = event.data.get("lead")
        if lead is not None and not view.sees(lead):
            return None
        return Step.ENTERED if event.name == "notification.created" else Step.CHANGED


def is_beside(event: LiveEvent) -> bool:
    """Say whether an event tells of something that hangs on a lead, while the lead itself stays as it was."""
    data = event.data
    unchanged = not data.get("changes") and data.get("before") == data.get("after")
    return unchanged and not HANGING.isdisjoint(data)


def lead_step(event: LiveEvent, matches: Callable[[LiveLead], bool]) -> Step | None:
    """Return what an event is to a watcher of the leads that match; None where it tells of no lead at all."""
    after = event.data.get("after")
    if after is None:
        return None
    before = event.data.get("before")
    matched = before is not None and matches(before)
    if not matches(after):
        return Step.LEFT if matched else None
    if before is None or not matched:
        return Step.ENTERED
    return Step.MOVED if any(before[name] != after[name] for name in PLACE) else Step.CHANGED


@lru_cache(maxsize=4096)
def owner_texts(scope: Scope) -> frozenset[str]:
    """Return a scope's owners as events write them."""
    return frozenset(map(str, scope.owners or ()))


@lru_cache(maxsize=4096)
def looked_at(condition: Condition) -> frozenset[str]:
    """Return the columns and links that a condition looks at."""
    match condition:
        case Compare(name) | Exists(name):
            return frozenset({name})
        case All(of) | AnyOf(of):
            return frozenset().union(*map(looked_at, of))
        case Not(of):
            return looked_at(of)
        case _:
            raise TypeError(f"live events cannot be tested for {condition}")


@lru_cache(maxsize=4096)
def passing(condition: Condition) -> Test:
    """Return a condition as a function of a lead and its owner's team; it answers as the engine's SQL does."""
    match condition:
        case Compare(column):
            read, meets = _reader(column), _operator(condition.op, condition.value)
            return lambda lead, teams: meets(read(lead))
        case Exists(link, where):
            return _exists(link, passing(where))
        case All(of):
            every = [passing(part) for part in of]
            return lambda lead, teams: all(part(lead, teams) for part in every)
        case AnyOf(of):
            some = [passing(part) for part in of]
            return lambda lead, teams: any(part(lead, teams) for part in some)
        case Not(of):
            inner = passing(of)
            return lambda lead, teams: not inner(lead, teams)
        case _:
            raise TypeError(f"live events cannot be tested for {condition}")


def _exists(link: str, inner: Test) -> Test:
    if link == TAGS:
        return lambda lead, teams: any(inner({"id": tag_id}, teams) for tag_id in lead["tag_ids"])
    if link == TEAM:
        return lambda lead, teams: lead["owner_id"] in teams and inner({"team_id": teams[lead["owner_id"]]}, teams)
    raise TypeError(f"live events cannot be tested for {link}")


def _reader(column: str) -> Callable[[LiveLead], Any]:
    if column == "value":
        return lambda lead: None if lead["value"] is None else Decimal(lead["value"])
    return lambda lead: lead[column]


ORDERS = {Op.GT: gt, Op.GTE: ge, Op.LT: lt, Op.LTE: le}


def _operator(op: Op, wanted: Any) -> Callable[[Any], bool]:
    if op in ORDERS:
        compare = ORDERS[op]
        return lambda value: value is not None and compare(value, wanted)
    if op in (Op.IN, Op.NOT_IN):
        values, inside = frozenset(map(_plain, wanted)), op is Op.IN
        return lambda value: (value in values) is inside
    if op is Op.IS_NULL:
        return lambda value: (value is None) is wanted
    if op not in (Op.EQ, Op.NE):
        raise TypeError(f"live events cannot be tested by {op}")
    one, equal = _plain(wanted), op is Op.EQ
    return lambda value: (value == one) is equal


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def fingerprint(workspace_id: UUID, scope: Scope) -> bytes:
    """Return six bytes that tell one scope of a workspace from another."""
    digest = blake2b(workspace_id.bytes, digest_size=6)
    for owner in sorted(scope.owners) if scope.owners is not None else ():
        digest.update(owner.bytes)
    digest.update(b"all" if scope.owners is None else b"owners")
    return digest.digest()


_fingerprint = lru_cache(maxsize=4096)(fingerprint)


def cursor(workspace_id: UUID, position: int, scope: Scope) -> str:
    """Return the opaque cursor of a position in the log, as somebody of this scope has seen it."""
    packed = position.to_bytes(8, "big") + _fingerprint(workspace_id, scope)
    return urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(value: str) -> tuple[int, bytes]:
    """Return the position and the fingerprint of the scope that a cursor holds; raises ValueError."""
    packed = urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    if len(packed) != 14 or urlsafe_b64encode(packed).decode().rstrip("=") != value or packed[0] & 0x80:
        raise ValueError(value)
    return int.from_bytes(packed[:8], "big"), packed[8:]


async def leads_now(keys: list[UUID]) -> list[Lead | None]:
    """Read leads as they are now, whoever may see them, in the order of their keys."""
    found = {row.id: row for row in await Lead.filter(id__in=keys)}
    return [found.get(key) for key in keys]


def same_view(one: Actor, other: Actor) -> bool:
    """Say whether the same exists for both and they may do the same."""
    return (one.rows, one.role, one.scopes) == (other.rows, other.role, other.scopes)
