"""A real Chromium: pages as people see them, on a phone and on a desk, without scripts, checked by axe."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SECONDS = 15
# WCAG 2.2 AA and what comes before it; the rest of axe's rules are good practice and kept, too.
LOOKED_AT = {"resultTypes": ["violations"]}
# Where screenshots are kept for somebody to look at; empty: nowhere.
SCREENSHOTS = "SCREENSHOTS"


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start a Chromium of this machine; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def screen(
    browser: Browser, size: str = "phone", *, scripts: bool = False, language: str = "en"
) -> AsyncIterator[Page]:
    """Open a window of its own, without scripts, as on a phone or a desk."""
    context = await _context(browser, size, scripts=scripts, language=language)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def _context(browser: Browser, size: str, *, scripts: bool, language: str = "en") -> BrowserContext:
    width, height = SCREENS[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        java_script_enabled=scripts,
        has_touch=size == "phone",
        locale=language,
    )
    context.set_default_timeout(SECONDS * 1000)
    return context


# Of every browser, by size, the windows that pages are copied into: to open one takes longer than to look at a page.
_copies: WeakKeyDictionary[Browser, dict[str, Page]] = WeakKeyDictionary()


async def faults(page: Page) -> list[str]:
    """Return what axe finds wrong with what a page shows by day and by night, and whether it is too wide.

    axe is a script, so it looks at a copy of the page in a window that runs scripts.
    """
    assert page.context.browser and page.viewport_size
    size = next(name for name, width in SCREENS.items() if width[0] == page.viewport_size["width"])
    copies = _copies.setdefault(page.context.browser, {})
    if size not in copies:
        copies[size] = await (await _context(page.context.browser, size, scripts=True)).new_page()
    copy, content, told = copies[size], await page.content(), []
    for scheme in SCHEMES:
        await copy.emulate_media(color_scheme=scheme)
        await copy.set_content(content)
        found = (await asyncio.wait_for(Axe().run(copy, options=LOOKED_AT), SECONDS)).response["violations"]
        width = await copy.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        for one in found:
            told.append(
                f"{scheme}: {one['id']}: {one['help']} ({', '.join(str(node['target']) for node in one['nodes'])})"
            )
        told += [f"{scheme}: wider than the window by {width} px"] if width > 0 else []
    return told


async def kept(page: Page, name: str) -> None:
    """Keep screenshots of the whole page, by day and by night, where the environment names a folder."""
    if folder := os.environ.get(SCREENSHOTS):
        for scheme in reversed(SCHEMES):
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)
