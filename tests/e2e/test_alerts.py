"""Alerts of real processes: what kill -9 does to the receiver, a webhook is told once of each event."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from e2e.conftest import Receiver
from e2e.processes import TOKEN, Program, run, size, wait_until
from server.webhooks import Webhooks

pytestmark = pytest.mark.slow

RULES = """
[webhooks.ops]
url = "{url}/ops"

[[rules]]
when = "match"
pattern = "out of memory"

[[rules]]
when = "finished"
"""


@pytest.fixture
def webhooks() -> Iterator[Webhooks]:
    """One that takes everything."""
    it = Webhooks()
    yield it
    it.close()


def status(url: str) -> dict:
    """What the receiver says of its alerts."""
    request = urllib.request.Request(f"{url}/api/v1/alerts", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def fired(url: str) -> dict[str, int]:
    """How often each rule has."""
    return {rule["name"]: rule["fired"] for rule in status(url)["rules"]}


def test_dead_is_told_once_whatever_is_killed(start, tmp_path, webhooks):
    """An event that cannot be delivered outlives a kill -9 of the receiver; one that was delivered is not repeated."""
    rules = tmp_path / "alerts.toml"
    rules.write_text(RULES.format(url=webhooks.url))
    options = ("--idle-timeout", "3", "--alerts", str(rules), "--on-dead", f"{webhooks.url}/dead")
    receiver = Receiver(start, tmp_path, *options)
    log = tmp_path / "a.log"
    log.write_bytes(b"hello\nCUDA out of memory\n")
    sender: Program = start("send", str(log), "--to", receiver.url, "--site", "s")
    wait_until(lambda: webhooks.told == [("match", "s/default/a.log")], "the pattern")

    webhooks.answer = 503
    sender.kill()
    wait_until(lambda: fired(receiver.url)["on-dead"] == 1, "the event")
    receiver.program.kill()
    webhooks.answer = 200
    receiver.begin(*options)
    wait_until(lambda: len(webhooks.taken) == 2, "the message")
    assert webhooks.told[1] == ("dead", "s/default/a.log")
    assert (webhooks.taken[0][0], webhooks.taken[1][0]) == ("/ops", "/dead")
    wait_until(lambda: status(receiver.url)["webhooks"][1]["waiting"] == 0, "its end")

    receiver.program.kill()
    receiver.begin(*options)
    (tmp_path / "b.log").write_bytes(b"x\n")
    assert run(("send", "b.log", "--stop-at-eof", "--to", receiver.url, "--site", "s"), tmp_path).returncode == 0
    wait_until(lambda: len(webhooks.taken) > 2, "what comes later")
    assert webhooks.told[2:] == [("finished", "s/default/b.log")]
    assert fired(receiver.url) == {"match": 1, "finished": 1, "on-dead": 1}
    assert receiver.program.stop() == 0


def test_bytes_arrive_while_a_webhook_hangs(start, tmp_path, webhooks):
    """And the receiver ends in time."""
    webhooks.answer = 0
    rules = tmp_path / "alerts.toml"
    rules.write_text(RULES.format(url=webhooks.url))
    receiver = Receiver(start, tmp_path, "--alerts", str(rules))
    log = tmp_path / "a.log"
    log.write_bytes(b"out of memory\n")
    start("send", str(log), "--to", receiver.url, "--site", "s")
    wait_until(lambda: webhooks.hanging == 1, "the message")

    with open(log, "ab") as file:
        file.write(b"more\n" * 100_000)
    wait_until(lambda: size(receiver.copy("a.log")) == log.stat().st_size, "the copy")
    assert receiver.program.stop() == 0
    assert webhooks.taken == []
