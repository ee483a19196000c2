"""Lifecycles: raised by rules on score and checklist, never lowered by them, and a person's choice wins."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tortoise.connection import get_connection

from domain import answers, closings, criteria, leads, lifecycle, workspaces
from domain.actors import Actor
from domain.answers import Answer
from domain.criteria import Choice, Draft
from domain.errors import Forbidden, Invalid, Stale
from domain.leads import LeadDetails
from domain.lifecycle import Rules, Threshold, meets, reached
from models.base import uuid7
from models.events import Event
from models.leads import Lead, LeadStatus, Lifecycle
from models.qualification import CriterionType, QualificationCriterion
from models.users import Role
from tests.factories import NOW, events, lead, member, seller

LATER = NOW + timedelta(hours=1)
RAW, MQL, SQL = Lifecycle
CHOICES = (Choice("yes", "Approved"), Choice("no", "None", qualifies=False))

pytestmark = pytest.mark.usefixtures("db")


def criterion(type_: CriterionType = CriterionType.YES_NO, **columns: Any) -> QualificationCriterion:
    choices = [{"key": "yes", "label": "Yes"}, {"key": "no", "label": "No", "qualifies": False}]
    return QualificationCriterion(id=uuid7(), type=type_, choices=choices, label="?", position=0, **columns)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (CriterionType.YES_NO, True, True),
        (CriterionType.YES_NO, False, False),
        (CriterionType.CHOICE, "yes", True),
        (CriterionType.CHOICE, "no", False),
        (CriterionType.CHOICE, "gone", False),
        (CriterionType.MULTI_CHOICE, ["no", "yes"], True),
        (CriterionType.MULTI_CHOICE, ["no"], False),
        (CriterionType.NUMBER, 0, True),
        (CriterionType.TEXT, "no", True),
    ],
)
async def test_what_speaks_for_a_lead(type_: CriterionType, value: Any, expected: bool) -> None:
    assert meets(criterion(type_), value) is expected


SCORED = Threshold(score=60)
COUNTED = Threshold(criteria=2)
BOTH = Threshold(score=60, criteria=2)


@pytest.mark.parametrize(
    ("rules", "score", "yes", "expected"),
    [
        (Rules(), 100, 3, RAW),
        (Rules(mql=SCORED), None, 3, RAW),
        (Rules(mql=SCORED), 59, 3, RAW),
        (Rules(mql=SCORED), 60, 0, RAW),
        (Rules(mql=SCORED), 60, 1, MQL),
        (Rules(mql=COUNTED), None, 1, RAW),
        (Rules(mql=COUNTED), None, 2, MQL),
        (Rules(mql=BOTH), 60, 1, RAW),
        (Rules(mql=BOTH), 59, 2, RAW),
        (Rules(mql=BOTH), 60, 2, MQL),
        (Rules(mql=SCORED, sql=COUNTED), 60, 2, MQL),
        (Rules(mql=SCORED, sql=COUNTED), 60, 3, SQL),
        (Rules(sql=COUNTED), 0, 3, SQL),
    ],
)
async def test_how_far_rules_bring_a_lead(rules: Rules, score: int | None, yes: int, expected: Lifecycle) -> None:
    """The first criterion is required for MQL, the last for SQL."""
    checklist = [criterion(required_for_mql=True), criterion(), criterion(required_for_sql=True)]
    said = {row.id: True for row in checklist[:yes]} | {row.id: False for row in checklist[yes:]}

    assert reached(rules, score, checklist, said) is expected


async def with_rules(rules: Rules) -> tuple[Actor, list[QualificationCriterion]]:
    """Make a workspace with rules and a checklist of three, the first of which is required for MQL."""
    actor = await seller()
    await workspaces.update(actor, lifecycle_rules=rules, now=NOW)
    drafts = [Draft(label=f"{at}", type=CriterionType.YES_NO, required_for_mql=not at) for at in range(3)]
    return actor, await criteria.set_all(actor, drafts, now=NOW)


async def qualified(row: Lead) -> list[Event]:
    return [event for event in await events(row.id) if event.name == "lead.qualified"]


async def test_an_answer_raises_in_its_own_transaction_and_the_log_says_why() -> None:
    actor, asked = await with_rules(Rules(mql=Threshold(criteria=1), sql=Threshold(criteria=3)))
    row = await lead(actor)

    await answers.answer(actor, row.id, [Answer(asked[1].id, True)], now=NOW)
    unrequired = (await Lead.get(id=row.id)).lifecycle
    raised = await answers.answer(actor, row.id, [Answer(asked[0].id, True)], now=NOW)
    await answers.answer(actor, row.id, [Answer(each.id, False) for each in asked], now=LATER)
    lowered = await Lead.get(id=row.id)
    await answers.answer(actor, row.id, [Answer(each.id, True) for each in asked], now=LATER)
    await answers.answer(actor, row.id, [Answer(each.id, None) for each in asked], now=LATER)

    assert (unrequired, raised.lifecycle, lowered.lifecycle) == (RAW, MQL, MQL)
    standing = await Lead.get(id=row.id)
    assert (standing.lifecycle, standing.version, standing.updated_at) == (SQL, row.version, row.updated_at)
    first, second = await qualified(row)
    assert first.actor == {"kind": "SYSTEM", "task": "qualify_leads"}
    assert first.data["changes"] == {
        "lifecycle": ["RAW", "MQL"],
        "why": [
            None,
            {"by": "RULES", "score": None, "criteria": 2, "rules": {"mql": {"criteria": 1}, "sql": {"criteria": 3}}},
        ],
    }
    assert second.data["changes"]["lifecycle"] == ["MQL", "SQL"]
    assert first.data["before"] == first.data["after"]
    assert first.data["after"]["stage_id"] == str(row.stage_id)


async def test_without_rules_nothing_rises() -> None:
    actor, asked = await with_rules(Rules())
    row = await lead(actor)
    await Lead.filter(id=row.id).update(score=100)

    await answers.answer(actor, row.id, [Answer(each.id, True) for each in asked], now=NOW)

    assert await lifecycle.raise_all(actor.workspace_id, [row.id], now=NOW) == 0
    assert await lifecycle.schedule_all(actor.workspace_id, now=NOW) == 0
    assert (await Lead.get(id=row.id)).lifecycle is RAW


async def test_scores_raise_many_at_once_and_only_what_may_rise() -> None:
    actor, _ = await with_rules(Rules(mql=Threshold(score=50)))
    await criteria.set_all(actor, [], now=NOW)
    high, low, closed, deleted, chosen, further = [await lead(actor) for _ in range(6)]
    keys = [row.id for row in (high, low, closed, deleted, chosen, further)]
    await Lead.filter(id__in=keys).update(score=80)
    await Lead.filter(id=low.id).update(score=49)
    await Lead.filter(id=further.id).update(lifecycle=SQL)
    await closings.close(actor, closed.id, LeadStatus.WON, now=NOW)
    await leads.delete(actor, deleted.id, now=NOW)
    await lifecycle.choose(actor, chosen.id, RAW, note="A student", now=NOW)

    raised = await lifecycle.raise_all(actor.workspace_id, keys, now=NOW, bulk=True)
    again = await lifecycle.raise_all(actor.workspace_id, keys, now=NOW)

    assert (raised, again) == (1, 0)
    standing = {row.id: row.lifecycle for row in await Lead.filter(id__in=keys)}
    assert standing == {high.id: MQL, low.id: RAW, closed.id: RAW, deleted.id: RAW, chosen.id: RAW, further.id: SQL}
    [event] = await qualified(high)
    assert event.data["bulk"] is True
    assert event.data["changes"]["why"][1]["score"] == 80


async def test_what_a_person_chooses_stays_until_they_leave_it_to_the_rules_again() -> None:
    actor, asked = await with_rules(Rules(mql=Threshold(criteria=1)))
    row = await lead(actor)

    chosen = await lifecycle.choose(actor, row.id, RAW, note=" Just curious ", now=NOW)
    same = await lifecycle.choose(actor, row.id, RAW, now=LATER)
    await answers.answer(actor, row.id, [Answer(asked[0].id, True)], now=LATER)
    kept = await Lead.get(id=row.id)
    left = await lifecycle.choose(actor, row.id, None, now=LATER)

    assert (chosen.lifecycle, chosen.lifecycle_chosen_at, chosen.version) == (RAW, NOW, 2)
    assert (same.version, kept.lifecycle) == (2, RAW)
    assert (left.lifecycle, left.lifecycle_chosen_at, left.version) == (MQL, None, 3)
    told = [event.data["changes"] for event in await qualified(row)]
    assert [change["why"][1].get("note") for change in told] == ["Just curious", None, None]
    assert [change["why"][1]["by"] for change in told] == ["PERSON", "PERSON", "RULES"]
    assert told[2]["lifecycle"] == ["RAW", "MQL"]


async def test_an_edit_of_the_lifecycle_is_a_choice_and_an_edit_of_something_else_is_none() -> None:
    actor, asked = await with_rules(Rules(mql=Threshold(criteria=1)))
    edited, chosen = await lead(actor), await lead(actor, lifecycle=MQL)

    await leads.update(actor, edited.id, LeadDetails(title="Other"), now=NOW)
    await leads.update(actor, chosen.id, LeadDetails(lifecycle=RAW), now=NOW)
    for row in (edited, chosen):
        await answers.answer(actor, row.id, [Answer(asked[0].id, True)], now=LATER)

    assert [(await Lead.get(id=row.id)).lifecycle for row in (edited, chosen)] == [MQL, RAW]
    assert (await Lead.get(id=chosen.id)).lifecycle_chosen_at == NOW


async def test_who_chooses() -> None:
    actor, _ = await with_rules(Rules())
    row = await lead(actor)

    for role in (Role.MARKETER, Role.VIEWER):
        with pytest.raises(Forbidden):
            await lifecycle.choose(await member(role, of=actor), row.id, SQL, now=NOW)
    with pytest.raises(Stale):
        await lifecycle.choose(actor, row.id, SQL, expected_version=9, now=NOW)

    assert (await Lead.get(id=row.id)).lifecycle is RAW


async def test_rules_out_of_range_are_refused_together() -> None:
    actor = await seller()

    with pytest.raises(Invalid) as caught:
        rules = Rules(mql=Threshold(score=101, criteria=0), sql=Threshold(score=-1, criteria=51))
        await workspaces.update(actor, lifecycle_rules=rules, now=NOW)

    assert {".".join(fault.field or ()) for fault in caught.value.faults} == {
        "lifecycleRules.mql.score",
        "lifecycleRules.mql.criteria",
        "lifecycleRules.sql.score",
        "lifecycleRules.sql.criteria",
    }


async def test_rules_that_are_set_stand_beside_other_settings_and_are_set_once() -> None:
    actor = await seller()
    home = await workspaces.update(actor, lifecycle_rules=Rules(sql=Threshold(score=0)), now=NOW)
    same = await workspaces.update(actor, lifecycle_rules=Rules(sql=Threshold(score=0)), now=NOW)

    assert home.version == same.version == 2
    assert Rules.parse(home.settings) == Rules(sql=Threshold(score=0))
    assert await lifecycle.rules_of(actor.workspace_id) == Rules(sql=Threshold(score=0))


async def test_all_leads_that_rules_may_raise_are_looked_at_in_jobs() -> None:
    actor, _ = await with_rules(Rules(mql=Threshold(score=50)))
    rows = [await lead(actor) for _ in range(3)]
    await Lead.filter(id=rows[0].id).update(lifecycle=SQL)

    assert await lifecycle.schedule_all(actor.workspace_id, now=NOW) == 2

    found = await get_connection("default").execute_query_dict(
        "SELECT task, queue, arguments ->> 'subject_ids' AS keys FROM job WHERE workspace_id = $1", [actor.workspace_id]
    )
    [job] = [row for row in found if row["task"] == lifecycle.TASK]
    assert job["queue"] == "bulk"
    assert all(str(row.id) in job["keys"] for row in rows[1:])


@pytest.mark.parametrize("number", range(3))
async def test_a_choice_and_an_answer_at_once_leave_what_the_person_chose(number: int) -> None:
    actor, asked = await with_rules(Rules(mql=Threshold(criteria=1)))
    row = await lead(actor)

    await asyncio.gather(
        answers.answer(actor, row.id, [Answer(asked[0].id, True)], now=NOW),
        lifecycle.choose(actor, row.id, RAW, now=NOW),
        lifecycle.raise_all(actor.workspace_id, [row.id], now=NOW),
    )

    standing = await Lead.get(id=row.id)
    assert (standing.lifecycle, standing.lifecycle_chosen_at) == (RAW, NOW)
    told = [event.data["changes"].get("lifecycle") for event in await qualified(row)]
    assert told in ([None], [["RAW", "MQL"], ["MQL", "RAW"]])
