"""Versions of a proposal: what they come to, and how they are frozen and hashed."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from domain import edits, inputs, pricing, proposal_lines, selling_settings
from domain.errors import DomainError, Faults
from domain.pricing import Totals
from domain.proposal_lines import AmountTooLarge, DiscountTooHigh, LinesBelowDiscount
from models import rows
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.database import read
from models.leads import Lead
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.workspaces import Workspace

MOST_VERSIONS = 200
OF_PROPOSAL = "SELECT {columns} FROM proposal_version WHERE proposal_id = $1 AND number = $2"
NEEDS = "SELECT id, title FROM need WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
# What a version says beside its lines and amounts: what the next one takes over, and what two are compared by.
SAID = (
    "title",
    "language",
    "currency",
    "rounding",
    "tax_inclusive",
    "valid_until",
    "sections",
    "terms",
    "discount_percent",
    "discount_amount",
)
AMOUNTS = ("subtotal", "discount", "net", "taxes", "tax", "total", "cost")
# What customers see of a line, and what therefore is part of what they agree to.
SHOWN = (
    "key",
    "name",
    "description",
    "unit",
    "quantity",
    "unit_price",
    "discount_percent",
    "discount_amount",
    "tax_rate",
    "optional",
    "chosen",
    "amount",
)


class TooManyVersions(DomainError):
    """A proposal has at most {limit} versions: make a new one."""


def totals(version: ProposalVersion, lines: Sequence[ProposalLine], *, everything: bool = False) -> Totals:
    """Return what lines come to as a version says it is reckoned; with `everything`, as if all options were chosen."""
    priced = [proposal_lines.priced(line) for line in lines]
    if everything:
        priced = [pricing.as_chosen(line) for line in priced]
    return pricing.total(
        priced,
        discount=proposal_lines.discount_of(version.discount_percent, version.discount_amount),
        currency=version.currency,
        tax_inclusive=version.tax_inclusive,
        rounding=version.rounding,
    )


def reckoned(version: ProposalVersion, lines: Sequence[ProposalLine]) -> dict[str, Any]:
    """Put their amounts into lines and return the version's amounts as columns."""
    found = totals(version, lines)
    for line, told in zip(lines, found.lines, strict=True):
        line.amount = told.amount
    return amounts(found)


def amounts(found: Totals) -> dict[str, Any]:
    """Return what a version keeps of its totals, as columns."""
    taxes = [
        {
            "rate": format(rate.rate.normalize(), "f"),
            **{name: str(getattr(rate, name)) for name in ("subtotal", "discount", "net", "tax")},
        }
        for rate in found.rates
    ]
    return {name: getattr(found, name) for name in AMOUNTS if name != "taxes"} | {"taxes": taxes}


def check_amounts(
    faults: Faults, version: ProposalVersion, lines: Sequence[ProposalLine], *, discount_given: bool
) -> None:
    """Check that what lines come to can be kept, and that the discount on the whole is no more than that.

    Options that the customer leaves out may take them below it: then what is left goes off.
    """
    found = totals(version, lines, everything=True)
    known = (found.subtotal, found.total, found.cost or 0, *(line.before for line in found.lines))
    if max(known) > inputs.MOST_MONEY:
        faults.add(AmountTooLarge(most=inputs.MOST_MONEY, currency=version.currency, field="lines"))
    off = version.discount_amount
    if off is None or not lines or off <= found.subtotal:
        return
    facts = {"amount": found.subtotal, "currency": version.currency}
    if discount_given:
        faults.add(DiscountTooHigh(**facts, field="discount.amount"))
    else:
        faults.add(LinesBelowDiscount(**facts, discount=format(off.normalize(), "f"), field="lines"))


async def current(proposal: Proposal) -> ProposalVersion:
    """Return the newest version of a proposal."""
    assert proposal.current_id
    found = await rows.read(ProposalVersion, proposal.current_id, workspace_id=proposal.workspace_id)
    assert found
    return found


async def sent(proposal: Proposal) -> ProposalVersion | None:
    """Return the version that customers see: the newest that was sent."""
    if proposal.sent_id is None:
        return None
    return await rows.read(ProposalVersion, proposal.sent_id, workspace_id=proposal.workspace_id)


async def numbered(proposal: Proposal, number: int) -> ProposalVersion | None:
    """Return a version of a proposal by its number."""
    found = await rows.select(ProposalVersion, OF_PROPOSAL, proposal.id, number)
    return found[0] if found else None


def following(
    proposal: Proposal, version: ProposalVersion, *, today: date, validity_days: int, now: datetime
) -> ProposalVersion:
    """Return the next version after a frozen one, as a draft that is not written yet. Raises TooManyVersions.

    Where its validity has passed it begins anew.
    """
    if version.number >= MOST_VERSIONS:
        raise TooManyVersions(limit=MOST_VERSIONS)
    columns = {name: getattr(version, name) for name in (*SAID, *AMOUNTS)}
    if version.valid_until is not None and version.valid_until < today:
        columns["valid_until"] = today + timedelta(days=validity_days)
    return ProposalVersion(
        id=uuid7(),
        workspace_id=proposal.workspace_id,
        proposal_id=proposal.id,
        lead_id=proposal.lead_id,
        number=version.number + 1,
        state=ProposalState.DRAFT,
        created_at=now,
        **columns,
    )


async def freeze(
    proposal: Proposal, version: ProposalVersion, lines: Sequence[ProposalLine], lead: Lead, *, now: datetime
) -> None:
    """Make a version what it will always be: with its parties, its hash, and the needs that it answers by name."""
    version.parties = await parties(proposal, lead)
    version.sections = await _named(version)
    sha256 = hashlib.sha256(canonical(proposal, version, lines)).hexdigest()
    columns = {"parties": version.parties, "sections": version.sections, "sha256": sha256, "frozen_at": now}
    await edits.write(version, columns)


async def parties(proposal: Proposal, lead: Lead) -> dict[str, Any]:
    """Return seller and buyer as they are now: what is known of each."""
    home = await Workspace.get(id=proposal.workspace_id)
    settings = await selling_settings.of(proposal.workspace_id)
    company = await Company.get_or_none(id=lead.company_id) if lead.company_id else None
    contact = await Contact.get_or_none(id=proposal.contact_id) if proposal.contact_id else None
    buyer = {
        "company": company and company.name,
        "tax_number": company and company.tax_number,
        "address": company and company.billing_address,
        "name": contact and contact.name,
        "job_title": contact and contact.job_title,
        "email": contact and contact.email,
        "phone": contact and contact.phone,
    }
    return {
        "seller": {"name": home.name, **settings.seller},
        "buyer": {name: value for name, value in buyer.items() if value},
    }


async def _named(version: ProposalVersion) -> list[dict[str, Any]]:
    """Return the sections of a version with the needs that they answer as they are called now."""
    wanted = [section["need_id"] for section in version.sections if section.get("need_id")]
    found = {}
    if wanted:
        found = {str(row["id"]): row["title"] for row in await read(NEEDS, version.workspace_id, wanted)}
    return [
        section | {"need": found.get(str(section.get("need_id")), section.get("need"))} for section in version.sections
    ]


def canonical(proposal: Proposal, version: ProposalVersion, lines: Sequence[ProposalLine]) -> bytes:
    """Return all that a customer sees of a version in one way of writing: JSON with sorted keys and plain decimals.

    What only the seller sees (costs, list prices, the ids of needs and products) is no part of it.
    """
    sections = [
        {name: section.get(name) for name in ("heading", "text", "need", "difference")} for section in version.sections
    ]
    said = {name: getattr(version, name) for name in SAID if name != "sections"}
    return _json(
        {
            "proposal": proposal.number,
            "version": version.number,
            "parties": version.parties,
            **said,
            "sections": sections,
            "lines": [{name: getattr(line, name) for name in SHOWN} for line in lines],
            **{name: getattr(version, name) for name in AMOUNTS if name != "cost"},
        }
    )


def _json(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def is_genuine(proposal: Proposal, version: ProposalVersion, lines: Sequence[ProposalLine]) -> bool:
    """Say whether a frozen version is what was hashed."""
    return version.sha256 == hashlib.sha256(canonical(proposal, version, lines)).hexdigest()
