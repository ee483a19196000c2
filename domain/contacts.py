"""Contacts: people found or created by email and phone, edited, deleted and restored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import custom_values, edits, inputs, locks, policy, removals
from domain import external_refs as references
from domain.actors import Actor
from domain.custom_values import CustomValue, Known
from domain.edits import path
from domain.errors import AlreadyExists, Faults
from domain.events import Event, record
from domain.external_refs import Ref
from domain.policy import Action
from domain.unset import UNSET, Unset
from models import rows
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomFieldOwner
from models.database import in_one_go, joined, transaction

UNIQUE = {"contact_pkey": "id", "contact_email_idx": "email"}


class ContactCreated(Event):
    name = "contact.created"


class ContactUpdated(Event):
    name = "contact.updated"


class ContactDeleted(Event):
    name = "contact.deleted"


class ContactRestored(Event):
    name = "contact.restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetails:
    """What people say of a contact; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    job_title: str | Unset | None = UNSET
    email: str | Unset | None = UNSET
    phone: str | Unset | None = UNSET
    language: str | Unset | None = UNSET
    company_id: UUID | Unset | None = UNSET
    owner_id: UUID | Unset | None = UNSET
    custom: Sequence[CustomValue] | Unset = UNSET


def check(faults: Faults, details: ContactDetails, *, country: str | None = None, within: str = "") -> dict[str, Any]:
    """Check what is given and return it as columns; a phone without + is of `country`."""
    columns: dict[str, Any] = {}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field=path(within, "name"))
    if details.job_title is not UNSET:
        columns["job_title"] = inputs.text(
            faults, details.job_title, field=path(within, "jobTitle"), limit=inputs.NAME_LIMIT
        )
    if details.email is not UNSET:
        email = inputs.email(faults, details.email, field=path(within, "email"))
        columns["email"], columns["email_normalised"] = email
    if details.phone is not UNSET:
        phone = inputs.phone(faults, details.phone, field=path(within, "phone"), region=country)
        columns["phone"], columns["phone_normalised"] = phone
    if details.language is not UNSET:
        columns["language"] = inputs.language(faults, details.language, field=path(within, "language"))
    return columns


async def create(
    actor: Actor,
    details: ContactDetails,
    *,
    id: UUID | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Contact:
    """Create a contact.

    Raises Forbidden, AlreadyExists (id, email), ExternalRefTaken, and faults of the input.
    """
    policy.require(actor, Action.CREATE_CONTACT)
    faults = Faults()
    key = edits.new_id(faults, id)
    columns = {"name": inputs.name(faults, None, field="name")} if details.name is UNSET else {}
    referred = await _referred(faults, actor, details)
    columns |= check(faults, details, country=await _country(actor, referred.get("company_id"))) | referred
    refs = references.check(faults, external_refs)
    await custom_values.check(faults, actor, CustomFieldOwner.CONTACT, details.custom)
    faults.raise_any()
    with edits.collisions("contact", UNIQUE):
        async with transaction():
            custom = await custom_values.settled(actor, CustomFieldOwner.CONTACT, details.custom)
            contact = await _insert(actor, key, columns, custom, now=now)
            await references.attach(actor, contact, refs)
    return contact


@in_one_go
async def update(
    actor: Actor,
    contact_id: UUID,
    details: ContactDetails,
    *,
    expected_version: int | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Contact:
    """Change what is given of a contact; references are added to those they have.

    Raises NotFound, Stale, Forbidden, AlreadyExists (email), ExternalRefTaken, and faults of the input.
    """
    faults = Faults()
    refs = references.check(faults, external_refs)
    with edits.collisions("contact", UNIQUE):
        async with transaction():
            await references.hold(actor, Contact, refs)
            custom = await custom_values.known(actor, CustomFieldOwner.CONTACT, details.custom)
            contact = await policy.locked(actor, Contact, contact_id, expected_version=expected_version, field="id")
            policy.require(actor, Action.UPDATE_CONTACT, contact)
            referred = await _referred(faults, actor, details, current=contact)
            country = await _country(actor, referred.get("company_id", contact.company_id))
            columns = check(faults, details, country=country) | referred | custom.columns(faults, contact.custom)
            faults.raise_any()
            await references.edit(ContactUpdated, actor, contact, columns, refs, told=custom.told, now=now)
    return contact


async def delete(actor: Actor, contact_id: UUID, *, expected_version: int | None = None, now: datetime) -> Contact:
    """Delete a contact; their leads stay. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        ContactDeleted,
        actor,
        Action.DELETE_CONTACT,
        Contact,
        contact_id,
        column="deleted_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, contact_id: UUID, *, now: datetime) -> Contact:
    """Bring a deleted contact back; one that is not deleted stays as it is.

    Raises NotFound, Forbidden, AlreadyExists where another contact has their email by now.
    """
    return await removals.restore(
        ContactRestored, actor, Action.DELETE_CONTACT, Contact, contact_id, column="deleted_at", unique=UNIQUE, now=now
    )


async def find_or_create(
    actor: Actor,
    *,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    job_title: str | None = None,
    language: str | None = None,
    company_id: UUID | None = None,
    owner_id: UUID | None = None,
    country: str | None = None,
    within: str = "",
    now: datetime,
) -> Contact:
    """Return the contact of this email, else the oldest of this phone without another email, else a new one.

    It fills the gaps of the contact that it finds and overwrites nothing. A phone without + is of `country`;
    without a name the email or phone is the name. Two at once make one contact. It asks for no permission of
    its own: whoever may capture a lead may say who it came from. `company_id` and `owner_id` are not checked.
    """
    faults = Faults()
    known_as = name if name and name.strip() else (email or phone or "")[: inputs.NAME_LIMIT]
    details = ContactDetails(name=known_as, job_title=job_title, email=email, phone=phone, language=language)
    columns = check(faults, details, country=country, within=within) | {"company_id": company_id}
    faults.raise_any()
    async with joined():
        await locks.hold(actor.workspace_id, *_identities(columns["email_normalised"], columns["phone_normalised"]))
        contact = await _match(actor, columns)
        if contact is None:
            return await _insert_or_find(actor, columns | {"owner_id": owner_id}, now=now)
        return await _fill(actor, contact, columns, now=now)


def identities(*, email: str | None, phone: str | None, country: str | None = None) -> list[str]:
    """Return the locks that find_or_create takes; who takes others besides takes all of them together before."""
    return _identities(
        inputs.normalised_email(email) if email else None,
        inputs.normalised_phone(phone, country) if phone else None,
    )


def _identities(email: str | None, phone: str | None) -> list[str]:
    by_email, by_phone = f"contact.email:{email}", f"contact.phone:{phone}"
    return [name for name, known in ((by_email, email), (by_phone, phone)) if known]


MATCH = """
(SELECT {columns}, 1 AS place FROM contact WHERE workspace_id = $1 AND email_normalised = $2 AND deleted_at IS NULL)
UNION ALL
(SELECT {columns}, 2 FROM contact
 WHERE workspace_id = $1 AND phone_normalised = $3 AND deleted_at IS NULL
   AND ($2::text IS NULL OR email_normalised IS NULL)
 ORDER BY created_at, id LIMIT 1)
ORDER BY place LIMIT 1
"""


async def _match(actor: Actor, columns: Mapping[str, Any]) -> Contact | None:
    known_by = (columns["email_normalised"] or None, columns["phone_normalised"] or None)
    found = await rows.select(Contact, MATCH, actor.workspace_id, *known_by)
    return found[0] if found else None


async def _insert_or_find(actor: Actor, columns: dict[str, Any], *, now: datetime) -> Contact:
    row = _new(actor, edits.new_id(Faults(), None), columns, now=now)
    if await edits.insert_unless_known(row, ContactCreated(actor, row.id, edits.facts(row, columns)), now=now):
        return row
    # Somebody created the contact by hand between our look and our insert; now they can be seen.
    found = await _match(actor, columns)
    if found is None:
        raise AlreadyExists(noun="contact", what="email", field="email")
    return found


async def _fill(actor: Actor, contact: Contact, columns: Mapping[str, Any], *, now: datetime) -> Contact:
    if not edits.gaps(contact, columns):
        return contact
    try:
        with edits.collisions("contact", UNIQUE):
            async with transaction():
                # Their company is locked before them, as by those who refresh relationships.
                await Company.filter(id=contact.company_id).select_for_update(no_key=True).first()
                row = await Contact.filter(id=contact.id).select_for_update(no_key=True).get()
                await references.edit(ContactUpdated, actor, row, edits.gaps(row, columns), now=now)
                return row
    except AlreadyExists:
        # The email went to another contact meanwhile: that one is it.
        return await _match(actor, columns) or contact


async def _insert(actor: Actor, key: UUID, columns: dict[str, Any], custom: Known, *, now: datetime) -> Contact:
    columns |= custom.columns(Faults(), {})
    contact = _new(actor, key, columns, now=now)
    await edits.insert(contact)
    facts = edits.facts(contact, columns)
    await record(ContactCreated(actor, contact.id, facts | {"changes": custom.told(facts["changes"])}), now=now)
    return contact


def _new(actor: Actor, key: UUID, columns: Mapping[str, Any], *, now: datetime) -> Contact:
    return Contact(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)


async def _referred(
    faults: Faults, actor: Actor, details: ContactDetails, *, current: Contact | None = None
) -> dict[str, Any]:
    """Check company and owner; those that the contact has already may have left since."""
    columns: dict[str, Any] = {}
    if details.company_id is not UNSET:
        columns["company_id"] = details.company_id
        if current is None or current.company_id != details.company_id:
            await edits.referred(faults, actor, Company, details.company_id, field="companyId")
    if details.owner_id is not UNSET:
        columns["owner_id"] = details.owner_id
        if current is None or current.owner_id != details.owner_id:
            await edits.owner(faults, actor, details.owner_id, field="ownerId")
    return columns


async def _country(actor: Actor, company_id: UUID | None) -> str | None:
    if company_id is None:
        return None
    company = await Company.get_or_none(id=company_id, workspace_id=actor.workspace_id)
    return company.country if company else None
