"""Addresses that a workspace sends nothing more to: who unsubscribed, where nobody is, whom somebody named."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import inputs, policy, tokens
from domain.actors import Actor, ActorKind
from domain.errors import Faults, Malformed, Required
from domain.events import Event, record
from domain.inputs import normalised_email
from domain.mail_kinds import ACCOUNT, KINDS
from domain.policy import Action
from domain.tokens import InvalidLink, Kind
from models.base import uuid7
from models.database import joined, read, transaction
from models.deliveries import Delivery, Suppression, SuppressionReason
from models.workspaces import Workspace

NOTE_LIMIT = 1_000
# Whoever suppresses an address that is suppressed already changes nothing, but is told of the row that says so. What
# its owner said stands beside what others say, since either may be taken back.
ADD = """
INSERT INTO suppression (id, workspace_id, email_normalised, kind, reason, note, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (workspace_id, email_normalised, coalesce(kind, ''), (reason = 'UNSUBSCRIBED')) DO NOTHING
RETURNING id
"""
THOSE_OF = """
SELECT s.workspace_id, s.email_normalised, s.kind, s.reason
FROM unnest($1::uuid[], $2::text[]) AS asked(workspace_id, email)
JOIN suppression s ON s.workspace_id = asked.workspace_id AND s.email_normalised = asked.email
"""
WHY = {
    SuppressionReason.BOUNCED: "bounced",
    SuppressionReason.COMPLAINED: "complained",
    SuppressionReason.MANUAL: "was suppressed by hand",
    SuppressionReason.UNSUBSCRIBED: "unsubscribed",
}
Address = tuple[UUID, str]
# What is suppressed of an address: which kind (None is all), and why.
Suppressed = frozenset[tuple[str | None, SuppressionReason]]


class AddressSuppressed(Event):
    """Its subject is the suppression."""

    name = "suppression.added"


class SuppressionRemoved(Event):
    """Its subject is the suppression that is gone."""

    name = "suppression.removed"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the link below a mail is about; without a `kind`, all mails of the workspace."""

    email: str
    workspace: Workspace
    kind: str | None
    ended: bool


async def suppress(
    actor: Actor, *, email: str | None, kind: str | None = None, note: str | None = None, now: datetime
) -> Suppression:
    """Send nothing more to an address, or no more mails of one kind; an address that is suppressed stays as it is.

    Raises Forbidden, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_MAIL)
    faults = Faults()
    _, normalised = inputs.email(faults, email, field="email")
    if not email or not email.strip():
        faults.add(Required(field="email"))
    said = inputs.text(faults, note, field="note", limit=NOTE_LIMIT)
    if kind is not None and kind not in KINDS.keys() - ACCOUNT:
        faults.add(Malformed(field="kind", what=f"a kind of mail: {', '.join(KINDS.keys() - ACCOUNT)}"))
    faults.raise_any()
    assert normalised
    async with transaction():
        return await _add(actor, normalised, kind, SuppressionReason.MANUAL, note=said, now=now)


async def remove(actor: Actor, suppression_id: UUID, *, now: datetime) -> UUID:
    """Send to an address again. Raises Forbidden, NotFound."""
    policy.require(actor, Action.MANAGE_MAIL)
    async with transaction():
        row = await policy.locked(actor, Suppression, suppression_id)
        await _remove(actor, row, now=now)
    return row.id


async def bounced(workspace_id: UUID, address: str, *, note: str, now: datetime) -> None:
    """Note that there is nobody at an address."""
    actor = Actor(ActorKind.SYSTEM, workspace_id, task="deliveries")
    async with transaction():
        await _add(actor, key_of(address), None, SuppressionReason.BOUNCED, note=note[:NOTE_LIMIT], now=now)


async def opened(token: str) -> Subscription:
    """Return what the link below a mail is about. Raises InvalidLink."""
    delivery, email = await _sent(token)
    kind = _kind(delivery)
    ended = await _unsubscribed(delivery, email, kind)
    return Subscription(email, await Workspace.get(id=delivery.workspace_id), kind, bool(ended))


async def unsubscribe(token: str, *, now: datetime) -> None:
    """End the mails that the link is below of; once they are ended, nothing happens. Raises InvalidLink.

    A member gets no more of that kind; whoever we sell to, none at all of this workspace.
    """
    delivery, email = await _sent(token)
    async with transaction():
        reason = SuppressionReason.UNSUBSCRIBED
        await _add(_holder(delivery), key_of(email), _kind(delivery), reason, note=None, now=now)


async def resubscribe(token: str, *, now: datetime) -> None:
    """Take an unsubscription back; what others have said of the address stays. Raises InvalidLink."""
    delivery, email = await _sent(token)
    async with transaction():
        for row in await _unsubscribed(delivery, email, _kind(delivery)):
            await _remove(_holder(delivery), row, now=now)


async def known(addresses: Iterable[Address]) -> dict[Address, Suppressed]:
    """Return what of workspaces and addresses, as `key_of` says them, is suppressed."""
    asked = sorted(set(addresses), key=str)
    found: dict[Address, Suppressed] = {}
    for row in await read(THOSE_OF, [one[0] for one in asked], [one[1] for one in asked]):
        key = row["workspace_id"], row["email_normalised"]
        found[key] = found.get(key, frozenset()) | {(row["kind"], SuppressionReason(row["reason"]))}
    return found


def why_not(kind: str, suppressed: Suppressed) -> str | None:
    """Return why a mail of this kind does not go to an address; None where it does.

    Whoever unsubscribed gets what is essential nevertheless, unless they ended that kind itself.
    """
    if KINDS[kind].account:
        return None
    reasons = {
        reason
        for of, reason in suppressed
        if of == kind or (of is None and not (reason is SuppressionReason.UNSUBSCRIBED and KINDS[kind].essential))
    }
    return next((f"This address {WHY[reason]}." for reason in WHY if reason in reasons), None)


def key_of(address: str) -> str:
    """Return what two writings of one address have in common."""
    return normalised_email(address) or address.strip().lower()


async def _sent(token: str) -> tuple[Delivery, str]:
    """Return what a link is below of, and where that went."""
    row = await Delivery.filter(id=tokens.verify(Kind.UNSUBSCRIBE, token)).first()
    if row is None or not row.address or row.kind in ACCOUNT:
        raise InvalidLink(field="token")
    return row, row.address


def _kind(delivery: Delivery) -> str | None:
    return delivery.kind if delivery.user_id else None


def _holder(delivery: Delivery) -> Actor:
    return Actor(ActorKind.LINK, delivery.workspace_id, user_id=delivery.user_id)


async def _unsubscribed(delivery: Delivery, email: str, kind: str | None) -> list[Suppression]:
    return await Suppression.filter(
        workspace_id=delivery.workspace_id,
        email_normalised=key_of(email),
        kind=kind,
        reason=SuppressionReason.UNSUBSCRIBED,
    )


async def _add(
    actor: Actor, email: str, kind: str | None, reason: SuppressionReason, *, note: str | None, now: datetime
) -> Suppression:
    values = [uuid7(), actor.workspace_id, email, kind, reason.value, note, now]
    async with joined() as running:
        added = await running.fetch(ADD, values)
        found = Suppression.filter(workspace_id=actor.workspace_id, email_normalised=email, kind=kind)
        own = SuppressionReason.UNSUBSCRIBED
        row = await (found.filter(reason=own) if reason is own else found.exclude(reason=own)).get()
        if added:
            facts = {"email": email, "kind": kind, "reason": reason}
            await record(AddressSuppressed(actor, row.id, facts), now=now)
    return row


async def _remove(actor: Actor, row: Suppression, *, now: datetime) -> None:
    if await Suppression.filter(id=row.id).delete():
        facts = {"email": row.email_normalised, "kind": row.kind, "reason": row.reason}
        await record(SuppressionRemoved(actor, row.id, facts), now=now)
