"""The contract's page as customers meet it: over HTTP, and in a real browser, without scripts."""

import asyncio
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from playwright.async_api import Browser

from domain import contracts, proposal_links, selling_settings
from domain.actors import Actor
from domain.contracts import ContractDetails, Signing
from domain.selling_settings import SellerDetails, SellingDetails
from models.base import uuid7
from models.contracts import Contract, ContractState
from models.proposal_links import Evidence, EvidenceKind, Party
from tests.api.browser import SCREENS, faults, kept, screen
from tests.api.serving import Client
from tests.closing import accepted, line, link_to
from tests.factories import seller

SCRIPT = "<script>document.title='taken'</script>"
TERMS = "Half on order, half on delivery.\n\n- Delivery within six weeks\n- Warranty of 25 years"

pytestmark = pytest.mark.usefixtures("db")


async def opened(actor: Actor | None = None, *, language: str = "en", **details: Any) -> tuple[Contract, str]:
    """Make a contract on an accepted proposal and return it with the path of its page."""
    actor, now = actor or await seller(), datetime.now(UTC)
    wallbox = line("Wallbox", "890", optional=True, chosen=False, key=uuid7())
    lines = [line("Solar panel", "220", description="N-type, 440 W"), line("Fitting", "1450", "7"), wallbox]
    proposal = await accepted(actor, *lines, language=language, now=now)
    said = ContractDetails(title="A solar roof", terms=TERMS, **details)
    made = await contracts.create(actor, proposal.id, said, now=now)
    return made, f"{proposal_links.path_of((await link_to(made)).id)}/contract"


async def company() -> Actor:
    actor = await seller()
    given = SellerDetails(name="Sonnendach GmbH", email="hello@sonnendach.example", tax_number="DE123456789")
    await selling_settings.update(actor, SellingDetails(seller=given, color="#0b6e4f"), now=datetime.now(UTC))
    return actor


def form(made: Contract, **more: str) -> dict[str, str]:
    return {"contract": str(made.id), "sha256": made.sha256, "name": "Berta Buyer"} | more


async def test_the_page_shows_what_is_signed_and_takes_it_once(client: Client) -> None:
    made, path = await opened(starts_on=date(2026, 4, 1))

    page = await client.http.get(path)
    answers = await asyncio.gather(
        *(client.http.post(path, data=form(made), headers={"User-Agent": "Ada's phone"}) for _ in range(3))
    )
    after = await client.http.get(f"{path}?signed=1")

    assert page.status_code == 200
    for told in (made.number, made.sha256, "Solar panel", "Half on order", "€1,813.30", "1 April 2026"):
        assert told in page.text
    assert "Wallbox" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert {answer.status_code for answer in answers} == {303}
    [kept_one] = await Evidence.filter(proposal_id=made.proposal_id, kind=EvidenceKind.SIGNED)
    assert (kept_one.party, kept_one.name, kept_one.sha256) == (Party.BUYER, "Berta Buyer", made.sha256)
    assert (kept_one.address, kept_one.user_agent) == ("127.0.0.1", "Ada's phone")
    assert "Thank you! You have signed this contract." in after.text
    assert "<form" not in after.text


async def test_what_is_wrong_is_told_and_nothing_is_signed(client: Client) -> None:
    actor = await seller()
    made, path = await opened(actor)

    nameless = await client.http.post(path, data=form(made, name=" "))
    long = await client.http.post(path, data=form(made, name="x" * 201))
    other = await client.http.post(path, data=form(made, sha256="0" * 64))
    foreign = await client.http.post(path, data=form((await opened())[0]))
    nothing = await client.http.post(path, data={"name": "Berta"})
    await contracts.cancel(actor, made.id, reason=None, now=datetime.now(UTC))
    late = await client.http.post(path, data=form(made))
    again = await contracts.create(actor, made.proposal_id, ContractDetails(), now=datetime.now(UTC))
    page = await client.http.get(path)

    assert (nameless.status_code, "Type your name." in nameless.text) == (422, True)
    assert (long.status_code, "Use at most 200 characters." in long.text) == (422, True)
    assert [answer.status_code for answer in (other, foreign, nothing, late)] == [409, 409, 409, 409]
    assert "nothing was signed" in other.text
    assert "This contract was cancelled" in late.text
    assert again.sha256 in page.text
    assert await Evidence.filter(kind=EvidenceKind.SIGNED, proposal_id=made.proposal_id).count() == 0


async def test_without_a_contract_there_is_none_and_a_revoked_link_shows_nothing(client: Client) -> None:
    actor = await seller()
    proposal = await accepted(actor, now=datetime.now(UTC))
    link = await link_to(proposal)
    path = f"{proposal_links.path_of(link.id)}/contract"

    none = await client.http.get(path)
    await proposal_links.revoke(actor, link.id, now=datetime.now(UTC))
    gone = await client.http.get(path)
    forged = await client.http.get(f"/p/{'a' * 64}/contract")

    assert (none.status_code, gone.status_code, forged.status_code) == (404, 410, 404)
    assert "There is no contract to sign yet" in none.text


async def test_markup_in_names_means_nothing(client: Client) -> None:
    made, path = await opened()

    await client.http.post(path, data=form(made, name=SCRIPT))
    page = await client.http.get(path)

    assert "<script" not in page.text
    assert "&lt;script" in page.text


@pytest.mark.parametrize("size", SCREENS)
async def test_a_contract_is_read_and_signed_in_a_browser(server: str, chromium: Browser, size: str) -> None:
    actor = await company()
    made, path = await opened(actor, ends_on=date(2028, 3, 31))
    signing = Signing(name="Sam Seller", sha256=made.sha256)
    await contracts.sign(actor, made.id, signing, now=datetime.now(UTC))
    name = f"contract-{size}"
    async with screen(chromium, size) as page:
        await page.goto(server + path)
        assert await faults(page) == []
        await kept(page, name)
        await page.get_by_role("button", name="Sign", exact=True).click()
        await page.get_by_role("alert").wait_for()
        assert await faults(page) == []
        await page.get_by_label("Your full name").fill("Berta Buyer")
        await page.get_by_role("button", name="Sign", exact=True).click()
        await page.get_by_role("heading", name=re.compile("Thank you")).wait_for()
        assert await faults(page) == []
        await kept(page, f"{name}-signed")
    assert (await Contract.get(id=made.id)).state is ContractState.SIGNED


@pytest.mark.parametrize(("language", "said"), [("de", "Unterschreiben"), ("fr", "Signer"), ("ar", "توقيع")])
async def test_the_page_speaks_the_contracts_language(server: str, chromium: Browser, language: str, said: str) -> None:
    made, path = await opened(language=language)
    async with screen(chromium) as page:
        await page.goto(server + path)
        await page.get_by_role("button", name=said, exact=True).wait_for()
        assert await faults(page) == []
        await kept(page, f"contract-{language}")
    assert made.language == language


async def test_the_page_of_the_proposal_leads_to_it_until_it_is_cancelled(client: Client) -> None:
    admin = await seller()
    made, path = await opened(admin)
    link = f'href="{path}"'
    assert link in (await client.http.get(path.removesuffix("/contract"))).text
    await contracts.cancel(admin, made.id, reason="Another one", now=datetime.now(UTC))
    assert link not in (await client.http.get(path.removesuffix("/contract"))).text
