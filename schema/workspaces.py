"""The workspace in the schema: how one begins, and what is set for all of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, cast

import strawberry

from domain import lead_reminders, policy, workspaces
from domain.lifecycle import Rules, Threshold
from domain.next_steps import ESCALATE_AFTER_HOURS
from domain.pipelines import Template
from domain.scoring.default_model import TYPICAL_VALUE_SETTING, typical_value
from domain.unset import UNSET
from domain.work_days import WEEKEND
from domain.work_days import FollowUpRules as FollowUpRulesValue
from models.reminders import Weekday
from models.users import Role, Visibility
from models.workspaces import Workspace as WorkspaceRow
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import column, computed, given, noun, optional, shown
from schema.inputs import expected_version
from schema.nodes import Node
from schema.scalars import CurrencyCode, Email, LanguageTag, TimeZone
from schema.sessions import SignedInPayload, signed_in


@strawberry.type(description="Which leads exist for the members of a role.")
class RoleVisibility:
    role: Role = strawberry.field(description="The role.")
    visibility: Visibility = strawberry.field(description="Which leads its members see.")


@strawberry.input(description="Which leads exist for the members of a role.")
class RoleVisibilityInput:
    role: Role = strawberry.field(description="The role.")
    visibility: Visibility = strawberry.field(description="Which leads its members see.")


def role_visibility(chosen: dict[str, str]) -> list[RoleVisibility]:
    """Return what every role sees, chosen or by default."""
    return [
        RoleVisibility(role=role, visibility=Visibility(chosen.get(role.value, default)))
        for role, default in policy.DEFAULT_VISIBILITY.items()
    ]


@strawberry.type(description="What makes a lead reach a level; with neither of the two, nothing does.")
class LifecycleThreshold:
    score: int | None = strawberry.field(description="The least score.")
    criteria: int | None = strawberry.field(
        description="How many criteria must be answered in a way that speaks for the lead."
    )


@strawberry.type(description="What makes leads MQL and SQL, besides the answers that criteria require for it.")
class LifecycleRules:
    mql: LifecycleThreshold = strawberry.field(description="For MQL.")
    sql: LifecycleThreshold = strawberry.field(description="For SQL.")


@strawberry.input(description="What makes a lead reach a level; with neither of the two, nothing does.")
class LifecycleThresholdInput:
    score: int | None = strawberry.field(default=None, description="The least score, 0 to 100.")
    criteria: int | None = strawberry.field(
        default=None,
        description="How many criteria must be answered in a way that speaks for the lead: 1 to 50.",
    )


@strawberry.input(description="What makes leads MQL and SQL, besides the answers that criteria require for it.")
class LifecycleRulesInput:
    mql: LifecycleThresholdInput | None = strawberry.field(
        default=None, description="For MQL; left out, leads become so by hand only."
    )
    sql: LifecycleThresholdInput | None = strawberry.field(
        default=None, description="For SQL; left out, leads become so by hand only."
    )


def lifecycle_rules(settings: dict[str, Any]) -> LifecycleRules:
    """Return what makes leads MQL and SQL from a workspace's settings."""
    rules = Rules.parse(settings)
    mql, sql = (LifecycleThreshold(score=each.score, criteria=each.criteria) for each in (rules.mql, rules.sql))
    return LifecycleRules(mql=mql, sql=sql)


def rules_of(given: LifecycleRulesInput | None) -> Rules:
    """Return what makes leads MQL and SQL as the domain takes it; None is nothing."""
    levels = (given.mql, given.sql) if given else (None, None)
    return Rules(*(Threshold(each.score, each.criteria) if each else Threshold() for each in levels))


@strawberry.type(description="What is set for follow-ups.")
class FollowUpRules:
    days_off: list[Weekday] = strawberry.field(description="The days of the week on which nobody works.")
    escalate_after_hours: int | None = strawberry.field(
        description="How many hours after it was due a manager is told of an open follow-up; null: never."
    )


@strawberry.input(description="What to set for follow-ups.")
class FollowUpRulesInput:
    days_off: list[Weekday] = strawberry.field(
        default_factory=lambda: list(WEEKEND),
        description="The days of the week on which nobody works, at most six; Saturday and Sunday if left out.",
    )
    escalate_after_hours: int | None = strawberry.field(
        default=ESCALATE_AFTER_HOURS,
        description="How many hours after it was due a manager is told of an open follow-up; 24 if left out, null: "
        "never.",
    )


def follow_up_rules(settings: dict[str, Any]) -> FollowUpRules:
    """Return what a workspace's settings say of follow-ups."""
    rules = FollowUpRulesValue.parse(settings)
    return FollowUpRules(days_off=list(rules.days_off), escalate_after_hours=rules.escalate_after_hours)


def follow_up_rules_of(given: FollowUpRulesInput | None) -> FollowUpRulesValue:
    """Return what to set for follow-ups as the domain takes it; None is what is usual."""
    return FollowUpRulesValue(tuple(given.days_off), given.escalate_after_hours) if given else FollowUpRulesValue()


@noun(WorkspaceRow, description="A company that sells, and the border of everything it owns.")
class Workspace(Node):
    name: str = column("What it is called.")
    base_currency: CurrencyCode = column("The currency in which sums over leads are given.")
    time_zone: TimeZone = column("The time zone of its days and months, unless a user has their own.")
    locale: LanguageTag = column("The language of its mails and documents, unless a user has their own.")
    wins_window_days: int = column("How many days a won lead counts in its stage.")
    role_visibility: list[RoleVisibility] = computed(
        role_visibility, "Which leads exist for each role.", needs=("role_visibility",)
    )
    lifecycle_rules: LifecycleRules = computed(lifecycle_rules, "What makes leads MQL and SQL.", needs=("settings",))
    first_response_hours: int | None = computed(
        lambda settings: settings.get(lead_reminders.SETTING),
        "Within how many hours somebody is to answer a captured lead; who owns one that is late is reminded. Null: "
        "nobody is.",
        needs=("settings",),
    )
    follow_up_rules: FollowUpRules = computed(follow_up_rules, "What is set for follow-ups.", needs=("settings",))
    typical_lead_value: Decimal = computed(
        lambda settings: typical_value(settings.get(TYPICAL_VALUE_SETTING)),
        "What a lead is usually worth, in the base currency: the rules that ship score values against it.",
        needs=("settings",),
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")


@strawberry.type
class WorkspaceQueries:
    @strawberry.field(description="The workspace that is signed in to.")
    async def workspace(self, info: Info) -> Workspace | None:
        return shown(await WorkspaceRow.get_or_none(id=info.context.actor.workspace_id))  # type: ignore[no-any-return]


@strawberry.input(description="A new workspace and its first admin.")
class SignUpInput(MutationInput):
    workspace_name: str = strawberry.field(description="What the workspace is called.")
    name: str = strawberry.field(description="What the admin is called.")
    email: Email = strawberry.field(description="The address that the admin signs in with.")
    password: str = strawberry.field(description="At least 10 characters, and not easily guessed.")
    base_currency: CurrencyCode = strawberry.field(description="The currency in which sums over leads are given.")
    time_zone: TimeZone | None = strawberry.field(
        default=None, description="The workspace's time zone; UTC if left out."
    )
    locale: LanguageTag | None = strawberry.field(default=None, description="The workspace's language; en if left out.")
    pipeline_template: Template = strawberry.field(
        default=Template.B2B, description="The kind of business that the first pipeline is made for."
    )


@strawberry.type(description="The signed-in first admin of a new workspace.")
class SignUpPayload(SignedInPayload):
    pass


@strawberry.input(description="What is to change for the whole workspace; what is left out stays.")
class UpdateWorkspaceInput(MutationInput):
    name: str | None = optional("What it is called.")
    base_currency: CurrencyCode | None = optional(
        "The currency in which sums are given; it stays once a lead has a value or a rate is set."
    )
    time_zone: TimeZone | None = optional("The time zone; null is UTC.")
    locale: LanguageTag | None = optional("The language; null is en.")
    wins_window_days: int | None = optional("How many days a won lead counts in its stage: 1 to 3650.")
    role_visibility: list[RoleVisibilityInput] | None = optional(
        "Which leads exist for these roles; other roles stay as they are."
    )
    lifecycle_rules: LifecycleRulesInput | None = optional(
        "What makes leads MQL and SQL, in place of what did; applied to all leads soon after. Null: nothing does."
    )
    first_response_hours: int | None = optional(
        "Within how many hours somebody is to answer a captured lead, 1 to 8760; null: nobody is reminded."
    )
    follow_up_rules: FollowUpRulesInput | None = optional(
        "What is set for follow-ups, in place of what was; null: what is usual."
    )
    typical_lead_value: Decimal | None = optional(
        "What a lead is usually worth, in the base currency, more than 0; leads are then scored anew. Null: 10000."
    )
    expected_version: int | None = expected_version()


@strawberry.type(description="The changed workspace.")
class UpdateWorkspacePayload(Payload):
    stale_field: ClassVar[str] = "workspace"
    workspace: Workspace | None = strawberry.field(default=None, description="The workspace as it is now.")


@strawberry.type
class WorkspaceMutations:
    @strawberry.mutation(description="Make a workspace with a first pipeline, sources and lost reasons, and sign in.")
    @reports_user_errors
    async def sign_up(self, info: Info, input: Given[SignUpInput]) -> SignUpPayload:
        result = await workspaces.sign_up(
            workspace_name=input.workspace_name,
            name=input.name,
            email=input.email,
            password=input.password,
            base_currency=input.base_currency,
            time_zone=input.time_zone,
            locale=input.locale,
            template=input.pipeline_template,
            address=info.context.address,
            user_agent=info.context.user_agent,
            now=info.context.now,
        )
        return await signed_in(SignUpPayload, result, info)

    @strawberry.mutation(description="Change what is set for the whole workspace.")
    @reports_user_errors
    async def update_workspace(self, info: Info, input: Given[UpdateWorkspaceInput]) -> UpdateWorkspacePayload:
        chosen = given(input.role_visibility)
        row = await workspaces.update(
            info.context.actor,
            name=given(input.name),
            base_currency=given(input.base_currency),
            time_zone=given(input.time_zone),
            locale=given(input.locale),
            wins_window_days=UNSET if input.wins_window_days is None else given(input.wins_window_days),
            role_visibility=chosen
            if chosen is UNSET
            else {entry.role: entry.visibility for entry in cast(list[RoleVisibilityInput], chosen or [])},
            lifecycle_rules=UNSET if given(input.lifecycle_rules) is UNSET else rules_of(input.lifecycle_rules),
            first_response_hours=given(input.first_response_hours),
            follow_up_rules=UNSET
            if given(input.follow_up_rules) is UNSET
            else follow_up_rules_of(input.follow_up_rules),
            typical_lead_value=given(input.typical_lead_value),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return UpdateWorkspacePayload(workspace=shown(row))
