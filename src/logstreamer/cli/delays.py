"""Delays: what a receiver that can be reached says about files it does not take now, told to a person once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from logstreamer.cli.output import count_text


class Delays:
    """Remembers since when there is a reason, and whether it was said.

    Args:
        steady: seconds a reason has to last before it is news.
    """

    def __init__(self, steady: float) -> None:
        self._steady = steady
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def news(self, reasons: Mapping[str, list[str]], now: float) -> Iterable[str]:
        """The lines to say at *now* (monotonic seconds).

        Args:
            reasons: each with the paths of the files that wait because of it.
        """
        self._since = {reason: self._since.get(reason, now) for reason in reasons}
        for reason, since in self._since.items():
            if reason not in self._told and now - since >= self._steady:
                self._told.add(reason)
                paths = reasons[reason]
                what = paths[0] if len(paths) == 1 else count_text(len(paths), "file")
                yield f"{what}: {reason}; waiting"
        for reason in self._told - reasons.keys():
            self._told.discard(reason)
            yield f"no longer: {reason}"
