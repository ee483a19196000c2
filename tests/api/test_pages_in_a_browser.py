"""The pages that mails lead to as a person meets them: in a real browser, without scripts, by keyboard."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser

from domain import invitations, tokens
from domain.tokens import Kind
from models.base import uuid7
from models.users import Role
from tests import factories
from tests.api.browser import SCREENS, faults, kept, screen

PASSWORD = "nine green lamps"


async def invitation(*, role: Role = Role.REP) -> str:
    """Return the path of a new invitation's page."""
    admin = await factories.member(name="Grace Hopper")
    row = await invitations.invite(admin, email=f"{uuid7()}@example.com", role=role, now=datetime.now(UTC))
    return f"/accept-invitation?token={tokens.sign(Kind.INVITATION, row.id)}"


@pytest.mark.parametrize("size", SCREENS)
async def test_an_invitation_is_accepted_without_scripts(server: str, chromium: Browser, db: str, size: str) -> None:
    async with screen(chromium, size) as page:
        name = f"invitation-{size}"
        await page.goto(server + await invitation())
        assert await faults(page) == []
        await kept(page, name)

        await page.get_by_label("Your name").fill("Ada Lovelace")
        await page.get_by_label("New password", exact=True).fill(PASSWORD)
        await page.get_by_label("New password again").fill("another one")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert await page.title() == "Error: Join Acme – Salescycle"
        assert await faults(page) == []
        await kept(page, f"{name}-fault")

        await page.get_by_label("New password", exact=True).fill(PASSWORD)
        await page.get_by_label("New password again").fill(PASSWORD)
        await page.get_by_role("button").click()
        await page.get_by_role("heading", name="Welcome to Acme").wait_for()
        assert await faults(page) == []
        await kept(page, f"{name}-done")


async def test_a_link_that_nobody_made_is_told_kindly(server: str, chromium: Browser, db: str) -> None:
    async with screen(chromium) as page:
        answer = await page.goto(f"{server}/accept-invitation?token={'a' * 64}")
        assert answer and answer.status == 404
        assert await page.get_by_role("heading", level=1).inner_text() == "This link is not valid"
        assert await faults(page) == []
        await kept(page, "invalid-link")


async def test_what_is_wrong_with_a_page_is_found(chromium: Browser) -> None:
    night = "<style>@media (prefers-color-scheme: dark) { h1 { color: #222; background: #000 } }</style>"
    async with screen(chromium) as page:
        await page.set_content(f"{night}<main><h1>Hello</h1><input><p style='width: 2000px'>Wide</p></main>")
        told = await faults(page)
        assert "light: wider than the window" in " ".join(told)
        assert {one.partition(" ")[2].partition(":")[0] for one in told if one.startswith("light: ")} >= {
            "html-has-lang",
            "label",
        }
        assert not any(one.startswith("light: color-contrast") for one in told)
        assert any(one.startswith("dark: color-contrast") for one in told)
        await page.set_content("<p style='color: #ccc'>Pale</p>")
        assert any(one.startswith("light: color-contrast") for one in await faults(page))
