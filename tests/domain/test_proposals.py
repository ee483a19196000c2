"""Proposals: made, edited, sent and revised, and what they say is what they always said."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import IntegrityError, OperationalError

from domain import (
    agreements,
    leads,
    needs,
    products,
    proposal_diffs,
    proposal_drafts,
    proposal_expiry,
    proposal_lines,
    proposal_locks,
    proposal_states,
    proposal_versions,
    proposals,
)
from domain.actors import Actor
from domain.errors import AlreadyExists, Forbidden, Invalid, Malformed, NotFound, OutOfRange, Required, Stale
from domain.leads import Archived
from domain.money import Money
from domain.needs import NeedDetails
from domain.products import ProductDetails
from domain.proposal_details import NeedOfAnotherLead, ProposalDetails, Section, ValidityPassed
from domain.proposal_lines import (
    AmountTooLarge,
    Discount,
    DiscountTooHigh,
    LineDetails,
    LinesBelowDiscount,
    MixedCurrencies,
    OneDiscount,
    SameLineTwice,
    TooManyLines,
)
from domain.proposal_states import Move, ProposalStateRefused
from domain.proposals import ProposalEmpty, ProposalWasSent
from models.base import uuid7
from models.database import transaction
from models.events import Event
from models.leads import Lead
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.users import Role
from tests.factories import NOW, events, lead, member, seller

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def line(name: str = "Panel", price: str = "100", **more: Any) -> LineDetails:
    return LineDetails(name=name, unit_price=eur(price), **more)


async def draft(actor: Actor, *lines: LineDetails, of: Lead | None = None, **details: Any) -> Proposal:
    """Make a draft with a line, unless lines are given."""
    return await proposals.create(
        actor,
        (of or await lead(actor)).id,
        ProposalDetails(**details),
        currency="EUR",
        lines=lines or (line(),),
        now=NOW,
    )


def seen(*values: Any) -> tuple[Any, ...]:
    """Return values to be compared with plain numbers and words."""
    return values


async def lines_of(version_id: UUID | None) -> list[ProposalLine]:
    assert version_id
    return await proposal_lines.of(version_id)


async def versions(proposal: Proposal) -> list[ProposalVersion]:
    return await ProposalVersion.filter(proposal_id=proposal.id).order_by("number")


async def test_a_proposal_is_made_with_what_is_usual_and_its_lines() -> None:
    actor = await seller()
    wanting = await lead(actor)

    made = await draft(actor, line(tax_rate=Decimal(19)), line("Cable", "2.50", quantity=Decimal(4)), of=wanting)

    [version] = await versions(made)
    assert (made.number, made.title, made.currency, made.state) == (
        "P-2026-0001",
        "Solar roof",
        "EUR",
        ProposalState.DRAFT,
    )
    assert seen(version.subtotal, version.net, version.tax, version.total) == (110, 110, 19, 129)
    assert seen(made.net, made.total, made.valid_until) == (110, 129, date(2026, 4, 1))
    assert [event.name for event in await events(wanting.id)][-1:] == ["proposal.created"]
    assert (await Lead.get(id=wanting.id)).version == wanting.version


async def test_lines_are_set_all_together_and_keep_their_keys() -> None:
    actor = await seller()
    made = await draft(actor, line(), line("Cable", "2"))
    [panel, cable] = await lines_of(made.current_id)

    edited = await proposals.set_lines(
        actor,
        made.id,
        [line("Frame", "10"), LineDetails(key=panel.key, quantity=Decimal(2))],
        expected_version=1,
        now=LATER,
    )
    same = await proposals.set_lines(
        actor, made.id, [LineDetails(key=row.key) for row in await lines_of(made.current_id)], now=LATER
    )

    [frame, kept] = await lines_of(made.current_id)
    assert seen(frame.name, kept.key, kept.id, kept.quantity, kept.unit_price) == ("Frame", panel.key, panel.id, 2, 100)
    assert cable.key not in (frame.key, kept.key)
    assert seen(edited.version, edited.total, same.version) == (2, 210, 2)


async def test_what_a_product_says_is_copied_and_stays_when_the_product_changes() -> None:
    actor = await seller()
    pump = await products.create(
        actor,
        ProductDetails(name="Pump", price=eur("500"), cost=eur("300"), tax_rate=Decimal(7), unit="piece"),
        now=NOW,
    )
    made = await draft(actor, LineDetails(product_id=pump.id, quantity=Decimal(2)))

    await products.update(actor, pump.id, ProductDetails(name="Pump 2", price=eur("900")), now=LATER)
    [first] = await lines_of(made.current_id)
    await proposals.set_lines(actor, made.id, [LineDetails(key=first.key, quantity=Decimal(3))], now=LATER)
    [kept] = await lines_of(made.current_id)
    await proposals.set_lines(actor, made.id, [LineDetails(product_id=pump.id)], now=LATER)
    [anew] = await lines_of(made.current_id)

    assert seen(first.name, first.unit_price, first.unit_cost, first.tax_rate, first.unit) == (
        "Pump",
        500,
        300,
        7,
        "piece",
    )
    assert seen(kept.name, kept.unit_price, kept.quantity, kept.list_price) == ("Pump", 500, 3, 500)
    assert seen(anew.name, anew.unit_price, anew.list_price) == ("Pump 2", 900, 900)


async def test_every_fault_of_lines_is_told_with_its_place() -> None:
    actor = await seller()
    made = await draft(actor)
    gone = await products.create(actor, ProductDetails(name="Old", price=eur("1")), now=NOW)
    abroad = await products.create(actor, ProductDetails(name="Abroad", price=Money(Decimal(1), "USD")), now=NOW)
    await products.archive(actor, gone.id, now=NOW)
    key = uuid7()

    with pytest.raises(Invalid) as caught:
        await proposals.set_lines(
            actor,
            made.id,
            [
                line(quantity=Decimal(-1)),
                line(discount=Discount(percent=Decimal("100.5"))),
                line(discount=Discount(amount=eur("100.01"))),
                line(discount=Discount(amount=eur("0.005"))),
                line(discount=Discount(percent=Decimal(1), amount=eur("1"))),
                LineDetails(name="Dollars", unit_price=Money(Decimal(1), "USD")),
                LineDetails(product_id=uuid7()),
                LineDetails(product_id=gone.id),
                LineDetails(product_id=abroad.id),
                LineDetails(name=" ", unit_price=eur("-1")),
                line(tax_rate=Decimal("NaN")),
                line(key=key),
                line(key=key),
                LineDetails(),
            ],
            now=NOW,
        )

    found = {".".join(fault.field or ()): type(fault) for fault in caught.value.faults}
    assert found == {
        "lines.0.quantity": OutOfRange,
        "lines.1.discount.percent": OutOfRange,
        "lines.2.discount.amount": DiscountTooHigh,
        "lines.3.discount.amount.amount": Malformed,
        "lines.4.discount": OneDiscount,
        "lines.5.unitPrice": MixedCurrencies,
        "lines.6.productId": NotFound,
        "lines.6.name": Required,
        "lines.6.unitPrice": Required,
        "lines.7.productId": Archived,
        "lines.8.unitPrice": MixedCurrencies,
        "lines.9.name": Required,
        "lines.9.unitPrice.amount": OutOfRange,
        "lines.10.taxRate": found["lines.10.taxRate"],
        "lines.12.key": SameLineTwice,
        "lines.13.name": Required,
        "lines.13.unitPrice": Required,
    }
    assert (await Proposal.get(id=made.id)).version == 1


async def test_a_discount_on_the_whole_is_no_more_than_all_lines_and_options() -> None:
    actor = await seller()
    lines = [line(), line(optional=True, chosen=False)]
    more = ProposalDetails(discount=Discount(amount=eur("200.01")))
    with pytest.raises(DiscountTooHigh) as caught:
        await proposals.create(actor, (await lead(actor)).id, more, currency="EUR", lines=lines, now=NOW)
    assert (caught.value.field, caught.value.facts["amount"]) == (("discount", "amount"), Decimal(200))
    made = await draft(actor)
    await proposals.set_lines(actor, made.id, lines, now=NOW)
    with pytest.raises(DiscountTooHigh):
        await proposals.update(actor, made.id, more, now=NOW)
    fits = ProposalDetails(discount=Discount(amount=eur("150")))
    found = await proposals.update(actor, made.id, fits, now=NOW)
    version = await proposal_versions.current(found)
    assert (version.discount_amount, version.discount, version.total) == (Decimal(150), Decimal(100), Decimal(0)), (
        "left out"
    )
    with pytest.raises(LinesBelowDiscount) as refused:
        await proposals.set_lines(actor, made.id, [line()], now=NOW)
    assert refused.value.field == ("lines",) and "150" in refused.value.message
    assert (await Proposal.get(id=made.id)).version == found.version


async def test_amounts_are_whole_in_their_currency_and_prices_of_one_may_be_finer() -> None:
    actor = await seller()
    yen = [LineDetails(name="Screw", quantity=Decimal(1000), unit_price=Money(Decimal("0.5"), "JPY"))]
    half = ProposalDetails(discount=Discount(amount=Money(Decimal("0.5"), "JPY")))
    with pytest.raises(Malformed) as caught:
        await proposals.create(actor, (await lead(actor)).id, half, currency="JPY", lines=yen, now=NOW)
    assert caught.value.field == ("discount", "amount", "amount")
    made = await proposals.create(actor, (await lead(actor)).id, ProposalDetails(), currency="JPY", lines=yen, now=NOW)
    assert made.net == Decimal(500)


async def test_a_thousand_lines_are_taken_and_one_more_is_refused() -> None:
    actor = await seller()
    made = await draft(actor)

    with pytest.raises(TooManyLines):
        await proposals.set_lines(actor, made.id, [line()] * 1_001, now=NOW)
    full = await proposals.set_lines(actor, made.id, [line(f"Part {at}", "0.01") for at in range(1_000)], now=NOW)

    rows = await lines_of(made.current_id)
    assert seen([row.name for row in rows][-1], len(rows), full.total) == ("Part 999", 1_000, 10)


async def test_amounts_that_cannot_be_kept_are_refused() -> None:
    actor = await seller()
    made = await draft(actor)

    with pytest.raises(AmountTooLarge):
        await proposals.set_lines(
            actor, made.id, [line(price="999999999999999", quantity=Decimal(2), optional=True)], now=NOW
        )


async def test_text_is_kept_as_it_is_whatever_its_direction_or_markup() -> None:
    actor = await seller()
    said = "<b>*Пример*</b> #set page(1pt) عرض أسعار הצעת"

    made = await draft(actor, line(said, description=said), title=said, sections=[Section(heading=said, text=said)])
    sent = await proposals.send(actor, made.id, now=NOW)

    [version] = await versions(sent)
    [row] = await lines_of(version.id)
    assert (version.title, row.name, row.description, version.sections[0]["text"]) == (said, said, said, said)


async def test_sections_name_needs_of_the_same_lead() -> None:
    actor = await seller()
    wanting = await lead(actor)
    need = await needs.create(actor, wanting.id, NeedDetails(title="Lower bills"), now=NOW)
    others = await needs.create(actor, (await lead(actor)).id, NeedDetails(title="Warmth"), now=NOW)
    made = await draft(
        actor, of=wanting, sections=[Section(heading="Bills", need_id=need.id, difference="Twice as efficient")]
    )

    with pytest.raises(Invalid) as caught:
        await proposals.update(
            actor,
            made.id,
            ProposalDetails(
                sections=[Section(heading="A", need_id=others.id), Section(heading="B", need_id=uuid7()), Section()]
            ),
            now=LATER,
        )
    await needs.update(actor, need.id, NeedDetails(title="Much lower bills"), now=LATER)
    await proposals.send(actor, made.id, now=LATER)
    await needs.update(actor, need.id, NeedDetails(title="No bills"), now=LATER)

    assert [(type(fault), fault.field) for fault in caught.value.faults] == [
        (NeedOfAnotherLead, ("sections", "0", "needId")),
        (NotFound, ("sections", "1", "needId")),
        (Required, ("sections", "2", "heading")),
    ]
    [version] = await versions(made)
    assert version.sections == [
        {
            "heading": "Bills",
            "text": None,
            "need_id": str(need.id),
            "need": "Much lower bills",
            "difference": "Twice as efficient",
        }
    ]


async def test_sending_freezes_a_version_and_editing_makes_the_next() -> None:
    actor = await seller()
    made = await draft(actor)

    sent = await proposals.send(actor, made.id, expected_version=1, now=NOW)
    unchanged = await proposals.update(actor, made.id, ProposalDetails(title="Solar roof"), now=LATER)
    revised = await proposals.update(actor, made.id, ProposalDetails(title="Bigger roof"), now=LATER)
    again = await proposals.update(actor, made.id, ProposalDetails(terms="Net 30"), now=LATER)

    assert (sent.state, sent.sent_at, sent.sent_id) == (ProposalState.SENT, NOW, sent.current_id)
    assert unchanged.current_id == sent.current_id
    assert (revised.state, revised.title, revised.sent_id) == (ProposalState.DRAFT, "Bigger roof", sent.current_id)
    assert again.current_id == revised.current_id
    first, second = await versions(made)
    assert (first.state, first.title, first.frozen_at) == (ProposalState.SENT, "Solar roof", NOW)
    assert (second.state, second.number, second.terms, second.frozen_at) == (ProposalState.DRAFT, 2, "Net 30", None)
    old, new = await lines_of(first.id), await lines_of(second.id)
    assert [row.key for row in old] == [row.key for row in new]
    assert [row.id for row in old] != [row.id for row in new]

    resent = await proposals.send(actor, made.id, now=LATER)
    first, second = await versions(made)
    assert (first.state, second.state, resent.sent_id) == (ProposalState.SUPERSEDED, ProposalState.SENT, second.id)


async def test_lines_of_what_was_sent_are_set_in_the_next_version() -> None:
    actor = await seller()
    made = await draft(actor)
    sent = await proposals.send(actor, made.id, now=NOW)
    [known] = await lines_of(sent.sent_id)

    revised = await proposals.set_lines(
        actor, made.id, [LineDetails(key=known.key, unit_price=eur("90")), line("Cable", "1")], now=LATER
    )

    assert seen(revised.total, revised.state) == (91, ProposalState.DRAFT)
    assert [row.unit_price for row in await lines_of(sent.sent_id)] == [100]
    assert [row.unit_price for row in await lines_of(revised.current_id)] == [90, 1]


async def test_a_frozen_version_is_what_was_hashed() -> None:
    actor = await seller()
    made = await draft(actor, line(tax_rate=Decimal("8.1")), line("Option", "3.333", optional=True))
    await proposals.send(actor, made.id, now=NOW)

    [version] = await versions(made)
    lines = await lines_of(version.id)

    assert proposal_versions.is_genuine(made, version, lines)
    assert version.sha256 and len(version.sha256) == 64
    lines[0].unit_price = Decimal("99.9999")
    assert not proposal_versions.is_genuine(made, version, lines)


async def test_costs_are_no_part_of_what_is_hashed_and_shown() -> None:
    actor = await seller()
    made = await draft(actor, line(unit_cost=eur("77.77")))
    await proposals.send(actor, made.id, now=NOW)
    [version] = await versions(made)

    written = proposal_versions.canonical(made, version, await lines_of(version.id)).decode()

    assert "77.77" not in written
    assert "cost" not in written


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE proposal_version SET total = 1 WHERE id = $1",
        "UPDATE proposal_version SET frozen_at = NULL WHERE id = $1",
        "UPDATE proposal_version SET sha256 = 'x' WHERE id = $1",
        "DELETE FROM proposal_version WHERE id = $1",
        "UPDATE proposal_line SET unit_price = 1 WHERE version_id = $1",
        "UPDATE proposal_line SET version_id = gen_random_uuid() WHERE version_id = $1",
        "DELETE FROM proposal_line WHERE version_id = $1",
        "INSERT INTO proposal_line SELECT * FROM jsonb_populate_record(NULL::proposal_line, (SELECT to_jsonb(l) || "
        "jsonb_build_object('id', gen_random_uuid(), 'key', gen_random_uuid()) FROM proposal_line l WHERE "
        "version_id = $1))",
    ],
)
async def test_the_database_keeps_what_was_sent(sql: str) -> None:
    actor = await seller()
    made = await draft(actor)
    sent = await proposals.send(actor, made.id, now=NOW)

    with pytest.raises((IntegrityError, OperationalError, asyncpg.PostgresError)):
        await get_connection("default").execute_query(sql, [sent.sent_id])

    [version] = await versions(made)
    assert proposal_versions.is_genuine(made, version, await lines_of(version.id))


async def test_what_was_sent_goes_with_its_workspace() -> None:
    actor = await seller()
    made = await draft(actor)
    await proposals.send(actor, made.id, now=NOW)

    await get_connection("default").execute_query("DELETE FROM lead WHERE id = $1", [made.lead_id])

    assert not await ProposalLine.filter(lead_id=made.lead_id).exists()


async def test_an_empty_proposal_and_one_whose_validity_passed_are_not_sent() -> None:
    actor = await seller()
    empty = await proposals.create(actor, (await lead(actor)).id, ProposalDetails(), now=NOW)
    late = await draft(actor, valid_until=NOW.date())

    with pytest.raises(ProposalEmpty):
        await proposals.send(actor, empty.id, now=NOW)
    with pytest.raises(ValidityPassed):
        await proposals.send(actor, late.id, now=NOW + timedelta(days=1))
    with pytest.raises(ValidityPassed):
        await proposals.update(actor, late.id, ProposalDetails(valid_until=date(2026, 3, 1)), now=NOW)
    assert (await proposals.send(actor, late.id, now=NOW)).due_at is not None


async def test_a_proposal_is_withdrawn_and_deleted_only_where_it_was_never_sent() -> None:
    actor = await seller()
    made = await draft(actor)

    with pytest.raises(ProposalStateRefused):
        await proposals.withdraw(actor, made.id, now=NOW)
    sent = await proposals.send(actor, made.id, now=NOW)
    with pytest.raises(ProposalWasSent):
        await proposals.delete(actor, made.id, now=NOW)
    withdrawn = await proposals.withdraw(actor, made.id, reason="Sold out", expected_version=sent.version, now=LATER)
    with pytest.raises(ProposalStateRefused):
        await proposals.withdraw(actor, made.id, now=LATER)
    other = await draft(actor)
    await proposals.delete(actor, other.id, now=NOW)
    with pytest.raises(NotFound):
        await proposals.update(actor, other.id, ProposalDetails(title="X"), now=NOW)

    assert (withdrawn.state, withdrawn.due_at, withdrawn.ended_at) == (ProposalState.WITHDRAWN, None, LATER)
    told = await Event.filter(subject_id=made.lead_id, name="proposal.withdrawn").first()
    assert told
    assert (told.subject_type, told.data["reason"]) == ("lead", "Sold out")


async def test_a_draft_of_the_next_version_outlives_withdrawal_and_is_set_aside_by_acceptance() -> None:
    actor = await seller()
    made = await draft(actor)
    await proposals.send(actor, made.id, now=NOW)
    await proposals.update(actor, made.id, ProposalDetails(title="Better"), now=LATER)

    withdrawn = await proposals.withdraw(actor, made.id, now=LATER)
    await proposals.send(actor, made.id, now=LATER)
    await proposals.update(actor, made.id, ProposalDetails(title="Best"), now=LATER)
    async with transaction():
        held = await proposal_locks.hold(made.workspace_id, made.id)
        assert held
        sent = await proposal_versions.sent(held.proposal)
        assert sent
        await proposal_drafts.set_aside(actor, held.lead, held.proposal, now=LATER)
        await proposal_states.move(actor, held.proposal, sent, Move.ACCEPT, now=LATER)

    accepted = await Proposal.get(id=made.id)
    assert withdrawn.state is ProposalState.DRAFT
    assert (accepted.state, accepted.current_id, accepted.title) == (ProposalState.ACCEPTED, sent.id, "Better")
    found = {version.title: version.state for version in (await versions(made))[1:]}
    assert found == {"Better": ProposalState.ACCEPTED, "Best": ProposalState.SUPERSEDED}
    with pytest.raises(ProposalStateRefused):
        await proposals.update(actor, made.id, ProposalDetails(title="Later"), now=LATER)


async def test_proposals_expire_once_after_their_last_day() -> None:
    actor = await seller()
    last = await draft(actor, valid_until=date(2026, 3, 10))
    endless = await draft(actor, valid_until=None)
    for made in (last, endless):
        await proposals.send(actor, made.id, now=NOW)
    evening = NOW.replace(day=10, hour=23, minute=59)

    await proposal_expiry.expire_due(evening)
    assert (await Proposal.get(id=last.id)).state is ProposalState.SENT
    await asyncio.gather(*(proposal_expiry.expire_due(evening + timedelta(minutes=1)) for _ in range(3)))

    states = [(await Proposal.get(id=made.id)).state for made in (last, endless)]
    assert states == [ProposalState.EXPIRED, ProposalState.SENT]
    assert await Event.filter(subject_id=last.lead_id, name="proposal.expired").count() == 1
    revised = await proposals.update(actor, last.id, ProposalDetails(title="Again"), now=evening + timedelta(days=1))
    assert (revised.state, revised.valid_until) == (ProposalState.DRAFT, date(2026, 4, 10))


async def test_of_two_edits_of_the_same_version_one_is_told_that_it_is_stale() -> None:
    actor = await seller()
    made = await draft(actor)

    outcomes = await asyncio.gather(
        *(
            proposals.update(actor, made.id, ProposalDetails(title=title), expected_version=1, now=NOW)
            for title in ("One", "Two")
        ),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Proposal", "Stale"]


async def test_sending_twice_at_once_sends_one_version() -> None:
    actor = await seller()
    made = await draft(actor)

    outcomes = await asyncio.gather(
        *(proposals.send(actor, made.id, now=NOW) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Proposal", *["ProposalStateRefused"] * 2]
    assert await Event.filter(subject_id=made.lead_id, name="proposal.sent").count() == 1


async def test_editing_what_is_sent_twice_at_once_makes_one_next_version() -> None:
    actor = await seller()
    made = await draft(actor)
    await proposals.send(actor, made.id, now=NOW)

    await asyncio.gather(
        proposals.update(actor, made.id, ProposalDetails(title="One"), now=NOW),
        proposals.set_lines(actor, made.id, [line("Two", "2")], now=NOW),
        proposals.update(actor, made.id, ProposalDetails(terms="Three"), now=NOW),
    )

    first, second = await versions(made)
    assert seen(first.number, second.title, second.terms, second.total) == (1, "One", "Three", 2)


async def test_the_same_id_makes_one_proposal_and_numbers_have_no_gap() -> None:
    actor, key = await seller(), uuid7()
    wanting = await lead(actor)

    outcomes = await asyncio.gather(
        *(proposals.create(actor, wanting.id, ProposalDetails(), id=key, now=NOW) for _ in range(2)),
        return_exceptions=True,
    )
    await asyncio.gather(*(proposals.create(actor, wanting.id, ProposalDetails(), now=NOW) for _ in range(4)))

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, Proposal)] == [AlreadyExists]
    rows = await Proposal.filter(workspace_id=actor.workspace_id).order_by("number")
    assert [row.number for row in rows] == [f"P-2026-000{at}" for at in range(1, 6)]


async def test_who_may_not_see_or_change_the_lead_does_nothing_with_its_proposals() -> None:
    admin = await seller()
    rep, viewer = await seller(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    stranger = await seller()
    wanting = await lead(admin)
    made = await draft(admin, of=wanting)

    for actor, error in ((rep, NotFound), (stranger, NotFound), (viewer, Forbidden)):
        for attempt in (
            proposals.create(actor, wanting.id, ProposalDetails(), now=NOW),
            proposals.update(actor, made.id, ProposalDetails(title="X"), now=NOW),
            proposals.set_lines(actor, made.id, [line()], now=NOW),
            proposals.send(actor, made.id, now=NOW),
            proposals.withdraw(actor, made.id, now=NOW),
            proposals.delete(actor, made.id, now=NOW),
        ):
            with pytest.raises(error):
                await attempt
    await leads.assign(admin, wanting.id, rep.user_id, now=NOW)
    assert (await proposals.send(rep, made.id, now=NOW)).state is ProposalState.SENT


async def test_faults_of_a_proposal_are_told_together() -> None:
    actor = await seller()
    wanting = await lead(actor)

    with pytest.raises(Invalid) as caught:
        await proposals.create(
            actor,
            wanting.id,
            ProposalDetails(
                title="",
                contact_id=uuid7(),
                language="klingon-",
                valid_until=date(2026, 1, 1),
                terms="x" * 20_001,
                discount=Discount(percent=Decimal(-1)),
                sections=[Section(heading="x")] * 51,
            ),
            currency="EURO",
            id=uuid4(),
            now=NOW,
        )

    assert {".".join(fault.field or ()) for fault in caught.value.faults} == {
        "id",
        "title",
        "contactId",
        "language",
        "validUntil",
        "terms",
        "discount.percent",
        "sections",
        "currencyCode",
    }


async def test_two_versions_differ_line_by_line() -> None:
    actor = await seller()
    made = await draft(actor, line(), line("Cable", "2"), line("Frame", "5"))
    sent = await proposals.send(actor, made.id, now=NOW)
    panel, cable, frame = await lines_of(sent.sent_id)
    await proposals.set_lines(
        actor,
        made.id,
        [
            LineDetails(key=frame.key),
            LineDetails(key=panel.key, quantity=Decimal(2), tax_rate=Decimal(19)),
            line("Battery", "1000", optional=True),
        ],
        now=LATER,
    )
    await proposals.update(actor, made.id, ProposalDetails(title="Bigger"), now=LATER)
    first, second = await versions(made)

    found = proposal_diffs.diff(
        first,
        second,
        lines_before=await lines_of(first.id),
        lines_after=await lines_of(second.id),
    )

    assert [seen(one.kind, one.name, set(one.changes), one.amount) for one in found.lines[:1]] == [
        ("CHANGED", "Panel", {"quantity", "tax_rate", "amount"}, 100)
    ]
    assert [seen(one.kind, one.name, one.amount) for one in found.lines[1:]] == [
        ("ADDED", "Battery", 0),
        ("REMOVED", "Cable", -2),
    ]
    assert found.lines[0].changes["quantity"] == [1, 2]
    assert (found.changes, found.reordered) == ({"title": ["Solar roof", "Bigger"]}, True)
    assert seen(found.more("net"), found.more("tax"), found.more("total")) == (98, 38, 136)
    assert UUID(str(cable.key)) == found.lines[2].key


async def test_a_stale_version_is_refused_by_every_edit() -> None:
    actor = await seller()
    made = await draft(actor)

    for attempt in (
        proposals.update(actor, made.id, ProposalDetails(title="X"), expected_version=7, now=NOW),
        proposals.set_lines(actor, made.id, [line()], expected_version=7, now=NOW),
        proposals.send(actor, made.id, expected_version=7, now=NOW),
        proposals.delete(actor, made.id, expected_version=7, now=NOW),
    ):
        with pytest.raises(Stale) as caught:
            await attempt
        assert caught.value.current.id == made.id


async def test_what_was_agreed_on_is_the_next_version_for_good() -> None:
    actor = await seller()
    made = await draft(actor, line(tax_rate=Decimal(10)), line("Cable", "2"))
    await proposals.send(actor, made.id, now=NOW)
    await proposals.update(actor, made.id, ProposalDetails(title="Worked on"), now=NOW)

    async with transaction():
        held = await proposal_locks.hold(made.workspace_id, made.id)
        assert held
        lines = await lines_of(held.proposal.sent_id)
        lines[0].unit_price = Decimal(90)
        agreed = await agreements.make_version(actor, held, {"terms": "Net 60"}, lines, now=LATER)

    known = await Proposal.get(id=made.id)
    first, aside, second = await versions(made)
    assert (first.state, second.state) == (ProposalState.SUPERSEDED, ProposalState.ACCEPTED)
    assert seen(aside.state, aside.number, aside.title) == (ProposalState.SUPERSEDED, 2, "Worked on")
    assert proposal_versions.is_genuine(known, aside, await lines_of(aside.id)), "the draft is kept for good"
    assert seen(second.id, second.terms, second.title, second.total) == (agreed.id, "Net 60", "Solar roof", 101)
    assert seen(known.current_id, known.sent_id, known.total) == (second.id, second.id, 101)
    assert (known.state, known.ended_at, known.title) == (ProposalState.ACCEPTED, LATER, "Solar roof")
    assert proposal_versions.is_genuine(known, second, await lines_of(second.id))
