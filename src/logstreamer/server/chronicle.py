"""Chronicle: which changes of a stream's state are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

from logstreamer.server.states import State

SETTLE_SECONDS = {State.LIVE: 5.0, State.BEHIND: 5.0, State.QUIET: 60.0, State.WAITING: 5.0}
"""How long a stream has to stay in an everyday state before that is kept: many go to and fro all day long. Others are
kept at once, and so is what follows them."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A state that is kept.

    Args:
        ago: seconds since it was entered.
        matters: it, or the one before it, is not an everyday one.
    """

    state: State
    detail: str
    ago: float
    matters: bool


class Chronicle:
    """Looks at one stream's state now and then."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._since = 0.0

    def look(self, state: State, detail: str, now: float, stored: str) -> Entered | None:
        """The stream is in *state* at *now* (monotonic seconds); what is to be kept of that, if anything.

        Args:
            stored: the state that was kept last, by whomever.
        """
        if state != self._state:
            self._state, self._since = state, now
        if state == stored:
            return None
        matters = state not in SETTLE_SECONDS or stored not in SETTLE_SECONDS
        if not matters and now - self._since < SETTLE_SECONDS[state]:
            return None
        return Entered(state, detail, now - self._since, matters)
