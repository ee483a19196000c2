"""The pages that mails lead to: accepting an invitation, and choosing a new password.

Nothing but the link's token is needed, so there is no cookie, and no other site can send a form in somebody's name.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.public_pages import form_of, page
from api.refusals import Refusal
from domain import invitations, password_resets
from domain.errors import DomainError, Invalid, RateLimited
from domain.sessions import WrongCredentials
from domain.tokens import EndedLink, InvalidLink

# As much of the budget that all requests of an address share as a page of a hundred rows.
COST = 100
UNREPEATED = "The two passwords are not the same."

Given = dict[str, str]
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent, and from where."""

    token: str
    fields: Given
    address: str
    now: datetime


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A link's page: `show` returns what the form is about, `use` does what it asks for."""

    template: str
    show: Callable[[str, datetime], Awaitable[Facts]]
    use: Callable[[Sent], Awaitable[object]]
    if_ended: str


async def accept_invitation(request: Request) -> Response:
    """Show an invitation by its link, and accept it."""
    return await _served(request, INVITATION)


async def reset_password(request: Request) -> Response:
    """Ask for a new password by a link, and set it."""
    return await _served(request, PASSWORD_RESET)


async def _served(request: Request, served: AccountPage) -> Response:
    now = datetime.now(UTC)
    address = request.client.host if request.client else ""
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        if request.method == "POST":
            fields = await form_of(request)
            return await _used(served, Sent(fields.get("token", ""), fields, address, now))
        return await _form(served, request.query_params.get("token", ""), now=now)
    except InvalidLink as error:
        return page("message", 404, heading="This link is not valid", paragraphs=[error.message])
    except EndedLink:
        return page("message", 410, heading="This link has ended", paragraphs=[served.if_ended])
    except RateLimited as error:
        headers = {"Retry-After": str(error.facts["seconds"])}
        return page("message", 429, heading="Please wait a little", paragraphs=[error.message], headers=headers)
    except Refusal as refusal:
        return page("message", refusal.status, heading="This did not work", paragraphs=[str(refusal)])


async def _form(served: AccountPage, token: str, *, now: datetime, status: int = 200, **told: Any) -> Response:
    facts = {"token": token, "given": {}} | await served.show(token, now) | told
    return page(served.template, status, **facts)


async def _used(served: AccountPage, sent: Sent) -> Response:
    facts = await served.show(sent.token, sent.now)
    try:
        faults = _unrepeated(sent.fields)
        if not faults:
            await served.use(sent)
            return page(f"{served.template}_done", **facts)
    except (InvalidLink, EndedLink, RateLimited):
        raise
    except DomainError as error:
        faults = _faults(error)
    return await _form(served, sent.token, now=sent.now, status=422, given=sent.fields, faults=faults)


def _unrepeated(fields: Given) -> dict[str, str]:
    same = fields.get("repeated", fields.get("password")) == fields.get("password")
    return {} if same else {"repeated": UNREPEATED}


def _faults(error: DomainError) -> dict[str, str]:
    """Return what is wrong by the field that it is wrong with; what is wrong with none is under no name."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    return {_field(fault): fault.message[:1].upper() + fault.message[1:] for fault in faults}


def _field(fault: DomainError) -> str:
    if isinstance(fault, WrongCredentials):
        return "password"
    return ".".join(fault.field or ())


async def _invitation(token: str, now: datetime) -> Facts:
    return {"invitation": await invitations.opened(token, now=now)}


async def _join(sent: Sent) -> object:
    return await invitations.join(
        sent.token,
        name=sent.fields.get("name"),
        password=sent.fields.get("password"),
        address=sent.address,
        now=sent.now,
    )


async def _user(token: str, now: datetime) -> Facts:
    return {"user": await password_resets.opened(token, now=now)}


async def _reset(sent: Sent) -> object:
    return await password_resets.use(sent.token, password=sent.fields.get("password", ""), now=sent.now)


INVITATION = AccountPage(
    template="accept_invitation",
    show=_invitation,
    use=_join,
    if_ended="This invitation was accepted already, or withdrawn, or is too old. If it was you who accepted it, sign "
    "in to the app your team works with. Otherwise ask whoever invited you for a new invitation.",
)
PASSWORD_RESET = AccountPage(
    template="reset_password",
    show=_user,
    use=_reset,
    if_ended="This link was used already, or is too old. If it was you who set a new password, sign in with it in "
    "the app you work with. Otherwise ask there for a new link.",
)
