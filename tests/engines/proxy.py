"""A TCP proxy that does to connections what networks do."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards a port of its own to *port* on loopback; a context manager.

    While `stalled` nothing moves in either direction, and both ends believe in the connection: it is half open.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut_after: int | None = None
        self._stall_after: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.cuts = 0
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def _ask(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End every connection, with a reset."""
        self._loop.call_soon_threadsafe(self._cut)

    def cut_after(self, count: int) -> None:
        """End every connection when *count* more bytes have come through."""
        self._loop.call_soon_threadsafe(lambda: setattr(self, "_cut_after", count))

    def stall(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def stall_after(self, count: int) -> None:
        """As `stall`, when *count* more bytes have come through."""
        self._loop.call_soon_threadsafe(lambda: setattr(self, "_stall_after", count))

    @property
    def is_stalled(self) -> bool:
        return not self._flowing.is_set()

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def _cut(self) -> None:
        self._cut_after = None
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        finally:
            self._tasks.discard(task)
        self._writers.add(to_writer)
        pumps = [asyncio.ensure_future(self._pump(*pair)) for pair in ((reader, to_writer), (to_reader, writer))]
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, to_writer):
            end.transport.abort()
            self._writers.discard(end)
        await asyncio.wait(pumps)
        self._tasks.difference_update(pumps)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                await self._flowing.wait()
                if self._cut_after is not None:
                    data, self._cut_after = data[: self._cut_after], self._cut_after - len(data)
                if self._stall_after is not None:
                    self._stall_after -= len(data)
                    if self._stall_after <= 0:
                        self._stall_after = None
                        self._flowing.clear()
                writer.write(data)
                await writer.drain()
                if self._cut_after is not None and self._cut_after <= 0:
                    self._cut()
        except OSError:
            pass  # one of the ends is gone, the other will be told

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        self._cut()
        await asyncio.sleep(0.05)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
