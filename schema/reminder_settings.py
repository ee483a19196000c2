"""How the viewer is reminded, in the schema."""

from typing import Annotated, ClassVar

import strawberry

from domain import reminder_settings
from domain.reminder_settings import ReminderDetails
from models.reminders import ReminderMail, Weekday
from models.reminders import ReminderSettings as ReminderSettingsRow
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import column, computed, given, noun, optional, shown
from schema.inputs import about, expected_version

described(
    ReminderMail,
    "How somebody is reminded by mail.",
    SINGLE="A mail for each reminder.",
    DIGEST="One mail a day.",
    OFF="None.",
)
described(
    Weekday,
    "A day of the week.",
    MONDAY="Monday.",
    TUESDAY="Tuesday.",
    WEDNESDAY="Wednesday.",
    THURSDAY="Thursday.",
    FRIDAY="Friday.",
    SATURDAY="Saturday.",
    SUNDAY="Sunday.",
)


@noun(
    ReminderSettingsRow,
    description="How the viewer is reminded, beside in the app. Times of day are HH:MM in their own time zone, or else "
    "the workspace's.",
)
class ReminderSettings:
    mail: ReminderMail = column("How by mail; SINGLE at first.")
    digest_at: str = column("When the mail of a day goes out; 08:00 at first.")
    push: bool = column("Whether on their devices; at first, yes.")
    quiet_from: str | None = column("From when mails and pushes wait; null: they never do.")
    quiet_until: str | None = column("Until when they wait, on the next day where it is before quietFrom.")
    quiet_days: list[Weekday] = computed(
        lambda days: [Weekday(day) for day in days],
        "Days on which mails and pushes wait until the next one.",
        needs=("quiet_days",),
    )
    version: int = column("Rises with every edit; 0: as they are at first.")


@strawberry.type
class ReminderSettingsQueries:
    @strawberry.field(description="How the viewer is reminded; null where nobody is signed in.")
    async def reminder_settings(self, info: Info) -> ReminderSettings | None:
        if info.context.actor is None:
            return None
        return shown(  # type: ignore[no-any-return]
            await reminder_settings.mine(info.context.actor, now=info.context.now)
        )


@strawberry.input(description="A change of how the viewer is reminded; what is left out stays, null is as at first.")
class UpdateReminderSettingsInput(MutationInput):
    mail: ReminderMail | None = optional("How by mail.")
    digest_at: str | None = optional("When the mail of a day goes out, as 08:00; quiet hours do not hold it.")
    push: bool | None = optional("Whether on their devices.")
    quiet_from: str | None = optional("From when mails and pushes wait, as 19:00.")
    quiet_until: str | None = optional("Until when they wait, as 07:30.")
    quiet_days: list[Weekday] | None = optional("Days on which mails and pushes wait; not all seven.")
    expected_version: int | None = expected_version()


@strawberry.type(description="How the viewer is reminded after a mutation.")
class ReminderSettingsPayload(Payload):
    stale_field: ClassVar[str] = "reminder_settings"
    reminder_settings: ReminderSettings | None = strawberry.field(
        default=None, description="How; as it is now where the edit was stale, else null on errors."
    )


@strawberry.type
class ReminderSettingsMutations:
    @strawberry.mutation(description="Change how the viewer is reminded, from the next reminder on.")
    @reports_user_errors
    async def update_reminder_settings(
        self, info: Info, input: Annotated[UpdateReminderSettingsInput, about("The change.")]
    ) -> ReminderSettingsPayload:
        row = await reminder_settings.update(
            info.context.actor,
            ReminderDetails(
                mail=given(input.mail),
                digest_at=given(input.digest_at),
                push=given(input.push),
                quiet_from=given(input.quiet_from),
                quiet_until=given(input.quiet_until),
                quiet_days=given(input.quiet_days),
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ReminderSettingsPayload(reminder_settings=shown(row))
