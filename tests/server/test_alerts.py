"""Alerts of a receiver in this process: events become messages, and nothing that a webhook does holds anything up."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import wait_until
from logstreamer.server import board, states
from logstreamer.server.alerts import courier, service
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.rules import Config, Rule
from logstreamer.server.alerts.service import WebhookStatus
from logstreamer.server.alerts.template import Webhook
from logstreamer.server.status import StreamStatus
from server.bench import Bench
from server.test_alert_detector import status
from server.webhooks import Webhooks


@pytest.fixture
def webhooks() -> Iterator[Webhooks]:
    """One that takes everything."""
    it = Webhooks()
    yield it
    it.close()


@pytest.fixture
def quick(monkeypatch) -> None:
    """Looks and repetitions come soon."""
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(service, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(service, "REST_SECONDS", 0.2)
    monkeypatch.setattr(service, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(courier, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(courier, "LAST_RETRY", 0.05)


@pytest.fixture
def begin(tmp_path: Path, webhooks: Webhooks, quick: None) -> Iterator[Callable[..., Bench]]:
    """Starts a receiver with rules; the one before it is ended first."""
    running: list[Bench] = []

    def end() -> None:
        while running:
            running.pop().close()

    def start(*rules: Rule, hooks: tuple[Webhook, ...] = ()) -> Bench:
        end()
        hooks = hooks or (Webhook("ops", webhooks.url),)
        names = tuple(hook.name for hook in hooks)
        told = tuple(msgspec.structs.replace(rule, webhooks=names) for rule in rules)
        running.append(Bench(tmp_path, Config(told, hooks)))
        return running[0]

    yield start
    end()


def fired(bench: Bench) -> dict[str, int]:
    """How often each rule has."""
    return {rule.name: rule.fired for rule in bench.alerts.status().rules}


def webhook(bench: Bench) -> WebhookStatus:
    """The first one."""
    return bench.alerts.status().webhooks[0]


def test_one_message_for_each_event(begin, webhooks):
    """Finished, and lines that match: the first at once, the others when the cooldown is over."""
    bench = begin(
        Rule(name="m", when="match", pattern="^bad", cooldown=1.0),
        Rule(name="f", when="finished", streams=("s/j/f",)),
        Rule(name="other", when="finished", streams=("t",)),
    )
    following = bench.follow("f", b"good\nbad 1\n")
    wait_until(lambda: len(webhooks.taken) == 1)
    with open(bench.directory / "f", "ab") as file:
        file.write(b"bad 2\nbad 3\nbad without end")
    wait_until(lambda: len(webhooks.taken) == 2)
    bench.finish(following)
    wait_until(lambda: len(webhooks.taken) == 3)

    assert [(body["rule"], body["text"]) for _, body in webhooks.taken] == [
        ("m", "s/j/f says: bad 1"),
        ("m", "s/j/f says: bad without end (and 2 more)"),
        ("f", "s/j/f is finished: 38 bytes, digest ok"),
    ]
    assert fired(bench) == {"m": 2, "f": 1, "other": 0}


def test_nothing_is_said_twice_or_lost_over_restarts(begin, webhooks):
    """What could not be delivered is delivered by the next receiver, and what was is not."""
    rules = (Rule(name="f", when="finished"), Rule(name="m", when="match", pattern="hit"))
    bench = begin(*rules)
    bench.finish(bench.follow("a", b"hit a\n"))
    wait_until(lambda: len(webhooks.taken) == 2)
    webhooks.answer = 503
    bench.finish(bench.follow("b", b"hit b\n"))
    wait_until(lambda: fired(bench) == {"f": 2, "m": 2} and webhooks.refused > 2)
    assert len(webhooks.taken) == 2

    bench = begin(*rules)
    webhooks.answer = 200
    bench.finish(bench.follow("c", b"hit c\n"))
    wait_until(lambda: fired(bench) == {"f": 3, "m": 3} and webhook(bench).waiting == 0)

    assert sorted(webhooks.told) == [(kind, f"s/j/{name}") for kind in ("finished", "match") for name in "abc"]


def test_a_rule_that_is_new_does_not_tell_old_news(begin, webhooks):
    """Nor does one whose meaning has changed."""
    bench = begin(Rule(name="x", when="gap"))
    bench.finish(bench.follow("old", b"hit old\n"))

    bench = begin(Rule(name="x", when="match", pattern="hit"), Rule(name="f", when="finished"))
    bench.finish(bench.follow("new", b"hit new\n"))
    wait_until(lambda: len(webhooks.taken) == 2)

    assert sorted(webhooks.told) == [("finished", "s/j/new"), ("match", "s/j/new")]


def test_a_sender_that_died_without_a_receiver_is_told(begin, webhooks, monkeypatch):
    """Once, when the others would have come back."""
    monkeypatch.setattr(board, "RETURN_SECONDS", 0.1)
    monkeypatch.setattr(board, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(board, "dead_after", lambda idle_timeout: 0.3)
    dead = Rule(name="d", when="dead")
    bench = begin(dead)
    bench.follow("f", b"hello\n")
    wait_until(lambda: bench.ask("/api/v1/streams/s/j/f/bytes")[1] == b"hello\n")
    bench.engine.pump.ask(bench.engine.receiver.leave_all)  # as a receiver that is stopped does

    for name in "ab":
        bench = begin(dead, Rule(name="f", when="finished"))
        wait_until(lambda: fired(bench)["d"] == 1)  # noqa: B023
        bench.finish(bench.follow(name, b""))
        wait_until(lambda: webhooks.told[-1:] == [("finished", f"s/j/{name}")])  # noqa: B023

    assert [stream for kind, stream in webhooks.told if kind == "dead"] == ["s/j/f"]
    assert "has not come back" in webhooks.taken[0][1]["text"]
    told = json.loads(bench.ask("/api/v1/streams/s/j/f")[1])
    assert (told["state"], told["state_detail"]) == ("dead", f"{states.LOST}, at byte 6")
    assert [(change["state"], change["at"] == told["since"]) for change in told["history"][-2:]] == [
        ("live", False),
        ("dead", True),
    ]
    marks = json.loads(bench.ask("/api/v1/streams/s/j/f/lines")[1])["marks"]
    assert [mark["kind"] for mark in marks] == ["start", "dead"]


def test_a_sender_that_ended_between_two_looks_is_not_dead(begin, webhooks, monkeypatch):
    """However long the receiver is up: its end is looked up before anything is said of it."""
    monkeypatch.setattr(board, "RETURN_SECONDS", 0.0)
    monkeypatch.setattr(board, "dead_after", lambda idle_timeout: 0.0)
    monkeypatch.setattr(board, "NEWS_SECONDS", 60.0)
    bench = begin(Rule(name="d", when="dead"), Rule(name="f", when="finished"))
    following = bench.follow("f", b"hello\n")
    wait_until(lambda: bench.ask("/api/v1/streams/s/j/f")[0].status == 200)
    bench.finish(following)
    wait_until(lambda: not bench.store.is_open("s/j/f"))
    bench.engine.pump.ask(lambda: bench.board.news.spread({"s/j/f"}))
    wait_until(lambda: webhooks.taken)

    assert webhooks.told == [("finished", "s/j/f")]


class Desk:
    """Alerts that look when they are told to, at a clock that is moved."""

    def __init__(self, directory: Path, webhooks: Webhooks, *rules: Rule) -> None:
        self.directory, self.webhooks, self.rules = directory, webhooks, rules
        self.now = 1_800_000_000.0
        self.alerts: service.Alerts | None = None

    def start(self, *statuses: StreamStatus) -> None:
        """A receiver; the one before it, if any, was killed."""
        self.close()
        hook = Webhook("ops", self.webhooks.url)
        rules = tuple(msgspec.structs.replace(rule, webhooks=("ops",)) for rule in self.rules)
        board: Any = None  # what is looked at is given
        self.alerts = service.Alerts(Config(rules, (hook,)), board, board, str(self.directory), lambda: self.now)
        self.alerts.begin(list(statuses))

    def look(self, *statuses: StreamStatus, after: float = 0.0) -> None:
        """Once, so many seconds later."""
        assert self.alerts is not None
        self.now += after
        self.alerts.look(list(statuses))

    def told(self, count: int) -> list[str]:
        """The texts of the messages, once there are so many and none is on its way."""
        assert self.alerts is not None
        wait_until(lambda: len(self.webhooks.taken) >= count and self.alerts.status().webhooks[0].waiting == 0)
        return [body["text"] for _, body in self.webhooks.taken]

    def close(self) -> None:
        """End it."""
        if self.alerts is not None:
            self.alerts.stop()


@pytest.fixture
def desk(tmp_path: Path, webhooks: Webhooks) -> Iterator[Callable[..., Desk]]:
    """Makes one with rules."""
    made: list[Desk] = []

    def make(*rules: Rule) -> Desk:
        made.append(Desk(tmp_path, webhooks, *rules))
        return made[-1]

    yield make
    for each in made:
        each.close()


def streams(state: str, *paths: str) -> list[StreamStatus]:
    """Several in one state."""
    return [
        status(state, path=path, site=path.partition("/")[0], file=path.rpartition("/")[2], finished=None)
        for path in paths
    ]


SITE = [f"s/j/{number:02}" for number in range(12)]


def test_the_streams_of_a_site_that_die_together_are_one_message(desk):
    """Those of another site are another one; and none comes again, also not from the next receiver."""
    desk = desk(Rule(name="d", when="dead"))
    desk.start(*streams("live", *SITE, "t/j/a"))
    desk.look(*streams("dead", *SITE[3:]))
    desk.look(*streams("dead", *SITE[:3], "t/j/a"), after=1.0)
    assert desk.told(0) == []
    desk.look(after=0.5)
    assert desk.told(1) == [
        "s: 12 streams dead: j/00, j/01, j/02, j/03, j/04, j/05, j/06, j/07, j/08, j/09, and 2 more"
    ]
    desk.look(after=1.0)
    assert desk.told(2)[1:] == ["t/j/a is dead: why"]

    for _ in range(2):
        desk.look(*streams("dead", *SITE, "t/j/a"), after=10.0)
        desk.look(after=10.0)
        assert len(desk.told(2)) == 2
        desk.start(*streams("dead", *SITE, "t/j/a"))
    assert desk.alerts.status().rules[0].fired == 2
    body = desk.webhooks.taken[0][1]
    assert (body["site"], body["total"], body["count"], body["streams"][0]) == ("s", 12, 12, "s/j/00")


def test_a_receiver_that_is_killed_while_deaths_gather_loses_none(desk):
    """The next one tells them, once."""
    desk = desk(Rule(name="d", when="dead"))
    desk.start(*streams("live", *SITE))
    desk.look(*streams("dead", *SITE[:2]))
    desk.start(*streams("dead", *SITE[:2]))
    assert desk.told(0) == []

    desk.look(after=1.5)
    desk.look(after=1.5)
    assert desk.told(1) == ["s: 2 streams dead: j/00, j/01"]


def test_a_cooldown_is_of_each_stream_of_a_site(desk):
    """Who has died a moment ago is not told again with the others."""
    desk = desk(Rule(name="d", when="dead", cooldown=60.0))
    desk.start(*streams("live", "s/j/a", "s/j/b"))
    desk.look(*streams("dead", "s/j/a"))
    desk.look(after=1.5)
    desk.look(*streams("live", "s/j/a"), after=1.0)
    desk.look(*streams("dead", "s/j/a", "s/j/b"), after=1.0)
    desk.look(after=1.5)
    assert desk.told(2) == ["s/j/a is dead: why", "s/j/b is dead: why"]
    desk.look(after=60.0)
    assert desk.told(3)[2:] == ["s/j/a is dead: why"]


def test_a_pause_of_the_receiver_is_no_silence_of_a_sender(begin, webhooks, monkeypatch):
    """A stream is silent when it was listened to for so long."""
    bench = begin(Rule(name="s", when="silent", silence=1.0, streams=("s/j/quiet",)), Rule(name="f", when="finished"))
    monkeypatch.setattr(bench.engine.receiver, "resumed", time.monotonic)  # it has just been let go on
    quiet = bench.follow("quiet", b"hello\n")
    wait_until(lambda: (json.loads(bench.ask("/api/v1/streams/s/j/quiet")[1]).get("last_data") or 0) > 1.5)
    stop, bench.stop = bench.stop, threading.Event()
    bench.finish(bench.follow("other", b""))
    wait_until(lambda: webhooks.taken)
    assert webhooks.told == [("finished", "s/j/other")]

    monkeypatch.undo()
    wait_until(lambda: webhooks.told[1:] == [("silent", "s/j/quiet")])
    bench.stop = stop
    bench.finish(quiet)


def test_a_webhook_that_hangs_holds_up_nothing(begin, webhooks, monkeypatch):
    """Neither what arrives, nor the other webhooks, nor the end."""
    monkeypatch.setattr(service, "CLOSE_SECONDS", 0.1)
    stuck = Webhooks()
    stuck.answer = 0
    hooks = (Webhook("stuck", stuck.url), Webhook("ops", webhooks.url))
    bench = begin(Rule(name="f", when="finished"), hooks=hooks)
    try:
        for number, name in enumerate("abc", 1):
            bench.finish(bench.follow(name, b"x\n"))
            wait_until(lambda: len(webhooks.taken) == number)  # noqa: B023
        wait_until(lambda: stuck.hanging == 1)
        wait_until(lambda: [hook.waiting for hook in bench.alerts.status().webhooks] == [3, 0])
        bench.alerts.stop()
    finally:
        stuck.close()


def test_what_is_refused_is_given_up_and_said(begin, webhooks, caplog):
    """After some attempts, so that the next message gets its turn; a redirection is a refusal too."""
    bench = begin(Rule(name="f", when="finished"))
    webhooks.answer = 302
    bench.finish(bench.follow("a", b"x\n"))
    wait_until(lambda: webhooks.refused >= 2)
    webhooks.answer = 404
    with caplog.at_level(logging.WARNING):
        wait_until(lambda: webhook(bench).given_up == 1)
        webhooks.answer = 200
        bench.finish(bench.follow("b", b"x\n"))
        wait_until(lambda: len(webhooks.taken) == 1 and not webhook(bench).trouble)

    assert webhooks.told == [("finished", "s/j/b")]
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "given up, ops (127.0.0.1) was not told: it answered 404: s/j/a" in line]
    assert [line for line in said if "ops takes messages again" in line]


def test_a_webhook_that_asks_for_time_is_understood(webhooks):
    """And is no refusal for good."""
    webhooks.answer = 429
    with pytest.raises(courier.Refused) as caught:
        courier.deliver(Webhook("ops", webhooks.url), Event(id="i", rule="r", kind="test"))

    assert (caught.value.pause, caught.value.is_final) == (7.0, False)


def test_what_is_too_old_is_given_up(begin, webhooks):
    """An outage of the webhook is waited for as long as the rule says."""
    webhooks.answer = 500
    bench = begin(Rule(name="f", when="finished"), hooks=(Webhook("ops", webhooks.url, retry_for=0.2),))
    bench.finish(bench.follow("a", b"x\n"))

    wait_until(lambda: webhook(bench).given_up == 1)


def test_the_api_tells_rules_and_hides_secrets(begin, webhooks):
    """The URL of a webhook may be one."""
    bench = begin(Rule(name="f", when="finished"), hooks=(Webhook("ops", f"{webhooks.url}/secret"),))
    bench.finish(bench.follow("a", b"x\n"))
    wait_until(lambda: len(webhooks.taken) == 1)
    wait_until(lambda: webhook(bench).delivered == 1)

    answer, body = bench.ask("/api/v1/alerts")
    told = json.loads(body)
    assert answer.status == 200
    assert (told["rules"][0]["fired"], told["rules"][0]["last"]["stream"]) == (1, "s/j/a")
    assert told["webhooks"][0]["host"] == "127.0.0.1"
    assert b"secret" not in body
    assert bench.ask("/api/v1/alerts", token="")[0].status == 401
