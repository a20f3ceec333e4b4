"""The page under a flood: bounded memory, and hands that still work."""

from __future__ import annotations

import os
import threading
import time

import pytest
from playwright.sync_api import expect

from server.page.measure import heap_of, renderer_memory
from server.page.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RATE = 10_000
MOST_HEAP = 150 << 20


class Flood(threading.Thread):
    """Appends numbered lines at a rate, in the background."""

    def __init__(self, log, seconds: float) -> None:
        super().__init__(name="flood")
        self._log = log
        self._seconds = seconds
        self.written = 0

    def run(self) -> None:
        began = time.monotonic()
        with self._log.source.open("ab", buffering=0) as file:
            while (now := time.monotonic()) < began + self._seconds:
                due = int((now - began) * RATE)
                text = "2026-11-24 10:00:00,000 INFO trainer: line %d loss=0.12345 accuracy=0.9876 lr=3.0e-4 norm=0.5\n"
                file.write("".join(text % number for number in range(self.written, due)).encode())
                self.written = max(self.written, due)
                time.sleep(0.02)


def test_ten_thousand_lines_a_second(stage: Stage, screen, record_property):
    """The tab follows, its memory is bounded, and keys and clicks take effect meanwhile."""
    seconds = float(os.environ.get("PAGE_SECONDS", "4"))
    log = stage.stream("flood.log", b"INFO before\n")
    screen.open(log.fragment)
    screen.tab.evaluate(
        """() => {
            window.frames = [];
            let last = performance.now();
            const step = now => { window.frames.push(now - last); last = now; requestAnimationFrame(step); };
            requestAnimationFrame(step);
        }"""
    )
    flood = Flood(log, seconds)
    flood.start()
    screen.wait_text("trainer: line")
    screen.press("f")
    screen.says("#jump", "new lines")
    screen.press("f")
    screen.says("#follow", "Following")
    flood.join()
    screen.wait_line(flood.written - 1)

    numbers = screen.numbers
    assert numbers == list(range(numbers[0], flood.written))
    assert screen.tab.locator(".row").count() < 200
    heap = heap_of(screen.tab)
    assert heap < MOST_HEAP
    frames = sorted(screen.tab.evaluate("window.frames"))
    figures = {
        "seconds": seconds,
        "lines": flood.written,
        "heap MiB": round(heap / 2**20, 1),
        "renderer MiB": renderer_memory(screen.tab) >> 20,
        "frames": len(frames),
        "frame p50 p99 max ms": [round(frames[int(len(frames) * part)]) for part in (0.5, 0.99)] + [round(frames[-1])],
    }
    record_property("figures", figures)
    print(figures)
    expect(screen.tab.locator("#jump")).to_have_count(0)
