"""Stored streams to look at, without a receiver."""

from __future__ import annotations

from pathlib import Path

from logstreamer.store import Store

RETURN_CODES = {"dead": "TIMEOUT", "stopped": "STOPPED"}


def write(directory: Path, path: str, *parts: bytes | int | None, state: str = "") -> None:
    """A stream at SITE/JOB/FILE of *parts*: bytes, or a gap of so many bytes (None: unknown).

    Args:
        state: "finished", "failed", "dead", "stopped", or that nobody knows.
    """
    site, job, name = path.split("/", 2)
    with Store(directory) as store:
        stream = store.open(site, job, name, key=f"logs/{path}")
        stream.begin_run("run-1")
        stream.start_segment(0, "8:1", 0, "start")
        for part in parts:
            if isinstance(part, bytes):
                stream.append(stream.durable, part)
            else:
                stream.start_segment(stream.durable, "8:2", 0, "gap", lost=part, detail="it was gone")
        if state == "finished":
            stream.finish()
        elif state:
            stream.end_run(RETURN_CODES.get(state, "TASK_ABORTED"), "for the test")
        stream.close()


def stamped(*pairs: tuple[int, str]) -> bytes:
    """Lines that begin with a second of noon, 2026-01-31."""
    return b"".join(b"2026-01-31T12:%02d:%02dZ %s\n" % (*divmod(second, 60), text.encode()) for second, text in pairs)
