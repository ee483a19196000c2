"""Whose follow-ups are: who may own one, where they live, and when their manager is told."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain import edits, next_steps, subjects, users
from domain.actors import Actor, ActorKind
from domain.errors import DomainError, Faults
from domain.subjects import Subject
from models.companies import Company
from models.database import read
from models.leads import Lead

OWNED = """
SELECT w.time_zone AS home, u.time_zone, m.active, w.settings -> 'followUps' ->> 'escalateAfterHours' AS hours,
       coalesce(w.settings -> 'followUps', '{}') ? 'escalateAfterHours' AS is_set
FROM workspace w
LEFT JOIN membership m ON m.workspace_id = w.id AND m.user_id = $2
LEFT JOIN user_account u ON u.id = m.user_id
WHERE w.id = $1
"""


class OwnerUnseeing(DomainError):
    """This user may not see the {noun}, and so cannot follow up on it."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a follow-up is, where they live, and after how many hours overdue their manager is told."""

    owner_id: UUID | None
    time_zone: str
    escalate_after: timedelta | None


def default_owner(actor: Actor, subject: Subject) -> UUID | None:
    """Return whose a follow-up is where nobody is named."""
    if actor.kind is ActorKind.USER:
        return actor.user_id
    return subject.owner_id if isinstance(subject, Lead | Company) else None


async def owned_by(faults: Faults, actor: Actor, subject: Subject, owner_id: UUID | None) -> Ownership:
    """Check that an owner is an active member who may see the subject, and return whose it is then."""
    if owner_id is not None and owner_id != actor.user_id:
        await _check_owner(faults, actor, subject, owner_id)
    return await ownership(actor.workspace_id, owner_id)


async def _check_owner(faults: Faults, actor: Actor, subject: Subject, owner_id: UUID) -> None:
    found = Faults()
    await edits.owner(found, actor, owner_id, field="ownerId")
    faults.extend(found)
    if any(found):
        return
    people = await users.members(subject.workspace_id, [owner_id])
    if not subjects.is_seen_by(people[owner_id], subject):
        faults.add(OwnerUnseeing(noun=type(subject).__name__.lower(), field="ownerId"))


async def ownership(workspace_id: UUID, owner_id: UUID | None) -> Ownership:
    """Return whose a follow-up is, as it stands."""
    [found] = await read(OWNED, workspace_id, owner_id)
    hours = found["hours"] if found["is_set"] else next_steps.ESCALATE_AFTER_HOURS
    escalate = None if hours is None else timedelta(hours=float(hours))
    return Ownership(owner_id, found["time_zone"] or found["home"], escalate)
