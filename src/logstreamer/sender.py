"""Sender: one followed file, read once, and a lane for each of its targets."""

from __future__ import annotations

from collections.abc import Callable

from logstreamer.apis.context import Signal
from logstreamer.follow_spec import FollowSpec
from logstreamer.lane import Lane
from logstreamer.protocol.sender import SenderProtocol
from logstreamer.tail.follower import Follower


class Sender:
    """One followed file and its targets. Stepped by an engine; no threads, no sockets.

    Args:
        spec: what to follow.
        abort_signal: raised when the run is aborted; what the file holds is still sent.
        now: monotonic seconds.
    """

    def __init__(self, spec: FollowSpec, abort_signal: Signal | None, now: float) -> None:
        self.spec = spec
        self.lanes: list[Lane] = []
        self.stopped_at: float | None = None
        self.follower = Follower(spec.path, now=now, poll_interval=spec.poll_interval, calm_interval=spec.calm_interval)
        self._abort_signal = abort_signal
        self._under_way = 0

    def add_lane(self, target: str, protocol: SenderProtocol, on_over: Callable[[Lane], None]) -> Lane:
        """Send to one more target; *on_over* is called once, when its outcome is known."""

        def ended(lane: Lane) -> None:
            self._under_way -= 1
            on_over(lane)

        self._under_way += 1
        lane = Lane(self.spec, self.follower, target, protocol, ended)
        self.lanes.append(lane)
        return lane

    @property
    def aborted(self) -> bool:
        """Whether the run was aborted."""
        return self._abort_signal is not None and self._abort_signal.triggered

    @property
    def over(self) -> bool:
        """Whether every target has its outcome."""
        return self._under_way == 0

    def wake(self) -> None:
        """Something happened in the file's directory."""
        self.follower.wake()

    def get_timer(self) -> float | None:
        """When `poll` wants to be called, or None."""
        return None if self.over else self.follower.get_timer()

    def poll(self, now: float) -> bool:
        """Look at the file and at the stop signals; whether the lanes may have something to send that they had not."""
        news = self.follower.poll(now)
        if self.stopped_at is None and self._is_stopped():
            self.stopped_at = now
            for lane in self.lanes:
                lane.stop(now)
        return news or self.stopped_at is not None

    def _is_stopped(self) -> bool:
        event = self.spec.stop_event
        return self.spec.stop_at_eof or (event is not None and event.is_set()) or self.aborted

    def close(self) -> None:
        """Let go of the file; lanes without an outcome get none any more."""
        for lane in self.lanes:
            lane.close()
        self.follower.close()
