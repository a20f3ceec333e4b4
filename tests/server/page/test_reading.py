"""The page as a reader of what is stored: any place of any file, levels, colours, search."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from server.page.conftest import signed_in
from server.page.files import HUGE, HUGE_SIZE, LINES, TORN, middle_of_huge
from server.page.measure import heap_of, opened
from server.page.screen import Screen
from server.page.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MOST_SECONDS = 1.0
"""Until a place of a huge file is painted, at the best of a few times: the machine may be busy."""

TRACE = b"""\
2026-11-24 10:00:01,000 ERROR it failed
Traceback (most recent call last):
  File "train.py", line 7, in step
ValueError: no such thing
"""


def test_a_file_of_three_gigabytes(archive: Stage, browser):
    """It opens at its end, in its middle and at its beginning, and little of it is kept."""
    context = signed_in(browser, archive.url)
    screen = Screen(context.new_page(), archive.url)
    offset = middle_of_huge() + 500_000
    for place, text in (("", f"end line {LINES - 1}"), (f"&at={HUGE}@{offset}", "middle line")):
        times: list[float] = []
        while min(times, default=MOST_SECONDS) >= MOST_SECONDS and len(times) < 5:
            times.append(max(opened(screen.tab, f"{archive.url}/#s={HUGE}{place}", text)))
        assert min(times) < MOST_SECONDS

    screen.press("G")
    screen.wait_text(f"end line {LINES - 1}")
    screen.says(".foot", "3.00 GiB")
    box = screen.tab.locator(".rail").bounding_box()
    screen.tab.mouse.click(box["x"] + 8, box["y"] + box["height"] * offset / HUGE_SIZE)
    screen.wait_text("middle line")
    numbers = screen.numbers
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    screen.says(".foot", "50.0 %")
    screen.says(".foot", f" of {HUGE_SIZE:,}")

    screen.press("g")
    screen.wait_text("beginning line 0")
    screen.press("G")
    screen.wait_text(f"end line {LINES - 1}")
    assert screen.tab.locator(".row").count() < 200
    assert heap_of(screen.tab) < 100 << 20
    assert screen.complaints == []
    context.close()


def test_scrolling_reaches_every_line(stage: Stage, screen):
    """From the end to the beginning and back, page by page: nothing is missing and nothing is there twice."""
    count = 6000
    log = stage.stream("scroll.log", b"".join(b"INFO line %d of it\n" % number for number in range(count)))
    screen.open(log.fragment)
    screen.wait_line(count - 1)

    assert screen.all_numbers() == list(range(count))


def test_a_level_keeps_its_stack_traces(stage: Stage, screen):
    """Errors alone: with the lines that belong to them, and those of far above."""
    quiet = b"".join(b"2026-11-24 10:00:00,000 INFO line %d\n" % number for number in range(6000))
    log = stage.stream("levels.log", TRACE + quiet + TRACE.replace(b"it failed", b"it failed again") + b"INFO end\n")
    screen.open(log.fragment)
    screen.wait_text("INFO end")

    screen.tab.select_option("#level", label="error and worse")
    screen.wait_text("it failed again")
    expect(screen.tab.locator(".row:not(.mark)")).to_have_count(8)
    assert [text.strip() for text in screen.texts][:4] == [
        "ERROR it failed",
        "Traceback (most recent call last):",
        'File "train.py", line 7, in step',
        "ValueError: no such thing",
    ]
    assert "level=error" in screen.tab.url

    screen.tab.select_option("#level", label="All levels")
    screen.wait_text("INFO end")


def test_search_to_permalink(stage: Stage, screen, browser):
    """A search over everything stored; a hit leads to its place; its URL leads anybody there."""
    haystack = [b"INFO line %d of hay\n" % number for number in range(30000)]
    haystack[12345] = b"WARN a needle, 42 mm\n"
    log = stage.stream("haystack.log", b"".join(haystack))
    stage.stream("elsewhere.log", b"another needle, 43 mm\n")
    screen.open(log.fragment)
    screen.wait_line(29999)

    screen.press("/")
    screen.tab.keyboard.type(r"needle, \d+ mm")
    screen.press("Enter")
    hits = screen.tab.locator(".hit")
    expect(hits).to_have_count(2)
    screen.says("#scanned", "All of")
    expect(screen.tab.locator(".hit mark").first).to_have_text(re.compile(r"needle, 4\d mm"))

    hits.filter(has_text="haystack.log").locator("button").click()
    found = screen.tab.locator(".row.is-selected")
    expect(found).to_contain_text("a needle, 42 mm")
    assert "".join(found.locator("mark").all_text_contents()) == "needle, 42 mm"
    assert screen.numbers[0] > 12000
    link = screen.tab.url
    screen.open(link[link.index("#") :], ".row.is-selected")
    expect(found).to_contain_text("a needle, 42 mm")


def test_a_search_is_kept_in_the_address(stage: Stage, screen):
    """So that it can be sent to somebody, and outlives a reload; a search that was closed is gone from there."""
    log = stage.stream("kept.log", b"INFO a Needle & more\nINFO hay\n")
    screen.open(log.fragment)
    screen.wait_text("hay")
    screen.press("/")
    screen.tab.keyboard.type("a Needle &")
    screen.press("Enter")
    screen.tab.check("#only-chosen")
    screen.says("#scanned", "All of")

    screen.tab.reload()
    expect(screen.tab.locator(".hit")).to_have_count(1)
    expect(screen.tab.locator("#only-chosen")).to_be_checked()
    expect(screen.tab.locator("#search")).to_have_value("a Needle &")
    screen.press("Escape")
    expect(screen.tab.locator("#results")).to_have_count(0)
    assert screen.tab.url.endswith(log.fragment)


def test_a_gap_is_marked_at_its_place(stage: Stage, screen):
    """Between the lines before and behind it, with its size."""
    screen.open(f"#s={TORN}")
    screen.wait_line(2)

    rows = screen.tab.eval_on_selector_all(".row", "rows => rows.map(row => row.dataset.mark ?? row.textContent)")
    gap = rows.index("gap")
    assert ["line 1" in rows[gap - 1], "line 2" in rows[gap + 1]] == [True, True]
    screen.says(".row[data-mark=gap]", "4.00 KiB lost")


def test_no_line_is_drawn_over_another(stage: Stage, screen):
    """Marks above one letter, by the hundred, reach far."""
    calm = [b"2026-11-24 10:00:0%d,000 INFO line %d\n" % (number, number) for number in range(9)]
    pictures = []
    for name, last in (("calm.log", "a"), ("marks.log", "a" + "\u0300" * 500)):
        log = stage.stream(name, b"".join(calm) + f"2026-11-24 10:00:09,000 {last} line 9\n".encode())
        screen.open(log.fragment)
        screen.wait_line(9)
        pictures.append([row.screenshot() for row in screen.tab.locator(".row:not(.mark)").all()[:9]])

    assert pictures[0] == pictures[1]


def test_a_bad_pattern_is_explained(stage: Stage, screen):
    """What the receiver says about it is shown where one looks."""
    screen.open("", ".src")
    screen.press("/")
    screen.tab.keyboard.type("(")
    screen.press("Enter")
    expect(screen.tab.locator(".scanned.is-bad")).to_contain_text(re.compile(r"\w+"))
    screen.complaints[:] = [one for one in screen.complaints if "400" not in one]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("failed", "The search failed: only 3 B of 9 B"), ("time", "The time was up: 3 B of 9 B"), ("limit", "enough")],
)
def test_a_search_that_did_not_look_everywhere_says_so(stage: Stage, screen, reason, words):
    """What was not found may still be there."""
    done = {"hits": 0, "truncated": True, "scanned": 3, "total": 9, "reason": reason}
    body = f"event: done\ndata: {json.dumps(done)}\n\n"
    screen.tab.route("**/api/v1/search?*", lambda way: way.fulfill(body=body, content_type="text/event-stream"))
    screen.open("", ".src")
    screen.press("/")
    screen.tab.keyboard.type("x")
    screen.press("Enter")

    screen.says("#scanned", re.compile(words))
    assert screen.tab.locator("#scanned").get_attribute("role") == ("alert" if reason == "failed" else "status")


def test_json_lines_unfold(stage: Stage, screen):
    """A JSON line is its message with its fields, and all of it on demand."""
    log = stage.stream("json.log", b'{"level": "warn", "msg": "late update", "round": 7, "of": ["a", "b"]}\n')
    screen.open(log.fragment)
    row = screen.tab.locator(".row.lvl-warn")
    expect(row.locator(".what")).to_contain_text('WARN late update round=7 of=["a","b"]')

    row.locator(".unfold").click()
    shown = json.loads(row.locator(".fold").text_content())
    assert shown == {"level": "warn", "msg": "late update", "round": 7, "of": ["a", "b"]}


def test_colours_become_spans(stage: Stage, screen):
    """The sixteen, the 256 and the true ones; everything else that controls a terminal is dropped or shown."""
    log = stage.stream(
        "ansi.log", b"\x1b[1;31mred\x1b[0m plain \x1b[38;2;1;2;3mtrue\x1b[48;5;196mboth\x1b[2J\x1b]0;t\x07!\n"
    )
    screen.open(log.fragment)
    spans = screen.tab.eval_on_selector_all(
        ".row .what span",
        "all => all.map(one => [one.textContent, one.className, one.style.color, one.style.backgroundColor])",
    )
    assert spans == [
        ["red", "bold fg-1", "", ""],
        ["true", "", "rgb(1, 2, 3)", ""],
        ["both", "", "rgb(1, 2, 3)", "rgb(255, 0, 0)"],
        ["!", "", "rgb(1, 2, 3)", "rgb(255, 0, 0)"],
    ]
    screen.wait_text("red plain trueboth!")


def test_download_is_byte_exact(stage: Stage, screen, tmp_path):
    """Whatever is in it."""
    content = bytes(range(256)) * 50 + b"\n"
    log = stage.stream("bytes.bin", content)
    screen.open(log.fragment, "#download")
    with screen.tab.expect_download() as started:
        screen.press("d")
    assert started.value.suggested_filename == "bytes.bin"
    started.value.save_as(tmp_path / "it")
    assert (tmp_path / "it").read_bytes() == content


def test_what_is_copied_is_what_is_stored(stage: Stage, screen):
    """Several selected lines go to the clipboard as their text, not as what is drawn of it."""
    log = stage.stream("copied.log", b'2026-11-24 10:00:00,000 INFO \x1b[31mred\x1b[0m\n{"msg": "m"}\n1%\r2%\n')
    screen.open(log.fragment)
    screen.wait_text("2%")
    copied = screen.tab.evaluate(
        """() => {
            document.getSelection().selectAllChildren(document.querySelector(".log-rows"));
            const data = new DataTransfer();
            const event = new ClipboardEvent("copy", { clipboardData: data, bubbles: true, cancelable: true });
            document.querySelector("#log").dispatchEvent(event);
            return data.getData("text/plain");
        }"""
    )
    assert copied == '2026-11-24 10:00:00,000 INFO \x1b[31mred\x1b[0m\n{"msg": "m"}\n1%\r2%\n'


def test_rotations_stand_in_the_log_at_their_place(stage: Stage, screen):
    """A file is rotated: a mark between its lines and those of the next one."""
    log = stage.stream("rotates.log", b"line 1\n")
    screen.open(log.fragment)
    screen.wait_line(1)
    log.source.rename(log.source.with_suffix(".log.1"))
    log.source.write_bytes(b"line 2\n")
    screen.wait_line(2)

    rows = screen.tab.eval_on_selector_all(
        ".row", "rows => rows.map(row => row.dataset.mark ?? row.querySelector('.what').textContent)"
    )
    assert rows[-3:] == ["line 1", "rotated", "line 2"]
    screen.press("k", "k")
    expect(screen.tab.locator(".row.is-selected")).to_contain_text("line 1")  # a mark is no line to select


def test_hostile_content(stage: Stage, screen):
    """Nothing in a log runs, hides a line, or breaks the page."""
    evil = [
        b"<script>document.title = 'pwned'</script><img src=x onerror=\"document.title = 'pwned'\">",
        b"\x1b]0;pwned\x07\x1b[2J\x1b[Hstill here",
        b"\x1b]8;;javascript:alert(1)\x07a link\x1b]8;;\x07",
        b"invalid \xff\xfe\xc3\x28 utf-8",
        b"turned \xe2\x80\xaegnp.exe round",
        b"\x1b]0;not terminated, so visible",
        b"\x1b[8mconcealed, so visible",
        b'{"__proto__": {"x": 1}, "msg": "<b>bold?</b>", "deep": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"\x1b[" + b"1;" * 20000 + b"m" + b"\x1b[31mx" * 5000,
        b"Z" * (50 << 20),
        b"the last line",
    ]
    log = stage.stream("evil.log", b"\n".join(evil) + b"\n")
    screen.open(log.fragment)
    screen.wait_text("the last line")
    expect(screen.tab.locator(".row", has_text="50.0 MiB")).to_be_visible()

    screen.press("g")
    for text in (
        "<script>",
        "still here",
        "a link",
        "invalid",
        "⟨U+202E⟩",
        "not terminated",
        "concealed",
        "<b>bold?</b>",
    ):
        screen.wait_text(text)
    screen.press("j", "j", "o")
    screen.press("/")
    screen.tab.keyboard.type("Z{500}")
    screen.press("Enter")
    expect(screen.tab.locator(".hit mark").first).to_have_text(re.compile("^Z{300,}$"))
    screen.press("n")
    expect(screen.tab.locator(".row.is-selected mark").first).to_have_text("Z" * 500)
    assert screen.tab.title() == "logstreamer"
    assert screen.tab.locator("#log a:not(.when), #log img, #log script").count() == 0


def test_the_policy_forbids_what_a_log_could_bring(stage: Stage, screen):
    """No script but the page's own, no style in markup, no frame, no form."""
    answer = screen.tab.goto(f"{screen.url}/")
    assert answer is not None
    rules = answer.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert "script-src 'self'" in rules
    assert "unsafe" not in rules
