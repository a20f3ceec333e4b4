"""The page for hands, eyes and small screens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import logstreamer.server
from server.page.conftest import signed_in
from server.page.screen import Screen
from server.page.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[3]
STATIC = Path(logstreamer.server.__file__).parent / "static"
AXE = ROOT / "node_modules/axe-core/axe.min.js"
LOG = b"""\
2026-11-24 10:00:00,000 INFO line 0 key=1 "text"
2026-11-24 10:00:01,000 DEBUG line 1
2026-11-24 10:00:02,000 WARN line 2
2026-11-24 10:00:03,000 ERROR line 3
Traceback (most recent call last):
  File "train.py", line 7, in step
ValueError: no such thing
\x1b[31mred\x1b[32mgreen\x1b[33myellow\x1b[34mblue\x1b[35mmagenta\x1b[36mcyan\x1b[90mgrey\x1b[0m \x1b[2mfaint\x1b[0m
{"level": "info", "msg": "json", "loss": 0.5}
1%\r2%
"""


@pytest.fixture
def log(stage: Stage):
    """A bit of everything."""
    path = stage.logs / "looks.log"
    return stage.stream("looks.log", LOG) if not path.exists() else stage.known("looks.log")


def test_keys(stage: Stage, screen, log):
    """Each of them does what the list of keys says."""
    other = stage.stream("keys.log", b"".join(b"INFO line %d\n" % number for number in range(2000)))
    screen.open(other.fragment)
    screen.wait_line(1999)
    selected = screen.tab.locator(".row.is-selected")

    screen.press("f")
    screen.says("#follow", "Paused")
    screen.press("f")
    screen.says("#follow", "Following")
    screen.press("g")
    screen.wait_line(0)
    screen.press("j")
    expect(selected).to_contain_text("line 0")
    screen.press("G")
    screen.wait_line(1999)
    screen.press("k", "k")
    expect(selected).to_contain_text("line 1998")
    screen.press("j")
    expect(selected).to_contain_text("line 1999")
    screen.press("y")
    expect(screen.tab.locator(".foot-right")).to_contain_text("link")
    assert re.search(r"at=s/j/keys\.log@\d+$", screen.tab.url)
    screen.press("Escape")
    expect(selected).to_have_count(0)

    screen.press("w")
    expect(screen.tab.locator("#wrap")).to_have_attribute("aria-pressed", "false")
    screen.press("w", "t")
    screen.says("#zone", "UTC")
    screen.press("t", "t", "l", "l", "l")
    assert screen.tab.locator("#level").input_value() == "3"
    screen.press("l", "l", "l", "?")
    expect(screen.tab.get_by_role("dialog")).to_be_visible()
    screen.press("Escape")
    expect(screen.tab.get_by_role("dialog")).to_be_hidden()
    screen.press("/")
    expect(screen.tab.locator("#search")).to_be_focused()
    screen.tab.keyboard.type("jkfg")
    assert screen.tab.locator("#search").input_value() == "jkfg"
    screen.press("Escape")
    screen.press("s")
    expect(screen.tab.locator("#source-filter")).to_be_focused()
    screen.tab.keyboard.type("looks")
    expect(screen.tab.locator(".src")).to_have_count(1)
    screen.press("Escape", "Escape", "]")
    screen.says(".one", "looks.log")
    screen.wait_text("ERROR line 3")
    screen.press("E")
    expect(selected).to_contain_text("ERROR line 3")
    screen.press("i")
    screen.says("#details", "No gap known.")
    screen.press("s")
    screen.tab.locator("#source-filter").fill("keys.log")
    screen.press("Enter")
    screen.says(".one", "keys.log")
    expect(screen.tab.locator("#source-filter")).not_to_be_focused()


MORE_STATES = """() => {
    const all = document.querySelector(".summary");
    for (let more = 12; more > 0; more--) all.append(all.firstChild.cloneNode(true));
}"""


def test_many_streams(stage: Stage, screen):
    """Chosen streams and states leave room for the log and the search, and what is of one stream says so."""
    for number in range(8):
        (stage.logs / f"many{number}.log").write_bytes(b"INFO line 0\n")
    last = stage.stream("many9.log", b"INFO line 1\n")
    screen.forgive("404")  # the browser's, of what is not there
    screen.open(last.fragment)
    screen.wait_line(1)
    expect(screen.tab.locator(screen.source(last.path))).to_be_in_viewport(ratio=0.9)

    screen.open(last.fragment + "".join(f"&s=s/j/none-{number}.log" for number in range(50)))
    screen.wait_line(1)
    expect(screen.tab.locator(".chip")).to_have_count(51)
    assert screen.tab.locator("#log").bounding_box()["height"] > 500
    screen.tab.evaluate(MORE_STATES)
    assert screen.tab.locator("#search").bounding_box()["width"] > 120
    screen.press("d")
    screen.says(".foot-right", "a download can be had of one stream")
    screen.press("i")
    screen.says(".foot-right", "details can be had of one stream")


def test_an_error_is_looked_for_once_the_lines_are_there(stage: Stage, screen, log):
    """Also where the key comes while those of the stream that was just chosen are on their way."""
    other = stage.stream("no-error.log", b"INFO line 0\n")
    screen.open(other.fragment)
    screen.wait_line(0)
    held = []
    screen.tab.route("**/looks.log/lines*", lambda route: held.append(route))

    screen.tab.locator(f"{screen.source(log.path)} .src-main").click()
    while not held:
        screen.tab.wait_for_timeout(10)
    screen.press("E")
    held[0].continue_()
    screen.tab.unroute("**/looks.log/lines*")

    expect(screen.tab.locator(".row.is-selected")).to_contain_text("ERROR line 3")


def test_a_link_to_what_is_not_there(stage: Stage, screen):
    """It says so, offers nothing that needs it, and shows it as soon as it begins."""
    screen.forgive("404")  # the browser's, of what is not there
    screen.open("#s=s/j/to-come.log", ".truth")
    screen.says(".truth", "no such stream yet")
    expect(screen.tab.locator("#download")).to_have_count(0)

    stage.stream("to-come.log", b"INFO line 0\n")

    screen.wait_line(0)
    screen.says(".truth", "live")
    expect(screen.tab.locator("#download")).to_be_visible()


def test_a_hit_is_in_short_form(stage: Stage, screen, log):
    """As its context and the log itself, where the match can be seen in it."""
    screen.open(log.fragment)
    for pattern, text in (("json", "INFO json loss=0.5"), ('"msg"', '{"level": "info", "msg": "json", "loss": 0.5}')):
        screen.press("/")
        screen.tab.locator("#search").fill(pattern)
        screen.press("Enter")
        expect(screen.tab.locator(".hit", has_text="json").locator(".hit-line:has(mark)")).to_have_text(text)
        expect(screen.tab.locator(".hit mark").first).to_have_text(pattern)
        screen.press("n")
        expect(screen.tab.locator(".row.is-selected mark")).to_have_text(pattern)
        screen.press("Escape")


def test_a_phone(stage: Stage, browser, log):
    """Nothing is wider than the screen; the streams are a drawer."""
    context = signed_in(browser, stage.url, has_touch=True, is_mobile=True)
    screen = Screen(context.new_page(), stage.url)
    screen.tab.set_viewport_size({"width": 390, "height": 780})
    screen.open(log.fragment)
    assert screen.tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert screen.tab.locator("#log").bounding_box()["height"] > 400
    expect(screen.tab.locator(".foot-right")).to_be_in_viewport(ratio=0.99)

    expect(screen.tab.locator(screen.source(log.path))).not_to_be_in_viewport()
    screen.tab.get_by_role("button", name="Streams").tap()
    row = screen.tab.locator(screen.source(log.path))
    row.scroll_into_view_if_needed()
    expect(row).to_be_in_viewport()
    row.locator(".src-main").tap()
    expect(row).not_to_be_in_viewport()
    assert screen.complaints == []
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 1280), ("light", 390)])
def test_everybody_can_use_it(stage: Stage, browser, log, scheme, width):
    """axe-core finds nothing serious, with results, details and a selected line on the screen."""
    context = signed_in(browser, stage.url, color_scheme=scheme, bypass_csp=True)
    screen = Screen(context.new_page(), stage.url)
    screen.tab.set_viewport_size({"width": width, "height": 800})
    screen.open(log.fragment)
    screen.press("k", "/")
    screen.tab.locator("#only-chosen").check()
    screen.press("/")
    screen.tab.keyboard.type("line")
    screen.press("Enter")
    expect(screen.tab.locator(".hit mark").first).to_be_visible()
    screen.tab.add_script_tag(path=str(AXE))
    serious(screen)
    screen.press("Escape", "i")
    expect(screen.tab.locator("#details .facts")).to_be_visible()
    serious(screen)
    screen.press("Escape", "?")
    serious(screen)
    context.close()


def serious(screen: Screen) -> None:
    """Fails with what axe-core finds, minor things aside."""
    found = screen.tab.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert found["passes"], "it looked at something"
    worst = [
        (one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical", "moderate")
    ]
    assert worst == []


def test_every_module_is_asked_for_at_once():
    """The page names all of its modules, so that none waits until another has arrived."""
    page = (STATIC / "index.html").read_text()
    named = set(re.findall(r'(?:href|src)="/static/([^"]+\.js)"', page))
    there = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*.js")} - {"data/types.js"}
    assert named == there
