"""Questionnaires: what can be asked, what is asked of whom, and what is an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import questionnaires, survey_presets
from domain.errors import Faults
from domain.questionnaires import Condition, Operator, Option, Question, Questionnaire, QuestionType
from domain.words import LANGUAGES, SOURCE
from models.surveys import SurveyKind, Verdict

TYPE = QuestionType


def question(key: str, kind: QuestionType = TYPE.TEXT, **more: Any) -> Question:
    if kind is TYPE.SCALE:
        more = {"least": 0, "most": 10} | more
    if kind in (TYPE.CHOICE, TYPE.MULTI_CHOICE):
        more = {"choices": (Option("slow", {"en": "Slow"}), Option("dear", {"en": "Dear"}))} | more
    return Question(key=key, type=kind, text={"en": key}, **more)


def faults_of(*questions: Question, kind: SurveyKind = SurveyKind.CUSTOM) -> list[tuple[str, str]]:
    faults = Faults()
    questionnaires.check(faults, kind, Questionnaire(questions=questions))
    return [(fault.code, ".".join(fault.field or ())) for fault in faults]


def on(key: str, operator: Operator, value: Any = True) -> tuple[Condition, ...]:
    return (Condition(key, operator, value),)


@pytest.mark.parametrize("kind", [SurveyKind.NPS, SurveyKind.CSAT, SurveyKind.CES])
def test_what_is_usual_for_a_kind_is_asked_in_every_language_and_kept_as_it_is(kind: SurveyKind) -> None:
    faults = Faults()
    made = questionnaires.check(faults, kind, survey_presets.preset(kind))

    assert not list(faults)
    assert made.languages[0] == SOURCE
    assert sorted(made.languages) == sorted(LANGUAGES)
    assert questionnaires.dump(questionnaires.load(questionnaires.dump(made))) == questionnaires.dump(made)


def test_a_question_depends_on_none_that_comes_later_nor_on_itself_so_that_there_is_no_circle() -> None:
    first = question("first", conditions=on("second", Operator.ANSWERED))
    second = question("second", conditions=on("first", Operator.ANSWERED))
    alone = question("alone", conditions=on("alone", Operator.ANSWERED))

    assert faults_of(first, second) == [("NOT_ASKED_BEFORE", "questions.0.conditions.0.question")]
    assert faults_of(alone) == [("NOT_ASKED_BEFORE", "questions.0.conditions.0.question")]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (question("Bad Key"), ("MALFORMED", "questions.1.key")),
        (question("first"), ("ALREADY_EXISTS", "questions.1.key")),
        (question("x", TYPE.SCALE, least=5, most=5), ("OUT_OF_RANGE", "questions.1.most")),
        (question("x", TYPE.SCALE, least=None), ("REQUIRED", "questions.1.least")),
        (question("x", TYPE.CHOICE, choices=()), ("REQUIRED", "questions.1.choices")),
        (question("x", choices=(Option("a", {"en": "A"}),)), ("MALFORMED", "questions.1.choices")),
        (
            question("x", conditions=on("first", Operator.LTE, 3)),
            ("WRONG_OPERATOR", "questions.1.conditions.0.operator"),
        ),
        (question("x", conditions=on("first", Operator.ANSWERED, 3)), ("MALFORMED", "questions.1.conditions.0.value")),
        (Question(key="x", type=TYPE.TEXT, text={}), ("REQUIRED", "questions.1.text")),
        (Question(key="x", type=TYPE.TEXT, text={"klingon!": "nuq"}), ("MALFORMED", "questions.1.text.language")),
    ],
)
def test_what_cannot_be_asked_is_told_where_it_stands(wrong: Question, fault: tuple[str, str]) -> None:
    assert fault in faults_of(question("first"), wrong)


@pytest.mark.parametrize(
    "first",
    [question("why"), question("score", TYPE.SCALE, required=True, most=5), question("score", TYPE.SCALE)],
)
def test_a_survey_of_a_kind_begins_with_its_scale(first: Question) -> None:
    assert faults_of(first, kind=SurveyKind.NPS) == [("WRONG_SCALE", "questions.0")]


SCORED = Questionnaire(
    questions=(
        question("score", TYPE.SCALE, required=True),
        question("bad", TYPE.MULTI_CHOICE, conditions=on("score", Operator.LTE, 6)),
        question("how_slow", required=True, conditions=on("bad", Operator.CONTAINS, "slow")),
        question("praise", conditions=on("score", Operator.GTE, 9)),
        question("again", TYPE.YES_NO),
    )
)


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ({}, "score again"),
        ({"score": 9}, "score praise again"),
        ({"score": 6}, "score bad again"),
        ({"score": 6, "bad": ["slow"]}, "score bad how_slow again"),
        # What hangs on an answer to what is not asked any more goes with it.
        ({"score": 8, "bad": ["slow"], "how_slow": "Weeks"}, "score again"),
    ],
)
def test_who_is_asked_what_follows_from_what_they_answered(answers: dict[str, Any], asked: str) -> None:
    assert [one.key for one in questionnaires.asked(SCORED, answers)] == asked.split()


def test_answers_to_what_is_not_asked_are_dropped() -> None:
    given = {"score": 9, "bad": ["slow"], "how_slow": "Weeks", "praise": "Nice"}
    assert questionnaires.kept(SCORED, given) == {"score": 9, "praise": "Nice"}
    assert questionnaires.missing(SCORED, {"score": 2, "bad": ["slow"]}) == ["how_slow"]


def test_a_step_holds_what_can_be_asked_at_once() -> None:
    groups = questionnaires.steps(SCORED)
    assert [[one.key for one in group] for group in groups] == [
        ["score"],
        ["bad"],
        ["how_slow", "praise", "again"],
    ]
    shown = questionnaires.asked(SCORED, {"score": 9})
    assert questionnaires.step_of(groups, shown, 1) == 3
    assert questionnaires.step_of(groups, shown, 3) is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "score": st.integers(0, 10),
            "bad": st.lists(st.sampled_from(["slow", "dear"]), unique=True, min_size=1),
            "how_slow": st.text(min_size=1),
            "praise": st.text(min_size=1),
            "again": st.booleans(),
        },
    )
)
def test_keeping_twice_keeps_the_same_and_asks_for_all_that_is_kept(answers: dict[str, Any]) -> None:
    kept = questionnaires.kept(SCORED, answers)
    assert questionnaires.kept(SCORED, kept) == kept
    assert kept.keys() <= {one.key for one in questionnaires.asked(SCORED, kept)}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("score", 11, "OUT_OF_RANGE"),
        ("score", True, "MALFORMED"),
        ("score", "9", "MALFORMED"),
        ("bad", ["slow", "ugly"], "UNKNOWN_OPTION"),
        ("bad", "slow", "MALFORMED"),
        ("again", "yes", "MALFORMED"),
        ("praise", "x" * 5_001, "TOO_LONG"),
        ("praise", "a\x00b", "MALFORMED"),
        ("nothing", 1, "UNKNOWN_QUESTION"),
    ],
)
def test_what_is_no_answer_is_refused(key: str, value: object, code: str) -> None:
    faults = Faults()
    questionnaires.check_answers(faults, SCORED, {key: value}, field="answers")
    assert [fault.code for fault in faults] == [code]


@pytest.mark.parametrize(
    ("there", "wanted", "best"),
    [
        (["en", "de"], ["de-AT", "fr"], "de"),
        (["en", "pt-BR"], ["pt"], "pt-BR"),
        (["en", "de"], ["ja", "de-CH"], "de"),
        (["fr", "de"], ["ja"], "fr"),
        ([], ["de"], None),
    ],
)
def test_everybody_is_asked_in_the_language_that_is_closest_to_theirs(
    there: list[str], wanted: list[str], best: str | None
) -> None:
    assert questionnaires.best(there, *wanted) == best


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0, Verdict.DETRACTOR), (6, Verdict.DETRACTOR), (7, Verdict.PASSIVE), (9, Verdict.PROMOTER), (None, None)],
)
def test_a_score_makes_a_detractor_or_a_promoter(score: int | None, verdict: Verdict | None) -> None:
    assert questionnaires.verdict_of(score, detractor_most=6, promoter_least=9) is verdict
    assert questionnaires.verdict_of(score, detractor_most=None, promoter_least=None) is None
