"""What the composers of messages and the senders of channels say to what delivers them.

A sender raises what adapters.sending has: Refused, Deferred or Unavailable. Anything else counts as Deferred.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.mail import Attached, Recipient
from models.deliveries import Channel


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that this worker has claimed."""

    id: UUID
    workspace_id: UUID
    channel: Channel
    kind: str
    due_at: datetime
    created_at: datetime
    user_id: UUID | None
    contact_id: UUID | None
    address: str | None
    about_id: UUID | None
    device_id: UUID | None
    data: dict[str, Any]
    attempts: int
    at_risk: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as a composer gives it: to whom, and what its template is filled with.

    `languages` are those wished for, the most wanted first (None where somebody has said nothing); times are told in
    `time_zone`. Answers go to `reply_to`. The words are the workspace's own template of the delivery's kind, or the
    one that ships with us.
    """

    email: str
    facts: Mapping[str, Any]
    name: str = ""
    languages: Sequence[str | None] = ()
    time_zone: str | None = None
    reply_to: Recipient | None = None
    files: Sequence[Attached] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """This message is not sent, and never will be, for this reason, which people read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """This message is not sent now (somebody sleeps): it is due again at this instant."""

    due_at: datetime
    reason: str | None = None


# What becomes of claimed deliveries: the message that the channel's sender takes (for a mail a Letter), a Skip or a
# Later. One that is missing is skipped, since what it was about is gone.
Composed = Mapping[UUID, Any]
Composer = Callable[[Sequence[Due], datetime], Awaitable[Composed]]
# Hands a message over; what it returns is noted beside its being sent.
Sender = Callable[[Due, Any], Awaitable[str | None]]
