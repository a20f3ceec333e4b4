"""Figures of the page: python -m tests.server.page.figures. Nothing is asserted; quiet machine wanted."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from server.page.conftest import CHROMIUM, FLAGS, signed_in  # noqa: E402
from server.page.files import HUGE, HUGE_SIZE, LINES, middle_of_huge, prepare  # noqa: E402
from server.page.measure import SEEN, heap_of, opened, renderer_memory  # noqa: E402
from server.page.stage import Stage  # noqa: E402

ROUNDS = 5
APPENDS = 100


def fresh(browser: Browser, stage: Stage) -> Page:
    """A tab of a browser that has never seen the page."""
    return signed_in(browser, stage.url).new_page()


def huge(browser: Browser, stage: Stage) -> None:
    """The file of 3 GB: opened at its end and in its middle by a new browser, then jumped about in."""
    middle = middle_of_huge() + 500_000
    places = {"end": ("", f"end line {LINES - 1}"), "middle": (f"&at={HUGE}@{middle}", "middle line")}
    for name, (more, text) in places.items():
        found = []
        for _ in range(ROUNDS):
            tab = fresh(browser, stage)
            found.append(opened(tab, f"{stage.url}/#s={HUGE}{more}", text))
            memory = (heap_of(tab) >> 20, renderer_memory(tab) >> 20)
            tab.context.close()
        paint, seen = (statistics.median(each) for each in zip(*found, strict=True))
        print(f"3 GB, {name}: first paint {paint:.2f} s, line {seen:.2f} s; heap, renderer {memory} MiB")
    tab = fresh(browser, stage)
    opened(tab, f"{stage.url}/#s={HUGE}", f"end line {LINES - 1}")
    box = tab.locator(".rail").bounding_box()
    assert box is not None
    found_jumps = []
    for _ in range(ROUNDS):
        began = time.time()
        tab.mouse.click(box["x"] + 8, box["y"] + box["height"] * middle / HUGE_SIZE)
        found_jumps.append(tab.evaluate(SEEN, "middle line") / 1000 - began)
        tab.keyboard.press("G")
        tab.evaluate(SEEN, f"end line {LINES - 1}")
    print(f"3 GB, jump from the end to the middle: {statistics.median(found_jumps):.2f} s")
    tab.context.close()


def latency(browser: Browser, stage: Stage) -> None:
    """From before the write at the site until the line is painted."""
    log = stage.stream("latency.log", b"the first line\n")
    tab = fresh(browser, stage)
    opened(tab, f"{stage.url}/{log.fragment}", "the first line")
    time.sleep(2)
    found = []
    for number in range(APPENDS):
        time.sleep(0.05 + 0.137 * (number % 3))
        text = f"appended {number} of them"
        began = time.time()
        log.write(text.encode() + b"\n")
        found.append(tab.evaluate(SEEN, text) / 1000 - began)
    found.sort()
    print(f"append to visible: p50 {found[APPENDS // 2] * 1000:.0f} ms, p95 {found[int(APPENDS * 0.95)] * 1000:.0f} ms")
    tab.context.close()


def main() -> None:
    """All of it."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        stage = Stage(Path(directory), prepare)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        print(f"Chromium {browser.version}")
        try:
            huge(browser, stage)
            latency(browser, stage)
        finally:
            browser.close()
            stage.close()


if __name__ == "__main__":
    main()
