"""ResourcesFile: a site's resources.json on the disk: read strictly, replaced atomically, put back to the byte."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from logstreamer.errors import ConfigError

RESOURCES, DEFAULT = "resources.json", "resources.json.default"
BACKUP = "resources.json.before-logstreamer"
"""The former resources.json; empty where there was none and NVFlare used its default."""

MARK = "resources.json.logstreamer-sha256"
"""The digests of what was written, one a line: a file that has none of them was edited by its owner since."""


class ResourcesFile:
    """The resources of one participant.

    Args:
        local: the directory of its resources.json.
        title: what a diff calls the file.
    """

    def __init__(self, local: Path, title: str) -> None:
        self.target, self._default = local / RESOURCES, local / DEFAULT
        self._backup, self._mark = local / BACKUP, local / MARK
        self._title = title

    @property
    def source(self) -> Path:
        """The file that NVFlare reads: its own, or the default.

        Raises:
            ConfigError: its own is a symbolic link, whose target other sites may share.
        """
        if self.target.is_symlink():
            raise ConfigError(
                f"{self.target} is a symbolic link to {os.readlink(self.target)}: "
                "put a file of its own in its place, or edit the target"
            )
        return self.target if self.target.is_file() else self._default

    def write(self, content: str) -> None:
        """Replace it; what was there is kept beside it, owner and mode stay.

        Raises:
            ConfigError: it cannot be written; then nothing was changed.
        """
        source, is_first = self.source, not self._backup.exists()
        data = content.encode()
        try:
            source.parent.mkdir(parents=True, exist_ok=True)
            like = source if source.exists() else source.parent
            present = self._present()
            # Once the owner has edited it, the kept file is no longer what stood before: the new one gets no mark.
            is_ours = is_first or present == self._kept() or self._is_marked(present)
            try:
                if is_first:
                    _replace(self._backup, present or b"", like)
                if is_ours:
                    marks = [] if is_first else self._marks()
                    _replace(self._mark, "\n".join([*marks, _digest(data), ""]).encode(), like)
                _replace(self.target, data, like)
            except OSError:
                if is_first:
                    self._backup.unlink(missing_ok=True)
                    self._mark.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(f"{self.target} cannot be written: {error}") from error

    def back_diff(self) -> str | None:
        """What `put_back` would change, as `diff -u` shows it; None: there is nothing to put back."""
        if not self._backup.exists():
            return None
        present, former = ((data or b"").decode(errors="replace") for data in (self._present(), self._kept()))
        return unified(present, former, self._title, f"{self._title} before logstreamer")

    def check_back(self) -> None:
        """Whether it may be put back.

        Raises:
            ConfigError: the owner has edited it since; that would be lost, and what it forbids be allowed again.
        """
        _ = self.source
        present = self._present()
        if present != self._kept() and not self._is_marked(present):
            raise ConfigError(
                f"{self.target} was edited after it was enabled; putting back {self._backup.name} would drop that: "
                "take our entries out by hand, then remove that file"
            )

    def put_back(self) -> None:
        """Make it what it was before the first `write`.

        Raises:
            ConfigError: it was edited since, or cannot be written; nothing was changed.
        """
        self.check_back()
        try:
            if self._kept() is not None:
                os.replace(self._backup, self.target)
            else:
                self.target.unlink(missing_ok=True)
                self._backup.unlink()
            self._mark.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.target} cannot be put back: {error}") from error

    def _present(self) -> bytes | None:
        return self.target.read_bytes() if self.target.is_file() else None

    def _kept(self) -> bytes | None:
        """What stood there before; None: nothing."""
        return self._backup.read_bytes() or None

    def _marks(self) -> list[str]:
        return self._mark.read_text(encoding="utf-8").split() if self._mark.is_file() else []

    def _is_marked(self, present: bytes | None) -> bool:
        return present is not None and _digest(present) in self._marks()


def parse(text: str) -> Any:
    """JSON of which no reader can think otherwise.

    Raises:
        ValueError: it is none, has a key twice, or NaN.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)


def dump(content: Any, indent: int) -> str:
    """The same content as JSON, letters as they are.

    Raises:
        ValueError: it has a number that is no JSON, or half a surrogate pair.
    """
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    text.encode()
    return text


def unified(before: str, after: str, name: str, other: str) -> str:
    """As `diff -u` shows it; "" where they are equal."""
    return "".join(difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, other))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} is there twice")
        content[key] = value
    return content


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace(path: Path, data: bytes, like: Path) -> None:
    """Replace *path* by a file of the owner and mode of *like*; from a directory nobody gets leave to execute it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    owner = like.stat()
    try:
        # Nobody else may read it at any moment: a resources.json may hold secrets.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != (owner.st_uid, owner.st_gid):
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(owner.st_mode) & ~(0o7111 if stat.S_ISDIR(owner.st_mode) else 0))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
