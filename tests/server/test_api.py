"""The HTTP API of a receiver in this process."""

from __future__ import annotations

import json
import time

import pytest

from conftest import wait_until
from logstreamer.server import board
from server.bench import TOKEN


@pytest.mark.parametrize(
    "path", ["/api/v1/streams", "/api/v1/streams/s/j/f", "/api/v1/streams/s/j/f/bytes", "/api/v1/events"]
)
@pytest.mark.parametrize("token", ["", "wrong", "a-token2"])
def test_everything_asks_for_the_token(bench, path, token):
    """Without it nobody learns even what there is."""
    answer, _ = bench.ask(path, token)

    assert answer.status == 401


def test_health_needs_no_token_and_tells_nothing_else(bench):
    """For supervisors, and to know a left-over note."""
    answer, body = bench.ask("/healthz", token="")

    assert (answer.status, json.loads(body)) == (200, {"status": "ok", "instance": "i"})


def test_ready_needs_no_token_and_names_no_stream(bench):
    """200 while everything moves; the reasons are those of the watchdog."""
    bench.follow("secret.log", b"hello\n")
    answer, body = bench.ask("/readyz", token="")
    assert (answer.status, json.loads(body)) == (200, {"status": "ready", "instance": "i", "reasons": []})

    bench.board._stored.refused_at = time.monotonic()
    answer, body = bench.ask("/readyz", token="")
    assert answer.status == 503
    assert [reason["reason"] for reason in json.loads(body)["reasons"]] == ["cannot begin"]
    assert b"secret" not in body


def test_a_blocked_loop_is_told_when_it_is_over(bench, monkeypatch):
    """While it is blocked nobody gets an answer, so it is remembered for a while."""
    monkeypatch.setattr("logstreamer.server.watchdog.LATE_SECONDS", 0.5)
    bench.ask("/healthz", token="")
    bench.engine.pump.ask(lambda: time.sleep(1.8))
    deadline = time.monotonic() + 10
    while True:
        answer, body = bench.ask("/readyz", token="")
        if answer.status == 503:
            break
        assert time.monotonic() < deadline
    (reason,) = json.loads(body)["reasons"]
    assert reason["reason"] == "loop blocked"
    assert reason["seconds"] >= 0.5


def test_a_browser_may_bring_the_token_in_the_url(bench):
    """An EventSource can set no header."""
    answer, _ = bench.ask(f"/api/v1/streams?token={TOKEN}", token="")

    assert answer.status == 200


def test_a_stream_from_its_life_to_its_end(bench):
    """Live with ages, finished with a digest."""
    following = bench.follow("f", b"hello\n")
    live = _wait_for(bench, lambda stream: stream["size"] == 6)
    bench.finish(following)
    finished = _wait_for(bench, lambda stream: stream["state"] == "finished")

    assert (live["state"], live["path"], live["behind"]) == ("live", "s/j/f", 0)
    assert 0 <= live["last_data"] < 5
    assert 0 <= live["last_beat"] < 5
    assert finished["digest"]
    assert finished["last_beat"] is None
    assert live["ended"] is None
    assert 0 <= finished["ended"] < 10


def test_a_stream_that_begins_is_told_without_another_look_at_the_disk(bench, monkeypatch):
    """Where looks are slow the next one is a long way off."""
    monkeypatch.setattr(board, "SCAN_SHARE", 10**9)
    bench.ask("/api/v1/streams")
    bench.follow("f", b"hello\n")
    wait_until(lambda: bench.store.is_open("s/j/f"))
    _, listed = bench.ask("/api/v1/streams")

    assert [stream["path"] for stream in json.loads(listed)["streams"]] == ["s/j/f"]


def _wait_for(bench, happened):
    end = time.monotonic() + 10
    while True:
        answer, body = bench.ask("/api/v1/streams/s/j/f")
        if answer.status == 200 and happened(stream := json.loads(body)):
            return stream
        assert time.monotonic() < end, body
        time.sleep(0.01)


def test_bytes_and_ranges(bench):
    """200, 206, 416, 304, HEAD-like sizes, and 404 for what is not there."""
    bench.finish(bench.follow("f", b"0123456789"))
    whole, body = bench.ask("/api/v1/streams/s/j/f/bytes")
    etag = whole.headers["ETag"]

    assert (whole.status, body) == (200, b"0123456789")
    part, body = bench.ask("/api/v1/streams/s/j/f/bytes", Range="bytes=2-4")
    assert (part.status, body, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    beyond, _ = bench.ask("/api/v1/streams/s/j/f/bytes", Range="bytes=10-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */10")
    for tags in (etag, f'"another", W/{etag}', "*"):
        assert bench.ask("/api/v1/streams/s/j/f/bytes", **{"If-None-Match": tags})[0].status == 304
    changed, body = bench.ask("/api/v1/streams/s/j/f/bytes", Range="bytes=2-4", **{"If-Range": '"another"'})
    assert (changed.status, body) == (200, b"0123456789")
    head, body = bench.ask("/api/v1/streams/s/j/f/bytes", method="HEAD", Range="bytes=2-4")
    assert (head.status, body, head.headers["Content-Length"]) == (200, b"", "10")
    assert bench.ask("/api/v1/streams/s/j/g/bytes")[0].status == 404
    assert bench.ask("/api/v1/streams/../../etc/passwd")[0].status == 404


@pytest.mark.parametrize("part", ["", "/bytes", "/lines", "/at?time=0", "/arrivals"])
def test_a_stream_that_is_not_there_is_named(bench, part):
    """Not what was asked about it."""
    answer, body = bench.ask(f"/api/v1/streams/s/j/tree/f{part}")

    assert (answer.status, json.loads(body)) == (404, {"error": "no stream is stored at s/j/tree/f"})


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nowhere", 404, "nothing is at /nowhere"),
        ("GET", "/api/v2/streams", 404, "nothing is at /api/v2/streams"),
        ("POST", "/api/v1/streams", 405, "POST is not possible here, only GET, HEAD"),
        ("DELETE", "/", 405, "DELETE is not possible here, only GET, HEAD"),
        ("GET", "/api/v1/alerts", 500, "the receiver failed at this; its log says more"),
    ],
)
def test_every_error_is_one_line_of_json(bench, monkeypatch, method, path, status, words):
    """Also where no route is, and where one fails."""
    monkeypatch.setattr("logstreamer.server.api.AlertsStatus", None)
    answer, body = bench.ask(path, method=method)

    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    found = json.loads(body)["error"]
    assert sorted(found.replace(",", "").split()) == sorted(words.replace(",", "").split())
    if status == 405:
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_a_file_that_is_called_bytes(bench):
    """Both the stream and its bytes are in reach."""
    bench.finish(bench.follow("bytes", b"x"))

    assert json.loads(bench.ask("/api/v1/streams/s/j/bytes")[1])["size"] == 1
    assert bench.ask("/api/v1/streams/s/j/bytes/bytes")[1] == b"x"


def test_a_site_that_allows_nothing(bench):
    """The receiver knows that, with the reason, and has no byte; the sender says so."""
    following = bench.follow("f", b"secret\n", refusal="the privacy officer says no")
    following.result(20)
    (lane,) = following.sender.lanes
    status = _wait_for(bench, lambda stream: stream["state"] == "refused by site")

    assert lane.outcome.get_return_code() == "REFUSED"
    assert lane.reason == "this site does not allow it: the privacy officer says no"
    assert (status["state_detail"], status["size"]) == ("the privacy officer says no", 0)
    assert status["history"][-1]["state"] == "refused by site"
    later = bench.follow("f", b"")
    bench.finish(later)
    assert _wait_for(bench, lambda stream: stream["state"] == "finished")["size"] == 0


def test_the_history_of_a_life(bench, monkeypatch):
    """A sender that falls silent and comes back: both are kept, with the place, while nobody watches."""
    monkeypatch.setattr("logstreamer.server.states.dead_after", lambda idle_timeout: 0.05)
    bench.follow("f", b"one\n")
    dead = _wait_for(bench, lambda stream: any(change["state"] == "dead" for change in stream["history"]))
    monkeypatch.undo()
    back = _wait_for(bench, lambda stream: stream["history"][-1]["state"] in ("live", "quiet"))

    change = next(change for change in dead["history"] if change["state"] == "dead")
    assert change["offset"] == 4
    assert change["detail"].startswith("no beat for")
    assert back["history"][-1]["at"] >= change["at"]
    page = json.loads(bench.ask("/api/v1/streams/s/j/f/lines")[1])
    assert [mark["kind"] for mark in page["marks"]][-2:] == ["dead", "back"]
