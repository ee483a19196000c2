"""What writing new leads and writing changed ones have in common."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import cached_property
from itertools import count
from operator import itemgetter
from uuid import UUID

from tortoise.connection import get_connection

from domain import inputs, ranks
from domain.imports.custom import Custom
from domain.imports.names import Names
from domain.imports.rows import Row
from domain.imports.stages import Place
from models.leads import LeadStatus
from models.stages import Stage, StageKind

MOVES = ("id", "workspace_id", "lead_id", "from_stage_id", "to_stage_id", "user_id", "moved_at", "stayed_seconds")
EARLIEST_RANK = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Looked:
    """What the rows of a chunk name, by their names."""

    companies: Names
    owners: Names
    products: Names
    sources: Names
    campaigns: Names
    lost_reasons: Names

    @cached_property
    def by_field(self) -> tuple[tuple[str, Names], ...]:
        return (
            ("company", self.companies),
            ("owner", self.owners),
            ("product", self.products),
            ("source", self.sources),
            ("campaign", self.campaigns),
            ("lost_reason", self.lost_reasons),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that can be taken, and where it puts its lead."""

    row: Row
    place: Place


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the rows of a file leave unsaid: the base currency, its rates by currency and day, and custom fields."""

    currency: str
    rates: Mapping[str, Sequence[tuple[date, Decimal]]]
    zone: tzinfo
    custom: Custom = field(default_factory=Custom)

    def rate(self, currency: str, closed_at: datetime | None) -> Decimal | None:
        """Return the rate of the day on which a lead was closed."""
        if closed_at is None:
            return None
        if currency == self.currency:
            return Decimal(1)
        known = self.rates.get(currency, ())
        at = bisect_right(known, closed_at.astimezone(self.zone).date(), key=itemgetter(0))
        return known[at - 1][1] if at else None

    def title(self, row: Row) -> str:
        """Return a row's title: the one it gives, else what it is about."""
        values = row.values
        return str(values.get("title") or values.get("company") or values.get("product") or row.external_id)[
            : inputs.NAME_LIMIT
        ]


async def rates(workspace_id: UUID) -> dict[str, list[tuple[date, Decimal]]]:
    """Return all rates of a workspace, by currency, the oldest first."""
    rows = await get_connection("default").execute_query_dict(
        "SELECT currency, valid_on, rate FROM exchange_rate WHERE workspace_id = $1 ORDER BY currency, valid_on",
        [workspace_id],
    )
    known: dict[str, list[tuple[date, Decimal]]] = {}
    for row in rows:
        known.setdefault(row["currency"], []).append((row["valid_on"], row["rate"]))
    return known


class Ranks:
    """Ranks of a chunk's leads: the latest on top, as leads arrive that nobody drags, those of one instant in order."""

    def __init__(self) -> None:
        self._tops: dict[datetime, str] = {}
        self._places = count(1)

    def at(self, instant: datetime) -> str:
        """Return the rank of the next lead, by when it came into its stage."""
        top = self._tops.get(instant)
        if top is None:
            top = self._tops[instant] = ranks.top(max(instant, EARLIEST_RANK))
        return f"{top}{next(self._places):06x}8"


def probability(stage: Stage, status: LeadStatus) -> Decimal:
    """Return how likely a lead is won: certain once it is closed, else what its stage says."""
    if status is LeadStatus.OPEN:
        return stage.probability
    return Decimal(1 if status is LeadStatus.WON else 0)


def level(kind: StageKind, status: LeadStatus) -> int:
    """Return what a lead makes of its company: 2 a customer, 1 a prospect, 0 nothing."""
    if status is LeadStatus.WON:
        return 2
    return int(status is LeadStatus.OPEN and kind is not StageKind.PROSPECT)
