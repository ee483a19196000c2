"""How two versions of a proposal differ, in the schema."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
import strawberry

from domain import events, proposal_diffs
from domain.proposal_diffs import Difference
from models import rows as rows_of
from models.proposals import ProposalLine as ProposalLineRow
from models.proposals import ProposalVersion as ProposalVersionRow
from schema.amounts import money
from schema.context import Info
from schema.enums import described
from schema.events import Change, event_changes
from schema.scalars import Money

VERSIONS = """
SELECT {columns} FROM proposal_version v
WHERE v.workspace_id = $1 AND v.proposal_id = ANY($2::uuid[])
"""
LINES = """
SELECT {columns} FROM proposal_line WHERE workspace_id = $1 AND version_id = ANY($2::uuid[]) ORDER BY position, id
"""

described(
    Difference,
    "What became of a line from one version to another.",
    ADDED="It is new.",
    REMOVED="It is gone.",
    CHANGED="It says something else.",
)


@strawberry.type(description="What became of a line.")
class ProposalLineDifference:
    kind: Difference = strawberry.field(description="Whether it is new, gone or changed.")
    key: str = strawberry.field(description="What the line is known by in both versions.")
    name: str = strawberry.field(description="What it is now, or was.")
    changes: list[Change] = strawberry.field(description="What of it differs.")
    amount_difference: Money = strawberry.field(description="How much more it adds to the subtotal.")


@strawberry.type(description="How a version of a proposal differs from another.")
class ProposalDiff:
    from_number: int = strawberry.field(description="The number of the one.")
    to_number: int = strawberry.field(description="The number of the other.")
    changes: list[Change] = strawberry.field(description="What differs beside the lines.")
    lines: list[ProposalLineDifference] = strawberry.field(
        description="The lines that differ: those of the later version in its order, then those that are gone."
    )
    reordered: bool = strawberry.field(description="Whether the lines of both stand in another order.")
    net_difference: Money = strawberry.field(description="How much more it comes to without tax.")
    tax_difference: Money = strawberry.field(description="How much more tax there is.")
    total_difference: Money = strawberry.field(description="How much more it comes to with tax.")


def _public(changed: Mapping[str, Any]) -> list[Change]:
    """Return what differs as the API shows changes of records: keys as global ids, amounts as strings."""
    told = dict(changed)
    if "sections" in told:
        shown = ("heading", "text", "need", "difference")
        told["sections"] = [[{name: one.get(name) for name in shown} for one in side] for side in told["sections"]]
    return event_changes({"changes": orjson.loads(events.dump(told))})


def _diff(found: proposal_diffs.Diff) -> ProposalDiff:
    currency = found.after.currency
    return ProposalDiff(
        from_number=found.before.number,
        to_number=found.after.number,
        changes=_public(found.changes),
        lines=[
            ProposalLineDifference(
                kind=one.kind,
                key=str(one.key),
                name=one.name,
                changes=_public(one.changes),
                amount_difference=money(one.amount, currency),
            )
            for one in found.lines
        ],
        reordered=found.reordered,
        **{f"{name}_difference": money(found.more(name), currency) for name in ("net", "tax", "total")},
    )


From = Annotated[
    int | None,
    strawberry.argument(name="from", description="The number of the one version; null: that before the other."),
]
To = Annotated[int | None, strawberry.argument(description="The number of the other version; null: the newest.")]


async def diffs(rows: list[Any], info: Info, from_: From = None, to: To = None) -> Sequence[ProposalDiff | None]:
    """Return how two versions of each of these proposals differ; null where it has not both."""
    actor = info.context.actor
    assert actor
    found: dict[UUID, dict[int, ProposalVersionRow]] = {}
    versions = await rows_of.select(ProposalVersionRow, VERSIONS, actor.workspace_id, [row.id for row in rows])
    for version in versions:
        found.setdefault(version.proposal_id, {})[version.number] = version
    pairs = [_pair(found.get(row.id, {}), from_, to) for row in rows]
    wanted = list({version.id for pair in pairs if pair for version in pair})
    lines: dict[UUID, list[ProposalLineRow]] = {}
    for line in await rows_of.select(ProposalLineRow, LINES, actor.workspace_id, wanted) if wanted else ():
        lines.setdefault(line.version_id, []).append(line)
    return [
        pair
        and _diff(
            proposal_diffs.diff(*pair, lines_before=lines.get(pair[0].id, []), lines_after=lines.get(pair[1].id, []))
        )
        for pair in pairs
    ]


def _pair(
    known: Mapping[int, ProposalVersionRow], from_: int | None, to: int | None
) -> tuple[ProposalVersionRow, ProposalVersionRow] | None:
    after = max(known, default=0) if to is None else to
    before = after - 1 if from_ is None else from_
    return (known[before], known[after]) if before in known and after in known else None
