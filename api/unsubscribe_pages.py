"""The page below every mail that can be ended: one button ends them, another takes that back.

Opening it changes nothing, since mail scanners open every link. A POST does, whatever it holds: the button's, or the
one click of a mail program (RFC 8058), which asks nobody any more.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from api.public_pages import page
from domain import suppressions
from domain.errors import RateLimited
from domain.tokens import InvalidLink
from domain.words import SOURCE, Words, best_accepted, words

# As much of the budget that all requests of an address share as a page of twenty rows: mail programs click for many.
COST = 20

Act = Callable[[str, datetime], Awaitable[None]]


async def unsubscribe(request: Request) -> Response:
    """Show what the link is about, or (POST) end these mails."""
    return await _served(request, _end if request.method == "POST" else None)


async def resubscribe(request: Request) -> Response:
    """Take an unsubscription back."""
    return await _served(request, _begin)


async def _end(token: str, now: datetime) -> None:
    await suppressions.unsubscribe(token, now=now)


async def _begin(token: str, now: datetime) -> None:
    await suppressions.resubscribe(token, now=now)


async def _served(request: Request, act: Act | None) -> Response:
    said = words(best_accepted(request.headers.get("accept-language", "")) or SOURCE)
    token, address = request.path_params["token"], request.client.host if request.client else ""
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        subscription = await suppressions.opened(token)
        if act:
            await act(token, datetime.now(UTC))
            subscription = await suppressions.opened(token)
    except InvalidLink:
        told = [said("Open the link of a newer mail, or write to whoever sent it.")]
        return _page("message", said, 404, heading=said("This link is not valid"), paragraphs=told)
    except RateLimited as error:
        headers = {"Retry-After": str(error.facts["seconds"])}
        told = [said("Try again in a moment.")]
        heading = said("Please wait a little")
        return _page("message", said, 429, heading=heading, paragraphs=told, headers=headers)
    heading = said("You are unsubscribed") if subscription.ended else said("Unsubscribe")
    # Addresses are relative, since we may be served below a folder.
    up = "../" if act is _begin else ""
    return _page("unsubscribe", said, token=token, subscription=subscription, heading=heading, up=up)


def _page(template: str, said: Words, status: int = 200, **facts: object) -> Response:
    return page(template, status, language=said.language, _=said, **facts)  # type: ignore[arg-type]
