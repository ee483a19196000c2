"""Questionnaires: typed questions in many languages, which of them are asked, and what is an answer.

They are kept as JSON. A question may depend on those before it, never on itself or a later one, so that no circle can
be made. An answer to a question that turns out not to be asked is dropped, and is none for those that depend on it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain import inputs
from domain.errors import AlreadyExists, DomainError, Faults, Malformed, OutOfRange, Required
from models.surveys import SurveyKind, Verdict

MOST_QUESTIONS, MOST_CHOICES, MOST_CONDITIONS, MOST_LANGUAGES = 30, 30, 5, 30
TEXT_LIMIT, VERBATIM_LIMIT = 1_000, 5_000
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
# The ends of the scale of each kind, by whoever invented it: Reichheld's 0 to 10; 1 to 5; CEB's (v2.0) 1 to 7.
SCALES: Mapping[SurveyKind, tuple[int, int]] = {
    SurveyKind.NPS: (0, 10),
    SurveyKind.CSAT: (1, 5),
    SurveyKind.CES: (1, 7),
}
# Up to which score somebody is a detractor, and from which on a promoter, where a survey does not say otherwise.
VERDICTS: Mapping[SurveyKind, tuple[int, int]] = {
    SurveyKind.NPS: (6, 9),
    SurveyKind.CSAT: (2, 5),
    SurveyKind.CES: (3, 6),
}
LEAST_SCALE, MOST_SCALE = 0, 10

Texts = Mapping[str, str]
Answers = Mapping[str, Any]


class QuestionType(StrEnum):
    SCALE = "SCALE"
    CHOICE = "CHOICE"
    MULTI_CHOICE = "MULTI_CHOICE"
    TEXT = "TEXT"
    YES_NO = "YES_NO"


class Operator(StrEnum):
    EQ = "EQ"
    NE = "NE"
    LTE = "LTE"
    GTE = "GTE"
    CONTAINS = "CONTAINS"
    ANSWERED = "ANSWERED"


OPERATORS: Mapping[QuestionType, frozenset[Operator]] = {
    QuestionType.SCALE: frozenset({Operator.EQ, Operator.NE, Operator.LTE, Operator.GTE, Operator.ANSWERED}),
    QuestionType.CHOICE: frozenset({Operator.EQ, Operator.NE, Operator.ANSWERED}),
    QuestionType.MULTI_CHOICE: frozenset({Operator.CONTAINS, Operator.ANSWERED}),
    QuestionType.TEXT: frozenset({Operator.ANSWERED}),
    QuestionType.YES_NO: frozenset({Operator.EQ, Operator.NE, Operator.ANSWERED}),
}


class TooMany(DomainError):
    """{what} are at most {limit}, not {count}."""


class NotAskedBefore(DomainError):
    """A question depends only on those before it, and {question} is none of them."""


class WrongOperator(DomainError):
    """{operator} does not test an answer of type {type}."""


class WrongScale(DomainError):
    """The first question of a survey of kind {kind} is a required SCALE from {least} to {most}, always asked."""


class UnknownQuestion(DomainError):
    """{question} is no question of this survey."""


class UnknownOption(DomainError):
    """This is none of the choices."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an earlier answer must be; ANSWERED with false asks for none."""

    question: str
    operator: Operator
    value: Any = None


@dataclass(frozen=True, slots=True)
class Option:
    key: str
    text: Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    key: str
    type: QuestionType
    text: Texts
    hint: Texts = field(default_factory=dict)
    required: bool = False
    least: int | None = None
    most: int | None = None
    least_label: Texts = field(default_factory=dict)
    most_label: Texts = field(default_factory=dict)
    choices: Sequence[Option] = ()
    conditions: Sequence[Condition] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Questionnaire:
    """`title`, `intro` and `thanks` are shown above the first question, and at the end."""

    title: Texts = field(default_factory=dict)
    intro: Texts = field(default_factory=dict)
    thanks: Texts = field(default_factory=dict)
    questions: Sequence[Question] = ()

    def question(self, key: str) -> Question | None:
        return next((question for question in self.questions if question.key == key), None)

    @property
    def languages(self) -> list[str]:
        """The languages that every question is asked in, in the order of the first question's."""
        first, *others = [question.text for question in self.questions] or [{}]
        return [language for language in first if all(language in text for text in others)]


def dump(made: Questionnaire) -> dict[str, Any]:
    """Return a questionnaire as it is kept."""
    return {
        "title": dict(made.title),
        "intro": dict(made.intro),
        "thanks": dict(made.thanks),
        "questions": [_dumped(question) for question in made.questions],
    }


def _dumped(question: Question) -> dict[str, Any]:
    return {
        "key": question.key,
        "type": question.type.value,
        "text": dict(question.text),
        "hint": dict(question.hint),
        "required": question.required,
        "least": question.least,
        "most": question.most,
        "least_label": dict(question.least_label),
        "most_label": dict(question.most_label),
        "choices": [{"key": choice.key, "text": dict(choice.text)} for choice in question.choices],
        "conditions": [
            {"question": one.question, "operator": one.operator.value, "value": one.value}
            for one in question.conditions
        ],
    }


def load(content: Mapping[str, Any]) -> Questionnaire:
    """Return a questionnaire that was kept."""
    return Questionnaire(
        title=content["title"],
        intro=content["intro"],
        thanks=content["thanks"],
        questions=[_loaded(question) for question in content["questions"]],
    )


def _loaded(data: Mapping[str, Any]) -> Question:
    made = {
        "type": QuestionType(data["type"]),
        "choices": [Option(choice["key"], choice["text"]) for choice in data["choices"]],
        "conditions": [
            Condition(one["question"], Operator(one["operator"]), one["value"]) for one in data["conditions"]
        ],
    }
    return Question(**{**data, **made})


def check(faults: Faults, kind: SurveyKind, made: Questionnaire) -> Questionnaire:
    """Check a questionnaire of a survey of a kind; return it with its texts as they are kept."""
    if len(made.questions) > MOST_QUESTIONS:
        faults.add(
            TooMany(
                what="The questions of a survey", limit=MOST_QUESTIONS, count=len(made.questions), field="questions"
            )
        )
        return made
    if not made.questions:
        faults.add(Required(field="questions"))
    known: dict[str, Question] = {}
    questions: list[Question] = []
    for at, question in enumerate(made.questions):
        questions.append(_checked(faults, question, known, f"questions.{at}"))
        known.setdefault(question.key, question)
    if kind in SCALES and questions:
        _check_scored(faults, kind, questions[0])
    return Questionnaire(
        title=_texts(faults, made.title, field="title"),
        intro=_texts(faults, made.intro, field="intro"),
        thanks=_texts(faults, made.thanks, field="thanks"),
        questions=questions,
    )


def _checked(faults: Faults, question: Question, known: Mapping[str, Question], field: str) -> Question:
    if not KEY.fullmatch(question.key):
        faults.add(Malformed(field=f"{field}.key", what="a key such as reason: letters a to z, digits and _"))
    elif question.key in known:
        faults.add(AlreadyExists(noun="question", what="key", field=f"{field}.key"))
    text = _texts(faults, question.text, field=f"{field}.text")
    if not text:
        faults.add(Required(field=f"{field}.text"))
    _check_scale(faults, question, field)
    for at, condition in enumerate(question.conditions[:MOST_CONDITIONS]):
        _check_condition(faults, condition, known, f"{field}.conditions.{at}")
    if (count := len(question.conditions)) > MOST_CONDITIONS:
        faults.add(
            TooMany(
                what="The conditions of a question", limit=MOST_CONDITIONS, count=count, field=f"{field}.conditions"
            )
        )
    return Question(
        key=question.key,
        type=question.type,
        text=text,
        hint=_texts(faults, question.hint, field=f"{field}.hint"),
        required=question.required,
        least=question.least,
        most=question.most,
        least_label=_texts(faults, question.least_label, field=f"{field}.leastLabel"),
        most_label=_texts(faults, question.most_label, field=f"{field}.mostLabel"),
        choices=_check_choices(faults, question, field),
        conditions=tuple(question.conditions),
    )


def _check_scale(faults: Faults, question: Question, field: str) -> None:
    least, most = question.least, question.most
    if question.type is not QuestionType.SCALE:
        for name, given in (("least", least), ("most", most)):
            if given is not None:
                faults.add(Malformed(field=f"{field}.{name}", what="for a question that is no SCALE"))
        return
    for name, given in (("least", least), ("most", most)):
        if given is None:
            faults.add(Required(field=f"{field}.{name}"))
        inputs.whole(faults, given, field=f"{field}.{name}", least=LEAST_SCALE, most=MOST_SCALE)
    if least is not None and most is not None and least >= most:
        faults.add(OutOfRange(field=f"{field}.most", least=least + 1, most=MOST_SCALE))


def _check_choices(faults: Faults, question: Question, field: str) -> list[Option]:
    chosen = question.type in (QuestionType.CHOICE, QuestionType.MULTI_CHOICE)
    if chosen and len(question.choices) < 2:
        faults.add(Required(field=f"{field}.choices"))
    if not chosen and question.choices:
        faults.add(Malformed(field=f"{field}.choices", what="for a question that offers no choice"))
    if len(question.choices) > MOST_CHOICES:
        limits = {"limit": MOST_CHOICES, "count": len(question.choices)}
        faults.add(TooMany(what="The choices of a question", field=f"{field}.choices", **limits))
        return []
    kept: list[Option] = []
    for at, choice in enumerate(question.choices):
        within = f"{field}.choices.{at}"
        if not KEY.fullmatch(choice.key):
            faults.add(Malformed(field=f"{within}.key", what="a key such as too_slow: letters a to z, digits and _"))
        elif any(choice.key == one.key for one in kept):
            faults.add(AlreadyExists(noun="choice", what="key", field=f"{within}.key"))
        text = _texts(faults, choice.text, field=f"{within}.text")
        if not text:
            faults.add(Required(field=f"{within}.text"))
        kept.append(Option(choice.key, text))
    return kept


def _check_condition(faults: Faults, condition: Condition, known: Mapping[str, Question], field: str) -> None:
    asked = known.get(condition.question)
    if asked is None:
        faults.add(NotAskedBefore(question=condition.question, field=f"{field}.question"))
        return
    if condition.operator not in OPERATORS[asked.type]:
        faults.add(WrongOperator(operator=condition.operator.value, type=asked.type.value, field=f"{field}.operator"))
        return
    value, at = condition.value, f"{field}.value"
    if condition.operator is Operator.ANSWERED or asked.type is QuestionType.YES_NO:
        if not isinstance(value, bool):
            faults.add(Malformed(field=at, what="true or false"))
    elif asked.type is QuestionType.SCALE:
        if isinstance(value, bool) or not isinstance(value, int):
            faults.add(Malformed(field=at, what="a whole number"))
    elif value not in [choice.key for choice in asked.choices]:
        faults.add(UnknownOption(field=at))


def _check_scored(faults: Faults, kind: SurveyKind, first: Question) -> None:
    least, most = SCALES[kind]
    fits = first.type is QuestionType.SCALE and (first.least, first.most) == (least, most)
    if not fits or not first.required or first.conditions:
        faults.add(WrongScale(kind=kind.value, least=least, most=most, field="questions.0"))


def _texts(faults: Faults, texts: Texts, *, field: str) -> dict[str, str]:
    """Check one text in several languages."""
    if len(texts) > MOST_LANGUAGES:
        faults.add(TooMany(what="The languages of a text", limit=MOST_LANGUAGES, count=len(texts), field=field))
        return {}
    kept: dict[str, str] = {}
    for language, given in texts.items():
        if inputs.language(faults, language or "-", field=f"{field}.language"):
            text = inputs.text(faults, given, field=field, limit=TEXT_LIMIT)
            if text is not None:
                kept[language] = text
    return kept


def best(languages: Sequence[str], *wanted: str | None) -> str | None:
    """Return the first language of those there are that somebody reads: `de-AT` is served by `de`, and by `de-DE`."""
    for each in wanted:
        if not each:
            continue
        if each in languages:
            return each
        alike = [language for language in languages if _base(language) == _base(each)]
        if alike:
            return min(alike, key=len)
    return languages[0] if languages else None


def _base(language: str) -> str:
    return re.split("[-_]", language)[0].lower()


def text_of(texts: Texts, *languages: str | None) -> str:
    """Return a text in the first of these languages that it is there in, else in the first that it is in."""
    found = best(list(texts), *languages)
    return texts[found] if found else ""


def asked(made: Questionnaire, answers: Answers) -> list[Question]:
    """Return the questions that are asked of somebody who answered so far like this, in their order."""
    shown: list[Question] = []
    kept: dict[str, Any] = {}
    for question in made.questions:
        if all(_holds(condition, kept) for condition in question.conditions):
            shown.append(question)
            if question.key in answers:
                kept[question.key] = answers[question.key]
    return shown


def _holds(condition: Condition, answers: Answers) -> bool:
    answer = answers.get(condition.question)
    match condition.operator:
        case Operator.ANSWERED:
            return (answer is not None) is condition.value
        case Operator.NE:
            return bool(answer is not None and answer != condition.value)
        case Operator.LTE:
            return bool(answer is not None and answer <= condition.value)
        case Operator.GTE:
            return bool(answer is not None and answer >= condition.value)
        case Operator.CONTAINS:
            return condition.value in (answer or ())
        case Operator.EQ:
            return bool(answer is not None and answer == condition.value)


def steps(made: Questionnaire) -> list[list[Question]]:
    """Return the questions in groups that can be asked at once: none depends on another of its group."""
    groups: list[list[Question]] = []
    for question in made.questions:
        within = {each.key for each in groups[-1]} if groups else set()
        if not groups or any(condition.question in within for condition in question.conditions):
            groups.append([])
        groups[-1].append(question)
    return groups


def step_of(groups: Sequence[Sequence[Question]], shown: Sequence[Question], after: int = 0) -> int | None:
    """Return the number, from 1, of the first group after one that has a question that is shown; None at the end."""
    keys = {question.key for question in shown}
    for number, group in enumerate(groups, start=1):
        if number > after and any(question.key in keys for question in group):
            return number
    return None


def check_answers(faults: Faults, made: Questionnaire, given: Answers, *, field: str) -> dict[str, Any]:
    """Check answers by their questions and return them as they are kept; null takes an answer back."""
    kept: dict[str, Any] = {}
    for key, value in given.items():
        question = made.question(key)
        if question is None:
            faults.add(UnknownQuestion(question=key[:40], field=f"{field}.{key[:40]}"))
        else:
            kept[key] = _answer(faults, question, value, f"{field}.{key}")
    return kept


def missing(made: Questionnaire, answers: Answers) -> list[str]:
    """Return the keys of the required questions that are asked and not answered."""
    return [question.key for question in asked(made, answers) if question.required and question.key not in answers]


def kept(made: Questionnaire, answers: Answers) -> dict[str, Any]:
    """Return the answers to what is asked, in the order of the questions."""
    return {question.key: answers[question.key] for question in asked(made, answers) if question.key in answers}


def _answer(faults: Faults, question: Question, value: Any, field: str) -> Any:
    if value is None or value == "" or value == []:
        return None
    match question.type:
        case QuestionType.SCALE:
            if isinstance(value, bool) or not isinstance(value, int):
                faults.add(Malformed(field=field, what="a whole number"))
                return None
            inputs.whole(faults, value, field=field, least=question.least or 0, most=question.most or 0)
            return value
        case QuestionType.YES_NO:
            return value if isinstance(value, bool) else faults.add(Malformed(field=field, what="true or false"))
        case QuestionType.TEXT:
            if not isinstance(value, str):
                return faults.add(Malformed(field=field, what="a text"))
            return inputs.text(faults, value, field=field, limit=VERBATIM_LIMIT)
        case QuestionType.CHOICE:
            return _chosen(faults, question, value, field)
        case QuestionType.MULTI_CHOICE:
            if not isinstance(value, list) or len(value) > MOST_CHOICES:
                return faults.add(Malformed(field=field, what="a list of choices"))
            return list(dict.fromkeys(_chosen(faults, question, one, field) for one in value))


def _chosen(faults: Faults, question: Question, value: Any, field: str) -> Any:
    if isinstance(value, str) and value in [choice.key for choice in question.choices]:
        return value
    return faults.add(UnknownOption(field=field))


def score_of(made: Questionnaire, answers: Answers) -> int | None:
    """Return what was answered to the first question, where that is a SCALE."""
    first = made.questions[0] if made.questions else None
    return answers.get(first.key) if first and first.type is QuestionType.SCALE else None


def verbatim_of(made: Questionnaire, answers: Answers) -> str | None:
    """Return what was written in somebody's own words."""
    texts = [
        answers[question.key]
        for question in made.questions
        if question.type is QuestionType.TEXT and question.key in answers
    ]
    return "\n\n".join(texts) or None


def verdict_of(score: int | None, *, detractor_most: int | None, promoter_least: int | None) -> Verdict | None:
    """Return what a score makes of somebody; None where the survey does not say what scores mean."""
    if score is None or (detractor_most is None and promoter_least is None):
        return None
    if detractor_most is not None and score <= detractor_most:
        return Verdict.DETRACTOR
    if promoter_least is not None and score >= promoter_least:
        return Verdict.PROMOTER
    return Verdict.PASSIVE
