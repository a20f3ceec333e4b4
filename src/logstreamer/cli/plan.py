"""Which files the arguments of `send` mean, and what each copy is called. No file is opened here."""

from __future__ import annotations

import enum
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass

from logstreamer.errors import ConfigError


class Kind(enum.Enum):
    """What an argument is."""

    FILE = "file"
    TREE = "directory"
    GLOB = "glob"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, taken apart.

    Args:
        text: as it was written.
        base: absolute path of the directory that names are relative to.
        pattern: below *base*: the file's name, the glob, or "" for a whole tree.
        prefix: put before every name, without slashes at its ends; may be empty.
    """

    text: str
    kind: Kind
    base: str
    pattern: str
    prefix: str = ""

    def name_of(self, relative: str) -> str:
        """What the file at *relative* below the base is called."""
        return f"{self.prefix}/{relative}" if self.prefix else relative


def make_plan(texts: Sequence[str]) -> list[Argument]:
    """The arguments with prefixes that tell apart what would be stored at one place.

    A single argument needs no prefix: a file keeps its name, a directory and a glob the tree below them. Of several,
    files of one name get as many of their parents as it takes, and every directory and glob gets its own name in
    front, so that what a name means never depends on what turns up later.

    Raises:
        ConfigError: two arguments cannot be told apart.
    """
    arguments = list(dict.fromkeys(_take_apart(text) for text in texts))
    arguments = _unique(arguments)
    files = [argument for argument in arguments if argument.kind is Kind.FILE]
    trees = [argument for argument in arguments if argument.kind is not Kind.FILE]
    names = shortest_names([_parts(argument.base, argument.pattern) for argument in files])
    prefixes = shortest_names(sorted({_parts(argument.base) for argument in trees}))
    planned = []
    for argument in arguments:
        if argument.kind is Kind.FILE:
            prefix = names[_parts(argument.base, argument.pattern)].rpartition("/")[0]
        else:
            prefix = prefixes[_parts(argument.base)] if len(arguments) > 1 else ""
        planned.append(Argument(argument.text, argument.kind, argument.base, argument.pattern, prefix))
    _refuse_clashes(planned)
    return planned


def shortest_names(paths: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """For each of *paths* (components) its shortest tail that no other has; the whole path where none is."""
    depth = dict.fromkeys(paths, 1)
    while True:
        owners: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for path, length in depth.items():
            owners.setdefault(path[-length:], []).append(path)
        longer = [path for group in owners.values() if len(group) > 1 for path in group if depth[path] < len(path)]
        if not longer:
            return {path: "/".join(path[-length:]) for path, length in depth.items()}
        for path in longer:
            depth[path] += 1


def _take_apart(text: str) -> Argument:
    if not text:
        raise ConfigError("an empty name is no file")
    path = os.path.abspath(text)
    if os.path.isdir(path):
        return Argument(text, Kind.TREE, path, "")
    if glob.has_magic(text) and not os.path.lexists(path):
        fixed, rest = _split_glob(path)
        return Argument(text, Kind.GLOB, fixed, rest)
    if text.endswith("/"):
        raise ConfigError(f"{text}: no such directory")
    base, name = os.path.split(path)
    return Argument(text, Kind.FILE, base, name)


def _split_glob(path: str) -> tuple[str, str]:
    """The directory before the first component with magic, and the rest."""
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:first]) or "/", "/".join(parts[first:])


def _unique(arguments: list[Argument]) -> list[Argument]:
    """Without the arguments that say the same in other words: `a.log ./a.log`."""
    return list(
        {(argument.kind, argument.base, argument.pattern): argument for argument in reversed(arguments)}.values()
    )[::-1]


def _parts(*paths: str) -> tuple[str, ...]:
    parts = tuple(part for path in paths for part in path.split("/") if part)
    return parts or ("root",)


def _refuse_clashes(arguments: list[Argument]) -> None:
    """A file may not be called what is a directory of other copies, nor lie below another file's name."""
    trees = {argument.prefix: argument for argument in arguments if argument.kind is not Kind.FILE and argument.prefix}
    files = {a.name_of(a.pattern): a for a in arguments if a.kind is Kind.FILE}
    for name, argument in files.items():
        above = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 1)]
        other = next((files[place] for place in above if place in files), None)
        other = other or next((trees[place] for place in [*above, name] if place in trees), None)
        if other is not None:
            raise ConfigError(
                f"{argument.text} and {other.text} would be stored at one place ({name}): "
                "send them by two commands, with another --job"
            )
