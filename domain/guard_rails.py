"""The seller's guard rails: how far a negotiation may go before somebody has to approve, and where it ends.

Beyond a floor or a highest discount an offer waits for approval. Below the walk-away nobody offers or agrees: who
means it changes the walk-away first.
"""

from collections.abc import Collection, Iterable, Mapping
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
from domain.proposal_locks import Held
from models.leads import Lead
from models.negotiations import Negotiation
from models.proposals import ApprovalKind
from models.selling import SellingSettings
from models.users import Role

# Below these one must not go, and above that.
FLOORS = ("floor_price", "floor_margin", "walk_away")
CEILINGS = ("most_discount",)
RAILS = (*FLOORS, *CEILINGS)
# Who lets offers pass that go beyond them: those who have Action.APPROVE_OFFER, as a test makes sure.
APPROVERS = (Role.ADMIN, Role.MANAGER)


class Rail(StrEnum):
    """What an offer can go beyond."""

    WALK_AWAY = "WALK_AWAY"
    FLOOR_PRICE = "FLOOR_PRICE"
    FLOOR_MARGIN = "FLOOR_MARGIN"
    MOST_DISCOUNT = "MOST_DISCOUNT"
    ROLE_DISCOUNT = "ROLE_DISCOUNT"
    APPROVAL_RULE = "APPROVAL_RULE"


# Those that the negotiation itself has.
OWN = frozenset({Rail.WALK_AWAY, Rail.FLOOR_PRICE, Rail.FLOOR_MARGIN, Rail.MOST_DISCOUNT})


class BelowWalkAway(DomainError):
    """This comes to {net}, below the walk-away of {walk_away}, both net: change that first, or break off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A guard rail that an offer goes beyond: its limit, and what the offer has; None where that is not known.

    Members of its `roles` let an offer pass: nobody does below the walk-away. A ROLE_DISCOUNT is that `of_role`; a
    workspace's rule of approval says in `words` what it is about.
    """

    rail: Rail
    limit: Decimal
    actual: Decimal | None
    roles: tuple[Role, ...] = APPROVERS
    of_role: Role | None = None
    words: str | None = None

    def said(self, currency: str) -> str:
        """Return in words what an offer goes beyond."""
        limit, actual = _plain(self.limit), "" if self.actual is None else _plain(self.actual)
        match self.rail:
            case Rail.WALK_AWAY:
                return f"the walk-away of {limit} {currency} (it comes to {actual} {currency} net)"
            case Rail.FLOOR_PRICE:
                return f"the floor price of {limit} {currency} (it comes to {actual} {currency} net)"
            case Rail.FLOOR_MARGIN:
                own = f"{actual} %" if actual else "not known"
                return f"the floor of the margin, {limit} % (its own is {own})"
            case Rail.MOST_DISCOUNT:
                return f"the highest discount of this negotiation, {limit} % (it gives {actual} %)"
            case Rail.ROLE_DISCOUNT:
                whose = f"the role {self.of_role}" if self.of_role else "the role"
                return f"the highest discount of {whose}, {limit} % (it gives {actual} %)"
        return f"a rule of approval ({self.words})" if self.words else "a rule of approval"


def check_walk_away(negotiation: Negotiation, totals: Totals) -> None:
    """Raise BelowWalkAway where an offer comes to less than the seller would rather leave for."""
    if negotiation.walk_away is not None and totals.net < negotiation.walk_away:
        walk_away = format(negotiation.walk_away.quantize(totals.net), "f")
        currency = negotiation.currency
        raise BelowWalkAway(net=f"{totals.net} {currency}", walk_away=f"{walk_away} {currency}", field="terms")


async def beyond(
    held: Held,
    negotiation: Negotiation,
    basis: Basis,
    terms: Terms,
    *,
    discounts_of: Collection[Role | None],
    now: datetime,
) -> list[Beyond]:
    """Return what an offer goes beyond: the negotiation's rails, the highest discounts of roles, the workspace's rules.

    What the proposal itself goes beyond was approved before it was sent.
    """
    totals = basis.totals(terms)
    found, given = beyond_own(negotiation, totals), totals.reduction_percent
    for role in discounts_of:
        limit = role_discount(held.settings, role)
        if limit is not None and given > limit:
            roles = _may_give(held.settings, given)
            found.append(Beyond(rail=Rail.ROLE_DISCOUNT, limit=limit, actual=given, roles=roles, of_role=role))
    return found + await _beyond_rules(held, basis, terms, now=now)


def beyond_own(negotiation: Negotiation, totals: Totals) -> list[Beyond]:
    """Return which guard rails of the negotiation itself an offer goes beyond."""
    found = []
    if negotiation.walk_away is not None and totals.net < negotiation.walk_away:
        found.append(Beyond(rail=Rail.WALK_AWAY, limit=negotiation.walk_away, actual=totals.net, roles=()))
    if negotiation.floor_price is not None and totals.net < negotiation.floor_price:
        found.append(Beyond(rail=Rail.FLOOR_PRICE, limit=negotiation.floor_price, actual=totals.net))
    margin, floor = totals.margin_percent, negotiation.floor_margin
    if floor is not None and (margin is None or margin < floor):
        found.append(Beyond(rail=Rail.FLOOR_MARGIN, limit=floor, actual=margin))
    highest = negotiation.most_discount
    if highest is not None and totals.reduction_percent > highest:
        found.append(Beyond(rail=Rail.MOST_DISCOUNT, limit=highest, actual=totals.reduction_percent))
    return found


def looked_at_again(negotiation: Negotiation, totals: Totals, found: Iterable[Beyond]) -> list[Beyond]:
    """Return what an offer goes beyond after the negotiation's own rails have changed."""
    return beyond_own(negotiation, totals) + [one for one in found if one.rail not in OWN]


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
            roles=tuple(role for role in APPROVERS if role is Role.ADMIN or role.value in need.rule.roles),
            words=need.words,
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


def _may_give(settings: SellingSettings, discount: Decimal) -> tuple[Role, ...]:
    """Return who lets such a discount pass: admins, and whose own highest is no lower."""

    def may(role: Role) -> bool:
        limit = role_discount(settings, role)
        return role is Role.ADMIN or limit is None or discount <= limit

    return tuple(filter(may, APPROVERS))


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
            "of_role": one.of_role and one.of_role.value,
            "words": one.words,
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
            of_role=Role(one["of_role"]) if one["of_role"] else None,
            words=one["words"],
        )
        for one in told
    ]


def may_pass(actor: Actor, found: list[Beyond], lead: Lead) -> bool:
    """Say whether the actor may let an offer pass that goes beyond these."""
    if found and not policy.may(actor, Action.APPROVE_OFFER, lead):
        return False
    return all(actor.role in one.roles for one in found)


def told(found: Collection[Beyond], currency: str) -> str:
    """Return in words what an offer goes beyond, all of it."""
    return "; ".join(one.said(currency) for one in found)


def approvers(found: Collection[Beyond]) -> str:
    """Return in words members of which role may let an offer pass: of one that may for each of these."""
    able = [role for role in APPROVERS if all(role in one.roles for one in found)]
    return " or ".join(f"a member with the role {role}" if place == 0 else role for place, role in enumerate(able))


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
