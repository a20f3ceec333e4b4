"""A disk with a volatile cache: records what the store does to files and names, and makes up what a power cut leaves.

The files themselves are real. Every system call of `logstreamer.store.disk` that changes something is written down, and
`Disk.after_power_loss` rebuilds a directory from the record: what was synced is there, of what was not any part may be.

What a power cut may do, by POSIX, which is more than today's file systems do:

- bytes and sizes of a file since its last fsync: none of them, or any prefix, cut within a write too;
- names of a directory since its last fsync (create, mkdir, rename, unlink): any subset, each whole or not at all.

A file's own fsync says nothing about its name.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logstreamer.store import disk as store_disk


@dataclass(eq=False)
class File:
    """Bytes as they were synced, and what was done to them since: (offset, bytes) written, or a new size."""

    safe: bytes = b""
    since: list[tuple[int, bytes] | int] = field(default_factory=list)

    def left(self, dice: random.Random) -> bytes:
        """What a power cut may leave."""
        content = bytearray(self.safe)
        for change in self.since[: dice.randint(0, len(self.since))]:
            if isinstance(change, int):
                content[change:] = b""
                continue
            offset, data = change
            part = data[: dice.choice((len(data), dice.randint(0, len(data))))]
            content[offset : offset + len(part)] = part
            if len(part) < len(data):
                break
        return bytes(content)

    def synced(self) -> None:
        """Everything is on the disk."""
        content = bytearray(self.safe)
        for change in self.since:
            if isinstance(change, int):
                content[change:] = b""
            else:
                content[change[0] : change[0] + len(change[1])] = change[1]
        self.safe, self.since = bytes(content), []


@dataclass(eq=False)
class Directory:
    """Names as they were synced, and what was done to them since: (name gone or "", name come or "", what it names)."""

    safe: dict[str, Node] = field(default_factory=dict)
    since: list[tuple[str, str, Node | None]] = field(default_factory=list)

    def left(self, dice: random.Random) -> dict[str, Node]:
        """What a power cut may leave."""
        chance = dice.choice((0.0, 0.5, 0.9))
        return self._with([change for change in self.since if dice.random() < chance])

    def synced(self) -> None:
        """Everything is on the disk."""
        self.safe, self.since = self._with(self.since), []

    def _with(self, changes: list[tuple[str, str, Node | None]]) -> dict[str, Node]:
        names = dict(self.safe)
        for gone, come, node in changes:
            if gone:
                names.pop(gone, None)
            if come and node is not None:
                names[come] = node
        return names


Node = File | Directory


class Disk:
    """Everything below *root*, which is there already and stays."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = Directory()
        self.steps = 0
        self.cut: Callable[[], None] = lambda: None  # called after each step: here the power may go
        self._nodes: dict[tuple[int, int], Node] = {_key(os.stat(root)): self.root}
        patch.setattr(store_disk, "os", _Recorder(self))
        patch.setattr(store_disk, "_fdatasync", self.sync)

    def after_power_loss(self, target: Path, dice: random.Random) -> None:
        """Put what is left into the new directory *target*."""
        target.mkdir()
        self._rebuild(self.root, target, dice)

    def _rebuild(self, directory: Directory, target: Path, dice: random.Random) -> None:
        for name, node in directory.left(dice).items():
            if isinstance(node, Directory):
                (target / name).mkdir()
                self._rebuild(node, target / name, dice)
            else:
                (target / name).write_bytes(node.left(dice))

    # -- what the store did

    def did(self) -> None:
        """One step is over."""
        self.steps += 1
        self.cut()

    def came(self, name: str, dir_fd: int, node: Node) -> None:
        """A file or directory was made."""
        self._nodes[_key(os.stat(name, dir_fd=dir_fd))] = node  # an inode's number may be used again
        self._directory(dir_fd).since.append(("", name, node))
        self.did()

    def renamed(self, old: str, new: str, dir_fd: int) -> None:
        """And what lay at *new* is gone."""
        node = self._nodes[_key(os.stat(new, dir_fd=dir_fd))]
        self._directory(dir_fd).since.append((old, new, node))
        self.did()

    def went(self, name: str, dir_fd: int) -> None:
        """A name was removed."""
        self._directory(dir_fd).since.append((name, "", None))
        self.did()

    def changed(self, fd: int, change: tuple[int, bytes] | int) -> None:
        """Bytes were written, or cut off."""
        node = self._nodes[_key(os.fstat(fd))]
        assert isinstance(node, File)
        node.since.append(change)
        self.did()

    def sync(self, fd: int) -> None:
        """fsync or fdatasync."""
        node = self._nodes.get(_key(os.fstat(fd)))  # none: a directory above ours
        if node is not None:
            node.synced()
            self.did()

    def _directory(self, fd: int) -> Directory:
        node = self._nodes[_key(os.fstat(fd))]
        assert isinstance(node, Directory)
        return node


class _Recorder:
    """`os` for `logstreamer.store.disk`: does it, and writes it down."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def mkdir(self, name: str, *, dir_fd: int) -> None:
        os.mkdir(name, dir_fd=dir_fd)
        self._disk.came(name, dir_fd, Directory())

    def makedirs(self, path: str, *, exist_ok: bool) -> None:
        parent, name = os.path.split(path)
        if not os.path.isdir(parent):
            self.makedirs(parent, exist_ok=exist_ok)
        fd = os.open(parent, os.O_RDONLY)
        try:
            with contextlib.suppress(FileExistsError):
                self.mkdir(name, dir_fd=fd)
        finally:
            os.close(fd)

    def open(self, name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        try:
            os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
            is_new = False
        except FileNotFoundError:
            is_new = bool(flags & os.O_CREAT)
        fd = os.open(name, flags, mode, dir_fd=dir_fd)
        if is_new:
            assert dir_fd is not None
            self._disk.came(name, dir_fd, File())
        return fd

    def write(self, fd: int, payload: bytes | memoryview) -> int:
        offset = os.fstat(fd).st_size  # the store's files only grow
        done = os.write(fd, payload)
        self._disk.changed(fd, (offset, bytes(payload[:done])))
        return done

    def ftruncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)
        self._disk.changed(fd, size)

    def rename(self, old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        assert src_dir_fd == dst_dir_fd
        os.rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._disk.renamed(old, new, dst_dir_fd)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        os.unlink(name, dir_fd=dir_fd)
        self._disk.went(name, dir_fd)

    def fsync(self, fd: int) -> None:
        self._disk.sync(fd)

    def link(self, *args: object, **kwargs: object) -> None:
        raise AssertionError("the record knows no such step")

    truncate = pwrite = replace = rmdir = symlink = link


def _key(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
