"""What follows from a sale: the lead moves, customers are mailed, and reminded of what they have not answered."""

from uuid import UUID

from domain import sale_mails, sale_reminders, stage_following
from models.events import Event
from workers.jobs import Job, task


@task()
async def follow_sale(job: Job) -> None:
    """Move, value or win the lead that the job's event is about; each event is followed once."""
    async with job.finishing():
        for event_id in job.event_ids:
            await stage_following.follow(job.workspace, event_id, now=job.now)


@task()
async def mail_customer(job: Job) -> None:
    """Have the customer mailed of the job's event; a mail is known by its event and sent once."""
    async with job.finishing():
        for event_id in job.event_ids:
            await sale_mails.mail(job.workspace, event_id, now=job.now)


@task()
async def plan_validity_reminder(job: Job) -> None:
    """Have the customer reminded before what was sent expires; each version has one such job."""
    async with job.finishing():
        for event_id in job.event_ids:
            await sale_reminders.plan_validity(job.workspace, event_id, now=job.now)


@task()
async def remind_of_validity(job: Job) -> None:
    """Tell that a version soon expires; done once, since the event and the mark are one transaction."""
    keys = UUID(job.arguments["proposal_id"]), UUID(job.arguments["version_id"])
    async with job.finishing():
        await sale_reminders.remind_of_validity(job.workspace, *keys, now=job.now)


@task()
async def begin_payment_reminders(job: Job) -> None:
    """Remind of an invoice that has become overdue for the first time."""
    async with job.finishing():
        for event in await Event.filter(id__in=job.event_ids):
            await sale_reminders.remind_of_payment(job.workspace, UUID(event.data["invoice_id"]), 1, now=job.now)


@task()
async def remind_of_payment(job: Job) -> None:
    """Remind of an overdue invoice once more; each time has a job of its own."""
    invoice_id, number = UUID(job.arguments["invoice_id"]), int(job.arguments["number"])
    async with job.finishing():
        await sale_reminders.remind_of_payment(job.workspace, invoice_id, number, now=job.now)
