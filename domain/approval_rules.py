"""Rules of approval: what holds a proposal until members of the named roles approve."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, inputs, locks, policy, removals
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, Required
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.database import transaction
from models.proposals import ApprovalKind, ApprovalRule
from models.users import Role

MOST_RULES = 50
UNIQUE = {"approval_rule_pkey": "id"}


class ApprovalRuleCreated(Event):
    name = "approval_rule.created"


class ApprovalRuleUpdated(Event):
    name = "approval_rule.updated"


class ApprovalRuleArchived(Event):
    name = "approval_rule.archived"


class ApprovalRuleRestored(Event):
    name = "approval_rule.restored"


class TooManyRules(DomainError):
    """A workspace has at most {limit} rules of approval in use: archive some first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDetails:
    """What people say of a rule; what is UNSET is left as it is."""

    kind: ApprovalKind | Unset = UNSET
    threshold: Decimal | Unset | None = UNSET
    roles: Collection[Role] | Unset = UNSET


async def create(actor: Actor, details: RuleDetails, *, id: UUID | None = None, now: datetime) -> ApprovalRule:
    """Add a rule, which holds what is sent from now on. Raises Forbidden, AlreadyExists, TooManyRules, and faults."""
    policy.require(actor, Action.MANAGE_SELLING)
    faults = Faults()
    key = edits.new_id(faults, id)
    for name in ("kind", "threshold", "roles"):
        if getattr(details, name) is UNSET:
            faults.add(Required(field=name))
    columns = _checked(faults, details, details.kind)
    faults.raise_any()
    with edits.collisions("approval rule", UNIQUE):
        async with transaction():
            await _forbid_more(actor, but=key)
            row = ApprovalRule(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await edits.insert(row)
            await record(ApprovalRuleCreated(actor, row.id, edits.facts(row, columns)), now=now)
    return row


async def update(
    actor: Actor, rule_id: UUID, details: RuleDetails, *, expected_version: int | None = None, now: datetime
) -> ApprovalRule:
    """Change a rule; what waits for approval by it goes on waiting for those whom it named.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, and faults.
    """
    faults = Faults()
    async with transaction():
        row = await policy.locked(actor, ApprovalRule, rule_id, expected_version=expected_version)
        policy.require(actor, Action.MANAGE_SELLING, row)
        if row.archived_at is not None:
            raise Conflict(reason="This rule is archived: restore it first.")
        columns = _checked(faults, details, row.kind if isinstance(details.kind, Unset) else details.kind, row)
        faults.raise_any()
        if changed := await edits.apply(row, columns, now=now):
            facts = {"changes": changed, "version": row.version}
            await record(ApprovalRuleUpdated(actor, row.id, facts), now=now)
    return row


async def archive(actor: Actor, rule_id: UUID, *, expected_version: int | None = None, now: datetime) -> ApprovalRule:
    """Hold nothing by a rule any more; what waits goes on waiting. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        ApprovalRuleArchived,
        actor,
        Action.MANAGE_SELLING,
        ApprovalRule,
        rule_id,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, rule_id: UUID, *, now: datetime) -> ApprovalRule:
    """Bring an archived rule back. Raises NotFound, Forbidden, TooManyRules."""
    async with transaction():
        await _forbid_more(actor, but=rule_id)
        return await removals.restore(
            ApprovalRuleRestored,
            actor,
            Action.MANAGE_SELLING,
            ApprovalRule,
            rule_id,
            column="archived_at",
            unique=UNIQUE,
            now=now,
        )


def _checked(
    faults: Faults, details: RuleDetails, kind: ApprovalKind | Unset, row: ApprovalRule | None = None
) -> dict[str, Any]:
    columns: dict[str, Any] = {} if isinstance(details.kind, Unset) else {"kind": details.kind}
    threshold = row.threshold if row and details.threshold is UNSET else details.threshold
    if threshold is None:
        faults.add(Required(field="threshold"))
    elif not isinstance(threshold, Unset):
        is_money = kind is ApprovalKind.VALUE_OVER
        check = inputs.money if is_money else inputs.percent
        columns["threshold"] = check(faults, threshold, field="threshold")
    if not isinstance(details.roles, Unset):
        columns["roles"] = [role.value for role in Role if role in details.roles]
        if not columns["roles"]:
            faults.add(Required(field="roles"))
    return columns


async def _forbid_more(actor: Actor, *, but: UUID) -> None:
    await locks.hold(actor.workspace_id, "approval_rule")
    used = ApprovalRule.filter(workspace_id=actor.workspace_id, archived_at=None).exclude(id=but)
    if await used.count() >= MOST_RULES:
        raise TooManyRules(limit=MOST_RULES)
