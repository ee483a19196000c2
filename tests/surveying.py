"""Surveys for tests: one that is published, somebody who can be asked, and what they answer."""

from datetime import datetime
from typing import Any

from domain import captures, closings, survey_answers, survey_dispatches, surveys
from domain.actors import Actor
from domain.captures import Capture, NewContact
from domain.leads import LeadDetails
from domain.surveys import SurveyDetails
from models.contacts import Contact
from models.events import Event
from models.leads import Lead, LeadStatus
from models.surveys import Survey, SurveyDispatch, SurveyKind
from tests.factories import NOW


async def published(
    actor: Actor, kind: SurveyKind = SurveyKind.NPS, *, name: str | None = None, now: datetime = NOW, **details: Any
) -> Survey:
    """Make a survey and publish it."""
    given = SurveyDetails(name=name or f"{kind.value} after the sale", **details)
    made = await surveys.create(actor, kind, given, now=now)
    return await surveys.publish(actor, made.id, now=now)


async def buyer(
    actor: Actor, *, email: str | None = "ada@example.com", language: str | None = None, **details: Any
) -> Lead:
    """Capture a lead with somebody who can be asked, unless they have no address."""
    contact = NewContact(name="Ada Lovelace", email=email)
    given = LeadDetails(title="Solar roof", **details)
    lead = await captures.capture(actor, Capture(details=given, contact=contact), now=NOW)
    if language:
        await Contact.filter(email_normalised=email, workspace_id=actor.workspace_id).update(language=language)
    return lead


async def win(actor: Actor, lead: Lead, *, now: datetime = NOW) -> list[SurveyDispatch]:
    """Win a lead and have the rules look at it; return what goes out."""
    await closings.close(actor, lead.id, LeadStatus.WON, now=now)
    await by_rules(actor, now=now)
    return await SurveyDispatch.filter(lead_id=lead.id).order_by("id")


async def by_rules(actor: Actor, *, now: datetime = NOW) -> None:
    """Do what the task does for all that has happened in a workspace."""
    closed = Event.filter(workspace_id=actor.workspace_id, name=closings.LeadClosed.name).order_by("id")
    await survey_dispatches.by_rule(actor.workspace_id, [event.id for event in await closed], now=now)


async def asked(actor: Actor, lead: Lead, survey: Survey, *, now: datetime = NOW) -> SurveyDispatch:
    """Send a survey to a lead's contact by hand."""
    [row] = await survey_dispatches.dispatch(actor, survey.id, lead_ids=[lead.id], now=now)
    return row


async def submitted(row: SurveyDispatch, *, now: datetime = NOW, **answers: Any) -> survey_answers.Form:
    return await survey_answers.answer(row.id, answers, complete=True, now=now)


async def swept(now: datetime) -> int:
    """Do all that is due; other tests' rows do not count on it."""
    count = 0
    while done := await survey_dispatches.sweep(now):
        count += done
    return count
