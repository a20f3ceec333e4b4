"""What a person sees of the page, and does with it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

NUMBER = re.compile(r"\bline (\d+)\b")

SCROLL = """async () => {
    const box = document.querySelector("#log");
    const texts = [...document.querySelectorAll(".row .what")].map(row => row.textContent);
    const before = box.scrollTop;
    box.scrollTop += box.clientHeight - 40;
    const frame = () => new Promise(done => requestAnimationFrame(done));
    await frame();
    await frame();
    const state = document.querySelector(".foot-right").textContent;
    return [texts, box.scrollTop === before && ["following live", "paused"].includes(state)];
}"""
"""The texts of the lines that are drawn; then scrolls on, and says whether that was the end."""


class Screen:
    """A tab with the page in it.

    Attributes:
        complaints: what the browser's console said that was no plain message.
    """

    def __init__(self, tab: Page, url: str) -> None:
        self.tab = tab
        self.url = url
        self.complaints: list[str] = []
        self._forgiven: set[str] = set()
        tab.on("console", lambda message: self._hear(message.type, message.text + str(message.location)))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self._forgiven):
            self.complaints.append(text)

    def open(self, fragment: str = "", first: str = ".row") -> None:
        """Go to the page, and wait for something of it."""
        self.tab.goto("about:blank")
        self.tab.goto(f"{self.url}/{fragment}")
        self.tab.wait_for_selector(first)

    def refuse(self) -> None:
        """Let no live connection begin."""
        self.tab.route("**/api/v1/events*", lambda route: route.abort())

    def allow(self) -> None:
        """Let them begin again."""
        self.tab.unroute("**/api/v1/events*")

    def forgive_lost_connections(self) -> None:
        """The browser itself reports each of them."""
        self.forgive("net::ERR_")

    def forgive(self, part: str) -> None:
        """Complaints with *part* in them are none, also those that are still on their way."""
        self._forgiven.add(part)
        self.complaints[:] = [one for one in self.complaints if part not in one]

    @property
    def texts(self) -> list[str]:
        """Of the lines that are drawn, from the top."""
        return self.tab.eval_on_selector_all(".row .what", "rows => rows.map(row => row.textContent)")

    @property
    def numbers(self) -> list[int]:
        """Of the lines that are drawn and have one."""
        return [int(found[1]) for text in self.texts if (found := NUMBER.search(text))]

    def wait_line(self, number: int) -> None:
        """Until this line is drawn."""
        expect(self.tab.locator(".row .what", has_text=re.compile(rf"\bline {number}\b"))).to_be_visible()

    def wait_text(self, text: str) -> None:
        """Until a line with this is drawn."""
        expect(self.tab.locator(".row", has_text=text).first).to_be_visible()

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.tab.keyboard.press(key)

    def says(self, selector: str, text: str | re.Pattern[str]) -> None:
        """Until this is to be read there."""
        expect(self.tab.locator(selector).first).to_contain_text(text)

    def source(self, path: str) -> str:
        """The selector of a stream on the left."""
        return f'.src[data-path="{path}"]'

    def all_numbers(self) -> list[int]:
        """The numbers of all lines, by scrolling from the beginning to the end, in the order in which they stand."""
        self.press("g")
        self.wait_line(0)
        found: list[int] = []
        while True:
            texts, is_still = self.tab.evaluate(SCROLL)
            drawn = [int(match[1]) for text in texts if (match := NUMBER.search(text))]
            assert drawn == list(range(drawn[0], drawn[-1] + 1)), f"lines stand in order, none is missing: {drawn}"
            assert not found or drawn[0] <= found[-1] + 1, f"nothing is between {found[-1]} and {drawn[0]}"
            found += [number for number in drawn if not found or number > found[-1]]
            if is_still:
                return found
