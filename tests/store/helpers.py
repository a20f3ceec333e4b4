"""Shorthands for stores and streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xxhash

from logstreamer.store import Store, StreamFile

PLACE = ("site-1", "job-7", "train.log")
KEY = "logs/train/job-7/train.log"


def opened(store: Store, key: str = KEY, run: str = "run-1") -> StreamFile:
    """The stream of PLACE with a run attached, and a first segment if it has none."""
    stream = store.open(*PLACE, key=key)
    stream.begin_run(run)
    if stream.segments == 0:
        stream.start_segment(0, "8:1", 0, "start")
    return stream


def stored(root: Path, name: str = "train.log") -> Path:
    """The file that holds the bytes."""
    return root / "site-1" / "job-7" / name


def sidecar(root: Path, name: str = "train.log") -> Path:
    """The file that says what they are."""
    return stored(root, f".{name}.logstreamer.json")


def sidecar_json(root: Path, name: str = "train.log") -> dict[str, Any]:
    """What it says."""
    content: dict[str, Any] = json.loads(sidecar(root, name).read_bytes())
    return content


def crash(store: Store) -> None:
    """What kill -9 does to a store in this process: descriptors and lock go, nothing more is written."""
    for path in list(store._shelf.open):
        store._shelf.descriptors.drop(path)
    store._shelf.open.clear()
    store.close()


def xxh3(data: bytes) -> bytes:
    """XXH3-128 of *data*."""
    return xxhash.xxh3_128_digest(data)
