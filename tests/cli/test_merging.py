"""The order of lines of several streams, with times as numbers."""

from __future__ import annotations

import random

from logstreamer.cli.entries import Entry, Notice
from logstreamer.cli.merging import MARGIN_SECONDS, MOST_HELD, Merger


class Scene:
    """Streams whose lines say when they were written, and come when they come."""

    def __init__(self, *streams, delay=2.0, ordered=True):
        self.merger = Merger(delay, ordered=ordered)
        self.passed = []
        self.last = dict.fromkeys(streams, float("-inf"))
        for stream in streams:
            self.merger.grows(stream, True)

    def line(self, stream, time, now, text=None):
        """One comes at *now*."""
        self.last[stream] = order = max(self.last[stream], time)
        entry = Entry(stream, 0, (text or f"{stream}{time:g}").encode(), time=time, order=order)
        self.merger.saw(stream, order, now - time, now)
        self.merger.add(entry, now)
        return self

    def at(self, now):
        """What is passed on until then; "!" marks what came too late."""
        found = list(self.merger.take(now))
        self.passed += found
        return [item.text.decode() + ("!" if item.late else "") for item in found]


def test_a_line_waits_for_earlier_ones_of_others():
    """At most the delay."""
    scene = Scene("a", "b").line("a", 10, now=10)

    assert scene.at(10.1) == []
    assert scene.line("b", 9.5, now=10.2).at(10.2) == ["b9.5"]
    assert scene.at(12.1) == ["a10"]


def test_a_later_line_of_every_other_ends_the_wait():
    """Nobody waits longer than there is reason to."""
    scene = Scene("a", "b", "c").line("a", 10, now=10).line("b", 11, now=11)

    assert scene.at(11) == []
    assert scene.line("c", 10.5, now=11.1).at(11.1) == ["a10"]
    assert scene.line("a", 10.7, now=11.2).at(11.2) == ["c10.5"]


def test_the_wait_is_as_long_as_lines_are_late_as_a_rule():
    """The lines of b come 0.5 s after their time."""
    scene = Scene("a", "b").line("b", 9, now=9.5).line("a", 9.1, now=9.1)
    scene.at(12)
    scene.line("a", 20, now=20)

    assert scene.at(20.5) == []
    assert scene.at(20.5 + MARGIN_SECONDS + 0.01) == ["a20"]


def test_a_clock_that_is_behind_is_waited_for():
    """Up to the delay: b's clock is 1.5 s behind a's."""
    scene = Scene("a", "b").line("b", 8.5, now=10)
    scene.at(20)
    scene.line("a", 30, now=30).line("b", 29.9, now=31.4)

    assert scene.at(31.4) == ["b29.9"]
    assert scene.at(31.81) == ["a30"]


def test_dead_and_finished_streams_are_not_waited_for():
    """They will say nothing."""
    scene = Scene("a", "b")
    scene.merger.grows("b", False)

    assert scene.line("a", 10, now=10).at(10) == ["a10"]


def test_a_late_line_is_passed_on_at_once_and_marked():
    """With how late it is; what belongs to it is not marked again."""
    scene = Scene("a", "b").line("a", 10, now=10)
    assert scene.at(12.1) == ["a10"]

    assert scene.line("b", 7, now=12.5).at(12.5) == ["b7!"]
    assert scene.passed[-1].late == 3.0
    scene.merger.add(Entry("b", 0, b"more", order=7.0, more=True), 12.6)
    assert scene.at(12.6) == ["more"]


def test_lines_of_one_stream_keep_their_order():
    """Whatever times they say."""
    scene = Scene("a", "b").line("a", 10, now=10).line("a", 8, now=10).line("a", 11, now=10)

    assert scene.at(13) == ["a10", "a8", "a11"]


def test_a_notice_takes_the_lines_before_it_along():
    """It is said at once, at its place."""
    scene = Scene("a", "b").line("a", 10, now=10)
    scene.merger.add(Notice("a", "dead", "dead", {}, 10.0), 10)
    scene.line("a", 11, now=10)

    assert [type(item).__name__ for item in scene.merger.take(10)] == ["Entry", "Notice"]


def test_in_order_of_arrival_nothing_waits():
    """And nothing is late."""
    scene = Scene("a", "b", ordered=False).line("a", 10, now=10).line("b", 5, now=10)

    assert scene.at(10) == ["a10", "b5"]


def test_what_waits_is_bounded():
    """The earliest goes when there is too much."""
    scene, line = Scene("a", "b"), "x" * 100_000
    for number in range(200):
        scene.line("a", number, now=0, text=line)

    assert len(scene.at(0)) >= 200 - MOST_HELD // 100_000


def test_no_line_is_lost_and_unmarked_ones_ascend():
    """Streams with clocks and delays of their own."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    scene = Scene(*"abcd", delay=1.0)
    lags = {stream: dice.uniform(-1, 2) for stream in "abcd"}
    lines = sorted(
        (time + lags[stream] + dice.random() / 10, stream, time)
        for stream in "abcd"
        for time in (dice.uniform(0, 100) for _ in range(200))
    )
    for now, stream, time in lines:
        scene.at(now)
        scene.line(stream, time, now)
    scene.passed += scene.merger.take_all()

    assert len(scene.passed) == len(lines)
    orders = [item.order for item in scene.passed if not item.late]
    assert orders == sorted(orders)
    for stream in "abcd":
        own = [item.order for item in scene.passed if item.stream == stream]
        assert own == sorted(own)
