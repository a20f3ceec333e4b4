"""The page while streams grow, pause, are cut off, die and come back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from e2e.processes import wait_until
from server.page.stage import IDLE_TIMEOUT, Log, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def lines(first: int, last: int) -> bytes:
    """Numbered ones."""
    return b"".join(b"INFO line %d of a log\n" % number for number in range(first, last))


def test_lines_appear_as_they_are_written(stage: Stage, screen):
    """A tab follows: the last lines first, then each new one at the bottom."""
    log = stage.stream("grows.log", lines(0, 1000))
    screen.open(log.fragment)
    screen.wait_line(999)
    screen.says("#follow", "Following")

    for number in range(1000, 1010):
        log.write(lines(number, number + 1))
        screen.wait_line(number)

    assert screen.numbers[-20:] == list(range(990, 1010))


@pytest.mark.parametrize("ending", ["finished", "dead"])
def test_a_last_line_without_a_newline_is_shown_once(stage: Stage, screen, ending):
    """Also where the end, or the death, of its stream stands behind it."""
    source = stage.directory / f"open-{ending}.log"
    source.write_bytes(b"first\nno newline yet")
    sender = stage.send(source, "open")
    log = Log(stage, source, f"open/j/{source.name}")
    log.wait_stored()
    if ending == "dead":
        sender.kill()
    else:
        assert sender.stop() == 0
    wait_until(lambda: stage.state(log.path) == ending, ending)
    wait_until(lambda: stage.ask(f"/api/v1/streams/{log.path}")["ended"] is not None, "over")

    screen.open(log.fragment)
    screen.wait_text("no newline yet")
    screen.says(f"{screen.source(log.path)} .src-meta", re.compile("over"))
    screen.says("#follow", ending.capitalize())
    screen.says(".foot-right", re.compile(f"^{ending}"))
    screen.tab.wait_for_timeout(
        1500
    )  # it is told once more after a second; that nothing is added can only be waited for

    assert [text for text in screen.texts if "no newline" in text] == ["no newline yet"]
    if ending == "dead":  # other tests count the dead
        again = stage.send(source, "open")
        again.wait_line("following")
        assert again.stop() == 0


def test_a_stream_that_is_not_there_yet_is_shown_when_it_comes(stage: Stage, screen):
    """And until then nothing of another one stands under its name."""
    shown = stage.stream("there.log", lines(0, 10))
    screen.open(shown.fragment)
    screen.wait_line(9)

    screen.tab.evaluate("location.hash = '#s=s/j/later.log'")
    expect(screen.tab.locator(".row")).to_have_count(0)
    stage.stream("later.log", lines(100, 103))

    screen.wait_line(102)
    assert screen.numbers == [100, 101, 102]
    screen.forgive("404")  # the browser's, of what is not there


def test_pause_counts_what_comes_and_live_goes_back(stage: Stage, screen):
    """Scrolling up pauses, nothing on the screen moves, new lines are counted; one key leads back."""
    log = stage.stream("pauses.log", lines(0, 500))
    screen.open(log.fragment)
    screen.wait_line(499)

    screen.tab.mouse.move(700, 400)
    screen.tab.mouse.wheel(0, -1000)
    screen.says("#follow", "Paused")
    expect(screen.tab.locator(".row .what", has_text="line 499 ")).not_to_be_in_viewport()
    seen = screen.tab.evaluate("document.querySelector('#log').scrollTop")
    log.write(lines(500, 623))
    screen.says("#jump", "123 new lines")
    assert screen.tab.evaluate("document.querySelector('#log').scrollTop") == seen

    screen.press("G")
    screen.wait_line(622)
    screen.says("#follow", "Following")
    expect(screen.tab.locator("#jump")).to_have_count(0)
    log.write(lines(623, 624))
    screen.wait_line(623)


def test_a_pause_counts_what_passes_the_level(stage: Stage, screen):
    """Lines that are not shown are no news."""
    log = stage.stream("level.log", b"ERROR line 0\n")
    screen.open(f"{log.fragment}&level=error")
    screen.wait_line(0)
    screen.press("f")
    screen.says("#follow", "Paused")

    log.write(b"INFO line 1\nERROR line 2\nINFO line 3\nERROR line 4\n")
    screen.says("#jump", "2 new lines")
    log.write(b"INFO line 5\nERROR line 6\n")
    screen.says("#jump", "3 new lines")


def test_more_streams_than_can_be_followed(stage: Stage, screen):
    """As many as can be are, and it is said."""
    log = stage.stream("one.log", lines(0, 3))
    screen.open(f"{log.fragment}&" + "&".join(f"s=s/j/no-{number}.log" for number in range(120)))
    screen.says(".foot-right", "only the first 100 streams")
    screen.wait_line(2)
    screen.says(".link-state", "connected")
    log.write(lines(3, 5))
    screen.wait_line(4)
    expect(screen.tab.locator("#banner")).to_have_count(0)
    screen.forgive("404")


def test_the_list_tells_the_truth(stage: Stage, screen):
    """Of each stream its last line, the ages of that and of its last beat, its rate, and a picture of a minute."""
    log = stage.stream("told.log", lines(0, 3))
    screen.open(log.fragment)
    row = screen.source(log.path)
    screen.says(f"{row} .src-last", "line 2 ")
    screen.says(f"{row} .src-meta", re.compile(r"line \d+ s\s*beat \d s"))

    number = 3
    while not screen.tab.locator(f"{row} .spark polyline").count():
        log.write(lines(number, number + 500))
        number += 500
        screen.wait_line(number - 1)
        screen.says(f"{row} .src-last", f"line {number - 1} ")
    screen.says(f"{row} .src-meta", re.compile(r"[1-9][\d.]* \w+/s"))


def test_a_pause_outlasts_what_fits_in_memory(stage: Stage, screen):
    """More comes during a pause than is kept: it is counted all the same, and found by scrolling on."""
    log = stage.stream("long-pause.log", lines(0, 100))
    screen.open(log.fragment)
    screen.wait_line(99)
    screen.press("f")
    screen.says("#follow", "Paused")

    log.write(lines(100, 12100))
    screen.says("#jump", "12,000 new lines")

    screen.press("j", "PageDown", "PageDown")
    screen.wait_line(120)
    screen.press("G")
    screen.wait_line(12099)
    assert screen.numbers == list(range(screen.numbers[0], 12100))


def test_a_cut_leaves_no_gap_and_nothing_double(stage: Stage, screen):
    """The connection is cut while lines come: they are all there, once, in order."""
    log = stage.stream("cut.log", lines(0, 50))
    screen.open(log.fragment)
    screen.wait_line(49)

    number = 50
    for cut in range(3):
        log.write(lines(number, number + 100))
        number += 100
        if cut:
            stage.proxy.cut()
        else:
            stage.proxy.cut_after(2000)
        log.write(lines(number, number + 100))
        number += 100
        screen.wait_line(number - 1)

    # What the live connection brought, before anything is fetched anew: a screen on which all of it has room.
    screen.tab.set_viewport_size({"width": 1280, "height": 30 * number})
    screen.wait_line(0)
    assert screen.numbers == list(range(number))
    assert screen.all_numbers() == list(range(number))
    screen.forgive_lost_connections()


def test_a_lost_connection_is_said_and_old_numbers_are_not_shown_as_live(stage: Stage, screen):
    """A receiver that says nothing for 12 s is lost since it was heard last; the page goes on by itself."""
    log = stage.stream("unreachable.log", lines(0, 10))
    screen.tab.clock.install()
    screen.open(log.fragment)
    screen.wait_line(9)
    screen.says(".link-state", "connected")
    screen.says("#follow", "Following")

    screen.refuse()
    screen.tab.clock.fast_forward(13_500)
    screen.says("#banner", re.compile(r"Connection lost (1[3-9]|[2-9]\d) s ago: nothing came for 12 s"))
    for where in (".count", ".truth", screen.source(log.path)):
        expect(screen.tab.locator(f"{where} .st-live")).to_have_count(0)
    screen.says(".truth .state", re.compile("was (live|quiet)"))
    screen.says(f"{screen.source(log.path)} .state", re.compile("was (live|quiet)"))
    screen.says(".count", "were ")
    screen.says("#follow", "Not live")
    expect(screen.tab.locator("#follow.is-on")).to_have_count(0)
    screen.says(".foot-right", "connection lost, not live")

    log.write(lines(10, 20))
    screen.allow()
    screen.wait_line(19)
    expect(screen.tab.locator("#banner")).to_have_count(0)
    screen.says(".truth .state", re.compile("^.(live|quiet)"))
    screen.says("#follow", "Following")
    screen.forgive_lost_connections()


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_tab_holds_no_connection(stage: Stage, screen):
    """A browser has six to one address; a tab that is shown again goes on where it was."""
    log = stage.stream("hidden.log", lines(0, 10))
    screen.open(log.fragment)
    screen.wait_line(9)
    with screen.tab.expect_event("requestfailed", lambda request: "/events" in request.url, timeout=30_000):
        screen.tab.evaluate(HIDE, True)
    log.write(lines(10, 20))
    log.wait_stored()

    screen.tab.evaluate(HIDE, False)
    screen.wait_line(19)
    assert screen.numbers == list(range(20))


def test_dead_and_back(stage: Stage, screen):
    """A sender is killed: the page says so, at the place in the log too; it returns, and that is said as well."""
    source = stage.directory / "mortal.log"
    source.write_bytes(lines(0, 20))
    sender = stage.send(source, "mortal")
    path = "mortal/j/mortal.log"
    screen.open("", ".src")
    row = screen.tab.locator(screen.source(path))
    expect(row).to_have_attribute("data-state", re.compile("live|quiet"))
    row.locator(".src-main").click()
    screen.wait_line(19)

    sender.kill()
    expect(row).to_have_attribute("data-state", "dead", timeout=4000 * IDLE_TIMEOUT)
    screen.says(".truth", "dead")
    expect(screen.tab.locator(".row.mark[data-mark=dead]")).to_be_visible()
    screen.says(".count:has(.st-dead)", "1")

    with source.open("ab") as file:
        file.write(lines(20, 30))
    stage.send(source, "mortal")
    expect(row).to_have_attribute("data-state", re.compile("live|quiet"))
    screen.wait_line(29)
    expect(screen.tab.locator(".row.mark[data-mark=back]")).to_be_visible()
    kinds = screen.tab.eval_on_selector_all(".row", "rows => rows.map(row => row.dataset.mark ?? row.textContent)")
    order = [kind for kind in kinds if kind in ("dead", "back") or "line 19 " in kind or "line 20 " in kind]
    assert ["line 19" in order[0], *order[1:3], "line 20" in order[3]] == [True, "dead", "back", True]


def test_several_streams_are_merged_by_time(stage: Stage, screen):
    """The lines of chosen streams stand in the order of their times, as they are loaded and as they come."""

    def at(second: int, number: int) -> bytes:
        return b"2026-11-24 10:%02d:%02d,000 INFO line %d\n" % (second // 60, second % 60, number)

    even = stage.stream("even.log", b"".join(at(number, number) for number in range(0, 1200, 2)))
    odd = stage.stream("odd.log", b"".join(at(number, number) for number in range(1, 1200, 2)))
    screen.open(f"{even.fragment}&s={odd.path}")
    screen.wait_line(1199)
    assert screen.numbers == list(range(screen.numbers[0], 1200))
    expect(screen.tab.locator(".row .who", has_text="even.log").first).to_be_visible()

    for number in range(1200, 1220):
        (odd if number % 2 else even).write(at(number, number))
    screen.wait_line(1219)
    assert screen.numbers[-10:] == list(range(1210, 1220))
    screen.says(".foot", "end of 2 streams")
    screen.says(".foot", at(1219, 0)[:19].decode())

    assert screen.all_numbers() == list(range(1220))


def test_late_lines_are_marked(stage: Stage, screen):
    """What comes when later lines of another stream are on the screen says so, once for all that come together."""
    early = stage.stream("early.log", b"2026-11-24 10:00:00,000 INFO line 1\n")
    other = stage.stream("other.log", b"2026-11-24 10:00:01,000 INFO line 2\n")
    screen.open(f"{early.fragment}&s={other.path}")
    screen.wait_line(2)
    other.write(b"2026-11-24 10:05:00,000 INFO line 4\n")
    screen.wait_line(4)

    early.write(b"2026-11-24 10:04:00,000 INFO line 3\n  goes on\n2026-11-24 10:04:01,000 INFO line 5\n")
    screen.wait_line(5)

    assert screen.numbers == [1, 2, 4, 3, 5]
    expect(screen.tab.locator(".row", has_text="line 3").locator(".tag")).to_have_text("late")
    expect(screen.tab.locator(".tag")).to_have_count(1)


def test_streams_that_come_back_one_after_the_other_are_in_the_order_of_their_times(stage: Stage, screen):
    """As after a restart of the receiver: what the page missed takes its place, and is not called late."""

    def at(*numbers: int) -> bytes:
        return b"".join(b"2026-11-24 10:00:%02d,000 INFO line %d\n" % (number, number) for number in numbers)

    first = stage.stream("first-back.log", at(0))
    second = stage.stream("second-back.log", at(1))
    screen.open(f"{first.fragment}&s={second.path}")
    screen.wait_line(1)

    with screen.tab.expect_response(lambda response: "/api/v1/events" in response.url):
        stage.proxy.cut()
    first.write(at(2, 4, 5, 8))
    screen.wait_line(8)
    second.write(at(3, 6, 7, 9))
    screen.wait_line(9)

    assert screen.numbers == list(range(10))
    expect(screen.tab.locator(".tag")).to_have_count(0)
    screen.forgive_lost_connections()


def test_a_line_without_its_end_grows_in_place(stage: Stage, screen):
    """Progress drawn with \\r is one line with its last state; a key shows what it was before."""
    log = stage.stream("progress.log", lines(0, 3))
    screen.open(log.fragment)
    screen.wait_line(2)

    log.write(b"10% of it")
    screen.wait_text("10% of it")
    log.write(b"\r55% of it")
    screen.wait_text("55% of it")
    expect(screen.tab.locator(".row", has_text="10% of it")).to_have_count(0)
    log.write(b"\r100% of it\n" + lines(3, 4))
    screen.wait_line(3)

    row = screen.tab.locator(".row", has_text="100% of it")
    expect(row).to_have_count(1)
    screen.press("k", "k", "o")
    expect(row.locator(".past li")).to_have_text(["10% of it", "55% of it"])
    screen.press("o")
    expect(row.locator(".past")).to_have_count(0)
