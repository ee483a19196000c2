"""The page on which a customer answers a survey: step by step, without scripts, in their language.

Opening it changes nothing, since programs that look at mails open links as well: an answer that was clicked in a
mail is chosen on the page and kept only when somebody sends the form. Each step that is sent is kept at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.public_pages import form_of, page
from api.refusals import Refusal
from domain import questionnaires, referrals, survey_answers
from domain.errors import DomainError, Faults, Invalid, RateLimited, Required, TooLong
from domain.questionnaires import Question, QuestionType, Texts
from domain.referrals import ConsentMissing, OwnReferral, Recommended, TooManyReferrals
from domain.survey_answers import Form, FormState, SurveyAnswered, SurveyEnded
from domain.tokens import InvalidLink
from domain.words import Words, best_accepted, best_language, words

# As much of the budget that all requests of an address share as a page of a hundred rows.
COST = 100
YES_NO = {"yes": True, "no": False}
CONSENT = "They agree that %(company)s contacts them about this."


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as the page shows it; `value` is its answer as the form writes it, or the keys that are chosen."""

    question: Question
    text: str
    hint: str
    least_label: str
    most_label: str
    choices: Sequence[tuple[str, str]]
    value: Any

    @property
    def id(self) -> str:
        return f"q_{self.question.key}"


async def survey(request: Request) -> Response:
    """Show a survey by its link, keep what is answered, and submit it."""
    now, address = datetime.now(UTC), request.client.host if request.client else ""
    said = words(best_accepted(request.headers.get("accept-language", "")) or "en")
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        form = await survey_answers.opened(request.path_params["token"], now=now)
        said = words(best_language(form.language, form.locale))
        if request.method == "POST":
            fields = await form_of(request)
            if fields.get("form") == "referral":
                return await _referred(form, fields, said, now)
            return await _answered(form, fields, said, now)
        return _opened(request, form, said)
    except InvalidLink:
        told = said("Copy it whole from the mail, or ask whoever sent it to you.")
        return _message(said, 404, said("This link is not valid"), told)
    except (SurveyEnded, SurveyAnswered):
        # Somebody else was faster, in another window or with the same link.
        return _opened(request, await survey_answers.opened(request.path_params["token"], now=now), said)
    except RateLimited as error:
        seconds = error.facts["seconds"]
        told = said("There were too many attempts. Try again in %(seconds)s seconds.", seconds=seconds)
        return _message(said, 429, said("Please wait a little"), told, headers={"Retry-After": str(seconds)})
    except Refusal as refusal:
        return _message(said, refusal.status, said("This did not work"), str(refusal))


def _opened(request: Request, form: Form, said: Words) -> Response:
    query = request.query_params
    if form.state is FormState.ENDED:
        told = said("It can no longer be answered. Thank you for your interest.")
        return _message(said, 410, said("This survey has ended"), told)
    if form.state is FormState.ANSWERED:
        return _thanks(form, said, just_now="done" in query, referred="referred" in query)
    groups = questionnaires.steps(form.made)
    step = int(query["step"]) if query.get("step", "").isdecimal() else 1
    if not 1 < step <= len(groups):
        step = 1
    clicked = _clicked(form, query.get("a")) if step == 1 else {}
    return _step(form, said, step, {**form.answers, **clicked}, clicked=bool(clicked))


def _clicked(form: Form, value: str | None) -> dict[str, Any]:
    """Return the answer to the first question that was clicked in a mail; nothing where it is none."""
    first, faults = form.made.questions[0], Faults()
    if value is None:
        return {}
    given = _read(first, {f"q_{first.key}": value})
    kept = questionnaires.check_answers(faults, form.made, {first.key: given}, field="answers")
    return kept if not list(faults) and kept[first.key] is not None else {}


def _step(
    form: Form,
    said: Words,
    step: int,
    answers: Mapping[str, Any],
    *,
    faults: Mapping[str, str] | None = None,
    clicked: bool = False,
    status: int = 200,
) -> Response:
    groups = questionnaires.steps(form.made)
    asked = {question.key for question in questionnaires.asked(form.made, answers)}
    shown = [_shown(form, question, answers) for question in groups[step - 1] if question.key in asked]
    # What comes later may hang on what is answered here, and is then asked in a step of its own.
    return _page(
        "survey",
        form,
        said,
        status,
        step=step,
        steps=len(groups),
        questions=shown,
        clicked=clicked,
        faults=dict(faults or {}),
        intro=_text(form, form.made.intro) if step == 1 else "",
        until=said.date(form.dispatch.expires_at) if form.dispatch.expires_at else "",
    )


def _shown(form: Form, question: Question, answers: Mapping[str, Any]) -> Shown:
    said = words(best_language(form.language, form.locale))
    match question.type:
        case QuestionType.SCALE:
            numbers = range(question.least or 0, (question.most or 0) + 1)
            choices = [(str(number), str(number)) for number in numbers]
        case QuestionType.YES_NO:
            choices = [("yes", said("Yes")), ("no", said("No"))]
        case _:
            choices = [(choice.key, _text(form, choice.text)) for choice in question.choices]
    return Shown(
        question=question,
        text=_text(form, question.text),
        hint=_text(form, question.hint),
        least_label=_text(form, question.least_label),
        most_label=_text(form, question.most_label),
        choices=choices,
        value=_written(question, answers.get(question.key)),
    )


def _written(question: Question, answer: Any) -> Any:
    """Return an answer as the form writes it."""
    if question.type is QuestionType.MULTI_CHOICE:
        return list(answer or ())
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return "" if answer is None else str(answer)


def _read(question: Question, fields: Mapping[str, str]) -> Any:
    """Return what a form says to a question; what is no answer stays what it is, to be refused."""
    name = f"q_{question.key}"
    given = fields.get(name, "").replace("\r\n", "\n")
    match question.type:
        case QuestionType.SCALE:
            return int(given) if given.isdecimal() and len(given) < 4 else given or None
        case QuestionType.YES_NO:
            return YES_NO.get(given, given or None)
        case QuestionType.MULTI_CHOICE:
            return [choice.key for choice in question.choices if f"{name}.{choice.key}" in fields]
        case _:
            return given or None


async def _answered(form: Form, fields: Mapping[str, str], said: Words, now: datetime) -> Response:
    if form.state is FormState.ENDED:
        raise SurveyEnded
    if form.state is FormState.ANSWERED:
        raise SurveyAnswered
    groups = questionnaires.steps(form.made)
    step = int(fields["step"]) if fields.get("step", "").isdecimal() else 1
    step = step if 1 <= step <= len(groups) else 1
    asked = {question.key for question in questionnaires.asked(form.made, form.answers)}
    mine = [question for question in groups[step - 1] if question.key in asked]
    given = {question.key: _read(question, fields) for question in mine}
    answers = {key: value for key, value in {**form.answers, **given}.items() if value not in (None, [])}
    try:
        after = questionnaires.step_of(groups, _asked_of(form, answers), step)
        await survey_answers.answer(form.dispatch.id, given, complete=after is None, only=frozenset(given), now=now)
    except (SurveyEnded, SurveyAnswered, InvalidLink):
        raise
    except DomainError as error:
        faults = _faults(error, said, prefix="q_")
        here = {name: told for name, told in faults.items() if name.removeprefix("q_") in given}
        if here:
            return _step(form, said, step, answers, faults=here, status=422)
        return _to(_step_of_first(groups, faults))
    return _to(after)


def _asked_of(form: Form, answers: Mapping[str, Any]) -> list[Question]:
    """Return what is asked after answers of which some may be none."""
    faults = Faults()
    checked = questionnaires.check_answers(faults, form.made, answers, field="answers")
    return questionnaires.asked(form.made, {key: value for key, value in checked.items() if value is not None})


def _step_of_first(groups: Sequence[Sequence[Question]], faults: Mapping[str, str]) -> int:
    """Return the step with a question that was left out on the way."""
    for number, group in enumerate(groups, start=1):
        if any(f"q_{question.key}" in faults for question in group):
            return number
    return 1


def _to(step: int | None) -> Response:
    """Send the browser on, so that going back and loading again send nothing twice."""
    return RedirectResponse("?done=1" if step is None else f"?step={step}", 303, headers={"Cache-Control": "no-store"})


async def _referred(form: Form, fields: Mapping[str, str], said: Words, now: datetime) -> Response:
    consent = said(CONSENT, company=form.company)
    given = Recommended(
        name=fields.get("name"),
        email=fields.get("email"),
        phone=fields.get("phone"),
        note=fields.get("note", "").replace("\r\n", "\n"),
        consent=consent if fields.get("consent") else None,
    )
    try:
        await referrals.refer(form.dispatch.id, given, now=now)
    except referrals.NoReferral:
        return _thanks(form, said) if form.state is FormState.ANSWERED else _to(1)
    except DomainError as error:
        return _thanks(form, said, given=dict(fields), faults=_faults(error, said), status=422)
    return RedirectResponse("?referred=1", 303, headers={"Cache-Control": "no-store"})


def _thanks(
    form: Form,
    said: Words,
    *,
    just_now: bool = False,
    referred: bool = False,
    given: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    at = form.response.submitted_at if form.response else None
    return _page(
        "survey_done",
        form,
        said,
        status,
        just_now=just_now,
        referred=referred,
        thanks=_text(form, form.made.thanks),
        day=said.date(at) if at else "",
        consent=said(CONSENT, company=form.company),
        given=dict(given or {}),
        faults=dict(faults or {}),
    )


def _faults(error: DomainError, said: Words, *, prefix: str = "") -> dict[str, str]:
    """Return what is wrong by the field that it is wrong with, in the customer's language."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    return {f"{prefix}{fault.field[-1] if fault.field else ''}": _fault(fault, said) for fault in faults}


def _fault(fault: DomainError, said: Words) -> str:
    field = fault.field[-1] if fault.field else ""
    match fault:
        case TooManyReferrals():
            return said("You have recommended as many people as you can: thank you.")
        case OwnReferral():
            return said("This is your own address: name somebody else.")
        case ConsentMissing():
            return said("Say that they agree.")
        case TooLong():
            return said("Use at most %(limit)s characters.", limit=fault.facts["limit"])
        case Required() if field == "name":
            return said("Give their name.")
        case Required() if field == "email":
            return said("Give an email address or a phone number.")
        case Required():
            return said("Choose or write an answer.")
    if field == "email":
        return said("This is no email address.")
    if field == "phone":
        return said("This is no phone number: begin with + and the country code.")
    return said("This is no answer that fits.")


def _page(template: str, form: Form, said: Words, status: int, **facts: Any) -> Response:
    language = form.language
    return page(
        template,
        status,
        _=said,
        language=language,
        company=form.company,
        heading=_text(form, form.made.title) or said("Your opinion"),
        asks_referral=form.asks_referral,
        **facts,
    )


def _message(said: Words, status: int, heading: str, told: str, **more: Any) -> Response:
    return page("survey_message", status, _=said, language=said.language, heading=heading, paragraphs=[told], **more)


def _text(form: Form, texts: Texts) -> str:
    return questionnaires.text_of(texts, form.language, form.locale).replace("{company}", form.company)
