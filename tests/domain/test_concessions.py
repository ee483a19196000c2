"""What the seller's concessions are worth where an offer makes them."""

from datetime import date
from decimal import Decimal

from domain import concessions, offer_diffs
from domain.concessions import Concession
from domain.offer_terms import FreeTerm, TermKind, TermsChange
from tests.domain.test_offer_diffs import EN, basis, offered

PREPARED = [
    Concession(key="training", text="A day of training", value=Decimal(500)),
    Concession(key="sixty", text="60 days", value=Decimal(200), term=TermKind.PAYMENT, payment_days=60),
    Concession(key="thirty", text="30 days", value=Decimal(80), term=TermKind.PAYMENT, payment_days=30),
    Concession(key="halves", text="In halves", value=Decimal(50), term=TermKind.PAYMENT),
    Concession(key="may", text="By May", value=Decimal(300), term=TermKind.DELIVERY, delivery_on=date(2026, 5, 1)),
    Concession(key="june", text="By June", value=Decimal(100), term=TermKind.DELIVERY, delivery_on=date(2026, 6, 1)),
    Concession(key="logo", text="A reference"),
]
TRAINING = FreeTerm(key="training", label="Training", text="A day.")


def keys(change: TermsChange) -> list[str]:
    return [one.key for one in concessions.conceded(PREPARED, offered(basis(), change))]


def test_a_term_concedes_what_the_preparation_says_of_it_and_the_furthest_counts() -> None:
    assert keys(TermsChange()) == []
    assert keys(TermsChange(payment_days=29)) == []
    assert keys(TermsChange(payment_days=59)) == ["thirty"]
    assert keys(TermsChange(payment_days=90, payment="Half at once")) == ["sixty", "halves"]
    assert keys(TermsChange(delivery_on=date(2026, 6, 2), delivery="to the roof")) == []
    assert keys(TermsChange(delivery_on=date(2026, 6, 1))) == ["june"]
    assert keys(TermsChange(delivery_on=date(2026, 4, 1))) == ["may"]
    assert keys(TermsChange(free=[TRAINING])) == ["training"]


def test_each_term_and_the_whole_say_what_they_are_worth_to_the_seller() -> None:
    base = basis()
    before = offered(base, TermsChange(payment_days=30))
    reference = FreeTerm(key="logo", label="Reference", text="On our page.")
    other = FreeTerm(key="cake", label="Cake", text="For all.")
    after = offered(
        base,
        TermsChange(
            discount_amount=Decimal(20),
            payment_days=60,
            delivery_on=date(2026, 5, 1),
            free=[TRAINING, reference, other],
        ),
    )

    found = offer_diffs.diff(base, before, after, EN, prepared=PREPARED)
    back = offer_diffs.diff(base, after, before, EN, prepared=PREPARED)

    assert [(one.label, one.worth) for one in found.terms] == [
        ("Discount on everything", Decimal("-20.00")),
        ("Delivery", Decimal(-300)),
        ("Payment", Decimal(-120)),
        ("Training", Decimal(-500)),
        ("Reference", None),
        ("Cake", None),
    ]
    assert (found.amount, found.worth, back.worth) == (Decimal(-20), Decimal(-940), Decimal(940))
    assert concessions.worth(concessions.since(PREPARED, before, after)) == 1000


def test_what_terms_are_worth_is_net_where_prices_include_tax() -> None:
    base = basis(tax_inclusive=True)
    before, after = offered(base, TermsChange()), offered(base, TermsChange(discount_amount=Decimal(119)))

    found = offer_diffs.diff(base, before, after, EN)

    assert (found.amount, found.worth, found.terms[0].worth) == (Decimal(-119), Decimal(-100), Decimal(-100))


def test_concessions_survive_being_written() -> None:
    assert concessions.load([concessions.dump(one) for one in PREPARED]) == PREPARED
