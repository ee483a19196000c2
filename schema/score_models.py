"""Models that score leads in the schema: rules and what is learned, how good they are, and what trains them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from domain import policy, score_models, score_trainings
from domain.actors import NONE
from domain.errors import Forbidden
from domain.learning.kinds import ColumnKind
from domain.policy import Action
from domain.score_models import ScoreAmountsUnrated
from domain.scoring.fields import catalogue
from domain.scoring.rules import Check, Dimension, Rules
from engine.pages import Order
from models.database import read
from models.leads import Grade
from models.scoring import ScoreDrift as ScoreDriftRow
from models.scoring import ScoreModel as ScoreModelRow
from models.scoring import (
    ScoreModelKind,
    ScoreVersionState,
    TrainingState,
)
from models.scoring import ScoreModelVersion as ScoreModelVersionRow
from models.scoring import ScoreTraining as ScoreTrainingRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.errors import UserError, user_error
from schema.fields import by_id, column, computed, noun, relation
from schema.filters import BooleanFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
LAST_MEASURED = (Order("measured_at", descending=True),)
BY_NAME = (Order("name"),)
MOST_HISTORY = 100
# What an entry of the history tells beside the score.
STOOD = ("grade", "engagement", "win_probability")
HISTORY = """
SELECT subject_id, told.occurred_at, told.score, told.changes, lead.grade, lead.engagement, lead.win_probability
FROM (
    SELECT subject_id, occurred_at, data -> 'after' ->> 'score' AS score, data -> 'changes' AS changes,
           row_number() OVER (PARTITION BY subject_id ORDER BY seq DESC) AS place
    FROM event
    WHERE workspace_id = $1 AND subject_type = 'lead' AND subject_id = ANY($2::uuid[]) AND name = 'lead.scored'
) AS told JOIN lead ON lead.id = subject_id
WHERE place <= $3 ORDER BY subject_id, place
"""

described(
    ScoreModelKind,
    "How a model scores.",
    RULES="By points for conditions that people set.",
    LEARNED="By what it has learned from leads that were won and lost.",
)
described(
    ScoreVersionState,
    "How it stands with a version of a model.",
    CANDIDATE="It can be put into use.",
    ACTIVE="It scores, where its model is active.",
    RETIRED="It scored before another version did.",
    REJECTED="It foretells no better than what was in use, or was rolled back.",
)
described(
    TrainingState,
    "How it stands with a training.",
    QUEUED="A worker will take it.",
    RUNNING="It is under way: progress and step say how far.",
    DONE="It has made a version.",
    FAILED="It has made nothing: failure says why.",
    CANCELLED="Somebody ended it; it has made nothing.",
)
described(
    Dimension,
    "What a group of rules is about.",
    FIT="Who they are: it makes the grade, A to D.",
    ENGAGEMENT="What they do: it makes the engagement, 1 to 4.",
)
described(
    Check,
    "How a field is tested.",
    KNOWN="It is known.",
    UNKNOWN="It is not known.",
    IS="It is one of values; case does not count.",
    IS_NOT="It is known, and none of values.",
    HAS="One of values is among what it has, or among its words.",
    BETWEEN="It is at least least and less than most; either may be left out.",
)
described(
    ColumnKind,
    "What a field of leads holds.",
    NUMBER="A number: test it by BETWEEN.",
    CATEGORY="One of several texts: test it by IS and IS_NOT.",
    SET="Several texts: test them by HAS.",
    WORDS="What people wrote: test its words by HAS.",
)


@strawberry.type(description="What must hold for points to be earned.")
class ScoreCondition:
    field: str = strawberry.field(description="The key of what is looked at: one of scoreFields.")
    check: Check = strawberry.field(description="How it is tested.")
    values: list[str] = strawberry.field(description="The texts that it is tested against.")
    least: float | None = strawberry.field(description="The least number that passes.")
    most: float | None = strawberry.field(description="The first number that is too great.")
    within_days: float | None = strawberry.field(description="Only activities of the last days count.")
    half_life_days: float | None = strawberry.field(
        description="Each activity counts half as much after so many days; the points are earned in proportion."
    )


@strawberry.type(description="Points for a condition.")
class ScoreRule:
    label: str = strawberry.field(description="What it says, in words that a seller understands.")
    points: float = strawberry.field(description="How many points it gives; less than none takes some.")
    condition: ScoreCondition = strawberry.field(description="When.")


@strawberry.type(description="Rules that together give and take only so much.")
class ScoreRuleGroup:
    label: str = strawberry.field(description="What it is about.")
    dimension: Dimension = strawberry.field(description="Whether it counts for the grade or for the engagement.")
    cap: float = strawberry.field(description="The most points that it gives.")
    floor: float = strawberry.field(description="The most points that it takes.")
    rules: list[ScoreRule] = strawberry.field(description="Its rules.")


@strawberry.type(description="A model by rules.")
class ScoreRules:
    groups: list[ScoreRuleGroup] = strawberry.field(description="Its groups; a score is their sum, from 0 to 100.")
    grades: list[float] = strawberry.field(
        description="From which shares of what the groups of FIT can give a lead is an A, a B and a C."
    )
    levels: list[float] = strawberry.field(
        description="From which shares of what the groups of ENGAGEMENT can give a lead is engaged as 1, 2 and 3."
    )


@strawberry.type(description="How a model learns.")
class ScoreLearning:
    age_days: int = strawberry.field(description="It learns from leads as they stood at this age, in days.")
    trusted: list[str] = strawberry.field(
        description="Keys of fields that it learns from though they seem to know the outcome."
    )
    left_out: list[str] = strawberry.field(description="Keys of fields that it does not look at.")
    every_days: int | None = strawberry.field(description="It is trained anew after so many days; null: by hand.")


def _rules(kind: ScoreModelKind, content: Mapping[str, Any]) -> ScoreRules | None:
    """Return rules from their JSON."""
    if kind is not ScoreModelKind.RULES:
        return None
    return rules_of(content)


def rules_of(content: Mapping[str, Any]) -> ScoreRules:
    made = Rules.of_json(content)
    return ScoreRules(
        groups=[
            ScoreRuleGroup(
                label=group.label,
                dimension=group.dimension,
                cap=group.cap,
                floor=group.floor,
                rules=[
                    ScoreRule(
                        label=rule.label,
                        points=rule.points,
                        condition=ScoreCondition(
                            field=rule.condition.field,
                            check=rule.condition.check,
                            values=list(rule.condition.values),
                            least=rule.condition.least,
                            most=rule.condition.most,
                            within_days=rule.condition.within_days,
                            half_life_days=rule.condition.half_life_days,
                        ),
                    )
                    for rule in group.rules
                ],
            )
            for group in made.groups
        ],
        grades=list(made.grades),
        levels=list(made.levels),
    )


def _learning(kind: ScoreModelKind, content: Mapping[str, Any]) -> ScoreLearning | None:
    """Return how a model learns from its JSON."""
    if kind is not ScoreModelKind.LEARNED:
        return None
    return ScoreLearning(
        age_days=content.get("age_days", score_models.AGE_DAYS),
        trusted=list(content.get("trusted", ())),
        left_out=list(content.get("left_out", ())),
        every_days=content.get("every_days"),
    )


@strawberry.type(description="Leads of which alike was foretold.")
class ScoreSlice:
    leads: int = strawberry.field(description="How many they are.")
    predicted: float = strawberry.field(description="What was foretold on average, 0 to 1.")
    won: float = strawberry.field(description="What share of them was won.")


@strawberry.type(description="A tenth of the leads, by what was foretold.")
class ScoreDecile:
    leads: int = strawberry.field(description="How many they are.")
    won: int = strawberry.field(description="How many of them were won.")
    win_rate: float = strawberry.field(description="What share that is.")
    lift: float = strawberry.field(description="Their win rate against that of all.")


@strawberry.type(description="How well leads were foretold that a model had not seen.")
class ScoreQuality:
    leads: int = strawberry.field(description="How many leads: the newest, which were held out.")
    won: int = strawberry.field(description="How many of them were won.")
    auc: float = strawberry.field(
        description="How often a won lead ranks above one that was not: 0.5 is chance, 1 perfect."
    )
    auc_low: float = strawberry.field(description="Where its 95 percent interval begins (Hanley and McNeil 1982).")
    auc_high: float = strawberry.field(description="Where it ends.")
    brier: float = strawberry.field(description="The mean squared difference of probability and outcome; 0 is perfect.")
    brier_of_rate: float = strawberry.field(description="The same of saying the share of won leads for each.")
    log_loss: float = strawberry.field(description="The mean negative log-likelihood, in nats.")
    top_fifth: float = strawberry.field(description="What share of the won leads stood in the top fifth.")
    calibration: list[ScoreSlice] = strawberry.field(description="What was foretold and what came, the lowest first.")
    deciles: list[ScoreDecile] = strawberry.field(description="The tenths, the most promising first.")


@strawberry.type(description="How a kind of model did over the folds of cross-validation.")
class ScoreComparison:
    kind: str = strawberry.field(description="LOGISTIC or BOOSTING.")
    auc: float = strawberry.field(description="Its AUC.")
    log_loss: float = strawberry.field(description="Its log loss; the lowest was chosen.")


@strawberry.type(description="A field that was not learned from.")
class ScoreDroppedField:
    key: str = strawberry.field(description="Its key.")
    label: str = strawberry.field(description="Its label.")
    why: str = strawberry.field(
        description="EMPTY: none says anything. NO_RATE: all amounts are in currencies without an exchange rate, which "
        "unrated names. CONSTANT: nearly all say the same. SPARSE: too few say anything. "
        "DISTINCT: nearly each says something of its own, as numbers do that count leads. LEAKING: it alone tells "
        "outcomes apart so well that it must have been written with them; name it in trusted to learn from it all the "
        "same."
    )
    auc: float | None = strawberry.field(description="How well it alone tells outcomes apart, where that is why.")


@strawberry.type(description="A field that was learned from, and tells much by itself.")
class ScoreSuspectedField:
    key: str = strawberry.field(description="Its key.")
    label: str = strawberry.field(description="Its label.")
    auc: float = strawberry.field(description="How well it alone tells outcomes apart, as an AUC.")


@strawberry.type(description="A field with amounts that counted as unknown, for want of an exchange rate.")
class ScoreUnratedField:
    key: str = strawberry.field(description="Its key.")
    label: str = strawberry.field(description="Its label.")
    currencies: list[str] = strawberry.field(description="The currencies without a rate.")
    leads: int = strawberry.field(description="How many leads have such an amount.")
    message: str = strawberry.field(description="What is missing, of which day, and what to do.")


@strawberry.type(description="What a version was judged by.")
class ScoreReport:
    kind: str = strawberry.field(description="What was learned: LOGISTIC or BOOSTING.")
    quality: ScoreQuality = strawberry.field(description="How it did on the leads held out.")
    rival: ScoreQuality | None = strawberry.field(
        description="How the version in use then did on those of them that it had not learned from either; null where "
        "there was none, or they were too few."
    )
    compared: list[ScoreComparison] = strawberry.field(description="What was tried.")
    held_out: str = strawberry.field(
        description="NEWEST: it was judged by the newest leads. RANDOM: by any, since all were born at once, as in a "
        "file without dates, or the newest have ended alike."
    )
    dropped: list[ScoreDroppedField] = strawberry.field(description="What was not learned from.")
    suspected: list[ScoreSuspectedField] = strawberry.field(
        description="What was learned from, and tells outcomes apart with an AUC of 0.8 or more alone: if it is filled "
        "in once people know how a lead ends, name it in leftOut; if not, in trusted."
    )
    unrated: list[ScoreUnratedField] = strawberry.field(
        description="Where amounts counted as unknown, for want of an exchange rate."
    )


def _quality(data: Mapping[str, Any]) -> ScoreQuality:
    lists = {
        "calibration": [ScoreSlice(**one) for one in data["calibration"]],
        "deciles": [ScoreDecile(**one) for one in data["deciles"]],
    }
    return ScoreQuality(**({name: value for name, value in data.items() if name not in lists} | lists))


def _report(report: Mapping[str, Any]) -> ScoreReport | None:
    """Return a report from its JSON; None of rules."""
    if not report:
        return None
    return ScoreReport(
        kind=report["kind"],
        quality=_quality(report["quality"]),
        rival=_quality(report["rival"]) if report["rival"] else None,
        compared=[
            ScoreComparison(kind=kind, auc=one["auc"], log_loss=one["log_loss"])
            for kind, one in report["compared"].items()
        ],
        held_out=report.get("held_out", "NEWEST"),
        dropped=[ScoreDroppedField(**one) for one in report["dropped"]],
        suspected=[
            ScoreSuspectedField(key=one["key"], label=one["label"], auc=one["auc"])
            for one in report.get("suspected", ())
        ],
        unrated=[_unrated(one) for one in report.get("unrated", ())],
    )


def _unrated(one: Mapping[str, Any]) -> ScoreUnratedField:
    shown = {name: one[name] for name in ("key", "label", "currencies", "leads")}
    return ScoreUnratedField(**shown, message=ScoreAmountsUnrated.of(one).message)


def _version_rules(content: Mapping[str, Any]) -> ScoreRules | None:
    """Return the rules of a version; None of one that was learned."""
    return rules_of(content) if "groups" in content else None


def _json(content: Mapping[str, Any]) -> JSON:
    return JSON(dict(content))


@noun(ScoreModelVersionRow, description="A model as it was published or trained, which never changes again.")
class ScoreModelVersion(Node):
    number: int = column("Counts from 1.")
    state: ScoreVersionState = column("How it stands.")
    rules: ScoreRules | None = computed(_version_rules, "Its rules, where it is by rules.", needs=("content",))
    content: JSON = computed(
        _json,
        "All of it as plain values: rules, or the terms of what was learned, to be kept or used elsewhere.",
        needs=("content",),
    )
    report: ScoreReport | None = computed(_report, "How good it is, where it was learned.", needs=("report",))
    leads: int | None = column("From how many leads it was learned.")
    won: int | None = column("How many of them were won.")
    window_from: datetime | None = column("When the first of them was born.")
    window_to: datetime | None = column("When the last of them was closed.")
    created_at: datetime = column("When it was made.")
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who published it or asked for it.", by="created_by_id"
    )
    activated_at: datetime | None = column("When it was last put into use.")
    retired_at: datetime | None = column("When it was taken out of use; null while it is in use.")
    model: Annotated["ScoreModel", strawberry.lazy("schema.score_models")] | None = relation(
        ScoreModelRow, "The model.", by="model_id"
    )


def _failure(failure: Mapping[str, Any] | None) -> str | None:
    return failure["message"] if failure else None


def _failure_code(failure: Mapping[str, Any] | None) -> str | None:
    return failure["code"] if failure else None


def _float(progress: Decimal) -> float:
    return float(progress)


@noun(ScoreTrainingRow, description="One run of learning.")
class ScoreTraining(Node):
    state: TrainingState = column("How it stands.")
    progress: float = computed(_float, "How far it is, 0 to 1.", needs=("progress",))
    step: str | None = column("What it does.")
    failure_code: str | None = computed(_failure_code, "The code of why it failed.", needs=("failure",))
    failure: str | None = computed(_failure, "Why it failed, and what to do.", needs=("failure",))
    model: Annotated["ScoreModel", strawberry.lazy("schema.score_models")] | None = relation(
        ScoreModelRow, "The model.", by="model_id"
    )
    model_version: ScoreModelVersion | None = relation(ScoreModelVersionRow, "What it has made.", by="model_version_id")
    requested_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked for it; null: its schedule.", by="requested_by_id"
    )
    created_at: datetime = column("When it was asked for.")
    started_at: datetime | None = column("When a worker took it, last.")
    ended_at: datetime | None = column("When it ended.")


@strawberry.type(description="How far the leads of late differ in one field.")
class ScoreDriftField:
    key: str = strawberry.field(description="Its key.")
    label: str = strawberry.field(description="Its label.")
    stability: float = strawberry.field(description="Its population stability index.")


def _drift_fields(columns: Sequence[Mapping[str, Any]]) -> list[ScoreDriftField]:
    return [ScoreDriftField(**one) for one in columns]


def _maybe_float(auc: Decimal | None) -> float | None:
    return None if auc is None else float(auc)


@noun(ScoreDriftRow, description="How far the leads of late differ from those that a version learned from.")
class ScoreDrift(Node):
    measured_at: datetime = column("When it was measured.")
    leads: int = column("How many leads of late were looked at.")
    stability: float = computed(
        _float,
        "The greatest population stability index of a field: under 0.1 all is as it was, from 0.25 much has changed.",
        needs=("stability",),
    )
    fields: list[ScoreDriftField] = computed(_drift_fields, "Each field, the furthest first.", needs=("columns",))
    auc: float | None = computed(
        _maybe_float, "How well leads were foretold that ended since; null where too few have.", needs=("auc",)
    )
    is_drifting: bool = column("Whether the model should be trained anew.")
    model_version: ScoreModelVersion | None = relation(ScoreModelVersionRow, "The version.", by="model_version_id")


@noun(ScoreModelRow, description="What scores leads: by rules, or by what it has learned.")
class ScoreModel(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_SCORING, delete=Action.MANAGE_SCORING)
    name: str = column("What it is called.")
    kind: ScoreModelKind = column("How it scores.")
    active: bool = column("Whether it is in use: at most one of a kind is.")
    rules: ScoreRules | None = computed(
        _rules, "Its rules as they are drafted, where it is by rules.", needs=("kind", "content")
    )
    learning: ScoreLearning | None = computed(_learning, "How it learns, where it does.", needs=("kind", "content"))
    versions: Connection[ScoreModelVersion] = connection(
        "ScoreModelVersion",
        "schema.score_models",
        model=ScoreModelVersionRow,
        default=NEWEST,
        by="model_id",
        plain=True,
        description="What was published or trained, the newest first.",
    )
    trainings: Connection[ScoreTraining] = connection(
        "ScoreTraining",
        "schema.score_models",
        model=ScoreTrainingRow,
        default=NEWEST,
        by="model_id",
        plain=True,
        description="Its trainings, the newest first.",
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null before.")


@strawberry.type(description="What rules can look at and models learn from.")
class ScoreField:
    key: str = strawberry.field(description="What conditions name it by.")
    label: str = strawberry.field(description="What people call it.")
    kind: ColumnKind = strawberry.field(description="What it holds.")
    unit: str | None = strawberry.field(description="What its numbers count.")


@strawberry.type(description="How many leads there are to learn from.")
class ScoreOutcomes:
    won: int = strawberry.field(description="How many were won.")
    lost: int = strawberry.field(description="How many were lost or disqualified.")
    needed: int = strawberry.field(description="How many of each learning takes.")
    missing: int = strawberry.field(description="How many more have to be closed, each as what is short.")


@strawberry.type(description="How rules would have scored leads, when they were new, that are closed by now.")
class ScoreModelPreview:
    leads: int = strawberry.field(description="How many leads: the newest that are closed.")
    won: int = strawberry.field(description="How many of them were won.")
    auc: float | None = strawberry.field(
        description="How often a won lead scored above one that was not: 0.5 is chance; null without both."
    )
    auc_low: float | None = strawberry.field(description="Where its 95 percent interval begins.")
    auc_high: float | None = strawberry.field(description="Where it ends.")
    top_fifth: float | None = strawberry.field(description="What share of the won leads scored in the top fifth.")
    deciles: list[ScoreDecile] = strawberry.field(description="The tenths by score, the highest first.")
    problems: list[UserError] = strawberry.field(description="What holds of the rules no more: fields that are gone.")


@strawberry.type(description="A score that a lead had.")
class ScoreHistoryEntry:
    scored_at: datetime = strawberry.field(description="From when on.")
    score: int | None = strawberry.field(description="Its score, 0 to 100.")
    grade: Grade | None = strawberry.field(description="Its grade then; null before it had one.")
    engagement: int | None = strawberry.field(description="Its engagement then, 1 (most) to 4; null before it had one.")
    win_probability: float | None = strawberry.field(
        description="How likely it was to be won, 0 to 1; null where no learned model was in use."
    )


async def score_history(
    rows: Sequence[Any],
    info: Info,
    first: Annotated[int, strawberry.argument(description="How many, 1 to 100.")] = 20,
) -> list[list[ScoreHistoryEntry]]:
    """Return the scores that leads had, the last first, in one statement for all of them."""
    most = max(1, min(first, MOST_HISTORY))
    found: dict[UUID, list[ScoreHistoryEntry]] = {}
    stood: dict[UUID, dict[str, Any]] = {}
    for told in await read(HISTORY, info.context.actor.workspace_id, [row.id for row in rows], most):
        # An event says only what it changed: the rest was as the next one, which is read before it, found it.
        after = stood.get(told["subject_id"]) or {name: told[name] for name in STOOD}
        changes = {name: change for name, change in orjson.loads(told["changes"]).items() if name in STOOD}
        stood[told["subject_id"]] = after | {name: was for name, (was, _) in changes.items()}
        found.setdefault(told["subject_id"], []).append(
            _history_entry(told, after | {name: became for name, (_, became) in changes.items()})
        )
    return [found.get(row.id, []) for row in rows]


def _history_entry(told: Record, then: Mapping[str, Any]) -> ScoreHistoryEntry:
    grade, chance = then["grade"], then["win_probability"]
    return ScoreHistoryEntry(
        scored_at=told["occurred_at"],
        score=None if told["score"] is None else int(told["score"]),
        grade=Grade(grade) if grade else None,
        engagement=then["engagement"],
        win_probability=None if chance is None else float(chance),
    )


@strawberry.input(description="Which score models.")
class ScoreModelFilter:
    id: IDFilter | None = on("By id.", "id", noun="ScoreModel")
    name: StringFilter | None = on("By name.", "name")
    kind: EnumFilter[ScoreModelKind] | None = on("By how they score.", "kind")
    active: BooleanFilter | None = on("By whether they are in use.", "active")
    archived_at: DateTimeFilter | None = on("By when they were archived; null is: not.", "archived_at")
    and_: "list[ScoreModelFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ScoreModelFilter] | None" = junction("or", "Any of these passes.")
    not_: "ScoreModelFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What score models can be ordered by.")
class ScoreModelOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of score models.")
class ScoreModelOrder:
    field: ScoreModelOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def _require_sight(info: Info) -> None:
    if policy.scope(info.context.actor, ScoreModelRow) == NONE:
        raise Forbidden(action="see score models")


@strawberry.type
class ScoreModelQueries:
    score_models: Connection[ScoreModel] = connection(
        "ScoreModel",
        "schema.score_models",
        model=ScoreModelRow,
        default=BY_NAME,
        description="The workspace's own score models, by name; without one that is active, leads are scored by the "
        "rules that ship with Salescycle.",
    )

    score_model: ScoreModel | None = by_id(ScoreModelRow, "ScoreModel", "A score model.")

    score_drift: Connection[ScoreDrift] = connection(
        "ScoreDrift",
        "schema.score_models",
        model=ScoreDriftRow,
        default=LAST_MEASURED,
        plain=True,
        description="How far leads have moved from those that learned models know, the latest first; measured nightly.",
    )

    @strawberry.field(description="What rules can look at and models learn from, custom fields and answers included.")
    async def score_fields(self, info: Info) -> list[ScoreField]:
        _require_sight(info)
        known = await catalogue(info.context.actor.workspace_id)
        return [
            ScoreField(key=field.key, label=field.label, kind=field.kind, unit=field.unit)
            for field in known.fields.values()
        ]

    @strawberry.field(description="How many leads there are to learn from, and how many it takes.")
    async def score_outcomes(self, info: Info) -> ScoreOutcomes:
        _require_sight(info)
        found = await score_trainings.outcomes(info.context.actor.workspace_id)
        return ScoreOutcomes(won=found.won, lost=found.lost, needed=found.needed, missing=found.missing)

    @strawberry.field(
        description="How the drafted rules of a model would have scored leads that are closed by now, as they stood "
        "when they were new. Null where the model may not be seen, or learns."
    )
    async def score_model_preview(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The model.")],
        age_days: Annotated[int, strawberry.argument(description="How many days old the leads were, 0 to 365.")] = 14,
    ) -> ScoreModelPreview | None:
        row = await info.context.row(ScoreModelRow, ids.decode(id, "ScoreModel"))
        if row is None or row.kind is not ScoreModelKind.RULES:
            return None
        found = await score_models.preview(info.context.actor, row, age_days=age_days, now=info.context.now)
        return ScoreModelPreview(
            leads=found.leads,
            won=found.won,
            auc=found.auc,
            auc_low=found.auc_low,
            auc_high=found.auc_high,
            top_fifth=found.top_fifth,
            deciles=[ScoreDecile(**decile) for decile in found.deciles],
            problems=[user_error(fault) for fault in found.problems],
        )
