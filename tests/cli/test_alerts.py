"""`alerts test`: each webhook is tried, and mistakes in the file of rules are one line."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from logstreamer.cli.main import run
from server.webhooks import Webhooks

RULES = """
[webhooks.ops]
url = "{url}/ops"
[webhooks.chat]
url = "{url}/chat"
template = "slack"
[[rules]]
when = "dead"
"""


@pytest.fixture
def webhooks(tmp_path, monkeypatch) -> Iterator[Webhooks]:
    """One that takes everything; the rules are in a.toml."""
    it = Webhooks()
    (tmp_path / "a.toml").write_text(RULES.format(url=it.url))
    monkeypatch.chdir(tmp_path)
    yield it
    it.close()


def test_each_answer_is_shown(webhooks, capfd):
    """And the exit code says whether all were well."""
    assert run(["alerts", "test", "a.toml"]) == 0
    assert capfd.readouterr().out.startswith("ops: ok, 127.0.0.1 answered 200 in ")
    assert [path for path, _ in webhooks.taken] == ["/ops", "/chat"]

    webhooks.answer = 404
    assert run(["alerts", "test", f"ntfy+{webhooks.url}/topic"]) == 1
    assert capfd.readouterr().out == "on-dead: FAILED: it answered 404 (127.0.0.1)\n"


def test_a_webhook_that_is_not_there_is_said(webhooks, capfd):
    """With the reason."""
    webhooks.close()

    assert run(["alerts", "test", f"{webhooks.url}/x"]) == 1
    assert capfd.readouterr().out == "on-dead: FAILED: Connection refused (127.0.0.1)\n"


def test_what_would_be_sent_is_shown(webhooks, capfd):
    """Of one webhook, and nothing is sent."""
    assert run(["alerts", "test", "a.toml", "--webhook", "chat", "--dry-run"]) == 0

    assert capfd.readouterr().out == f'chat: {{"text":"test: a test of the alerts of {os.uname().nodename}"}}\n'
    assert webhooks.taken == []
    assert run(["alerts", "test", "a.toml", "--webhook", "none"]) == 2
    assert "ops, chat" in capfd.readouterr().err


@pytest.mark.parametrize("command", [["serve", "--alerts", "a.toml"], ["alerts", "test", "a.toml"]])
def test_mistakes_are_one_line(tmp_path, monkeypatch, capfd, command):
    """Before anything is listened on."""
    (tmp_path / "a.toml").write_text('[webhooks.a]\nurl = "http://h"\n[[rules]]\nwhen = "late"\n')
    monkeypatch.chdir(tmp_path)

    assert run(command) == 2
    assert capfd.readouterr().err == (
        'logstreamer: error: a.toml: rule "late": when: "late" must be one of '
        "dead, silent, finished, failed, gap, match\n"
    )
