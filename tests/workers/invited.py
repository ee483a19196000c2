"""Mails by the hundred, which workers deliver: invitations, since they need nothing but a row each."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain import deliveries
from domain.actors import Actor
from domain.deliveries import Message
from models.base import uuid7
from models.deliveries import Channel
from models.sessions import Invitation
from models.users import Role


async def invite(admin: Actor, *addresses: str, kind: str = "invitation", now: datetime | None = None) -> list[UUID]:
    """Have an invitation sent to every address; return the deliveries."""
    now = now or datetime.now(UTC)
    rows = [
        Invitation(
            id=uuid7(),
            workspace_id=admin.workspace_id,
            email=address,
            email_normalised=f"{uuid7()}@example.com",
            role=Role.REP,
            expires_at=now + timedelta(days=14),
            created_at=now,
        )
        for address in addresses
    ]
    await Invitation.bulk_create(rows)
    messages = [
        Message(Channel.MAIL, kind, occasion=f"test:{row.id}", due_at=now, address=row.email, about_id=row.id)
        for row in rows
    ]
    made = await deliveries.enqueue(admin.workspace_id, messages, now=now)
    return [key for key in made if key]
