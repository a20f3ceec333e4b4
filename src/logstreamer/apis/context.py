"""FLContext and Signal: what a call knows of its engine, run and peer."""

from __future__ import annotations

import threading
from typing import Any


class Signal:
    """A flag that is raised once and stays up; safe to share between threads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def trigger(self, value: Any = True) -> None:
        """Raise the flag. *value* is accepted for compatibility and not kept."""
        self._event.set()

    @property
    def triggered(self) -> bool:
        """True once `trigger` was called."""
        return self._event.is_set()


class FLContext:
    """Per-call context.

    Args:
        engine: the engine the call belongs to, or None.
        identity_name: the site this side is.
        job_id: the job the call belongs to, or None.
        abort_signal: raised when the run is aborted, or None where there is no run.
        peer: the *authenticated* other side, on the receiving side only.
    """

    def __init__(
        self,
        engine: Any = None,
        identity_name: str = "",
        job_id: str | None = None,
        abort_signal: Signal | None = None,
        peer: FLContext | None = None,
    ) -> None:
        self._engine = engine
        self._identity_name = identity_name
        self._job_id = job_id
        self._abort_signal = abort_signal
        self._peer = peer

    def get_engine(self) -> Any:
        """The engine, or None."""
        return self._engine

    def get_run_abort_signal(self) -> Signal | None:
        """The run's abort signal, or None."""
        return self._abort_signal

    def get_identity_name(self) -> str:
        """The site this side is."""
        return self._identity_name

    def get_job_id(self) -> str | None:
        """The job, or None."""
        return self._job_id

    def get_peer_context(self) -> FLContext | None:
        """The authenticated sender, on the receiving side; None elsewhere."""
        return self._peer
