"""A survey as whoever was sent its link finds it: without sign-in, by the token alone."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from domain import questionnaires, survey_answers, tokens
from domain.actors import ActorKind
from domain.errors import Unauthenticated
from domain.questionnaires import Questionnaire, QuestionType, Texts
from domain.survey_answers import Form, FormState
from domain.tokens import InvalidLink, Kind
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import optional
from schema.inputs import about
from schema.scalars import JSON, LanguageTag
from schema.surveys import SurveyAnswer

described(
    FormState,
    "Whether a survey can be answered by a link.",
    OPEN="It can be answered.",
    ANSWERED="It was answered already.",
    ENDED="It has ended.",
)


@strawberry.type(description="What there is to choose from, in the customer's language.")
class FormChoice:
    key: str = strawberry.field(description="What answers take.")
    text: str = strawberry.field(description="What a person reads.")


@strawberry.type(description="A question that is asked, in the customer's language.")
class FormQuestion:
    key: str = strawberry.field(description="What answers name it by.")
    type: QuestionType = strawberry.field(description="What it is answered with.")
    text: str = strawberry.field(description="What is asked.")
    hint: str | None = strawberry.field(description="What helps to answer it.")
    required: bool = strawberry.field(description="Whether it has to be answered.")
    least: int | None = strawberry.field(description="Where its scale begins.")
    most: int | None = strawberry.field(description="Where its scale ends.")
    least_label: str | None = strawberry.field(description="What the beginning of its scale means.")
    most_label: str | None = strawberry.field(description="What the end of its scale means.")
    choices: list[FormChoice] = strawberry.field(description="What there is to choose from.")


@strawberry.type(description="A survey as a customer finds it by their link.")
class SurveyForm:
    state: FormState = strawberry.field(description="Whether it can be answered.")
    company: str = strawberry.field(description="Who asks.")
    language: LanguageTag = strawberry.field(description="In which language.")
    title: str | None = strawberry.field(description="What stands above it.")
    intro: str | None = strawberry.field(description="What is said before the first question.")
    thanks: str | None = strawberry.field(description="What is said at the end.")
    questions: list[FormQuestion] = strawberry.field(
        description="What is asked of somebody who answered so far like this; empty unless it can be answered."
    )
    answers: list[SurveyAnswer] = strawberry.field(description="What they answered so far.")
    expires_at: datetime | None = strawberry.field(description="Until when it can be answered.")
    submitted_at: datetime | None = strawberry.field(description="When it was answered.")
    asks_referral: bool = strawberry.field(description="Whether they may be asked whom they would recommend us to.")


def shown_form(form: Form) -> SurveyForm:
    def text(texts: Texts) -> str | None:
        told = questionnaires.text_of(texts, form.language, form.locale)
        return told.replace("{company}", form.company) or None

    asked = questionnaires.asked(form.made, form.answers) if form.state is FormState.OPEN else []
    made: Questionnaire = form.made
    return SurveyForm(
        state=form.state,
        company=form.company,
        language=LanguageTag(form.language),
        title=text(made.title),
        intro=text(made.intro),
        thanks=text(made.thanks),
        questions=[
            FormQuestion(
                key=one.key,
                type=one.type,
                text=text(one.text) or one.key,
                hint=text(one.hint),
                required=one.required,
                least=one.least,
                most=one.most,
                least_label=text(one.least_label),
                most_label=text(one.most_label),
                choices=[FormChoice(key=choice.key, text=text(choice.text) or choice.key) for choice in one.choices],
            )
            for one in asked
        ],
        answers=[] if form.state is FormState.ENDED else _answers(form),
        expires_at=form.dispatch.expires_at,
        submitted_at=form.response.submitted_at if form.response else None,
        asks_referral=form.asks_referral,
    )


def _answers(form: Form) -> list[SurveyAnswer]:
    return [SurveyAnswer(question=key, value=value) for key, value in form.answers.items()]


def _dispatch_of(info: Info, token: str | None) -> Any:
    """Return what a token is for: the one given, or that which came as `Authorization: Bearer`."""
    if token is not None:
        return tokens.verify(Kind.SURVEY, token)
    known = info.context.identity
    if known is None or known.kind is not ActorKind.LINK:
        raise Unauthenticated
    return known.link_id


@strawberry.input(description="An answer to one question.")
class SurveyAnswerInput:
    question: str = strawberry.field(description="The key of the question.")
    value: JSON | None = strawberry.field(
        default=None, description="The answer, as the question's type says; null takes it back."
    )


@strawberry.input(description="Answers to a survey, beside those that were kept before.")
class SubmitSurveyInput(MutationInput):
    token: str | None = optional("The link's token; without one, that which came as `Authorization: Bearer`.")
    answers: list[SurveyAnswerInput] = strawberry.field(description="The answers; at most 60.")
    complete: bool = strawberry.field(
        default=True, description="Submit them for good; false keeps them, and they may be changed."
    )


@strawberry.type(description="A survey after it was answered.")
class SubmitSurveyPayload(Payload):
    survey_form: SurveyForm | None = strawberry.field(default=None, description="How it stands; null on errors.")


@strawberry.type
class SurveyFormQueries:
    @strawberry.field(
        description="A survey by its link's token, without sign-in; null for one that names none. Opening it leaves "
        "no trace, since programs that look at mails open links as well."
    )
    async def survey_form(
        self,
        info: Info,
        token: Annotated[
            str | None,
            strawberry.argument(description="The token; without one, that which came as `Authorization: Bearer`."),
        ] = None,
    ) -> SurveyForm | None:
        try:
            return shown_form(await survey_answers.by_id(_dispatch_of(info, token), now=info.context.now))
        except InvalidLink:
            return None


@strawberry.type
class SurveyFormMutations:
    @strawberry.mutation(
        description="Answer a survey by its link's token, without sign-in. The same submitted twice is submitted once."
    )
    @reports_user_errors
    async def submit_survey(
        self, info: Info, input: Annotated[SubmitSurveyInput, about("The answers.")]
    ) -> SubmitSurveyPayload:
        token = None if input.token is strawberry.UNSET else input.token
        form = await survey_answers.answer(
            _dispatch_of(info, token),
            {answer.question: answer.value for answer in input.answers},
            complete=input.complete,
            now=info.context.now,
        )
        return SubmitSurveyPayload(survey_form=shown_form(form))
