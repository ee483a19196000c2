"""What holds a version of a proposal until somebody approves, by the workspace's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from domain import exchange_rates, proposal_versions
from domain.pricing import Totals
from models import rows
from models.proposals import ApprovalKind, ApprovalRule, ProposalLine, ProposalVersion
from models.workspaces import Workspace

IN_USE = "SELECT {columns} FROM approval_rule WHERE workspace_id = $1 AND archived_at IS NULL ORDER BY created_at, id"
WORDS: Mapping[ApprovalKind, tuple[str, str]] = {
    ApprovalKind.DISCOUNT_OVER: ("a discount of {value} %, over {threshold} %", "a discount that is not known"),
    ApprovalKind.VALUE_OVER: (
        "a value of {value} {currency}, over {threshold} {currency}",
        "a value that is not known in {currency}, for want of an exchange rate",
    ),
    ApprovalKind.MARGIN_UNDER: (
        "a margin of {value} %, under {threshold} %",
        "a margin that is not known, for want of costs",
    ),
}


@dataclass(frozen=True, slots=True)
class NeededApproval:
    """What a rule asks for: `value` is what went beyond its threshold, None where that is not known."""

    rule: ApprovalRule
    value: Decimal | None
    currency: str

    @property
    def reason(self) -> dict[str, Any]:
        return {
            "kind": self.rule.kind.value,
            "threshold": _plain(self.rule.threshold),
            "value": None if self.value is None else _plain(self.value),
            "currency": self.currency,
        }

    @property
    def words(self) -> str:
        return words(self.reason)


def words(reason: Mapping[str, Any]) -> str:
    """Return a reason in words."""
    known, unknown = WORDS[ApprovalKind(reason["kind"])]
    return (unknown if reason["value"] is None else known).format(**reason)


async def of(
    version: ProposalVersion, lines: Sequence[ProposalLine], home: Workspace, *, on: date
) -> list[NeededApproval]:
    """Return what holds a version on a day.

    What the customer can tick is looked at both as it is and as if all of it were chosen. What cannot be told, a
    margin without costs or a value without an exchange rate, needs approval as well.
    """
    rules = await rows.select(ApprovalRule, IN_USE, version.workspace_id)
    if not rules:
        return []
    both = [proposal_versions.totals(version, lines, everything=everything) for everything in (False, True)]
    rate = (await exchange_rates.rates_on(version.workspace_id, on)).get(version.currency)
    found = []
    for rule in rules:
        held, value = beyond(rule, both, rate)
        if held:
            found.append(NeededApproval(rule, value, home.base_currency))
    return found


def beyond(rule: ApprovalRule, both: Sequence[Totals], rate: Decimal | None) -> tuple[bool, Decimal | None]:
    """Say whether one of these sums goes beyond a rule, and the worst value of them; None is one that is not known."""
    if rule.kind is ApprovalKind.MARGIN_UNDER:
        margins = [found.margin_percent for found in both]
        if None in margins:
            return True, None
        least = min(margin for margin in margins if margin is not None)
        return least < rule.threshold, least
    if rule.kind is ApprovalKind.DISCOUNT_OVER:
        most = max(found.reduction_percent for found in both)
        return most > rule.threshold, most
    if rate is None:
        return True, None
    value = max(found.net for found in both) * rate
    return value > rule.threshold, value.quantize(Decimal("0.01"))


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
