"""The end of a proposal's validity: what is not answered by its last valid day expires."""

from datetime import datetime

from domain import edits, leads, negotiation_ends, proposal_states, proposal_versions
from domain.actors import system
from domain.events import Event
from domain.proposal_locks import Held, hold
from domain.proposal_states import OPEN, Move
from models.database import read, transaction
from models.negotiations import NegotiationEnding

SWEPT_AT_ONCE = 200
DUE = """
SELECT p.id, p.workspace_id FROM proposal p JOIN lead ON lead.id = p.lead_id
WHERE p.due_at <= $1 AND p.deleted_at IS NULL AND lead.deleted_at IS NULL ORDER BY p.due_at LIMIT $2
"""


class ProposalExpired(Event):
    name = "proposal.expired"
    subject_type = "lead"


async def expire_due(now: datetime, *, limit: int = SWEPT_AT_ONCE) -> int:
    """Let proposals expire whose last valid day is past, and return how many were looked at; for a sweep.

    Several may run at once: each proposal is looked at again once it is locked.
    """
    due = await read(DUE, now, limit)
    for row in due:
        async with transaction():
            held = await hold(row["workspace_id"], row["id"])
            if held is None or held.proposal.due_at is None or held.proposal.due_at > now:
                continue
            await _expire(held, now=now)
    return len(due)


async def _expire(held: Held, *, now: datetime) -> None:
    version = await proposal_versions.sent(held.proposal)
    if version is None or version.state not in OPEN:
        await edits.write(held.proposal, {"due_at": None})
        return
    actor = system(held.proposal.workspace_id, task="expire_proposals")
    await proposal_states.move(actor, held.proposal, version, Move.EXPIRE, now=now)
    held.version = version
    await leads.tell(ProposalExpired, actor, held.lead, held.facts(), now=now)
    ending = NegotiationEnding.PROPOSAL_EXPIRED
    await negotiation_ends.end_with(actor, held.lead, held.proposal, ending, by=None, now=now)
