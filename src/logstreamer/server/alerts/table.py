"""Table: one table of a TOML file, whose mistakes are told in one line: file, rule, key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from logstreamer.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([smhd])")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Table:
    """Values are taken out of it, and what is left is a mistake.

    Args:
        where: the file, and the rule or webhook, for messages.
        environment: what ${NAME} in a text stands for.
    """

    def __init__(self, where: str, tree: dict[str, Any], environment: Mapping[str, str]) -> None:
        self.where = where
        self._tree = dict(tree)
        self._environment = environment
        self._asked: list[str] = []

    def error(self, key: str, reason: str) -> ConfigError:
        """What is wrong with *key*."""
        return ConfigError(f"{self.where}: {key}: {reason}")

    def named(self, kind: str, name: str, tree: dict[str, Any]) -> Table:
        """A table in this one."""
        return Table(f'{self.where}: {kind} "{name}"', tree, self._environment)

    def take(self, key: str, kind: type, otherwise: Any) -> Any:
        """The value of *key*, which has to be a *kind*; *otherwise* where there is none."""
        self._asked.append(key)
        value = self._tree.pop(key, otherwise)
        if value is not otherwise and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            names = {str: "a text", bool: "true or false", list: "a list", dict: "a table"}
            raise self.error(key, f"{names[kind]} is expected, not {shown(value)}")
        return value

    def text(self, key: str, otherwise: str = "") -> str:
        """A text, with the environment's variables in it."""
        return self.filled(key, self.take(key, str, otherwise))

    def filled(self, key: str, value: str) -> str:
        """*value* with what ${NAME} stands for."""

        def known(match: re.Match[str]) -> str:
            if match[1] not in self._environment:
                raise self.error(key, f"the environment has no {match[1]}")
            return self._environment[match[1]]

        return _VARIABLE.sub(known, value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one text."""
        self._asked.append(key)
        value = self._tree.pop(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) and each for each in values):
            raise self.error(key, f"a text or a list of texts is expected, not {shown(value)}")
        return tuple(values)

    def choice(self, key: str, choices: Iterable[str], otherwise: str) -> str:
        """One of *choices*."""
        value: str = self.take(key, str, otherwise)
        if value not in choices:
            raise self.error(key, f"{shown(value)} is none of {', '.join(choices)}")
        return value

    def seconds(self, key: str, otherwise: float) -> float:
        """A duration, as in "90s" or "5m"."""
        value = self.take(key, str, "")
        if not value:
            return otherwise
        match = _DURATION.fullmatch(value)
        if match is None:
            raise self.error(key, f"{shown(value)} is no duration, as in 30s, 5m, 2h or 1d")
        return float(match[1]) * _UNITS[match[2]]

    def tables(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        """The tables of tables below *key*."""
        found = self.take(key, dict, {})
        for name, table in found.items():
            if not isinstance(table, dict):
                raise self.error(key, f"a table [{key}.NAME] is expected, not {name} = {shown(table)}")
        return list(found.items())

    def rules(self) -> list[Table]:
        """The array of tables of rules."""
        if isinstance(self._tree.get("rules"), dict):
            raise self.error("rules", "each begins with [[rules]], in two brackets, not [rules]")
        found = self.take("rules", list, [])
        if not found:
            raise self.error("rules", "there are none; each begins with [[rules]]")
        for table in found:
            if not isinstance(table, dict):
                raise self.error("rules", f"each begins with [[rules]]; {shown(table)} is none")
        return [self.named("rule", _name_of(table, number), table) for number, table in enumerate(found, 1)]

    def check_keys(self, *known: str) -> None:
        """There are none but *known*."""
        for key in self._tree:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
                raise self.error(key, f"there is no such key{hint}")

    def end(self) -> None:
        """Whatever is left is not known."""
        self.check_keys(*self._asked)


def _name_of(rule: dict[str, Any], number: int) -> str:
    """What a rule is called in a message: its name, else what it is about, else its place among them."""
    names = [rule.get("name"), rule.get("when"), str(number)]
    return next(name for name in names if isinstance(name, str) and name)


def shown(value: object) -> str:
    """*value* in a message."""
    words = {True: "true", False: "false"}
    text = f'"{value}"' if isinstance(value, str) else words[value] if isinstance(value, bool) else _listed(value)
    return " ".join(text.split())[:80]


def _listed(value: object) -> str:
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else str(value)
