"""The seller's guard rails: how far a negotiation may go before somebody has to approve, and where it ends.

Beyond a floor or a highest discount an offer waits for approval. Below the walk-away nobody offers or agrees: who
means it changes the walk-away first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain import approval_needs, local_times, policy
from domain.actors import Actor
from domain.approval_needs import NeededApproval
from domain.errors import DomainError
from domain.offer_terms import Basis, Terms
from domain.policy import Action
from domain.pricing import Totals
from domain.proposals import Held
from models.leads import Lead
from models.negotiations import Negotiation
from models.proposals import ApprovalKind
from models.selling import SellingSettings
from models.users import Role

# Below these one must not go, and above that.
FLOORS = ("floor_price", "floor_margin", "walk_away")
CEILINGS = ("most_discount",)
RAILS = (*FLOORS, *CEILINGS)


class Rail(StrEnum):
    """What an offer can go beyond."""

    FLOOR_PRICE = "FLOOR_PRICE"
    FLOOR_MARGIN = "FLOOR_MARGIN"
    MOST_DISCOUNT = "MOST_DISCOUNT"
    ROLE_DISCOUNT = "ROLE_DISCOUNT"
    APPROVAL_RULE = "APPROVAL_RULE"


class BelowWalkAway(DomainError):
    """This comes to {net}, which is below the walk-away of {walk_away}: change that first, or break off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A guard rail that an offer goes beyond: its limit, and what the offer has; None where that is not known.

    Beyond a workspace's rule of approval only members of its `roles`, and admins, let an offer pass.
    """

    rail: Rail
    limit: Decimal
    actual: Decimal | None
    roles: tuple[Role, ...] = ()


def check_walk_away(negotiation: Negotiation, totals: Totals) -> None:
    """Raise BelowWalkAway where an offer comes to less than the seller would rather leave for."""
    if negotiation.walk_away is not None and totals.net < negotiation.walk_away:
        walk_away = format(negotiation.walk_away.quantize(totals.net), "f")
        raise BelowWalkAway(net=totals.net, walk_away=walk_away, field="terms")


async def beyond(
    held: Held, negotiation: Negotiation, basis: Basis, terms: Terms, *, role: Role | None, now: datetime
) -> list[Beyond]:
    """Return what an offer goes beyond: the negotiation's rails, what its maker's role may give, the workspace's rules.

    What the proposal itself goes beyond was approved before it was sent.
    """
    totals = basis.totals(terms)
    found = beyond_own(negotiation, totals)
    limit = role_discount(held.settings, role)
    if limit is not None and totals.reduction_percent > limit:
        found.append(Beyond(rail=Rail.ROLE_DISCOUNT, limit=limit, actual=totals.reduction_percent))
    return found + await _beyond_rules(held, basis, terms, now=now)


def beyond_own(negotiation: Negotiation, totals: Totals) -> list[Beyond]:
    """Return which guard rails of the negotiation itself an offer goes beyond."""
    found = []
    if negotiation.floor_price is not None and totals.net < negotiation.floor_price:
        found.append(Beyond(rail=Rail.FLOOR_PRICE, limit=negotiation.floor_price, actual=totals.net))
    margin, floor = totals.margin_percent, negotiation.floor_margin
    if floor is not None and (margin is None or margin < floor):
        found.append(Beyond(rail=Rail.FLOOR_MARGIN, limit=floor, actual=margin))
    highest = negotiation.most_discount
    if highest is not None and totals.reduction_percent > highest:
        found.append(Beyond(rail=Rail.MOST_DISCOUNT, limit=highest, actual=totals.reduction_percent))
    return found


async def _beyond_rules(held: Held, basis: Basis, terms: Terms, *, now: datetime) -> list[Beyond]:
    columns, lines = basis.drawn_up(terms)
    version = basis.version.clone()
    version.update_from_dict(columns)
    today = local_times.day_of(now, held.home.time_zone)
    needs = await approval_needs.of(version, lines, held.home, on=today)
    if not needs:
        return []
    before = await approval_needs.of(basis.version, basis.lines, held.home, on=today)
    approved = {need.rule.id: need.value for need in before}
    return [
        Beyond(
            rail=Rail.APPROVAL_RULE,
            limit=need.rule.threshold,
            actual=need.value,
            roles=tuple(Role(role) for role in need.rule.roles),
        )
        for need in needs
        if need.rule.id not in approved or _is_worse(need, approved[need.rule.id])
    ]


def _is_worse(need: NeededApproval, before: Decimal | None) -> bool:
    if need.value is None or before is None:
        return need.value is not before
    return need.value < before if need.rule.kind is ApprovalKind.MARGIN_UNDER else need.value > before


def role_discount(settings: SellingSettings, role: Role | None) -> Decimal | None:
    """Return the highest discount of an offer that a role may make, in percent; None where there is none."""
    limit = settings.most_discount.get(role.value) if role else None
    return None if limit is None else Decimal(limit)


def is_looser(before: Negotiation, columns: Mapping[str, Any]) -> bool:
    """Say whether columns would let offers pass that the guard rails hold."""

    def lower(name: str) -> bool:
        was, becomes = getattr(before, name), columns.get(name)
        if was is None:
            return False
        return becomes is None or (becomes < was if name in FLOORS else becomes > was)

    return any(lower(name) for name in RAILS if name in columns)


def dump(found: list[Beyond]) -> list[dict[str, Any]]:
    """Return what is beyond as an offer keeps it."""
    return [
        {
            "rail": one.rail.value,
            "limit": _plain(one.limit),
            "actual": None if one.actual is None else _plain(one.actual),
            "roles": [role.value for role in one.roles],
        }
        for one in found
    ]


def load(told: list[dict[str, Any]]) -> list[Beyond]:
    """Return what is beyond as it was kept."""
    return [
        Beyond(
            rail=Rail(one["rail"]),
            limit=Decimal(one["limit"]),
            actual=None if one["actual"] is None else Decimal(one["actual"]),
            roles=tuple(Role(role) for role in one["roles"]),
        )
        for one in told
    ]


def may_pass(actor: Actor, found: list[Beyond], lead: Lead) -> bool:
    """Say whether the actor may let an offer pass that goes beyond these; admins may for every role."""
    if found and not policy.may(actor, Action.APPROVE_OFFER, lead):
        return False
    return actor.role is Role.ADMIN or all(not one.roles or actor.role in one.roles for one in found)


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
