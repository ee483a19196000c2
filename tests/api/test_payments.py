"""Payment providers at their door: signed, once, and nothing of what they tell is lost."""

import asyncio
import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from domain import leads, payment_notices, payment_providers, payments
from domain.actors import Actor
from domain.errors import Forbidden, NotFound
from domain.payment_notices import NoticeOver
from models.base import uuid7
from models.invoices import Invoice, InvoiceState, NoticeState, Payment, PaymentNotice, PaymentProvider
from models.users import Role
from tests.api.serving import Client
from tests.closing import invoice, paying
from tests.factories import NOW, events, member, seller

pytestmark = pytest.mark.usefixtures("db")


def told(row: Invoice, amount: str = "119.00", *, kind: str = "payment.received", **more: Any) -> dict[str, Any]:
    data = {"id": f"pay_{uuid7()}", "invoice": row.number, "amount": amount, "currency": "EUR", **more}
    return {"type": kind, "timestamp": "2026-03-02T09:00:00Z", "data": data}


async def send(
    client: Client,
    provider: PaymentProvider,
    message: Any,
    *,
    secret: str | None = None,
    at: datetime | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send a message as a provider does, signed with its secret now unless said otherwise."""
    body = message if isinstance(message, str) else json.dumps(message)
    sent_at = at or datetime.now(UTC)
    # The library takes an instant for one in UTC, whatever its zone.
    signature = Webhook(secret or payment_providers.secret_of(provider)).sign("msg_1", sent_at, body)
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    return await client.http.post(f"/payments/{provider.id}", content=body.encode(), headers=signed | (headers or {}))


async def provider_of(actor: Actor) -> PaymentProvider:
    return await payment_providers.create(actor, name="Bank", now=NOW)


async def test_a_signed_payment_is_recorded_once_however_often_it_is_told(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    message = told(row, "100.00", receivedOn="2026-03-01", method="Card", reference="RF18")

    answers = await asyncio.gather(*(send(client, provider, message) for _ in range(4)))
    again = await send(client, provider, message)

    [payment] = await Payment.filter(invoice_id=row.id)
    assert {answer.status_code for answer in (*answers, again)} == {200}
    assert {answer.text for answer in (*answers, again)} == {f'{{"code":"RECORDED","payment":"{payment.id}"}}'}
    assert (payment.amount, payment.method, payment.reference) == (Decimal(100), "Card", "RF18")
    assert (payment.provider_id, payment.provider_key) == (provider.id, message["data"]["id"])
    assert (payment.received_on.isoformat(), payment.recorded_by_id) == ("2026-03-01", None)
    kept = await Invoice.get(id=row.id)
    assert (kept.state, kept.balance, kept.version) == (InvoiceState.PARTIALLY_PAID, Decimal(19), 1)
    assert [event.name for event in await events(row.lead_id)][-2:] == ["invoice.issued", "payment.recorded"]


async def test_two_payments_and_a_refund_at_once_add_up(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    await payments.record(actor, row.id, paying("19"), now=NOW)

    answers = await asyncio.gather(
        send(client, provider, told(row, "50.00")),
        send(client, provider, told(row, "50.00")),
        send(client, provider, told(row, "19.00", kind="payment.refunded")),
    )

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (await Invoice.get(id=row.id)).balance == Decimal(19)


async def test_what_is_not_signed_by_the_provider_now_is_refused(client: Client) -> None:
    actor = await seller()
    provider, other, row = await provider_of(actor), await provider_of(await seller()), await invoice(actor)
    message, now = told(row), datetime.now(UTC)
    gone = PaymentProvider(id=uuid7(), secret=other.secret)

    answers = [
        await send(client, provider, message, secret=payment_providers.secret_of(other)),
        await send(client, provider, message, at=now - timedelta(minutes=6)),
        await send(client, provider, message, at=now + timedelta(minutes=6)),
        await send(client, gone, message),
        await send(client, provider, message, headers={"webhook-signature": "v1"}),
        await send(client, provider, message, headers={"webhook-signature": "v1,!"}),
        await send(client, provider, message, headers={"webhook-timestamp": "never"}),
        await client.http.post(f"/payments/{provider.id}", content=b"\xff"),
        await client.http.post("/payments/nobody", content=b"{}"),
    ]

    assert [answer.status_code for answer in answers] == [401] * 9
    assert {answer.json()["code"] for answer in answers} == {"BAD_SIGNATURE"}
    assert await Payment.filter(invoice_id=row.id).count() == 0
    assert await PaymentNotice.filter(workspace_id=actor.workspace_id).count() == 0


async def test_a_new_secret_is_taken_beside_the_one_before_for_a_day(client: Client) -> None:
    actor = await seller()
    before, row = await provider_of(actor), await invoice(actor)
    after = await payment_providers.rotate(actor, before.id, expected_version=1, now=datetime.now(UTC))

    known = await send(client, before, told(row, "1.00"))
    new = await send(client, after, told(row, "1.00"))
    await PaymentProvider.filter(id=after.id).update(previous_until=datetime.now(UTC) - timedelta(seconds=1))
    late = await send(client, before, told(row, "1.00"))

    assert payment_providers.secret_of(after) != payment_providers.secret_of(before)
    assert [answer.status_code for answer in (known, new, late)] == [200, 200, 401]


async def test_an_archived_provider_tells_nothing(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    await payment_providers.archive(actor, provider.id, now=NOW)
    refused = await send(client, provider, told(row))
    await payment_providers.restore(actor, provider.id, now=NOW)

    assert refused.status_code == 401
    assert (await send(client, provider, told(row))).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "data.id"),
        ({"id": 7}, "data.id"),
        ({"id": "x" * 201}, "data.id"),
        ({"invoice": None}, "data.invoice"),
        ({"amount": 119}, "data.amount"),
        ({"amount": "-1"}, "data.amount"),
        ({"amount": "1e3"}, "data.amount"),
        ({"amount": "1.00000"}, "data.amount"),
        ({"currency": "eur"}, "data.currency"),
        ({"receivedOn": "2026-02-30"}, "data.receivedOn"),
        ({"method": ["Card"]}, "data.method"),
    ],
)
async def test_a_message_that_is_none_is_refused_by_its_field(client: Client, change: Any, field: str) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    message = told(row)
    message["data"] |= change

    answer = await send(client, provider, message)

    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_USER_INPUT")
    assert answer.json()["message"].startswith(field)


async def test_other_bodies_are_refused_or_passed_over(client: Client) -> None:
    provider = await provider_of(await seller())

    other = await send(client, provider, {"type": "customer.created", "data": {}})
    answers = [
        await send(client, provider, body) for body in ("[]", "{", '{"type": 1}', '{"type": "payment.received"}')
    ]
    large = await send(client, provider, json.dumps({"type": "x" * 70_000}))
    get = await client.http.get(f"/payments/{provider.id}")

    assert (other.status_code, other.json()["code"]) == (200, "IGNORED")
    assert [answer.status_code for answer in answers] == [400] * 4
    assert (large.status_code, get.status_code) == (413, 405)


async def test_a_payment_of_an_unknown_invoice_waits_and_is_taken_when_told_again(client: Client) -> None:
    actor = await seller()
    provider = await provider_of(actor)
    message = told(Invoice(number="INV-2026-0001"), "19.00")

    early = [await send(client, provider, message) for _ in range(2)]
    [notice] = await PaymentNotice.filter(workspace_id=actor.workspace_id)
    row = await invoice(actor)
    late = await send(client, provider, message)

    assert [(one.status_code, one.json()["code"]) for one in early] == [(404, "UNKNOWN_INVOICE")] * 2
    assert (notice.problem, notice.attempts, notice.amount) == ("UNKNOWN_INVOICE", 2, Decimal(19))
    assert notice.body == message
    assert [event.name for event in await events(notice.id)] == ["payment_notice.opened"]
    assert late.status_code == 200
    kept = await PaymentNotice.get(id=notice.id)
    assert (kept.state, kept.settled_by_id) == (NoticeState.SETTLED, None)
    assert (await Payment.get(id=kept.payment_id)).invoice_id == row.id


async def test_what_cannot_be_paid_so_is_told_and_kept(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    foreign = await invoice(await seller())
    first = told(row, "1.00")
    await send(client, provider, first)
    first["data"]["amount"] = "2.00"

    answers = [
        await send(client, provider, message)
        for message in (
            told(row, currency="USD"),
            told(row, "0.001"),
            told(row, "5.00", kind="payment.refunded"),
            told(row, receivedOn="2999-01-01"),
            first,
        )
    ]
    other = await send(client, provider, told(Invoice(number=foreign.number and "INV-2026-9999")))

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (422, "OTHER_CURRENCY"),
        (422, "MALFORMED"),
        (422, "REFUND_TOO_HIGH"),
        (422, "OUT_OF_RANGE"),
        (409, "PAYMENT_DIFFERS"),
    ]
    assert other.status_code == 404
    assert await PaymentNotice.filter(provider_id=provider.id).count() == 6
    assert (await Invoice.get(id=row.id)).paid == Decimal(1)


async def test_money_for_a_deleted_lead_is_taken_all_the_same(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    await leads.delete(actor, row.lead_id, now=NOW)

    assert (await send(client, provider, told(row))).status_code == 200
    assert (await Invoice.get(id=row.id)).state is InvoiceState.PAID


async def test_people_settle_or_dismiss_what_could_not_be_taken(client: Client) -> None:
    actor = await seller()
    provider, row = await provider_of(actor), await invoice(actor)
    for amount in ("19.00", "5.00"):
        await send(client, provider, told(Invoice(number="?"), amount))
    small, large = await PaymentNotice.filter(provider_id=provider.id).order_by("amount")

    notice, payment = await payment_notices.assign(actor, large.id, row.id, now=NOW)
    gone = await payment_notices.dismiss(actor, small.id, now=NOW)
    again = await send(client, provider, large.body)

    assert (notice.state, notice.settled_by_id, payment.amount) == (NoticeState.SETTLED, actor.user_id, Decimal(19))
    assert (payment.provider_key, payment.invoice_id) == (large.provider_key, row.id)
    assert gone.state is NoticeState.DISMISSED
    assert again.json()["code"] == "RECORDED"
    assert (await Invoice.get(id=row.id)).paid == Decimal(19)
    for attempt in (
        payment_notices.assign(actor, small.id, row.id, now=NOW),
        payment_notices.assign(actor, large.id, row.id, now=NOW),
        payment_notices.dismiss(actor, large.id, now=NOW),
    ):
        with pytest.raises(NoticeOver):
            await attempt


async def test_only_admins_say_who_tells_of_payments() -> None:
    admin = await seller()
    manager, stranger = await member(Role.MANAGER, of=admin), await seller()
    provider = await provider_of(admin)

    with pytest.raises(Forbidden):
        await payment_providers.create(manager, name="Bank 2", now=NOW)
    with pytest.raises(Forbidden):
        await payment_providers.rotate(manager, provider.id, now=NOW)
    with pytest.raises(NotFound):
        await payment_providers.archive(stranger, provider.id, now=NOW)


def test_a_secret_is_as_standard_webhooks_write_it() -> None:
    kind, _, given = payment_providers.new_secret().partition("_")

    assert (kind, len(b64decode(given))) == ("whsec", 32)
