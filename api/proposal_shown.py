"""What a proposal's page shows: everything formatted in the customer's language, and nothing that only sellers see."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from starlette.responses import Response

from api.public_pages import page
from domain import colors, document_facts, proposal_links, public_proposals
from domain.document_formats import Formats
from domain.pricing import LineTotal, Totals
from domain.public_proposals import Opened, PublicState
from models.proposals import ProposalLine

TICK = "o."
MINUS = "\N{MINUS SIGN}"
# What text stands on in style.css, by day and by night.
BY_DAY, BY_NIGHT = ("#ffffff", "#f4f5f7"), ("#1b212d", "#12161f")
HIDDEN = {"X-Robots-Tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as the page shows it; `tick` is the name of its box where it is optional."""

    name: str
    description: str
    quantity: str
    price: str
    discount: str
    before: str
    tax: str
    amount: str
    tick: str
    chosen: bool
    is_single: bool


@dataclass(frozen=True, slots=True)
class Sum:
    """A line below the prices."""

    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class Sums:
    """What the lines come to: what stands before the total, and what is within it."""

    before: tuple[Sum, ...]
    total: str
    within: tuple[Sum, ...]


def shown(
    found: Opened,
    told: Formats,
    *,
    preview: str = "",
    fields: Mapping[str, str] | None = None,
    ticks: Collection[UUID] | None = None,
    faults: Mapping[str, str] | None = None,
    notice: str = "",
    done: str = "",
    status: int = 200,
) -> Response:
    """Return the page; `ticks` are the options that are ticked on it, `fields` what was typed."""
    version, seller = found.version, found.seller
    chosen = found.chosen if ticks is None else ticks
    totals = public_proposals.totals(version, found.lines, chosen)
    lines = lines_of(found, totals, told)
    fixed, options = [line for line in lines if not line.tick], [line for line in lines if line.tick]
    return page(
        "proposal",
        status,
        sheet="proposal",
        colors=colors_of(found.selling.color),
        pictures=True,
        headers=HIDDEN,
        _=told.said,
        words=told.words,
        blocks=document_facts.blocks,
        language=version.language,
        company=str(seller["name"]),
        seller=seller,
        address=told.address(seller.get("address")),
        buyer=buyer_of(found),
        contact=found.contact,
        has_logo=found.selling.logo_id is not None,
        here=f"/p/preview/{preview}" if found.link is None else proposal_links.path_of(found.link.id),
        heading=version.title,
        number=found.proposal.number,
        version=version,
        zone=found.home.time_zone,
        state=found.state.value,
        is_preview=found.link is None,
        has_negotiation=found.has_negotiation,
        has_contract=found.has_contract,
        is_open=found.state is PublicState.OPEN and found.link is not None,
        evidence=found.evidence,
        questions=found.questions,
        lines=fixed,
        options=options,
        has_discounts=any(line.discount for line in fixed),
        has_taxes=any(line.tax for line in fixed),
        sums=sums_of(found, totals, told),
        consent=consent(found, chosen, told),
        shown_for=shown_for(found, chosen),
        fields=dict(fields or {}),
        faults=dict(faults or {}),
        notice=notice,
        done=done,
    )


def consent(found: Opened, chosen: Collection[UUID], told: Formats) -> str:
    """Return what is accepted, in the words above the button."""
    totals = public_proposals.totals(found.version, found.lines, chosen)
    amount = told.words.money(totals.total, found.version.currency)
    return told.said("I accept this proposal and its terms. The total is %(amount)s.", amount=amount)


def ticks_of(fields: Mapping[str, str], found: Opened) -> frozenset[UUID]:
    """Return the optional lines that a form ticks."""
    return frozenset(line.key for line in found.lines if line.optional and f"{TICK}{line.position}" in fields)


def shown_for(found: Opened, chosen: Collection[UUID]) -> str:
    """Return what a form says of the options that its total is of."""
    return ".".join(str(line.position) for line in found.lines if line.key in chosen)


def lines_of(found: Opened, totals: Totals, told: Formats) -> list[Shown]:
    """Return the lines of a version as the page shows them."""
    several = len({line.tax_rate for line in found.lines}) > 1
    counts = zip(found.lines, totals.lines, strict=True)
    return [_line(found, line, total, told, several=several) for line, total in counts]


def _line(found: Opened, line: ProposalLine, total: LineTotal, told: Formats, *, several: bool) -> Shown:
    currency, words = found.version.currency, told.words
    return Shown(
        name=line.name,
        description=line.description or "",
        quantity=told.isolated(" ".join(filter(None, (words.number(line.quantity), line.unit)))),
        price=words.money(line.unit_price, currency),
        discount=_less(line, total, currency, told) if total.discount else "",
        before=words.money(total.before, currency) if total.discount else "",
        tax=words.percent(line.tax_rate) if several else "",
        amount=words.money(total.amount, currency),
        tick=f"{TICK}{line.position}" if line.optional else "",
        chosen=total.counts,
        is_single=line.quantity == 1 and not line.unit,
    )


def _less(line: ProposalLine, total: LineTotal, currency: str, told: Formats) -> str:
    off = told.words.percent(-line.discount_percent) if line.discount_percent else None
    return (off or told.words.money(-total.discount, currency)).replace("-", MINUS)


def sums_of(found: Opened, totals: Totals, told: Formats) -> Sums:
    """Return what is added up, as documents tell it: each follows from what stands above it."""
    version, said, words = found.version, told.said, told.words

    def row(label: str, amount: Decimal) -> Sum:
        return Sum(label, words.money(amount, version.currency).replace("-", MINUS))

    off = said("Discount")
    if version.discount_percent:
        off = f"{off} ({words.percent(version.discount_percent)})"
    taxed = bool(totals.tax) or len(totals.rates) > 1
    before = []
    if totals.discount or (taxed and not totals.tax_inclusive):
        before.append(row(said("Subtotal"), totals.subtotal))
    if totals.discount:
        before.append(row(off, -totals.discount))
    if totals.discount and taxed and not totals.tax_inclusive:
        before.append(row(said("Net"), totals.net))
    taxes = []
    for rate in totals.rates if taxed else ():
        facts = {"rate": words.percent(rate.rate), "amount": words.money(rate.net, version.currency)}
        if totals.tax_inclusive:
            taxes.append(row(said("Including %(rate)s tax on %(amount)s", **facts), rate.tax))
        else:
            taxes.append(row(said("%(rate)s tax on %(amount)s", **facts), rate.tax))
    total = words.money(totals.total, version.currency)
    within = tuple(taxes) if totals.tax_inclusive else ()
    return Sums(tuple(before) if within else (*before, *taxes), total, within)


def buyer_of(found: Opened) -> list[str]:
    """Return for whom a proposal is: of a draft, whom it would go to."""
    return found.buyer


def colors_of(color: str | None) -> str:
    """Return a workspace's colour as CSS, by day and by night: nothing is in it but digits that were checked."""
    by_day, by_night = colors.accent(color, *BY_DAY), colors.accent(color, *BY_NIGHT)
    own = colors.accent(color)
    if by_day is None or by_night is None or own is None:
        return ""
    day = f"--brand:{own.color};--accent:{by_day.color};--on-accent:{by_day.on_color}"
    night = f"--accent:{by_night.color};--on-accent:{by_night.on_color}"
    return f":root{{{day}}}@media (prefers-color-scheme:dark){{:root{{{night}}}}}"
