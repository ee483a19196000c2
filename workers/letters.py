"""Mails of the ledger: nothing to whom it must not go, the words of workspace and language, and out by SMTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from adapters import mail
from adapters.mail import Recipient
from domain import mail_templates, suppressions, tokens
from domain.mail_kinds import UNENDING
from domain.mail_templates import Source, Text
from domain.tokens import Kind
from domain.words import best_language
from settings import settings
from workers.messages import Due, Letter, Skip

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter that may go out to `email`, in the workspace's own words where it has some."""

    letter: Letter
    email: str
    language: str
    own: Source | None


async def prepare(rows: Sequence[Due], made: Mapping[UUID, Any]) -> dict[UUID, Any]:
    """Return what may be sent of letters, and why the others are not."""
    letters = {row.id: made[row.id] for row in rows if isinstance(made.get(row.id), Letter)}
    asked = {
        row.id: (row.workspace_id, suppressions.key_of(letters[row.id].email)) for row in rows if row.id in letters
    }
    known = await suppressions.known(asked.values())
    own = await mail_templates.own_of({row.workspace_id for row in rows}, {row.kind for row in rows})
    ready: dict[UUID, Any] = dict(made)
    for row in rows:
        if row.id in letters:
            why = suppressions.why_not(row.kind, known.get(asked[row.id], frozenset()))
            letter, language = letters[row.id], best_language(*letters[row.id].languages)
            words = own.get((row.workspace_id, row.kind, language))
            ready[row.id] = Skip(why) if why else Ready(letter, letter.email, language, words)
    return ready


async def send(row: Due, ready: Ready) -> str | None:
    """Write a letter and hand it to the mail server; return what is to be said of that in the ledger."""
    letter = ready.letter
    unsubscribe = None if row.kind in UNENDING else unsubscribe_link(row.id)
    text, note = _words(row, ready, unsubscribe)
    to = Recipient(letter.email, letter.name)
    now = datetime.now(UTC)
    written = mail.write(
        to,
        text,
        key=row.id,
        now=now,
        unsubscribe=unsubscribe,
        language=ready.language,
        reply_to=letter.reply_to,
        files=letter.files,
    )
    await mail.send(written)
    return note


def _words(row: Due, ready: Ready, unsubscribe: str | None) -> tuple[Text, str | None]:
    """Return a letter's words: those that ship with us where the workspace's own fail, which loses no mail."""
    facts, zone = ready.letter.facts, ready.letter.time_zone
    note = None
    if ready.own:
        try:
            return mail_templates.own(
                ready.own, facts, language=ready.language, time_zone=zone, unsubscribe_link=unsubscribe
            ), None
        except Exception as error:
            note = f"Sent in the words that ship with us, since the workspace's own failed: {error}"
            log.warning("a workspace's own template failed", kind=row.kind, delivery=str(row.id), error=str(error))
    shipped = mail_templates.shipped(
        row.kind, facts, language=ready.language, time_zone=zone, unsubscribe_link=unsubscribe
    )
    return shipped, note


def unsubscribe_link(delivery_id: UUID) -> str:
    """Return where whoever got a mail can end such mails."""
    return f"{settings().public_url.rstrip('/')}/unsubscribe/{tokens.sign(Kind.UNSUBSCRIBE, delivery_id)}"
