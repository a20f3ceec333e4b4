"""Following: one sender under way: its file's wake-ups, its lanes on their channels, its result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from logstreamer.apis.outcomes import Outcomes
from logstreamer.apis.shareable import ReturnCode
from logstreamer.engines.channel import Channel
from logstreamer.engines.pump import Pump
from logstreamer.lane import Lane
from logstreamer.sender import Sender
from logstreamer.tail.wakeup import Wakeup
from logstreamer.tail.watching import Watching

logger = logging.getLogger(__name__)

Result = tuple[str, Outcomes]


class Following:
    """Steps a sender when its file changed or its timer is due. Lives on the pump's loop, but for `result`.

    Args:
        optional: a failed target is no error for the log.
        on_over: called once at the end.
    """

    def __init__(
        self, sender: Sender, pump: Pump, wakeup: Wakeup, optional: bool, on_over: Callable[[Following], None]
    ) -> None:
        self.sender = sender
        self.future: Future[Result] = Future()
        self._pump = pump
        self._optional = optional
        self._on_over = on_over
        self._channels: dict[Lane, Channel] = {}
        self._watching = Watching(sender.follower, wakeup, self.wake)
        self.get_timer: Callable[[], float | None] = sender.get_timer

    def start(self, lanes: dict[Lane, Channel]) -> None:
        """Look at the file and begin to send it."""
        self._channels = lanes
        self._step(self._pump.now())
        for lane, channel in lanes.items():
            channel.add(lane)

    def lane_over(self, lane: Lane) -> None:
        """One target has its outcome."""
        log = logger.info if self._optional or lane.reason == "" else logger.error
        log("%s to %s: %s%s", self.sender.spec.path, lane.target, lane.state.value, lane.reason and f", {lane.reason}")
        self._channels[lane].remove(lane)
        if self.sender.over:
            self._finish()

    def abandon(self, reason: str, rc: str = ReturnCode.TASK_ABORTED) -> None:
        """Nobody waits for it any more, the engine is shut down: targets without an outcome have failed."""
        for lane in self.sender.lanes:
            lane.abandon(rc, reason)

    def fail(self, error: Exception) -> None:
        """Looking at the file raised *error*."""
        self.abandon(f"{type(error).__name__}: {error}", ReturnCode.EXECUTION_EXCEPTION)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end: (return code, the outcome of each target).

        Raises:
            TimeoutError: it is not over after *timeout* seconds.
        """
        return self.future.result(timeout)

    def status(self) -> list[dict[str, Any]]:
        """Each target's state, and how many bytes are durable there and still missing."""
        return [lane.status() for lane in self.sender.lanes]

    def handle_timer(self, now: float) -> None:
        """Look at the file."""
        self._step(now)

    def wake(self) -> None:
        """Something happened in the file's directory, or to the stop event: look now."""
        self.sender.wake()
        self._pump.guard(self, self._step, self._pump.now())

    def _step(self, now: float) -> None:
        if self.sender.poll(now):
            self._watching.update()
            for lane, channel in self._channels.items():
                channel.touch(lane)
        self._pump.set_alarm(self)

    def _finish(self) -> None:
        self._watching.close()
        self._pump.drop_alarm(self)
        self.sender.close()
        self._on_over(self)
        outcomes = Outcomes({lane.target: lane.outcome for lane in self.sender.lanes if lane.outcome is not None})
        rc = ReturnCode.OK if outcomes else ReturnCode.ERROR
        self.future.set_result((ReturnCode.TASK_ABORTED if self.sender.aborted else rc, outcomes))
