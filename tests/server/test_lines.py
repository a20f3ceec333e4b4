"""Lines, times and downloads over HTTP."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from server.bench import Bench

LOG = b"""\
2026-11-24 18:20:37 INFO one
2026-11-24 18:20:38 ERROR two
Traceback (most recent call last):
  File "a.py", line 1, in f
ValueError: x
three
{"time":"2026-11-24T18:20:40Z","level":"debug"}
half"""


@pytest.fixture
def finished(bench: Bench):
    """A finished stream of LOG."""
    bench.finish(bench.follow("f", LOG))
    return bench


def ask(bench, query):
    """A page of lines."""
    answer, body = bench.ask(f"/api/v1/streams/s/j/f/lines{query}")
    assert answer.status == 200, body
    return json.loads(body)


def test_the_end_of_a_stream(finished):
    """Without an offset: the last lines, with times, levels and what goes on."""
    page = ask(finished, "")

    assert (page["size"], page["from"], page["to"], page["start"], page["end"]) == (len(LOG), 0, len(LOG), True, True)
    assert [line["text"] for line in page["lines"]] == LOG.decode().split("\n")
    assert [line.get("level") for line in page["lines"]] == [
        "info", "error", "error", "error", "error", None, "debug", None,
    ]  # fmt: skip
    assert [line.get("more", False) for line in page["lines"]] == [False, False, True, True, True, False, False, False]
    times = [line["time"] for line in page["lines"]]
    assert times[0] == 1795544437.0
    assert set(times[1:5]) == {1795544438.0}
    assert times[5] == times[4]  # it says none; the log is older than its copy
    assert page["lines"][5]["arrived"] > times[5]
    assert page["lines"][-1]["open"] is True
    assert [mark["kind"] for mark in page["marks"]] == ["start", "finished"]
    assert page["marks"][-1]["offset"] == len(LOG)


def test_a_page_in_the_middle(finished):
    """An offset inside a line means the whole line; what goes on knows its head, though that is not on the page."""
    offset = LOG.index(b"File")
    page = ask(finished, f"?offset={offset}&before=0&after=2")

    assert [line["text"] for line in page["lines"]] == ['  File "a.py", line 1, in f', "ValueError: x"]
    assert {(line["level"], line["more"], line["time"]) for line in page["lines"]} == {("error", True, 1795544438.0)}
    assert (page["start"], page["end"], page["marks"]) == (False, False, [])
    before = ask(finished, f"?offset={offset}&before=2&after=0")
    assert [line["offset"] for line in before["lines"]] == [29, 59]
    assert before["to"] == page["from"]
    beyond = ask(finished, "?offset=99999&before=1")
    assert [line["text"] for line in beyond["lines"]] == ["half"]


@pytest.mark.parametrize(
    "query", ["offset=x", "offset=-2", "before=-1", "before=5001", "after=1e3", "after=", "offset=" + "9" * 30]
)
def test_questions_that_mean_nothing(finished, query):
    """400 with one clear line."""
    answer, body = finished.ask(f"/api/v1/streams/s/j/f/lines?{query}")

    assert answer.status == 400
    assert query.partition("=")[0] in json.loads(body)["error"]


def test_all_arrivals_of_a_stream(finished):
    """From which offset on bytes came when, for who reads them himself."""
    answer, body = finished.ask("/api/v1/streams/s/j/f/arrivals")

    assert answer.status == 200
    [[when, offset], *_] = json.loads(body)["arrivals"]
    assert offset == 0
    assert when > 1.7e9
    assert finished.ask("/api/v1/streams/s/j/g/arrivals")[0].status == 404


def test_the_place_of_a_time(finished):
    """Before everything, behind everything, and nonsense."""
    path = "/api/v1/streams/s/j/f/at?time="

    assert json.loads(finished.ask(f"{path}0")[1]) == {"offset": 0}
    assert json.loads(finished.ask(f"{path}9e9")[1]) == {"offset": len(LOG)}
    assert [finished.ask(f"{path}{bad}")[0].status for bad in ("", "x", "nan", "inf")] == [400] * 4
    assert finished.ask("/api/v1/streams/s/j/f/at")[0].status == 400
    assert finished.ask("/api/v1/streams/s/j/g/at?time=0")[0].status == 404
    assert finished.ask("/api/v1/streams/s/j/g/lines")[0].status == 404


def test_a_download_has_a_name(bench):
    """Also one with quotes and characters from elsewhere."""
    name = 'a "b" ü%.log'
    bench.finish(bench.follow(name, b"x"))
    path = f"/api/v1/streams/s/j/{quote(name)}/bytes"
    answer, body = bench.ask(f"{path}?download=1")

    assert (answer.status, body) == (200, b"x")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"a _b_ __.log\"; filename*=UTF-8''a%20%22b%22%20%C3%BC%25.log"
    )
    assert "Content-Disposition" not in bench.ask(path)[0].headers


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (LOG, "half"),
        (b"one\ntwo\n\n \n", "two"),
        (b"10%\r20%\r30%\r", "30%"),
        (b"\x1b[31mred\x1b[0m\x07\n", "red"),
        (b"", ""),
        (b"x" * 9000 + b"END", "x" * 200),
        ("ü".encode() * 300, "ü" * 200),
    ],
)
def test_the_last_line_is_in_the_list(bench, content, text):
    """Of the file as it is shown to people."""
    bench.finish(bench.follow("f", content))
    (status,) = json.loads(bench.ask("/api/v1/streams")[1])["streams"]

    assert status["last_line"] == text


def test_times_that_name_no_zone_are_the_site_s(bench):
    """As its sender says, in history and live."""
    bench.follow("f", b"2026-11-24 18:20:37 INFO one\n", meta={"zone": "+02:00"})
    events = bench.events("s/j/f@0")
    (event,) = [event for event in events.until(lambda event: event.name == "lines") if event.name == "lines"]
    events.close()

    assert event.data["lines"][0]["time"] == 1795544437.0 - 7200
    assert ask(bench, "")["lines"][0]["time"] == 1795544437.0 - 7200
