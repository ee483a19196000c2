"""Prices: whatever is sold at whatever price, rate and discount, what is shown adds up to the last minor unit."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import minor_unit
from domain.pricing import Discount, Line, Totals, split, total
from models.selling import Rounding

CURRENCIES = ("EUR", "JPY", "KWD", "USD", "CLF")
RATES = ("0", "5.5", "7", "8.1", "19", "20", "100")

percents = st.decimals(min_value=0, max_value=100, places=4)
prices = st.decimals(min_value=0, max_value=10**9, places=4) | st.decimals(min_value=0, max_value=2, places=4)
discounts = st.builds(Discount, percent=percents) | st.builds(Discount, amount=prices) | st.just(Discount())
lines_of = st.builds(
    Line,
    quantity=st.decimals(min_value=0, max_value=10**5, places=4) | st.integers(0, 20).map(Decimal),
    unit_price=prices,
    discount=discounts,
    tax_rate=st.sampled_from(RATES).map(Decimal) | percents,
    unit_cost=st.none() | prices,
    list_price=st.none() | prices,
    optional=st.booleans(),
    chosen=st.booleans(),
)
many = st.lists(lines_of, max_size=12)
ways = st.fixed_dictionaries(
    {
        "discount": discounts,
        "currency": st.sampled_from(CURRENCIES),
        "tax_inclusive": st.booleans(),
        "rounding": st.sampled_from(Rounding),
    }
)


def amounts(totals: Totals) -> list[Decimal]:
    """Return every amount that is shown, but for costs and the margin."""
    return [
        *(amount for line in totals.lines for amount in (line.before, line.discount, line.amount, line.net)),
        *(
            amount
            for rate in totals.rates
            for amount in (
                *(rate.subtotal, rate.discount, rate.lines_net, rate.discount_net),
                *(rate.net, rate.tax, rate.total),
            )
        ),
        totals.subtotal,
        totals.discount,
        totals.lines_net,
        totals.discount_net,
        totals.net,
        totals.tax,
        totals.total,
    ]


@given(many, ways)
def test_what_is_shown_adds_up(lines: list[Line], way: dict[str, object]) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    counted = [line for line in totals.lines if line.counts]
    for line in totals.lines:
        assert line.before - line.discount == line.amount
    assert sum(line.amount for line in counted) == totals.subtotal
    assert sum(line.net for line in counted) == totals.lines_net
    assert totals.lines_net - totals.discount_net == totals.net
    assert totals.net + totals.tax == totals.total
    assert totals.subtotal - totals.discount == (totals.total if totals.tax_inclusive else totals.net)


@given(many, ways)
def test_each_rate_adds_up_and_all_rates_to_the_whole(lines: list[Line], way: dict[str, object]) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    for rate in totals.rates:
        own = [
            told for line, told in zip(lines, totals.lines, strict=True) if told.counts and line.tax_rate == rate.rate
        ]
        assert sum(line.amount for line in own) == rate.subtotal
        assert sum(line.net for line in own) == rate.lines_net
        assert rate.lines_net - rate.discount_net == rate.net
        assert rate.net + rate.tax == rate.total
        assert rate.subtotal - rate.discount == (rate.total if totals.tax_inclusive else rate.net)
    for name in ("subtotal", "discount", "lines_net", "discount_net", "net", "tax", "total"):
        assert sum(getattr(rate, name) for rate in totals.rates) == getattr(totals, name)
    assert len({rate.rate for rate in totals.rates}) == len(totals.rates)


@given(many, ways)
def test_nothing_is_negative_and_all_is_in_whole_minor_units(lines: list[Line], way: dict[str, object]) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    unit = minor_unit(totals.currency)
    for amount in amounts(totals):
        assert amount >= 0
        assert amount % unit == 0
        assert amount.as_tuple().exponent == unit.as_tuple().exponent
    assert 0 <= totals.reduction_percent <= 100


@given(st.data(), many, ways)
def test_the_order_of_lines_changes_no_total(data: st.DataObject, lines: list[Line], way: dict[str, object]) -> None:
    shuffled = data.draw(st.permutations(lines))

    one, other = total(lines, **way), total(shuffled, **way)  # type: ignore[arg-type]

    assert replace(one, lines=()) == replace(other, lines=())


@given(many, ways)
def test_tax_is_off_by_half_a_minor_unit_per_rate_at_most(lines: list[Line], way: dict[str, object]) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    half = minor_unit(totals.currency) / 2
    for rate in totals.rates:
        exact = rate.total * rate.rate / (100 + rate.rate) if totals.tax_inclusive else rate.net * rate.rate / 100
        assert abs(rate.tax - exact) <= half + Decimal("1e-12")


@given(many, ways)
def test_a_line_is_rounded_once(lines: list[Line], way: dict[str, object]) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    half = minor_unit(totals.currency) / 2
    for line, told in zip(lines, totals.lines, strict=True):
        full = line.quantity * line.unit_price
        exact = max(Decimal(0), full - full * line.discount.percent / 100 - line.discount.amount)
        assert abs(told.amount - exact) <= half
        assert abs(told.before - full) <= half


@given(many, ways)
def test_an_option_that_is_not_chosen_changes_nothing(lines: list[Line], way: dict[str, object]) -> None:
    whole = total(lines, **way)  # type: ignore[arg-type]
    counted = total([line for line in lines if line.counts], **way)  # type: ignore[arg-type]

    assert replace(whole, lines=()) == replace(counted, lines=())
    assert tuple(line for line in whole.lines if line.counts) == counted.lines


@given(many, ways)
def test_a_margin_is_what_is_left_of_the_net_where_all_costs_are_known(
    lines: list[Line], way: dict[str, object]
) -> None:
    totals = total(lines, **way)  # type: ignore[arg-type]

    known = all(line.unit_cost is not None for line in lines if line.counts)
    assert (totals.cost is not None) is known
    if totals.cost is not None and totals.margin is not None:
        assert totals.cost == sum(line.cost or 0 for line in totals.lines if line.counts)
        assert totals.margin + totals.cost == totals.net
        assert (totals.margin_percent is None) is (totals.net == 0)


@given(
    st.integers(-(10**12), 10**12),
    st.lists(prices, min_size=1, max_size=15),
    st.sampled_from(CURRENCIES),
)
def test_a_split_loses_no_minor_unit(units: int, weights: list[Decimal], currency: str) -> None:
    unit = minor_unit(currency)
    amount = units * unit

    parts = split(amount, weights, unit=unit)

    assert sum(parts) == amount
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert part % unit == 0
        assert part == 0 or (part < 0) is (amount < 0)
        if whole:
            assert abs(part - amount * weight / whole) < unit


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=15), st.data())
def test_no_share_of_a_discount_is_more_than_what_it_is_of(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))

    parts = split(Decimal(amount), [Decimal(weight) for weight in weights], unit=Decimal(1))

    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


def line(quantity: str, price: str, rate: str = "0", **more: object) -> Line:
    return Line(quantity=Decimal(quantity), unit_price=Decimal(price), tax_rate=Decimal(rate), **more)  # type: ignore[arg-type]


def test_a_discount_on_the_whole_is_shared_by_the_rates() -> None:
    totals = total(
        [line("1", "100", "19"), line("3", "33.33", "7"), line("1", "0.01")],
        discount=Discount(amount=Decimal("10")),
        currency="EUR",
    )

    assert [(rate.rate, rate.discount, rate.net, rate.tax) for rate in totals.rates] == [
        (Decimal(19), Decimal("5.00"), Decimal("95.00"), Decimal("18.05")),
        (Decimal(7), Decimal("5.00"), Decimal("94.99"), Decimal("6.65")),
        (Decimal(0), Decimal("0.00"), Decimal("0.01"), Decimal("0.00")),
    ]
    assert (totals.net, totals.tax, totals.total) == (Decimal("190.00"), Decimal("24.70"), Decimal("214.70"))


def test_tax_that_is_included_is_taken_out_once_per_rate() -> None:
    totals = total([line("1", "0.99", "19")] * 3, currency="EUR", tax_inclusive=True)

    assert (totals.subtotal, totals.total, totals.net, totals.tax) == (
        Decimal("2.97"),
        Decimal("2.97"),
        Decimal("2.50"),
        Decimal("0.47"),
    )
    assert [told.net for told in totals.lines] == [Decimal("0.84"), Decimal("0.83"), Decimal("0.83")]


@pytest.mark.parametrize(
    ("currency", "rounding", "shown"),
    [
        ("EUR", Rounding.HALF_UP, "2.13"),
        ("EUR", Rounding.HALF_EVEN, "2.12"),
        ("JPY", Rounding.HALF_UP, "2"),
        ("KWD", Rounding.HALF_UP, "2.125"),
    ],
)
def test_amounts_are_in_the_currencys_minor_unit(currency: str, rounding: Rounding, shown: str) -> None:
    assert str(total([line("1", "2.125")], currency=currency, rounding=rounding).total) == shown


def test_a_discount_takes_no_more_than_there_is() -> None:
    totals = total(
        [line("1", "10", discount=Discount(amount=Decimal(20))), line("1", "5")],
        discount=Discount(percent=Decimal(50), amount=Decimal(9)),
        currency="EUR",
    )

    assert [told.amount for told in totals.lines] == [Decimal("0.00"), Decimal("5.00")]
    assert (totals.subtotal, totals.discount, totals.total) == (Decimal("5.00"), Decimal("5.00"), Decimal("0.00"))


def test_a_price_below_the_list_is_a_reduction_like_a_discount() -> None:
    totals = total(
        [
            line("1", "80", list_price=Decimal(100)),
            line("1", "100", discount=Discount(percent=Decimal(20))),
            line("1", "120", list_price=Decimal(100)),
        ],
        discount=Discount(percent=Decimal(10)),
        currency="EUR",
    )

    assert totals.total == Decimal("252.00")
    assert totals.reduction_percent == Decimal("21.2500")


def test_a_margin_needs_every_cost() -> None:
    known = line("2", "50", unit_cost=Decimal("30"))

    totals = total([known], discount=Discount(percent=Decimal(10)), currency="EUR")
    unknown = total([known, line("1", "1")], currency="EUR")
    optional = total([known, line("1", "1", optional=True)], currency="EUR")

    assert (totals.cost, totals.margin, totals.margin_percent) == (
        Decimal("60.00"),
        Decimal("30.00"),
        Decimal("33.3333"),
    )
    assert (unknown.cost, unknown.margin, unknown.margin_percent) == (None, None, None)
    assert optional.cost == Decimal("60.00")


def test_no_lines_come_to_nothing() -> None:
    totals = total([], discount=Discount(amount=Decimal(5)), currency="JPY")

    assert (str(totals.subtotal), str(totals.total), totals.rates, totals.cost) == ("0", "0", (), Decimal(0))


def test_the_largest_quantities_and_prices_are_multiplied_exactly() -> None:
    totals = total([line("99999999999.9999", "999999999999999.9999", "19")], currency="KWD")

    assert totals.net == Decimal("99999999999999899990000000.000")
