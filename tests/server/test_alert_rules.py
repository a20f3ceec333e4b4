"""The file of rules: what it may say, one line for what it may not, and what webhooks are sent."""

from __future__ import annotations

import json

import pytest

from logstreamer.errors import ConfigError
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.rules import Config
from logstreamer.server.alerts.template import Webhook, message

WEBHOOK = '[webhooks.ops]\nurl = "https://hooks.example.org/${SECRET}"\n'

COMPLETE = (
    WEBHOOK
    + """
headers = { Authorization = "Bearer ${SECRET}" }
[webhooks.own]
url = "http://localhost:1/x"
body = { content = "{rule}: {text}", list = ["{line}", 3] }
retry_for = "1h"

[[rules]]
name = "lost"
when = "dead"
streams = ["hospital-*", "s/j"]
webhooks = "ops"
cooldown = "90s"
[[rules]]
when = "silent"
for = "10m"
[[rules]]
when = "match"
pattern = "out of memory"
case = true
level = "error"
"""
)


def read(tmp_path, text: str) -> Config:
    """The configuration in a file of *text*."""
    path = tmp_path / "alerts.toml"
    path.write_text(text)
    return Config.read(str(path), {"SECRET": "s3"})


def test_a_complete_file(tmp_path):
    """Names and webhooks have defaults; secrets come from the environment."""
    config = read(tmp_path, COMPLETE)

    lost, silent, match = config.rules
    ops, own = config.webhooks
    assert (lost.name, lost.streams, lost.webhooks, lost.cooldown) == ("lost", ("hospital-*", "s/j"), ("ops",), 90.0)
    assert (silent.name, silent.silence, silent.webhooks, silent.cooldown) == ("silent", 600.0, ("ops", "own"), 0.0)
    assert (match.pattern, match.case, match.level, match.cooldown) == ("out of memory", True, "error", 60.0)
    assert (ops.url, ops.headers) == ("https://hooks.example.org/s3", {"Authorization": "Bearer s3"})
    assert own.retry_for == 3600.0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = ", "alerts.toml: Invalid value (at end of document)"),
        ("", "alerts.toml: it is empty; a webhook begins with [webhooks.NAME] and a rule with [[rules]]"),
        ("# nothing yet", "alerts.toml: it is empty; a webhook begins"),
        (WEBHOOK, "alerts.toml: rules: there are none; each begins with [[rules]]"),
        (WEBHOOK + '[rules]\nwhen = "dead"', "rules: each begins with [[rules]], in two brackets, not [rules]"),
        ('rules = ["dead"]\n' + WEBHOOK, 'rules: each begins with [[rules]]; "dead" is none'),
        (WEBHOOK + '[[rule]]\nwhen = "dead"', "rule: there is no such key; did you mean rules?"),
        ('[webhook.a]\nurl = "http://h"', "webhook: there is no such key; did you mean webhooks?"),
        (WEBHOOK + '[[rules]]\nwhen = ["dead", "gap"]', 'rule "1": when: a text is expected, not ["dead", "gap"]'),
        (WEBHOOK + "[[rules]]\nwhen = true", 'rule "1": when: a text is expected, not true'),
        ('[[rules]]\nwhen = "dead"', 'rule "dead": webhooks: there is none to tell; one begins with [webhooks.NAME]'),
        (WEBHOOK + '[[rules]]\nname = "x"', 'rule "x": when: it must be one of dead, silent, finished, failed, gap'),
        (WEBHOOK + '[[rules]]\nwhen = "late"', 'rule "late": when: "late" must be one of dead'),
        (
            WEBHOOK + '[[rules]]\nwhen = "dead"\nstream = "a"',
            'rule "dead": stream: there is no such key; did you mean',
        ),
        (WEBHOOK + '[[rules]]\nwhen = "dead"\nfor = "1m"', 'rule "dead": for: there is no such key; there are when, '),
        (WEBHOOK + '[[rules]]\nwhen = "silent"', 'rule "silent": for: it must say how long'),
        (WEBHOOK + '[[rules]]\nwhen = "silent"\nfor = "10x"', 'rule "silent": for: "10x" is no duration, as in 30s'),
        (WEBHOOK + '[[rules]]\nwhen = "silent"\nfor = 10', 'rule "silent": for: a text is expected, not 10'),
        (WEBHOOK + '[[rules]]\nwhen = "match"', 'rule "match": pattern: it must say what to look for'),
        (
            WEBHOOK + '[[rules]]\nwhen = "match"\npattern = "("',
            "rule \"match\": pattern: the pattern '(' cannot",
        ),
        (WEBHOOK + '[[rules]]\nwhen = "match"\npattern = "a"\ncase = 1', "case: true or false is expected, not 1"),
        (WEBHOOK + '[[rules]]\nwhen = "match"\npattern = "a"\nlevel = "bad"', 'level: "bad" is none of trace, debug'),
        (WEBHOOK + '[[rules]]\nwhen = "dead"\nwebhooks = ["no"]', "webhooks: there is no [webhooks.no]; there are ops"),
        (WEBHOOK + '[[rules]]\nwhen = "dead"\nstreams = [1]', "streams: a text or a list of texts is expected"),
        (WEBHOOK + '[[rules]]\nwhen = "dead"\n' * 2, 'rule "dead": name: another rule has it already'),
        ('[webhooks.a]\nurl = "ftp://x"', 'webhook "a": url: "ftp://x" is no http:// or https:// URL'),
        ("[webhooks.a]", 'webhook "a": url: it is missing'),
        ('[webhooks.a]\nurl = "http://h/${NONE}"', 'webhook "a": url: the environment has no NONE'),
        ('[webhooks.a]\nurl = "http://h"\ntemplate = "ntfy"', 'webhook "a": url: of ntfy, the topic is missing'),
        (
            '[webhooks.a]\nurl = "http://h"\ntemplate = "irc"',
            'webhook "a": template: "irc" is none of json, slack',
        ),
        ('[webhooks.a]\nurl = "http://h"\nbody = {a = ["{what}"]}', 'webhook "a": body: {what} stands for nothing'),
        ('[webhooks.a]\nurl = "http://h"\nheaders = {a = "b\\nc"}', 'webhook "a": headers: a must be a header'),
        ('webhooks = {a = "http://h"}', "webhooks: a table [webhooks.NAME] is expected"),
    ],
)
def test_a_mistake_is_one_line_with_file_rule_and_key(tmp_path, text, line):
    """Whatever it is."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert line in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/alerts.toml: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    """By name."""
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        Config.read(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("url", "template", "rest"),
    [
        ("https://h/x", "json", "https://h/x"),
        ("slack+https://h/x", "slack", "https://h/x"),
        ("ntfy+http://h/topic", "ntfy", "http://h/topic"),
    ],
)
def test_the_simplest_is_one_url(url, template, rest):
    """Told when any stream is dead; it may stand beside a file."""
    config = Config.on_dead(url)

    assert [(rule.when, rule.streams, rule.webhooks) for rule in config.rules] == [("dead", (), ("on-dead",))]
    assert [(webhook.url, webhook.template) for webhook in config.webhooks] == [(rest, template)]
    with pytest.raises(ConfigError, match="used twice"):
        config.with_others(config)
    with pytest.raises(ConfigError, match=r"--on-dead: url: .* is no http"):
        Config.on_dead("hooks.example.org")


EVENT = Event(id="i", rule="r", kind="match", stream="s/j/d/f", line="<a> & ü", offset=7, count=3)


def test_what_webhooks_are_sent():
    """One body for programs, one for each of those that have their own."""
    _, plain = message(Webhook("w", "http://h/x"), EVENT)
    _, slack = message(Webhook("w", "http://h/x", "slack"), EVENT)
    url, ntfy = message(Webhook("w", "https://h/base/a%20topic?auth=1", "ntfy"), EVENT)
    _, own = message(Webhook("w", "http://h", body={"a": ["{line} {lost}", 1], "b": {"c": "{count}"}}), EVENT)

    told = json.loads(plain)
    assert (told["site"], told["job"], told["file"], told["event"]) == ("s", "j", "d/f", "match")
    assert told["text"] == "s/j/d/f says: <a> & ü (and 2 more)"
    assert json.loads(slack) == {"text": "r: s/j/d/f says: &lt;a&gt; &amp; ü (and 2 more)"}
    assert url == "https://h/base/?auth=1"
    assert json.loads(ntfy)["topic"] == "a topic"
    assert json.loads(own) == {"a": ["<a> & ü ", 1], "b": {"c": "3"}}


def test_many_streams_of_a_site_are_a_title_and_a_list():
    """In each template: what a phone shows first is how many they are."""
    events = [
        Event(id=str(number), rule="lost", kind="dead", stream=f"s/j/{number:02}", detail="why") for number in range(12)
    ]
    many = Event.of_many(events[::-1])
    _, slack = message(Webhook("w", "http://h/x", "slack"), many)
    _, ntfy = message(Webhook("w", "http://h/x", "ntfy"), many)
    _, own = message(Webhook("w", "http://h/x", body={"a": "{total}: {streams}"}), many)

    names = [f"j/{number:02}" for number in range(10)]
    assert json.loads(slack)["text"].split("\n") == ["lost: s: 12 streams dead", *names, "and 2 more"]
    assert json.loads(ntfy)["title"] == "s: 12 streams dead"
    assert json.loads(ntfy)["message"].split("\n") == [*names, "and 2 more"]
    assert json.loads(own)["a"].startswith("12: s/j/00, s/j/01, ")
    assert (many.id, Event.of_many(events[:1])) == ("0", events[0])
