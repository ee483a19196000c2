"""The page on which a customer negotiates: the terms side by side, their own offer, comments, agreeing or breaking off.

It works without scripts. Every form bears the round that was seen: where there is a newer one, the page is shown as it
is now and nothing was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import NumberFormatError, parse_decimal
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.proposal_shown import colors_of
from api.public_pages import form_of, page
from api.refusals import Refusal
from domain import (
    agreements,
    inputs,
    local_times,
    negotiation_comments,
    negotiation_views,
    negotiations,
    offer_terms,
    offers,
    proposal_links,
    selling_settings,
)
from domain.errors import DomainError, Invalid, Malformed, OutOfRange, RateLimited, Required, TooLong
from domain.negotiating import Buyer, NegotiationOver, NotNegotiable
from domain.negotiation_comments import TooManyRemarks
from domain.negotiation_views import Seen
from domain.negotiations import RespondByPast
from domain.offer_diffs import MINUS, Telling
from domain.offer_terms import FreeTerm, LineChange, LineTerms, OfferEmpty, Terms, TermsChange
from domain.offers import NotYourTurn, OfferOvertaken, SameAsOffered, TooManyRounds, UnknownRound
from domain.tokens import EndedLink, InvalidLink
from domain.unset import UNSET
from domain.words import Words, best_accepted, best_language, words
from models.negotiations import NegotiationState, Offer
from models.proposal_links import Party
from models.proposals import ProposalLine
from models.workspaces import Workspace

# As much of the budget that all requests of an address share as a page of a hundred rows.
COST = 100
MOST_FIELDS = 5_000
HIDDEN = {"X-Robots-Tag": "noindex, nofollow"}
OVERTAKEN = (OfferOvertaken, UnknownRound, NotYourTurn, NegotiationOver, NotNegotiable)
FREE_KEY, NUMBER = "wish", "a number"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Row:
    """A term on both sides: what it is, what each has offered last, and whether they differ."""

    label: str
    seller: str
    buyer: str

    @property
    def differs(self) -> bool:
        return bool(self.buyer) and self.seller != self.buyer


async def negotiation(request: Request) -> Response:
    """Show a negotiation by its link, and take what is offered, said, agreed to or broken off."""
    now, address = datetime.now(UTC), request.client.host if request.client else ""
    said = words(best_accepted(request.headers.get("accept-language", "")) or "en")
    try:
        await request.app.state.budget.spend(f"address:{address}", COST)
        link = await proposal_links.verified(request.path_params["token"], now=now)
        seen = await negotiation_views.seen(link)
        said = words(best_language(seen.rounds.basis.version.language))
        if request.method != "POST":
            return await _shown(seen, said, done=request.query_params.get("done", ""))
        fields = await form_of(request, most=MOST_FIELDS)
        agent = request.headers.get("user-agent")
        buyer = Buyer(link=link, name=fields.get("name"), address=address, user_agent=agent)
        return await _posted(seen, buyer, fields, said, now)
    except InvalidLink:
        told = said("Copy it whole from the mail, or ask whoever sent it to you.")
        return _message(said, 404, said("This link is not valid"), told)
    except EndedLink:
        told = said("There is no negotiation by this link, or it has ended.")
        return _message(said, 410, said("Nothing to negotiate"), told)
    except RateLimited as error:
        seconds = error.facts["seconds"]
        told = said("There were too many attempts. Try again in %(seconds)s seconds.", seconds=seconds)
        return _message(said, 429, said("Please wait a little"), told, {"Retry-After": str(seconds)})
    except Refusal as refusal:
        return _message(said, refusal.status, said("This did not work"), str(refusal))


async def _posted(seen: Seen, buyer: Buyer, fields: Mapping[str, str], said: Words, now: datetime) -> Response:
    form = fields.get("form", "")
    try:
        await _do(form, seen, buyer, fields, said, now)
    except OVERTAKEN as error:
        again = await negotiation_views.seen(seen.link)
        return await _shown(again, said, notice=_since(again, error, said), status=409)
    except (InvalidLink, EndedLink):
        raise
    except DomainError as error:
        return await _shown(seen, said, form=form, fields=fields, faults=_faults(form, error, said), status=422)
    return RedirectResponse(f"?done={form}", 303, headers={"Cache-Control": "no-store", **HIDDEN})


async def _do(form: str, seen: Seen, buyer: Buyer, fields: Mapping[str, str], said: Words, now: datetime) -> None:
    key, text = seen.negotiation.id, fields.get("text", "").replace("\r\n", "\n")
    match form:
        case "agree":
            await agreements.accept(buyer, round=_round(fields), negotiation_id=key, now=now)
        case "offer":
            change = _change(seen, fields, said)
            answer: dict[str, Any] = {"round": _round(fields), "respond_by": await _until(seen, fields)}
            note = fields.get("note", "").replace("\r\n", "\n")
            await offers.counter(buyer, change, note=note, negotiation_id=key, now=now, **answer)
        case "comment":
            await negotiation_comments.remark(buyer, text, negotiation_id=key, now=now)
        case "leave":
            await negotiations.leave(buyer, text, negotiation_id=key, now=now)
        case _:
            raise Refusal(400, "The form is not known.")


def _since(seen: Seen, error: DomainError, said: Words) -> str:
    """Return what has happened since the customer saw the page."""
    if seen.negotiation.state is not NegotiationState.OPEN or not isinstance(error, OfferOvertaken):
        return said("This negotiation has moved on since you opened the page, so nothing was sent.")
    if seen.rounds.last.party is Party.SELLER:
        return said(
            "%(company)s has made a new offer since you opened the page, so nothing was sent.", company=seen.company
        )
    return said("%(name)s has already answered with another offer, so nothing was sent.", name=seen.rounds.last.name)


async def _until(seen: Seen, fields: Mapping[str, str]) -> datetime | None:
    """Return the end of the day, where the seller is, by which the customer asks for an answer."""
    if not fields.get("respond"):
        return None
    day = inputs.iso_day(fields["respond"])
    if day is None or not MINYEAR < day.year < MAXYEAR:
        raise Malformed(field="respond", what="a day")
    home = await Workspace.get(id=seen.negotiation.workspace_id)
    return local_times.end_of(day, home.time_zone)


def _round(fields: Mapping[str, str]) -> int:
    value = fields.get("round", "")
    return int(value) if value.isdecimal() and len(value) < 6 else -1


def _change(seen: Seen, fields: Mapping[str, str], said: Words) -> TermsChange:
    """Return what a form offers; what cannot be read is told by its field, all together."""
    faults: list[DomainError] = []

    def number(name: str) -> Any:
        given = fields.get(name, "").strip()
        if not given:
            return None
        try:
            return parse_decimal(given, locale=said.locale)
        except (NumberFormatError, ValueError):
            faults.append(Malformed(field=name, what=NUMBER))
            return None

    terms = offer_terms.load(seen.rounds.last.terms)
    lines = []
    for place, (line, mine) in enumerate(zip(seen.rounds.basis.lines, terms.lines, strict=True)):
        quantity, price, percent = (number(f"{name}{place}") for name in ("quantity", "price", "percent"))
        lines.append(
            LineChange(
                key=line.key,
                quantity=mine.quantity if quantity is None else quantity,
                unit_price=mine.unit_price if price is None else price,
                # A discount as an amount stays, where no percentage takes its place.
                discount_percent=UNSET if mine.discount_amount and percent is None else percent,
                chosen=f"take{place}" in fields if line.optional else UNSET,
            )
        )
    whole, days = number("percent"), number("days")
    wanted = inputs.iso_day(fields["day"]) if fields.get("day") else None
    if fields.get("day") and wanted is None:
        faults.append(Malformed(field="day", what="a day"))
    if days is not None and (days != days.to_integral_value() or abs(days) > 100_000):
        faults.append(Malformed(field="days", what="a whole number"))
    if faults:
        raise Invalid(faults)
    return TermsChange(
        lines=lines,
        discount_percent=UNSET if terms.discount_amount and whole is None else whole,
        delivery_on=wanted,
        delivery=fields.get("delivery", ""),
        payment_days=None if days is None else int(days),
        payment=fields.get("payment", ""),
        free=_free(terms, fields),
    )


def _free(terms: Terms, fields: Mapping[str, str]) -> list[FreeTerm]:
    """Return the free terms that there were, as they are written now, and one more."""
    free = [
        FreeTerm(key=term.key, label=term.label, text=fields.get(f"free{place}", term.text).replace("\r\n", "\n"))
        for place, term in enumerate(terms.free)
    ]
    label, text = fields.get("wish", "").strip(), fields.get("wish_text", "").replace("\r\n", "\n")
    if label or text.strip():
        known = {term.key for term in free}
        key = next(key for number in range(1, 100) if (key := f"{FREE_KEY}{number}") not in known)
        free.append(FreeTerm(key=key, label=label, text=text))
    return free


def _faults(form: str, error: DomainError, said: Words) -> dict[str, str]:
    """Return what is wrong by the id of the field that it is wrong with, in the customer's language."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    return {f"{form}-{_place(fault)}": _fault(fault, said) for fault in faults}


MOST_DECIMALS = {"quantity": 4, "unitPrice": 4, "discountPercent": 3}


PLACES = {
    "quantity": "quantity",
    "unitPrice": "price",
    "discountPercent": "percent",
    "deliveryOn": "day",
    "paymentDays": "days",
    "respondBy": "respond",
    "lines": "quantity0",
    "terms": "note",
}


def _place(fault: DomainError) -> str:
    path = fault.field or ("name",)
    name = PLACES.get(path[-1], path[-1])
    if path[:2] == ("terms", "lines") and len(path) == 4:
        return f"{name}{path[2]}"
    if path[:2] == ("terms", "free"):
        return "wish" if path[-1] in ("key", "label") else "wish_text"
    return name


def _fault(fault: DomainError, said: Words) -> str:
    name = fault.field[-1] if fault.field else ""
    match fault:
        case Required() if name == "name":
            return said("Please enter your name.")
        case Required():
            return said("Please write a few words.")
        case TooLong():
            return said("Use at most %(limit)s characters.", limit=fault.facts["limit"])
        case SameAsOffered():
            return said("This is exactly what you are offered: you can agree to it above.")
        case OfferEmpty():
            return said("Please keep at least one item.")
        case RespondByPast():
            return said("Please choose a day that is not over yet.")
        case TooManyRounds() | TooManyRemarks():
            return said("This negotiation has become very long: please agree, or end it.")
    if name in ("deliveryOn", "day", "respond", "respondBy"):
        return said("Please choose a day.")
    return _number_fault(fault, name, said)


def _number_fault(fault: DomainError, name: str, said: Words) -> str:
    """Return what is wrong with a number, or with what cannot be taken as a text."""
    match fault:
        case OutOfRange():
            least, most = (said.number(Decimal(fault.facts[end])) for end in ("least", "most"))
            return said("Please enter a number from %(least)s to %(most)s.", least=least, most=most)
        case Malformed() if name in MOST_DECIMALS:
            return said("Please enter a number with at most %(places)s decimals.", places=MOST_DECIMALS[name])
        case Malformed() if fault.facts["what"] == NUMBER:
            example = said.number(Decimal("12.5"))
            return said("Please enter a number, such as %(example)s.", example=example)
        case Malformed() if name == "days":
            return said("Please enter a whole number of days.")
    return said("Please write this in another way.")


# What is shown


async def _shown(
    seen: Seen,
    said: Words,
    *,
    form: str = "",
    fields: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    notice: str = "",
    done: str = "",
    status: int = 200,
) -> Response:
    rounds, row, version = seen.rounds, seen.negotiation, seen.rounds.basis.version
    home, selling = await Workspace.get(id=row.workspace_id), await selling_settings.of(row.workspace_id)
    company = seen.company
    told, last = Telling(rounds.basis, said), rounds.last
    gap, number = rounds.gap(said, company=company), last.round or 0
    changes = rounds.diff(number - 1, number, said) if number else None
    return page(
        "negotiation",
        status,
        sheet="negotiation",
        colors=colors_of(selling.color),
        headers=HIDDEN,
        _=said,
        language=said.language,
        words_language=said.language,
        company=company,
        heading=version.title,
        back=proposal_links.path_of(seen.link.id),
        negotiation=row,
        is_open=row.state is NegotiationState.OPEN,
        is_agreed=row.state is NegotiationState.AGREED,
        my_turn=row.turn is Party.BUYER,
        by_me=row.ended_by is Party.BUYER,
        ending=row.ending.value if row.ending else "",
        until=said.moment(row.respond_by, home.time_zone) if row.respond_by else "",
        ended=said.moment(row.ended_at, home.time_zone) if row.ended_at else "",
        total=told.rounded(last.total),
        note=last.note or "",
        rows=_rows(seen, told),
        has_offered=rounds.last_of(Party.BUYER) is not None,
        changes=changes.sentences if changes else (),
        gap=gap.sentences if gap else (),
        history=[_told(offer, told, said, home, company) for offer in rounds.offers],
        comments=[(one.name, said.moment(one.created_at, home.time_zone), one.text) for one in seen.comments],
        inputs=_inputs(seen, told, fields if form == "offer" else None),
        form=form,
        fields=dict(fields or {}),
        faults=dict(faults or {}),
        notice=notice,
        done=done if done in ("agree", "offer", "comment", "leave") else "",
        number=number,
    )


def _told(offer: Offer, told: Telling, said: Words, home: Workspace, company: str) -> tuple[str, str, str]:
    who = f"{offer.name} ({company})" if offer.party is Party.SELLER else offer.name
    total = said("%(amount)s including tax", amount=told.rounded(offer.total))
    return who, said.moment(offer.created_at, home.time_zone), total


def _rows(seen: Seen, told: Telling) -> list[Row]:
    """Return all terms of both sides' last offers."""
    rounds, said = seen.rounds, told.said
    sides = [rounds.last_of(party) for party in (Party.SELLER, Party.BUYER)]
    terms = [offer_terms.load(offer.terms) if offer else None for offer in sides]
    found = [
        Row(line.name, *(_line(told, line, one.lines[place]) if one else "" for one in terms))
        for place, line in enumerate(rounds.basis.lines)
    ]
    found.append(
        Row(
            said("Discount on everything"),
            *(told.discount(one.discount_percent, one.discount_amount) if one else "" for one in terms),
        )
    )
    found.append(Row(said("Delivery"), *(told.delivery(one) if one else "" for one in terms)))
    found.append(Row(said("Payment"), *(told.payment(one) if one else "" for one in terms)))
    labels = {term.key: term.label for one in terms if one for term in one.free}
    for key, label in labels.items():
        texts = (
            {term.key: term.text for term in one.free}.get(key, said("not agreed on")) if one else "" for one in terms
        )
        found.append(Row(label, *texts))
    for label, name in ((said("Price without tax"), "net"), (said("Price with tax"), "total")):
        found.append(Row(label, *(told.rounded(getattr(offer, name)) if offer else "" for offer in sides)))
    return found


def _line(told: Telling, line: ProposalLine, terms: LineTerms) -> str:
    if line.optional and not terms.chosen:
        return told.said("not included")
    if not terms.quantity:
        return told.said("left out")
    amount = f"{told.number(terms.quantity)} {line.unit or ''}".strip()
    off = told.discount(terms.discount_percent, terms.discount_amount)
    less = f" {MINUS} {off}" if terms.discount_percent or terms.discount_amount else ""
    return f"{amount} {TIMES} {told.price(terms.unit_price)}{less}"


def _inputs(seen: Seen, told: Telling, fields: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what the form of an offer says at first: the last offer, or what was written and not taken."""
    terms = offer_terms.load(seen.rounds.last.terms)

    def value(name: str, known: str) -> str:
        return known if fields is None else fields.get(name, "")

    def plain(number: Decimal | None) -> str:
        return "" if number is None else told.number(number)

    lines = [
        {
            "place": place,
            "name": line.name,
            "unit": line.unit or "",
            "optional": line.optional,
            "taken": mine.chosen if fields is None else f"take{place}" in fields,
            "quantity": value(f"quantity{place}", plain(mine.quantity)),
            "price": value(f"price{place}", plain(mine.unit_price)),
            "percent": value(f"percent{place}", plain(mine.discount_percent)),
        }
        for place, (line, mine) in enumerate(zip(seen.rounds.basis.lines, terms.lines, strict=True))
    ]
    return {
        "lines": lines,
        "currency": seen.rounds.basis.currency,
        "percent": value("percent", plain(terms.discount_percent)),
        "day": value("day", terms.delivery_on.isoformat() if terms.delivery_on else ""),
        "delivery": value("delivery", terms.delivery or ""),
        "days": value("days", "" if terms.payment_days is None else str(terms.payment_days)),
        "payment": value("payment", terms.payment or ""),
        "free": [(place, one.label, value(f"free{place}", one.text)) for place, one in enumerate(terms.free)],
        "wish": value("wish", ""),
        "wish_text": value("wish_text", ""),
        "note": value("note", ""),
        "respond": value("respond", ""),
    }


def _message(said: Words, status: int, heading: str, told: str, headers: Mapping[str, str] | None = None) -> Response:
    facts: dict[str, Any] = {"language": said.language, "heading": heading, "paragraphs": [told]}
    return page("survey_message", status, headers=HIDDEN | dict(headers or {}), _=said, **facts)
