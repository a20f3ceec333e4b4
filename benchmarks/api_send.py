"""python -m benchmarks.api_send FILE CHUNK_SIZE NAME=URL...: follow FILE to several receivers, as a program would."""

from __future__ import annotations

import sys
import threading

from benchmarks.stage import TOKEN
from logstreamer import LogStreamer, WebSocketEngine


def main() -> None:
    """Until killed."""
    path, chunk_size, *targets = sys.argv[1:]
    urls = dict(target.split("=", 1) for target in targets)
    with WebSocketEngine.connect("bench", urls, token=TOKEN) as engine:
        LogStreamer.stream_log(
            "log_streaming",
            "live_log",
            {},
            list(urls),
            path,
            engine.new_context(job_id="b"),
            stop_event=threading.Event(),
            chunk_size=int(chunk_size) or None,
        )


if __name__ == "__main__":
    main()
