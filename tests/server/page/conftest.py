"""What the tests of the page share: one browser and one receiver for all of them, a tab for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from e2e.processes import TOKEN
from server.page.files import prepare, tear
from server.page.screen import Screen
from server.page.stage import Stage

CHROMIUM = "/usr/bin/chromium"
SKIP = "LOGSTREAMER_SKIP_PAGE_TESTS"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=60_000)
"""A busy machine is no failure."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    if not os.path.exists(CHROMIUM):
        text = f"no {CHROMIUM}: apt install chromium, or set {SKIP}=1 to do without the tests of the page"
        if os.environ.get(SKIP):
            pytest.skip(text)
        pytest.fail(text)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A receiver with a sender, and a copy that has a gap."""
    it = Stage(Path(tmp_path_factory.mktemp("page")), tear)
    yield it
    it.close()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Stage]:
    """A receiver with a huge copy."""
    it = Stage(tmp_path, prepare)
    yield it
    it.close()


def signed_in(browser: Browser, url: str, **options: object) -> BrowserContext:
    """A browser's profile that has opened the URL with the token once."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, timezone_id="UTC", **options)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    tab = context.new_page()
    tab.goto(f"{url}/?token={TOKEN}")
    tab.close()
    return context


@pytest.fixture
def screen(browser: Browser, stage: Stage) -> Iterator[Screen]:
    """A tab that talks to the receiver through the stage's proxy; nothing may be wrong with it in the end."""
    context = signed_in(browser, stage.proxy.url)
    it = Screen(context.new_page(), stage.proxy.url)
    yield it
    context.close()
    assert it.complaints == []
