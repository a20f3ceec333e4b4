"""Calls between two processes over one connection: each calls the methods of what the other has offered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any


class Calls:
    """One side of it. Each call that arrives has a thread of its own; what is only told keeps its order.

    Args:
        offered: what the other side may use, by name.
        on_lost: called when the other side is gone.
    """

    def __init__(
        self, connection: Connection, offered: dict[str, Any], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._offered = offered
        self._on_lost = on_lost
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="calls", daemon=True)
        self._reader.start()

    def offer(self, thing: Any) -> str | None:
        """Let the other side use *thing*; the name it has there, None for None."""
        if thing is None:
            return None
        name = f"{type(thing).__name__} {next(self._numbers)}"
        self._offered[name] = thing
        return name

    def withdraw(self, name: str | None) -> None:
        """The opposite."""
        self._offered.pop(name or "", None)

    def call(self, name: str, method: str, *arguments: Any) -> Any:
        """The result of a method of what the other side calls *name*, or an attribute.

        Raises:
            ConnectionError: the other side is gone.
            Exception: what the method raised.
        """
        number, answer = next(self._numbers), Future[Any]()
        self._waiting[number] = answer
        self._send(number, name, method, arguments)
        return answer.result()

    def tell(self, name: str, method: str, *arguments: Any) -> None:
        """The same without an answer; before anything that is sent later."""
        self._send(None, name, method, arguments)

    def close(self) -> None:
        """The other side sees that this one is gone."""
        with self._sending:
            self._connection.close()

    def _send(self, *parts: Any) -> None:
        try:
            with self._sending:
                self._connection.send(parts)
        except OSError as error:
            raise ConnectionError("the other process is gone") from error

    def _read(self) -> None:
        while True:
            try:
                number, name, *rest = self._connection.recv()
            except (EOFError, OSError):
                break
            if name is None:
                result, error = rest
                answer = self._waiting.pop(number)
                answer.set_result(result) if error is None else answer.set_exception(error)
            elif number is None:
                self._do(name, *rest)
            else:
                threading.Thread(target=self._answer, args=(number, name, *rest), name="call", daemon=True).start()
        for answer in list(self._waiting.values()):
            answer.set_exception(ConnectionError("the other process is gone"))
        self._on_lost()

    def _do(self, name: str, method: str, arguments: tuple[Any, ...]) -> Any:
        found = getattr(self._offered[name], method)
        return found(*arguments) if callable(found) else found

    def _answer(self, number: int, name: str, method: str, arguments: tuple[Any, ...]) -> None:
        try:
            result, error = self._do(name, method, arguments), None
        except BaseException as raised:  # noqa: BLE001 - it is the caller's
            result, error = None, raised
        try:
            self._send(number, None, result, error)
        except ConnectionError:
            pass
        except Exception as unsendable:  # noqa: BLE001 - a result that cannot travel
            self._send(number, None, None, RuntimeError(f"{result!r} {error!r}: {unsendable}"))
