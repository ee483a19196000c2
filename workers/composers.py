"""Who composes what is delivered, and who hands it over: the one page that says it for every kind and channel."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from models.deliveries import Channel
from workers import account_mails, letters
from workers.messages import Composer, Due, Sender

COMPOSERS: Mapping[str, Composer] = {
    "invitation": account_mails.compose_invitations,
    "password_reset": account_mails.compose_password_resets,
}
SENDERS: Mapping[Channel, Sender] = {Channel.MAIL: letters.send}
# What is asked for all of a batch together, of what was composed, before any of it is handed over.
PREPARERS: Mapping[Channel, Callable[[Sequence[Due], Mapping[UUID, Any]], Awaitable[Mapping[UUID, Any]]]] = {
    Channel.MAIL: letters.prepare,
}
