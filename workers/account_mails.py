"""Mails that people wait for at a screen: invitations and new passwords."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from domain import tokens
from domain.tokens import Kind
from models.sessions import Invitation, PasswordReset
from models.users import User
from models.workspaces import Workspace
from settings import settings
from workers.messages import Composed, Due, Letter, Skip


async def compose_invitations(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose the links of invitations that were neither answered nor withdrawn meanwhile."""
    invitations = await Invitation.in_bulk([row.about_id for row in rows if row.about_id], "id")
    inviters = await User.in_bulk([one.invited_by_id for one in invitations.values() if one.invited_by_id], "id")
    workspaces = await Workspace.in_bulk({row.workspace_id for row in rows}, "id")
    made: dict[UUID, Any] = {}
    for row in rows:
        found = invitations.get(row.about_id) if row.about_id else None
        if found is None or found.accepted_at or found.revoked_at or found.expires_at <= now:
            made[row.id] = Skip("The invitation was accepted or withdrawn, or is too old.")
            continue
        workspace = workspaces[row.workspace_id]
        inviter = inviters.get(found.invited_by_id) if found.invited_by_id else None
        facts = {
            "workspace": workspace.name,
            "inviter": inviter.name if inviter else workspace.name,
            "role": found.role.value.lower(),
            "expires_at": found.expires_at,
        } | _link("accept-invitation", Kind.INVITATION, found.id)
        zone = (inviter and inviter.time_zone) or workspace.time_zone
        made[row.id] = Letter(found.email, facts, languages=[workspace.locale], time_zone=zone)
    return made


async def compose_password_resets(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose the links that set a new password, unless they were used or have ended meanwhile."""
    resets = await PasswordReset.in_bulk([row.about_id for row in rows if row.about_id], "id")
    users = await User.in_bulk([row.user_id for row in rows if row.user_id], "id")
    workspaces = await Workspace.in_bulk({row.workspace_id for row in rows}, "id")
    made: dict[UUID, Any] = {}
    for row in rows:
        found = resets.get(row.about_id) if row.about_id else None
        user, workspace = users.get(row.user_id) if row.user_id else None, workspaces[row.workspace_id]
        if found is None or user is None or not user.email or found.used_at or found.expires_at <= now:
            made[row.id] = Skip("The link was used already, or is too old.")
            continue
        facts = {"workspace": workspace.name, "name": user.name, "expires_at": found.expires_at}
        facts |= _link("reset-password", Kind.PASSWORD_RESET, found.id)
        languages, zone = [user.locale, workspace.locale], user.time_zone or workspace.time_zone
        made[row.id] = Letter(user.email, facts, name=user.name, languages=languages, time_zone=zone)
    return made


def _link(page: str, kind: Kind, key: UUID) -> dict[str, str]:
    token = tokens.sign(kind, key)
    return {"token": token, "link": f"{settings().public_url.rstrip('/')}/{page}?{urlencode({'token': token})}"}
