"""What nobody need be reminded of any more: mails and pushes of it that have not gone out yet never do."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from models.database import joined

ENDED = "It is no longer open."

CANCEL = """
UPDATE delivery SET status = 'SKIPPED', reason = $3, ended_at = $4, lease_until = NULL
WHERE about_id IN (SELECT id FROM reminder WHERE workspace_id = $1 AND follow_up_id = ANY($2))
  AND workspace_id = $1 AND status = 'PENDING' AND sending_at IS NULL
"""


async def let_be(workspace_id: UUID, follow_up_ids: Sequence[UUID], *, now: datetime) -> None:
    """Skip what is still to be sent of follow-ups that have ended, within the running transaction."""
    async with joined() as running:
        await running.fetch(CANCEL, [workspace_id, list(follow_up_ids), ENDED, now])
