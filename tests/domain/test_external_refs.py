"""External references: one row per system and name, found again by upserts."""

import asyncio

import pytest

from domain import companies, external_refs, products
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.errors import Faults, Invalid, Required, TooLong
from domain.external_refs import ExternalRefTaken, Ref, TooManyExternalRefs
from domain.products import ProductDetails
from models.companies import Company
from models.external_refs import ExternalRef
from models.products import Product
from tests.factories import NOW, member

REF = Ref("erp", "4711")

pytestmark = pytest.mark.usefixtures("db")


async def company(actor: Actor, name: str = "Acme", *refs: Ref) -> Company:
    return await companies.create(actor, CompanyDetails(name=name), external_refs=refs, now=NOW)


async def test_a_row_is_found_by_what_a_system_calls_it() -> None:
    actor = await member()
    row = await company(actor, "Acme", REF, Ref("crm", "A-1"))

    for ref in (REF, Ref("crm", "A-1"), Ref("erp", "4711")):
        found = await external_refs.find(actor, Company, ref)
        assert found is not None
        assert found.id == row.id
    for other in (Ref("ERP", "4711"), Ref("erp", "4712")):
        assert await external_refs.find(actor, Company, other) is None
    assert await external_refs.find(actor, Product, REF) is None
    assert await external_refs.find(await member(), Company, REF) is None


async def test_the_same_name_may_be_a_products_a_companys_and_another_workspaces() -> None:
    actor = await member()
    await company(actor, "Acme", REF)
    await company(await member(), "Acme", REF)
    await products.create(actor, ProductDetails(name="Pump"), external_refs=[REF], now=NOW)

    assert await ExternalRef.filter(workspace_id=actor.workspace_id).count() == 2


async def test_a_deleted_row_gives_its_references_up() -> None:
    actor = await member()
    gone = await company(actor, "Gone", REF)
    await companies.delete(actor, gone.id, now=NOW)
    assert await external_refs.find(actor, Company, REF) is None

    heir = await company(actor, "Heir", REF)

    found = await external_refs.find(actor, Company, REF)
    assert found is not None
    assert found.id == heir.id


async def test_of_many_that_claim_a_reference_at_once_one_gets_it() -> None:
    actor = await member()

    outcomes = await asyncio.gather(*(company(actor, f"Acme {n}", REF) for n in range(5)), return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, ExternalRefTaken)]
    assert len(refused) == 4
    assert await Company.filter(workspace_id=actor.workspace_id).count() == 1


async def test_bad_references_are_refused() -> None:
    faults = Faults()
    assert external_refs.check(faults, [REF, REF]) == [REF]
    assert not list(faults)

    external_refs.check(faults, [Ref(" ", "1"), Ref("erp", "x" * 501)], within="input")
    with pytest.raises(Invalid) as caught:
        faults.raise_any()
    assert [(type(fault), fault.field) for fault in caught.value.faults] == [
        (Required, ("input", "externalRefs", "0", "system")),
        (TooLong, ("input", "externalRefs", "1", "externalId")),
    ]
    with pytest.raises(TooManyExternalRefs):
        await company(await member(), "Acme", *(Ref("erp", str(n)) for n in range(51)))
