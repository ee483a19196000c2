"""Invoices: numbered when they are issued, exact to the cent, and never changed again."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connection

from domain import credit_notes, due_invoices, invoices, leads, number_series, selling_settings
from domain.actors import Actor
from domain.agreed import ProposalNotAccepted
from domain.credit_notes import NothingToCredit
from domain.errors import AlreadyExists, DomainError, Forbidden, Invalid, Malformed, NotFound, OutOfRange, Stale
from domain.instalments import DueByInstalment, InstalmentsFall, NothingToInvoice, OneShare, TooManyInstalments
from domain.invoice_amounts import OtherCurrency
from domain.invoice_details import FreeLine, Instalment, InvoiceDetails, Source
from domain.invoice_lines import OneDiscountOfLine, TooManyInvoiceLines
from domain.invoice_sources import AgreedAlready, ContractNotSigned, InvoicedAlready, OneSource
from domain.invoice_states import InvoiceStateRefused
from domain.money import Money
from domain.proposal_lines import Discount, DiscountTooHigh
from domain.selling_settings import SellerDetails, SellingDetails
from domain.shares import InstalmentsDiffer, InstalmentTooSmall, rates_of, total_of
from models.base import uuid7
from models.events import Event
from models.invoices import Invoice, InvoiceState
from models.selling import NumberedKind
from models.users import Role
from tests.closing import accepted, contract, eur, invoice, line, sent, signed
from tests.factories import NOW, events, lead, member, seller

TODAY = NOW.date()
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("db")


def free(price: str = "100", rate: str = "19", **more: Any) -> FreeLine:
    return FreeLine(name="Work", unit_price=Decimal(price), tax_rate=Decimal(rate), **more)


async def names(row: Invoice) -> list[str]:
    return [event.name for event in await events(row.lead_id) if event.name.startswith("invoice.")]


async def sweep_all(now: datetime) -> None:
    while await due_invoices.sweep(now):
        pass


# Whole


async def test_a_whole_proposal_is_invoiced_as_it_was_accepted() -> None:
    actor, key = await seller(), uuid7()
    bank = SellerDetails(name="Solar Ltd", bank="DE89 3704 0044 0532 0130 00")
    await selling_settings.update(actor, SellingDetails(seller=bank, payment_days=10), now=NOW)
    proposal = await accepted(
        actor,
        line(quantity=Decimal(3), discount=Discount(percent=Decimal(10))),
        line("Book", "19.99", "7"),
        line("Cake", "5", "0", optional=True, chosen=False),
    )

    [made] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), id=key, now=NOW)

    kept = await Invoice.get(id=key)
    assert (kept.number, kept.state, kept.issued_on, kept.due_on) == (
        "INV-2026-0001",
        InvoiceState.ISSUED,
        TODAY,
        TODAY + 10 * DAY,
    )
    assert (kept.net, kept.tax, kept.total, kept.balance) == tuple(
        map(Decimal, ("289.99", "52.70", "342.69", "342.69"))
    )
    assert kept.taxes == [{"rate": "19", "net": "270", "tax": "51.3"}, {"rate": "7", "net": "19.99", "tax": "1.4"}]
    assert [(one["name"], one["quantity"], one["amount"]) for one in kept.lines] == [
        ("Panel", "3", "270"),
        ("Book", "1", "19.99"),
    ]
    assert (kept.parties["seller"]["name"], kept.parties["seller"]["bank"]) == (bank.name, bank.bank)
    assert made.sha256 == kept.sha256
    assert invoices.is_genuine(kept)
    assert await names(kept) == ["invoice.issued"]
    [event] = await Event.filter(name="invoice.issued", subject_id=kept.lead_id)
    assert (event.data["number"], event.data["total"], event.data["invoice_id"]) == (kept.number, "342.69", str(key))


async def test_a_discount_on_the_whole_is_shown_and_counts_at_every_rate() -> None:
    actor = await seller()
    proposal = await accepted(actor, line(), line("Book", "100", "7"), discount=Discount(percent=Decimal("12.5")))

    [made] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)

    assert (made.subtotal, made.discount, made.net) == (Decimal(200), Decimal(25), Decimal(175))
    assert total_of(rates_of(made.taxes)) == made.total == Decimal("197.76")


async def test_a_contract_is_invoiced_once_it_is_signed() -> None:
    actor = await seller()
    made = await contract(actor)
    with pytest.raises(ContractNotSigned):
        await invoices.issue(actor, Source(contract_id=made.id), InvoiceDetails(), now=NOW)
    done = await signed(actor, title="Roof and all")

    [row] = await invoices.issue(actor, Source(contract_id=done.id), InvoiceDetails(terms="Thank you."), now=NOW)

    assert (row.contract_id, row.proposal_id, row.title, row.terms) == (
        done.id,
        done.proposal_id,
        "Roof and all",
        "Thank you.",
    )


async def test_what_was_agreed_is_invoiced_once_even_at_once() -> None:
    actor = await seller()
    proposal = await accepted(actor)

    outcomes = await asyncio.gather(
        *(invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW) for _ in range(5)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, InvoicedAlready) for outcome in outcomes) == 4
    assert await Invoice.filter(proposal_id=proposal.id).count() == 1


async def test_what_was_wholly_credited_can_be_invoiced_again() -> None:
    actor = await seller()
    proposal = await accepted(actor)
    [first] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)
    await credit_notes.credit(actor, first.id, reason="Wrong address", now=NOW)

    [second] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)

    assert (second.number, second.total) == ("INV-2026-0002", Decimal(119))


async def test_a_lead_is_invoiced_for_free_lines() -> None:
    actor = await seller()
    wanting = await lead(actor)

    [made] = await invoices.issue(
        actor,
        Source(lead_id=wanting.id),
        InvoiceDetails(
            lines=[free("33.333", quantity=Decimal(3), discount_amount=Decimal("0.01")), free("1", "7")],
            currency="EUR",
            due_on=TODAY + DAY,
            tax_inclusive=True,
            language="de",
        ),
        now=NOW,
    )

    assert (made.title, made.language, made.due_on, made.tax_inclusive) == (wanting.title, "de", TODAY + DAY, True)
    assert (made.total, made.subtotal) == (Decimal("100.99"), Decimal("100.99"))
    assert made.net + made.tax == made.total


async def test_yen_have_no_parts_and_dinars_a_thousand() -> None:
    actor = await seller()
    yen = await invoice(actor, lines=[free("33.5", "10", quantity=Decimal(3))], currency="JPY")
    dinars = await invoice(actor, lines=[free("0.0015", "5")], currency="KWD")

    assert (yen.net, yen.tax, yen.total) == (Decimal(101), Decimal(10), Decimal(111))
    assert dinars.total == Decimal("0.002")


@pytest.mark.parametrize(
    ("details", "error"),
    [
        (InvoiceDetails(), TooManyInvoiceLines),
        (InvoiceDetails(lines=[free()] * 1_001), TooManyInvoiceLines),
        (InvoiceDetails(lines=[free("0")]), NothingToInvoice),
        (InvoiceDetails(lines=[free("-1")]), OutOfRange),
        (InvoiceDetails(lines=[free("NaN")]), Malformed),
        (InvoiceDetails(lines=[free("1.00001")]), Malformed),
        (InvoiceDetails(lines=[free(quantity=Decimal(-1))]), OutOfRange),
        (InvoiceDetails(lines=[free(discount_percent=Decimal(101))]), OutOfRange),
        (InvoiceDetails(lines=[free(discount_percent=Decimal(1), discount_amount=Decimal(1))]), OneDiscountOfLine),
        (InvoiceDetails(lines=[free("999999999999999", quantity=Decimal(9))]), OutOfRange),
        (InvoiceDetails(lines=[free(rate="101")]), OutOfRange),
        (InvoiceDetails(lines=[free()], currency="XXX"), Malformed),
        (InvoiceDetails(lines=[free()], language="tlhx"), Malformed),
        (InvoiceDetails(lines=[free()], due_on=TODAY - DAY), OutOfRange),
        (InvoiceDetails(lines=[free()], due_on=date(2126, 1, 1)), OutOfRange),
    ],
)
async def test_bad_invoices_are_refused_and_take_no_number(details: InvoiceDetails, error: type[Exception]) -> None:
    actor = await seller()
    wanting = await lead(actor)

    with pytest.raises(error):
        await invoices.issue(actor, Source(lead_id=wanting.id), details, now=NOW)

    assert (await invoice(actor, of=wanting)).number == "INV-2026-0001"


async def test_one_thing_is_invoiced_and_says_what_was_agreed() -> None:
    actor = await seller()
    proposal, open_one = await accepted(actor), await sent(actor)

    for source in (Source(), Source(proposal_id=proposal.id, lead_id=proposal.lead_id)):
        with pytest.raises(OneSource):
            await invoices.issue(actor, source, InvoiceDetails(lines=[free()]), now=NOW)
    with pytest.raises(ProposalNotAccepted):
        await invoices.issue(actor, Source(proposal_id=open_one.id), InvoiceDetails(), now=NOW)
    with pytest.raises(Invalid) as caught:
        await invoices.issue(
            actor, Source(proposal_id=proposal.id), InvoiceDetails(lines=[free()], currency="USD"), now=NOW
        )
    assert {type(fault) for fault in caught.value.faults} == {AgreedAlready}


# Instalments


async def test_instalments_are_issued_on_their_days() -> None:
    actor = await seller()
    proposal = await accepted(actor, line(price="1000.01"))
    plan = [
        Instalment(percent=Decimal(30), due_on=TODAY + 14 * DAY),
        Instalment(percent=Decimal(30), due_on=TODAY + 44 * DAY),
        Instalment(due_on=TODAY + 60 * DAY, issue_on=TODAY + 60 * DAY),
    ]

    first, second, third = await invoices.issue(
        actor, Source(proposal_id=proposal.id), InvoiceDetails(instalments=plan), now=NOW
    )
    await sweep_all(NOW)

    assert [one.state for one in (first, second, third)] == [
        InvoiceState.ISSUED,
        InvoiceState.PLANNED,
        InvoiceState.PLANNED,
    ]
    assert [one.total for one in (first, second, third)] == [Decimal("357.00"), Decimal("357.00"), Decimal("476.01")]
    assert sum(one.net for one in (first, second, third)) == Decimal("1000.01")
    assert (second.number, second.balance, second.issue_on) == (None, Decimal(0), TODAY + 30 * DAY)
    assert [(one.instalment, one.instalments) for one in (first, third)] == [(1, 3), (3, 3)]

    await sweep_all(NOW + 30 * DAY)
    await sweep_all(NOW + 30 * DAY)

    issued = await Invoice.get(id=second.id)
    assert (issued.state, issued.number, issued.issued_on) == (
        InvoiceState.ISSUED,
        "INV-2026-0002",
        TODAY + 30 * DAY,
    )
    assert (issued.balance, issued.due_on, issued.version) == (Decimal(357), TODAY + 44 * DAY, 1)
    assert invoices.is_genuine(issued)
    assert (await Invoice.get(id=third.id)).state is InvoiceState.PLANNED
    told = await names(first)
    assert told.count("invoice.issued") == 2
    assert told.count("invoice.planned") == 2


async def test_an_instalment_is_issued_on_its_day_where_the_workspace_is() -> None:
    actor = await seller()
    await get_connection("default").execute_query(
        "UPDATE workspace SET time_zone = 'Pacific/Auckland' WHERE id = $1", [actor.workspace_id]
    )
    wanting = await lead(actor)
    plan = [Instalment(percent=Decimal(50), due_on=TODAY), Instalment(due_on=TODAY + DAY, issue_on=TODAY + DAY)]

    _, later = await invoices.issue(
        actor, Source(lead_id=wanting.id), InvoiceDetails(lines=[free()], instalments=plan), now=NOW
    )

    # 9:00 UTC is 22:00 there: the next day begins two hours later.
    assert later.due_at == NOW + timedelta(hours=2)


async def test_numbers_count_anew_where_the_year_of_each_workspace_begins() -> None:
    there, here = await seller(), await seller()
    await get_connection("default").execute_query(
        "UPDATE workspace SET time_zone = 'Pacific/Auckland' WHERE id = $1", [there.workspace_id]
    )
    midnight = datetime(2026, 12, 31, 11, tzinfo=UTC)
    numbers: dict[Actor, list[str | None]] = {there: [], here: []}
    for now in (midnight - timedelta(seconds=2), midnight - timedelta(seconds=1), midnight, midnight + DAY):
        for actor, found in numbers.items():
            wanting = await lead(actor)
            made = await invoices.issue(actor, Source(lead_id=wanting.id), InvoiceDetails(lines=[free()]), now=now)
            found += [one.number for one in made]

    assert numbers[there] == ["INV-2026-0001", "INV-2026-0002", "INV-2027-0001", "INV-2027-0002"]
    assert numbers[here] == ["INV-2026-0001", "INV-2026-0002", "INV-2026-0003", "INV-2027-0001"]


async def test_a_proposal_is_invoiced_in_parts_and_then_no_more() -> None:
    actor = await seller()
    proposal = await accepted(actor)
    plan = InvoiceDetails(
        instalments=[
            Instalment(amount=eur("19"), due_on=TODAY),
            Instalment(amount=eur("50"), due_on=TODAY + 90 * DAY),
            Instalment(amount=eur("50"), due_on=TODAY + 120 * DAY),
        ]
    )
    _, second, third = await invoices.issue(actor, Source(proposal_id=proposal.id), plan, now=NOW)
    with pytest.raises(InvoicedAlready):
        await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)
    await invoices.cancel(actor, second.id, now=NOW)
    await invoices.cancel(actor, third.id, now=NOW)

    [rest] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)

    assert (rest.number, rest.total) == ("INV-2026-0002", Decimal(100))
    assert [one["name"] for one in rest.lines] == ["Solar roof"]


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ([Instalment(percent=Decimal(100), due_on=TODAY)], TooManyInstalments),
        ([Instalment(percent=Decimal(50), due_on=TODAY)] * 3, InstalmentsDiffer),
        ([Instalment(percent=Decimal(100), due_on=TODAY), Instalment(due_on=TODAY)], InstalmentTooSmall),
        ([Instalment(percent=Decimal(101), due_on=TODAY), Instalment(due_on=TODAY)], OutOfRange),
        ([Instalment(percent=Decimal(50)), Instalment(due_on=TODAY)], Exception),
        ([Instalment(percent=Decimal(5), amount=eur("1"), due_on=TODAY), Instalment(due_on=TODAY)], OneShare),
        ([Instalment(amount=Money(Decimal(1), "USD"), due_on=TODAY), Instalment(due_on=TODAY)], OtherCurrency),
        ([Instalment(amount=eur("1.001"), due_on=TODAY), Instalment(due_on=TODAY)], Malformed),
        ([Instalment(amount=eur("1"), due_on=TODAY - DAY), Instalment(due_on=TODAY)], OutOfRange),
        ([Instalment(amount=eur("1"), due_on=TODAY, issue_on=TODAY + DAY), Instalment(due_on=TODAY)], OutOfRange),
        ([Instalment(percent=Decimal(50), due_on=TODAY + DAY), Instalment(due_on=TODAY)], InstalmentsFall),
    ],
)
async def test_bad_plans_are_refused(plan: list[Instalment], error: type[Exception]) -> None:
    actor = await seller()
    proposal = await accepted(actor)

    with pytest.raises(error):
        await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(instalments=plan), now=NOW)

    assert await Invoice.filter(proposal_id=proposal.id).count() == 0


async def test_a_plan_has_days_of_its_own() -> None:
    actor = await seller()
    proposal = await accepted(actor)
    plan = [Instalment(percent=Decimal(50), due_on=TODAY), Instalment(due_on=TODAY)]

    with pytest.raises(DueByInstalment):
        await invoices.issue(
            actor, Source(proposal_id=proposal.id), InvoiceDetails(instalments=plan, due_on=TODAY), now=NOW
        )


async def planned(actor: Any) -> Invoice:
    proposal = await accepted(actor)
    plan = [Instalment(percent=Decimal(50), due_on=TODAY), Instalment(due_on=TODAY + 90 * DAY)]
    _, row = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(instalments=plan), now=NOW)
    return row


async def test_what_is_planned_can_be_cancelled_or_issued_before_its_day() -> None:
    actor = await seller()
    gone, early = await planned(actor), await planned(actor)

    cancelled = await invoices.cancel(actor, gone.id, expected_version=1, now=NOW)
    again = await invoices.cancel(actor, gone.id, now=NOW)
    issued = await invoices.issue_planned(actor, early.id, now=NOW)

    assert (cancelled.state, cancelled.due_at, again.version) == (InvoiceState.CANCELLED, None, 2)
    assert (issued.number, issued.issued_on, issued.version) == ("INV-2026-0003", TODAY, 2)
    with pytest.raises(InvoiceStateRefused):
        await invoices.cancel(actor, early.id, now=NOW)
    with pytest.raises(InvoiceStateRefused):
        await invoices.issue_planned(actor, gone.id, now=NOW)
    with pytest.raises(Stale):
        await invoices.cancel(actor, early.id, expected_version=1, now=NOW)
    await sweep_all(NOW + 90 * DAY)
    assert (await Invoice.get(id=gone.id)).state is InvoiceState.CANCELLED


async def test_what_is_planned_waits_while_its_lead_is_deleted() -> None:
    actor = await seller()
    row = await planned(actor)
    await leads.delete(actor, row.lead_id, now=NOW)
    await sweep_all(NOW + 90 * DAY)
    assert (await Invoice.get(id=row.id)).state is InvoiceState.PLANNED

    await leads.restore(actor, row.lead_id, now=NOW)
    await sweep_all(NOW + 90 * DAY)

    assert (await Invoice.get(id=row.id)).state is InvoiceState.ISSUED


# Overdue


async def test_an_invoice_is_overdue_once_after_its_last_day() -> None:
    actor = await seller()
    row = await invoice(actor, due_on=TODAY + DAY)
    end = datetime.combine(TODAY + 2 * DAY, datetime.min.time(), NOW.tzinfo)

    await sweep_all(end - timedelta(seconds=1))
    before = await Invoice.get(id=row.id)
    await asyncio.gather(*(due_invoices.sweep(end) for _ in range(4)))
    await sweep_all(end + 9 * DAY)

    after = await Invoice.get(id=row.id)
    assert (before.overdue_at, after.overdue_at, after.due_at, after.version) == (None, end, None, 1)
    assert await names(row) == ["invoice.issued", "invoice.overdue"]


# At once, killed, for good


async def test_thirty_two_at_once_are_numbered_without_a_gap() -> None:
    actor = await seller()
    wanting = [await lead(actor, title=f"Roof {number}") for number in range(16)]

    async def issue(number: int) -> Invoice:
        details = InvoiceDetails(lines=[free(str(number + 1)), *([free("-1")] if number % 4 == 3 else [])])
        [made] = await invoices.issue(actor, Source(lead_id=wanting[number % 16].id), details, now=NOW)
        return made

    outcomes = await asyncio.gather(*(issue(number) for number in range(32)), return_exceptions=True)

    numbers = sorted(one.number or "" for one in outcomes if isinstance(one, Invoice))
    assert numbers == [f"INV-2026-{number:04}" for number in range(1, 25)]
    assert sum(isinstance(one, OutOfRange) for one in outcomes) == 8


async def test_whoever_is_killed_with_a_number_leaves_no_gap_and_lets_the_next_one_go_on(db: str) -> None:
    actor = await seller()
    wanting = await lead(actor)
    killed = await asyncpg.connect(db)
    await killed.execute("BEGIN")
    taken = await killed.fetchval(
        number_series.NEXT, uuid7(), actor.workspace_id, NumberedKind.INVOICE.value, TODAY.year
    )

    waiting = asyncio.create_task(invoice(actor, of=wanting))
    while not await waits_for_a_row():
        await asyncio.sleep(0)
    killed.terminate()

    assert (taken, (await waiting).number) == (1, "INV-2026-0001")


async def waits_for_a_row() -> bool:
    """Say whether somebody waits for the lock of a row in this database."""
    rows = await get_connection("default").execute_query_dict(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(rows)


async def test_an_issued_invoice_never_changes_whoever_writes() -> None:
    actor = await seller()
    row, waiting = await invoice(actor), await planned(actor)
    connection = get_connection("default")

    for change in ("total = 1, net = 1, tax = 0, balance = 1", "lines = '[]'", "number = 'X'", "due_on = NULL"):
        with pytest.raises(Exception, match="was issued and cannot change"):
            await connection.execute_query(f"UPDATE invoice SET {change} WHERE id = $1", [row.id])
    with pytest.raises(Exception, match="was issued and cannot change"):
        await connection.execute_query("DELETE FROM invoice WHERE id = $1", [row.id])
    with pytest.raises(Exception, match="invoice_balance_check"):
        await connection.execute_query("UPDATE invoice SET paid = 5 WHERE id = $1", [row.id])
    with pytest.raises(Exception, match="invoice_credited_check"):
        await connection.execute_query("UPDATE invoice SET credited = total + 1, balance = -1 WHERE id = $1", [row.id])
    await connection.execute_query("DELETE FROM invoice WHERE id = $1", [waiting.id])

    assert invoices.is_genuine(await Invoice.get(id=row.id))
    assert await Invoice.get_or_none(id=waiting.id) is None


async def test_who_may_issue_and_cancel() -> None:
    admin = await seller()
    viewer, rep = await member(Role.VIEWER, of=admin), await seller(Role.REP, of=admin)
    foreign = await seller()
    row, proposal = await planned(admin), await accepted(admin)
    own = await lead(rep)

    assert (await invoice(rep, of=own)).number
    for stranger in (rep, foreign):
        for attempt in (
            invoices.issue(stranger, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW),
            invoices.cancel(stranger, row.id, now=NOW),
            invoices.issue_planned(stranger, row.id, now=NOW),
        ):
            with pytest.raises(NotFound):
                await attempt
    for attempt in (
        invoices.issue(viewer, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW),
        invoices.cancel(viewer, row.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt
    with pytest.raises(AlreadyExists):
        await invoices.issue(admin, Source(proposal_id=proposal.id), InvoiceDetails(), id=row.id, now=NOW)


async def test_discounts_of_free_lines_and_who_gets_them_are_checked() -> None:
    actor = await seller()
    row = await lead(actor)
    lines = [
        FreeLine(name="A", unit_price=Decimal(10), discount_amount=Decimal("0.5")),
        FreeLine(name="B", unit_price=Decimal(10), discount_amount=Decimal(11)),
    ]
    details = InvoiceDetails(currency="JPY", lines=lines, contact_id=uuid7())
    with pytest.raises(Invalid) as caught:
        await invoices.issue(actor, Source(lead_id=row.id), details, now=NOW)
    assert {".".join(fault.field or ()): type(fault) for fault in caught.value.faults} == {
        "contactId": NotFound,
        "lines.0.discountAmount": Malformed,
        "lines.1.discountAmount": DiscountTooHigh,
    }


@pytest.mark.parametrize(
    ("amount", "error", "field"),
    [
        ("-1", OutOfRange, "amount.amount"),
        ("0", NothingToCredit, "amount"),
        ("0.001", Malformed, "amount.amount"),
    ],
)
async def test_what_is_wrong_with_a_credit_is_told_once(amount: str, error: type[DomainError], field: str) -> None:
    actor = await seller()
    row = await invoice(actor)
    with pytest.raises(error) as caught:
        await credit_notes.credit(actor, row.id, reason="Returned", amount=eur(amount), now=NOW)
    assert ".".join(caught.value.field or ()) == field
