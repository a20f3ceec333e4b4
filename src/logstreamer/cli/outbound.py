"""Outbound: the files under way to the receiver, and what became of each."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from logstreamer.apis.shareable import ReturnCode
from logstreamer.apis.streaming import PayloadKey
from logstreamer.cli.discovery import Found
from logstreamer.cli.progress import Amount
from logstreamer.cli.signals import Stop
from logstreamer.engines.following import Following
from logstreamer.engines.websocket import WebSocketEngine
from logstreamer.errors import NameRefused
from logstreamer.follow_spec import FollowSpec
from logstreamer.lines.zones import ZONE
from logstreamer.protocol.frames import StreamKey
from logstreamer.store.layout import Place

CHANNEL, TOPIC, RECEIVER = "log_streaming", "live_log", "receiver"

REFUSE_VARIABLE = "LOGSTREAMER_REFUSE"
"""Set at a site that does not allow its logs to be streamed, to the reason: the receiver is told that, and no more."""

CHUNK_SIZE = 256 << 10
"""Most bytes of one message. The contract's 64 KiB cost twice the CPU for a backlog; more than this gains little."""

CHUNK_PARTS = 16
"""With messages of a fifth of the window, 200 senders were served unevenly."""

CALM_SECONDS = 2.0
"""Between two looks at a file at rest of which inotify would tell every change: a thousand of them cost two thirds."""

MOST_AT_ONCE = 256
"""Files of a snapshot under way at a time; each has one or two open."""


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended for one file.

    Args:
        reason: why it failed, "" where it did not.
        acked: bytes that are durable at the receiver.
        gaps, lost: how often bytes were lost before they could be read, and how many that is known of.
    """

    path: str
    name: str
    reason: str
    acked: int = 0
    gaps: int = 0
    lost: int = 0


class Outbound:
    """Sends files over one engine.

    Args:
        stop: is nudged when a file has ended.
        snapshot: each file ends at its first end.
        keep_open: streams are left at the end, not finished.
    """

    def __init__(
        self, engine: WebSocketEngine, job: str, stop: Stop, *, snapshot: bool, keep_open: bool = False
    ) -> None:
        self._engine = engine
        self._job = job
        self._stop = stop
        self._snapshot = snapshot
        self._keep_open = keep_open
        self._waiting: deque[Found] = deque()
        self._active: dict[Following, Found] = {}
        self._over: queue.SimpleQueue[Following] = queue.SimpleQueue()
        self._verdicts: dict[str, Callable[[], str]] = {}
        self._draining = threading.Event()
        self._acked = 0

    @property
    def under_way(self) -> int:
        """Files that have not ended."""
        return len(self._active) + len(self._waiting)

    def add_output(self, found: Found, verdict: Callable[[], str]) -> None:
        """Send what a command prints; *verdict* says at its end why it has failed, "" where it has not."""
        self._verdicts[found.path] = verdict
        self.add([found])

    def add(self, files: Iterable[Found]) -> list[Result]:
        """Send more files; results at once for those whose names can never be stored."""
        refused = []
        for found in files:
            try:
                Place.of(self._engine.site, self._job, found.name)
            except NameRefused as error:
                reason = f"it cannot be stored under its name: {error.reason}"
                refused.append(Result(found.path, found.name, reason))
            else:
                self._waiting.append(found)
        self._fill()
        return refused

    def _fill(self) -> None:
        batch: list[Found] = []
        while self._waiting and (not self._snapshot or len(self._active) + len(batch) < MOST_AT_ONCE):
            batch.append(self._waiting.popleft())
        if batch:
            # One turn of the engine's thread for all of them: a turn for each would wait for it each time.
            started = self._engine.pump.ask(lambda: [self._follow(found) for found in batch])
            self._active.update(zip(started, batch, strict=True))
            for following in started:
                following.future.add_done_callback(lambda _, over=following: self._ended(over))  # type: ignore[misc]

    def _follow(self, found: Found) -> Following:
        # The source is part of the stream's identity: two files of one name are never one stream.
        key = StreamKey(CHANNEL, TOPIC, self._job, found.name, _text(found.path))
        refusal = os.environ.get(REFUSE_VARIABLE, "")
        spec = FollowSpec(
            found.path,
            calm_interval=CALM_SECONDS,
            chunk_size=CHUNK_SIZE,
            chunk_parts=CHUNK_PARTS,
            stop_event=self._draining,
            stop_at_eof=self._snapshot,
            refusal=refusal,
            verdict=self._verdicts.get(found.path),
            keep_open=self._keep_open,
            must_exist=found.awaited,
        )
        called = {PayloadKey.FILE_NAME: os.path.basename(found.name), ZONE: _zone_name()}
        return self._engine.follow(spec, key, [RECEIVER], called, optional=True)

    def _ended(self, following: Following) -> None:
        self._over.put(following)
        self._stop.nudge()

    def collect(self) -> list[Result]:
        """Files that have ended since the last call."""
        results = []
        while not self._over.empty():
            following = self._over.get()
            found = self._active.pop(following)
            lane = following.sender.lanes[0]
            self._acked += lane.acked
            rc = lane.outcome.get_return_code() if lane.outcome is not None else ReturnCode.ERROR
            reason = "" if rc == ReturnCode.OK else lane.reason or str(rc)
            results.append(Result(found.path, found.name, reason, lane.acked, lane.gaps, lane.lost))
        if not self._draining.is_set():
            self._fill()
        return results

    def drain(self) -> list[Found]:
        """Send what there is, and end. Return the files that were never begun."""
        self._draining.set()
        never, self._waiting = list(self._waiting), deque()
        for following in self._active:  # looks at files at rest are rare: they need not wait for the next one
            self._engine.pump.call(following.wake)
        return never

    def amount(self) -> Amount:
        """How much has been done."""
        active = list(self._active)
        statuses = self._engine.pump.ask(lambda: [following.status()[0] for following in active])
        acked = sum(status["acked"] for status in statuses)
        return Amount(self._acked + acked, sum(status["behind"] for status in statuses))

    def delays(self) -> dict[str, list[str]]:
        """Why the receiver, which can be reached, takes nothing now: each reason with the files it keeps waiting."""
        active = list(self._active.items())
        troubles = self._engine.pump.ask(lambda: [following.sender.lanes[0].trouble for following, _ in active])
        found: dict[str, list[str]] = {}
        for (_, item), trouble in zip(active, troubles, strict=True):
            if trouble:
                found.setdefault(trouble, []).append(item.path)
        return found

    def trouble(self) -> str:
        """Why nothing reaches the receiver now; "" while it is connected."""
        return self._engine.trouble(RECEIVER)


def size_of(path: str) -> int:
    """Size of the file at *path* now; 0 if it cannot be told."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _zone_name() -> str:
    """The zone of this machine's clock: times in logs mostly name none."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        _, _, name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now().astimezone().isoformat()[-6:]
