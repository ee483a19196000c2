"""Scores of new leads, told with them: what the rules would find a moment later need not be written a second time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import scoring
from domain.exchange_rates import rates_on
from domain.imports.taking import Taking
from domain.scoring import LeadFacts, Score, in_use
from models.catalog import SourceKind

KINDS = "SELECT id, kind FROM source WHERE workspace_id = $1 AND id = ANY($2)"
SETTING = f"SELECT settings ->> '{scoring.TYPICAL_VALUE_SETTING}' AS setting FROM workspace WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Scorer:
    """The rules and what they need besides a lead's row, as it stands while the chunk is taken."""

    now: datetime
    kinds: Mapping[UUID | None, SourceKind]
    rates: Mapping[str, Decimal]
    typical_value: Decimal

    def score(
        self,
        *,
        source_id: UUID | None,
        value: Decimal | None,
        currency: str,
        has_company: bool,
        has_owner: bool,
        expected_close_date: Any,
        last_happened_at: datetime,
    ) -> Score:
        """Return the score of a new lead, which has neither contacts nor needs yet."""
        rate = self.rates.get(currency)
        known = LeadFacts(
            source=self.kinds.get(source_id),
            has_value=value is not None,
            value=None if value is None or rate is None else value * rate,
            typical_value=self.typical_value,
            has_company=has_company,
            has_owner=has_owner,
            expected_close_date=expected_close_date,
            last_happened_at=last_happened_at,
        )
        return scoring.score(known, self.now)


async def scorer(taking: Taking, source_ids: Iterable[UUID]) -> Scorer | None:
    """Return what scores the new leads of a chunk that come from these sources.

    None where the workspace has models of its own in use, by which score_leads scores them.
    """
    if await in_use.exist(taking.workspace_id):
        return None
    kinds = await taking.fetch(KINDS, taking.workspace_id, list(source_ids))
    [workspace] = await taking.fetch(SETTING, taking.workspace_id)
    return Scorer(
        taking.now,
        {row["id"]: SourceKind(row["kind"]) for row in kinds},
        await rates_on(taking.workspace_id, taking.now.date()),
        scoring.typical_value(workspace["setting"]),
    )
