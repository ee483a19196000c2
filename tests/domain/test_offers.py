"""Offers: whole sets of terms in turns, priced, compared, and held where they go beyond the guard rails."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import guard_rails, negotiations, offers, policy
from domain.errors import Forbidden, Invalid, Malformed, NotFound, OutOfRange, TooLong
from domain.guard_rails import BelowWalkAway, Rail
from domain.negotiations import RespondByPast
from domain.offer_terms import (
    FreeTerm,
    LineChange,
    LineGivenTwice,
    LineNotOptional,
    OfferEmpty,
    TermGivenTwice,
    TermsChange,
    TooManyTerms,
    TwoDiscounts,
    UnknownLine,
)
from domain.offers import (
    NotYourTurn,
    OfferNotHeld,
    OfferOvertaken,
    OwnOffer,
    SameAsOffered,
    TooManyRounds,
    UnknownRound,
)
from domain.policy import Action
from domain.preparations import Preparation
from domain.proposal_lines import DiscountTooHigh
from models.base import uuid7
from models.negotiations import Negotiation, Offer, OfferState
from models.proposal_links import Party
from models.selling import SellingSettings
from models.users import Role
from tests.factories import NOW, events, member, seller
from tests.negotiating import off, price, sit_down

LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("db")


async def test_offers_go_to_and_fro_each_a_whole_set_of_terms() -> None:
    here = await sit_down()

    asked = await here.counter(await price(here, "Solar panel", "70"), note=" Our budget. ")
    given = await here.offer(await price(here, "Mounting", "150"), now=LATER, respond_by=LATER + timedelta(days=1))
    again = await here.counter(off("5"), round=2, now=LATER)

    assert (asked.round, asked.party, asked.net, asked.total) == (1, Party.BUYER, Decimal(900), Decimal(1071))
    assert (asked.name, asked.address, asked.note, asked.link_id) == (
        "Berta Buyer",
        "192.0.2.7",
        "Our budget.",
        here.link.id,
    )
    assert (given.round, given.party, given.net) == (2, Party.SELLER, Decimal(850)), "on top of what the buyer asked"
    assert (again.round, again.net, again.tax) == (3, Decimal("807.50"), Decimal("153.43"))
    assert [offer.state for offer in await here.offers()] == [
        OfferState.COUNTERED,
        OfferState.COUNTERED,
        OfferState.COUNTERED,
        OfferState.OPEN,
    ]
    now = await here.now()
    assert (now.rounds, now.turn, now.version) == (3, Party.SELLER, 1), "nobody's edit of the preparation is stale"
    assert (now.respond_by, now.due_at) == (None, None)
    told = [event for event in await events(here.lead.id) if event.name == "negotiation.offer_made"]
    assert [(event.data["round"], event.data["party"]) for event in told] == [
        (1, "BUYER"),
        (2, "SELLER"),
        (3, "BUYER"),
    ]


async def test_whose_turn_it_is_and_until_when() -> None:
    here = await sit_down()
    until = NOW + timedelta(days=2)

    await here.counter(off("5"), respond_by=until)
    negotiation = await here.now()
    assert (negotiation.turn, negotiation.respond_by, negotiation.due_at) == (Party.SELLER, until, until)
    with pytest.raises(NotYourTurn, match="seller's turn"):
        await here.counter(off("10"))
    with pytest.raises(NotYourTurn):
        await here.offer(off("10"), party=Party.BUYER)
    with pytest.raises(RespondByPast):
        await here.offer(off("1"), respond_by=NOW)


async def test_the_seller_may_better_what_they_have_offered_while_the_buyer_has_not_answered() -> None:
    here = await sit_down()

    better = await here.offer(off("2"))
    best = await here.offer(off("3"))

    assert (better.round, best.round) == (1, 2)
    assert [offer.state for offer in await here.offers()] == [OfferState.REVISED, OfferState.REVISED, OfferState.OPEN]
    assert (await here.now()).turn is Party.BUYER
    with pytest.raises(OfferOvertaken, match="round 2"):
        await here.counter(off("10"), round=1)


async def test_what_a_buyer_says_elsewhere_is_noted_as_theirs() -> None:
    here = await sit_down()

    noted = await here.offer(off("10"), party=Party.BUYER)

    assert (noted.party, noted.user_id, noted.link_id) == (Party.BUYER, here.actor.user_id, None)
    assert (await here.now()).turn is Party.SELLER


def said_of(offer: Offer) -> list[tuple[Any, ...]]:
    return [(one["rail"], one["limit"], one["actual"], one["roles"]) for one in offer.beyond]


async def test_a_buyers_offer_tells_the_seller_what_it_is_beyond_and_who_may_let_it_pass() -> None:
    admin = await seller()
    await SellingSettings.create(
        workspace_id=admin.workspace_id, most_discount={"REP": "5", "MANAGER": "40"}, created_at=NOW, updated_at=NOW
    )
    here = await sit_down(admin, floor_price=900, floor_margin=35, most_discount=10, walk_away=850)

    asked = await here.counter(off("20"))

    both = ["ADMIN", "MANAGER"]
    assert said_of(asked) == [
        ("WALK_AWAY", "850", "800", []),
        ("FLOOR_PRICE", "900", "800", both),
        ("FLOOR_MARGIN", "35", "25", both),
        ("MOST_DISCOUNT", "10", "20", both),
        ("ROLE_DISCOUNT", "5", "20", both),
    ]
    assert [one["of_role"] for one in asked.beyond][-2:] == [None, "REP"]
    assert (asked.state, asked.round) == (OfferState.OPEN, 1), "it is made all the same"
    looser = Preparation(walk_away=None, floor_price=None, floor_margin=Decimal(20), most_discount=Decimal(20))
    await negotiations.update(admin, here.negotiation.id, looser, now=LATER)
    assert [one["rail"] for one in (await here.offers())[-1].beyond] == ["ROLE_DISCOUNT"], "as the rails are now"
    assert (
        tuple(role for role in Role if policy.may(replace(admin, role=role), Action.APPROVE_OFFER, here.lead))
        == guard_rails.APPROVERS
    )


async def test_only_the_same_terms_in_answer_to_the_same_round_are_a_double_click() -> None:
    here = await sit_down()
    wish = TermsChange(discount_percent=Decimal(5), payment_days=60)

    first = await here.counter(wish, round=0)
    second = await here.counter(wish, round=0, now=LATER)

    assert first.id == second.id
    for other in (off("5"), off("6"), TermsChange(discount_percent=Decimal(5), payment_days=60, delivery="soon")):
        with pytest.raises(OfferOvertaken, match=r"The buyer \(Berta Buyer\) has made another offer since, round 1"):
            await here.counter(other, round=0, now=LATER)
    await here.offer(off("1"), round=1)
    with pytest.raises(OfferOvertaken, match=r"The seller \(.+\) has made another offer since, round 2"):
        await here.counter(wish, round=0, now=LATER)
    for made_up in (-1, 3):
        with pytest.raises(UnknownRound, match=f"no round {made_up}: the last is 2"):
            await here.counter(off("4"), round=made_up)
    assert (await here.now()).rounds == 2


async def test_a_held_offer_sent_twice_is_held_once() -> None:
    here = await sit_down(floor_price=900)

    held = [await here.offer(off("20"), round=0, now=at) for at in (NOW, LATER)]

    assert held[0].id == held[1].id
    assert [one.name for one in await events(here.lead.id)].count("negotiation.offer_held") == 1


async def test_an_offer_sent_twice_is_one_and_one_of_the_same_terms_is_none() -> None:
    here = await sit_down()

    first = await here.counter(off("5"))
    second = await here.counter(off("5"), now=LATER)
    with pytest.raises(SameAsOffered, match="round 1"):
        await here.offer(off("5.000"))

    assert first.id == second.id
    assert (await here.now()).rounds == 1


async def test_every_fault_of_an_offer_is_told_at_once() -> None:
    here = await sit_down()
    panel, key = await here.line("Solar panel"), uuid7()
    wrong = TermsChange(
        lines=[
            LineChange(key=panel, quantity=Decimal(-1), unit_price=Decimal("1.00001")),
            LineChange(key=panel),
            LineChange(key=key),
            LineChange(key="nonsense"),
            LineChange(key=await here.line("Mounting"), chosen=False, discount_percent=Decimal("100.1")),
            LineChange(key=await here.line("Battery"), quantity=Decimal("NaN")),
        ],
        discount_percent=Decimal(5),
        discount_amount=Decimal(5),
        payment_days=-1,
        delivery="x" * 1001,
        delivery_on=date(1, 1, 1),
        free=[FreeTerm(key="a", label="A", text="one"), FreeTerm(key="a", label="B", text="two")],
    )

    with pytest.raises(Invalid) as caught:
        await here.offer(wrong, note="x" * 5001)

    assert {(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults} == {
        (OutOfRange, "terms.lines.0.quantity"),
        (Malformed, "terms.lines.0.unitPrice"),
        (LineGivenTwice, "terms.lines.1.key"),
        (UnknownLine, "terms.lines.2.key"),
        (UnknownLine, "terms.lines.3.key"),
        (LineNotOptional, "terms.lines.4.chosen"),
        (OutOfRange, "terms.lines.4.discountPercent"),
        (OutOfRange, "terms.lines.5.quantity"),
        (TwoDiscounts, "terms.discountAmount"),
        (OutOfRange, "terms.paymentDays"),
        (TooLong, "terms.delivery"),
        (OutOfRange, "terms.deliveryOn"),
        (TermGivenTwice, "terms.free.1.key"),
        (TooLong, "note"),
    }
    many = [FreeTerm(key=str(number), label="A", text="a") for number in range(21)]
    with pytest.raises(TooManyTerms):
        await here.offer(TermsChange(free=many))


async def test_a_discount_takes_the_place_of_the_other_kind() -> None:
    here = await sit_down()

    percent = await here.offer(off("10"))
    amount = await here.offer(TermsChange(discount_amount=Decimal(50)))
    none = await here.offer(TermsChange(discount_amount=Decimal(0)))

    assert (percent.net, amount.net, none.net) == (Decimal(900), Decimal(950), Decimal(1000))
    assert (amount.terms["discount_percent"], amount.terms["discount_amount"]) == (None, "50")


async def test_a_line_is_dropped_an_option_is_taken_and_something_is_left() -> None:
    here = await sit_down()
    panel, mounting, battery = [await here.line(name) for name in ("Solar panel", "Mounting", "Battery")]

    without = await here.counter(TermsChange(lines=[LineChange(key=mounting, quantity=Decimal(0))]))
    more = await here.offer(TermsChange(lines=[LineChange(key=battery, chosen=True)]))

    assert (without.net, more.net) == (Decimal(800), Decimal(1300))
    nothing = [LineChange(key=panel, quantity=Decimal(0)), LineChange(key=battery, chosen=False)]
    with pytest.raises(OfferEmpty):
        await here.counter(TermsChange(lines=nothing))
    with pytest.raises(OutOfRange):
        too_much = LineChange(key=panel, quantity=Decimal(99_999_999_999), unit_price=Decimal(999_999))
        await here.counter(TermsChange(lines=[too_much]))


async def test_delivery_payment_and_free_terms_are_kept_until_they_are_changed() -> None:
    here = await sit_down()
    training = FreeTerm(key="training", label="Training", text="One day for two people.")

    asked = await here.counter(
        TermsChange(delivery_on=date(2026, 5, 1), payment_days=60, payment=" In two halves. ", free=[training])
    )
    given = await here.offer(TermsChange(payment_days=30))
    none = await here.offer(TermsChange(payment_days=None, delivery_on=None, payment=None, free=[]))

    assert asked.terms["delivery_on"] == "2026-05-01"
    assert (given.terms["payment_days"], given.terms["payment"]) == (30, "In two halves.")
    assert given.terms["free"] == [{"key": "training", "label": "Training", "text": "One day for two people."}]
    assert [none.terms[name] for name in ("payment_days", "delivery_on", "payment", "free")] == [None, None, None, []]
    assert asked.net == given.net == none.net == Decimal(1000)


@pytest.mark.parametrize(
    ("prepared", "change", "rail"),
    [
        ({"floor_price": Decimal(900)}, off("10.001"), Rail.FLOOR_PRICE),
        ({"floor_margin": Decimal(35)}, off("8"), Rail.FLOOR_MARGIN),
        ({"most_discount": Decimal(5)}, off("5.001"), Rail.MOST_DISCOUNT),
    ],
)
async def test_an_offer_beyond_a_guard_rail_is_held_and_the_buyer_sees_nothing_of_it(
    prepared: dict[str, Any], change: TermsChange, rail: Rail
) -> None:
    here = await sit_down(**prepared)
    await here.counter(off("20"))

    held = await here.offer(change)

    assert (held.state, held.round, [one["rail"] for one in held.beyond]) == (OfferState.HELD, None, [rail.value])
    now = await here.now()
    assert (now.turn, now.rounds) == (Party.SELLER, 1)
    assert (await events(here.lead.id))[-1].name == "negotiation.offer_held"


async def test_what_is_just_within_the_guard_rails_is_made() -> None:
    here = await sit_down(floor_price=Decimal(900), floor_margin=Decimal(33), most_discount=Decimal(10))

    assert (await here.offer(off("10"))).state is OfferState.OPEN


async def test_a_lower_unit_price_is_a_discount_and_a_cost_that_nobody_knows_is_no_margin() -> None:
    here = await sit_down(most_discount=Decimal(5))
    held = await here.offer(await price(here, "Solar panel", "70"))
    assert said_of(held) == [("MOST_DISCOUNT", "5", "10", ["ADMIN", "MANAGER"])]

    here = await sit_down(floor_margin=Decimal(1), knows_cost=False)
    held = await here.offer(off("1"))
    assert said_of(held) == [("FLOOR_MARGIN", "1", None, ["ADMIN", "MANAGER"])]


async def test_each_role_has_a_highest_discount() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    await SellingSettings.create(
        workspace_id=admin.workspace_id, most_discount={"REP": "5"}, created_at=NOW, updated_at=NOW
    )
    here, there = await sit_down(rep), await sit_down(admin)

    assert [one["rail"] for one in (await here.offer(off("6"))).beyond] == ["ROLE_DISCOUNT"]
    assert (await here.offer(off("5"))).state is OfferState.OPEN
    assert (await there.offer(off("6"))).state is OfferState.OPEN


async def test_below_the_walk_away_nobody_offers() -> None:
    here = await sit_down(walk_away=Decimal(900))

    with pytest.raises(BelowWalkAway, match=r"899\.90 EUR.*900\.00 EUR"):
        await here.offer(off("10.01"))
    asked = await here.counter(off("50"))
    assert (asked.state, asked.net) == (OfferState.OPEN, Decimal(500)), "the buyer may ask for anything"


async def test_a_held_offer_is_approved_by_another_manager_and_then_made() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    here = await sit_down(rep, floor_price=Decimal(900))
    held = await here.offer(off("15"), respond_by=LATER + timedelta(days=1))

    with pytest.raises(Forbidden):
        await offers.approve(rep, held.id, now=LATER)
    made = await offers.approve(admin, held.id, note=" Once. ", now=LATER)

    assert (made.state, made.round, made.decided_by_id, made.decision) == (OfferState.OPEN, 1, admin.user_id, "Once.")
    now = await here.now()
    assert (now.rounds, now.turn, now.respond_by) == (1, Party.BUYER, LATER + timedelta(days=1))
    assert [event.name for event in (await events(here.lead.id))[-2:]] == [
        "negotiation.offer_approved",
        "negotiation.offer_made",
    ]
    with pytest.raises(OfferNotHeld):
        await offers.approve(admin, held.id, now=LATER)


async def test_nobody_approves_their_own_offer_but_an_admin() -> None:
    admin = await seller()
    manager = await member(Role.MANAGER, of=admin)
    here = await sit_down(admin, floor_price=Decimal(900))
    own = await offers.make(admin, here.negotiation.id, off("15"), now=NOW)
    assert (await offers.approve(admin, own.id, now=NOW)).state is OfferState.OPEN

    manager = await member(Role.MANAGER, of=admin)
    here = await sit_down(manager, floor_price=Decimal(900))
    own = await offers.make(manager, here.negotiation.id, off("15"), now=NOW)
    with pytest.raises(OwnOffer):
        await offers.approve(manager, own.id, now=NOW)
    with pytest.raises(OwnOffer):
        await offers.reject(manager, own.id, now=NOW)


async def test_a_rejected_offer_is_never_made() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    here = await sit_down(rep, floor_price=Decimal(900))
    held = await here.offer(off("15"))

    refused = await offers.reject(admin, held.id, note="Too much.", now=LATER)

    assert (refused.state, refused.round, refused.decision) == (OfferState.REFUSED, None, "Too much.")
    with pytest.raises(OfferNotHeld):
        await offers.reject(admin, held.id, now=LATER)
    assert (await here.now()).rounds == 0


async def test_what_is_held_lapses_when_another_offer_comes() -> None:
    admin = await seller()
    here = await sit_down(admin, floor_price=Decimal(900))

    first = await here.offer(off("15"))
    second = await here.offer(off("20"))
    await here.counter(off("30"))

    assert [offer.state for offer in await here.offers()] == [
        OfferState.COUNTERED,
        OfferState.LAPSED,
        OfferState.LAPSED,
        OfferState.OPEN,
    ]
    for offer in (first, second):
        with pytest.raises(OfferNotHeld):
            await offers.approve(admin, offer.id, now=LATER)


async def test_the_walk_away_of_the_moment_holds_at_the_approval() -> None:
    admin = await seller()
    here = await sit_down(admin, floor_price=Decimal(900))
    held = await here.offer(off("15"))
    await Negotiation.filter(id=here.negotiation.id).update(walk_away=Decimal(860))

    with pytest.raises(BelowWalkAway):
        await offers.approve(admin, held.id, now=LATER)


async def test_offers_of_others_leads_do_not_exist() -> None:
    admin = await seller()
    here = await sit_down(admin, floor_price=Decimal(900))
    held = await here.offer(off("15"))

    with pytest.raises(NotFound):
        await offers.approve(await seller(), held.id, now=NOW)
    with pytest.raises(NotFound):
        await offers.approve(await member(Role.REP, of=admin), held.id, now=NOW)


async def test_rounds_have_an_end() -> None:
    here = await sit_down()
    await Negotiation.filter(id=here.negotiation.id).update(rounds=offers.MOST_ROUNDS)

    with pytest.raises(TooManyRounds):
        await here.counter(off("5"))


async def test_discounts_by_amount_are_whole_and_no_more_than_what_they_are_of() -> None:
    here = await sit_down()
    panel = await here.line("Solar panel")
    for change, error, field in (
        (TermsChange(discount_amount=Decimal("0.001")), Malformed, "terms.discountAmount"),
        (TermsChange(discount_amount=Decimal(99_999)), DiscountTooHigh, "terms.discountAmount"),
        (
            TermsChange(lines=[LineChange(key=panel, quantity=Decimal(1), discount_amount=Decimal(99_999))]),
            DiscountTooHigh,
            "terms.lines.0.discountAmount",
        ),
    ):
        with pytest.raises(error) as caught:
            await here.counter(change)
        assert ".".join(caught.value.field or ()) == field
