"""What can be done with follow-ups, in the schema: translate in, translate out."""

from datetime import date, datetime
from typing import Annotated, ClassVar

import strawberry

from domain import follow_ups
from domain.follow_up_details import FollowUpDetails
from models.follow_ups import FollowUpKind, Priority
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, given_id, optional, shown
from schema.follow_ups import FollowUp
from schema.inputs import about, expected_version, own_id, unless_null
from schema.subjects import subject


@strawberry.input(description="What people say of a follow-up.")
class FollowUpFields(MutationInput):
    note: str | None = optional("More about it, at most 20,000 characters.")
    priority: Priority | None = optional("How much it matters; NORMAL at first, null changes nothing.")
    due_at: datetime | None = optional("When it is due, at an instant; this or dueOn.")
    due_on: date | None = optional("The day on which it is due, where its owner lives; this or dueAt.")
    remind_minutes_before: int | None = optional(
        "How many minutes before it is due, or of a day before nine in the morning, to remind its owner; null: never. "
        "At first 15 for a meeting at an instant, else 0."
    )
    owner_id: strawberry.ID | None = optional(
        "Who is to do it: an active member who may see what it is for; the viewer at first, null is nobody."
    )
    recurrence: str | None = optional(
        "How it recurs: by RFC 5545, with FREQ (DAILY, WEEKLY, MONTHLY or YEARLY), INTERVAL, COUNT, UNTIL, BYDAY, "
        "BYMONTHDAY, BYMONTH, BYSETPOS and WKST. The next one is laid out when this one is done or cancelled. Of one "
        "that recurs, another rule counts from this one on, and null ends the series with it."
    )


@strawberry.input(description="A follow-up to plan.")
class CreateFollowUpInput(FollowUpFields):
    id: strawberry.ID | None = own_id()
    subject_id: strawberry.ID = strawberry.field(description="The lead, company or contact that it is for.")
    kind: FollowUpKind = strawberry.field(description="What is to be done.")
    title: str = strawberry.field(description="What it is, at most 200 characters.")


@strawberry.input(description="A change of an open follow-up; what is left out stays as it is, null clears.")
class UpdateFollowUpInput(FollowUpFields):
    id: strawberry.ID = strawberry.field(description="The follow-up.")
    kind: FollowUpKind | None = optional("What is to be done; null changes nothing.")
    title: str | None = optional("What it is, at most 200 characters.")
    following: bool = strawberry.field(
        default=False, description="Whether those that follow in its series change as well, or this one only."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A follow-up that is done.")
class CompleteFollowUpInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The follow-up.")
    outcome: str | None = strawberry.field(default=None, description="How it went, at most 20,000 characters.")
    log_activity: bool = strawberry.field(
        default=False, description="Whether to log it as an activity: a call, a mail, a meeting or, of a to-do, a note."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A follow-up that is not to be done any more.")
class CancelFollowUpInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The follow-up.")
    reason: str | None = strawberry.field(default=None, description="Why, at most 20,000 characters.")
    end_series: bool = strawberry.field(
        default=False, description="Whether its series ends with it; else what recurs goes on with the next one."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A follow-up to be reminded of later.")
class SnoozeFollowUpInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The follow-up.")
    until: datetime = strawberry.field(description="When to remind of it; when it is due stays as it is.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A follow-up that was done or cancelled, to open again.")
class ReopenFollowUpInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The follow-up.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A follow-up after a mutation.")
class FollowUpPayload(Payload):
    stale_field: ClassVar[str] = "follow_up"
    follow_up: FollowUp | None = strawberry.field(
        default=None, description="The follow-up; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A follow-up that has ended.")
class EndFollowUpPayload(FollowUpPayload):
    next: FollowUp | None = strawberry.field(
        default=None, description="What was laid out after it in its series; null where nothing was."
    )


def _details(input: CreateFollowUpInput | UpdateFollowUpInput) -> FollowUpDetails:
    return FollowUpDetails(
        kind=unless_null(input.kind),
        title=given(input.title),
        note=given(input.note),
        priority=unless_null(input.priority),
        due_at=unless_null(input.due_at),
        due_on=unless_null(input.due_on),
        remind_minutes_before=given(input.remind_minutes_before),
        owner_id=given_id(input.owner_id, "User", field="ownerId"),
        recurrence=given(input.recurrence),
    )


@strawberry.type
class FollowUpMutations:
    @strawberry.mutation(description="Plan what is to be done next for a lead, a company or a contact.")
    @reports_user_errors
    async def create_follow_up(
        self, info: Info, input: Annotated[CreateFollowUpInput, about("The follow-up.")]
    ) -> FollowUpPayload:
        row = await follow_ups.create(
            info.context.actor,
            subject(input.subject_id),
            _details(input),
            id=ids.decode_new(input.id, "FollowUp"),
            now=info.context.now,
        )
        return FollowUpPayload(follow_up=shown(row))

    @strawberry.mutation(description="Change an open follow-up.")
    @reports_user_errors
    async def update_follow_up(
        self, info: Info, input: Annotated[UpdateFollowUpInput, about("The change.")]
    ) -> FollowUpPayload:
        row = await follow_ups.update(
            info.context.actor,
            ids.decode(input.id, "FollowUp"),
            _details(input),
            following=input.following,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return FollowUpPayload(follow_up=shown(row))

    @strawberry.mutation(description="Note that a follow-up is done, and how it went.")
    @reports_user_errors
    async def complete_follow_up(
        self, info: Info, input: Annotated[CompleteFollowUpInput, about("What is done.")]
    ) -> EndFollowUpPayload:
        row = await follow_ups.complete(
            info.context.actor,
            ids.decode(input.id, "FollowUp"),
            outcome=input.outcome,
            log_activity=input.log_activity,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return EndFollowUpPayload(follow_up=shown(row), next=shown(row.next))

    @strawberry.mutation(description="Let a follow-up be.")
    @reports_user_errors
    async def cancel_follow_up(
        self, info: Info, input: Annotated[CancelFollowUpInput, about("What is cancelled.")]
    ) -> EndFollowUpPayload:
        row = await follow_ups.cancel(
            info.context.actor,
            ids.decode(input.id, "FollowUp"),
            reason=input.reason,
            end_series=input.end_series,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return EndFollowUpPayload(follow_up=shown(row), next=shown(row.next))

    @strawberry.mutation(description="Be reminded of a follow-up at another time.")
    @reports_user_errors
    async def snooze_follow_up(
        self, info: Info, input: Annotated[SnoozeFollowUpInput, about("Until when.")]
    ) -> FollowUpPayload:
        row = await follow_ups.snooze(
            info.context.actor,
            ids.decode(input.id, "FollowUp"),
            input.until,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return FollowUpPayload(follow_up=shown(row))

    @strawberry.mutation(description="Open a follow-up again that was done or cancelled.")
    @reports_user_errors
    async def reopen_follow_up(
        self, info: Info, input: Annotated[ReopenFollowUpInput, about("The follow-up.")]
    ) -> FollowUpPayload:
        row = await follow_ups.reopen(
            info.context.actor,
            ids.decode(input.id, "FollowUp"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return FollowUpPayload(follow_up=shown(row))
