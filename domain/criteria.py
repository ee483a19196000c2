"""The checklist by which a workspace qualifies its leads: typed criteria, set as a whole or by a preset."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import edits, inputs, locks, policy
from domain.actors import Actor
from domain.errors import AlreadyExists, DomainError, Faults, Malformed, NotFound, Stale
from domain.events import Event, record
from domain.policy import Action
from models.base import uuid7
from models.database import read, transaction
from models.qualification import CriterionType, QualificationCriterion

MOST_CRITERIA = 50
MOST_CHOICES = 100
CHOICE_KEY = re.compile(r"[A-Za-z0-9_.-]{1,50}")
CHOSEN = (CriterionType.CHOICE, CriterionType.MULTI_CHOICE)
LOCK = "qualification_criteria"


class QualificationCriterionCreated(Event):
    name = "qualification_criterion.created"


class QualificationCriterionUpdated(Event):
    name = "qualification_criterion.updated"


class QualificationCriterionArchived(Event):
    name = "qualification_criterion.archived"


class QualificationCriterionRestored(Event):
    name = "qualification_criterion.restored"


class TooManyCriteria(DomainError):
    """A checklist has at most {limit} criteria, not {count}."""


class TooManyChoices(DomainError):
    """A criterion has at most {limit} choices, those that were taken away included; these are {count}."""


class ChoicesNeeded(DomainError):
    """A criterion of type {type} needs choices."""


class ChoicesUnwanted(DomainError):
    """A criterion of type {type} has no choices."""


class CriterionAnswered(DomainError):
    """The type of {label} stays, since leads have answers to it: leave it out, and add another criterion."""


class CriterionArchived(DomainError):
    """{label} is archived: it is asked no more."""


class PresetOrCriteria(DomainError):
    """Give a preset or criteria, one of the two."""


class Preset(StrEnum):
    """A checklist that is known by its name."""

    BANT = "BANT"
    MEDDIC = "MEDDIC"
    DISTRIBUTOR = "DISTRIBUTOR"


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is to choose from; one that was taken away is `archived`, for the sake of those who chose it."""

    key: str
    label: str
    qualifies: bool = True
    archived: bool = False

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Choice":
        return cls(data["key"], data["label"], data.get("qualifies", True), data.get("archived", False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A criterion as it is to be; `id` is that of a known one. An answer is required for what it says."""

    id: UUID | None = None
    label: str | None
    question: str | None = None
    type: CriterionType = CriterionType.TEXT
    choices: Sequence[Choice] = ()
    required_for_mql: bool = False
    required_for_sql: bool = False
    expected_version: int | None = None


def choices_of(criterion: QualificationCriterion) -> list[Choice]:
    """Return what there is to choose from, and what there was."""
    return [Choice.parse(choice) for choice in criterion.choices]


def _choices(*choices: str, qualifying: int | None = None) -> tuple[Choice, ...]:
    """Return choices by their labels, the first ones of which qualify."""
    keys = (re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:50] for label in choices)
    good = len(choices) if qualifying is None else qualifying
    return tuple(Choice(key, label, at < good) for at, (key, label) in enumerate(zip(keys, choices, strict=True)))


def _asked(label: str, question: str, *choices: str, qualifying: int | None = None, **more: Any) -> Draft:
    made = _choices(*choices, qualifying=qualifying)
    return Draft(
        label=label, question=question, choices=made, **({"type": CriterionType.CHOICE} if made else {}) | more
    )


PRESETS: dict[Preset, dict[str, Draft]] = {
    Preset.BANT: {
        "BUDGET": _asked(
            "Budget",
            "Is there money for it?",
            "Approved",
            "Planned",
            "Not planned",
            qualifying=2,
            required_for_sql=True,
        ),
        "AUTHORITY": _asked(
            "Authority",
            "Does the person decide, or have a say?",
            "Decides",
            "Has a say",
            "Has no say",
            qualifying=2,
            required_for_sql=True,
        ),
        "NEED": _asked("Need", "What is to be solved?", required_for_mql=True, required_for_sql=True),
        "TIMELINE": _asked(
            "Timeline",
            "When are they going to decide?",
            "Within three months",
            "Within a year",
            "Later",
            "Nobody knows",
            qualifying=2,
            required_for_sql=True,
        ),
    },
    Preset.MEDDIC: {
        "METRICS": _asked("Metrics", "What do they gain by it, in figures?", required_for_sql=True),
        "ECONOMIC_BUYER": _asked("Economic buyer", "Who has the last word about the money?", required_for_sql=True),
        "DECISION_CRITERIA": _asked("Decision criteria", "By what do they compare offers?", required_for_sql=True),
        "DECISION_PROCESS": _asked("Decision process", "Who decides when, in which steps?", required_for_sql=True),
        "PAIN": _asked("Identified pain", "What hurts today?", required_for_mql=True, required_for_sql=True),
        "CHAMPION": _asked(
            "Champion", "Does somebody there speak for us?", type=CriterionType.YES_NO, required_for_sql=True
        ),
    },
    Preset.DISTRIBUTOR: {
        "REASON": _asked(
            "Reason",
            "Why do they ask?",
            "New project",
            "Replacement",
            "Extension",
            "Comparing prices",
            "Studies or curiosity",
            qualifying=4,
            required_for_mql=True,
            required_for_sql=True,
        ),
        "FOUND_US": _asked(
            "Found us",
            "How did they find us?",
            "Manufacturer",
            "Search engine",
            "Trade show",
            "Recommendation",
            "Bought before",
            "Other",
        ),
        "PROJECT": _asked(
            "Project or budget",
            "Is there an approved project or budget?",
            "Approved",
            "Applied for",
            "None",
            qualifying=1,
            required_for_sql=True,
        ),
    },
}


async def live(workspace_id: UUID) -> list[QualificationCriterion]:
    """Return the checklist: the criteria that are not archived, in their order."""
    return await QualificationCriterion.filter(workspace_id=workspace_id, archived_at=None).order_by("position", "id")


async def set_all(actor: Actor, drafts: Sequence[Draft], *, now: datetime) -> list[QualificationCriterion]:
    """Make the checklist be these, in this order, and return it.

    Those with the id of a known one edit it, or bring it back; those without are added; known ones that are missing
    are archived. Answers stay, whatever happens to their criteria. Raises Forbidden, TooManyCriteria, NotFound,
    Stale, CriterionAnswered, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_QUALIFICATION)
    if len(drafts) > MOST_CRITERIA:
        raise TooManyCriteria(limit=MOST_CRITERIA, count=len(drafts), field="criteria")
    async with transaction():
        known = await _held(actor)
        faults = Faults()
        wanted = [
            (known.get(draft.id) if draft.id else None, _checked(faults, draft, known, f"criteria.{at}"))
            for at, draft in enumerate(drafts)
        ]
        _forbid_twins(faults, drafts)
        await _forbid_other_types(faults, wanted)
        faults.raise_any()
        return await _set(actor, known, wanted, now=now)


async def set_preset(actor: Actor, preset: Preset, *, now: datetime) -> list[QualificationCriterion]:
    """Make the checklist be that of a preset, and return it.

    Criteria that came from this preset before are brought back as they were left. Raises Forbidden.
    """
    policy.require(actor, Action.MANAGE_QUALIFICATION)
    async with transaction():
        known = await _held(actor)
        by_key = {row.preset_key: row for row in known.values()}
        wanted: list[tuple[QualificationCriterion | None, dict[str, Any]]] = []
        for preset_key, columns in of_preset(preset):
            row = by_key.get(preset_key)
            wanted.append((row, {} if row else columns | {"preset_key": preset_key}))
        return await _set(actor, known, wanted, now=now)


def of_preset(preset: Preset) -> list[tuple[str, dict[str, Any]]]:
    """Return the criteria of a preset, each with its key and as columns."""
    return [(f"{preset.value}.{key}", _columns(draft, ())) for key, draft in PRESETS[preset].items()]


async def _held(actor: Actor) -> dict[UUID, QualificationCriterion]:
    """Return all criteria of the workspace, locked against answers and other edits."""
    await locks.hold(actor.workspace_id, LOCK)
    rows = QualificationCriterion.filter(workspace_id=actor.workspace_id).order_by("id")
    return {row.id: row for row in await rows.select_for_update()}


async def _set(
    actor: Actor,
    known: Mapping[UUID, QualificationCriterion],
    wanted: Sequence[tuple[QualificationCriterion | None, dict[str, Any]]],
    *,
    now: datetime,
) -> list[QualificationCriterion]:
    kept = [
        await _edit(actor, row, columns | {"position": at}, now=now)
        if row
        else await _add(actor, columns | {"position": at}, now=now)
        for at, (row, columns) in enumerate(wanted)
    ]
    gone = known.keys() - {row.id for row in kept}
    for key in sorted(gone):
        row = known[key]
        if row.archived_at is None:
            await edits.apply(row, {"archived_at": now}, now=now)
            await record(QualificationCriterionArchived(actor, row.id, {"version": row.version}), now=now)
    return kept


async def _edit(
    actor: Actor, row: QualificationCriterion, columns: Mapping[str, Any], *, now: datetime
) -> QualificationCriterion:
    event = QualificationCriterionUpdated if row.archived_at is None else QualificationCriterionRestored
    changed = await edits.apply(row, {**columns, "archived_at": None}, now=now)
    if changed:
        await record(event(actor, row.id, {"changes": changed, "version": row.version}), now=now)
    return row


async def _add(actor: Actor, columns: Mapping[str, Any], *, now: datetime) -> QualificationCriterion:
    row = QualificationCriterion(id=uuid7(), workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
    await edits.insert(row)
    await record(QualificationCriterionCreated(actor, row.id, edits.facts(row, columns)), now=now)
    return row


def _checked(faults: Faults, draft: Draft, known: Mapping[UUID, QualificationCriterion], field: str) -> dict[str, Any]:
    """Check a criterion and return it as columns."""
    row = known.get(draft.id) if draft.id else None
    if draft.id and row is None:
        faults.add(NotFound(noun="qualification criterion", field=f"{field}.id"))
    if row and draft.expected_version not in (None, row.version):
        faults.add(
            Stale(
                noun="qualification criterion",
                version=row.version,
                expected=draft.expected_version,
                field=f"{field}.expectedVersion",
            )
        )
    inputs.name(faults, draft.label, field=f"{field}.label")
    inputs.text(faults, draft.question, field=f"{field}.question")
    _check_choices(faults, draft, field)
    columns = _columns(draft, choices_of(row) if row else ())
    if len(columns["choices"]) > MOST_CHOICES:
        faults.add(TooManyChoices(limit=MOST_CHOICES, count=len(columns["choices"]), field=f"{field}.choices"))
    return columns


def _check_choices(faults: Faults, draft: Draft, field: str) -> None:
    if draft.type not in CHOSEN:
        if draft.choices:
            faults.add(ChoicesUnwanted(type=draft.type.value, field=f"{field}.choices"))
        return
    if not draft.choices:
        faults.add(ChoicesNeeded(type=draft.type.value, field=f"{field}.choices"))
    seen: set[str] = set()
    for at, choice in enumerate(draft.choices[:MOST_CHOICES]):
        if not CHOICE_KEY.fullmatch(choice.key):
            what = "a key of 1 to 50 letters without accents, digits, dots, dashes and underscores"
            faults.add(Malformed(field=f"{field}.choices.{at}.key", what=what))
        elif choice.key in seen:
            faults.add(AlreadyExists(noun="choice", what="key", field=f"{field}.choices.{at}.key"))
        seen.add(choice.key)
        inputs.name(faults, choice.label, field=f"{field}.choices.{at}.label")


def _columns(draft: Draft, had: Sequence[Choice]) -> dict[str, Any]:
    """Return a criterion as columns; choices that it had, and has no more, are kept as archived."""
    said = {choice.key for choice in draft.choices}
    gone = [Choice(choice.key, choice.label, choice.qualifies, True) for choice in had if choice.key not in said]
    offered = [Choice(choice.key, choice.label.strip(), choice.qualifies) for choice in draft.choices]
    return {
        "label": (draft.label or "").strip(),
        "question": (draft.question or "").strip() or None,
        "type": draft.type,
        "choices": [asdict(choice) for choice in offered + gone] if draft.type in CHOSEN else [],
        "required_for_mql": draft.required_for_mql,
        "required_for_sql": draft.required_for_sql,
    }


def _forbid_twins(faults: Faults, drafts: Sequence[Draft]) -> None:
    """Refuse criteria that say the same, and one that is named twice."""
    labels: set[str] = set()
    keys: set[UUID] = set()
    for at, draft in enumerate(drafts):
        label = inputs.normalised_name(draft.label or "")
        if label and label in labels:
            faults.add(AlreadyExists(noun="criterion", what="label", field=f"criteria.{at}.label"))
        if draft.id and draft.id in keys:
            faults.add(AlreadyExists(noun="criterion", what="id", field=f"criteria.{at}.id"))
        labels.add(label)
        keys |= {draft.id} if draft.id else set()


ANSWERED = "SELECT DISTINCT criterion_id FROM qualification_answer WHERE criterion_id = ANY($1::uuid[])"


async def _forbid_other_types(
    faults: Faults, wanted: Sequence[tuple[QualificationCriterion | None, dict[str, Any]]]
) -> None:
    changed = {row.id: at for at, (row, columns) in enumerate(wanted) if row and row.type is not columns["type"]}
    if not changed:
        return
    for found in await read(ANSWERED, list(changed)):
        at = changed[found["criterion_id"]]
        row = wanted[at][0]
        assert row is not None
        faults.add(CriterionAnswered(label=row.label, field=f"criteria.{at}.type"))
