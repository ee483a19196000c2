"""Mails of the ledger: nothing to whom it must not go, the words of workspace and language, and out by SMTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from adapters import mail
from adapters.mail import Recipient
from domain import mail_templates, suppressions, tokens
from domain.mail_kinds import KINDS
from domain.tokens import Kind
from domain.words import best_language
from models.deliveries import SuppressionReason
from settings import settings
from workers.messages import Due, Letter, Skip

WHY = {
    SuppressionReason.UNSUBSCRIBED: "unsubscribed",
    SuppressionReason.BOUNCED: "bounced",
    SuppressionReason.COMPLAINED: "complained",
    SuppressionReason.MANUAL: "was suppressed by hand",
}


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter that may go out; `email` is where it goes."""

    letter: Letter
    email: str


async def prepare(rows: Sequence[Due], made: Mapping[UUID, Any]) -> dict[UUID, Any]:
    """Return what may be sent of letters, and why the others are not."""
    letters = {row.id: made[row.id] for row in rows if isinstance(made.get(row.id), Letter)}
    asked = {
        row.id: (row.workspace_id, suppressions.key_of(letters[row.id].email)) for row in rows if row.id in letters
    }
    known = await suppressions.known(asked.values())
    ready: dict[UUID, Any] = dict(made)
    for row in rows:
        if row.id in letters:
            why = None if KINDS[row.kind].account else _why_not(row, known.get(asked[row.id], {}))
            ready[row.id] = Skip(why) if why else Ready(letters[row.id], letters[row.id].email)
    return ready


async def send(row: Due, ready: Ready) -> None:
    """Write a letter and hand it to the mail server."""
    letter, language = ready.letter, best_language(*ready.letter.languages)
    unsubscribe = None if KINDS[row.kind].account else unsubscribe_link(row.id)
    text = mail_templates.shipped(
        row.kind, letter.facts, language=language, time_zone=letter.time_zone, unsubscribe_link=unsubscribe
    )
    to = Recipient(letter.email, letter.name)
    now = datetime.now(UTC)
    await mail.send(mail.write(to, text, key=row.id, now=now, unsubscribe=unsubscribe, language=language))


def unsubscribe_link(delivery_id: UUID) -> str:
    """Return where whoever got a mail can end such mails."""
    return f"{settings().public_url.rstrip('/')}/unsubscribe/{tokens.sign(Kind.UNSUBSCRIBE, delivery_id)}"


def _why_not(row: Due, known: Mapping[str | None, SuppressionReason]) -> str | None:
    reason = known.get(None) or known.get(row.kind)
    return reason and f"This address {WHY[reason]}."
