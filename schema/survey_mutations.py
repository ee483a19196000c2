"""What can be done with surveys, in the schema: translate in, translate out."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import strawberry

from domain import questionnaires, survey_dispatches, surveys
from domain.errors import BadUserInput
from domain.questionnaires import Condition, Operator, Option, QuestionType
from domain.surveys import SurveyDetails
from domain.unset import UNSET
from models.surveys import SurveyKind
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, given_id, optional, shown
from schema.inputs import about, expected_version, own_id
from schema.scalars import JSON
from schema.surveys import Survey, SurveyDispatch


@strawberry.input(description="What an earlier answer must be for a question to be asked.")
class QuestionConditionInput:
    question: str = strawberry.field(description="The key of a question before this one.")
    operator: Operator = strawberry.field(description="How its answer is tested.")
    value: JSON | None = strawberry.field(default=None, description="Against what.")


@strawberry.input(description="What there is to choose from at a question.")
class QuestionChoiceInput:
    key: str = strawberry.field(description="What answers take: letters a to z, digits and _.")
    text: JSON = strawberry.field(description="What a person reads, by language: {en: …, de: …}.")


@strawberry.input(description="One question of a survey.")
class SurveyQuestionInput:
    key: str = strawberry.field(description="What answers and conditions name it by: letters a to z, digits and _.")
    type: QuestionType = strawberry.field(description="What it is answered with.")
    text: JSON = strawberry.field(description="What is asked, by language: {en: …, de: …}.")
    hint: JSON | None = strawberry.field(default=None, description="What helps to answer it.")
    required: bool = strawberry.field(default=False, description="Whether it has to be answered where it is asked.")
    least: int | None = strawberry.field(default=None, description="Where its scale begins: 0 or more.")
    most: int | None = strawberry.field(default=None, description="Where its scale ends: at most 10.")
    least_label: JSON | None = strawberry.field(default=None, description="What the beginning of its scale means.")
    most_label: JSON | None = strawberry.field(default=None, description="What the end of its scale means.")
    choices: list[QuestionChoiceInput] | None = strawberry.field(
        default=None, description="What there is to choose from, 2 to 30."
    )
    conditions: list[QuestionConditionInput] | None = strawberry.field(
        default=None, description="It is asked where all of these hold, at most 5."
    )


@strawberry.input(description="What people say of a survey.")
class SurveyFields(MutationInput):
    title: JSON | None = optional("What stands above it, by language; null is nothing.")
    intro: JSON | None = optional("What is said before the first question, by language; null is nothing.")
    thanks: JSON | None = optional("What is said at the end, by language; null is nothing.")
    questions: list[SurveyQuestionInput] | None = optional(
        "What is asked, at most 30; the first one of NPS, CSAT and CES is its scale. Null changes nothing, and a new "
        "survey without them asks what is usual for its kind."
    )
    after_sale: bool | None = optional("Whether won leads ask by themselves; not at first.")
    pipeline_id: strawberry.ID | None = optional("The pipeline whose won leads ask; null: all.")
    delay_days: int | None = optional("How many days after the sale, 0 to 730; null is 30.")
    sample_percent: int | None = optional("About how many of a hundred sales are asked about; null is 100.")
    pause_days: int | None = optional(
        "For how many days nobody is asked who was asked by any survey, 0 to 730; null is 90."
    )
    most_reminders: int | None = optional("How often somebody is reminded at most, 0 to 5; null is 1.")
    reminder_days: int | None = optional("After how many days, 1 to 90; null is 7.")
    expires_days: int | None = optional("For how many days it can be answered, 1 to 365; null is 30.")
    detractor_most: int | None = optional("Up to which score somebody is a detractor; null: nobody is.")
    promoter_least: int | None = optional("From which score on somebody is a promoter; null: nobody is.")
    detractor_follow_up: bool | None = optional("Whether a detractor opens a follow-up; null: yes.")
    asks_referral: bool | None = optional("Whether a promoter is asked whom they would recommend; null: yes.")


@strawberry.input(description="A survey to make.")
class CreateSurveyInput(SurveyFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called among colleagues, at most 200 characters.")
    kind: SurveyKind = strawberry.field(description="What it measures.")


@strawberry.input(description="A change of a survey; what is left out stays as it is.")
class UpdateSurveyInput(SurveyFields):
    id: strawberry.ID = strawberry.field(description="The survey.")
    name: str | None = optional("What it is called among colleagues, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A survey whose draft is to be published.")
class PublishSurveyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The survey.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A survey to archive.")
class ArchiveSurveyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The survey.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived survey to bring back.")
class RestoreSurveyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The survey.")


@strawberry.input(description="Whom to send a survey: leads and contacts, together at most 500.")
class DispatchSurveyInput(MutationInput):
    survey_id: strawberry.ID = strawberry.field(description="The survey, which has been published.")
    lead_ids: list[strawberry.ID] | None = optional("Leads, whose primary contacts are asked.")
    contact_ids: list[strawberry.ID] | None = optional("Contacts.")
    at: datetime | None = optional("When it goes out; at once unless given.")


@strawberry.input(description="A survey for one person that is to be cancelled.")
class CancelSurveyDispatchInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The dispatch.")


@strawberry.type(description="A survey after a mutation.")
class SurveyPayload(Payload):
    stale_field: ClassVar[str] = "survey"
    survey: Survey | None = strawberry.field(
        default=None, description="The survey; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="Whom a survey goes to.")
class DispatchSurveyPayload(Payload):
    dispatches: list[SurveyDispatch] = strawberry.field(
        default_factory=list, description="Each person's: those who cannot be asked have one that says why."
    )


@strawberry.type(description="A survey for one person after a mutation.")
class SurveyDispatchPayload(Payload):
    dispatch: SurveyDispatch | None = strawberry.field(default=None, description="The dispatch; null on errors.")


def _texts(texts: Any) -> dict[str, str]:
    """Return a text by its languages; what is none is refused."""
    if texts is None:
        return {}
    fits = isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())
    if not fits:
        raise BadUserInput(reason='a text is given by its languages: {"en": "…", "de": "…"}.')
    return dict(texts)


def _question(one: SurveyQuestionInput) -> questionnaires.Question:
    return questionnaires.Question(
        key=one.key,
        type=one.type,
        text=_texts(one.text),
        hint=_texts(one.hint),
        required=one.required,
        least=one.least,
        most=one.most,
        least_label=_texts(one.least_label),
        most_label=_texts(one.most_label),
        choices=tuple(Option(choice.key, _texts(choice.text)) for choice in one.choices or ()),
        conditions=tuple(Condition(test.question, test.operator, test.value) for test in one.conditions or ()),
    )


def _details(input: CreateSurveyInput | UpdateSurveyInput) -> SurveyDetails:
    alike = (
        "name after_sale delay_days sample_percent pause_days most_reminders reminder_days expires_days detractor_most "
        "promoter_least detractor_follow_up asks_referral"
    )
    parts: dict[str, Any] = {name: given(getattr(input, name)) for name in alike.split()}
    for name in ("title", "intro", "thanks"):
        if (texts := getattr(input, name)) is not strawberry.UNSET:
            parts[name] = _texts(texts)
    asked = input.questions
    if asked is not None and asked is not strawberry.UNSET:
        parts["questions"] = tuple(_question(one) for one in asked)
    return SurveyDetails(pipeline_id=given_id(input.pipeline_id, "Pipeline", field="pipelineId"), **parts)


@strawberry.type
class SurveyMutations:
    @strawberry.mutation(description="Make a draft of a survey.")
    @reports_user_errors
    async def create_survey(
        self, info: Info, input: Annotated[CreateSurveyInput, about("The survey.")]
    ) -> SurveyPayload:
        row = await surveys.create(
            info.context.actor,
            input.kind,
            _details(input),
            id=ids.decode_new(input.id, "Survey"),
            now=info.context.now,
        )
        return SurveyPayload(survey=shown(row))

    @strawberry.mutation(description="Change a survey; what it asks changes in its draft, and not what is published.")
    @reports_user_errors
    async def update_survey(
        self, info: Info, input: Annotated[UpdateSurveyInput, about("The change.")]
    ) -> SurveyPayload:
        row = await surveys.update(
            info.context.actor,
            ids.decode(input.id, "Survey"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SurveyPayload(survey=shown(row))

    @strawberry.mutation(description="Make a survey's draft the version that customers are sent from now on.")
    @reports_user_errors
    async def publish_survey(
        self, info: Info, input: Annotated[PublishSurveyInput, about("The survey.")]
    ) -> SurveyPayload:
        row = await surveys.publish(
            info.context.actor,
            ids.decode(input.id, "Survey"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SurveyPayload(survey=shown(row))

    @strawberry.mutation(description="Send a survey to nobody any more; who has it may still answer.")
    @reports_user_errors
    async def archive_survey(
        self, info: Info, input: Annotated[ArchiveSurveyInput, about("The survey.")]
    ) -> SurveyPayload:
        row = await surveys.archive(
            info.context.actor,
            ids.decode(input.id, "Survey"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SurveyPayload(survey=shown(row))

    @strawberry.mutation(description="Bring an archived survey back.")
    @reports_user_errors
    async def restore_survey(
        self, info: Info, input: Annotated[RestoreSurveyInput, about("The survey.")]
    ) -> SurveyPayload:
        row = await surveys.restore(info.context.actor, ids.decode(input.id, "Survey"), now=info.context.now)
        return SurveyPayload(survey=shown(row))

    @strawberry.mutation(description="Send a survey to the primary contacts of leads, and to contacts.")
    @reports_user_errors
    async def dispatch_survey(
        self, info: Info, input: Annotated[DispatchSurveyInput, about("Whom to send it.")]
    ) -> DispatchSurveyPayload:
        rows = await survey_dispatches.dispatch(
            info.context.actor,
            ids.decode(input.survey_id, "Survey", field="surveyId"),
            lead_ids=ids.decode_all(_given(input.lead_ids), "Lead", field="leadIds"),
            contact_ids=ids.decode_all(_given(input.contact_ids), "Contact", field="contactIds"),
            at=_given(input.at),
            now=info.context.now,
        )
        return DispatchSurveyPayload(dispatches=shown(rows))

    @strawberry.mutation(description="Have a survey not go out to somebody, or its link hold no more.")
    @reports_user_errors
    async def cancel_survey_dispatch(
        self, info: Info, input: Annotated[CancelSurveyDispatchInput, about("The dispatch.")]
    ) -> SurveyDispatchPayload:
        row = await survey_dispatches.cancel(
            info.context.actor, ids.decode(input.id, "SurveyDispatch"), now=info.context.now
        )
        return SurveyDispatchPayload(dispatch=shown(row))


def _given(value: Any) -> Any:
    kept = given(value)
    return None if kept is UNSET else kept
