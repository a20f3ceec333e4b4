"""Ports for receivers that are restarted where they were."""

from __future__ import annotations

import socket


class ReservedPort:
    """A free TCP port of this machine that nobody but a server of ours is given, as long as this object lives.

    It is bound and never listens: the kernel hands it to nobody else, and a server that reuses addresses, as all of
    ours do, may listen on it, die, and listen again.
    """

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.number: int = self._holder.getsockname()[1]

    def __del__(self) -> None:
        self._holder.close()
