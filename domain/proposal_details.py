"""What people say of a proposal beside its lines, and how it is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, local_times, policy, proposal_lines
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound
from domain.proposal_lines import Discount
from domain.proposal_locks import Held
from domain.unset import UNSET, Unset
from models.contacts import Contact
from models.needs import Need

MOST_SECTIONS = 50


class TooManySections(DomainError):
    """A proposal has at most {limit} sections, not {count}."""


class ValidityPassed(DomainError):
    """The proposal is valid until {day}, which is past: give it another day."""


class NeedOfAnotherLead(DomainError):
    """The need is none of this lead's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a proposal in words; it may name a need that it answers, and what sets us apart in that."""

    heading: str | None = None
    text: str | None = None
    need_id: UUID | None = None
    difference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDetails:
    """What people say of a proposal; what is UNSET is left as it is, None clears it or makes it as at first."""

    title: str | Unset | None = UNSET
    contact_id: UUID | Unset | None = UNSET
    language: str | Unset | None = UNSET
    valid_until: date | Unset | None = UNSET
    terms: str | Unset | None = UNSET
    discount: Discount | Unset | None = UNSET
    sections: Sequence[Section] | Unset | None = UNSET


async def check(faults: Faults, actor: Actor, details: ProposalDetails, held: Held, *, now: datetime) -> dict[str, Any]:
    """Check what is given of a proposal and return it as columns of its version, and `contact_id` of its own."""
    proposal, version, home = held.proposal, held.version, held.home
    columns: dict[str, Any] = {}
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if not isinstance(details.contact_id, Unset):
        columns["contact_id"] = details.contact_id
        if details.contact_id != proposal.contact_id:
            await edits.referred(faults, actor, Contact, details.contact_id, field="contactId")
    if not isinstance(details.language, Unset):
        columns["language"] = inputs.language(faults, details.language, field="language") or home.locale
    if not isinstance(details.valid_until, Unset):
        columns["valid_until"] = inputs.day(faults, details.valid_until, field="validUntil")
        today = local_times.day_of(now, home.time_zone)
        if columns["valid_until"] not in (None, version.valid_until) and columns["valid_until"] < today:
            faults.add(ValidityPassed(day=columns["valid_until"].isoformat(), field="validUntil"))
    if details.terms is not UNSET:
        columns["terms"] = inputs.text(faults, details.terms, field="terms")
    if not isinstance(details.discount, Unset):
        columns["discount_percent"], columns["discount_amount"] = proposal_lines.check_discount(
            faults, details.discount, currency=version.currency, field="discount"
        )
    if not isinstance(details.sections, Unset):
        columns["sections"] = await _sections(faults, actor, proposal.lead_id, details.sections or ())
    return columns


async def _sections(faults: Faults, actor: Actor, lead_id: UUID, given: Sequence[Section]) -> list[dict[str, Any]]:
    if len(given) > MOST_SECTIONS:
        faults.add(TooManySections(limit=MOST_SECTIONS, count=len(given), field="sections"))
        return []
    wanted = {section.need_id for section in given if section.need_id}
    needs = {row.id: row for row in await policy.visible(actor, Need).filter(id__in=list(wanted))} if wanted else {}
    found = []
    for at, section in enumerate(given):
        within = f"sections.{at}"
        need = needs.get(section.need_id) if section.need_id else None
        if section.need_id and (need is None or need.deleted_at is not None):
            faults.add(NotFound(noun="need", field=f"{within}.needId"))
        elif need is not None and need.lead_id != lead_id:
            faults.add(NeedOfAnotherLead(field=f"{within}.needId"))
        found.append(
            {
                "heading": inputs.name(faults, section.heading, field=f"{within}.heading"),
                "text": inputs.text(faults, section.text, field=f"{within}.text"),
                "need_id": str(need.id) if need else None,
                "need": need.title if need else None,
                "difference": inputs.text(faults, section.difference, field=f"{within}.difference"),
            }
        )
    return found
