"""python -m benchmarks.relay PORT BYTES_PER_SECOND: a slow way to 127.0.0.1:PORT; prints the port it listens on."""

from __future__ import annotations

import socket
import sys
import threading
import time

_BLOCK = 16 << 10


def carry(source: socket.socket, sink: socket.socket, rate: float) -> None:
    """Everything from one to the other, at most *rate* bytes a second."""
    while data := source.recv(_BLOCK):
        sink.sendall(data)
        time.sleep(len(data) / rate)
    sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Until killed."""
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            near = server.accept()[0]
            far = socket.create_connection(("127.0.0.1", port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=carry, args=(*pair, rate), daemon=True).start()


if __name__ == "__main__":
    main()
