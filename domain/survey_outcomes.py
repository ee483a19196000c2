"""What follows from an answer: a detractor is called back, by a follow-up of whoever owns the lead."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domain import follow_ups, inputs, subjects
from domain.actors import Actor, system
from domain.edits import OwnerInactive, OwnerViewer
from domain.errors import Invalid, NotFound
from domain.follow_up_changes import TooManyFollowUps
from domain.follow_up_details import FollowUpDetails
from domain.follow_up_owners import OwnerUnseeing
from domain.subjects import SubjectKey
from domain.words import best_language, words
from models.contacts import Contact
from models.database import read
from models.events import Event as EventRow
from models.follow_ups import FollowUpKind, Priority
from models.leads import Lead
from models.surveys import Survey, SurveyResponse, Verdict

WITHIN = timedelta(days=1)
LANGUAGE = """
SELECT w.locale AS home, u.locale FROM workspace w
LEFT JOIN lead ON lead.workspace_id = w.id AND lead.id = $2
LEFT JOIN user_account u ON u.id = lead.owner_id
WHERE w.id = $1
"""


async def open_follow_ups(workspace_id: UUID, event_ids: Sequence[UUID], *, now: datetime) -> None:
    """Open a follow-up for every detractor that these events tell of, once for each answer.

    Where the owner of the lead cannot have it, it is nobody's, for a manager to find.
    """
    told = await EventRow.filter(id__in=event_ids, workspace_id=workspace_id).order_by("position", "id")
    bad = [event for event in told if event.data.get("verdict") == Verdict.DETRACTOR]
    keys = [UUID(event.data["response_id"]) for event in bad]
    responses = {row.id: row for row in await SurveyResponse.filter(id__in=keys)}
    asking = {row.id: row for row in await Survey.filter(id__in={row.survey_id for row in responses.values()})}
    for event in bad:
        response = responses.get(UUID(event.data["response_id"]))
        if response is not None and (survey := asking[response.survey_id]).detractor_follow_up:
            await _open(system(workspace_id, task="follow_detractors"), event, survey, response, now=now)


async def _open(actor: Actor, event: EventRow, survey: Survey, response: SurveyResponse, *, now: datetime) -> None:
    noun: subjects.SubjectNoun = Lead if event.subject_type == Lead._meta.db_table else Contact
    who = await Contact.get_or_none(id=response.contact_id) if response.contact_id else None
    details = {
        "kind": FollowUpKind.CALL,
        "title": await _title(event, survey, response, who),
        "note": response.verbatim,
        "priority": Priority.HIGH,
        "due_at": now + WITHIN,
    }
    key, occasion = SubjectKey(noun, event.subject_id), f"survey:{response.dispatch_id}"
    try:
        await follow_ups.create(actor, key, FollowUpDetails(**details), occasion=occasion, now=now)  # type: ignore[arg-type]
    except (OwnerInactive, OwnerViewer, OwnerUnseeing):
        nobody = FollowUpDetails(**details, owner_id=None)  # type: ignore[arg-type]
        await follow_ups.create(actor, key, nobody, occasion=occasion, now=now)
    except (NotFound, TooManyFollowUps, Invalid):
        # The lead is gone, or has a hundred things to do: the answer stands there all the same.
        return


async def _title(event: EventRow, survey: Survey, response: SurveyResponse, who: Contact | None) -> str:
    """Return what is to be done in the language of whoever owns the lead, else of the workspace."""
    [row] = await read(LANGUAGE, survey.workspace_id, event.subject_id)
    said = words(best_language(row["locale"], row["home"]))
    name = who.name if who else said("A customer")
    title = said(
        "%(name)s is not satisfied: %(score)s in %(survey)s", name=name, score=response.score, survey=survey.name
    )
    return title[: inputs.NAME_LIMIT]
