"""The files beside a log that may be its past: their names, and which is older."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from logstreamer.tail.identity import FileId

_PACKED = r"(?P<packed>\.(?:gz|bz2|xz|zst|lz4|Z))?"
_DATE = r"\d{4}[-_.]?\d\d[-_.]?\d\d[\dT:_.+Z-]*|\d{10,}"
_DIGITS = re.compile(r"\d+")
_MOST_LISTINGS = 10


class BeingRotated(OSError):
    """Files are renamed faster than they can be listed; that passes."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """One file beside the log, as it was when listed.

    Args:
        path: where it was.
        packed: its compression suffix with the dot, or "".
        rank: orders names of one rotation scheme, the older the smaller.
        written_ns: mtime_ns as far as it can be believed: one that is yet to come (a clock was set back, or somebody
            set it) is that of the next younger name, or of now.
    """

    path: str
    packed: str
    rank: tuple[int, ...]
    id: FileId
    size: int
    mtime_ns: int
    written_ns: int

    @property
    def version(self) -> tuple[int, int]:
        """Changes when the file is written to or when its inode is reused, not when it is renamed."""
        return (self.size, self.mtime_ns)

    @property
    def age(self) -> tuple[int, tuple[int, ...]]:
        """Sorts the oldest first: by last write, and by name within one tick of the file system's clock."""
        return (self.written_ns, self.rank)


def is_elder(one: Sibling, other: Sibling) -> bool:
    """Whether their names say that *one* is older; False where these are of different schemes."""
    return one.rank < other.rank and _scheme(one.rank) == _scheme(other.rank)


def _scheme(rank: tuple[int, ...]) -> int:
    """-1 for numbers, 1 for dates, 0 for fixed names."""
    return (rank[0] > 0) - (rank[0] < 0)


@lru_cache(maxsize=4096)
def name_matcher(base: str) -> Callable[[str], re.Match[str] | None]:
    """A test for names that rotation derives from *base*.

    For `app.log`: app.log.1, app.log-20260101, app.log.2026-01-01_12, app.log.old, app.1.log, app-2026-01-01.log,
    each also compressed. Not app-1.log or app_1.log: in training jobs these are other ranks' logs.
    """
    stem, extension = os.path.splitext(base)
    whole = rf"{re.escape(base)}(?:\.(?P<number>\d{{1,9}})|[-_.](?P<date>{_DATE})|\.(?:old|bak|prev))"
    forms = [whole + _PACKED]
    if extension:
        inner = rf"(?:\.(?P<inner_number>\d{{1,9}})|[-_.](?P<inner_date>{_DATE}))"
        forms.append(rf"{re.escape(stem)}{inner}{re.escape(extension)}(?:{_PACKED.replace('packed', 'inner_packed')})")
    return re.compile("|".join(forms)).fullmatch


@lru_cache(maxsize=4096)
def possible_bases(name: str) -> frozenset[str]:
    """Every name that rotation may have made *name* from, itself left out: *name* with a middle part or its end cut."""
    cuts = [index for index, char in enumerate(name) if char in ".-_"]
    heads = {name[:cut] for cut in cuts if cut > 0}
    return frozenset(heads | {name[:first] + name[last:] for first in cuts for last in cuts if 0 < first < last})


def _rank(match: re.Match[str]) -> tuple[int, ...]:
    groups = match.groupdict()
    number = groups.get("number") or groups.get("inner_number")
    if number:
        return (-int(number),)  # .1 is the newest
    date = groups.get("date") or groups.get("inner_date")
    return tuple(int(digits) for digits in _DIGITS.findall(date)) if date else (0,)


def list_siblings(directory: str, base: str) -> list[Sibling]:
    """Every file in *directory* that rotation derives from *base*, the oldest first.

    Compressed ones only where the plain one is gone. Raises OSError when the directory cannot be listed for now:
    BeingRotated while its files are renamed. One that is not there, or that may be entered but not read, shows none.
    """
    found = _list_settled(directory, base)
    # While a compressor works both exist, and only the plain one is whole.
    whole = [s for name, s in found.items() if not s.packed or name.removesuffix(s.packed) not in found]
    return sorted(_believed(whole), key=lambda sibling: sibling.age)


def _believed(siblings: list[Sibling]) -> list[Sibling]:
    now = time.time_ns()
    past = [sibling for sibling in siblings if sibling.mtime_ns <= now]

    def believe(sibling: Sibling) -> Sibling:
        if sibling.mtime_ns <= now:
            return sibling
        written_ns = min((other.mtime_ns for other in past if is_elder(sibling, other)), default=now)
        return replace(sibling, written_ns=written_ns)

    return siblings if len(past) == len(siblings) else [believe(sibling) for sibling in siblings]


def _list_settled(directory: str, base: str) -> dict[str, Sibling]:
    found = _list_once(directory, base)
    # A listing taken while files are renamed can miss some of them; two that agree, in what they missed too, were not.
    for _ in range(_MOST_LISTINGS):
        before, found = found, _list_once(directory, base)
        if _ids_of(before) == _ids_of(found):
            return {name: sibling for name, sibling in found.items() if sibling is not None}
    raise BeingRotated(errno.EAGAIN, "is being rotated")


def _ids_of(found: dict[str, Sibling | None]) -> dict[str, FileId | None]:
    return {name: None if sibling is None else sibling.id for name, sibling in found.items()}


def _list_once(directory: str, base: str) -> dict[str, Sibling | None]:
    """By name; None for what is no file, or went between the two looks at it."""
    prefix = os.path.splitext(base)[0]  # begins every name that can match
    found: dict[str, Sibling | None] = {}
    try:
        # Names only, and the pattern for few of them: each of a thousand followers in one directory lists it all.
        for name in [name for name in os.listdir(directory) if name.startswith(prefix)]:
            match = name_matcher(base)(name) if name != base else None
            if match:
                found[name] = _examine(os.path.join(directory, name), match)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    return found


def _examine(path: str, match: re.Match[str]) -> Sibling | None:
    try:
        st = os.stat(path)
    except OSError:
        return None  # gone since, or a dangling link
    if not stat.S_ISREG(st.st_mode):
        return None
    groups = match.groupdict()
    packed = groups.get("packed") or groups.get("inner_packed") or ""
    return Sibling(path, packed, _rank(match), FileId(st.st_dev, st.st_ino), st.st_size, st.st_mtime_ns, st.st_mtime_ns)


def find_by_id(directory: str, name: str) -> Sibling | None:
    """The file in *directory* whose `FileId` is written as *name*, whatever it is called now; raises OSError."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if name.endswith(f"-{entry.inode():x}") and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if str(id := FileId(status.st_dev, status.st_ino)) == name:
                        written_ns = min(status.st_mtime_ns, time.time_ns())
                        return Sibling(entry.path, "", (0,), id, status.st_size, status.st_mtime_ns, written_ns)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    return None
