"""docs/alerts.md says what is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.rules import KINDS, Config
from logstreamer.server.alerts.template import values_of

DOC = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()


def block(kind: str) -> str:
    """The one code block of a language."""
    [found] = re.findall(rf"```{kind}\n(.*?)```", DOC, re.S)
    return found


def test_the_complete_example_is_one(tmp_path):
    """Every kind of rule, every template, and a body of one's own."""
    (tmp_path / "alerts.toml").write_text(block("toml"))

    config = Config.read(str(tmp_path / "alerts.toml"), {"SLACK_SECRET": "a", "NTFY_TOKEN": "b", "PAGER_KEY": "c"})

    assert {rule.when for rule in config.rules} == set(KINDS)
    assert [webhook.template for webhook in config.webhooks] == ["slack", "ntfy", "json"]
    assert config.webhooks[2].body["routing_key"] == "c"


def test_the_fields_are_these():
    """In their order."""
    assert list(json.loads(block("json"))) == list(values_of(Event(id="", rule="", kind="test")))
