"""Agenda: who wants to be woken when."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Agenda(Generic[Item]):
    """The next wake-up of each of many items, in monotonic seconds.

    An entry that moves later stays where it is and is looked at again when it comes up, so stamping an idle clock
    with every message costs a dict look-up and no heap operation.
    """

    def __init__(self) -> None:
        self._wanted: dict[Item, float] = {}
        self._queued: dict[Item, float] = {}
        self._heap: list[tuple[float, int, Item]] = []
        self._order = count()

    def set(self, item: Item, when: float | None) -> None:
        """Wake *item* at *when* instead of what it asked for before; None: not at all."""
        if when is None:
            self._wanted.pop(item, None)
            return
        self._wanted[item] = when
        if when < self._queued.get(item, float("inf")):
            self._queue(item, when)

    def next_time(self) -> float | None:
        """When `pop_due` should be asked next; it may then find nothing."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[Item]:
        """The items that are due at *now*; each has to be set again."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            when, _, item = heapq.heappop(self._heap)
            if self._queued.get(item) != when:
                continue  # a newer entry of this item lies in the heap
            del self._queued[item]
            wanted = self._wanted.get(item)
            if wanted is None:
                continue
            if wanted > now:
                self._queue(item, wanted)
            else:
                del self._wanted[item]
                due.append(item)
        return due

    def _queue(self, item: Item, when: float) -> None:
        self._queued[item] = when
        heapq.heappush(self._heap, (when, next(self._order), item))
