"""What is due is a row with an instant: the one page of what looks for it, in every worker, once a second.

A sweep claims one batch by FOR UPDATE SKIP LOCKED, so that any number of workers share the work, and says how many
rows it took.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from domain import due_invoices, lead_reminders, proposal_expiry, reminders, sale_reminders, survey_dispatches
from workers import deliveries

SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """`run` takes one batch of what is due at an instant and returns how many rows it took."""

    name: str
    run: Callable[[datetime], Awaitable[int]]


SWEEPS: tuple[Sweep, ...] = (
    Sweep("account mails", deliveries.sweep_account_mails),
    Sweep("reminders", reminders.remind_of_due),
    Sweep("escalations", reminders.escalate_overdue),
    Sweep("leads to remind of", lead_reminders.remind_of_leads),
    Sweep("surveys", survey_dispatches.sweep),
    Sweep("invoices", due_invoices.sweep),
    Sweep("proposals", proposal_expiry.expire_due),
    Sweep("negotiations", sale_reminders.tell_overdue_negotiations),
    Sweep("deliveries", deliveries.sweep),
)


async def drain(sweep: Sweep) -> None:
    """Run a sweep until there is nothing due any more."""
    while await sweep.run(datetime.now(UTC)):
        pass
