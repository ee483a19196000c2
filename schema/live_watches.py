"""What a live client is told of an event: what they watch and what exists for them, before the event and after it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from domain.actors import Scope
from engine.conditions import Condition
from models.events import LiveEvent
from models.leads import LeadStatus
from models.proposal_links import Party
from schema.live_conditions import TEAM, LiveLead, Teams, looked_at, passing

# What hangs on a lead and is shown with it: its key in the facts of the events that tell of it.
HANGING = frozenset({"activity_id", "comment_id", "attachment_id", "follow_up_id"})
# What of a negotiation both of its sides are told.
OF_BOTH_SIDES = frozenset(
    f"negotiation.{verb}" for verb in ("offer_made", "commented", "agreed", "broken_off", "overdue")
)
PLACE = ("pipeline_id", "stage_id", "rank")


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


@dataclass(frozen=True, slots=True)
class NegotiationWatch:
    """One negotiation, as its seller or its buyer: each is told what they may see of it."""

    negotiation_id: UUID
    party: Party
    uses_teams = False

    def step(self, event: LiveEvent, view: View) -> Step | ResyncReason | None:
        if event.data.get("negotiation_id") != str(self.negotiation_id):
            return None
        if self.party is Party.BUYER:
            known = event.name in OF_BOTH_SIDES or "respond_by" in event.data.get("changed", ())
            return Step.CHANGED if known else None
        lead = event.data.get("after")
        if not event.name.startswith("negotiation.") or lead is None or not view.sees(lead):
            return None
        return Step.CHANGED


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
