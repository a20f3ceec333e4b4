"""What a tab costs."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Page

SEEN = """text => new Promise(done => {
    const look = () => document.querySelector("#log")?.textContent.includes(text)
        ? requestAnimationFrame(() => done(performance.timeOrigin + performance.now())) : setTimeout(look, 1);
    look();
})"""
"""When a text was on the screen: the frame after the one it was put into the page for."""


def opened(tab: Page, url: str, text: str) -> tuple[float, float]:
    """Seconds from asking for the page until something, and until the line with *text*, was painted."""
    tab.goto("about:blank")
    began = time.time()
    tab.goto(url, wait_until="commit")
    seen = tab.evaluate(SEEN, text) / 1000 - began
    paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN") / 1000
    return paint, seen


def heap_of(tab: Page) -> int:
    """Bytes of the tab's JavaScript heap that are in use, after a collection."""
    session = tab.context.new_cdp_session(tab)
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    session.detach()
    return int(usage["usedSize"])


def renderer_memory(tab: Page) -> int:
    """Bytes of memory of the browser's largest renderer process: the proportional share of what it shares."""
    assert tab.context.browser is not None
    session = tab.context.browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    sizes = [_share(one["id"]) for one in processes if one["type"] == "renderer"]
    return max(sizes, default=0)


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it is gone
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
