"""The checklist: set as a whole, by presets or criterion by criterion, and nothing that was answered is lost."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import answers, criteria
from domain.actors import Actor
from domain.answers import Answer
from domain.criteria import (
    Choice,
    ChoicesNeeded,
    ChoicesUnwanted,
    CriterionAnswered,
    Draft,
    Preset,
    TooManyChoices,
    TooManyCriteria,
)
from domain.errors import AlreadyExists, DomainError, Forbidden, Invalid, Malformed, NotFound, Required, Stale
from models.base import uuid7
from models.qualification import CriterionType, QualificationCriterion
from models.users import Role
from tests.factories import NOW, events, lead, member, seller

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


def draft(label: str, **more: Any) -> Draft:
    return Draft(label=label, **more)


def again(row: QualificationCriterion, **more: Any) -> Draft:
    """Return a criterion as it is, with what is to change."""
    known: dict[str, Any] = {
        "id": row.id,
        "label": row.label,
        "question": row.question,
        "type": row.type,
        "choices": [choice for choice in criteria.choices_of(row) if not choice.archived],
        "required_for_mql": row.required_for_mql,
        "required_for_sql": row.required_for_sql,
    }
    return Draft(**(known | more))


async def live_labels(actor: Actor) -> list[str]:
    return [row.label for row in await criteria.live(actor.workspace_id)]


async def test_a_list_is_set_edited_shortened_and_brought_back_in_one_go_each() -> None:
    actor = await seller()

    budget, need = await criteria.set_all(
        actor, [draft(" Budget ", type=CriterionType.MONEY, required_for_sql=True), draft("Need")], now=NOW
    )
    again_need, timing = await criteria.set_all(
        actor, [again(need, question="What hurts?"), draft("Timing", type=CriterionType.DATE)], now=LATER
    )
    archived = await QualificationCriterion.get(id=budget.id)
    await criteria.set_all(actor, [again(timing), again(budget), again(again_need)], now=LATER)

    assert (budget.label, budget.position, budget.required_for_sql) == ("Budget", 0, True)
    assert (again_need.question, again_need.position, again_need.version) == ("What hurts?", 0, 2)
    assert (archived.archived_at, archived.version) == (LATER, 2)
    assert await live_labels(actor) == ["Timing", "Budget", "Need"]
    assert [event.name for event in await events(budget.id)] == [
        f"qualification_criterion.{verb}" for verb in ("created", "archived", "restored")
    ]
    assert [event.name for event in await events(need.id)] == [
        f"qualification_criterion.{verb}" for verb in ("created", "updated", "updated")
    ]


async def test_setting_the_same_list_twice_changes_and_records_nothing() -> None:
    actor = await seller()
    rows = await criteria.set_all(actor, [draft("Budget"), draft("Need")], now=NOW)

    same = await criteria.set_all(actor, [again(row) for row in rows], now=LATER)

    assert [row.version for row in same] == [1, 1]
    assert [len(await events(row.id)) for row in rows] == [1, 1]


@pytest.mark.parametrize("preset", Preset)
async def test_a_preset_makes_what_its_name_says_and_is_brought_back_as_it_was_left(preset: Preset) -> None:
    actor = await seller()

    made = await criteria.set_preset(actor, preset, now=NOW)
    other = await criteria.set_preset(actor, Preset.BANT if preset is not Preset.BANT else Preset.MEDDIC, now=NOW)
    await criteria.set_all(actor, [again(made[0], label="In our words")], now=NOW)
    back = await criteria.set_preset(actor, preset, now=LATER)
    twice = await criteria.set_preset(actor, preset, now=LATER)

    assert [row.label for row in made] == [draft.label for draft in criteria.PRESETS[preset].values()]
    assert all(row.question for row in made)
    assert [row.id for row in back] == [row.id for row in made] == [row.id for row in twice]
    assert back[0].label == "In our words"
    assert [row.version for row in back] == [row.version for row in twice]
    assert {row.id for row in other}.isdisjoint(row.id for row in back)
    assert await live_labels(actor) == ["In our words", *(row.label for row in made[1:])]


def test_the_presets_ask_what_their_names_say() -> None:
    asked = {preset: [draft.label for draft in drafts.values()] for preset, drafts in criteria.PRESETS.items()}

    assert asked == {
        Preset.BANT: ["Budget", "Authority", "Need", "Timeline"],
        Preset.MEDDIC: [
            "Metrics",
            "Economic buyer",
            "Decision criteria",
            "Decision process",
            "Identified pain",
            "Champion",
        ],
        Preset.DISTRIBUTOR: ["Reason", "Found us", "Project or budget"],
    }


async def test_every_fault_is_reported_at_once() -> None:
    actor = await seller()
    [known] = await criteria.set_all(actor, [draft("Known")], now=NOW)

    with pytest.raises(Invalid) as caught:
        await criteria.set_all(
            actor,
            [
                draft("", question="\x00"),
                draft("Same"),
                draft(" same "),
                draft("Text", choices=[Choice("a", "A")]),
                draft("Choice", type=CriterionType.CHOICE),
                draft(
                    "Keys", type=CriterionType.CHOICE, choices=[Choice("a b", "A"), Choice("c", ""), Choice("c", "C")]
                ),
                draft("Nobody's", id=uuid7()),
                again(known, expected_version=7),
                again(known, label="Known twice"),
                draft("Many", type=CriterionType.MULTI_CHOICE, choices=[Choice(f"k{n}", f"{n}") for n in range(101)]),
            ],
            now=NOW,
        )

    found = {(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults}
    assert found == {
        (Required, "criteria.0.label"),
        (Malformed, "criteria.0.question"),
        (AlreadyExists, "criteria.2.label"),
        (ChoicesUnwanted, "criteria.3.choices"),
        (ChoicesNeeded, "criteria.4.choices"),
        (Malformed, "criteria.5.choices.0.key"),
        (Required, "criteria.5.choices.1.label"),
        (AlreadyExists, "criteria.5.choices.2.key"),
        (NotFound, "criteria.6.id"),
        (Stale, "criteria.7.expectedVersion"),
        (AlreadyExists, "criteria.8.id"),
        (TooManyChoices, "criteria.9.choices"),
    }
    assert await live_labels(actor) == ["Known"]


async def test_a_checklist_has_fifty_criteria_at_most() -> None:
    actor = await seller()

    with pytest.raises(TooManyCriteria):
        await criteria.set_all(actor, [draft(f"{number}") for number in range(51)], now=NOW)

    assert len(await criteria.set_all(actor, [draft(f"{number}") for number in range(50)], now=NOW)) == 50


async def test_what_is_answered_keeps_its_type_and_a_choice_that_is_gone_its_label() -> None:
    actor = await seller()
    asked = await lead(actor)
    offered = [Choice("web", "Website"), Choice("fair", "Trade fair")]
    [found] = await criteria.set_all(actor, [draft("Found us", type=CriterionType.CHOICE, choices=offered)], now=NOW)
    await answers.answer(actor, asked.id, [Answer(found.id, "fair")], now=NOW)

    with pytest.raises(CriterionAnswered) as caught:
        await criteria.set_all(actor, [again(found, type=CriterionType.TEXT, choices=())], now=NOW)
    [less] = await criteria.set_all(actor, [again(found, choices=offered[:1])], now=LATER)
    [more] = await criteria.set_all(
        actor, [again(less, choices=[Choice("fair", "Trade show"), Choice("web", "Website")])], now=LATER
    )

    assert caught.value.field == ("criteria", "0", "type")
    assert criteria.choices_of(less) == [offered[0], Choice("fair", "Trade fair", archived=True)]
    assert answers.text_of(less, "fair") == "Trade fair"
    assert criteria.choices_of(more) == [Choice("fair", "Trade show"), Choice("web", "Website")]


async def test_whoever_may_set_catalogs_sets_the_checklist_of_their_workspace() -> None:
    admin, stranger = await seller(), await seller()
    [foreign] = await criteria.set_all(stranger, [draft("Theirs")], now=NOW)
    for role in (Role.REP, Role.QUALIFIER, Role.MARKETER, Role.VIEWER):
        with pytest.raises(Forbidden):
            await criteria.set_all(await member(role, of=admin), [draft("Mine")], now=NOW)
        with pytest.raises(Forbidden):
            await criteria.set_preset(await member(role, of=admin), Preset.BANT, now=NOW)

    with pytest.raises(NotFound):
        await criteria.set_all(admin, [again(foreign)], now=NOW)
    await criteria.set_preset(await member(Role.MANAGER, of=admin), Preset.DISTRIBUTOR, now=NOW)

    assert await live_labels(stranger) == ["Theirs"]
    assert len(await live_labels(admin)) == 3


async def test_of_two_who_set_the_list_at_once_one_has_the_last_word() -> None:
    actor = await seller()

    await asyncio.gather(
        criteria.set_all(actor, [draft("Budget"), draft("Need")], now=NOW),
        criteria.set_preset(actor, Preset.MEDDIC, now=NOW),
        criteria.set_preset(actor, Preset.MEDDIC, now=NOW),
    )

    meddic = [draft.label for draft in criteria.PRESETS[Preset.MEDDIC].values()]
    assert await live_labels(actor) in (["Budget", "Need"], meddic)
    assert await QualificationCriterion.filter(workspace_id=actor.workspace_id).count() == 8


async def test_an_answer_and_another_type_at_once_never_leave_an_answer_of_the_wrong_type() -> None:
    actor = await seller()
    rows = [await lead(actor) for _ in range(8)]
    drafts = [draft(f"{number}") for number in range(len(rows))]
    asked = await criteria.set_all(actor, drafts, now=NOW)

    async def retype(key: UUID) -> None:
        known = [again(row) for row in await criteria.live(actor.workspace_id) if row.id != key]
        changed = Draft(id=key, label=f"Other {key}", type=CriterionType.YES_NO)
        await criteria.set_all(actor, [*known, changed], now=NOW)

    outcomes = await asyncio.gather(
        *(
            answers.answer(actor, row.id, [Answer(each.id, "words")], now=NOW)
            for row, each in zip(rows, asked, strict=True)
        ),
        *(retype(each.id) for each in asked[:1]),
        return_exceptions=True,
    )

    assert [type(each) for each in outcomes if isinstance(each, Exception) and not isinstance(each, DomainError)] == []
    checklist, known = await answers.of_leads(actor.workspace_id, [row.id for row in rows])
    types = {row.id: row.type for row in checklist}
    said = [(types[key], answer.value) for each in known.values() for key, answer in each.items()]
    assert {type_ for type_, _ in said} == {CriterionType.TEXT}
    assert types[asked[0].id] is (CriterionType.TEXT if known[rows[0].id] else CriterionType.YES_NO)
