"""How two versions of a proposal differ, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import pricing, proposal_lines
from domain.proposal_versions import SAID
from models.proposals import ProposalLine, ProposalVersion


class Difference(StrEnum):
    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class LineDifference:
    """What became of a line: `changes` has each column that differs, from and to; `amount` is how much more it is."""

    kind: Difference
    key: UUID
    name: str
    changes: dict[str, list[Any]]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Diff:
    """How a version differs from another; amounts are how much more it comes to."""

    before: ProposalVersion
    after: ProposalVersion
    changes: dict[str, list[Any]]
    lines: tuple[LineDifference, ...]
    reordered: bool

    def more(self, name: str) -> Decimal:
        """Return how much more an amount is."""
        amount: Decimal = getattr(self.after, name) - getattr(self.before, name)
        return amount


def diff(
    before: ProposalVersion,
    after: ProposalVersion,
    *,
    lines_before: Sequence[ProposalLine],
    lines_after: Sequence[ProposalLine],
) -> Diff:
    """Return how two versions of a proposal differ, line by line: first those of the later one, then what is gone."""
    old, new = ({line.key: line for line in lines} for lines in (lines_before, lines_after))
    found = [_line(old.get(line.key), line) for line in lines_after]
    found += [_line(line, None) for line in lines_before if line.key not in new]
    kept_before = [line.key for line in lines_before if line.key in new]
    kept_after = [line.key for line in lines_after if line.key in old]
    changed = {
        name: [getattr(before, name), getattr(after, name)]
        for name in SAID
        if getattr(before, name) != getattr(after, name)
    }
    return Diff(before, after, changed, tuple(filter(None, found)), kept_before != kept_after)


def _line(before: ProposalLine | None, after: ProposalLine | None) -> LineDifference | None:
    line = after or before
    assert line
    names = (*proposal_lines.SAID, "amount")
    was, becomes = ({name: getattr(row, name) for name in names} if row else {} for row in (before, after))
    changed = {name: [was.get(name), becomes.get(name)] for name in names if was.get(name) != becomes.get(name)}
    if not changed:
        return None
    kind = Difference.CHANGED if before and after else Difference.ADDED if after else Difference.REMOVED
    return LineDifference(kind, line.key, line.name, changed, counted(after) - counted(before))


def counted(line: ProposalLine | None) -> Decimal:
    """Return what a line adds to the subtotal: nothing where it is an option that is not chosen."""
    return line.amount if line is not None and (line.chosen or not line.optional) else pricing.ZERO
