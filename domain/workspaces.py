"""Workspaces: how one begins, and what is set for all of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import (
    catalog,
    edits,
    inputs,
    lead_reminders,
    next_steps,
    passwords,
    pipelines,
    policy,
    scoring,
    sessions,
    teams,
)
from domain.actors import ALL, Actor, ActorKind
from domain.errors import AlreadyExists, DomainError, Faults, OutOfRange, Required, Stale
from domain.events import Event, changes, record
from domain.invitations import UserJoined
from domain.lifecycle import SETTING, Rules
from domain.pipelines import Template
from domain.policy import Action
from domain.sessions import SignedIn
from domain.sign_in_attempts import Limit, count
from domain.unset import UNSET, Unset, given
from domain.work_days import FollowUpRules
from models.database import transaction
from models.exchange_rates import ExchangeRate
from models.leads import Lead
from models.users import Membership, Role, User, Visibility
from models.workspaces import Workspace

LONGEST_WINS_WINDOW = 3_650
TYPICAL = scoring.TYPICAL_VALUE_SETTING
SMALLEST_TYPICAL = Decimal("0.0001")


class WorkspaceCreated(Event):
    name = "workspace.created"


class WorkspaceUpdated(Event):
    name = "workspace.updated"


class BaseCurrencyInUse(DomainError):
    """The base currency stays, since leads have values or exchange rates are set in it."""


async def sign_up(
    *,
    workspace_name: str,
    name: str,
    email: str,
    password: str,
    base_currency: str,
    time_zone: str | None = None,
    locale: str | None = None,
    template: Template = Template.B2B,
    address: str | None = None,
    user_agent: str | None = None,
    now: datetime,
) -> SignedIn:
    """Make a workspace with a pipeline from a template, sources and lost reasons, and sign in its first admin.

    Raises AlreadyExists where the email has an account, RateLimited.
    """
    await count(Limit.SIGN_UP_ADDRESS, address, now=now)
    faults = Faults()
    home: dict[str, Any] = {
        "name": inputs.name(faults, workspace_name, field="workspaceName"),
        "base_currency": inputs.currency(faults, base_currency, field="baseCurrency"),
        "time_zone": inputs.time_zone(faults, time_zone, field="timeZone") or "UTC",
        "locale": inputs.language(faults, locale, field="locale") or "en",
    }
    person: dict[str, Any] = {"name": inputs.name(faults, name, field="name")}
    given_email, normalised = inputs.email(faults, email, field="email")
    if given_email is None:
        faults.add(Required(field="email"))
    passwords.check(faults, password, field="password", about=(workspace_name, name, email))
    faults.raise_any()
    if await User.filter(email_normalised=normalised).exists():
        raise AlreadyExists(noun="user", what="email", field="email")
    hashed = await passwords.hashed(password)
    stamps: dict[str, Any] = {"created_at": now, "updated_at": now}
    with edits.collisions("user", {"user_email_idx": "email"}):
        async with transaction():
            user = await User.create(
                email=given_email, email_normalised=normalised, password_hash=hashed, **person, **stamps
            )
            workspace = await Workspace.create(**home, **stamps)
            return await _open(workspace, user, template, user_agent=user_agent, now=now)


async def _open(
    workspace: Workspace, user: User, template: Template, *, user_agent: str | None, now: datetime
) -> SignedIn:
    membership = await Membership.create(workspace_id=workspace.id, user_id=user.id, role=Role.ADMIN, created_at=now)
    actor = Actor(ActorKind.USER, workspace.id, user_id=user.id, role=Role.ADMIN, rows=ALL)
    await record(
        WorkspaceCreated(actor, workspace.id, {"name": workspace.name, "version": workspace.version}),
        UserJoined(actor, user.id, {"invitation": None, "role": Role.ADMIN, "team_id": None}),
        now=now,
    )
    await pipelines.create_default(actor, template=template, now=now)
    await catalog.create_defaults(actor, now=now)
    return await sessions.start(membership, user_agent=user_agent, now=now)


async def update(
    actor: Actor,
    *,
    name: str | Unset = UNSET,
    base_currency: str | Unset = UNSET,
    time_zone: str | Unset = UNSET,
    locale: str | Unset = UNSET,
    wins_window_days: int | Unset = UNSET,
    role_visibility: Mapping[Role, Visibility] | Unset = UNSET,
    lifecycle_rules: Rules | Unset = UNSET,
    first_response_hours: int | Unset | None = UNSET,
    follow_up_rules: FollowUpRules | Unset = UNSET,
    typical_lead_value: Decimal | Unset | None = UNSET,
    expected_version: int | None = None,
    now: datetime,
) -> Workspace:
    """Change what is set for the whole workspace; roles that `role_visibility` does not name stay as they are.

    New `lifecycle_rules` are then applied to all leads. Leads that nobody has answered after `first_response_hours`
    remind their owners; None: none do. By another `typical_lead_value` (None: the usual) all leads are scored anew.
    Raises Forbidden, Stale, BaseCurrencyInUse.
    """
    policy.require(actor, Action.UPDATE_WORKSPACE)
    faults = Faults()
    columns = given(name=name, base_currency=base_currency, time_zone=time_zone, locale=locale)
    if not isinstance(name, Unset):
        columns["name"] = inputs.name(faults, name, field="name")
    if not isinstance(base_currency, Unset):
        columns["base_currency"] = inputs.currency(faults, base_currency, field="baseCurrency")
    if not isinstance(time_zone, Unset):
        columns["time_zone"] = inputs.time_zone(faults, time_zone, field="timeZone") or "UTC"
    if not isinstance(locale, Unset):
        columns["locale"] = inputs.language(faults, locale, field="locale") or "en"
    if not isinstance(wins_window_days, Unset):
        columns["wins_window_days"] = inputs.whole(
            faults, wins_window_days, field="winsWindowDays", least=1, most=LONGEST_WINS_WINDOW
        )
    if not isinstance(lifecycle_rules, Unset):
        lifecycle_rules.check(faults, field="lifecycleRules")
    if not isinstance(first_response_hours, Unset):
        inputs.whole(faults, first_response_hours, field="firstResponseHours", least=1, most=lead_reminders.MOST_HOURS)
    if not isinstance(follow_up_rules, Unset):
        follow_up_rules.check(faults, field="followUpRules")
    if not isinstance(typical_lead_value, Unset) and inputs.money(faults, typical_lead_value, field=TYPICAL) == 0:
        faults.add(OutOfRange(field=TYPICAL, least=SMALLEST_TYPICAL, most=inputs.MOST_MONEY))
    faults.raise_any()
    async with transaction():
        row = await _locked(actor.workspace_id, expected_version=expected_version)
        if not isinstance(role_visibility, Unset):
            chosen = {role.value: seen.value for role, seen in role_visibility.items()}
            columns["role_visibility"] = row.role_visibility | chosen
        if not isinstance(lifecycle_rules, Unset):
            columns["settings"] = row.settings | {SETTING: lifecycle_rules.to_json()}
        if not isinstance(first_response_hours, Unset):
            known: Any = columns.get("settings", row.settings)
            columns["settings"] = known | {lead_reminders.SETTING: first_response_hours}
        if not isinstance(follow_up_rules, Unset):
            settings: dict[str, Any] = columns.get("settings", row.settings)  # type: ignore[assignment]
            columns["settings"] = settings | {next_steps.SETTING: follow_up_rules.to_json()}
        if not isinstance(typical_lead_value, Unset):
            so_far: dict[str, Any] = columns.get("settings", row.settings)  # type: ignore[assignment]
            said = None if typical_lead_value is None else format(typical_lead_value.normalize(), "f")
            columns["settings"] = so_far | {TYPICAL: said}
            if said != row.settings.get(TYPICAL):
                await scoring.schedule_workspace(row.id, now=now)
        changed = changes({column: getattr(row, column) for column in columns}, columns)
        if "base_currency" in changed and await _has_values(row.id):
            raise BaseCurrencyInUse(field="baseCurrency")
        if changed:
            await edits.write(row, columns | {"version": row.version + 1, "updated_at": now})
            if "role_visibility" in changed:
                await teams.memberships_change(row.id)
            facts: dict[str, Any] = {"changes": changed, "version": row.version}
            await record(WorkspaceUpdated(actor, row.id, facts), now=now)
    return row


async def _locked(workspace_id: UUID, *, expected_version: int | None) -> Workspace:
    # A full lock, which rows that are just being added to the workspace hold off: a lead that gets its value
    # while the base currency changes is seen.
    row = await Workspace.filter(id=workspace_id).select_for_update().get()
    if expected_version is not None and row.version != expected_version:
        stale = Stale(noun="workspace", version=row.version, expected=expected_version)
        stale.current = row
        raise stale
    return row


async def _has_values(workspace_id: UUID) -> bool:
    return (
        await Lead.filter(workspace_id=workspace_id, value__isnull=False).exists()
        or await ExchangeRate.filter(workspace_id=workspace_id).exists()
    )
