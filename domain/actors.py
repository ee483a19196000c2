"""Who acts, and what exists for them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.users import Role


class ActorKind(StrEnum):
    USER = "USER"
    API_KEY = "API_KEY"
    LINK = "LINK"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Scope:
    """What exists for an actor, as data: everything (`owners` is None), or what these users own.

    Of a noun that owners share, what is shared with everybody or with one of `teams` exists besides.
    """

    owners: frozenset[UUID] | None
    teams: frozenset[UUID] = frozenset()

    def includes(self, owner_id: UUID | None) -> bool:
        return self.owners is None or owner_id in self.owners


ALL = Scope(None)
NONE = Scope(frozenset())


@dataclass(frozen=True, slots=True)
class Actor:
    """A user in a workspace, an API key, a customer's link, or the system.

    `rows` is what row visibility leaves of the leads; `teams` are the actor's team and those that it is within;
    `scopes` limits an API key and is None for people.
    """

    kind: ActorKind
    workspace_id: UUID
    user_id: UUID | None = None
    role: Role | None = None
    rows: Scope = field(default=NONE)
    teams: frozenset[UUID] = frozenset()
    scopes: frozenset[str] | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    # The row that a customer's link is for, which is all that exists for them.
    link_id: UUID | None = None
    task: str | None = None

    @property
    def name(self) -> str:
        """Return what distinguishes the actor from every other."""
        return f"{self.kind}:{self.workspace_id}:{self.key_id or self.user_id or self.link_id}"

    def facts(self) -> dict[str, Any]:
        """Return what the event log keeps of the actor."""
        known = {"user": self.user_id, "key": self.key_id, "link": self.link_id, "task": self.task}
        return {"kind": self.kind.value} | {name: str(value) for name, value in known.items() if value}


def system(workspace_id: UUID, *, task: str) -> Actor:
    """Return the system acting in a workspace through a task."""
    return Actor(ActorKind.SYSTEM, workspace_id, rows=ALL, task=task)
