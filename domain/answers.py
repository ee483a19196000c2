"""What is known of a lead by the checklist: typed answers, by people and forms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain import criteria, inputs, leads, lifecycle, policy
from domain.actors import Actor, ActorKind
from domain.errors import Conflict, DomainError, Faults, Malformed, NotFound, OutOfRange
from domain.events import Event, record
from domain.money import Money
from domain.money import check as check_money
from domain.policy import Action
from models import rows
from models.base import uuid7
from models.database import connected, read, transaction
from models.leads import Lead
from models.qualification import AnswerSource, CriterionType, QualificationCriterion

MOST_ANSWERS = 100
MOST_NUMBER = 10**15

# Whoever sets the checklist waits for those who answer it, and they for him.
HELD = """
SELECT {columns} FROM qualification_criterion
WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE
"""
SEEN = "SELECT {columns} FROM qualification_criterion WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
KNOWN = """
SELECT criterion_id, value::text AS value, note FROM qualification_answer
WHERE lead_id = $1 AND criterion_id = ANY($2::uuid[])
"""
WRITE = """
INSERT INTO qualification_answer (id, workspace_id, lead_id, criterion_id, value, note, source, user_id, answered_at)
SELECT new.id, $1, $2, new.criterion_id, new.value, new.note, $7, $8, $9
FROM unnest($3::uuid[], $4::uuid[], $5::jsonb[], $6::text[]) AS new(id, criterion_id, value, note)
ON CONFLICT (lead_id, criterion_id) DO UPDATE
SET value = excluded.value, note = excluded.note, source = excluded.source, user_id = excluded.user_id,
    answered_at = excluded.answered_at
"""
CLEAR = "DELETE FROM qualification_answer WHERE lead_id = $1 AND criterion_id = ANY($2::uuid[])"


class LeadQualificationAnswered(Event):
    name = "lead.qualification_answered"


class TooManyAnswers(DomainError):
    """At most {limit} answers are taken at once, not {count}."""


class UnknownChoice(DomainError):
    """{field} is none of the choices of {label}, which are {choices}."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a criterion, in place of the one that it had; without a value there is none any more."""

    criterion_id: UUID
    value: Any
    note: str | None = None


async def answer(
    actor: Actor,
    lead_id: UUID,
    given: Sequence[Answer],
    *,
    source: AnswerSource | None = None,
    now: datetime,
) -> Lead:
    """Answer criteria about a lead; the lifecycle rises where the workspace's rules say so.

    Answers of an API key are a form's unless it says otherwise. Raises NotFound, Forbidden, and faults of the input,
    all together.
    """
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, field="leadId")
        policy.require(actor, Action.QUALIFY_LEAD, lead)
        await write(actor, lead, await hold(actor, given), source=source, now=now)
    return lead


async def hold(actor: Actor, given: Sequence[Answer]) -> list[Answer]:
    """Check answers and return them as they are kept; their criteria stay as they are until the transaction ends.

    Raises the faults of the input, all together.
    """
    faults = Faults()
    checked = await check(faults, actor, given, sql=HELD)
    faults.raise_any()
    return checked


async def check(faults: Faults, actor: Actor, given: Sequence[Answer], *, sql: str = SEEN) -> list[Answer]:
    """Check answers and return them as they are kept; whoever answers need not be able to read the checklist."""
    if len(given) > MOST_ANSWERS:
        faults.add(TooManyAnswers(limit=MOST_ANSWERS, count=len(given), field="answers"))
    if not 0 < len(given) <= MOST_ANSWERS:
        return []
    found = await rows.select(QualificationCriterion, sql, actor.workspace_id, [each.criterion_id for each in given])
    known = {row.id: row for row in found}
    checked: list[Answer] = []
    for at, each in enumerate(given):
        field = f"answers.{at}"
        row = known.get(each.criterion_id)
        if row is None:
            faults.add(NotFound(noun="qualification criterion", field=f"{field}.criterionId"))
            continue
        if any(each.criterion_id == other.criterion_id for other in given[:at]):
            faults.add(Conflict(reason=f"{row.label} is answered twice.", field=f"{field}.criterionId"))
        if row.archived_at is not None and each.value is not None:
            faults.add(criteria.CriterionArchived(label=row.label, field=f"{field}.criterionId"))
        value = _checked(faults, row, each.value, f"{field}.value")
        note = inputs.text(faults, each.note, field=f"{field}.note")
        checked.append(Answer(row.id, value, note))
    return checked


async def write(
    actor: Actor, lead: Lead, checked: Sequence[Answer], *, source: AnswerSource | None = None, now: datetime
) -> None:
    """Write checked answers of a locked or new lead, record what changed, and let its lifecycle follow."""
    if not checked:
        return
    found = await read(KNOWN, lead.id, [each.criterion_id for each in checked])
    before = {row["criterion_id"]: _facts(orjson.loads(row["value"]), row["note"]) for row in found}
    after = {each.criterion_id: _facts(each.value, each.note) if each.value is not None else None for each in checked}
    changed = [key for key, fact in after.items() if before.get(key) != fact]
    if not changed:
        return
    await _write(actor, lead, {key: after[key] for key in changed}, source, now)
    tag_ids = await leads.tags_of(lead.id)
    told = {"answers": [{str(key): facts.get(key) for key in changed} for facts in (before, after)]}
    data = leads.facts(leads.live_columns(lead, tag_ids), lead, tag_ids, told)
    await record(LeadQualificationAnswered(actor, lead.id, data), now=now)
    await lifecycle.raise_one(lead, tag_ids, now=now)


async def _write(
    actor: Actor, lead: Lead, new: Mapping[UUID, dict[str, Any] | None], source: AnswerSource | None, now: datetime
) -> None:
    connection = connected()
    if cleared := [key for key, fact in new.items() if fact is None]:
        await connection.fetch(CLEAR, [lead.id, cleared])
    kept = {key: fact for key, fact in new.items() if fact is not None}
    if not kept:
        return
    by = source or (AnswerSource.FORM if actor.kind is ActorKind.API_KEY else AnswerSource.PERSON)
    await connection.fetch(
        WRITE,
        [
            lead.workspace_id,
            lead.id,
            [uuid7() for _ in kept],
            list(kept),
            [orjson.dumps(fact["value"]).decode() for fact in kept.values()],
            [fact["note"] for fact in kept.values()],
            by.value,
            actor.user_id,
            now,
        ],
    )


def _facts(value: Any, note: str | None) -> dict[str, Any]:
    return {"value": value, "note": note}


def text_of(criterion: QualificationCriterion, value: Any) -> str:
    """Return an answer in words."""
    labels = {choice.key: choice.label for choice in criteria.choices_of(criterion)}
    match criterion.type:
        case CriterionType.YES_NO:
            return "Yes" if value else "No"
        case CriterionType.CHOICE:
            return labels.get(value, str(value))
        case CriterionType.MULTI_CHOICE:
            return ", ".join(labels.get(key, key) for key in value)
        case CriterionType.MONEY:
            return f"{value['amount']} {value['currencyCode']}"
        case _:
            return str(value)


def _checked(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    """Check a value by its criterion's type and return it as it is kept; None and what is empty are none."""
    return None if value is None else CHECKS[criterion.type](faults, criterion, value, field)


def _text(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    if isinstance(value, str):
        return inputs.text(faults, value, field=field)
    return faults.add(Malformed(field=field, what="a text"))


def _number(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    """Return a number as it was written, whole where it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return faults.add(Malformed(field=field, what="a number"))
    if not -MOST_NUMBER <= value <= MOST_NUMBER:
        return faults.add(OutOfRange(field=field, least=-MOST_NUMBER, most=MOST_NUMBER))
    return value


def _money(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    amount, currency = (value.get("amount"), value.get("currencyCode")) if isinstance(value, dict) else (None, None)
    exact = inputs.decimal(str(amount)) if isinstance(amount, str | int | float) else None
    if exact is None or isinstance(amount, bool) or not isinstance(currency, str) or len(value) != 2:
        what = 'an amount such as {"amount": "1500", "currencyCode": "EUR"}'
        return faults.add(Malformed(field=field, what=what))
    checked = check_money(faults, Money(exact, currency), field=field)
    return checked and {"amount": format(checked.amount.normalize(), "f"), "currencyCode": checked.currency}


def _day(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    day = inputs.iso_day(value)
    if day is None:
        return faults.add(Malformed(field=field, what="a day such as 2026-03-31"))
    inputs.day(faults, day, field=field)
    return day.isoformat()


def _yes_no(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    return value if isinstance(value, bool) else faults.add(Malformed(field=field, what="true or false"))


def _choice(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    offered = [choice.key for choice in criteria.choices_of(criterion) if not choice.archived]
    if isinstance(value, str) and value in offered:
        return value
    return faults.add(UnknownChoice(field=field, label=criterion.label, choices=", ".join(offered)))


def _multi_choice(faults: Faults, criterion: QualificationCriterion, value: Any, field: str) -> Any:
    if not isinstance(value, list) or len(value) > criteria.MOST_CHOICES:
        return faults.add(Malformed(field=field, what="a list of choices"))
    chosen = [_choice(faults, criterion, key, f"{field}.{at}") for at, key in enumerate(value)]
    return list(dict.fromkeys(chosen)) or None


CHECKS: dict[CriterionType, Callable[[Faults, QualificationCriterion, Any, str], Any]] = {
    CriterionType.TEXT: _text,
    CriterionType.NUMBER: _number,
    CriterionType.MONEY: _money,
    CriterionType.DATE: _day,
    CriterionType.YES_NO: _yes_no,
    CriterionType.CHOICE: _choice,
    CriterionType.MULTI_CHOICE: _multi_choice,
}


@dataclass(frozen=True, slots=True)
class Known:
    """An answer as it stands."""

    value: Any
    note: str | None
    source: AnswerSource
    user_id: UUID | None
    answered_at: datetime


OF_LEADS = """
SELECT lead_id, criterion_id, value::text AS value, note, source, user_id, answered_at FROM qualification_answer
WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[])
"""


async def of_leads(
    workspace_id: UUID, lead_ids: Sequence[UUID]
) -> tuple[list[QualificationCriterion], dict[UUID, dict[UUID, Known]]]:
    """Return all criteria, archived ones included, in their order, and the answers of each lead by criterion."""
    every = await rows.of_workspace(QualificationCriterion, workspace_id)
    known: dict[UUID, dict[UUID, Known]] = {key: {} for key in lead_ids}
    for row in await read(OF_LEADS, workspace_id, list(lead_ids)):
        source = AnswerSource(row["source"])
        answered = Known(orjson.loads(row["value"]), row["note"], source, row["user_id"], row["answered_at"])
        known[row["lead_id"]][row["criterion_id"]] = answered
    return sorted(every.values(), key=lambda row: (row.position, row.id)), known
