"""Surveys: drafts and versions, who may make them, and what is refused."""

import asyncio
from datetime import timedelta

import pytest

from domain import questionnaires, surveys
from domain.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Stale
from domain.questionnaires import Question, QuestionType
from domain.surveys import SurveyDetails
from models.base import uuid7
from models.events import Event
from models.surveys import Survey, SurveyKind, SurveyVersion
from models.users import Role
from tests.factories import NOW, member
from tests.surveying import published

LATER = NOW + timedelta(hours=1)
WHY = (Question(key="why", type=QuestionType.TEXT, text={"en": "Why?"}),)

pytestmark = pytest.mark.usefixtures("db")


async def test_a_survey_is_drafted_published_edited_and_published_again() -> None:
    actor, key = await member(Role.MARKETER), uuid7()
    made = await surveys.create(actor, SurveyKind.NPS, SurveyDetails(name=" After the sale "), id=key, now=NOW)
    assert (made.name, made.draft_number, made.published_number) == ("After the sale", 1, None)
    assert (made.detractor_most, made.promoter_least, made.delay_days) == (6, 9, 30)

    first = await surveys.publish(actor, key, now=NOW)
    again = await surveys.publish(actor, key, now=LATER)
    assert (first.published_number, again.published_at, again.version) == (1, NOW, 2)

    renamed = await surveys.update(actor, key, SurveyDetails(name="NPS", delay_days=None), now=LATER)
    assert renamed.draft_number == 1
    edited = await surveys.update(
        actor, key, SurveyDetails(title={"en": "Tell us"}), expected_version=renamed.version, now=LATER
    )
    assert (edited.draft_number, edited.published_number) == (2, 1)
    second = await surveys.publish(actor, key, now=LATER)
    assert second.published_number == 2

    versions = await SurveyVersion.filter(survey_id=key).order_by("number")
    titles = [questionnaires.load(version.content).title["en"] for version in versions]
    assert titles == ["How are we doing?", "Tell us"]
    names = [event.name for event in await Event.filter(subject_id=key).order_by("id")]
    assert names == [f"survey.{verb}" for verb in ("created", "published", "updated", "updated", "published")]


async def test_an_edit_that_changes_nothing_changes_nothing_and_a_stale_one_is_refused() -> None:
    actor = await member()
    made = await published(actor)
    same = await surveys.update(actor, made.id, SurveyDetails(name=made.name, delay_days=30), now=LATER)
    assert (same.version, same.draft_number) == (made.version, 1)
    with pytest.raises(Stale):
        await surveys.update(actor, made.id, SurveyDetails(name="X"), expected_version=1, now=LATER)


async def test_every_fault_is_reported_at_once() -> None:
    actor = await member()
    with pytest.raises(Invalid) as caught:
        await surveys.create(
            actor,
            SurveyKind.NPS,
            SurveyDetails(
                name="",
                questions=WHY,
                sample_percent=101,
                reminder_days=0,
                detractor_most=9,
                promoter_least=9,
                pipeline_id=uuid7(),
            ),
            now=NOW,
        )
    assert sorted((fault.code, ".".join(fault.field or ())) for fault in caught.value.faults) == [
        ("NOT_FOUND", "pipelineId"),
        ("OUT_OF_RANGE", "promoterLeast"),
        ("OUT_OF_RANGE", "reminderDays"),
        ("OUT_OF_RANGE", "samplePercent"),
        ("REQUIRED", "name"),
        ("WRONG_SCALE", "questions.0"),
    ]


async def test_a_name_is_free_again_once_its_survey_is_archived() -> None:
    actor = await member()
    first = await published(actor, name="After the sale")
    with pytest.raises(AlreadyExists):
        await published(actor, name="after the SALE")
    await surveys.archive(actor, first.id, now=NOW)
    with pytest.raises(Conflict):
        await surveys.update(actor, first.id, SurveyDetails(name="X"), now=NOW)
    with pytest.raises(Conflict):
        await surveys.publish(actor, first.id, now=NOW)
    await published(actor, name="After the sale")
    with pytest.raises(AlreadyExists):
        await surveys.restore(actor, first.id, now=NOW)


@pytest.mark.parametrize("role", [Role.REP, Role.QUALIFIER, Role.VIEWER])
async def test_who_only_sells_makes_none(role: Role) -> None:
    admin = await member()
    made = await published(admin)
    actor = await member(role, of=admin)
    with pytest.raises(Forbidden):
        await surveys.create(actor, SurveyKind.CES, SurveyDetails(name="CES"), now=NOW)
    with pytest.raises(Forbidden):
        await surveys.publish(actor, made.id, now=NOW)


async def test_another_workspaces_survey_does_not_exist() -> None:
    made, stranger = await published(await member()), await member()
    for operation in (surveys.publish, surveys.archive, surveys.restore):
        with pytest.raises(NotFound):
            await operation(stranger, made.id, now=NOW)


async def test_two_who_publish_at_once_make_one_version() -> None:
    actor = await member()
    made = await surveys.create(actor, SurveyKind.CSAT, SurveyDetails(name="CSAT"), now=NOW)
    await asyncio.gather(*(surveys.publish(actor, made.id, now=NOW) for _ in range(4)))
    assert await SurveyVersion.filter(survey_id=made.id).count() == 1
    assert (await Survey.get(id=made.id)).version == 2
