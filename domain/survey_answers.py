"""What customers answer, by the link they were sent: as far as they got, until they submit it.

Nothing but the link's token is needed. What a token that was guessed or has ended is told says nothing of surveys,
customers or workspaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import edits, policy, questionnaires, subjects, survey_dispatches, tokens
from domain.actors import Actor, ActorKind, system
from domain.errors import DomainError, Faults, NotFound, Required
from domain.questionnaires import Questionnaire
from domain.tokens import InvalidLink, Kind
from models.base import uuid7
from models.contacts import Contact
from models.database import transaction
from models.surveys import DispatchStatus, Survey, SurveyDispatch, SurveyResponse, SurveyVersion, Verdict
from models.workspaces import Workspace

MOST_ANSWERS = 2 * questionnaires.MOST_QUESTIONS

ANSWERED = subjects.events("survey_answered")


class SurveyAnswered(DomainError):
    """This survey was answered already: thank you. What was submitted stays as it is."""


class SurveyEnded(DomainError):
    """This survey has ended."""


class FormState(StrEnum):
    """Whether a survey can be answered by a link."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody with a link finds: the survey as it was sent to them, and what they answered so far."""

    dispatch: SurveyDispatch
    survey: Survey
    made: Questionnaire
    response: SurveyResponse | None
    contact: Contact | None
    company: str
    locale: str
    state: FormState

    @property
    def language(self) -> str:
        return self.dispatch.language or self.locale

    @property
    def answers(self) -> Mapping[str, Any]:
        return self.response.answers if self.response else {}

    @property
    def asks_referral(self) -> bool:
        """Say whether they are asked whom they would recommend us to."""
        answered = self.state is FormState.ANSWERED and self.response is not None
        return answered and self.survey.asks_referral and self.response.verdict is Verdict.PROMOTER  # type: ignore[union-attr]


def link_of(dispatch_id: UUID) -> str:
    """Return the path of the page on which a survey is answered."""
    return f"/s/{tokens.sign(Kind.SURVEY, dispatch_id)}"


async def load_actor(token: str) -> Actor:
    """Return who acts with a survey's link: for whom nothing exists but what it is for. Raises InvalidLink."""
    row = await _dispatch(tokens.verify(Kind.SURVEY, token))
    return customer(row)


def customer(row: SurveyDispatch) -> Actor:
    return Actor(ActorKind.LINK, row.workspace_id, link_id=row.id)


async def opened(token: str, *, now: datetime) -> Form:
    """Return what a link leads to, without a trace: who opens it may be a program that looks at mails.

    Raises InvalidLink for a token that names nothing that ever went out.
    """
    return await by_id(tokens.verify(Kind.SURVEY, token), now=now)


async def by_id(dispatch_id: UUID, *, now: datetime) -> Form:
    """Return what the link of a dispatch leads to. Raises InvalidLink."""
    return await _form(await _dispatch(dispatch_id), now=now)


async def _form(row: SurveyDispatch, *, now: datetime) -> Form:
    version = await SurveyVersion.get(id=row.survey_version_id)
    contact = await Contact.get_or_none(id=row.contact_id, deleted_at=None) if row.contact_id else None
    home = await Workspace.get(id=row.workspace_id)
    return Form(
        dispatch=row,
        survey=await Survey.get(id=row.survey_id),
        made=questionnaires.load(version.content),
        response=await SurveyResponse.get_or_none(dispatch_id=row.id),
        contact=contact,
        company=home.name,
        locale=home.locale,
        state=_state(row, now) if contact else FormState.ENDED,
    )


async def _dispatch(dispatch_id: UUID) -> SurveyDispatch:
    row = await SurveyDispatch.get_or_none(id=dispatch_id)
    if row is None or row.survey_version_id is None:
        raise InvalidLink
    return row


def _state(row: SurveyDispatch, now: datetime) -> FormState:
    if row.status is DispatchStatus.ANSWERED:
        return FormState.ANSWERED
    open_still = row.status is DispatchStatus.SENT and row.expires_at is not None and now < row.expires_at
    return FormState.OPEN if open_still else FormState.ENDED


async def answer(
    dispatch_id: UUID,
    given: Mapping[str, Any],
    *,
    complete: bool,
    only: frozenset[str] = frozenset(),
    now: datetime,
) -> Form:
    """Keep answers beside those there are; `complete`, they are submitted and stay for good.

    Answers to what is not asked are dropped. `only` are the questions that have to be answered for these answers to be
    kept, as those of a page are. The same submitted twice is submitted once. Raises InvalidLink, SurveyEnded,
    SurveyAnswered, and faults of the answers, all together.
    """
    async with transaction():
        known = await _dispatch(dispatch_id)
        by = system(known.workspace_id, task="survey_page")
        try:
            subject = await survey_dispatches.subject_of(by, known)
        except NotFound as gone:
            raise SurveyEnded from gone
        # Whoever had it before may have submitted it meanwhile.
        form = await _form(await policy.locked(by, SurveyDispatch, dispatch_id), now=now)
        if form.state is FormState.ENDED:
            raise SurveyEnded
        faults = Faults()
        answers = _merged(faults, form, given)
        if form.state is FormState.ANSWERED:
            if complete and not list(faults) and answers == dict(form.answers):
                return form
            raise SurveyAnswered
        for key in questionnaires.missing(form.made, answers):
            if complete or key in only:
                faults.add(Required(field=f"answers.{key}"))
        faults.raise_any()
        response = await _keep(form, answers, complete=complete, now=now)
        if complete:
            await edits.write(form.dispatch, {"status": DispatchStatus.ANSWERED, "due_at": None, "ended_at": now})
            await subjects.tell(ANSWERED, customer(form.dispatch), subject, _facts(form, response), now=now)
    return replace(form, response=response, state=_state(form.dispatch, now))


def _merged(faults: Faults, form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    if len(given) > MOST_ANSWERS:
        limits = {"limit": MOST_ANSWERS, "count": len(given)}
        faults.add(questionnaires.TooMany(what="The answers", field="answers", **limits))
        return {}
    checked = questionnaires.check_answers(faults, form.made, given, field="answers")
    answers = {key: value for key, value in {**form.answers, **checked}.items() if value is not None}
    return questionnaires.kept(form.made, answers)


async def _keep(form: Form, answers: Mapping[str, Any], *, complete: bool, now: datetime) -> SurveyResponse:
    survey, row = form.survey, form.dispatch
    score = questionnaires.score_of(form.made, answers)
    columns = {
        "answers": dict(answers),
        "score": score,
        "verdict": questionnaires.verdict_of(
            score, detractor_most=survey.detractor_most, promoter_least=survey.promoter_least
        ),
        "verbatim": questionnaires.verbatim_of(form.made, answers),
        "updated_at": now,
        "submitted_at": now if complete else None,
    }
    if form.response is not None:
        await edits.write(form.response, columns)
        return form.response
    response = SurveyResponse(
        id=uuid7(),
        workspace_id=row.workspace_id,
        dispatch_id=row.id,
        survey_id=row.survey_id,
        survey_version_id=row.survey_version_id,
        lead_id=row.lead_id,
        contact_id=row.contact_id,
        language=form.language,
        started_at=now,
        **columns,
    )
    await edits.insert(response)
    return response


def _facts(form: Form, response: SurveyResponse) -> dict[str, Any]:
    """Return what its event says: not what was written, so that what is deleted is gone."""
    return {
        "dispatch_id": form.dispatch.id,
        "response_id": response.id,
        "survey_id": form.survey.id,
        "score": response.score,
        "verdict": response.verdict.value if response.verdict else None,
    }
