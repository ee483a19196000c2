"""The door at which payment providers tell of payments: a signed message, taken once.

Whatever could not be taken is answered with a code and kept for people, and taken when the provider tells it again
after that was mended; so a provider repeats every answer but 2xx.
"""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.payments import BadSignature, PaymentAdapter, StandardPayments, Unreadable
from api.refusals import Refusal
from api.requests import body_of, headers_of
from domain import payment_notices, payment_providers
from domain.errors import DomainError, Invalid, RateLimited
from domain.payment_notices import PaymentDiffers, Told, UnknownInvoice

LARGEST_BODY = 64 * 1024
COST = 10
ADAPTER: PaymentAdapter = StandardPayments()
STATUS: dict[type[DomainError], int] = {UnknownInvoice: 404, PaymentDiffers: 409}
# What the message calls the inputs of a payment.
FIELDS = {
    "amount": "data.amount",
    "amount.amount": "data.amount",
    "amount.currencyCode": "data.currency",
    "receivedOn": "data.receivedOn",
    "method": "data.method",
    "reference": "data.reference",
    "invoiceId": "data.invoice",
}

log = structlog.get_logger("payments")


async def take(request: Request) -> Response:
    """Take a message of a payment provider."""
    now, address = datetime.now(UTC), request.client.host if request.client else ""
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        body = await body_of(headers_of(request.scope), request.receive, most=LARGEST_BODY)
        provider = await payment_providers.telling(_id(request.path_params["provider_id"]))
        # Who does not know a secret learns nothing of who is there.
        known = payment_providers.secrets_of(provider, now=now) if provider else [payment_providers.new_secret()]
        message = ADAPTER.read(body, dict(request.headers), known)
        if message is None or provider is None:
            return _answer(200, "IGNORED", "This tells of no payment.")
        told = Told(
            key=message.key,
            invoice_number=message.invoice,
            amount=message.amount,
            currency=message.currency,
            received_on=message.received_on,
            method=message.method,
            reference=message.reference,
            body=message.body,
        )
        payment = await payment_notices.take(provider, told, now=now)
    except RateLimited as error:
        seconds = str(error.facts["seconds"])
        return _answer(429, error.code, error.message, headers={"Retry-After": seconds})
    except Refusal as refusal:
        return _answer(refusal.status, "BAD_USER_INPUT", str(refusal))
    except BadSignature as error:
        return _answer(401, "BAD_SIGNATURE", error.__doc__ or "")
    except Unreadable as error:
        log.warning("payment message is not readable", provider=str(request.path_params["provider_id"]))
        return _answer(400, "BAD_USER_INPUT", str(error))
    except DomainError as error:
        fault = error.faults[0] if isinstance(error, Invalid) else error
        if (told_as := FIELDS.get(".".join(fault.field or ()))) is not None:
            fault.call(told_as)
        return _answer(STATUS.get(type(fault), 422), fault.code, fault.message)
    return JSONResponse({"code": "RECORDED", "payment": str(payment.id)}, 200, headers={"Cache-Control": "no-store"})


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        return UUID(int=0)


def _answer(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> Response:
    told = {"code": code, "message": message}
    return JSONResponse(told, status, headers={"Cache-Control": "no-store"} | (headers or {}))
