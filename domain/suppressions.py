"""Addresses that a workspace sends nothing more to: who unsubscribed, where nobody is, whom somebody named."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from domain.inputs import normalised_email
from models.base import uuid7
from models.database import joined, read
from models.deliveries import SuppressionReason

ADD = """
INSERT INTO suppression (id, workspace_id, email_normalised, kind, reason, note, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (workspace_id, email_normalised, coalesce(kind, '')) DO NOTHING
"""
THOSE_OF = """
SELECT s.workspace_id, s.email_normalised, s.kind, s.reason
FROM unnest($1::uuid[], $2::text[]) AS asked(workspace_id, email)
JOIN suppression s ON s.workspace_id = asked.workspace_id AND s.email_normalised = asked.email
"""
Address = tuple[UUID, str]


async def bounced(workspace_id: UUID, address: str, *, note: str, now: datetime) -> None:
    """Note that there is nobody at an address."""
    reason = SuppressionReason.BOUNCED
    async with joined() as running:
        values = [uuid7(), workspace_id, key_of(address), None, reason.value, note[:1000], now]
        await running.fetch(ADD, values)


async def known(addresses: Iterable[Address]) -> dict[Address, dict[str | None, SuppressionReason]]:
    """Return what of workspaces and addresses, as `key_of` says them, is suppressed: kind (or None for all) and why."""
    asked = sorted(set(addresses), key=str)
    found: dict[Address, dict[str | None, SuppressionReason]] = {}
    for row in await read(THOSE_OF, [one[0] for one in asked], [one[1] for one in asked]):
        reasons = found.setdefault((row["workspace_id"], row["email_normalised"]), {})
        reasons[row["kind"]] = SuppressionReason(row["reason"])
    return found


def key_of(address: str) -> str:
    """Return what two writings of one address have in common."""
    return normalised_email(address) or address.strip().lower()
