"""Mails that follow from what happened, each known by its job's id: sent twice, it is the same mail."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from adapters import mail
from adapters.mail import MailRefused, Recipient
from domain import tokens
from domain.tokens import Kind
from models.events import Event
from models.sessions import Invitation, PasswordReset
from models.users import User
from models.workspaces import Workspace
from settings import settings
from workers.jobs import GiveUp, Job, task

# With pauses that double, the last attempt comes about two hours after the first.
ATTEMPTS = 13


@task(max_attempts=ATTEMPTS)
async def send_invitation(job: Job) -> None:
    """Send the link of an invitation, unless it was answered or withdrawn meanwhile."""
    for invitation_id in job.subject_ids:
        row = await Invitation.get_or_none(id=invitation_id)
        if row and not (row.accepted_at or row.revoked_at or row.expires_at <= job.now):
            workspace = await Workspace.get(id=row.workspace_id)
            inviter = await User.get_or_none(id=row.invited_by_id) if row.invited_by_id else None
            facts = {
                "workspace": workspace.name,
                "inviter": inviter.name if inviter else workspace.name,
                "role": row.role.value.lower(),
                "expires_at": row.expires_at,
            } | _link("accept-invitation", Kind.INVITATION, row.id)
            await _send(Recipient(row.email), "invitation", facts, key=job.id, now=job.now)
    async with job.finishing():
        pass


@task(max_attempts=ATTEMPTS)
async def send_password_reset(job: Job) -> None:
    """Send the link that sets a new password, unless it was used or has ended meanwhile."""
    for event in await Event.filter(id__in=job.event_ids):
        row = await PasswordReset.get_or_none(id=UUID(event.data["password_reset"]))
        user = await User.get_or_none(id=event.subject_id)
        if row and user and user.email and row.used_at is None and row.expires_at > job.now:
            facts = {"name": user.name, "expires_at": row.expires_at} | _link(
                "reset-password", Kind.PASSWORD_RESET, row.id
            )
            await _send(Recipient(user.email, user.name), "password_reset", facts, key=job.id, now=job.now)
    async with job.finishing():
        pass


def _link(page: str, kind: Kind, key: UUID) -> dict[str, str]:
    token = tokens.sign(kind, key)
    return {"token": token, "link": f"{settings().public_url.rstrip('/')}/{page}?{urlencode({'token': token})}"}


async def _send(to: Recipient, template: str, facts: dict[str, Any], *, key: UUID, now: datetime) -> None:
    try:
        await mail.send(mail.compose(to, mail.render(template, **facts), key=key, now=now))
    except MailRefused as refused:
        raise GiveUp(str(refused)) from refused
