"""What can be done with activities, in the schema: translate in, translate out."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import strawberry

from domain import activities
from domain.activities import ActivityDetails, NewActivity
from domain.participants import Participant
from domain.unset import UNSET
from models.activities import Activity as ActivityRow
from models.activities import ActivityDirection, ActivityKind
from schema import ids
from schema.activities import Activity
from schema.context import Info
from schema.errors import MutationInput, Payload, UserError, reports_user_errors, user_error
from schema.external_refs import ExternalRefInput, refs
from schema.fields import given, given_id, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null
from schema.scalars import Email

TEXT = "What was said or written, at most 20,000 characters; kept as plain text."


@strawberry.input(description="Who took part: a user, a contact, or somebody else by name, email or both.")
class ActivityParticipantInput:
    user_id: strawberry.ID | None = strawberry.field(default=None, description="The user.")
    contact_id: strawberry.ID | None = strawberry.field(default=None, description="The contact.")
    name: str | None = strawberry.field(default=None, description="The name of somebody else, at most 200 characters.")
    email: Email | None = strawberry.field(default=None, description="The email address of somebody else.")


@strawberry.input(description="What an activity says, where it says anything.")
class ActivityFields:
    type_id: strawberry.ID | None = optional("Which of the workspace's own kinds, where it is CUSTOM.")
    direction: ActivityDirection | None = optional("Who turned to whom.")
    subject: str | None = optional("What it was about, at most 500 characters.")
    text: str | None = optional(TEXT)
    outcome: str | None = optional("What came of it, at most 500 characters.")
    duration_seconds: int | None = optional("How long it took, at most 31 days.")


@strawberry.input(description="An activity on a lead, a company or a contact, or on several of them.")
class NewActivityInput(ActivityFields):
    id: strawberry.ID | None = own_id()
    kind: ActivityKind = strawberry.field(description="What kind of activity it is.")
    lead_id: strawberry.ID | None = strawberry.field(default=None, description="The lead that it is about.")
    company_id: strawberry.ID | None = strawberry.field(default=None, description="The company that it is about.")
    contact_id: strawberry.ID | None = strawberry.field(default=None, description="The contact that it is about.")
    occurred_at: datetime | None = optional("When it happened, which may be long ago; now, if left out.")
    user_id: strawberry.ID | None = optional("Who did it; the viewer, if left out.")
    participants: list[ActivityParticipantInput] | None = optional("Who took part, at most 50.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list,
        description="What other systems call it; one known by one of them is brought up to date instead.",
    )


@strawberry.input(description="An activity to log.")
class LogActivityInput(MutationInput, NewActivityInput):
    pass


@strawberry.input(description="Activities to log at once.")
class LogActivitiesInput(MutationInput):
    activities: list[NewActivityInput] = strawberry.field(description="The activities, at most 500.")


@strawberry.input(description="A change of an activity; what is left out stays as it is, null clears.")
class UpdateActivityInput(MutationInput, ActivityFields):
    id: strawberry.ID = strawberry.field(description="The activity.")
    kind: ActivityKind | None = optional("What kind of activity it is; null changes nothing.")
    occurred_at: datetime | None = optional("When it happened; null changes nothing.")
    user_id: strawberry.ID | None = optional("Who did it; null changes nothing.")
    participants: list[ActivityParticipantInput] | None = optional("All who took part, at most 50; null is nobody.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An activity to delete.")
class DeleteActivityInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The activity.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted activity to bring back.")
class RestoreActivityInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The activity.")


@strawberry.type(description="An activity after a mutation.")
class ActivityPayload(Payload):
    stale_field: ClassVar[str] = "activity"
    activity: Activity | None = strawberry.field(
        default=None, description="The activity; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted activity.")
class DeleteActivityPayload(ActivityPayload):
    deleted_activity_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


@strawberry.type(description="What became of one of many activities.")
class LogActivityResult:
    index: int = strawberry.field(description="Its place in the input, from 0.")
    activity: Activity | None = strawberry.field(description="The activity; null on errors.")
    user_errors: list[UserError] = strawberry.field(
        description="What was refused of it, and why; empty where it was logged."
    )


@strawberry.type(description="Activities after they were logged at once.")
class LogActivitiesPayload(Payload):
    results: list[LogActivityResult] = strawberry.field(
        default_factory=list,
        description="What became of each, in the order of the input; empty where all were refused.",
    )


def _participants(value: Any) -> Any:
    """Return who took part as the domain takes it: null is nobody, and left out it is the domain's own mark."""
    if value is strawberry.UNSET:
        return UNSET
    return [
        Participant(
            user_id=ids.decode_maybe(one.user_id, "User", field="userId"),
            contact_id=ids.decode_maybe(one.contact_id, "Contact", field="contactId"),
            name=one.name,
            email=one.email,
        )
        for one in value or ()
    ]


def _details(input: NewActivityInput | UpdateActivityInput) -> ActivityDetails:
    user_id = unless_null(input.user_id)
    return ActivityDetails(
        kind=unless_null(input.kind),
        type_id=given_id(input.type_id, "ActivityType", field="typeId"),
        direction=given(input.direction),
        outcome=given(input.outcome),
        subject=given(input.subject),
        text=given(input.text),
        duration_seconds=given(input.duration_seconds),
        occurred_at=unless_null(input.occurred_at),
        user_id=UNSET if user_id is UNSET else ids.decode(user_id, "User", field="userId"),
        participants=_participants(input.participants),
    )


def _new(input: NewActivityInput) -> NewActivity:
    return NewActivity(
        details=_details(input),
        id=ids.decode_new(input.id, "Activity"),
        lead_id=ids.decode_maybe(input.lead_id, "Lead", field="leadId"),
        company_id=ids.decode_maybe(input.company_id, "Company", field="companyId"),
        contact_id=ids.decode_maybe(input.contact_id, "Contact", field="contactId"),
        external_refs=refs(input.external_refs),
    )


def _result(index: int, outcome: Any) -> LogActivityResult:
    if isinstance(outcome, ActivityRow):
        return LogActivityResult(index=index, activity=shown(outcome), user_errors=[])
    return LogActivityResult(index=index, activity=None, user_errors=[user_error(fault) for fault in outcome])


@strawberry.type
class ActivityMutations:
    @strawberry.mutation(description="Log an activity on a lead, a company or a contact.")
    @reports_user_errors
    async def log_activity(
        self, info: Info, input: Annotated[LogActivityInput, about("The activity.")]
    ) -> ActivityPayload:
        row = await activities.log(info.context.actor, _new(input), now=info.context.now)
        return ActivityPayload(activity=shown(row))

    @strawberry.mutation(description="Log many activities; each stands for itself, and says what became of it.")
    @reports_user_errors
    async def log_activities(
        self, info: Info, input: Annotated[LogActivitiesInput, about("The activities.")]
    ) -> LogActivitiesPayload:
        news = [_new(one) for one in input.activities]
        outcomes = await activities.log_many(info.context.actor, news, now=info.context.now)
        return LogActivitiesPayload(results=[_result(at, outcome) for at, outcome in enumerate(outcomes)])

    @strawberry.mutation(description="Change an activity; who did or logged it may, and managers.")
    @reports_user_errors
    async def update_activity(
        self, info: Info, input: Annotated[UpdateActivityInput, about("The change.")]
    ) -> ActivityPayload:
        row = await activities.update(
            info.context.actor,
            ids.decode(input.id, "Activity"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ActivityPayload(activity=shown(row))

    @strawberry.mutation(description="Delete an activity; it can be restored.")
    @reports_user_errors
    async def delete_activity(
        self, info: Info, input: Annotated[DeleteActivityInput, about("The activity.")]
    ) -> DeleteActivityPayload:
        row = await activities.delete(
            info.context.actor,
            ids.decode(input.id, "Activity"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteActivityPayload(deleted_activity_id=ids.encode("Activity", row.id))

    @strawberry.mutation(description="Bring a deleted activity back.")
    @reports_user_errors
    async def restore_activity(
        self, info: Info, input: Annotated[RestoreActivityInput, about("The activity.")]
    ) -> ActivityPayload:
        row = await activities.restore(info.context.actor, ids.decode(input.id, "Activity"), now=info.context.now)
        return ActivityPayload(activity=shown(row))
