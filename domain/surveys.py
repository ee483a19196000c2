"""Surveys: what customers are asked, in versions, and the rule by which they are.

What was published never changes: an edit of its questions makes a draft of the next version, and whoever was asked
before answers the version that they were sent.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, locks, policy, questionnaires, removals, survey_presets
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, OutOfRange
from domain.events import Event, record
from domain.policy import Action
from domain.questionnaires import VERDICTS, Question, Questionnaire, Texts
from domain.unset import UNSET, Unset, given
from models.base import uuid7
from models.database import transaction
from models.pipelines import Pipeline
from models.surveys import Survey, SurveyKind, SurveyVersion

MOST_SURVEYS = 200
LONGEST_DAYS = 730
MOST_REMINDERS = 5
UNIQUE = {"survey_pkey": "id", "survey_name_idx": "name"}
# Whole numbers that people set, with their ends.
LIMITS = {
    "delay_days": (0, LONGEST_DAYS),
    "sample_percent": (0, 100),
    "pause_days": (0, LONGEST_DAYS),
    "most_reminders": (0, MOST_REMINDERS),
    "reminder_days": (1, 90),
    "expires_days": (1, 365),
    "detractor_most": (questionnaires.LEAST_SCALE, questionnaires.MOST_SCALE),
    "promoter_least": (questionnaires.LEAST_SCALE, questionnaires.MOST_SCALE),
}
MAY_BE_NONE = ("detractor_most", "promoter_least")


class SurveyCreated(Event):
    name = "survey.created"


class SurveyUpdated(Event):
    name = "survey.updated"


class SurveyPublished(Event):
    name = "survey.published"


class SurveyArchived(Event):
    name = "survey.archived"


class SurveyRestored(Event):
    name = "survey.restored"


class TooManySurveys(DomainError):
    """A workspace has at most {limit} surveys in use: archive some first."""


class SurveyNotPublished(DomainError):
    """{name} was not published yet: publish it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyDetails:
    """What people say of a survey; what is UNSET is left as it is, None makes it what it is at first."""

    name: str | Unset | None = UNSET
    title: Texts | Unset = UNSET
    intro: Texts | Unset = UNSET
    thanks: Texts | Unset = UNSET
    questions: tuple[Question, ...] | Unset = UNSET
    after_sale: bool | Unset | None = UNSET
    pipeline_id: UUID | Unset | None = UNSET
    delay_days: int | Unset | None = UNSET
    sample_percent: int | Unset | None = UNSET
    pause_days: int | Unset | None = UNSET
    most_reminders: int | Unset | None = UNSET
    reminder_days: int | Unset | None = UNSET
    expires_days: int | Unset | None = UNSET
    detractor_most: int | Unset | None = UNSET
    promoter_least: int | Unset | None = UNSET
    detractor_follow_up: bool | Unset | None = UNSET
    asks_referral: bool | Unset | None = UNSET


async def create(
    actor: Actor, kind: SurveyKind, details: SurveyDetails, *, id: UUID | None = None, now: datetime
) -> Survey:
    """Make a draft of a survey; without questions it asks what is usual for its kind.

    Raises Forbidden, AlreadyExists (id, name), TooManySurveys, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_SURVEYS)
    faults = Faults()
    key = edits.new_id(faults, id)
    detractor, promoter = VERDICTS.get(kind, (None, None))
    columns = {"detractor_most": detractor, "promoter_least": promoter} | await _columns(faults, actor, details)
    if "name" not in columns:
        columns["name"] = inputs.name(faults, None, field="name")
    _check_verdicts(faults, columns["detractor_most"], columns["promoter_least"])
    wanted = _edited(survey_presets.preset(kind), details)
    content = questionnaires.dump(questionnaires.check(faults, kind, wanted))
    faults.raise_any()
    with edits.collisions("survey", UNIQUE):
        async with transaction():
            await _forbid_more(actor, but=key)
            survey = Survey(
                id=key,
                workspace_id=actor.workspace_id,
                kind=kind,
                content=content,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await edits.insert(survey)
            told = edits.facts(survey, {"kind": kind.value, **columns})
            await record(SurveyCreated(actor, survey.id, told), now=now)
    return survey


async def update(
    actor: Actor,
    survey_id: UUID,
    details: SurveyDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Survey:
    """Change what is given of a survey; a change of what it asks is one of its draft.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults of the input.
    """
    faults = Faults()
    with edits.collisions("survey", UNIQUE):
        async with transaction():
            survey = await _locked(actor, survey_id, expected_version=expected_version)
            columns = await _columns(faults, actor, details, current=survey)
            _check_verdicts(
                faults,
                columns.get("detractor_most", survey.detractor_most),
                columns.get("promoter_least", survey.promoter_least),
            )
            wanted = _edited(questionnaires.load(survey.content), details)
            content = questionnaires.dump(questionnaires.check(faults, survey.kind, wanted))
            faults.raise_any()
            if content != survey.content:
                columns["content"] = content
                if survey.draft_number == survey.published_number:
                    columns["draft_number"] = survey.draft_number + 1
            if changed := await edits.apply(survey, columns, now=now):
                # What it asks is kept with its versions, and would be too much for the log.
                told = {name: change for name, change in changed.items() if name != "content"}
                facts = {"changes": told, "asks_otherwise": "content" in changed, "version": survey.version}
                await record(SurveyUpdated(actor, survey.id, facts), now=now)
    return survey


async def publish(actor: Actor, survey_id: UUID, *, expected_version: int | None = None, now: datetime) -> Survey:
    """Make the draft the version that customers are sent from now on; without a draft nothing changes.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived.
    """
    async with transaction():
        survey = await _locked(actor, survey_id, expected_version=expected_version)
        if survey.draft_number != survey.published_number:
            version = SurveyVersion(
                id=uuid7(),
                workspace_id=survey.workspace_id,
                survey_id=survey.id,
                number=survey.draft_number,
                content=survey.content,
                published_at=now,
                published_by_id=actor.user_id,
            )
            await edits.insert(version)
            await edits.apply(survey, {"published_number": survey.draft_number, "published_at": now}, now=now)
            facts = {"number": version.number, "version_id": version.id, "version": survey.version}
            await record(SurveyPublished(actor, survey.id, facts), now=now)
    return survey


async def archive(actor: Actor, survey_id: UUID, *, expected_version: int | None = None, now: datetime) -> Survey:
    """Send a survey to nobody any more; who has it may still answer. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        SurveyArchived,
        actor,
        Action.MANAGE_SURVEYS,
        Survey,
        survey_id,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, survey_id: UUID, *, now: datetime) -> Survey:
    """Bring an archived survey back. Raises NotFound, Forbidden, TooManySurveys, AlreadyExists (name)."""
    with edits.collisions("survey", UNIQUE):
        async with transaction():
            await _forbid_more(actor, but=survey_id)
            return await removals.restore(
                SurveyRestored,
                actor,
                Action.MANAGE_SURVEYS,
                Survey,
                survey_id,
                column="archived_at",
                unique=UNIQUE,
                now=now,
            )


async def published(actor: Actor, survey_id: UUID, *, field: str) -> Survey:
    """Return a survey that can be sent. Raises NotFound, Conflict where it is archived, SurveyNotPublished."""
    survey = await policy.get(actor, Survey, survey_id, field=field)
    _refuse_archived(survey)
    if survey.published_number is None:
        raise SurveyNotPublished(name=survey.name, field=field)
    return survey


def _edited(made: Questionnaire, details: SurveyDetails) -> Questionnaire:
    parts = given(title=details.title, intro=details.intro, thanks=details.thanks, questions=details.questions)
    return replace(made, **parts)  # type: ignore[arg-type]


async def _columns(
    faults: Faults, actor: Actor, details: SurveyDetails, *, current: Survey | None = None
) -> dict[str, Any]:
    """Check what is given and return it as columns."""
    columns: dict[str, Any] = {}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    for name, (least, most) in LIMITS.items():
        value = getattr(details, name)
        if value is UNSET:
            continue
        field = edits.camel(name)
        usual = Survey._meta.fields_map[name].default
        columns[name] = usual if value is None and name not in MAY_BE_NONE else value
        inputs.whole(faults, columns[name], field=field, least=least, most=most)
    for name in ("after_sale", "detractor_follow_up", "asks_referral"):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = Survey._meta.fields_map[name].default if value is None else value
    if details.pipeline_id is not UNSET:
        columns["pipeline_id"] = details.pipeline_id
        if current is None or current.pipeline_id != details.pipeline_id:
            await edits.referred(faults, actor, Pipeline, details.pipeline_id, field="pipelineId")
    return columns


def _check_verdicts(faults: Faults, detractor: int | None, promoter: int | None) -> None:
    if detractor is not None and promoter is not None and detractor >= promoter:
        faults.add(OutOfRange(field="promoterLeast", least=detractor + 1, most=questionnaires.MOST_SCALE))


async def _locked(actor: Actor, survey_id: UUID, *, expected_version: int | None) -> Survey:
    survey = await policy.locked(actor, Survey, survey_id, expected_version=expected_version)
    policy.require(actor, Action.MANAGE_SURVEYS, survey)
    _refuse_archived(survey)
    return survey


def _refuse_archived(survey: Survey) -> None:
    if survey.archived_at is not None:
        raise Conflict(reason=f"{survey.name} is archived: restore it first.")


async def _forbid_more(actor: Actor, *, but: UUID) -> None:
    """Raise TooManySurveys where there are enough without this one; one operation at a time adds one."""
    await locks.hold(actor.workspace_id, "survey")
    used = Survey.filter(workspace_id=actor.workspace_id, archived_at=None).exclude(id=but)
    if await used.count() >= MOST_SURVEYS:
        raise TooManySurveys(limit=MOST_SURVEYS)
