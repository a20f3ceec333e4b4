"""Watchdog: whether what should move does. A process that exists and answers may still store nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from logstreamer.inbound import Inbound, InboundState

LOOK_SECONDS = 1.0

PROGRESS_SECONDS = 20.0
"""A connected sender that has more, and of which nothing was stored for this long, does not move."""

LATE_SECONDS = 5.0
"""The loop counts as blocked when it comes this much too late,"""

LATE_KEPT_SECONDS = 30.0
"""and is talked about for so long: while it is blocked it can tell nobody."""

REFUSED_SECONDS = 5.0
"""A stream that could not begin is tried again by its sender within less than this."""


class Reason(msgspec.Struct, frozen=True):
    """Why a receiver is not ready, without the name of any stream: who asks has shown no token.

    Args:
        reason: "disk full", "stalled" (the store fails otherwise), "sink" (a write or sync does not return),
            "no progress", "cannot begin" (new streams are turned away), "loop blocked".
        streams: how many it concerns; 0: all of them.
        seconds: for how long, at most; of "loop blocked": how long it was.
    """

    reason: str
    streams: int
    seconds: float


class Watchdog:
    """Looks at every run once a second. Lives on the engine's loop.

    Args:
        live: the runs that are not over.
        clock: monotonic seconds.
        refused_at: when a stream could not begin last, for a reason of this machine.
        is_full: whether a trouble means that there is no room.
    """

    def __init__(
        self,
        live: Callable[[], Iterable[Inbound]],
        clock: Callable[[], float],
        refused_at: Callable[[], float | None],
        is_full: Callable[[str], bool],
    ) -> None:
        self._live = live
        self._clock = clock
        self._refused_at = refused_at
        self._is_full = is_full
        self._moved: dict[Inbound, tuple[int, float]] = {}
        self._stalled: dict[Inbound, float] = {}
        self._late = (0.0, float("-inf"))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = self._clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            now = self._clock()
            if now - due >= LATE_SECONDS:
                self._late = (now - due, now)
            self.look(now)

    def look(self, now: float) -> None:
        """Note which runs have moved since the last look."""
        moved, self._moved = self._moved, {}
        stalled, self._stalled = self._stalled, {}
        for run in self._live():
            durable = run.protocol.durable if run.protocol is not None else 0
            known, since = moved.get(run, (-1, now))
            waits = run.state is InboundState.ATTACHED and run.reach > durable
            self._moved[run] = (durable, since if known == durable and waits else now)
            if run.trouble:
                self._stalled[run] = stalled.get(run, now)

    def reasons(self) -> list[Reason]:
        """Why this receiver is not ready now; empty: it is."""
        now = self._clock()
        ages: dict[str, list[float]] = defaultdict(list)
        for run in self._live():
            if run.trouble:
                kind = "disk full" if self._is_full(run.trouble) else "stalled"
                ages[kind].append(now - self._stalled.get(run, now))
            elif run.busy_since is not None and now - run.busy_since >= PROGRESS_SECONDS:
                ages["sink"].append(now - run.busy_since)
            elif run in self._moved and now - self._moved[run][1] >= PROGRESS_SECONDS:
                ages["no progress"].append(now - self._moved[run][1])
        found = [Reason(kind, len(each), round(max(each), 1)) for kind, each in sorted(ages.items())]
        refused, (late, noticed) = self._refused_at(), self._late
        if refused is not None and now - refused < REFUSED_SECONDS:
            found.append(Reason("cannot begin", 0, round(now - refused, 1)))
        if now - noticed < LATE_KEPT_SECONDS:
            found.append(Reason("loop blocked", 0, round(late, 1)))
        return found
