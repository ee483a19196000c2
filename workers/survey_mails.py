"""Mails that ask customers, with the first question to be clicked: a click opens the page, and submits nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from domain import questionnaires, survey_answers
from domain.questionnaires import Question, QuestionType
from domain.words import best_language, words
from models.contacts import Contact
from models.surveys import DispatchStatus, SurveyDispatch, SurveyVersion
from models.workspaces import Workspace
from settings import settings
from workers.messages import Composed, Due, Letter, Skip


async def compose_surveys(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose surveys and their reminders, but not those that were answered, withdrawn or have ended meanwhile."""
    dispatches = await SurveyDispatch.in_bulk([row.about_id for row in rows if row.about_id], "id")
    versions = await SurveyVersion.in_bulk({one.survey_version_id for one in dispatches.values()} - {None}, "id")
    people = await Contact.in_bulk({row.contact_id for row in rows if row.contact_id}, "id")
    workspaces = await Workspace.in_bulk({row.workspace_id for row in rows}, "id")
    made: dict[UUID, Any] = {}
    for row in rows:
        asked = dispatches.get(row.about_id) if row.about_id else None
        person = people.get(row.contact_id) if row.contact_id else None
        if asked is None or person is None or person.deleted_at or not row.address:
            continue
        if asked.status is not DispatchStatus.SENT or asked.expires_at is None or asked.expires_at <= now:
            made[row.id] = Skip("The survey was answered or cancelled, or has ended.")
            continue
        home, version = workspaces[row.workspace_id], versions[asked.survey_version_id]
        facts = _facts(asked, version, person, home, reminder=int(row.data.get("reminder", 0)))
        made[row.id] = Letter(
            row.address,
            facts,
            name=person.name,
            languages=[asked.language, home.locale],
            time_zone=home.time_zone,
        )
    return made


def _facts(
    asked: SurveyDispatch, version: SurveyVersion, person: Contact, home: Workspace, *, reminder: int
) -> dict[str, Any]:
    made = questionnaires.load(version.content)
    language = asked.language or home.locale
    link = f"{settings().public_url.rstrip('/')}{survey_answers.link_of(asked.id)}"

    def text(texts: questionnaires.Texts) -> str:
        return questionnaires.text_of(texts, language, home.locale).replace("{company}", home.name)

    first = made.questions[0]
    return {
        "workspace": home.name,
        "name": person.name,
        "title": text(made.title) or text(first.text),
        "intro": text(made.intro),
        "question": text(first.text),
        "answers": [
            {"label": text(label) if isinstance(label, dict) else label, "link": f"{link}?{urlencode({'a': value})}"}
            for value, label in _answers(first, best_language(language, home.locale))
        ],
        "least_label": text(first.least_label),
        "most_label": text(first.most_label),
        "reminder": reminder > 0,
        "expires_at": asked.expires_at,
        "link": link,
    }


def _answers(first: Question, language: str) -> list[tuple[str, Any]]:
    """Return what the first question can be answered with at a click, each with what it says."""
    said = words(language)
    match first.type:
        case QuestionType.SCALE:
            return [(str(value), str(value)) for value in range(first.least or 0, (first.most or 0) + 1)]
        case QuestionType.YES_NO:
            return [("yes", said("Yes")), ("no", said("No"))]
        case QuestionType.CHOICE:
            return [(choice.key, dict(choice.text)) for choice in first.choices]
        case _:
            return []
