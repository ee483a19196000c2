"""Who composes what is delivered, and who hands it over: the one page that says it for every kind and channel."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from domain import reminders
from models.deliveries import Channel
from workers import account_mails, invoice_mails, letters, pushes, reminder_messages, sale_mails, survey_mails
from workers.messages import Composer, Due, Sender

COMPOSERS: Mapping[str, Composer] = {
    "invitation": account_mails.compose_invitations,
    "password_reset": account_mails.compose_password_resets,
    **dict.fromkeys(reminders.COMPOSED.values(), reminder_messages.compose),
    reminders.DIGEST: reminder_messages.compose_digests,
    "survey": survey_mails.compose_surveys,
    **dict.fromkeys(sale_mails.FACTS, sale_mails.compose),
    **dict.fromkeys(invoice_mails.FACTS, invoice_mails.compose),
}
SENDERS: Mapping[Channel, Sender] = {Channel.MAIL: letters.send, Channel.PUSH: pushes.send}
# What is asked for all of a batch together, of what was composed, before any of it is handed over.
PREPARERS: Mapping[Channel, Callable[[Sequence[Due], Mapping[UUID, Any]], Awaitable[Mapping[UUID, Any]]]] = {
    Channel.MAIL: letters.prepare,
}
