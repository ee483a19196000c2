"""Models that score leads: drafted, published or trained, used, taken back.

A workspace uses one model by rules and one that has learned, at most: what one of a kind is published or promoted
puts the other out of use. Versions stay as they were; what was in use can be used again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from domain import edits, inputs, locks, policy
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, Malformed, NotFound, Required
from domain.events import Event, record
from domain.policy import Action
from domain.scoring import in_use, rule_inputs
from domain.scoring.default_model import TYPICAL_VALUE_SETTING, default_model, typical_value
from domain.scoring.fields import CUSTOM, Catalogue, catalogue
from domain.scoring.in_use import ModelUnreadable
from domain.scoring.rule_inputs import GivenRules
from domain.scoring.rules import Rules
from domain.unset import UNSET, Unset
from models.database import read, transaction
from models.scoring import ScoreModel, ScoreModelKind, ScoreModelVersion, ScoreVersionState

MOST_MODELS = 50
LOCK = "score_models"
UNIQUE = {"score_model_pkey": "id", "score_model_name_idx": "name"}
AGE_DAYS = 14
MOST_AGE_DAYS = 365
MOST_NAMED = 500
TYPICAL = f"SELECT settings ->> '{TYPICAL_VALUE_SETTING}' AS setting FROM workspace WHERE id = $1"
LAST_NUMBER = "SELECT coalesce(max(number), 0) AS number FROM score_model_version WHERE model_id = $1"


class ScoreModelCreated(Event):
    name = "score_model.created"


class ScoreModelUpdated(Event):
    name = "score_model.updated"


class ScoreModelPublished(Event):
    name = "score_model.published"


class ScoreModelPromoted(Event):
    name = "score_model.promoted"


class ScoreModelRolledBack(Event):
    name = "score_model.rolled_back"


class ScoreModelArchived(Event):
    name = "score_model.archived"


class TooManyScoreModels(DomainError):
    """A workspace has at most {limit} score models that are not archived."""


class ScoreModelOfRules(DomainError):
    """{name} is a model by rules, which is published, not {what}."""


class ScoreModelLearns(DomainError):
    """{name} is a model that learns, which is trained and promoted, not published."""


class ScoreModelArchivedAlready(DomainError):
    """{name} is archived: make another one."""


class NothingToRollBack(DomainError):
    """{name} has no version that was in use before: promote or publish one."""


class ScoreModelAltered(DomainError):
    """Version {number} of {name} is not what the server has signed: train or publish another one."""


class ScoreModelNewer(DomainError):
    """Version {number} of {name} was made by a newer Salescycle: update the server, or train it anew."""


class ScoreAmountsUnrated(DomainError):
    """There is no exchange rate for {currencies} on {day}, so that {label} counts as unknown (leads: {leads}).

    Set one by setExchangeRate, and try again.
    """

    @classmethod
    def of(cls, unrated: Mapping[str, Any]) -> Self:
        """Return the fault of a field whose amounts have no exchange rates."""
        return cls(**{**unrated, "currencies": ", ".join(unrated["currencies"])})


class ScoreFieldLeaks(DomainError):
    """{label} alone tells apart how leads ended (AUC {auc}), as if written with it: the preview leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a model learns: of leads as they stood at an age in days.

    It trusts columns though they seem to know the outcome, leaves others out, and is trained anew every so many days.
    """

    age_days: int = AGE_DAYS
    trusted: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    every_days: int | None = 7

    def to_json(self) -> dict[str, Any]:
        return {
            "age_days": self.age_days,
            "trusted": list(self.trusted),
            "left_out": list(self.left_out),
            "every_days": self.every_days,
        }

    @classmethod
    def of(cls, model: ScoreModel) -> "Learning":
        content = model.content
        return cls(
            age_days=content.get("age_days", AGE_DAYS),
            trusted=tuple(content.get("trusted", ())),
            left_out=tuple(content.get("left_out", ())),
            every_days=content.get("every_days"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDetails:
    """What people say of a model; what is UNSET is left as it is. Rules are given all together."""

    name: str | Unset | None = UNSET
    rules: GivenRules | Unset = UNSET
    learning: Learning | Unset = UNSET


async def create(
    actor: Actor, kind: ScoreModelKind, details: ModelDetails, *, id: UUID | None = None, now: datetime
) -> ScoreModel:
    """Make a model, which scores nothing until it is published or promoted.

    Rules that are not given are those that ship with Salescycle. Raises Forbidden, AlreadyExists (id, name),
    TooManyScoreModels, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_SCORING)
    faults = Faults()
    key = edits.new_id(faults, id)
    if details.name is UNSET:
        faults.add(Required(field="name"))
    columns = await _checked(faults, actor, kind, details)
    faults.raise_any()
    if "content" not in columns:
        columns["content"] = await _content(actor) if kind is ScoreModelKind.RULES else Learning().to_json()
    with edits.collisions("score model", UNIQUE):
        async with transaction():
            await locks.hold(actor.workspace_id, LOCK)
            if await ScoreModel.filter(workspace_id=actor.workspace_id, archived_at=None).count() >= MOST_MODELS:
                raise TooManyScoreModels(limit=MOST_MODELS)
            row = ScoreModel(
                id=key, workspace_id=actor.workspace_id, kind=kind, created_at=now, updated_at=now, **columns
            )
            await edits.insert(row)
            await record(ScoreModelCreated(actor, row.id, edits.facts(row, {"name": row.name})), now=now)
    return row


async def update(
    actor: Actor, model_id: UUID, details: ModelDetails, *, expected_version: int | None = None, now: datetime
) -> ScoreModel:
    """Change a model's draft; what is published or trained stays as it is until it is so again.

    Raises NotFound, Stale, Forbidden, ScoreModelArchivedAlready, AlreadyExists (name), and faults of the input.
    """
    faults = Faults()
    with edits.collisions("score model", UNIQUE):
        async with transaction():
            row = await _locked(actor, model_id, expected_version)
            columns = await _checked(faults, actor, row.kind, details)
            faults.raise_any()
            if changed := await edits.apply(row, columns, now=now):
                told = {name: change for name, change in changed.items() if name != "content"}
                facts = {"changes": told | ({"content": None} if "content" in changed else {}), "version": row.version}
                await record(ScoreModelUpdated(actor, row.id, facts), now=now)
    return row


async def sort_out(
    actor: Actor, model_id: UUID, *, trusted: Sequence[str], left_out: Sequence[str], now: datetime
) -> ScoreModel:
    """Have a model that learns trust some more fields and leave out others, which are named by keys or labels.

    Raises NotFound, Forbidden, ScoreModelOfRules, ScoreModelArchivedAlready, UnknownScoreField.
    """
    async with transaction():
        row = await _locked(actor, model_id, None)
        if row.kind is not ScoreModelKind.LEARNED:
            raise ScoreModelOfRules(name=row.name, what="trained")
        faults, known, learning = Faults(), await catalogue(actor.workspace_id), Learning.of(row)
        trust = _keys(faults, trusted, known, field="trusted")
        leave = _keys(faults, left_out, known, field="leftOut")
        faults.raise_any()
        # Fields that are gone by now are forgotten.
        had = ([key for key in keys if key in known.fields] for keys in (learning.trusted, learning.left_out))
        trusts, leaves = (
            tuple(dict.fromkeys([*(key for key in before if key not in others), *more]))
            for before, others, more in zip(had, (leave, trust), (trust, leave), strict=True)
        )
        details = ModelDetails(learning=replace(learning, trusted=trusts, left_out=leaves))
        return await update(actor, model_id, details, now=now)


async def publish(
    actor: Actor, model_id: UUID, *, expected_version: int | None = None, now: datetime
) -> ScoreModelVersion:
    """Score all open leads by a model's rules, as they are drafted, in place of those that did before.

    Raises NotFound, Stale, Forbidden, ScoreModelLearns, ScoreModelArchivedAlready, and what its rules lack by now.
    """
    async with transaction():
        await locks.hold(actor.workspace_id, LOCK)
        row = await _locked(actor, model_id, expected_version)
        if row.kind is not ScoreModelKind.RULES:
            raise ScoreModelLearns(name=row.name)
        faults = Faults()
        faults.extend(rule_inputs.problems(Rules.of_json(row.content), await catalogue(actor.workspace_id)))
        faults.raise_any()
        version = await add_version(row, row.content, state=ScoreVersionState.CANDIDATE, by=actor.user_id, now=now)
        await _use(row, version, now=now)
        await record(ScoreModelPublished(actor, row.id, _told(row, version)), now=now)
    return version


async def promote(actor: Actor, version_id: UUID, *, now: datetime) -> ScoreModelVersion:
    """Score all open leads by a version that was learned, in place of what did before.

    Raises NotFound, Forbidden, ScoreModelOfRules, ScoreModelAltered, ScoreModelNewer, ScoreModelArchivedAlready.
    """
    async with transaction():
        await locks.hold(actor.workspace_id, LOCK)
        version = await policy.locked(actor, ScoreModelVersion, version_id)
        row = await _locked(actor, version.model_id, None)
        if row.kind is ScoreModelKind.RULES:
            raise ScoreModelOfRules(name=row.name, what="promoted")
        readable(row, version)
        if version.state is not ScoreVersionState.ACTIVE or not row.active:
            await _use(row, version, now=now)
            await record(ScoreModelPromoted(actor, row.id, _told(row, version)), now=now)
    return version


async def roll_back(
    actor: Actor, model_id: UUID, *, expected_version: int | None = None, now: datetime
) -> ScoreModelVersion:
    """Score all open leads by the version of a model that was in use before the one that is.

    Raises NotFound, Stale, Forbidden, NothingToRollBack, ScoreModelAltered, ScoreModelNewer.
    """
    async with transaction():
        await locks.hold(actor.workspace_id, LOCK)
        row = await _locked(actor, model_id, expected_version)
        before = ScoreModelVersion.filter(model_id=row.id, state=ScoreVersionState.RETIRED)
        version = await before.order_by("-retired_at", "-number").first()
        if version is None:
            raise NothingToRollBack(name=row.name)
        readable(row, version)
        await _use(row, version, now=now, instead=ScoreVersionState.REJECTED)
        await record(ScoreModelRolledBack(actor, row.id, _told(row, version)), now=now)
    return version


async def archive(actor: Actor, model_id: UUID, *, expected_version: int | None = None, now: datetime) -> ScoreModel:
    """Use a model no more: leads are scored by the others, else by the rules that ship with Salescycle.

    Raises NotFound, Stale, Forbidden.
    """
    async with transaction():
        await locks.hold(actor.workspace_id, LOCK)
        row = await policy.locked(actor, ScoreModel, model_id, expected_version=expected_version)
        policy.require(actor, Action.MANAGE_SCORING, row)
        if row.archived_at is None:
            was = row.active
            await edits.apply(row, {"archived_at": now, "active": False}, now=now)
            await record(ScoreModelArchived(actor, row.id, {"version": row.version, "was_active": was}), now=now)
    return row


@dataclass(frozen=True, slots=True)
class Preview:
    """How rules would have scored closed leads when they were new; `deciles` are those of the metrics, as values."""

    leads: int
    won: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    top_fifth: float | None
    deciles: list[dict[str, Any]]
    problems: list[DomainError]


async def preview(actor: Actor, row: ScoreModel | None, *, age_days: int, now: datetime) -> Preview:
    """Return how a model's drafted rules would have scored the newest closed leads as they stood at an age.

    Without a model it is about the rules that ship with Salescycle.
    Raises Forbidden, and OutOfRange (ageDays).
    """
    policy.require(actor, Action.MANAGE_SCORING, row)
    faults = Faults()
    inputs.whole(faults, age_days, field="ageDays", least=0, most=MOST_AGE_DAYS)
    faults.raise_any()
    rules = Rules.of_json(row.content if row is not None else await _content(actor))
    # What computes with many leads at once is brought in when somebody asks for it.
    from domain.scoring import previews

    return await previews.preview(
        actor.workspace_id,
        rules,
        age=timedelta(days=age_days),
        problems=rule_inputs.problems(rules, await catalogue(actor.workspace_id)),
        now=now,
    )


def readable(row: ScoreModel, version: ScoreModelVersion) -> None:
    """Raise ScoreModelAltered or ScoreModelNewer unless a version is what the server has written and understands."""
    try:
        in_use.parse(version.id, row.id, version.number, row.kind, version.content, version.signature)
    except ModelUnreadable as error:
        fault = ScoreModelNewer if "newer" in error.args else ScoreModelAltered
        raise fault(name=row.name, number=version.number) from error


async def add_version(
    row: ScoreModel,
    content: Mapping[str, Any],
    *,
    state: ScoreVersionState,
    by: UUID | None,
    now: datetime,
    **columns: Any,
) -> ScoreModelVersion:
    """Add a version to a locked model, signed by the server."""
    [last] = await read(LAST_NUMBER, row.id)
    number = last["number"] + 1
    version = ScoreModelVersion(
        workspace_id=row.workspace_id,
        model_id=row.id,
        number=number,
        state=state,
        content=dict(content),
        signature=in_use.sign(row.id, number, content),
        created_at=now,
        created_by_id=by,
        **columns,
    )
    await edits.insert(version)
    return version


async def _use(
    row: ScoreModel,
    version: ScoreModelVersion,
    *,
    now: datetime,
    instead: ScoreVersionState = ScoreVersionState.RETIRED,
) -> None:
    """Put a version of a locked model into use; what was in use of its kind is so no more."""
    others = ScoreModel.filter(workspace_id=row.workspace_id, kind=row.kind, active=True).exclude(id=row.id)
    await others.update(active=False)
    used = ScoreModelVersion.filter(model_id=row.id, state=ScoreVersionState.ACTIVE).exclude(id=version.id)
    await used.update(state=instead, retired_at=now)
    await edits.write(version, {"state": ScoreVersionState.ACTIVE, "activated_at": now, "retired_at": None})
    if not row.active:
        await edits.write(row, {"active": True})


async def _locked(actor: Actor, model_id: UUID, expected_version: int | None) -> ScoreModel:
    row = await policy.locked(actor, ScoreModel, model_id, expected_version=expected_version)
    policy.require(actor, Action.MANAGE_SCORING, row)
    if row.archived_at is not None:
        raise ScoreModelArchivedAlready(name=row.name)
    return row


def _told(row: ScoreModel, version: ScoreModelVersion) -> dict[str, Any]:
    return {"version": row.version, "version_id": version.id, "number": version.number}


async def _checked(faults: Faults, actor: Actor, kind: ScoreModelKind, details: ModelDetails) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    if not isinstance(details.rules, Unset):
        if kind is not ScoreModelKind.RULES:
            faults.add(Conflict(reason="A model that learns has no rules of its own.", field="rules"))
        else:
            known = await catalogue(actor.workspace_id)
            columns["content"] = rule_inputs.check(faults, details.rules, known).to_json()
    if not isinstance(details.learning, Unset):
        if kind is not ScoreModelKind.LEARNED:
            faults.add(Conflict(reason="A model by rules does not learn.", field="learning"))
        else:
            known = await catalogue(actor.workspace_id)
            columns["content"] = _learning(faults, details.learning, known).to_json()
    return columns


def _learning(faults: Faults, given: Learning, known: Catalogue) -> Learning:
    inputs.whole(faults, given.age_days, field="learning.ageDays", least=0, most=MOST_AGE_DAYS)
    inputs.whole(faults, given.every_days, field="learning.everyDays", least=1, most=MOST_AGE_DAYS)
    return replace(
        given,
        trusted=_keys(faults, given.trusted, known, field="learning.trusted"),
        left_out=_keys(faults, given.left_out, known, field="learning.leftOut"),
    )


def _keys(faults: Faults, named: Sequence[str], known: Catalogue, *, field: str) -> tuple[str, ...]:
    """Return the keys of fields that are named by their keys, their labels, or their keys as custom fields."""
    if len(named) > MOST_NAMED:
        faults.add(Malformed(field=field, what=f"a list of at most {MOST_NAMED} fields"))
    found = [key for at, name in enumerate(named[:MOST_NAMED]) for key in _key(faults, name, known, f"{field}.{at}")]
    return tuple(dict.fromkeys(found))


def _key(faults: Faults, name: str, known: Catalogue, field: str) -> list[str]:
    if name in known.fields:
        return [name]
    label = inputs.normalised_name(name)
    found = [key for key, one in known.fields.items() if inputs.normalised_name(one.label) == label]
    found = found or [key for key, row in known.custom.items() if name == f"{CUSTOM}{row.key}"]
    if not found:
        faults.add(rule_inputs.UnknownScoreField(name=name[: inputs.NAME_LIMIT], field=field))
    return found


async def _content(actor: Actor) -> dict[str, Any]:
    found = await read(TYPICAL, actor.workspace_id)
    if not found:
        raise NotFound(noun="workspace")
    return default_model(typical_value(found[0]["setting"])).to_json()
