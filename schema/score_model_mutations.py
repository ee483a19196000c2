"""What can be done with score models, in the schema: translate in, translate out."""

from typing import Annotated, Any, ClassVar

import strawberry

from domain import score_models, score_trainings
from domain.score_models import AGE_DAYS, Learning, ModelDetails
from domain.scoring.rule_inputs import GivenRules
from domain.scoring.rules import Check, Condition, Dimension, Group, Rule
from domain.unset import UNSET
from models.scoring import ScoreModelKind
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id
from schema.score_models import ScoreModel, ScoreModelVersion, ScoreTraining


@strawberry.input(description="What must hold for points to be earned.")
class ScoreConditionInput:
    field: str = strawberry.field(description="The key of what is looked at: one of scoreFields.")
    check: Check = strawberry.field(description="How it is tested; which ways there are follows from the field's kind.")
    values: list[str] = strawberry.field(
        default_factory=list, description="The texts that it is tested against, at most 200, for IS, IS_NOT and HAS."
    )
    least: float | None = strawberry.field(default=None, description="The least number that passes, for BETWEEN.")
    most: float | None = strawberry.field(default=None, description="The first number that is too great, for BETWEEN.")
    within_days: float | None = strawberry.field(
        default=None, description="Count only activities of the last days; for fields that count activities."
    )
    half_life_days: float | None = strawberry.field(
        default=None,
        description="Let each activity count half as much after so many days, and the points be earned in proportion "
        "to least. Within a group one field has one half-life.",
    )


@strawberry.input(description="Points for a condition.")
class ScoreRuleInput:
    label: str = strawberry.field(description="What it says, in words that a seller understands.")
    points: float = strawberry.field(description="How many points it gives, or takes: -100 to 100.")
    condition: ScoreConditionInput = strawberry.field(description="When.")


@strawberry.input(description="Rules that together give and take only so much.")
class ScoreRuleGroupInput:
    label: str = strawberry.field(description="What it is about.")
    dimension: Dimension = strawberry.field(description="Whether it counts for the grade or for the engagement.")
    cap: float = strawberry.field(description="The most points that it gives, 0 to 100.")
    floor: float = strawberry.field(default=100.0, description="The most points that it takes, 0 to 100.")
    rules: list[ScoreRuleInput] = strawberry.field(description="Its rules, at most 50.")


@strawberry.input(description="A model by rules, all of it.")
class ScoreRulesInput:
    groups: list[ScoreRuleGroupInput] = strawberry.field(description="Its groups, at most 20.")
    grades: list[float] = strawberry.field(
        default_factory=lambda: [0.75, 0.5, 0.25],
        description="From which shares of what the groups of FIT can give a lead is an A, a B and a C: three numbers.",
    )
    levels: list[float] = strawberry.field(
        default_factory=lambda: [0.75, 0.5, 0.25],
        description="From which shares of what the groups of ENGAGEMENT can give a lead is engaged as 1, 2 and 3.",
    )


@strawberry.input(description="How a model learns, all of it.")
class ScoreLearningInput:
    age_days: int = strawberry.field(
        default=AGE_DAYS, description="It learns from leads as they stood at this age, 0 to 365 days."
    )
    trusted: list[str] = strawberry.field(
        default_factory=list,
        description="Fields that it learns from though they seem to know the outcome, by their keys or labels; at most "
        "500.",
    )
    left_out: list[str] = strawberry.field(
        default_factory=list, description="Fields that it does not look at, by their keys or labels; at most 500."
    )
    every_days: int | None = strawberry.field(
        default=7, description="It is trained anew after so many days, 1 to 365; null: by hand alone."
    )


@strawberry.input(description="A score model to make.")
class CreateScoreModelInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters.")
    kind: ScoreModelKind = strawberry.field(description="How it scores.")
    rules: ScoreRulesInput | None = optional(
        "Its rules, where it is by rules; those that ship with Salescycle if left out."
    )
    learning: ScoreLearningInput | None = optional("How it learns, where it does.")


@strawberry.input(description="A change of a score model's draft; what is left out stays as it is.")
class UpdateScoreModelInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The model.")
    name: str | None = optional("What it is called, at most 200 characters.")
    rules: ScoreRulesInput | None = optional("All its rules, in place of what they were; null changes nothing.")
    learning: ScoreLearningInput | None = optional("How it learns, all of it; null changes nothing.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A score model to publish.")
class PublishScoreModelInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The model, which is by rules.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A score model to use no more.")
class ArchiveScoreModelInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The model.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A score model to train.")
class TrainScoreModelInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The model, which learns.")


@strawberry.input(description="A training to end.")
class CancelScoreTrainingInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The training.")


@strawberry.input(description="A version to put into use.")
class PromoteScoreModelInput(MutationInput):
    version_id: strawberry.ID = strawberry.field(description="The version, which was learned.")


@strawberry.input(description="A score model to take back.")
class RollbackScoreModelInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The model.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A score model after a mutation.")
class ScoreModelPayload(Payload):
    stale_field: ClassVar[str] = "score_model"
    score_model: ScoreModel | None = strawberry.field(
        default=None, description="The model; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="What scores leads from now on.")
class ScoreModelVersionPayload(Payload):
    score_model_version: ScoreModelVersion | None = strawberry.field(
        default=None, description="The version; open leads are scored by it within seconds or, where many, minutes."
    )


@strawberry.type(description="A training after a mutation.")
class ScoreTrainingPayload(Payload):
    score_training: ScoreTraining | None = strawberry.field(default=None, description="The training.")


def _rules(value: Any) -> Any:
    """Return rules as the domain takes them: its own mark where none are given."""
    if value is None or value is strawberry.UNSET:
        return UNSET
    groups = [
        Group("", group.label, group.dimension, group.cap, tuple(map(_rule, group.rules)), group.floor)
        for group in value.groups
    ]
    return GivenRules(groups=groups, grades=tuple(value.grades), levels=tuple(value.levels))


def _rule(rule: ScoreRuleInput) -> Rule:
    one = rule.condition
    condition = Condition(
        one.field, one.check, tuple(one.values), one.least, one.most, one.within_days, one.half_life_days
    )
    return Rule("", rule.label, rule.points, condition)


def _learning(value: Any) -> Any:
    if value is None or value is strawberry.UNSET:
        return UNSET
    return Learning(
        age_days=value.age_days,
        trusted=tuple(value.trusted),
        left_out=tuple(value.left_out),
        every_days=value.every_days,
    )


def _details(input: CreateScoreModelInput | UpdateScoreModelInput) -> ModelDetails:
    return ModelDetails(name=given(input.name), rules=_rules(input.rules), learning=_learning(input.learning))


@strawberry.type
class ScoreModelMutations:
    @strawberry.mutation(description="Make a score model, which scores nothing until it is published or promoted.")
    @reports_user_errors
    async def create_score_model(
        self, info: Info, input: Annotated[CreateScoreModelInput, about("The model.")]
    ) -> ScoreModelPayload:
        row = await score_models.create(
            info.context.actor,
            input.kind,
            _details(input),
            id=ids.decode_new(input.id, "ScoreModel"),
            now=info.context.now,
        )
        return ScoreModelPayload(score_model=shown(row))

    @strawberry.mutation(description="Change a score model's draft; what is in use stays as it is.")
    @reports_user_errors
    async def update_score_model(
        self, info: Info, input: Annotated[UpdateScoreModelInput, about("The change.")]
    ) -> ScoreModelPayload:
        row = await score_models.update(
            info.context.actor,
            ids.decode(input.id, "ScoreModel"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ScoreModelPayload(score_model=shown(row))

    @strawberry.mutation(description="Score all open leads by a model's rules as they are drafted.")
    @reports_user_errors
    async def publish_score_model(
        self, info: Info, input: Annotated[PublishScoreModelInput, about("The model.")]
    ) -> ScoreModelVersionPayload:
        row = await score_models.publish(
            info.context.actor,
            ids.decode(input.id, "ScoreModel"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ScoreModelVersionPayload(score_model_version=shown(row))

    @strawberry.mutation(description="Use a score model no more.")
    @reports_user_errors
    async def archive_score_model(
        self, info: Info, input: Annotated[ArchiveScoreModelInput, about("The model.")]
    ) -> ScoreModelPayload:
        row = await score_models.archive(
            info.context.actor,
            ids.decode(input.id, "ScoreModel"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ScoreModelPayload(score_model=shown(row))

    @strawberry.mutation(
        description="Have a model learn from the leads that were closed; a worker does it, and puts what it learned "
        "into use where that foretells better than what is in use."
    )
    @reports_user_errors
    async def train_score_model(
        self, info: Info, input: Annotated[TrainScoreModelInput, about("The model.")]
    ) -> ScoreTrainingPayload:
        row = await score_trainings.request(
            info.context.actor, ids.decode(input.id, "ScoreModel"), now=info.context.now
        )
        return ScoreTrainingPayload(score_training=shown(row))

    @strawberry.mutation(description="End a training, which leaves nothing.")
    @reports_user_errors
    async def cancel_score_training(
        self, info: Info, input: Annotated[CancelScoreTrainingInput, about("The training.")]
    ) -> ScoreTrainingPayload:
        row = await score_trainings.cancel(
            info.context.actor, ids.decode(input.id, "ScoreTraining"), now=info.context.now
        )
        return ScoreTrainingPayload(score_training=shown(row))

    @strawberry.mutation(description="Score all open leads by a version that was learned.")
    @reports_user_errors
    async def promote_score_model(
        self, info: Info, input: Annotated[PromoteScoreModelInput, about("The version.")]
    ) -> ScoreModelVersionPayload:
        row = await score_models.promote(
            info.context.actor,
            ids.decode(input.version_id, "ScoreModelVersion", field="versionId"),
            now=info.context.now,
        )
        return ScoreModelVersionPayload(score_model_version=shown(row))

    @strawberry.mutation(description="Score all open leads by the version that was in use before.")
    @reports_user_errors
    async def rollback_score_model(
        self, info: Info, input: Annotated[RollbackScoreModelInput, about("The model.")]
    ) -> ScoreModelVersionPayload:
        row = await score_models.roll_back(
            info.context.actor,
            ids.decode(input.id, "ScoreModel"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ScoreModelVersionPayload(score_model_version=shown(row))
