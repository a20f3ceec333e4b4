"""Pump: the one loop of an engine. It sleeps, wakes, and calls what is due."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from logstreamer.errors import EngineError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

WORKERS = 16
"""Most threads for users' callbacks and slow disks; they are made when needed and serve every stream in turn."""


MOST_AT_ONCE = 64
"""Alarms rung in one turn of the loop: whoever sends or receives need not wait for the rest."""


class Timed(Protocol):
    """Something with a timer."""

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called (monotonic seconds), or None."""

    def handle_timer(self, now: float) -> None: ...

    def fail(self, error: Exception) -> None:
        """A step raised *error*: end, and say so. Nothing is stepped again after that."""


class Pump:
    """An asyncio event loop in a thread of its own, with a few workers for what may block.

    Args:
        name: for the threads.
        loop_factory: makes the loop; asyncio's own by default.
    """

    def __init__(self, name: str, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self.loop = (loop_factory or asyncio.new_event_loop)()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"{name}-worker")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._alarms: dict[Timed, float] = {}
        self._moments: list[float] = []  # a heap of the keys of `_due`
        self._due: dict[float, OrderedDict[Timed, None]] = {}  # many alarms fall on few moments: looks lie on a grid
        self._ringing: tuple[float, asyncio.Handle] | None = None
        self._earliest = float("-inf")  # while alarms ring: nothing is set before this
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = threading.Lock()
        self._gate = threading.Lock()
        self._afterlife = threading.RLock()
        self._stopped = False
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    @staticmethod
    def now() -> float:
        """Monotonic seconds."""
        return time.monotonic()

    # -- from other threads

    def call(self, function: Callable[[], None]) -> None:
        """Run *function* on the loop, soon. After `stop` it is dropped."""
        # The loop may be closed between a check and the call; what comes then has nobody left to care.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function)

    def ask(self, function: Callable[[], Result]) -> Result:
        """Run *function* on the loop and wait for its result.

        Raises:
            EngineError: the pump is stopped.
        """
        if threading.current_thread() is self._thread:
            return function()
        future: Future[Result] = Future()

        def answer() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
                future.set_exception(error)

        if not self._post(answer):
            raise EngineError("the engine is shut down")
        return future.result()

    def _post(self, function: Callable[[], None]) -> bool:
        """Run *function* on the loop for certain; False: it is too late for that."""
        with self._gate:  # what comes through before `stop` closes it is called before the loop stops
            if self._stopped:
                return False
            self.loop.call_soon_threadsafe(function)
            return True

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run *coroutine* on the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    # -- on the loop

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run *coroutine* as a task that is kept until it ends, and cancelled by `stop`."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)
        return task

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the engine failed", exc_info=error)

    def submit(self, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Call *work* on a worker, then *then* with its result on the loop. *work* must not raise.

        A callback may outlast the loop; what has to follow it, its stream's end, then happens on its worker.
        """

        def job() -> None:
            result = work()
            if not self._post(lambda: then(result)):
                self._thread.join()
                with self._afterlife:
                    then(result)

        try:
            self._workers.submit(job)
        except RuntimeError:  # the workers take nothing new: this is one of them, with the last of its work
            job()

    def set_alarm(self, item: Timed) -> None:
        """Look at *item*'s timer (again): call its `handle_timer` when it asks for it."""
        when = item.get_timer()
        at = self._alarms.get(item)
        # An alarm that comes too early is cheap: it sets itself again. Moving it with every frame is not.
        if at is not None and when is not None and at <= when:
            return
        self.drop_alarm(item)
        if when is not None:
            self._set(item, when)

    def _set(self, item: Timed, when: float) -> None:
        when = max(when, self._earliest)
        self._alarms[item] = when
        due = self._due.get(when)
        if due is not None:
            due[item] = None
            return
        self._due[when] = OrderedDict({item: None})
        if len(self._moments) > 2 * len(self._alarms) + MOST_AT_ONCE:  # most are empty: bounded, whatever is set
            self._due = {moment: items for moment, items in self._due.items() if items}
            self._moments = list(self._due)
            heapq.heapify(self._moments)
        else:
            heapq.heappush(self._moments, when)
        self._ring_at(when)

    def _ring_at(self, when: float) -> None:
        # One timer of the loop for all alarms: a thousand of them, set anew each half second, were a third of its work.
        if self._ringing is not None:
            at, alarm = self._ringing
            if at <= when:
                return
            alarm.cancel()
        self._ringing = when, self.loop.call_at(max(when, 0.0), self._ring)

    def _ring(self) -> None:
        self._ringing = None
        now = self.now()
        # Whoever wants to be called again at once waits for all who are due: however eager one is, the others live.
        self._earliest = math.nextafter(now, math.inf)
        try:
            for _ in range(MOST_AT_ONCE):
                item = self._take_due(now)
                if item is None:
                    break
                self._ring_one(item, now)
        finally:
            self._earliest = float("-inf")
            if self._moments:
                self._ring_at(self._moments[0])

    def _take_due(self, now: float) -> Timed | None:
        while self._moments and self._moments[0] <= now:
            due = self._due[self._moments[0]]
            if due:
                return due.popitem(last=False)[0]
            del self._due[heapq.heappop(self._moments)]
        return None

    def _ring_one(self, item: Timed, now: float) -> None:
        del self._alarms[item]
        when = item.get_timer()
        if when is not None and when <= now:
            self.guard(item, item.handle_timer, now)
        if item not in self._alarms:  # most set it themselves
            self.set_alarm(item)

    @staticmethod
    def guard(item: Timed, step: Callable[..., None], *arguments: float) -> None:
        """Take one *step* of *item*; one that raises ends its item, with a word, and nothing else."""
        try:
            step(*arguments)
        except Exception as error:  # a bug, or a disk: never a stream that hangs in silence
            logger.error("a stream failed inside the engine", exc_info=error)
            item.fail(error)

    def drop_alarm(self, item: Timed) -> None:
        """Forget *item*."""
        at = self._alarms.pop(item, None)
        if at is not None:
            del self._due[at][item]

    # -- the end

    def stop(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run *last* on the loop, then cancel all tasks, stop the loop and the workers. Idempotent."""
        with self._closed:
            if self._stopped:
                return
            try:
                if last is not None:
                    asyncio.run_coroutine_threadsafe(_await(last), self.loop).result()
            finally:
                with self._gate:
                    self._stopped = True
                asyncio.run_coroutine_threadsafe(self._cancel_tasks(), self.loop).result()
                self.loop.call_soon_threadsafe(self.loop.stop)
                self._thread.join()
                self._workers.shutdown(wait=False)

    async def _cancel_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _await(last: Callable[[], Awaitable[None]]) -> None:
    await last()
