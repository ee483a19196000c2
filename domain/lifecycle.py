"""How far leads are qualified: raised by a workspace's rules on score and checklist, or chosen by people.

The rules never lower, and leave alone a lead whose lifecycle a person has chosen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain import criteria, inputs, jobs, leads, policy
from domain.actors import Actor, system
from domain.errors import Faults
from domain.events import Event, record
from domain.jobs import Queue
from domain.policy import Action
from models import rows
from models.database import connected, read, transaction
from models.leads import Lead, LeadStatus, Lifecycle
from models.qualification import CriterionType, QualificationCriterion

TASK = "qualify_leads"
SETTING = "qualification"
LEADS_AT_ONCE = 200
PAGE = 5000
LEVELS = list(Lifecycle)


class LeadQualified(Event):
    name = "lead.qualified"


@dataclass(frozen=True, slots=True)
class Threshold:
    """What makes a lead reach a level: a score, and how many criteria it meets, besides those that are required.

    With neither, nothing does.
    """

    score: int | None = None
    criteria: int | None = None

    def __bool__(self) -> bool:
        return self.score is not None or self.criteria is not None

    def to_json(self) -> dict[str, int]:
        known = {"score": self.score, "criteria": self.criteria}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes leads MQL and SQL in a workspace."""

    mql: Threshold = Threshold()
    sql: Threshold = Threshold()

    def __bool__(self) -> bool:
        return bool(self.mql or self.sql)

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "Rules":
        """Return the rules that a workspace's settings name."""
        known = settings.get(SETTING) or {}
        levels = (known.get(name) or {} for name in ("mql", "sql"))
        return cls(*(Threshold(level.get("score"), level.get("criteria")) for level in levels))

    def to_json(self) -> dict[str, Any]:
        return {"mql": self.mql.to_json(), "sql": self.sql.to_json()}

    def check(self, faults: Faults, *, field: str) -> None:
        for name, threshold in (("mql", self.mql), ("sql", self.sql)):
            inputs.whole(faults, threshold.score, field=f"{field}.{name}.score", least=0, most=100)
            most = criteria.MOST_CRITERIA
            inputs.whole(faults, threshold.criteria, field=f"{field}.{name}.criteria", least=1, most=most)


def meets(criterion: QualificationCriterion, value: Any) -> bool:
    """Say whether an answer speaks for the lead: yes, a choice that qualifies, and anything else that is said."""
    match criterion.type:
        case CriterionType.YES_NO:
            return bool(value)
        case CriterionType.CHOICE | CriterionType.MULTI_CHOICE:
            good = {choice.key for choice in criteria.choices_of(criterion) if choice.qualifies}
            return not good.isdisjoint([value] if isinstance(value, str) else value)
        case _:
            return True


def reached(
    rules: Rules, score: int | None, checklist: Sequence[QualificationCriterion], answers: Mapping[UUID, Any]
) -> Lifecycle:
    """Return the highest level that a lead reaches by the rules."""
    met = {row.id for row in checklist if row.id in answers and meets(row, answers[row.id])}

    def holds(threshold: Threshold, required: Iterable[UUID]) -> bool:
        return (
            bool(threshold)
            and (threshold.score is None or (score is not None and score >= threshold.score))
            and len(met) >= (threshold.criteria or 0)
            and met.issuperset(required)
        )

    if holds(rules.sql, (row.id for row in checklist if row.required_for_sql)):
        return Lifecycle.SQL
    if holds(rules.mql, (row.id for row in checklist if row.required_for_mql)):
        return Lifecycle.MQL
    return Lifecycle.RAW


SETTINGS = f"SELECT settings -> '{SETTING}' AS rules FROM workspace WHERE id = $1"
CHECKLIST = """
SELECT {columns} FROM qualification_criterion WHERE workspace_id = $1 AND archived_at IS NULL ORDER BY position, id
"""
ANSWERS = "SELECT lead_id, criterion_id, value::text AS value FROM qualification_answer WHERE lead_id = ANY($1::uuid[])"
TAGS = "SELECT lead_id, array_agg(tag_id) AS tag_ids FROM lead_tag WHERE lead_id = ANY($1::uuid[]) GROUP BY lead_id"
RAISE = """
UPDATE lead SET lifecycle = new.lifecycle FROM unnest($1::uuid[], $2::text[]) AS new(id, lifecycle)
WHERE lead.id = new.id
"""
LOWER = """
SELECT {columns} FROM lead
WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND status = 'OPEN' AND deleted_at IS NULL AND lifecycle <> 'SQL'
  AND lifecycle_chosen_at IS NULL
ORDER BY id FOR NO KEY UPDATE
"""


async def rules_of(workspace_id: UUID) -> Rules:
    """Return what makes leads MQL and SQL in a workspace."""
    [row] = await read(SETTINGS, workspace_id)
    return Rules.parse({SETTING: orjson.loads(row["rules"] or "null")})


async def raise_one(lead: Lead, tag_ids: Sequence[UUID], *, now: datetime) -> None:
    """Raise a locked lead to the level that it reaches, and record `lead.qualified` where it rises."""
    is_raisable = lead.status is LeadStatus.OPEN and lead.lifecycle is not Lifecycle.SQL
    if is_raisable and lead.lifecycle_chosen_at is None and lead.deleted_at is None:
        await _raise(lead.workspace_id, [lead], {lead.id: tag_ids}, now=now)


async def raise_all(workspace_id: UUID, lead_ids: Iterable[UUID], *, now: datetime, bulk: bool = False) -> int:
    """Raise open leads to the level that they reach and record `lead.qualified` where one rises; return how many do.

    Doing it twice raises nothing more. No version rises.
    """
    async with transaction():
        if not await rules_of(workspace_id):
            return 0
        found = await rows.select(Lead, LOWER, workspace_id, list(lead_ids))
        tags = {row["lead_id"]: row["tag_ids"] for row in await read(TAGS, [lead.id for lead in found])}
        return await _raise(workspace_id, found, tags, now=now, bulk=bulk)


async def _raise(
    workspace_id: UUID,
    found: Sequence[Lead],
    tags: Mapping[UUID, Sequence[UUID]],
    *,
    now: datetime,
    bulk: bool = False,
) -> int:
    rules = await rules_of(workspace_id)
    if not rules or not found:
        return 0
    checklist = await rows.select(QualificationCriterion, CHECKLIST, workspace_id)
    answers: dict[UUID, dict[UUID, Any]] = {lead.id: {} for lead in found}
    for row in await read(ANSWERS, list(answers)):
        answers[row["lead_id"]][row["criterion_id"]] = orjson.loads(row["value"])
    levels = [(lead, reached(rules, lead.score, checklist, answers[lead.id])) for lead in found]
    higher = [(lead, level) for lead, level in levels if LEVELS.index(level) > LEVELS.index(lead.lifecycle)]
    if higher:
        await connected().fetch(RAISE, [[lead.id for lead, _ in higher], [level.value for _, level in higher]])
    for lead, level in higher:
        met = sum(meets(row, answers[lead.id][row.id]) for row in checklist if row.id in answers[lead.id])
        why = {"by": "RULES", "score": lead.score, "criteria": met, "rules": rules.to_json()}
        await _tell(lead, level, tags.get(lead.id, ()), why, bulk=bulk, now=now)
    return len(higher)


async def _tell(
    lead: Lead, level: Lifecycle, tag_ids: Sequence[UUID], why: dict[str, Any], *, bulk: bool, now: datetime
) -> None:
    changed = {"lifecycle": [lead.lifecycle.value, level.value], "why": [None, why]}
    lead.lifecycle = level
    data = leads.facts(leads.live_columns(lead, tag_ids), lead, tag_ids, changed)
    event = LeadQualified(system(lead.workspace_id, task=TASK), lead.id, data | ({"bulk": True} if bulk else {}))
    await record(event, now=now)


async def choose(
    actor: Actor,
    lead_id: UUID,
    level: Lifecycle | None,
    *,
    note: str | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> Lead:
    """Say by hand how far a lead is qualified, which the rules then leave as it is; None leaves it to them again.

    Raises NotFound, Stale, Forbidden, and faults of the input.
    """
    faults = Faults()
    why = {"by": "PERSON", "note": inputs.text(faults, note, field="note")}
    faults.raise_any()
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version, field="leadId")
        policy.require(actor, Action.UPDATE_LEAD, lead)
        columns: dict[str, Any] = {"lifecycle_chosen_at": None}
        if level is not None:
            columns = {"lifecycle": level, "lifecycle_chosen_at": lead.lifecycle_chosen_at or now}
        tag_ids = await leads.tags_of(lead.id)
        await leads.change(LeadQualified, actor, lead, columns, now=now, said={"why": why}, tag_ids=tag_ids)
        if level is None:
            await raise_one(lead, tag_ids, now=now)
    return lead


UNRAISED = """
SELECT id FROM lead
WHERE workspace_id = $1 AND id > $2 AND status = 'OPEN' AND deleted_at IS NULL AND lifecycle <> 'SQL'
  AND lifecycle_chosen_at IS NULL
ORDER BY id LIMIT $3
"""


async def schedule_all(workspace_id: UUID, *, now: datetime) -> int:
    """Have all open leads looked at anew, after rules or checklist changed, in jobs that stand before nobody's click.

    Returns how many leads are looked at.
    """
    if not await rules_of(workspace_id):
        return 0
    last, looked_at = UUID(int=0), 0
    while found := [row["id"] for row in await read(UNRAISED, workspace_id, last, PAGE)]:
        for at in range(0, len(found), LEADS_AT_ONCE):
            await jobs.schedule(
                TASK,
                arguments={"subject_type": "lead", "subject_ids": found[at : at + LEADS_AT_ONCE], "event_ids": []},
                due_at=now,
                now=now,
                workspace_id=workspace_id,
                queue=Queue.BULK,
            )
        last, looked_at = found[-1], looked_at + len(found)
    return looked_at
