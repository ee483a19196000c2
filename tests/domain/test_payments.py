"""Payments and credit notes: whatever comes, goes back and is credited, and in whatever order, it adds up."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.connection import get_connection

from domain import credit_notes, invoices, payments
from domain.actors import Actor
from domain.credit_notes import CreditLine, CreditTooHigh, NoSuchRate, NothingToCredit, OneCredit
from domain.errors import AlreadyExists, DomainError, Forbidden, Malformed, NotFound, OutOfRange, Required
from domain.invoice_amounts import OtherCurrency
from domain.invoice_details import FreeLine
from domain.invoice_states import InvoiceStateRefused
from domain.payments import NothingPaid, RefundTooHigh, ReversedAlready
from domain.shares import rates_of, total_of
from models.base import uuid7
from models.events import Event
from models.invoices import Invoice, InvoiceKind, InvoiceState, Payment
from models.users import Role
from tests.closing import eur, invoice, paying
from tests.factories import NOW, events, member, seller

LATER = NOW + timedelta(days=1)

pytestmark = pytest.mark.usefixtures("db")


async def told(row: Invoice) -> list[str]:
    return [event.name for event in await events(row.lead_id) if event.name.partition(".")[0] in ("invoice", "payment")]


async def adds_up(row: Invoice) -> Invoice:
    """Check an invoice against the payments and credit notes there are, and return it."""
    kept = await Invoice.get(id=row.id)
    paid = sum([payment.amount for payment in await Payment.filter(invoice_id=row.id)], Decimal(0))
    notes = await Invoice.filter(credits_id=row.id)
    credited = sum([note.total for note in notes], Decimal(0))
    assert (kept.paid, kept.credited, kept.balance) == (paid, credited, kept.total - paid - credited)
    for rate in rates_of(kept.taxes):
        taken = [one for note in notes for one in rates_of(note.taxes) if one.rate == rate.rate]
        assert sum([one.net for one in taken], Decimal(0)) <= rate.net
        assert sum([one.tax for one in taken], Decimal(0)) <= rate.tax
    assert sorted(note.number or "" for note in notes) == sorted({note.number or "" for note in notes})
    return kept


# Payments


async def test_an_invoice_is_paid_in_parts_and_too_much() -> None:
    actor = await seller()
    row = await invoice(actor)

    part, first = await payments.record(
        actor, row.id, paying("19", method=" Transfer ", reference="RF18", received_on=NOW.date()), now=NOW
    )
    state, balance = part.state, part.balance
    await payments.record(actor, row.id, paying("100"), now=LATER)
    whole = await adds_up(row)
    await payments.record(actor, row.id, paying("0.01"), now=LATER)
    over = await adds_up(row)

    assert (state, balance) == (InvoiceState.PARTIALLY_PAID, Decimal(100))
    assert (first.method, first.reference, first.recorded_by_id) == ("Transfer", "RF18", actor.user_id)
    assert (whole.state, whole.balance, whole.paid_at, whole.due_at) == (InvoiceState.PAID, Decimal(0), LATER, None)
    assert (over.state, over.balance) == (InvoiceState.PAID, Decimal("-0.01"))
    assert await told(row) == [
        "invoice.issued",
        "payment.recorded",
        "payment.recorded",
        "invoice.paid",
        "payment.recorded",
    ]
    event = await Event.filter(name="payment.recorded", subject_id=row.lead_id).order_by("id").first()
    assert event
    assert (event.data["amount"], event.data["balance"], event.data["payment_id"]) == ("19", "100", str(first.id))


async def test_what_was_too_much_goes_back_for_a_reason() -> None:
    actor = await seller()
    row = await invoice(actor)
    await payments.record(actor, row.id, paying("120"), now=NOW)

    with pytest.raises(Required):
        await payments.record(actor, row.id, paying("-1"), now=NOW)
    with pytest.raises(RefundTooHigh):
        await payments.record(actor, row.id, paying("-120.01", note="All"), now=NOW)
    await payments.record(actor, row.id, paying("-1", note="Paid too much"), now=NOW)
    even = await adds_up(row)
    await payments.record(actor, row.id, paying("-19", note="Goodwill"), now=NOW)
    less = await adds_up(row)

    assert (even.state, even.balance) == (InvoiceState.PAID, Decimal(0))
    assert (less.state, less.balance, less.paid_at) == (InvoiceState.PARTIALLY_PAID, Decimal(19), None)
    assert less.due_at == row.due_at


@pytest.mark.parametrize(
    ("details", "error"),
    [
        (paying("1", "USD"), OtherCurrency),
        (paying("1", "XXX"), Malformed),
        (paying("0"), NothingPaid),
        (paying("0.001"), Malformed),
        (paying("NaN"), Malformed),
        (paying("-Infinity", note="X"), Malformed),
        (paying("1", received_on=NOW.date() + timedelta(days=1)), OutOfRange),
        (paying("1", method="x" * 201), DomainError),
        (paying("1", note="\x00"), Malformed),
    ],
)
async def test_bad_payments_are_refused(details: Any, error: type[Exception]) -> None:
    actor = await seller()
    row = await invoice(actor)

    with pytest.raises(error):
        await payments.record(actor, row.id, details, now=NOW)

    assert (await adds_up(row)).paid == 0


async def test_the_same_payment_is_recorded_once_even_at_once() -> None:
    actor, key = await seller(), uuid7()
    row = await invoice(actor)

    outcomes = await asyncio.gather(
        *(payments.record(actor, row.id, paying("19"), id=key, now=NOW) for _ in range(4)), return_exceptions=True
    )

    assert {payment.id for _, payment in outcomes} == {key}  # type: ignore[misc]
    assert (await adds_up(row)).paid == Decimal(19)
    with pytest.raises(AlreadyExists):
        await payments.record(actor, row.id, paying("20"), id=key, now=NOW)
    with pytest.raises(AlreadyExists):
        await payments.record(actor, (await invoice(actor)).id, paying("19"), id=key, now=NOW)


async def test_a_payment_is_reversed_once_for_a_reason() -> None:
    actor = await seller()
    row = await invoice(actor)
    _, payment = await payments.record(actor, row.id, paying("119"), now=NOW)

    with pytest.raises(Required):
        await payments.reverse(actor, payment.id, reason=" ", now=NOW)
    outcomes = await asyncio.gather(
        *(payments.reverse(actor, payment.id, reason="Bounced", now=LATER) for _ in range(3)), return_exceptions=True
    )
    [(_, reversal)] = [outcome for outcome in outcomes if isinstance(outcome, tuple)]

    kept = await adds_up(row)
    assert (kept.state, kept.balance, reversal.note) == (InvoiceState.ISSUED, Decimal(119), "Bounced")
    assert sum(isinstance(outcome, ReversedAlready) for outcome in outcomes) == 2
    with pytest.raises(ReversedAlready):
        await payments.reverse(actor, reversal.id, reason="Again", now=LATER)
    assert (await told(row))[-1] == "payment.reversed"


async def test_a_payment_never_changes_whoever_writes() -> None:
    actor = await seller()
    row = await invoice(actor)
    _, payment = await payments.record(actor, row.id, paying("1"), now=NOW)

    for change in ("UPDATE payment SET amount = 2 WHERE id = $1", "DELETE FROM payment WHERE id = $1"):
        with pytest.raises(Exception, match="reverse it"):
            await get_connection("default").execute_query(change, [payment.id])


async def test_only_what_is_issued_is_paid_and_credited() -> None:
    actor = await seller()
    row = await invoice(actor)
    _, note = await credit_notes.credit(actor, row.id, reason="Wrong", amount=eur("1"), now=NOW)

    with pytest.raises(InvoiceStateRefused):
        await payments.record(actor, note.id, paying("1"), now=NOW)
    with pytest.raises(InvoiceStateRefused):
        await credit_notes.credit(actor, note.id, reason="Wrong", now=NOW)


# Credit notes


async def test_a_whole_invoice_is_credited_line_by_line_with_a_number_of_its_own() -> None:
    actor, key = await seller(), uuid7()
    lines = [
        FreeLine(name=name, unit_price=Decimal(100), tax_rate=Decimal(rate)) for name, rate in (("A", 19), ("B", 7))
    ]
    row = await invoice(actor, lines=lines)

    after, note = await credit_notes.credit(actor, row.id, reason="Sent back", id=key, expected_version=1, now=NOW)

    kept = await adds_up(row)
    assert (note.id, note.number, note.kind, note.credits_id) == (key, "CN-2026-0001", InvoiceKind.CREDIT_NOTE, row.id)
    assert (note.lines, note.taxes, note.total, note.balance) == (row.lines, row.taxes, row.total, Decimal(0))
    assert invoices.is_genuine(await Invoice.get(id=key))
    assert (kept.state, kept.balance, kept.due_at, after.version) == (InvoiceState.CREDITED, Decimal(0), None, 2)
    assert (await told(row)) == ["invoice.issued", "invoice.credited"]
    with pytest.raises(InvoiceStateRefused):
        await credit_notes.credit(actor, row.id, reason="Twice", now=NOW)


async def test_a_part_is_credited_over_all_rates_or_by_lines() -> None:
    actor = await seller()
    lines = [
        FreeLine(name=name, unit_price=Decimal(100), tax_rate=Decimal(rate)) for name, rate in (("A", 19), ("B", 7))
    ]
    row = await invoice(actor, lines=lines)

    _, part = await credit_notes.credit(actor, row.id, reason="Scratch", amount=eur("22.60"), now=NOW)
    _, by_line = await credit_notes.credit(
        actor,
        row.id,
        reason="Kept",
        lines=[CreditLine(name="One A", tax_rate=Decimal(19), amount=eur("107.1"))],
        now=NOW,
    )
    left, rest = await credit_notes.credit(actor, row.id, reason="All", now=NOW)

    assert part.taxes == [{"rate": "19", "net": "10", "tax": "1.9"}, {"rate": "7", "net": "10", "tax": "0.7"}]
    assert by_line.taxes == [{"rate": "19", "net": "90", "tax": "17.1"}]
    assert [one["name"] for one in by_line.lines] == ["One A"]
    assert rest.taxes == [{"rate": "7", "net": "90", "tax": "6.3"}]
    assert (left.state, [one.number for one in (part, by_line, rest)]) == (
        InvoiceState.CREDITED,
        ["CN-2026-0001", "CN-2026-0002", "CN-2026-0003"],
    )


async def test_a_credit_may_pay_what_is_left() -> None:
    actor = await seller()
    row = await invoice(actor)
    await payments.record(actor, row.id, paying("100"), now=NOW)

    after, _ = await credit_notes.credit(actor, row.id, reason="Discount", amount=eur("19"), now=LATER)

    assert (after.state, after.balance, after.paid_at) == (InvoiceState.PAID, Decimal(0), LATER)
    assert (await told(row))[-2:] == ["invoice.credited", "invoice.paid"]


async def test_what_was_paid_and_credited_is_open_to_go_back() -> None:
    actor = await seller()
    row = await invoice(actor)
    await payments.record(actor, row.id, paying("119"), now=NOW)
    await credit_notes.credit(actor, row.id, reason="Sent back", now=NOW)
    owing = await adds_up(row)
    await payments.record(actor, row.id, paying("-119", note="Sent back"), now=NOW)
    even = await adds_up(row)

    assert (owing.state, owing.balance, even.balance) == (InvoiceState.CREDITED, Decimal(-119), Decimal(0))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"amount": eur("119.01")}, CreditTooHigh),
        ({"amount": eur("0")}, NothingToCredit),
        ({"amount": eur("-1")}, OutOfRange),
        ({"amount": eur("1.005")}, Malformed),
        ({"reason": None}, Required),
        ({"lines": [CreditLine(name="A", tax_rate=Decimal(7), amount=eur("1"))]}, NoSuchRate),
        ({"lines": [CreditLine(name="A", tax_rate=Decimal(19), amount=eur("60"))] * 2}, CreditTooHigh),
        ({"lines": [CreditLine(name=" ", tax_rate=Decimal(19), amount=eur("60"))]}, Required),
        ({"lines": [CreditLine(name="A", tax_rate=Decimal(19), amount=eur("6"))], "amount": eur("1")}, OneCredit),
    ],
)
async def test_bad_credits_are_refused_and_take_no_number(given: dict[str, Any], error: type[Exception]) -> None:
    actor = await seller()
    row = await invoice(actor)

    with pytest.raises((error, DomainError)) as caught:
        await credit_notes.credit(actor, row.id, **({"reason": "Why"} | given), now=NOW)

    faults = getattr(caught.value, "faults", [caught.value])
    assert any(isinstance(fault, error) for fault in faults)
    _, note = await credit_notes.credit(actor, row.id, reason="All", now=NOW)
    assert note.number == "CN-2026-0001"


# At once


async def test_payments_credits_and_reversals_at_once_add_up() -> None:
    actor = await seller()
    row = await invoice(actor, "1000")
    _, wrong = await payments.record(actor, row.id, paying("10"), now=NOW)

    outcomes = await asyncio.gather(
        *(payments.record(actor, row.id, paying("119"), now=NOW) for _ in range(6)),
        *(credit_notes.credit(actor, row.id, reason="Why", amount=eur("300"), now=NOW) for _ in range(6)),
        *(payments.reverse(actor, wrong.id, reason="Wrong", now=NOW) for _ in range(2)),
        return_exceptions=True,
    )

    kept = await adds_up(row)
    assert (kept.paid, kept.credited) == (Decimal(714), Decimal(900))
    refused = [outcome for outcome in outcomes if not isinstance(outcome, tuple)]
    assert sorted(type(one).__name__ for one in refused) == ["CreditTooHigh"] * 3 + ["ReversedAlready"]
    assert (await told(row)).count("invoice.paid") == 1


amounts = st.integers(1, 15_000).map(lambda cents: Decimal(cents) / 100)
deeds = st.lists(st.tuples(st.sampled_from(["pay", "refund", "credit", "reverse"]), amounts), max_size=8)
prices = st.lists(st.tuples(amounts, st.sampled_from(["0", "7", "19"])), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices, deeds)
async def test_whatever_is_done_to_an_invoice_it_adds_up(
    prices: list[tuple[Decimal, str]], deeds: list[tuple[str, Decimal]]
) -> None:
    actor = await seller()
    lines = [FreeLine(name="Work", unit_price=price, tax_rate=Decimal(rate)) for price, rate in prices]
    row = await invoice(actor, lines=lines)
    made: list[Payment] = []
    ways: dict[str, Callable[[Decimal], Awaitable[Any]]] = {
        "pay": lambda amount: payments.record(actor, row.id, paying(str(amount)), now=NOW),
        "refund": lambda amount: payments.record(actor, row.id, paying(str(-amount), note="Back"), now=NOW),
        "credit": lambda amount: credit_notes.credit(actor, row.id, reason="Why", amount=eur(str(amount)), now=NOW),
        "reverse": lambda _: payments.reverse(actor, made[0].id, reason="Wrong", now=NOW),
    }
    for deed, amount in deeds:
        if deed == "reverse" and not made:
            continue
        before = await Invoice.get(id=row.id)
        try:
            _, result = await ways[deed](amount)
        except (RefundTooHigh, CreditTooHigh, ReversedAlready, InvoiceStateRefused):
            assert (await Invoice.get(id=row.id)).balance == before.balance
        else:
            made += [result] if isinstance(result, Payment) else []
        kept = await adds_up(row)
        if kept.state is not InvoiceState.CREDITED:
            assert (kept.state is InvoiceState.PAID) == (kept.balance <= 0)
    await credit_the_rest(actor, row)


async def credit_the_rest(actor: Actor, row: Invoice) -> None:
    if (await Invoice.get(id=row.id)).state is not InvoiceState.CREDITED:
        await credit_notes.credit(actor, row.id, reason="All", now=NOW)
    kept = await adds_up(row)
    notes = [one for note in await Invoice.filter(credits_id=row.id) for one in rates_of(note.taxes)]
    assert (kept.credited, total_of(notes)) == (kept.total, kept.total)


async def test_who_may_record_reverse_and_credit() -> None:
    admin = await seller()
    rep, manager = await seller(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    foreign, row = await seller(), await invoice(admin)
    _, payment = await payments.record(admin, row.id, paying("1"), now=NOW)

    for actor, error in ((rep, NotFound), (foreign, NotFound), (manager, Forbidden)):
        for attempt in (
            payments.record(actor, row.id, paying("1"), now=NOW),
            payments.reverse(actor, payment.id, reason="X", now=NOW),
            credit_notes.credit(actor, row.id, reason="X", now=NOW),
        ):
            with pytest.raises(error):
                await attempt
