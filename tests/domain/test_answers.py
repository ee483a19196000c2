"""Answers to the checklist: typed, taken together, kept with their history, and what stages ask of them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain import answers, captures, criteria, leads, moves, stages
from domain.actors import Actor
from domain.answers import MOST_ANSWERS, Answer, TooManyAnswers, UnknownChoice
from domain.captures import Capture
from domain.criteria import Choice, CriterionArchived, Draft, Preset
from domain.errors import Conflict, DomainError, Forbidden, Invalid, Malformed, NotFound, OutOfRange, TooLong
from domain.external_refs import Ref
from domain.leads import LeadDetails
from domain.moves import AnswerMissing
from domain.requirements import Requirements
from models.base import uuid7
from models.leads import Lead
from models.qualification import AnswerSource, CriterionType, QualificationCriterion
from models.stages import StageKind
from models.users import Role
from tests.factories import NOW, events, lead, member, partner, seller, stage

LATER = NOW + timedelta(hours=1)
CHOICES = (Choice("yes", "Approved"), Choice("maybe", "Planned"), Choice("no", "None", qualifies=False))

pytestmark = pytest.mark.usefixtures("db")


async def checklist(actor: Actor, *types: CriterionType) -> list[QualificationCriterion]:
    """Set a checklist of one criterion of each type."""
    drafts = [
        Draft(label=f"{type_.value} {at}", type=type_, choices=CHOICES if type_ in criteria.CHOSEN else ())
        for at, type_ in enumerate(types)
    ]
    return await criteria.set_all(actor, drafts, now=NOW)


async def known(row: Lead) -> dict[Any, answers.Known]:
    _, found = await answers.of_leads(row.workspace_id, [row.id])
    return found[row.id]


GOOD: list[tuple[CriterionType, Any, Any, str]] = [
    (CriterionType.TEXT, " The boiler <b>leaks</b> ", "The boiler <b>leaks</b>", "The boiler <b>leaks</b>"),
    (CriterionType.NUMBER, 12.5, 12.5, "12.5"),
    (CriterionType.NUMBER, 0, 0, "0"),
    (CriterionType.MONEY, {"amount": "5.0", "currencyCode": "eur"}, {"amount": "5", "currencyCode": "EUR"}, "5 EUR"),
    (CriterionType.MONEY, {"amount": 20, "currencyCode": "JPY"}, {"amount": "20", "currencyCode": "JPY"}, "20 JPY"),
    (CriterionType.DATE, "2026-03-31", "2026-03-31", "2026-03-31"),
    (CriterionType.YES_NO, False, False, "No"),
    (CriterionType.YES_NO, True, True, "Yes"),
    (CriterionType.CHOICE, "maybe", "maybe", "Planned"),
    (CriterionType.MULTI_CHOICE, ["no", "yes", "no"], ["no", "yes"], "None, Approved"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "given", "kept", "text"), GOOD)
async def test_an_answer_is_kept_as_its_type_says_and_told_in_words(
    type_: CriterionType, given: Any, kept: Any, text: str
) -> None:
    actor = await seller()
    row, [asked] = await lead(actor), await checklist(actor, type_)

    await answers.answer(actor, row.id, [Answer(asked.id, given, note=" By phone ")], now=LATER)

    answered = (await known(row))[asked.id]
    assert answered == answers.Known(kept, "By phone", AnswerSource.PERSON, actor.user_id, LATER)
    assert answers.text_of(asked, answered.value) == text


BAD: list[tuple[CriterionType, Any, type[DomainError]]] = [
    (CriterionType.TEXT, 5, Malformed),
    (CriterionType.TEXT, ["a"], Malformed),
    (CriterionType.TEXT, "a\x00b", Malformed),
    (CriterionType.TEXT, "x" * 20_001, TooLong),
    (CriterionType.NUMBER, "12", Malformed),
    (CriterionType.NUMBER, True, Malformed),
    (CriterionType.NUMBER, 10**400, OutOfRange),
    (CriterionType.NUMBER, float("nan"), OutOfRange),
    (CriterionType.NUMBER, float("inf"), OutOfRange),
    (CriterionType.MONEY, 5, Malformed),
    (CriterionType.MONEY, {"amount": "five", "currencyCode": "EUR"}, Malformed),
    (CriterionType.MONEY, {"amount": "NaN", "currencyCode": "EUR"}, Malformed),
    (CriterionType.MONEY, {"amount": True, "currencyCode": "EUR"}, Malformed),
    (CriterionType.MONEY, {"amount": "5"}, Malformed),
    (CriterionType.MONEY, {"amount": "5", "currencyCode": "EUR", "more": 1}, Malformed),
    (CriterionType.MONEY, {"amount": "5", "currencyCode": "XXX"}, Malformed),
    (CriterionType.MONEY, {"amount": "-5", "currencyCode": "EUR"}, OutOfRange),
    (CriterionType.DATE, "31.03.2026", Malformed),
    (CriterionType.DATE, "2026-02-30", Malformed),
    (CriterionType.DATE, "20260331", Malformed),
    (CriterionType.DATE, "0001-01-01", OutOfRange),
    (CriterionType.DATE, 20260331, Malformed),
    (CriterionType.YES_NO, "yes", Malformed),
    (CriterionType.YES_NO, 1, Malformed),
    (CriterionType.CHOICE, "Approved", UnknownChoice),
    (CriterionType.CHOICE, ["yes"], UnknownChoice),
    (CriterionType.CHOICE, {"key": "yes"}, UnknownChoice),
    (CriterionType.MULTI_CHOICE, "yes", Malformed),
    (CriterionType.MULTI_CHOICE, ["yes", None], UnknownChoice),
    (CriterionType.MULTI_CHOICE, [[]], UnknownChoice),
    (CriterionType.MULTI_CHOICE, ["yes"] * 101, Malformed),
]


@pytest.mark.parametrize(("type_", "given", "error"), BAD)
async def test_an_answer_that_is_none_of_its_type_is_refused(
    type_: CriterionType, given: Any, error: type[DomainError]
) -> None:
    actor = await seller()
    row, [asked] = await lead(actor), await checklist(actor, type_)

    with pytest.raises(error) as caught:
        await answers.answer(actor, row.id, [Answer(asked.id, given)], now=NOW)

    assert (caught.value.field or ())[:3] == ("answers", "0", "value")
    assert await known(row) == {}


async def test_every_fault_is_reported_at_once_and_nothing_is_written() -> None:
    actor = await seller()
    row = await lead(actor)
    number, day, old = await checklist(actor, CriterionType.NUMBER, CriterionType.DATE, CriterionType.TEXT)
    kept = [Draft(id=each.id, label=each.label, type=each.type) for each in (number, day)]
    await criteria.set_all(actor, kept, now=NOW)

    with pytest.raises(Invalid) as caught:
        await answers.answer(
            actor,
            row.id,
            [
                Answer(number.id, "12", note="\x00"),
                Answer(day.id, "2026-03-31"),
                Answer(day.id, "2026-03-30"),
                Answer(old.id, "words"),
                Answer(uuid7(), True),
            ],
            now=NOW,
        )

    assert {(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults} == {
        (Malformed, "answers.0.value"),
        (Malformed, "answers.0.note"),
        (Conflict, "answers.2.criterionId"),
        (CriterionArchived, "answers.3.criterionId"),
        (NotFound, "answers.4.criterionId"),
    }
    assert await known(row) == {}
    with pytest.raises(TooManyAnswers):
        await answers.answer(actor, row.id, [Answer(day.id, None)] * (MOST_ANSWERS + 1), now=NOW)


async def test_an_answer_is_changed_taken_back_and_remembered_by_events() -> None:
    actor = await seller()
    row, [asked, other] = await lead(actor), await checklist(actor, CriterionType.CHOICE, CriterionType.TEXT)

    for given, at in (
        ([Answer(asked.id, "yes"), Answer(other.id, "words")], NOW),
        ([Answer(asked.id, "yes")], LATER),
        ([Answer(asked.id, "no", "They said so")], LATER),
        ([Answer(asked.id, None), Answer(other.id, "  ")], LATER),
        ([Answer(asked.id, None)], LATER),
    ):
        await answers.answer(actor, row.id, given, now=at)

    assert await known(row) == {}
    told = [event for event in await events(row.id) if event.name == "lead.qualification_answered"]
    one, two = str(asked.id), str(other.id)
    assert [event.data["changes"]["answers"] for event in told] == [
        [{one: None, two: None}, {one: {"value": "yes", "note": None}, two: {"value": "words", "note": None}}],
        [{one: {"value": "yes", "note": None}}, {one: {"value": "no", "note": "They said so"}}],
        [
            {one: {"value": "no", "note": "They said so"}, two: {"value": "words", "note": None}},
            {one: None, two: None},
        ],
    ]
    assert all(event.data["before"] == event.data["after"] for event in told)
    assert (await Lead.get(id=row.id)).version == row.version


async def test_answers_to_an_archived_criterion_stay_and_can_be_taken_back() -> None:
    actor = await seller()
    row, [asked] = await lead(actor), await checklist(actor, CriterionType.TEXT)
    await answers.answer(actor, row.id, [Answer(asked.id, "words")], now=NOW)
    await criteria.set_all(actor, [], now=NOW)

    assert (await known(row))[asked.id].value == "words"
    await answers.answer(actor, row.id, [Answer(asked.id, None)], now=NOW)

    assert await known(row) == {}


async def test_a_form_answers_by_its_key_without_reading_the_checklist() -> None:
    admin = await seller()
    row, [asked] = await lead(admin), await checklist(admin, CriterionType.YES_NO)
    form = await partner("lead:read", "lead:write", of=admin)

    await answers.answer(form, row.id, [Answer(asked.id, True)], now=NOW)
    by_form = (await known(row))[asked.id]
    await answers.answer(admin, row.id, [Answer(asked.id, False)], source=AnswerSource.FORM, now=NOW)

    assert (by_form.source, by_form.user_id) == (AnswerSource.FORM, form.user_id)
    assert (await known(row))[asked.id].source is AnswerSource.FORM


async def test_who_answers_about_which_leads() -> None:
    admin = await seller()
    [asked] = await checklist(admin, CriterionType.YES_NO)
    rep = await seller(Role.REP, of=admin)
    own, others = await lead(rep), await lead(admin)
    for role in (Role.MANAGER, Role.QUALIFIER, Role.MARKETER):
        seeing = await member(role, of=admin)
        if role is not Role.MANAGER:
            await answers.answer(seeing, others.id, [Answer(asked.id, True)], now=NOW)
    await answers.answer(rep, own.id, [Answer(asked.id, True)], now=NOW)

    with pytest.raises(NotFound):
        await answers.answer(rep, others.id, [Answer(asked.id, True)], now=NOW)
    with pytest.raises(Forbidden):
        await answers.answer(await member(Role.VIEWER, of=admin), own.id, [Answer(asked.id, True)], now=NOW)
    with pytest.raises(NotFound):
        await answers.answer(await seller(), own.id, [Answer(asked.id, True)], now=NOW)
    stranger = await seller()
    with pytest.raises(NotFound) as caught:
        await answers.answer(stranger, (await lead(stranger)).id, [Answer(asked.id, True)], now=NOW)
    assert caught.value.field == ("answers", "0", "criterionId")


async def test_of_many_who_answer_at_once_the_last_has_the_last_word_and_the_log_tells_one_story() -> None:
    actor = await seller()
    row, asked = await lead(actor), await checklist(actor, CriterionType.NUMBER, CriterionType.NUMBER)

    await asyncio.gather(
        *(answers.answer(actor, row.id, [Answer(asked[number % 2].id, number)], now=NOW) for number in range(10))
    )

    told = [event for event in await events(row.id) if event.name == "lead.qualification_answered"]
    assert len(told) == 10
    standing: dict[str, Any] = {}
    for event in told:
        before, after = event.data["changes"]["answers"]
        assert all(standing.get(key) == was for key, was in before.items())
        standing |= after
    found = await known(row)
    assert {str(key): {"value": each.value, "note": None} for key, each in found.items()} == standing
    assert len(found) == 2


async def test_a_captured_lead_may_bring_its_answers_along() -> None:
    admin = await seller()
    asked, other = await checklist(admin, CriterionType.CHOICE, CriterionType.TEXT)
    form = await partner("lead:write", of=admin)
    new = Capture(details=LeadDetails(title="Heat pump"), answers=[Answer(asked.id, "yes")])

    row = await captures.capture(form, new, now=NOW)

    answered = (await known(row))[asked.id]
    assert (answered.value, answered.source) == ("yes", AnswerSource.FORM)
    assert [event.name for event in await events(row.id)] == ["lead.captured", "lead.qualification_answered"]
    with pytest.raises(Invalid) as caught:
        await captures.capture(form, Capture(answers=[Answer(asked.id, "?"), Answer(other.id, 1)]), now=NOW)
    assert {".".join(fault.field or ()) for fault in caught.value.faults} == {
        "title",
        "answers.0.value",
        "answers.1.value",
    }


async def test_a_lead_that_is_captured_again_is_answered_by_whoever_may_answer_it() -> None:
    admin = await seller()
    [asked] = await checklist(admin, CriterionType.YES_NO)
    ref = Ref("web", "7")
    new = Capture(details=LeadDetails(title="Roof"), external_refs=[ref])
    row = await captures.capture(admin, new, now=NOW)

    again = await captures.capture(
        admin,
        Capture(details=LeadDetails(title="Roof"), external_refs=[ref], answers=[Answer(asked.id, True)]),
        now=NOW,
    )

    assert again.id == row.id
    assert (await known(row))[asked.id].value is True


async def test_a_stage_asks_for_answers_and_moves_say_which_are_missing() -> None:
    actor = await seller()
    row = await lead(actor)
    budget, need, extra = await checklist(actor, CriterionType.CHOICE, CriterionType.TEXT, CriterionType.TEXT)
    target = await stage(actor, StageKind.PROPOSAL)
    asking = Requirements(criteria=(budget.id, need.id))
    await stages.set_requirements(actor, target.id, asking, now=NOW)

    with pytest.raises(Invalid) as caught:
        await moves.move(actor, row.id, stage_id=target.id, now=NOW)
    await answers.answer(actor, row.id, [Answer(budget.id, "no")], now=NOW)
    with pytest.raises(AnswerMissing):
        await moves.move(actor, row.id, stage_id=target.id, now=NOW)
    without_need = [
        Draft(id=each.id, label=each.label, type=each.type, choices=CHOICES if each is budget else ())
        for each in (budget, extra)
    ]
    await criteria.set_all(actor, without_need, now=NOW)
    moved = await moves.move(actor, row.id, stage_id=target.id, now=NOW)

    assert [str(fault) for fault in caught.value.faults] == [
        f"The stage {target.name} asks for an answer to {each.label}." for each in (budget, need)
    ]
    assert moved.stage_id == target.id


async def test_a_stage_may_ask_for_the_whole_checklist_as_it_is() -> None:
    actor = await seller()
    row = await lead(actor)
    asked = await criteria.set_preset(actor, Preset.BANT, now=NOW)
    target = await stage(actor, StageKind.PROPOSAL)
    await stages.set_requirements(actor, target.id, Requirements(all_criteria=True), now=NOW)

    on = await moves.board(actor.workspace_id, [row.id])
    missing = moves.unanswered(row, on.stages[target.id], on)
    await criteria.set_preset(actor, Preset.DISTRIBUTOR, now=NOW)
    on = await moves.board(actor.workspace_id, [row.id])

    assert [each.id for each in missing] == [each.id for each in asked]
    assert [each.label for each in moves.unanswered(row, on.stages[target.id], on)] == [
        "Reason",
        "Found us",
        "Project or budget",
    ]


async def test_a_stage_asks_for_no_criterion_that_is_archived_or_elsewhere() -> None:
    actor, stranger = await seller(), await seller()
    [old] = await checklist(actor, CriterionType.TEXT)
    [foreign] = await checklist(stranger, CriterionType.TEXT)
    target = await stage(actor, StageKind.PROPOSAL)
    kept = await stage(actor, StageKind.QUALIFY)
    await stages.set_requirements(actor, kept.id, Requirements(criteria=(old.id, old.id)), now=NOW)
    await criteria.set_all(actor, [], now=NOW)

    for key, error in ((old.id, CriterionArchived), (foreign.id, NotFound), (uuid7(), NotFound)):
        with pytest.raises(error):
            await stages.set_requirements(actor, target.id, Requirements(criteria=(key,)), now=NOW)
    same = await stages.set_requirements(actor, kept.id, Requirements(criteria=(old.id,), min_needs=1), now=NOW)

    assert same.requirements == {"criteria": [old.id.hex], "min_needs": 1}
    with pytest.raises(criteria.TooManyCriteria):
        many = tuple(uuid7() for _ in range(51))
        await stages.set_requirements(actor, target.id, Requirements(criteria=many), now=NOW)


async def test_a_deleted_lead_is_not_answered() -> None:
    actor = await seller()
    row, [asked] = await lead(actor), await checklist(actor, CriterionType.YES_NO)
    await leads.delete(actor, row.id, now=NOW)

    with pytest.raises(NotFound):
        await answers.answer(actor, row.id, [Answer(asked.id, True)], now=NOW)
