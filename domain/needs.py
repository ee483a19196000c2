"""Needs: what hurts or interests a lead. Who may edit the lead may edit its needs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, leads, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.database import transaction
from models.leads import Lead
from models.needs import Need, NeedKind
from models.products import Product

MOST_NEEDS = 100
USUAL_IMPORTANCE = 3
UNIQUE = {"need_pkey": "id"}


class NeedCreated(Event):
    name = "need.created"


class NeedUpdated(Event):
    name = "need.updated"


class NeedDeleted(Event):
    name = "need.deleted"


class NeedRestored(Event):
    name = "need.restored"


class TooManyNeeds(DomainError):
    """A lead names at most {limit} needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedDetails:
    """What people say of a need; what is UNSET is left as it is, None clears it."""

    kind: NeedKind | Unset = UNSET
    title: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    importance: int | Unset | None = UNSET
    answer: str | Unset | None = UNSET
    product_id: UUID | Unset | None = UNSET


def check(faults: Faults, details: NeedDetails) -> dict[str, Any]:
    """Check what is given and return it as columns; importance is 1 to 5, None the usual 3.

    The product that answers it is looked up beside it.
    """
    columns: dict[str, Any] = given(kind=details.kind)
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    for name in ("description", "answer"):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = inputs.text(faults, value, field=name)
    if details.importance is not UNSET:
        importance = USUAL_IMPORTANCE if details.importance is None else details.importance
        columns["importance"] = inputs.whole(faults, importance, field="importance", least=1, most=5)
    return columns


async def create(actor: Actor, lead_id: UUID, details: NeedDetails, *, id: UUID | None = None, now: datetime) -> Need:
    """Name a need of a lead. Raises NotFound, Forbidden, AlreadyExists (id), TooManyNeeds, and faults."""
    faults = Faults()
    key = edits.new_id(faults, id)
    titled = NeedDetails(title=None) if details.title is UNSET else NeedDetails()
    columns = check(faults, titled) | check(faults, details)
    columns |= await _checked_product(faults, actor, details)
    with edits.collisions("need", UNIQUE):
        async with transaction():
            lead = await policy.locked(actor, Lead, lead_id, field="leadId")
            policy.require(actor, Action.UPDATE_LEAD, lead)
            await _forbid_more(faults, lead.id)
            faults.raise_any()
            need = Need(
                id=key,
                workspace_id=actor.workspace_id,
                lead_id=lead.id,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await edits.insert(need)
            await record(NeedCreated(actor, need.id, _facts(need, edits.facts(need, columns))), now=now)
    return need


async def update(
    actor: Actor,
    need_id: UUID,
    details: NeedDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Need:
    """Change what is given of a need. Raises NotFound, Stale, Forbidden, and faults of the input."""
    faults = Faults()
    columns = check(faults, details)
    async with transaction():
        need = await _locked(actor, need_id, expected_version=expected_version)
        columns |= await _checked_product(faults, actor, details, current=need.product_id)
        faults.raise_any()
        if changed := await edits.apply(need, columns, now=now):
            facts = _facts(need, {"changes": changed, "version": need.version})
            await record(NeedUpdated(actor, need.id, facts), now=now)
    return need


async def delete(actor: Actor, need_id: UUID, *, expected_version: int | None = None, now: datetime) -> Need:
    """Delete a need. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        need = await _locked(actor, need_id, expected_version=expected_version)
        await edits.apply(need, {"deleted_at": now}, now=now)
        await record(NeedDeleted(actor, need.id, _facts(need, {"version": need.version})), now=now)
    return need


async def restore(actor: Actor, need_id: UUID, *, now: datetime) -> Need:
    """Bring a deleted need back; one that is not deleted stays as it is. Raises NotFound, Forbidden, TooManyNeeds."""
    async with transaction():
        need = await _locked(actor, need_id, deleted=True)
        if need.deleted_at is not None:
            faults = Faults()
            await _forbid_more(faults, need.lead_id)
            faults.raise_any()
            await edits.apply(need, {"deleted_at": None}, now=now)
            await record(NeedRestored(actor, need.id, _facts(need, {"version": need.version})), now=now)
    return need


async def _locked(actor: Actor, need_id: UUID, *, expected_version: int | None = None, deleted: bool = False) -> Need:
    """Return a need to be edited, with its lead locked before it."""
    known = await policy.visible(actor, Need).filter(id=need_id).first()
    if known is not None:
        policy.require(actor, Action.UPDATE_LEAD, await policy.locked(actor, Lead, known.lead_id, field="id"))
    return await policy.locked(actor, Need, need_id, expected_version=expected_version, deleted=deleted, field="id")


async def _checked_product(
    faults: Faults, actor: Actor, details: NeedDetails, *, current: UUID | None = None
) -> dict[str, Any]:
    """Check which product answers a need and return it as a column; the `current` one may be archived since."""
    columns = given(product_id=details.product_id)
    if isinstance(details.product_id, UUID) and details.product_id != current:
        product = await edits.referred(faults, actor, Product, details.product_id, field="productId")
        leads.refuse_archived(faults, product, field="productId")
    return columns


async def _forbid_more(faults: Faults, lead_id: UUID) -> None:
    if await Need.filter(lead_id=lead_id, deleted_at=None).count() >= MOST_NEEDS:
        faults.add(TooManyNeeds(limit=MOST_NEEDS))


def _facts(need: Need, facts: dict[str, Any]) -> dict[str, Any]:
    return {"lead_id": need.lead_id, **facts}
