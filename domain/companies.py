"""Companies: found or created by domain and name, edited, deleted and restored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import custom_values, edits, inputs, locks, money, policy, removals
from domain import external_refs as references
from domain.actors import Actor
from domain.custom_values import CustomValue, Known
from domain.edits import path
from domain.errors import AlreadyExists, DomainError, Faults
from domain.events import Event, record
from domain.external_refs import Ref
from domain.free_mail import is_free_mail
from domain.money import Money
from domain.policy import Action
from domain.unset import UNSET, Unset
from models import rows
from models.companies import Company
from models.custom_fields import CustomFieldOwner
from models.database import in_one_go, joined, transaction

MOST_EMPLOYEES = 10_000_000
OLDEST_COMPANY = 578  # Kongō Gumi
UNIQUE = {"company_pkey": "id", "company_domain_idx": "domain"}
TEXTS = {"industry": inputs.NAME_LIMIT, "location": inputs.NAME_LIMIT, "tax_number": 50}


class CompanyCreated(Event):
    name = "company.created"


class CompanyUpdated(Event):
    name = "company.updated"


class CompanyDeleted(Event):
    name = "company.deleted"


class CompanyRestored(Event):
    name = "company.restored"


class FreeMailDomain(DomainError):
    """{domain} belongs to a mail provider, so it cannot tell one company from another."""


class ParentCycle(DomainError):
    """A company cannot be the parent of itself or of a company that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyDetails:
    """What people say of a company; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    domain: str | Unset | None = UNSET
    website: str | Unset | None = UNSET
    phone: str | Unset | None = UNSET
    industry: str | Unset | None = UNSET
    country: str | Unset | None = UNSET
    location: str | Unset | None = UNSET
    employees: int | Unset | None = UNSET
    revenue: Money | Unset | None = UNSET
    founded_year: int | Unset | None = UNSET
    tax_number: str | Unset | None = UNSET
    billing_address: Mapping[str, Any] | Unset | None = UNSET
    shipping_address: Mapping[str, Any] | Unset | None = UNSET
    parent_id: UUID | Unset | None = UNSET
    owner_id: UUID | Unset | None = UNSET
    custom: Sequence[CustomValue] | Unset = UNSET


def check(
    faults: Faults, details: CompanyDetails, *, now: datetime, country: str | None = None, within: str = ""
) -> dict[str, Any]:
    """Check what is given and return it as columns; a phone without + is of the company's `country`."""
    columns: dict[str, Any] = {}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field=path(within, "name"))
        columns["name_normalised"] = inputs.normalised_name(columns["name"])
    if details.domain is not UNSET:
        columns["domain"] = _domain(faults, details.domain, field=path(within, "domain"))
    if details.website is not UNSET:
        columns["website"] = inputs.url(faults, details.website, field=path(within, "website"))
    if details.country is not UNSET:
        country = inputs.country(faults, details.country, field=path(within, "country"))
        columns["country"] = country
    if details.phone is not UNSET:
        given = inputs.phone(faults, details.phone, field=path(within, "phone"), region=country)
        columns["phone"], columns["phone_normalised"] = given
    for name, limit in TEXTS.items():
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = inputs.text(faults, value, field=path(within, edits.camel(name)), limit=limit)
    columns |= _figures(faults, details, now=now, within=within)
    for name in ("billing_address", "shipping_address"):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = inputs.address(faults, value, field=path(within, edits.camel(name)))
    return columns


def _figures(faults: Faults, details: CompanyDetails, *, now: datetime, within: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if details.employees is not UNSET:
        columns["employees"] = inputs.whole(
            faults, details.employees, field=path(within, "employees"), least=0, most=MOST_EMPLOYEES
        )
    if details.founded_year is not UNSET:
        columns["founded_year"] = inputs.whole(
            faults,
            details.founded_year,
            field=path(within, "foundedYear"),
            least=OLDEST_COMPANY,
            most=now.year,
        )
    if details.revenue is not UNSET:
        revenue = money.check(faults, details.revenue, field=path(within, "revenue"))
        columns["revenue"] = revenue.amount if revenue else None
        columns["revenue_currency"] = revenue.currency if revenue else None
    return columns


def _domain(faults: Faults, value: str | None, *, field: str) -> str | None:
    domain = inputs.domain(faults, value, field=field)
    if domain is not None and is_free_mail(domain):
        faults.add(FreeMailDomain(domain=domain, field=field))
    return domain


async def create(
    actor: Actor,
    details: CompanyDetails,
    *,
    id: UUID | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Company:
    """Create a company.

    Raises Forbidden, AlreadyExists (id, domain), ExternalRefTaken, and faults of the input.
    """
    policy.require(actor, Action.CREATE_COMPANY)
    faults = Faults()
    key = edits.new_id(faults, id)
    columns = {"name": inputs.name(faults, None, field="name")} if details.name is UNSET else {}
    columns |= check(faults, details, now=now)
    refs = references.check(faults, external_refs)
    columns |= await _referred(faults, actor, details)
    await custom_values.check(faults, actor, CustomFieldOwner.COMPANY, details.custom)
    faults.raise_any()
    with edits.collisions("company", UNIQUE):
        async with transaction():
            custom = await custom_values.settled(actor, CustomFieldOwner.COMPANY, details.custom)
            company = await _insert(actor, key, columns, custom, now=now)
            await references.attach(actor, company, refs)
    return company


@in_one_go
async def update(
    actor: Actor,
    company_id: UUID,
    details: CompanyDetails,
    *,
    expected_version: int | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Company:
    """Change what is given of a company; references are added to those it has.

    Raises NotFound, Stale, Forbidden, AlreadyExists (domain), ParentCycle, ExternalRefTaken, and faults.
    """
    faults = Faults()
    refs = references.check(faults, external_refs)
    with edits.collisions("company", UNIQUE):
        async with transaction():
            if details.parent_id is not UNSET:
                await locks.hold(actor.workspace_id, "company.parents")
            await references.hold(actor, Company, refs)
            custom = await custom_values.known(actor, CustomFieldOwner.COMPANY, details.custom)
            company = await policy.locked(actor, Company, company_id, expected_version=expected_version, field="id")
            policy.require(actor, Action.UPDATE_COMPANY, company)
            columns = check(faults, details, now=now, country=company.country)
            columns |= await _referred(faults, actor, details, current=company)
            columns |= custom.columns(faults, company.custom)
            faults.raise_any()
            await _forbid_cycle(company, columns.get("parent_id"))
            await references.edit(CompanyUpdated, actor, company, columns, refs, told=custom.told, now=now)
    return company


async def delete(actor: Actor, company_id: UUID, *, expected_version: int | None = None, now: datetime) -> Company:
    """Delete a company; its leads and contacts stay. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        CompanyDeleted,
        actor,
        Action.DELETE_COMPANY,
        Company,
        company_id,
        column="deleted_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, company_id: UUID, *, now: datetime) -> Company:
    """Bring a deleted company back; one that is not deleted stays as it is.

    Raises NotFound, Forbidden, AlreadyExists where another company has its domain by now.
    """
    return await removals.restore(
        CompanyRestored, actor, Action.DELETE_COMPANY, Company, company_id, column="deleted_at", unique=UNIQUE, now=now
    )


async def find_or_create(
    actor: Actor,
    *,
    name: str | None = None,
    domain: str | None = None,
    website: str | None = None,
    phone: str | None = None,
    industry: str | None = None,
    country: str | None = None,
    location: str | None = None,
    owner_id: UUID | None = None,
    within: str = "",
    now: datetime,
) -> Company:
    """Return the company of this domain, else the oldest of this name without another domain, else a new one.

    It fills the gaps of the company that it finds and overwrites nothing. A mail provider's domain counts as
    none, and without a name the domain is the name. Two at once make one company. It asks for no permission
    of its own: whoever may capture a lead may say whose it is.
    """
    faults = Faults()
    identity = inputs.domain(faults, domain, field=path(within, "domain"))
    if identity is not None and is_free_mail(identity):
        identity = None
    details = CompanyDetails(
        name=name if name and name.strip() else identity,
        domain=identity,
        website=website,
        phone=phone,
        industry=industry,
        country=country,
        location=location,
    )
    columns = check(faults, details, now=now, within=within)
    faults.raise_any()
    async with joined():
        await locks.hold(actor.workspace_id, *_identities(columns["name"], columns["domain"]))
        company = await _match(actor, columns)
        if company is None:
            return await _insert_or_find(actor, columns | {"owner_id": owner_id}, now=now)
        return await _fill(actor, company, columns, now=now)


def identities(*, name: str | None, domain: str | None) -> list[str]:
    """Return the locks that find_or_create takes; who takes others besides takes all of them together before."""
    known = inputs.normalised_domain(domain) if domain else None
    known = None if known is None or is_free_mail(known) else known
    return _identities(name if name and name.strip() else known or "", known)


def _identities(name: str, domain: str | None) -> list[str]:
    by_name = f"company.name:{inputs.normalised_name(name)}"
    return [by_name, f"company.domain:{domain}"] if domain else [by_name]


MATCH = """
(SELECT {columns}, 1 AS place FROM company WHERE workspace_id = $1 AND domain = $2 AND deleted_at IS NULL)
UNION ALL
(SELECT {columns}, 2 FROM company
 WHERE workspace_id = $1 AND name_normalised = $3 AND deleted_at IS NULL AND ($2::text IS NULL OR domain IS NULL)
 ORDER BY created_at, id LIMIT 1)
ORDER BY place LIMIT 1
"""


async def _match(actor: Actor, columns: Mapping[str, Any]) -> Company | None:
    found = await rows.select(Company, MATCH, actor.workspace_id, columns["domain"], columns["name_normalised"])
    return found[0] if found else None


async def _insert_or_find(actor: Actor, columns: dict[str, Any], *, now: datetime) -> Company:
    row = _new(actor, edits.new_id(Faults(), None), columns, now=now)
    if await edits.insert_unless_known(row, CompanyCreated(actor, row.id, edits.facts(row, columns)), now=now):
        return row
    # Somebody created the company by hand between our look and our insert; now it can be seen.
    found = await _match(actor, columns)
    if found is None:
        raise AlreadyExists(noun="company", what="domain", field="domain")
    return found


async def _fill(actor: Actor, company: Company, columns: Mapping[str, Any], *, now: datetime) -> Company:
    if not edits.gaps(company, columns):
        return company
    try:
        with edits.collisions("company", UNIQUE):
            async with transaction():
                row = await Company.filter(id=company.id).select_for_update(no_key=True).get()
                await references.edit(CompanyUpdated, actor, row, edits.gaps(row, columns), now=now)
                return row
    except AlreadyExists:
        # The domain went to another company meanwhile: that one is it.
        return await _match(actor, columns) or company


async def _insert(actor: Actor, key: UUID, columns: dict[str, Any], custom: Known, *, now: datetime) -> Company:
    columns |= custom.columns(Faults(), {})
    company = _new(actor, key, columns, now=now)
    await edits.insert(company)
    facts = edits.facts(company, columns)
    await record(CompanyCreated(actor, company.id, facts | {"changes": custom.told(facts["changes"])}), now=now)
    return company


def _new(actor: Actor, key: UUID, columns: Mapping[str, Any], *, now: datetime) -> Company:
    return Company(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)


async def _referred(
    faults: Faults, actor: Actor, details: CompanyDetails, *, current: Company | None = None
) -> dict[str, Any]:
    """Check parent and owner; those that the company has already may have left since."""
    columns: dict[str, Any] = {}
    if details.parent_id is not UNSET:
        columns["parent_id"] = details.parent_id
        if current is None or current.parent_id != details.parent_id:
            await edits.referred(faults, actor, Company, details.parent_id, field="parentId")
    if details.owner_id is not UNSET:
        columns["owner_id"] = details.owner_id
        if current is None or current.owner_id != details.owner_id:
            await edits.owner(faults, actor, details.owner_id, field="ownerId")
    return columns


ANCESTORS = """
WITH RECURSIVE above AS (
    SELECT id, parent_id FROM company WHERE id = $1
    UNION
    SELECT company.id, company.parent_id FROM company JOIN above ON company.id = above.parent_id
)
SELECT 1 FROM above WHERE id = $2
"""


async def _forbid_cycle(company: Company, parent_id: UUID | None) -> None:
    if parent_id is None:
        return
    if await get_connection("default").execute_query_dict(ANCESTORS, [parent_id, company.id]):
        raise ParentCycle(field="parentId")
