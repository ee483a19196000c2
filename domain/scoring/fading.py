"""Which leads a night has to look at: those whose score may have changed by the mere passing of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.scoring import fields, in_use
from domain.scoring.default_model import default_model
from domain.scoring.in_use import InUse
from domain.scoring.rules import Rules
from domain.scoring.scheduling import PAGE, SCORED, schedule
from models.database import read

OWN = "SELECT DISTINCT workspace_id FROM score_model WHERE active AND archived_at IS NULL"
BORN = "least(lead.created_at, lead.engaged_at, lead.first_activity_at)"
SCORED_ON = "(lead.scored_at AT TIME ZONE 'UTC')::date"
TODAY = "($3::timestamptz AT TIME ZONE 'UTC')::date"
# What passes a border as time goes by ($4 to $7), fades ($8), is still young to a model ($9), or has a rate of today.
FADED = f"""
SELECT id, workspace_id FROM lead
WHERE {SCORED} AND id > $1 AND {{whose}} AND (
    lead.scored_at IS NULL
    OR EXISTS (
        SELECT FROM unnest($4::float8[]) AS days, LATERAL (
            SELECT greatest(lead.last_activity_at, lead.stage_entered_at, {BORN}) + days * interval '1 day'
        ) AS turn(at)
        WHERE turn.at > lead.scored_at AND turn.at <= $3
    )
    OR EXISTS (
        SELECT FROM unnest($5::float8[]) AS days
        WHERE lead.expected_close_date - {SCORED_ON} >= days AND lead.expected_close_date - {TODAY} < days
    )
    OR (lead.last_activity_at IS NOT NULL AND EXISTS (
        SELECT FROM unnest($6::text[], $7::float8[]) AS lately(kind, days)
        JOIN activity ON activity.workspace_id = lead.workspace_id AND activity.lead_id = lead.id
            AND activity.deleted_at IS NULL AND lately.kind IN (activity.kind, 'activities')
            AND activity.occurred_at > lead.scored_at - days * interval '1 day'
            AND activity.occurred_at <= $3 - days * interval '1 day'
    ))
    OR (lead.last_activity_at IS NOT NULL AND $8)
    OR lead.scored_at < {BORN} + $9::interval
    OR ($10 AND date_part('year', {SCORED_ON}) < date_part('year', {TODAY}))
    OR EXISTS (
        SELECT FROM exchange_rate
        WHERE exchange_rate.workspace_id = lead.workspace_id AND (exchange_rate.currency = lead.currency OR $11)
          AND valid_on > {SCORED_ON} AND valid_on <= {TODAY}
    )
)
ORDER BY id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Fading:
    """How time alone changes what models say: the days at which something passes a border, and what always fades."""

    silent: tuple[float, ...] = ()
    due: tuple[float, ...] = ()
    lately: tuple[tuple[str, float], ...] = ()
    activities: bool = False
    young: timedelta = timedelta(0)
    years: bool = False
    any_rate: bool = False

    @classmethod
    def of(cls, models: InUse) -> "Fading":
        learned, rules = models.learned, models.rules
        lately = {
            (one.field.removeprefix(fields.ACTIVITY), one.within_days) for one in rules.conditions if one.within_days
        }
        return cls(
            _borders(rules, "days_silent"),
            _borders(rules, "close_date_days"),
            tuple(sorted(lately)),
            any(one.half_life_days for one in rules.conditions),
            learned.age if learned is not None and learned.wanted & fields.FADES else timedelta(0),
            "company.age" in rules.wanted,
            models.are_own,
        )

    @property
    def values(self) -> tuple[object, ...]:
        kinds, days = [kind for kind, _ in self.lately], [days for _, days in self.lately]
        return (self.silent, self.due, kinds, days, self.activities, self.young, self.years, self.any_rate)


def _borders(rules: Rules, field: str) -> tuple[float, ...]:
    conditions = [one for one in rules.conditions if one.field == field]
    return tuple(sorted({days for one in conditions for days in (one.least, one.most) if days is not None}))


async def schedule_faded(*, now: datetime) -> int:
    """Have those leads scored anew whose score may have changed by the mere passing of time; return how many."""
    own = [row["workspace_id"] for row in await read(OWN)]
    shipped = Fading.of(InUse(default_model(), None, are_own=False))
    found = await _schedule("workspace_id <> ALL($12::uuid[])", own, shipped, now=now)
    for workspace_id in own:
        fading = Fading.of(await in_use.models(workspace_id))
        found += await _schedule("workspace_id = ANY($12::uuid[])", [workspace_id], fading, now=now)
    return found


async def _schedule(whose: str, workspaces: Sequence[UUID], fading: Fading, *, now: datetime) -> int:
    last, found = UUID(int=0), 0
    while rows := await read(FADED.format(whose=whose), last, PAGE, now, *fading.values, list(workspaces)):
        by_workspace: dict[UUID, list[UUID]] = {}
        for row in rows:
            by_workspace.setdefault(row["workspace_id"], []).append(row["id"])
        for workspace_id, lead_ids in by_workspace.items():
            await schedule(workspace_id, lead_ids, now=now)
        found, last = found + len(rows), rows[-1]["id"]
    return found
