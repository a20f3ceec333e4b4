"""Rules and webhooks, as a TOML file says them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Literal, get_args
from urllib.parse import urlsplit

import msgspec

from logstreamer.errors import ConfigError
from logstreamer.lines import LEVELS
from logstreamer.lines.pattern import Pattern
from logstreamer.server.alerts.table import Table, shown
from logstreamer.server.alerts.template import TEMPLATES, Webhook, changed, unknown_names

Kind = Literal["dead", "silent", "finished", "failed", "gap", "match"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_WEBHOOKS = 16
"""Each has a thread of its own: one that hangs holds up no other."""

DEFAULT_COOLDOWN = {"match": 60.0, "gap": 60.0}
"""Seconds; the other kinds cannot come often."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be told about.

    Args:
        streams: patterns, see `match`; none: all.
        silence: seconds without a byte, of "silent".
        pattern, case, level: of "match": what is found in a line, and how serious the line is at least ("": any).
        cooldown: seconds after a message about a stream in which further events of it are only counted.
        webhooks: names of those that are told.
    """

    name: str
    when: Kind
    streams: tuple[str, ...] = ()
    silence: float = 0.0
    pattern: str = ""
    case: bool = False
    level: str = ""
    cooldown: float = 0.0
    webhooks: tuple[str, ...] = ()

    @property
    def print(self) -> str:
        """What makes it another rule: what was known under the old one says nothing any more."""
        return msgspec.json.encode(
            [self.when, self.streams, self.silence, self.pattern, self.case, self.level]
        ).decode()


class Config(msgspec.Struct, frozen=True):
    """All rules and webhooks of a receiver."""

    rules: tuple[Rule, ...] = ()
    webhooks: tuple[Webhook, ...] = ()

    @classmethod
    def read(cls, path: str, environment: Mapping[str, str] = os.environ) -> Config:
        """Those in the file at *path*.

        Raises:
            ConfigError: it cannot be read or used; one line names file, rule and key.
        """
        try:
            with open(path, "rb") as file:
                tree = tomllib.load(file)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        if not tree:
            raise ConfigError(f"{path}: it is empty; a webhook begins with [webhooks.NAME] and a rule with [[rules]]")
        top = Table(path, tree, environment)
        top.check_keys("webhooks", "rules")
        webhooks = tuple(_webhook(top.named("webhook", name, table)) for name, table in top.tables("webhooks"))
        if len(webhooks) > MOST_WEBHOOKS:
            raise top.error("webhooks", f"at most {MOST_WEBHOOKS} can be used, these are {len(webhooks)}")
        rules = tuple(_rule(table, [each.name for each in webhooks]) for table in top.rules())
        for index, rule in enumerate(rules):
            if rule.name in [other.name for other in rules[:index]]:
                raise ConfigError(f'{path}: rule "{rule.name}": name: another rule has it already')
        return cls(rules, webhooks)

    @classmethod
    def on_dead(cls, url: str) -> Config:
        """The simplest: one webhook that is told when a stream is dead.

        Args:
            url: may begin with "slack+" or "ntfy+" for the template of that name.

        Raises:
            ConfigError: it is no URL of a webhook.
        """
        template, plus, rest = url.partition("+")
        kind = template if plus and template in TEMPLATES else "json"
        table = Table("--on-dead", {"url": rest if plus and template in TEMPLATES else url, "template": kind}, {})
        webhook = _webhook(table, "on-dead")
        return cls((Rule(name="on-dead", when="dead", webhooks=("on-dead",)),), (webhook,))

    def with_others(self, other: Config) -> Config:
        """Both.

        Raises:
            ConfigError: one name is used twice.
        """
        for mine, theirs in ((self.rules, other.rules), (self.webhooks, other.webhooks)):
            if double := {each.name for each in mine} & {each.name for each in theirs}:
                raise ConfigError(f'the name "{min(double)}" is used twice')
        return Config(self.rules + other.rules, self.webhooks + other.webhooks)


def _webhook(table: Table, name: str = "") -> Webhook:
    url = table.text("url")
    template = table.choice("template", TEMPLATES, "json")
    body = table.take("body", dict, {})
    headers = table.take("headers", dict, {})
    retry = table.seconds("retry_for", 86400.0)
    table.end()
    _check_url(url, lambda reason: table.error("url", reason))
    if template == "ntfy" and not urlsplit(url).path.strip("/"):
        raise table.error("url", "of ntfy, the topic is missing, as in https://ntfy.sh/TOPIC")
    body = changed(body, lambda text: table.filled("body", text))
    if unknown := unknown_names(body):
        raise table.error("body", f"{{{unknown[0]}}} stands for nothing")
    for header, value in headers.items():
        if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(r"[A-Za-z0-9-]+", header):
            raise table.error("headers", f"{header} must be a header's name, with a text")
    filled = {header: table.filled("headers", value) for header, value in headers.items()}
    name = name or table.where.rpartition('webhook "')[2][:-1]
    return Webhook(name, url, template, body, filled, retry)


def _check_url(url: str, error: Callable[[str], ConfigError]) -> None:
    if not url:
        raise error("it is missing, as in https://hooks.example.org/alerts")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise error(f"{shown(url)} is no http:// or https:// URL")


def _rule(table: Table, webhooks: list[str]) -> Rule:
    when = table.take("when", str, "")
    if when not in KINDS:
        raise table.error("when", f"{shown(when) if when else 'it'} must be one of {', '.join(KINDS)}")
    name = table.take("name", str, when)
    streams = table.texts("streams")
    cooldown = table.seconds("cooldown", DEFAULT_COOLDOWN.get(when, 0.0))
    told = table.texts("webhooks") or tuple(webhooks)
    silence, pattern, case, level = 0.0, "", False, ""
    if when == "silent":
        silence = table.seconds("for", 0.0)
        if silence < 1:
            raise table.error("for", "it must say how long, at least 1s, as in 10m")
    if when == "match":
        pattern, case = table.take("pattern", str, ""), table.take("case", bool, False)
        level = table.choice("level", (*LEVELS, ""), "")
        if not pattern:
            raise table.error("pattern", "it must say what to look for")
        try:
            Pattern(pattern, case=case)
        except ConfigError as error:
            raise table.error("pattern", str(error)) from None
    table.end()
    for each in told:
        if each not in webhooks:
            raise table.error("webhooks", f"there is no [webhooks.{each}]; there are {', '.join(webhooks) or 'none'}")
    if not told:
        raise table.error("webhooks", "there is none to tell; one begins with [webhooks.NAME]")
    return Rule(
        name=name,
        when=when,
        streams=streams,
        silence=silence,
        pattern=pattern,
        case=case,
        level=level,
        cooldown=cooldown,
        webhooks=told,
    )
