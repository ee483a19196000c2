"""The page on which a customer reads a proposal, ticks options, asks, accepts or declines: without scripts.

What is accepted is what was seen: the form bears the version's SHA-256 and the options that its total is of. Where
either is another by now, the page is shown again and nothing is accepted.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from adapters import files as store
from api import documents
from api.proposal_shown import HIDDEN, consent, shown, shown_for, ticks_of
from api.public_pages import form_of, page
from api.refusals import Refusal
from domain import proposal_answers, proposal_views, public_proposals
from domain.document_formats import Formats, formats
from domain.errors import DomainError, Invalid, RateLimited, Required, TooLong
from domain.proposal_answers import (
    Given,
    NoSuchVersion,
    ProposalAlreadyAccepted,
    ProposalAlreadyDeclined,
    ProposalChanged,
    ProposalExpired,
    TooManyQuestions,
)
from domain.public_proposals import Opened, ProposalWithdrawn, PublicState
from domain.tokens import EndedLink, InvalidLink
from domain.words import best_accepted
from models.documents import DocumentKind
from models.files import File

# As much of the budget that all requests of an address share as a page of a hundred rows.
COST = 100
MOST_FIELDS = 2_000
LOGOS = frozenset({"image/png", "image/jpeg", "image/webp"})
LOGO_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    **HIDDEN,
}
# Browsers that load a page before anybody asks for it say so in one of these.
PREFETCHES = ("sec-purpose", "purpose", "x-purpose", "x-moz")
OVERTAKEN = (ProposalChanged, NoSuchVersion, ProposalAlreadyAccepted, ProposalAlreadyDeclined, ProposalExpired)
OVER = (InvalidLink, EndedLink, ProposalWithdrawn, RateLimited)


async def proposal(request: Request) -> Response:
    """Show a proposal by its link, and take what is answered."""
    now, address = datetime.now(UTC), request.client.host if request.client else ""
    told = accepted_language(request)
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        found = await public_proposals.opened(request.path_params["token"], now=now)
        told = formats(found.language)
        if request.method == "POST":
            return await _posted(request, found, told, address=address, now=now)
        if request.method == "GET" and not _is_prefetch(request) and found.link:
            agent = request.headers.get("user-agent")
            await proposal_views.count(found.link.id, address=address, user_agent=agent, now=now)
        return shown(found, told, done=_done(request, found))
    except (DomainError, Refusal) as error:
        return refused(error, told)


async def preview(request: Request) -> Response:
    """Show a proposal as it stands to a member: as customers will see it, but for the forms."""
    token = request.path_params["token"]
    try:
        found = await public_proposals.previewed(token, now=datetime.now(UTC))
        return shown(found, formats(found.language), preview=token)
    except (DomainError, Refusal) as error:
        return refused(error, accepted_language(request))


async def logo(request: Request) -> Response:
    """Give the seller's logo to whoever has a link."""
    return await _logo(await _found(public_proposals.opened, request))


async def preview_logo(request: Request) -> Response:
    """Give the seller's logo to a member who has a preview."""
    return await _logo(await _found(public_proposals.previewed, request))


async def pdf(request: Request) -> Response:
    """Give the proposal as PDF to whoever has a link."""
    return await _pdf(public_proposals.opened, request)


async def preview_pdf(request: Request) -> Response:
    """Give the proposal as PDF as it stands to a member who has a preview."""
    return await _pdf(public_proposals.previewed, request)


async def _pdf(opened: Any, request: Request) -> Response:
    address = request.client.host if request.client else ""
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        found: Opened = await opened(request.path_params["token"], now=datetime.now(UTC))
    except (DomainError, Refusal) as error:
        return refused(error, accepted_language(request))
    answer = await documents.answer(request, DocumentKind.PROPOSAL, found.version.id)
    answer.headers.update(HIDDEN)
    return answer


async def _found(opened: Any, request: Request) -> Opened | None:
    try:
        found: Opened = await opened(request.path_params["token"], now=datetime.now(UTC))
    except DomainError:
        return None
    return found


async def _logo(found: Opened | None) -> Response:
    key = found.selling.logo_id if found else None
    file = await File.filter(id=key, completed_at__not_isnull=True).first() if key else None
    if file is None or file.content_type not in LOGOS:
        return Response(status_code=404, headers=LOGO_HEADERS)
    try:
        parts = await store.open(file)
    except store.FileMissing:
        return Response(status_code=404, headers=LOGO_HEADERS)
    return StreamingResponse(parts, headers=LOGO_HEADERS, media_type=file.content_type)


def accepted_language(request: Request) -> Formats:
    """Return the language that the browser likes best, for as long as that of the proposal is not known."""
    return formats(best_accepted(request.headers.get("accept-language", "")) or "en")


def _is_prefetch(request: Request) -> bool:
    told = " ".join(request.headers.get(name, "") for name in PREFETCHES).lower()
    return any(word in told for word in ("prefetch", "prerender", "preview"))


def _done(request: Request, found: Opened) -> str:
    """Return what the page thanks for, where it is so."""
    did = next((did for did in ("accepted", "declined", "asked") if did in request.query_params), "")
    return did if did == "asked" or found.state.value.lower() == did else ""


async def _posted(request: Request, found: Opened, told: Formats, *, address: str, now: datetime) -> Response:
    fields = await form_of(request, most=MOST_FIELDS)
    given = Given(
        name=fields.get("name"),
        sha256=fields.get("sha256"),
        address=address,
        user_agent=request.headers.get("user-agent"),
    )
    match fields.get("do"):
        case "ask":
            return await _asked(found, fields, told, now=now)
        case "decline":
            return await _declined(found, given, fields, told, now=now)
        case "accept":
            return await _accept(found, given, fields, told, now=now)
    return shown(found, told, fields=fields, ticks=_ticks(found, fields))


def _ticks(found: Opened, fields: Mapping[str, str]) -> Any:
    """Return the options that a form ticks, of what can still be answered."""
    return ticks_of(fields, found) if found.state is PublicState.OPEN else None


async def _accept(found: Opened, given: Given, fields: Mapping[str, str], told: Formats, *, now: datetime) -> Response:
    assert found.link
    ticks = ticks_of(fields, found)
    is_current = given.sha256 == found.version.sha256
    if is_current and found.state is PublicState.OPEN and fields.get("shown") != shown_for(found, ticks):
        notice = told.said("You have chosen otherwise, so the total has changed. Look at it, and accept again.")
        return shown(found, told, fields=fields, ticks=ticks, notice=notice)
    said = Given(
        name=given.name,
        sha256=given.sha256,
        options=ticks,
        consent=consent(found, ticks, told),
        address=given.address,
        user_agent=given.user_agent,
    )
    try:
        await proposal_answers.accept(found.link.id, said, now=now)
    except OVER:
        raise
    except DomainError as error:
        return await _not_answered(found, error, "accept", fields, told, now=now)
    return _to("accepted", "answer")


async def _declined(
    found: Opened, given: Given, fields: Mapping[str, str], told: Formats, *, now: datetime
) -> Response:
    assert found.link
    said = Given(
        name=given.name,
        sha256=given.sha256,
        reason=fields.get("reason", "").replace("\r\n", "\n"),
        address=given.address,
        user_agent=given.user_agent,
    )
    try:
        await proposal_answers.decline(found.link.id, said, now=now)
    except OVER:
        raise
    except DomainError as error:
        return await _not_answered(found, error, "decline", fields, told, now=now)
    return _to("declined", "answer")


async def _not_answered(
    found: Opened, error: DomainError, form: str, fields: Mapping[str, str], told: Formats, *, now: datetime
) -> Response:
    """Show how it stands by now to whom somebody else was faster, and what is wrong to all others."""
    if isinstance(error, OVERTAKEN):
        assert found.link
        again = await public_proposals.by_id(found.link.id, now=now)
        return shown(again, formats(again.language), notice=_overtaken(error, told), status=409)
    faults = _faults(error, form, told)
    return shown(found, told, fields=fields, ticks=_ticks(found, fields), faults=faults, status=422)


async def _asked(found: Opened, fields: Mapping[str, str], told: Formats, *, now: datetime) -> Response:
    assert found.link
    text = fields.get("text", "").replace("\r\n", "\n")
    try:
        await proposal_answers.ask(found.link.id, name=fields.get("name"), text=text, now=now)
    except OVER:
        raise
    except DomainError as error:
        return shown(found, told, fields=fields, faults=_faults(error, "ask", told), status=422)
    return _to("asked", "questions")


def _to(done: str, place: str) -> Response:
    """Send the browser on, so that going back and loading again send nothing twice."""
    return RedirectResponse(f"?{done}=1#{place}", 303, headers={"Cache-Control": "no-store", **HIDDEN})


def _overtaken(error: DomainError, told: Formats) -> str:
    match error:
        case ProposalAlreadyAccepted():
            return told.said("%(name)s has accepted this proposal already.", name=error.facts["name"])
        case ProposalAlreadyDeclined():
            return told.said("This proposal has been declined meanwhile.")
        case ProposalExpired():
            return told.said("This proposal is not valid any more.")
    return told.said("The proposal has changed since you opened it, and nothing was sent. This is the new one.")


def _faults(error: DomainError, form: str, told: Formats) -> dict[str, str]:
    """Return what is wrong by the id of the input that it is wrong with."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    return {f"{form}-{fault.field[-1] if fault.field else 'name'}": _fault(fault, told) for fault in faults}


def _fault(fault: DomainError, told: Formats) -> str:
    match fault:
        case Required() if fault.field == ("text",):
            return told.said("Write your question.")
        case Required() if fault.field == ("reason",):
            return told.said("Tell us the reason in a few words.")
        case Required():
            return told.said("Type your name.")
        case TooLong():
            return told.said("Use at most %(limit)s characters.", limit=fault.facts["limit"])
        case TooManyQuestions():
            return told.said("There are very many questions already: please ask in another way.")
    return told.said("This cannot be read: write it in plain words.")


def refused(error: DomainError | Refusal, told: Formats) -> Response:
    """Say why a link, or what was sent, is not taken."""
    said = told.said
    match error:
        case InvalidLink():
            more = said("Copy it whole from the mail, or ask whoever sent it to you.")
            return message(told, 404, said("This link is not valid"), more)
        case EndedLink():
            more = said("Ask whoever sent it to you for a new one.")
            return message(told, 410, said("This link has ended"), more)
        case ProposalWithdrawn():
            more = said("Ask whoever made it for a new one.")
            return message(told, 410, said("This proposal was withdrawn"), more)
        case RateLimited():
            seconds = error.facts["seconds"]
            more = said("There were too many attempts. Try again in %(seconds)s seconds.", seconds=seconds)
            return message(told, 429, said("Please wait a little"), more, {"Retry-After": str(seconds)})
        case Refusal():
            return message(told, error.status, said("This did not work"), str(error))
    raise error


def message(told: Formats, status: int, heading: str, more: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page that says something and no more."""
    return page(
        "survey_message",
        status,
        headers=HIDDEN | dict(headers or {}),
        _=told.said,
        language=told.words.language,
        heading=heading,
        paragraphs=[more],
    )
