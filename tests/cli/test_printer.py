"""What reaches standard output."""

from __future__ import annotations

import base64
import io
import json

import pytest

from logstreamer.cli.entries import Block, Cutter, Entry, Notice
from logstreamer.cli.look import Look
from logstreamer.cli.patterns import Patterns
from logstreamer.cli.printer import Printer


def printed(*items, several=False, prefix="auto", separate=False, **look):
    """What a printer makes of *items*; a tuple is (stream, line)."""
    out = io.BytesIO()
    printer = Printer(Look(**look), prefix=prefix, separate=separate, out=out, columns=0)
    printer.set_several(several)
    for item in items:
        printer.name(item[0] if isinstance(item, tuple) else item.stream)
    for item in items:
        printer.print(Entry(item[0], 0, item[1], len(item[1])) if isinstance(item, tuple) else item)
    return out.getvalue()


def objects(*items, **look):
    """The same as JSON."""
    return [json.loads(line) for line in printed(*items, output="json", **look).splitlines()]


def test_one_stream_goes_through_as_it_comes():
    """Byte for byte, without waiting for the end of a line."""
    assert printed(Block("a", b"x\x1b"), Block("a", b"y")) == b"x\x1by"


def test_lines_of_several_streams_say_whose_they_are():
    """Unless that is not wanted."""
    lines = ("a", b"one\x1b"), ("b", b"two")

    assert printed(*lines, several=True) == b"a: one\x1b\nb: two\n"
    assert printed(*lines, several=True, prefix="never") == b"one\x1b\ntwo\n"
    assert printed(*lines, several=True, output="raw") == b"one\x1b\ntwo\n"
    assert printed(*lines) == b"one\x1b\ntwo\n"
    assert printed(*lines, prefix="always") == b"a: one\x1b\nb: two\n"


def test_a_terminal_shows_of_names_what_differs():
    """And aligns them."""
    streams = ("site-1/job/train.log", b"x"), ("site-10/job/train.log", b"y"), ("site-1/job/train.log", b"z")

    assert printed(*streams, several=True, terminal=True) == b"site-1  | x\nsite-10 | y\nsite-1  | z\n"
    assert printed(("s/j/a", b"x"), several=True, terminal=True) == b"s/j/a | x\n"
    assert printed(("s/j/a", b"x"), ("s/k/a", b"y"), several=True, terminal=True) == b"j | x\nk | y\n"


def test_timestamps_are_those_of_the_line():
    """RFC 3339 in a pipe; unknown ones are no guess."""
    known = Entry("a", 0, b"x", time=1.5)

    assert printed(known, timestamps=True, zone=utc()) == b"1970-01-01T00:00:01.500Z x\n"
    assert printed(("a", b"x"), timestamps=True) == b"- x\n"
    assert printed(known, timestamps=True, zone=utc(), terminal=True) == b"1970-01-01 00:00:01.500 x\n"


def utc():
    """The zone."""
    from logstreamer.cli.moments import parse_zone

    return parse_zone("UTC")


def test_a_late_line_is_marked():
    """Where there is room for a mark."""
    late = Entry("a", 0, b"x", late=3.14)

    assert printed(late, several=True) == b"a: (late 3.1 s) x\n"
    assert printed(late) == b"x\n"
    assert objects(late)[0]["late"] == 3.14


def test_pieces_of_a_long_line_are_one_line_again():
    """Unless another stream comes between."""
    line = b"x" * 2_500_000
    cutter = Cutter("a")
    pieces = [*cutter.feed(line, 0), *cutter.feed(b"\nnext\n", len(line))]
    assert len(pieces) == 4

    assert printed(*pieces, prefix="always") == b"a: " + line + b"\na: next\n"
    between = printed(pieces[0], ("b", b"!"), *pieces[1:], prefix="never")
    assert between == pieces[0].text + b"\n!\n" + line[len(pieces[0].text) :] + b"\nnext\n"
    assert "".join(one["text"] for one in objects(*pieces[:3])) == line.decode()
    assert [(one.get("cut"), one.get("continued")) for one in objects(*pieces)] == [
        (True, None), (True, True), (None, True), (None, None),
    ]  # fmt: skip


def test_a_terminal_sees_the_beginning_of_a_long_line():
    """And how much more there is."""
    shown = printed(("a", b"x" * 3_000_000), terminal=True)

    assert len(shown) < 70_000
    assert shown.endswith(b"x ... 2.8 MiB more, all of it with -o raw\n")


@pytest.mark.parametrize(
    "text",
    [b'"quoted" \\ back', b"\x00\x1b[31m\x7f", "ä\u2028\U0001f600".encode(), b"\xff\xfe\x80", b"\xed\xa0\x80", b""],
)
def test_json_survives_every_line(text):
    """One object on one line; what is no UTF-8 is marked, and not lost."""
    [one] = objects(("s/j/d/f", text))

    assert (one["stream"], one["site"], one["job"], one["file"]) == ("s/j/d/f", "s", "j", "d/f")
    if "invalid_utf8" in one:
        assert base64.b64decode(one["base64"]) == text
        assert "\ufffd" in one["text"]
    else:
        assert one["text"].encode() == text


def test_json_tells_what_is_known():
    """Numbers for times, as in the API; -t adds a text."""
    entry = Entry("a", 7, b"x", 9, time=1.25, arrived=2.5, level="error", more=True, context=True, ended=False)

    assert objects(entry, timestamps=True, zone=utc()) == [
        {
            "stream": "a", "site": "a", "job": "", "file": "", "offset": 7, "end": 9, "time": 1.25, "level": "error",
            "timestamp": "1970-01-01T00:00:01.250Z", "arrived": 2.5, "more": True, "context": True, "open": True,
            "text": "x",
        }
    ]  # fmt: skip


def test_context_is_told_apart_as_grep_does():
    """By a dash, and two between lines that are no neighbours."""
    lines = [
        Entry("a", 0, b"before", 7, context=True),
        Entry("a", 7, b"found", 13),
        Entry("a", 90, b"found", 96),
    ]

    assert printed(*lines, separate=True) == b"before\nfound\n--\nfound\n"
    assert printed(*lines, separate=True, prefix="always") == b"a- before\na: found\na- --\na: found\n"
    assert printed(*lines, separate=True, output="raw") == b"before\nfound\nfound\n"


STAMP = b"\x1b[2m2026-01-31 12:00:00,123"
COLOURED = [
    (b"2026-01-31 12:00:00,123 ERROR no", "error",
     STAMP + b"\x1b[0m\x1b[31m \x1b[1;31mERROR\x1b[0m\x1b[31m no\x1b[0m"),
    (b"2026-01-31 12:00:00,123 INFO", "info", STAMP + b"\x1b[0m \x1b[32mINFO\x1b[0m\x1b[0m"),
    (b"  in a traceback", "error", b"\x1b[31m  in a traceback\x1b[0m"),
    (b"plain", None, b"plain"),
    (b"12% done", "info", b"12% done"),
    (b"DEBUG x", "debug", b"\x1b[2mDEBUG x\x1b[0m"),
    (b"\x1b[32mok\x1b[0m", "error", b"\x1b[32mok\x1b[0m\x1b[0m"),
    (b"\x1b[8mhidden\x1b[5mblink\x1b[38;5;300mbad", None, b"hiddenblinkbad"),
    (b"\x1b[1;38;2;1;2;3mtrue\x1b[m", None, b"\x1b[1;38;2;1;2;3mtrue\x1b[0m\x1b[0m"),
    (b"\x1b[31mred\x1b[2J", None, b"\x1b[31mred^[[2J\x1b[0m"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "level", "shown"), COLOURED)
def test_colours_are_the_level_s_or_the_line_s_own(line, level, shown):
    """Those that only colour; nothing hides, blinks, or goes on into the next line."""
    assert printed(Entry("a", 0, line, level=level), terminal=True, colour=True) == shown + b"\n"


def test_what_a_pattern_finds_stands_out_over_every_colour():
    """And the colour before goes on behind it."""
    look = {"terminal": True, "colour": True, "highlights": (Patterns(["b.*c", "cd"]),)}

    assert printed(("a", b"abxcde"), **look) == b"a\x1b[0m\x1b[30;43mbxcd\x1b[0me\x1b[0m\n"
    assert printed(("a", b"\x1b[32mab\x1b[1mcd"), **look) == (
        b"\x1b[32ma\x1b[0m\x1b[30;43mbcd\x1b[0m\x1b[32m\x1b[1m\x1b[0m\n"
    )


def test_without_colours_nothing_stands_out():
    """Not on a terminal either."""
    assert printed(("a", b"\x1b[32mab"), terminal=True, highlights=(Patterns(["a"]),)) == b"ab\n"


def test_notices_are_lines_for_people_and_objects_for_programs(capsys, monkeypatch):
    """On stderr, behind the lines before them."""
    notice = Notice("s/j/f", "dead", "dead (at byte 2)", {"offset": 2})
    assert printed(notice) == b""
    assert capsys.readouterr().err == "logstreamer: s/j/f: dead (at byte 2)\n"

    monkeypatch.setattr("logstreamer.cli.output.VOICE.objects", True)
    assert printed(notice, output="json") == b""
    said = json.loads(capsys.readouterr().err)
    assert said == {"notice": "dead", "stream": "s/j/f", "offset": 2, "text": "dead (at byte 2)"}


def test_open_lines_are_drawn_below_and_taken_away():
    """In one row each, the last state only."""
    out = io.BytesIO()
    printer = Printer(Look(terminal=True), prefix="never", out=out, columns=20)
    first = Entry("a", 0, b"10%\r20% of very much more than that", ended=False)
    printer.draw({"a": first, "b": Entry("b", 0, b"y", ended=False)})
    printer.print(Entry("a", 0, b"done"))

    assert out.getvalue() == "20% of very much m…\ny\x1b[1A\r\x1b[Jdone\n".encode()
