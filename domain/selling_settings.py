"""How a workspace sells: how it rounds and taxes, what its documents say, and what moves its leads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, files, inputs, locks, policy
from domain.actors import Actor
from domain.errors import Faults, Malformed, Stale
from domain.events import Event, changes, record
from domain.policy import Action
from domain.unset import UNSET, Unset
from models import rows
from models.base import uuid7
from models.database import transaction
from models.files import UploadPurpose
from models.selling import Rounding, SellingSettings, WonAt
from models.users import Role

LOCK = "selling_settings"
MOST_DAYS = 3_660
COLOR = re.compile(r"#[0-9a-f]{6}")
OWN = "SELECT {columns} FROM selling_settings WHERE workspace_id = $1"
PLAIN = ("rounding", "tax_inclusive", "won_at")
FOLLOWS = ("follows_proposal", "follows_negotiation", "follows_agreement", "value_follows")
# Whole numbers that people set, with their ends; a reminder of 0 days is never sent.
NUMBERS = {
    "validity_days": (1, MOST_DAYS),
    "payment_days": (0, MOST_DAYS),
    "validity_reminder_days": (0, 365),
    "payment_reminder_days": (1, 365),
    "most_payment_reminders": (0, 20),
}
# What is said of the seller, and how long it may be.
SELLER = {"name": inputs.NAME_LIMIT, "tax_number": 50, "bank": 1_000}


class SellingSettingsUpdated(Event):
    name = "selling_settings.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerDetails:
    """Who sells, as documents show them."""

    name: str | None = None
    address: Mapping[str, Any] | None = None
    tax_number: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    bank: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SellingDetails:
    """How a workspace sells; what is UNSET is left as it is, None is as at first."""

    rounding: Rounding | Unset | None = UNSET
    tax_inclusive: bool | Unset | None = UNSET
    tax_rate: Decimal | Unset | None = UNSET
    validity_days: int | Unset | None = UNSET
    payment_days: int | Unset | None = UNSET
    terms: str | Unset | None = UNSET
    color: str | Unset | None = UNSET
    logo_upload_id: UUID | Unset | None = UNSET
    seller: SellerDetails | Unset | None = UNSET
    most_discount: Mapping[Role, Decimal] | Unset | None = UNSET
    won_at: WonAt | Unset | None = UNSET
    follows_proposal: bool | Unset | None = UNSET
    follows_negotiation: bool | Unset | None = UNSET
    follows_agreement: bool | Unset | None = UNSET
    value_follows: bool | Unset | None = UNSET
    validity_reminder_days: int | Unset | None = UNSET
    payment_reminder_days: int | Unset | None = UNSET
    most_payment_reminders: int | Unset | None = UNSET


async def of(workspace_id: UUID) -> SellingSettings:
    """Return how a workspace sells; where nobody has set it, as at first, at version 0 and no row."""
    found = await rows.select(SellingSettings, OWN, workspace_id)
    return found[0] if found else usual(workspace_id)


def usual(workspace_id: UUID) -> SellingSettings:
    """Return how a workspace sells that has set nothing."""
    beginning = datetime.fromtimestamp(0, UTC)
    return SellingSettings(
        id=uuid7(), workspace_id=workspace_id, version=0, created_at=beginning, updated_at=beginning, logo_id=None
    )


async def update(
    actor: Actor, details: SellingDetails, *, expected_version: int | None = None, now: datetime
) -> SellingSettings:
    """Change how the workspace sells, from the next draft and document on.

    Raises Forbidden, Stale, NotFound (logo), UploadUnfinished, UploadEnded, UploadForOther, and faults.
    """
    policy.require(actor, Action.MANAGE_SELLING)
    faults = Faults()
    columns = _checked(faults, details)
    async with transaction():
        row = await held(actor.workspace_id)
        if expected_version is not None and row.version != expected_version:
            stale = Stale(noun="selling settings", version=row.version, expected=expected_version)
            stale.field, stale.current = ("expectedVersion",), row
            raise stale
        faults.raise_any()
        if not isinstance(details.logo_upload_id, Unset):
            columns["logo_id"] = details.logo_upload_id
            await _change_logo(actor, row, details.logo_upload_id, now=now)
        await change(actor, row, columns, now=now)
    return row


async def held(workspace_id: UUID) -> SellingSettings:
    """Return how a workspace sells, which nobody else changes until the transaction ends."""
    await locks.hold(workspace_id, LOCK)
    return await of(workspace_id)


async def change(actor: Actor, row: SellingSettings, columns: Mapping[str, Any], *, now: datetime) -> None:
    """Write columns of held settings as one edit; the first one makes the row."""
    changed = changes({name: getattr(row, name) for name in columns}, dict(columns))
    if not changed:
        return
    if row.version == 0:
        row.update_from_dict({**columns, "version": 1, "created_at": now, "updated_at": now})
        await edits.insert(row)
    else:
        await edits.apply(row, columns, now=now)
    await record(SellingSettingsUpdated(actor, row.id, {"changes": changed, "version": row.version}), now=now)


async def _change_logo(actor: Actor, row: SellingSettings, upload_id: UUID | None, *, now: datetime) -> None:
    """Keep what becomes the logo, and let the file go that was it."""
    if upload_id == row.logo_id:
        return
    if upload_id is not None:
        await files.take(actor, upload_id, UploadPurpose.LOGO, field="logoUploadId", now=now)
    if row.logo_id is not None:
        await files.let_go(row.logo_id, until=now)


def _checked(faults: Faults, details: SellingDetails) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in (*PLAIN, *FOLLOWS, *NUMBERS):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = SellingSettings._meta.fields_map[name].default if value is None else value
    for name, (least, most) in NUMBERS.items():
        inputs.whole(faults, columns.get(name), field=edits.camel(name), least=least, most=most)
    if not isinstance(details.tax_rate, Unset):
        columns["tax_rate"] = inputs.percent(faults, details.tax_rate, field="taxRate") or Decimal(0)
    if details.terms is not UNSET:
        columns["terms"] = inputs.text(faults, details.terms, field="terms")
    if not isinstance(details.color, Unset):
        columns["color"] = (details.color or "").strip().lower() or None
        if columns["color"] and not COLOR.fullmatch(columns["color"]):
            faults.add(Malformed(field="color", what="a colour such as #3b82f6"))
    if not isinstance(details.seller, Unset):
        columns["seller"] = _seller(faults, details.seller or SellerDetails())
    if not isinstance(details.most_discount, Unset):
        given = dict(details.most_discount or {})
        checked = {role: inputs.percent(faults, given[role], field="mostDiscount") for role in Role if role in given}
        columns["most_discount"] = {role.value: str(percent) for role, percent in checked.items()}
    return columns


def _seller(faults: Faults, details: SellerDetails) -> dict[str, Any]:
    """Check who sells and return it without what is not said."""
    said: dict[str, Any] = {
        name: inputs.text(faults, getattr(details, name), field=f"seller.{edits.camel(name)}", limit=limit)
        for name, limit in SELLER.items()
    }
    said["address"] = inputs.address(faults, dict(details.address) if details.address else None, field="seller.address")
    said["email"], _ = inputs.email(faults, details.email, field="seller.email")
    said["phone"], _ = inputs.phone(faults, details.phone, field="seller.phone")
    said["website"] = inputs.url(faults, details.website, field="seller.website")
    return {name: value for name, value in said.items() if value is not None}
