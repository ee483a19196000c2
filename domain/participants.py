"""Who took part in an activity: users, contacts, and others by their name and address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import edits, inputs, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound
from domain.unset import Unset
from models.activities import Activity, ActivityParticipant
from models.contacts import Contact
from models.database import read

MOST_PARTICIPANTS = 50
MEMBERS = "SELECT user_id FROM membership WHERE workspace_id = $1 AND user_id = ANY($2::uuid[])"


class ParticipantUnclear(DomainError):
    """A participant is a user, a contact, or somebody by name or email: name exactly one of these."""


class TooManyParticipants(DomainError):
    """An activity has at most {limit} participants, not {count}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    user_id: UUID | None = None
    contact_id: UUID | None = None
    name: str | None = None
    email: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return it as events keep it."""
        values = {"user": self.user_id, "contact": self.contact_id, "name": self.name, "email": self.email}
        return {name: str(value) for name, value in values.items() if value is not None}


async def check_participants(
    faults: Faults, actor: Actor, given: Sequence[Participant] | Unset, *, had: Sequence[Participant] = ()
) -> list[Participant]:
    """Check participants and return each once; those that it `had` may have left or be gone."""
    if isinstance(given, Unset):
        return []
    if len(given) > MOST_PARTICIPANTS:
        faults.add(TooManyParticipants(limit=MOST_PARTICIPANTS, count=len(given), field="participants"))
        return []
    checked = [_checked(faults, one, field=f"participants.{at}") for at, one in enumerate(given)]
    kept = set(had)
    users = {one.user_id for one in checked if one.user_id and one not in kept}
    contacts = {one.contact_id for one in checked if one.contact_id and one not in kept}
    members = {row["user_id"] for row in await read(MEMBERS, actor.workspace_id, users)} if users else set()
    seen = await _seen(actor, contacts) if contacts else set()
    for at, one in enumerate(checked):
        if one.user_id in users - members:
            faults.add(NotFound(noun="user", field=f"participants.{at}.userId"))
        if one.contact_id in contacts - seen:
            faults.add(NotFound(noun="contact", field=f"participants.{at}.contactId"))
    return list(dict.fromkeys(checked))


def _checked(faults: Faults, one: Participant, *, field: str) -> Participant:
    name = inputs.text(faults, one.name, field=f"{field}.name", limit=inputs.NAME_LIMIT)
    email, _ = inputs.email(faults, one.email, field=f"{field}.email")
    if sum(map(bool, (one.user_id, one.contact_id, name or email))) != 1:
        faults.add(ParticipantUnclear(field=field))
    return Participant(user_id=one.user_id, contact_id=one.contact_id, name=name, email=email)


async def _seen(actor: Actor, keys: set[UUID]) -> set[UUID]:
    found = await policy.visible(actor, Contact).filter(id__in=list(keys), deleted_at=None)
    return {contact.id for contact in found}


async def participants_of(activity_id: UUID) -> list[Participant]:
    """Return who took part in an activity, in the order in which they were named."""
    rows = await ActivityParticipant.filter(activity_id=activity_id).order_by("id")
    return [Participant(user_id=row.user_id, contact_id=row.contact_id, name=row.name, email=row.email) for row in rows]


async def set_participants(
    activity: Activity, wanted: Sequence[Participant], *, had: Sequence[Participant] = ()
) -> None:
    """Write who took part, within the running transaction."""
    if had:
        await get_connection("default").execute_query(
            "DELETE FROM activity_participant WHERE activity_id = $1", [activity.id]
        )
    for one in wanted:
        await edits.insert(
            ActivityParticipant(
                workspace_id=activity.workspace_id,
                activity_id=activity.id,
                user_id=one.user_id,
                contact_id=one.contact_id,
                name=one.name,
                email=one.email,
            )
        )
