"""The page under a flood: bounded memory, and hands that still work."""

from __future__ import annotations

import statistics
import threading
import time

import pytest
from playwright.sync_api import expect

from server.page.measure import heap_of, renderer_memory
from server.page.screen import Screen
from server.page.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.first, pytest.mark.timeout(300)]

RATE = 10_000
SECONDS = 30.0
MOST_MEMORY = 300 << 20
MOST_ANSWER, MOST_FRAME = 0.3, 0.1
"""Seconds from a key to its effect, and of a frame, in the median: a busy machine is no failure."""

FRAMES = """() => {
    window.frames = [];
    let last = performance.now();
    const step = now => { window.frames.push(now - last); last = now; requestAnimationFrame(step); };
    requestAnimationFrame(step);
}"""
"""Keeps how long each frame took, in ms."""

DRAWN = """text => new Promise(done => {
    const button = document.querySelector("#follow");
    const look = () => button.textContent.includes(text) ? done() : requestAnimationFrame(look);
    look();
})"""
"""Returns when the button says *text*."""


class Flood(threading.Thread):
    """Appends numbered lines at a rate, in the background, until it is told to end."""

    def __init__(self, log) -> None:
        super().__init__(name="flood", daemon=True)
        self._log = log
        self._over = threading.Event()
        self.written = 0

    def run(self) -> None:
        began = time.monotonic()
        with self._log.source.open("ab", buffering=0) as file:
            while not self._over.wait(0.02):
                due = int((time.monotonic() - began) * RATE)
                text = "2026-11-24 10:00:00,000 INFO trainer: line %d loss=0.12345 accuracy=0.9876 lr=3.0e-4 norm=0.5\n"
                file.write("".join(text % number for number in range(self.written, due)).encode())
                self.written = max(self.written, due)

    def end(self) -> None:
        """Write no more."""
        self._over.set()
        self.join()


def answer(screen: Screen, key: str, text: str) -> float:
    """Seconds from *key* to a page that says *text*."""
    began = time.monotonic()
    screen.press(key)
    screen.tab.evaluate(DRAWN, text)
    return time.monotonic() - began


def test_ten_thousand_lines_a_second(stage: Stage, screen, record_property):
    """The tab follows for half a minute, its memory is bounded, and keys take effect meanwhile."""
    log = stage.stream("flood.log", b"INFO before\n")
    screen.open(log.fragment)
    screen.tab.evaluate(FRAMES)
    flood = Flood(log)
    flood.start()
    over = time.monotonic() + SECONDS
    screen.wait_text("trainer: line")
    answers, heaps = [], []
    while time.monotonic() < over:
        answers.append(answer(screen, "f", "Paused"))
        screen.says("#jump", "new lines")
        answers.append(answer(screen, "f", "Following"))
        heaps.append(heap_of(screen.tab))
        screen.tab.wait_for_timeout(1000)
    flood.end()
    screen.wait_line(flood.written - 1)

    numbers = screen.numbers
    assert numbers == list(range(numbers[0], flood.written))
    assert screen.tab.locator(".row").count() < 200
    heaps.append(heap_of(screen.tab))
    renderer = renderer_memory(screen.tab)
    assert max(*heaps, renderer) < MOST_MEMORY
    assert len(answers) >= 10
    assert statistics.median(answers) < MOST_ANSWER
    frames = sorted(screen.tab.evaluate("window.frames"))
    assert statistics.median(frames) < 1000 * MOST_FRAME
    figures = {
        "lines": flood.written,
        "most heap MiB": round(max(heaps) / 2**20, 1),
        "renderer MiB": renderer >> 20,
        "answer p50 max ms": [round(1000 * each) for each in (statistics.median(answers), max(answers))],
        "frames": len(frames),
        "frame p50 p99 max ms": [round(frames[int(len(frames) * part)]) for part in (0.5, 0.99)] + [round(frames[-1])],
    }
    record_property("figures", figures)
    print(figures)
    expect(screen.tab.locator("#jump")).to_have_count(0)
