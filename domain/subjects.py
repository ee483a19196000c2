"""What comments, files and activities hang on: a lead, a company or a contact, which clients name by one id.

A row that hangs on one has the columns `lead_id`, `company_id` and `contact_id`, of which one is filled. Whoever adds
to a subject holds it locked until the transaction ends, so that the events of a lead tell its columns in the order in
which they changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from domain import leads, policy
from domain.actors import ALL, Actor
from domain.events import Event, record
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from settings import settings

Subject: TypeAlias = Lead | Company | Contact
SubjectNoun: TypeAlias = type[Lead] | type[Company] | type[Contact]
COLUMNS: Mapping[SubjectNoun, str] = {Lead: "lead_id", Company: "company_id", Contact: "contact_id"}


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """Which row something hangs on."""

    noun: SubjectNoun
    id: UUID


class Hanging(Protocol):
    """A row that hangs on a subject."""

    lead_id: UUID | None
    company_id: UUID | None
    contact_id: UUID | None


def key_of(row: Hanging) -> SubjectKey:
    """Return what a row hangs on: its lead, else its company, else its contact; raises ValueError for none."""
    for noun, column in COLUMNS.items():
        if (key := getattr(row, column)) is not None:
            return SubjectKey(noun, key)
    raise ValueError(f"{row!r} hangs on nothing")


def columns(key: SubjectKey) -> dict[str, UUID | None]:
    """Return the three columns of a row that hangs on a subject."""
    return {column: key.id if noun is key.noun else None for noun, column in COLUMNS.items()}


def events(verb: str) -> Mapping[SubjectNoun, type[Event]]:
    """Return the events of a verb: of `commented` these are lead.commented, company.commented, contact.commented."""
    words = "".join(map(str.capitalize, verb.split("_")))
    return {
        noun: type(f"{noun.__name__}{words}", (Event,), {"name": f"{noun._meta.db_table}.{verb}"}) for noun in COLUMNS
    }


def is_seen_by(actor: Actor, subject: Subject) -> bool:
    """Say whether a subject of the actor's workspace, as it was loaded, exists for them."""
    if subject.deleted_at is not None:
        return False
    seen = policy.scope(actor, type(subject))
    return seen.includes(subject.owner_id) if isinstance(subject, Lead) else seen == ALL


def link_of(lead_id: UUID | None) -> str | None:
    """Return where a lead is worked with in the app of whoever runs this server, if they have said where."""
    url = settings().app_url
    if not url or ("{lead}" in url and lead_id is None):
        return None
    return url.replace("{lead}", f"Lead_{lead_id.hex}" if lead_id else "")


async def locked(actor: Actor, key: SubjectKey, *, field: str = "subjectId") -> Subject:
    """Return a subject that exists for the actor, locked until the transaction ends. Raises NotFound."""
    return await policy.locked(actor, key.noun, key.id, field=field)


async def tell(
    events: Mapping[SubjectNoun, type[Event]],
    actor: Actor,
    subject: Subject,
    data: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Record what happened to a locked subject by the event of its noun, with these facts.

    A lead's has its version and its columns besides, the same before and after, as live readers test them.
    """
    event = events[type(subject)]
    if isinstance(subject, Lead):
        await leads.tell(event, actor, subject, data, now=now)
    else:
        await record(event(actor, subject.id, dict(data)), now=now)
