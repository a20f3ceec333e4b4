"""One of the two NVFlare processes of `benchmarks.flare`: takes commands on standard input, one JSON object a line.

    python flare_pair.py server|site-1 URL

`register` lets a LogStreamer (ours or NVFlare's own) write what arrives on a topic to a file; `send` follows a file
until `stop`. Everything that a LogStreamer takes has its default.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from nvflare.apis.fl_constant import ProcessType
from nvflare.app_common.decomposers import common_decomposers
from nvflare.app_common.streamers.log_streamer import LogStreamer as StockLogStreamer
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.private.fed.utils.fed_utils import fobs_initialize

from benchmarks.peers.flare_ends import Engine
from logstreamer import LogStreamer

CHANNEL = "bench"
STREAMERS: dict[str, Any] = {"ours": LogStreamer, "stock": StockLogStreamer}


class Process:
    """The engine of this process and what it is told to do."""

    def __init__(self, name: str, url: str) -> None:
        kind = ProcessType.SERVER_PARENT if name == FQCN.ROOT_SERVER else ProcessType.CLIENT_PARENT
        self._engine = Engine(name, url, kind)
        self._engine.cell.start()
        while name != FQCN.ROOT_SERVER and not self._engine.cell.is_cell_connected(FQCN.ROOT_SERVER):
            time.sleep(0.02)
        self._stops: dict[str, threading.Event] = {}
        self._senders: dict[str, threading.Thread] = {}
        self._results: dict[str, Any] = {}

    def register(self, make: str, topic: str, path: str) -> dict[str, Any]:
        """Write what arrives on *topic* to *path*."""
        file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - as long as this process lives
        ended: list[str] = self._results.setdefault(topic, [])
        STREAMERS[make].register_stream_processing(
            self._engine.new_context(),
            CHANNEL,
            topic,
            chunk_received_cb=lambda data, stream_ctx, fl_ctx: file.write(data),
            stream_done_cb=lambda stream_ctx, fl_ctx: ended.append(str(STREAMERS[make].get_rc(stream_ctx))),
        )
        return {}

    def send(self, make: str, topic: str, path: str) -> dict[str, Any]:
        """Follow *path* until `stop`."""
        self._stops[topic] = stop = threading.Event()

        def run() -> None:
            rc, result = STREAMERS[make].stream_log(
                CHANNEL, topic, {}, [FQCN.ROOT_SERVER], path, self._engine.new_context(), stop_event=stop
            )
            self._results[topic] = [rc, bool(result)]

        self._senders[topic] = threading.Thread(target=run, daemon=True)
        self._senders[topic].start()
        return {}

    def stop(self, topic: str) -> dict[str, Any]:
        """The file has got its last line: wait for the end of the stream."""
        self._stops[topic].set()
        self._senders[topic].join(60.0)
        return {"result": self._results.get(topic)}

    def state(self, topic: str) -> dict[str, Any]:
        """Numbers of this process, and whether the stream goes on."""
        sender = self._senders.get(topic)
        return {
            "threads": threading.active_count(),
            "cpu": time.process_time(),
            "alive": sender is not None and sender.is_alive(),
            "ended": self._results.get(topic),
        }


def main() -> None:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.CRITICAL)
    fobs_initialize()
    common_decomposers.register()
    answers, sys.stdout = sys.stdout, sys.stderr
    process = Process(*sys.argv[1:])
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(process, command.pop("do"))(**command)
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
