"""What differs between two offers, in money and in words."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import offer_diffs, offer_terms
from domain.errors import Faults
from domain.offer_terms import Basis, FreeTerm, LineChange, LineTerms, TermKind, Terms, TermsChange
from domain.words import LANGUAGES, words
from models.base import uuid7
from models.proposals import ProposalLine, ProposalVersion
from models.selling import Rounding

EN = words("en")


def basis(*, tax_inclusive: bool = False, currency: str = "EUR") -> Basis:
    version = ProposalVersion(currency=currency, tax_inclusive=tax_inclusive, rounding=Rounding.HALF_UP)
    lines = [
        ProposalLine(
            key=uuid7(),
            name=name,
            quantity=Decimal(10),
            unit_price=Decimal(price),
            tax_rate=Decimal(19),
            unit="pcs",
            unit_cost=None,
            list_price=None,
            optional=optional,
            chosen=not optional,
        )
        for name, price, optional in (("Panel", 80, False), ("Cable", 2, False), ("Battery", 50, True))
    ]
    return Basis(version=version, lines=tuple(lines))


def offered(base: Basis, change: TermsChange, before: Terms | None = None) -> Terms:
    faults = Faults()
    terms = offer_terms.changed(faults, base, before or offer_terms.first_terms(base, payment_days=14), change)
    faults.raise_any()
    return terms


def test_each_changed_term_says_what_it_was_what_it_is_and_what_it_alone_is_worth() -> None:
    base = basis()
    panel, cable, battery = (line.key for line in base.lines)
    before = offered(base, TermsChange())
    after = offered(
        base,
        TermsChange(
            lines=[
                LineChange(key=panel, unit_price=Decimal("75.5")),
                LineChange(key=cable, quantity=Decimal(0), discount_percent=Decimal("2.5")),
                LineChange(key=battery, chosen=True),
            ],
            discount_amount=Decimal(20),
            delivery_on=date(2026, 5, 1),
            delivery="to the site",
            payment_days=1,
            free=[FreeTerm(key="t", label="Training", text="One day.")],
        ),
    )

    found = offer_diffs.diff(base, before, after, EN)

    assert [(one.kind, one.label, one.before, one.after, one.amount) for one in found.terms] == [
        (TermKind.UNIT_PRICE, "Unit price: Panel", "€80.00", "€75.50", Decimal("-45.00")),
        (TermKind.QUANTITY, "Quantity: Cable", "10 pcs", "left out", Decimal("-20.00")),
        (TermKind.LINE_DISCOUNT, "Discount: Cable", "none", "2.5%", Decimal("-0.50")),
        (TermKind.OPTION, "Option: Battery", "not included", "included", Decimal("500.00")),
        (TermKind.DISCOUNT, "Discount on everything", "none", "€20.00", Decimal("-20.00")),
        (TermKind.DELIVERY, "Delivery", "not agreed on", "on 1 May 2026, to the site", None),
        (TermKind.PAYMENT, "Payment", "within 14 days", "within 1 day", None),
        (TermKind.FREE, "Training", "not agreed on", "One day.", None),
    ]
    assert found.amount == Decimal("415.00"), "755 and 500 less 20, instead of 820"
    assert found.sentences[0] == "Unit price: Panel: now €75.50 (before: €80.00), \N{MINUS SIGN}€45.00 without tax."
    assert found.sentences[5] == "Delivery: now on 1 May 2026, to the site (before: not agreed on)."


def test_offers_that_are_alike_do_not_differ() -> None:
    base = basis()
    same = offered(base, TermsChange())

    assert offer_diffs.diff(base, same, same, EN).terms == ()
    assert offer_diffs.gap(base, same, same, EN).sentences == ("Both sides offer the same.",)


def test_the_gap_is_told_in_money_and_in_words() -> None:
    base = basis()
    seller = offered(base, TermsChange(discount_percent=Decimal(2)))
    buyer = offered(base, TermsChange(discount_percent=Decimal(10), payment_days=60))

    left = offer_diffs.gap(base, seller, buyer, EN)

    assert left.amount == Decimal("-65.60")
    assert left.sentences == (
        "The two offers differ by €65.60 without tax.",
        "Discount on everything (seller: 2%; buyer: 10%)",
        "Payment (seller: within 14 days; buyer: within 60 days)",
    )
    only_words = offer_diffs.gap(base, seller, offered(base, TermsChange(payment_days=0), seller), EN)
    assert only_words.sentences == (
        "Both offers come to the same price.",
        "Payment (seller: within 14 days; buyer: at once)",
    )


def test_the_amount_is_what_both_speak_of_with_tax_where_prices_include_it() -> None:
    base = basis(tax_inclusive=True)
    before, after = offered(base, TermsChange()), offered(base, TermsChange(discount_amount=Decimal(100)))

    assert offer_diffs.diff(base, before, after, EN).amount == Decimal(-100)
    assert offer_diffs.gap(base, before, after, EN, company="Solar Ltd").sentences == (
        "The two offers differ by €100.00 including tax.",
        "Discount on everything (Solar Ltd: none; you: €100.00)",
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_told_in_the_readers_language_with_their_numbers(language: str) -> None:
    base = basis()
    before, after = offered(base, TermsChange()), offered(base, TermsChange(discount_amount=Decimal("20.5")))
    [said] = offer_diffs.diff(base, before, after, words(language)).terms

    assert ("20.50" if language in ("ar", "en", "he", "ja") else "20,50") in said.after
    assert (said.label == "Discount on everything") is (language == "en")


def test_yen_have_no_decimals_and_a_price_of_four_keeps_them() -> None:
    base = basis(currency="JPY")
    panel = base.lines[0].key
    before, after = (
        offered(base, TermsChange()),
        offered(base, TermsChange(lines=[LineChange(key=panel, unit_price=Decimal("79.55"))])),
    )
    [said] = offer_diffs.diff(base, before, after, EN).terms

    assert (said.before, said.after, said.amount) == ("JP¥80", "JP¥79.55", Decimal(-4))


MONEY = st.decimals(min_value=0, max_value=10_000, places=2)
LINE = st.builds(
    lambda quantity, price, percent: (quantity, price, percent),
    st.decimals(min_value=Decimal("0.01"), max_value=1_000, places=2),
    MONEY,
    st.decimals(min_value=0, max_value=100, places=3),
)


@settings(deadline=None)
@given(lines=st.lists(LINE, min_size=3, max_size=3), whole=st.decimals(min_value=0, max_value=100, places=3))
def test_terms_survive_being_written_and_a_round_trip_of_changes_leads_back(
    lines: list[tuple[Decimal, Decimal, Decimal]], whole: Decimal
) -> None:
    base = basis()
    first = offered(base, TermsChange())
    changes = [
        LineChange(key=line.key, quantity=quantity, unit_price=price, discount_percent=percent)
        for line, (quantity, price, percent) in zip(base.lines, lines, strict=True)
    ]
    second = offered(base, TermsChange(lines=changes, discount_percent=whole))

    assert offer_terms.load(offer_terms.dump(second)) == second
    assert offer_terms.load(offer_terms.dump(second)).sha256 == second.sha256
    there, back = offer_diffs.diff(base, first, second, EN), offer_diffs.diff(base, second, first, EN)
    assert there.amount == -back.amount
    assert [one.key for one in there.terms] == [one.key for one in back.terms]
    assert (there.terms == ()) is (first == second)
    assert {one.before for one in there.terms} == {one.after for one in back.terms}


def test_equal_terms_have_equal_hashes_however_they_were_given() -> None:
    key = uuid7()
    one, other = (
        Terms(lines=(LineTerms(key=key, quantity=Decimal("2"), unit_price=Decimal("3")),)),
        Terms(lines=(LineTerms(key=key, quantity=Decimal("2"), unit_price=Decimal("4")),)),
    )
    assert one.sha256 != other.sha256
    base = basis()
    given = offered(base, TermsChange(discount_percent=Decimal("5.000")))
    assert given.sha256 == offered(base, TermsChange(discount_percent=Decimal(5))).sha256
