"""Scores of new leads, told with them: what the rules would find a moment later need not be written a second time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.exchange_rates import rates_on
from domain.imports.taking import Taking
from domain.scoring import in_use
from domain.scoring.rules import Rules

if TYPE_CHECKING:
    from domain.scoring.assessing import Assessed

KINDS = "SELECT id, kind FROM source WHERE workspace_id = $1 AND id = ANY($2)"
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Scorer:
    """The rules that ship and what they need besides a lead's row, as it stands while the chunk is taken."""

    now: datetime
    rules: Rules
    kinds: Mapping[UUID | None, str]
    rates: Mapping[str, Decimal]

    def known(
        self,
        *,
        source_id: UUID | None,
        value: Decimal | None,
        currency: str,
        company: str | None,
        has_owner: bool,
        expected_close_date: date | None,
        last_happened_at: datetime,
    ) -> dict[str, Any]:
        """Return what the rules look at of a new lead, which has neither contacts nor needs nor activities yet."""
        rate, due = self.rates.get(currency), expected_close_date
        return {
            "source_kind": self.kinds.get(source_id),
            "value": None if value is None or rate is None else value * rate,
            "company": company,
            "owner": "given" if has_owner else None,
            "close_date_days": due and (due - self.now.astimezone(UTC).date()).days,
            "days_silent": max((self.now - last_happened_at).total_seconds() / SECONDS_A_DAY, 0.0),
            "needs": 0,
        }

    def assess(self, known: Sequence[Mapping[str, Any]]) -> "list[Assessed]":
        """Return what the rules say of new leads."""
        # What computes with many leads at once is brought in by whoever does so, which serves no requests.
        from domain.scoring import assessing

        return assessing.by_rules(self.rules, assessing.known_of(known, (), self.rules.wanted))


async def scorer(taking: Taking, source_ids: Iterable[UUID]) -> Scorer | None:
    """Return what scores the new leads of a chunk that come from these sources.

    None where the workspace has models of its own in use, by which score_leads scores them.
    """
    models = await in_use.models(taking.workspace_id)
    if models.are_own:
        return None
    kinds = await taking.fetch(KINDS, taking.workspace_id, list(source_ids))
    return Scorer(
        taking.now,
        models.rules,
        {row["id"]: row["kind"] for row in kinds},
        await rates_on(taking.workspace_id, taking.now.date()),
    )
