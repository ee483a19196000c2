"""Calendar feeds over HTTP: an address that a calendar app reads without signing in."""

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adapters.calendars import Entry, ics
from domain import calendar_feeds, subjects
from domain.calendar_feeds import Calendar
from domain.errors import RateLimited
from domain.subjects import Subject
from domain.tokens import EndedLink, InvalidLink
from models.follow_ups import FollowUp, Priority
from models.leads import Lead

COST = 100
MINUTES = 5
PRIORITIES = {Priority.HIGH: 1, Priority.NORMAL: 5, Priority.LOW: 9}
HEADERS = {"Cache-Control": f"private, max-age={MINUTES * 60}", "X-Robots-Tag": "noindex"}


async def feed(request: Request) -> Response:
    """Answer with the calendar of an address, or that nothing has changed."""
    address = request.client.host if request.client else ""
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        calendar = await calendar_feeds.read(request.path_params["token"], now=datetime.now(UTC))
    except InvalidLink:
        return PlainTextResponse("There is no such calendar: copy its address whole.\n", 404)
    except EndedLink:
        return PlainTextResponse("This calendar has ended: make a new address in the app you work with.\n", 410)
    except RateLimited as error:
        return PlainTextResponse(f"{error.message}\n", 429, headers={"Retry-After": str(error.facts["seconds"])})
    content = _content(calendar)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if etag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=HEADERS | {"ETag": etag})
    headers = HEADERS | {"ETag": etag, "Content-Disposition": 'inline; filename="salescycle.ics"'}
    return Response(content, headers=headers, media_type="text/calendar; charset=utf-8")


def _content(calendar: Calendar) -> bytes:
    return ics(calendar.name, (_entry(row, subject) for row, subject in calendar.entries), zone=calendar.zone)


def _entry(row: FollowUp, subject: Subject) -> Entry:
    about = subject.title if isinstance(subject, Lead) else subject.name
    return Entry(
        uid=f"{row.id}@salescycle",
        title=f"{row.title} ({about})",
        text=row.note or "",
        at=row.due_on or row.due_at,
        zone=ZoneInfo(row.time_zone),
        category=row.kind.value,
        priority=PRIORITIES[row.priority],
        recurrence=row.recurrence,
        occurrence=row.occurrence,
        url=subjects.link_of(row.lead_id),
        version=row.version,
        changed_at=row.updated_at,
    )
