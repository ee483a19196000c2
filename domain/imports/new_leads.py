"""New leads of a chunk, with their history and their events, by COPY."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from domain import events, scoring
from domain.closings import LeadClosed
from domain.imports import scores
from domain.imports.custom import dump
from domain.imports.keys import new_key
from domain.imports.lead_rows import MOVES, Looked, Ranks, Sheet, Wanted, level, probability
from domain.imports.scores import Scorer
from domain.imports.taking import Taking
from domain.leads import LeadCaptured
from models.leads import LeadStatus, Lifecycle
from models.stages import Stage

if TYPE_CHECKING:
    from domain.scoring.assessing import Assessed

COLUMNS = (
    "id", "workspace_id", "version", "created_at", "updated_at", "title", "description", "pipeline_id", "stage_id",
    "rank", "status", "lifecycle", "value", "currency", "closing_rate", "probability", "score", "grade", "engagement",
    "score_factors", "scored_at", "owner_id", "company_id", "product_id", "source_id", "campaign_id", "lost_reason_id",
    "close_note", "expected_close_date", "term_ends_on", "engaged_at", "stage_entered_at", "closed_at", "custom",
)  # fmt: skip
Record = tuple[Any, ...]
UNSCORED: Record = (None, None, None, "[]", None)
# Tasks that no imported lead asks for: it has its score, people are told of the whole import, and its sale is history.
DONE = (scoring.TASK, "notify", "dispatch_surveys", "lay_out_plans")
DONE_UNSCORED = DONE[1:]


async def create(taking: Taking, sheet: Sheet, wanted: Sequence[Wanted], looked: Looked) -> None:
    """Write new leads: each entered a stage when it was engaged, and left it on the day of its closing.

    Open ones are scored at once, so that `lead.captured` asks for no task of it; but for those of workspaces with
    models of their own, which score many leads at once, a moment later.
    """
    if not wanted:
        return
    keys = [new_key() for _ in wanted]
    scorer = await scores.scorer(taking, looked.sources.keys.values())
    # Python makes ready what PostgreSQL takes next: the leads with the references, their history with the leads.
    making = asyncio.create_task(asyncio.to_thread(_leads, keys, wanted, taking, sheet, looked, scorer))
    try:
        await taking.refer(zip((each.row for each in wanted), keys, strict=True))
    finally:
        leads = await making
    history = asyncio.create_task(asyncio.to_thread(_history, leads))
    try:
        await taking.copy("lead", COLUMNS, (lead.record() for lead in leads))
    finally:
        moves = await history
    await taking.copy("stage_transition", MOVES, moves)
    taking.created += len(leads)


def _leads(
    keys: Sequence[UUID], wanted: Sequence[Wanted], taking: Taking, sheet: Sheet, looked: Looked, scorer: Scorer | None
) -> list["_New"]:
    ranks = Ranks()
    made = [_New(key, each, taking, sheet, looked, ranks, scorer) for key, each in zip(keys, wanted, strict=True)]
    if scorer and (opened := [lead for lead in made if lead.place.status is LeadStatus.OPEN]):
        for lead, score in zip(opened, scorer.assess([lead.known(scorer) for lead in opened]), strict=True):
            lead.score = score
    return made


def _history(leads: Sequence["_New"]) -> list[Record]:
    """Tell of new leads, and return their moves."""
    moves: list[Record] = []
    for lead in leads:
        moves += lead.moves()
        lead.tell()
    return moves


class _New:
    """A new lead, as a row says it."""

    __slots__ = (
        "_sheet", "_taking", "campaign_id", "closed_at", "company_id", "created_at", "currency", "done", "entered_at",
        "key", "lost_reason_id", "owner_id", "place", "product_id", "rank", "row", "score", "source_id", "value",
    )  # fmt: skip

    def __init__(
        self,
        key: UUID,
        wanted: Wanted,
        taking: Taking,
        sheet: Sheet,
        looked: Looked,
        ranks: Ranks,
        scorer: Scorer | None,
    ) -> None:
        self._taking, self._sheet = taking, sheet
        self.key, self.row, self.place = key, wanted.row, wanted.place
        values = wanted.row.values
        self.created_at: datetime = values.get("created_at") or taking.began_at
        self.closed_at: datetime | None = None if self.place.status is LeadStatus.OPEN else values.get("closed_at")
        self.entered_at: datetime = values.get("engaged_at") or self.created_at
        if self.closed_at and self.entered_at > self.closed_at:
            self.entered_at = self.closed_at
        self.rank = ranks.at(self.closed_at or self.entered_at)
        self.value: Decimal | None = values.get("value")
        self.currency: str = values.get("currency") or sheet.currency
        self.owner_id = looked.owners.key(values.get("owner"))
        self.company_id = looked.companies.key(values.get("company"))
        self.product_id = looked.products.key(values.get("product"))
        self.source_id = looked.sources.key(values.get("source"))
        self.campaign_id = looked.campaigns.key(values.get("campaign"))
        self.lost_reason_id = looked.lost_reasons.key(values.get("lost_reason"))
        self.score: Assessed | None = None
        self.done = DONE if scorer or self.place.status is not LeadStatus.OPEN else DONE_UNSCORED

    def known(self, scorer: Scorer) -> dict[str, Any]:
        """Return what rules look at."""
        return scorer.known(
            source_id=self.source_id,
            value=self.value,
            currency=self.currency,
            company=self.row.values.get("company") if self.company_id else None,
            has_owner=self.owner_id is not None,
            expected_close_date=self.row.values.get("expected_close_date"),
            last_happened_at=self.entered_at,
        )

    @property
    def moved_at(self) -> datetime:
        """When it came into the stage in which it stands now."""
        return self.closed_at if self.closed_at and self.place.stage is not self.place.opened_in else self.entered_at

    def record(self) -> Record:
        """Return the row of the lead's table."""
        values, place, taking = self.row.values, self.place, self._taking
        lost, score = place.status is LeadStatus.LOST, self.score
        scored = UNSCORED
        if score:
            scored = (score.score, score.grade.value, score.engagement, score.factors_json, taking.now)
        return (
            self.key, taking.workspace_id, 1, self.created_at, taking.now, self._sheet.title(self.row),
            values.get("description"), place.stage.pipeline_id, place.stage.id, self.rank, place.status.value,
            (values.get("lifecycle") or Lifecycle.RAW).value, self.value, self.currency,
            self._sheet.rate(self.currency, self.closed_at), probability(place.stage, place.status), *scored,
            self.owner_id, self.company_id, self.product_id, self.source_id, self.campaign_id,
            self.lost_reason_id if lost else None, values.get("close_note"), values.get("expected_close_date"),
            values.get("term_ends_on"), values.get("engaged_at"), self.moved_at, self.closed_at,
            dump(self._sheet.custom.column(self.row)),
        )  # fmt: skip

    def moves(self) -> list[Record]:
        """Return the history: into the stage where it was open, and out of it when it was won."""
        taking, opened, stage = self._taking, self.place.opened_in, self.place.stage
        by = taking.actor.user_id
        entered = (new_key(), taking.workspace_id, self.key, None, opened.id, by, self.entered_at, None)
        if self.closed_at is None or stage is opened:
            return [entered]
        stayed = int((self.closed_at - self.entered_at).total_seconds())
        return [
            entered,
            (new_key(), taking.workspace_id, self.key, opened.id, stage.id, by, self.closed_at, stayed),
        ]

    def tell(self) -> None:
        """Tell how the lead came and, where it has ended, that it did, each at its time."""
        stage, opened, status = self.place.stage, self.place.opened_in, self.place.status
        # It stands in two events, and is written once.
        as_open = orjson.Fragment(events.dump(self._live(opened, LeadStatus.OPEN)))
        captured = {
            "version": 1,
            "before": None,
            "after": as_open,
            "changes": dict[str, Any](),
            "tasks_done": self.done,
        }
        self._taking.happened(LeadCaptured, self.key, captured, at=self.entered_at)
        if self.closed_at is None:
            return
        changes: dict[str, Any] = {"status": [LeadStatus.OPEN, status], "closed_at": [None, self.closed_at]}
        if stage is not opened:
            changes["stage_id"] = [opened.id, stage.id]
        closed = {
            "version": 1,
            "before": as_open,
            "after": self._live(stage, status),
            "changes": changes,
            "tasks_done": DONE,
        }
        self._taking.happened(LeadClosed, self.key, closed, at=self.closed_at)

    def _live(self, stage: Stage, status: LeadStatus) -> dict[str, Any]:
        """Return what domain.leads.live_columns would of the lead, which has no tags yet."""
        return {
            "pipeline_id": stage.pipeline_id,
            "stage_id": stage.id,
            "rank": self.rank,
            "status": status,
            "owner_id": self.owner_id,
            "value": None if self.value is None else format(self.value.normalize(), "f"),
            "currency": self.currency,
            "score": self.score.score if self.score else None,
            "tag_ids": [],
            "closed_at": None if status is LeadStatus.OPEN or self.closed_at is None else self.closed_at.isoformat(),
            "deleted": False,
        }


RAISED = """
SELECT id FROM company WHERE workspace_id = $1 AND (
    (id = ANY($2) AND relationship <> 'CUSTOMER') OR (id = ANY($3) AND relationship IN ('LEAD', 'FORMER'))
)
"""


async def raised(taking: Taking, wanted: Sequence[Wanted], looked: Looked) -> set[UUID]:
    """Return the companies that new leads make more than they were.

    New leads never make them less, so that those that are customers already, and whose leads may be a million,
    need not be looked at again with every chunk.
    """
    by_level: dict[int, set[UUID]] = {0: set(), 1: set(), 2: set()}
    for each in wanted:
        key = looked.companies.key(each.row.values.get("company"))
        if key is not None:
            by_level[level(each.place.stage.kind, each.place.status)].add(key)
    rows = await taking.fetch(RAISED, taking.workspace_id, list(by_level[2]), list(by_level[1]))
    return {row["id"] for row in rows}
