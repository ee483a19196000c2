"""How payment providers tell of payments: an interface, and one adapter that any system can speak to.

A message is a JSON body signed as Standard Webhooks say (standardwebhooks.com); docs/closing.md shows one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

import orjson
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CURRENCY = re.compile(r"[A-Z]{3}")
LONGEST = 200
SIGNS = {"payment.received": 1, "payment.refunded": -1}


class BadSignature(Exception):
    """The message is not signed with a secret of this provider, or too long ago, or not yet."""


class Unreadable(Exception):
    """What was sent is not what docs/closing.md shows."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field} must be {what}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMessage:
    """A payment; of a refund the amount is negative."""

    key: str
    invoice: str
    amount: Decimal
    currency: str
    received_on: date | None
    method: str | None
    reference: str | None
    body: Mapping[str, Any]


class PaymentAdapter(Protocol):
    """What a kind of provider says, and how it shows that it does."""

    def read(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> PaymentMessage | None:
        """Return the payment of a message; None where it tells of something else.

        Raises BadSignature and Unreadable.
        """
        ...


class StandardPayments:
    """Messages signed as Standard Webhooks say, at most five minutes ago."""

    def read(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> PaymentMessage | None:
        if not any(_is_signed(body, headers, secret) for secret in secrets):
            raise BadSignature
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unreadable("The body", "JSON") from error
        if not isinstance(told, dict) or not isinstance(told.get("type"), str):
            raise Unreadable("type", "a text")
        sign = SIGNS.get(told["type"])
        return None if sign is None else _payment(told, sign)


def _is_signed(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A signature that is no base64, and a body that is no text, are none.
        return False
    return True


def _payment(told: Mapping[str, Any], sign: int) -> PaymentMessage:
    data = told.get("data")
    if not isinstance(data, dict):
        raise Unreadable("data", "an object")
    amount = _matched(data, "amount", NUMBER, 'an amount above zero as text, such as "119.00"')
    day = data.get("receivedOn")
    return PaymentMessage(
        key=_text(data, "id"),
        invoice=_text(data, "invoice"),
        amount=Decimal(amount) * sign,
        currency=_matched(data, "currency", CURRENCY, "a currency such as EUR"),
        received_on=None if day is None else _day(data),
        method=_optional(data, "method"),
        reference=_optional(data, "reference"),
        body=told,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise Unreadable(f"data.{name}", f"a text of 1 to {LONGEST} characters")
    return value.strip()


def _optional(data: Mapping[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)


def _matched(data: Mapping[str, Any], name: str, form: re.Pattern[str], what: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise Unreadable(f"data.{name}", what)
    return value


def _day(data: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(_matched(data, "receivedOn", DAY, "a day such as 2026-03-02"))
    except ValueError as error:
        raise Unreadable("data.receivedOn", "a day such as 2026-03-02") from error
