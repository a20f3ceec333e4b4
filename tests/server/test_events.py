"""Server-Sent Events: every byte once, whatever happens to the connection, and nobody waits for anybody."""

from __future__ import annotations

import contextlib
import json
import random
import time

import pytest

from logstreamer.lines import Annotator
from logstreamer.server import feed as feed_module
from logstreamer.server import viewer as viewer_module
from logstreamer.server.pace import Pace
from server.bench import Copy, Event


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Lines without an end are shown soon."""
    monkeypatch.setattr(feed_module, "OPEN_SECONDS", 0.05)


@contextlib.contextmanager
def following(bench, *streams, last_id=""):
    """A client that leaves in the end."""
    events = bench.events(*streams, last_id=last_id)
    try:
        yield events
    finally:
        events.close()


def stored(bench, size, name="f"):
    """Wait until *size* bytes of it are stored."""
    end = time.monotonic() + 20
    while True:
        answer, body = bench.ask(f"/api/v1/streams/s/j/{name}")
        if answer.status == 200 and json.loads(body)["size"] >= size:
            return
        assert time.monotonic() < end, body
        time.sleep(0.01)


def collect(events, count, copy=None, stream="s/j/f"):
    """Take events until *count* lines of *stream* are there."""
    copy = copy or Copy()
    for event in events:
        if len(copy.take(event).texts(stream)) >= count:
            return copy
    raise AssertionError("the events ended")


def test_they_begin_with_everything_and_go_on_with_what_changes(bench):
    """One connection, no question asked again."""
    running = bench.follow("f", b"one\n")
    stored(bench, 4)
    with following(bench) as events:
        first = next(iter(events))
        bench.append("f", b"two\n")
        seen = events.until(lambda event: event.data["streams"][0]["size"] == 8)
        bench.finish(running)
        seen += events.until(lambda event: event.data["streams"][0]["state"] == "finished")

    assert events.answer.headers["Content-Type"].startswith("text/event-stream")
    assert events.answer.headers["X-Accel-Buffering"] == "no"
    assert [stream["path"] for stream in first.data["streams"]] == ["s/j/f"]
    assert first.data["streams"][0]["last_line"] == "one"
    assert {event.name for event in seen} == {"streams"}


def test_lines_come_as_they_are_written(bench):
    """From the end on; with what a line says about itself."""
    bench.follow("f", b"before\n")
    stored(bench, 7)
    with following(bench, "s/j/f") as events:
        events.until(lambda event: event.name == "streams")
        bench.append("f", b"2026-11-24 18:20:37 ERROR x\n  more\n")
        copy = collect(events, 2)

    first, second = copy.lines["s/j/f"]
    assert (first["offset"], first["level"], first["time"]) == (7, "error", 1795544437.0)
    assert (second["level"], second["more"]) == ("error", True)
    assert abs(first["arrived"] - time.time()) < 20
    assert events.id == "42"


def test_lines_from_an_offset(bench):
    """From the beginning, and from inside of a line: that line comes whole."""
    bench.follow("f", b"one\ntwo\nthree\n")
    stored(bench, 14)
    with following(bench, "s/j/f@0") as events:
        assert collect(events, 3).texts() == ["one", "two", "three"]
    with following(bench, "s/j/f@5") as events:
        assert collect(events, 2).texts() == ["two", "three"]
    with following(bench, "s/j/f@999") as events:
        events.until(lambda event: event.name == "streams")
        bench.append("f", b"four\n")
        assert collect(events, 1).texts() == ["four"]


def test_a_line_without_an_end_is_shown_and_comes_again(bench):
    """Open, longer, and whole in the end; the position does not move before that."""
    bench.follow("f", b"one\n10%")
    stored(bench, 7)
    with following(bench, "s/j/f@4") as events:
        *_, shown = events.until(lambda event: event.name == "lines")
        assert (shown.data["from"], shown.data["to"], shown.id) == (4, 4, "4")
        assert shown.data["lines"] == [{**shown.data["lines"][0], "offset": 4, "end": 7, "text": "10%", "open": True}]
        bench.append("f", b"\r20%")
        *_, shown = events.until(lambda event: event.name == "lines")
        assert (shown.data["lines"][0]["text"], shown.data["lines"][0]["open"]) == ("10%\r20%", True)
        bench.append("f", b"\r30%\n")
        whole = events.until(lambda event: event.name == "lines" and event.data["to"] > 4)[-1]
        assert whole.data["lines"][0]["text"] == "10%\r20%\r30%"
        assert "open" not in whole.data["lines"][0]


def test_several_streams_and_one_that_is_yet_to_come(bench):
    """Each from its own place; the id has the places of all of them."""
    bench.follow("f", b"f1\n")
    bench.follow("g", b"g1\n")
    stored(bench, 3)
    stored(bench, 3, "g")
    with following(bench, "s/j/f@0", "s/j/late", "s/j/g@-1") as events:
        copy = collect(events, 1)
        bench.follow("late", b"l1\nl2\n")
        collect(events, 2, copy, "s/j/late")
        bench.append("g", b"g2\n")
        collect(events, 1, copy, "s/j/g")
        assert events.id == "3,6,6"
    assert copy.texts("s/j/late") == ["l1", "l2"]
    assert copy.texts("s/j/g") == ["g2"]

    with following(bench, "s/j/f@0", "s/j/late", "s/j/g@-1", last_id="3,3,0") as events:
        copy = collect(events, 2, stream="s/j/g")
        collect(events, 1, copy, "s/j/late")
    assert copy.texts("s/j/f") == []
    assert copy.texts("s/j/late") == ["l2"]


@pytest.mark.parametrize("last_id", ["x", "1,2", "-5", "9" * 30, "1.5"])
def test_an_id_that_is_none_of_ours_is_not_obeyed(bench, last_id):
    """What the question says counts then."""
    bench.follow("f", b"one\n")
    stored(bench, 4)
    with following(bench, "s/j/f@0", last_id=last_id) as events:
        assert collect(events, 1).texts() == ["one"]


def test_cut_again_and_again_nothing_is_missing_and_nothing_comes_twice(bench):
    """Viewers that leave at random and come back with the id of the last event they have."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    running = bench.follow("f", b"")
    total, written, copy, last_id = 3000, 0, Copy(), ""
    while len(copy.texts()) < total:
        with following(bench, "s/j/f@0", last_id=last_id) as events:
            for event in events:
                copy.take(event)
                last_id = event.id or last_id
                if written < total:
                    count = chance.randrange(1, 200)
                    more = range(written, min(total, written + count))
                    bench.append("f", b"".join(b"%d %s\n" % (number, b"x" * chance.randrange(90)) for number in more))
                    written += len(more)
                if len(copy.texts()) >= total or chance.random() < 0.2:
                    break
    bench.finish(running)

    assert [int(text.split()[0]) for text in copy.texts()] == list(range(total))


def test_who_is_behind_reads_from_the_file(bench, monkeypatch):
    """When the feed keeps nothing, a viewer gets everything all the same, and the same lines as from history."""
    monkeypatch.setattr(feed_module, "MAX_KEPT", 1)
    monkeypatch.setattr("logstreamer.server.feeds.SLICE", 500)
    content = b"".join(b"2026-11-24 18:20:%02d INFO %d\n" % (number % 60, number) for number in range(500))
    bench.follow("f", content)
    stored(bench, len(content))
    with following(bench, "s/j/f@0") as events:
        copy = collect(events, 500)
    page = json.loads(bench.ask("/api/v1/streams/s/j/f/lines?before=5000")[1])

    assert copy.lines["s/j/f"] == page["lines"]


def test_a_backlog_that_is_too_long_is_skipped_and_said(bench, monkeypatch):
    """The viewer goes on near the end; the rest is history."""
    monkeypatch.setattr(viewer_module, "MAX_BACKLOG", 10_000)
    content = b"x" * 99 + b"\n"
    bench.follow("f", content * 1000)
    stored(bench, 100_000)
    with following(bench, "s/j/f@0") as events:
        *_, skip = events.until(lambda event: event.name == "skip")
        copy = Copy().take(skip)
        bench.append("f", b"last\n")
        for event in events:
            if copy.take(event).texts()[-1:] == ["last"]:
                break

    assert copy.skipped == [{"stream": "s/j/f", "from": 0, "to": 100_000}]


def test_a_feed_that_cannot_keep_up_skips_to_the_end(bench, monkeypatch):
    """What came all at once, more than anybody reads, is left out and said; the last lines are there."""
    monkeypatch.setattr(feed_module, "MAX_BACKLOG", 100_000)
    monkeypatch.setattr(feed_module, "NEAR", 1000)
    bench.follow("f", b"first\n")
    stored(bench, 6)
    with following(bench, "s/j/f@0") as events:
        copy = collect(events, 1)
        bench.append("f", (b"y" * 99 + b"\n") * 30_000 + b"last\n")
        for event in events:
            if copy.take(event).texts()[-1:] == ["last"]:
                break

    assert copy.skipped
    assert sum(skip["to"] - skip["from"] for skip in copy.skipped) > 1_000_000


def test_deaths_and_returns_are_marked_where_they_happened(bench):
    """At once, also where no new line comes."""
    running = bench.follow("f", b"one\nhalf")
    stored(bench, 8)
    with following(bench, "s/j/f@0") as events:
        copy = collect(events, 1)
        bench.finish(running)
        for event in events:
            if any(mark["kind"] == "finished" for mark in copy.take(event).marks):
                break

    kinds = [(mark["kind"], mark["offset"]) for mark in copy.marks]
    assert kinds == [("start", 0), ("finished", 8)]


def test_who_leaves_is_forgotten(bench):
    """The feed of a stream is turned off with its last viewer."""
    bench.follow("f", b"one\n")
    stored(bench, 4)
    with following(bench, "s/j/f@0") as events:
        collect(events, 1)
        assert bench.engine.pump.ask(lambda: (bench.board.news.watchers, len(bench.board.listeners))) == (1, 1)
    end = time.monotonic() + 20
    while bench.engine.pump.ask(lambda: (bench.board.news.watchers, len(bench.board.listeners))) != (0, 0):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_viewer_that_never_reads_costs_nobody_anything(bench):
    """Others get every line meanwhile; the one that does not read has all of it, or the news of a gap, when it does."""
    running = bench.follow("f", b"")
    stored(bench, 0)
    with following(bench, "s/j/f@0") as slow, following(bench, "s/j/f@0") as quick:
        line, copy = b"%05d " + b"z" * 493 + b"\n", Copy()
        for start in range(0, 12_000, 2000):  # 6 MB: more than all buffers on the way
            bench.append("f", b"".join(line % number for number in range(start, start + 2000)))
            collect(quick, start + 2000, copy)
        bench.finish(running)
        late = collect(slow, 12_000)

    assert [int(text[:5]) for text in copy.texts()] == list(range(12_000))
    assert late.texts() == copy.texts()


def test_a_line_of_megabytes_comes_cut(bench):
    """And the next one is there."""
    running = bench.follow("f", b"x" * (5 << 20) + b"\nnext\n")
    with following(bench, "s/j/f@0") as events:
        copy = collect(events, 2)
        bench.append("f", b"y" * (50 << 20) + b"\nlast\n")
        for event in events:
            if copy.take(event).texts()[-1] == "last":
                break
    bench.finish(running)

    first, second, *_ = copy.lines["s/j/f"]
    assert (first["cut"], len(first["text"]), first["end"]) == (True, 65536, (5 << 20) + 1)
    assert second["text"] == "next"
    assert copy.lines["s/j/f"][-1]["offset"] == (55 << 20) + 7


def test_too_many_streams_at_once(bench):
    """400; the question is not half answered."""
    query = "&".join(f"stream=s/j/{number}" for number in range(101))
    answer, body = bench.ask(f"/api/v1/events?{query}")

    assert answer.status == 400
    assert "100" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("text", "path", "offset"),
    [
        ("s/j/f", "s/j/f", -1),
        ("s/j/f@5", "s/j/f", 5),
        ("s/j/a@b", "s/j/a@b", -1),
        ("s/j/a@1@-1", "s/j/a@1", -1),
        ("", "", -1),
    ],
)
def test_what_a_viewer_wants(text, path, offset):
    """The last @ counts, if a number follows it."""
    assert viewer_module.Wanted.parse(text) == viewer_module.Wanted(path, offset)


def test_a_copy_notices_what_is_missing():
    """The oracle of this file can fail."""
    line = {"offset": 4, "end": 8, "text": "two"}
    copy = Copy().take(
        Event("lines", "4", {"stream": "f", "from": 0, "to": 4, "lines": [{"offset": 0, "end": 4, "text": ""}]})
    )
    with pytest.raises(AssertionError):
        copy.take(
            Event("lines", "12", {"stream": "f", "from": 8, "to": 12, "lines": [{**line, "offset": 8, "end": 12}]})
        )
    with pytest.raises(AssertionError):
        copy.take(Event("lines", "4", {"stream": "f", "from": 0, "to": 4, "lines": []}))


def test_what_nobody_reads_is_not_even_put_into_words(bench, monkeypatch):
    """A viewer that never reads is no work: once its connection is full, the feed rests."""
    made = []
    step = feed_module.Feed._step
    monkeypatch.setattr(feed_module.Feed, "_step", lambda feed, size: made.append(size) or step(feed, size))
    running = bench.follow("f", b"")
    stored(bench, 0)
    with following(bench, "s/j/f@0"):
        bench.append("f", (b"w" * 99 + b"\n") * 80_000)
        bench.finish(running)
        stored(bench, 8_000_000)
        before = -1
        while before != len(made):  # until it has come to rest
            before = len(made)
            time.sleep(0.5)

    assert len(made) < 8_000_000 / feed_module.SLICE / 1.5


def test_a_feed_that_nobody_waits_for_is_told_once():
    """However much comes in: waking the loop for each frame would cost those who send."""
    annotator = Annotator()
    feed = feed_module.Feed(feed_module.Source("s/j/f", None, lambda: None, lambda: None), 0, annotator, Pace())
    feed._wake.clear()
    asked = []

    feed.call(asked.append)
    feed.call(asked.append)
    assert len(asked) == 1
    asked[0]()
    for _ in range(3):
        feed.call(asked.append)
    assert len(asked) == 1, "it has not looked since"
    feed._wake.clear()
    feed.call(asked.append)
    assert len(asked) == 2
