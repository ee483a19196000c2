"""What is saved as a file by whoever signs in with a token or an API key."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.identity import context_for
from api.refusals import Refusal
from api.uploads import SAVED
from domain import policy, score_lists
from domain.actors import NONE
from domain.errors import Forbidden, RateLimited, Unauthenticated
from models.leads import Lead

COST = 1_000


async def scores(request: Request) -> Response:
    """Give the scores and reasons of all leads that whoever asks may see, as CSV."""
    context = await context_for(request.scope)
    try:
        actor = context.actor
        if policy.scope(actor, Lead) == NONE:
            raise Forbidden(action="see leads")
        await request.app.state.budget.spend(actor.name, COST)
    except RateLimited as error:
        return Refusal(429, error.message, code=error.code, Retry_After=str(error.facts["seconds"])).response()
    except Forbidden as error:
        return Refusal(403, error.message, code=error.code).response()
    except Unauthenticated as error:
        return Refusal(401, error.message, code=error.code).response()
    headers = SAVED | {"Content-Disposition": 'attachment; filename="scores.csv"'}
    return StreamingResponse(score_lists.as_csv(actor), headers=headers, media_type="text/csv; charset=utf-8")
