"""One end of a log stream on NVFlare's cellnet, as a process: ours or NVFlare's own.

    python ends.py receive ours|stock|store URL DEST [--idle-timeout S] [--wait-file PATH] [--slow S]
    python ends.py send ours|stock URL FILE [--stop-file PATH]

A receiver writes DEST/FILE as it comes (store: a JobLogReceiver keeps it), and prints one JSON line for each event. It
registers when the wait file exists, and ends on SIGTERM. A sender stops when the stop file exists, and prints how its
stream ended.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers.flare_ends import Engine
from nvflare.apis.fl_constant import ProcessType
from nvflare.app_common.decomposers import common_decomposers
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.private.fed.utils.fed_utils import fobs_initialize

CHANNEL, TOPIC = "log_streaming", "live_log"


def say(**event: object) -> None:
    """One event for whoever runs this."""
    print(json.dumps(event), flush=True)


def streamer_of(make: str) -> type:
    """The LogStreamer to use."""
    if make == "ours":
        from logstreamer import LogStreamer
    else:
        from nvflare.app_common.streamers.log_streamer import LogStreamer
    return LogStreamer


def receive(args: argparse.Namespace) -> None:
    """Write what comes until SIGTERM."""
    engine = Engine(FQCN.ROOT_SERVER, args.url, ProcessType.SERVER_PARENT)
    engine.cell.start()
    say(event="started")
    while args.wait_file and not os.path.exists(args.wait_file):
        time.sleep(0.02)
    with engine.new_context() as fl_ctx:
        if args.make == "store":
            keep(engine, fl_ctx, args)
        else:
            register(fl_ctx, args)
    say(event="registered")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.wait(0.05):
        pass
    say(event="ended", threads=threading.active_count())
    os._exit(0)


def keep(engine: Engine, fl_ctx: object, args: argparse.Namespace) -> None:
    """Let a JobLogReceiver store what comes."""
    from logstreamer.flare import JobLogReceiver

    class Keeper(JobLogReceiver):
        def _ended(self, *what: Any) -> None:
            super()._ended(*what)
            say(event="done", rc=what[5], file=what[3].name, site=what[2], job=what[3].job)

    Keeper(idle_timeout=args.idle_timeout, store=args.path)._on_start("START_RUN", fl_ctx)


def register(fl_ctx: object, args: argparse.Namespace) -> None:
    """Write what comes by callbacks."""
    streamer = streamer_of(args.make)
    dest = Path(args.path)
    dest.mkdir(parents=True, exist_ok=True)
    count = 0

    def on_chunk(data: bytes, stream_ctx: dict, fl_ctx: object) -> None:
        nonlocal count
        if args.slow and count == args.slow_at:
            time.sleep(args.slow)
        count += 1
        with (dest / streamer.get_file_name(stream_ctx)).open("ab") as file:
            file.write(data)

    def on_done(stream_ctx: dict, fl_ctx: object) -> None:
        peer = fl_ctx.get_peer_context() if fl_ctx is not None else None
        say(
            event="done",
            rc=streamer.get_rc(stream_ctx),
            file=streamer.get_file_name(stream_ctx),
            site=peer.get_identity_name() if peer is not None else None,
            job=peer.get_job_id() if peer is not None else None,
        )

    streamer.register_stream_processing(
        fl_ctx, CHANNEL, TOPIC, chunk_received_cb=on_chunk, stream_done_cb=on_done, idle_timeout=args.idle_timeout
    )


def send(args: argparse.Namespace) -> None:
    """Follow a file until the stop file exists."""
    engine = Engine(args.site, args.url, ProcessType.CLIENT_PARENT)
    engine.cell.start()
    while not engine.cell.is_cell_connected(FQCN.ROOT_SERVER):
        time.sleep(0.02)
    say(event="connected")

    class Stop:
        @staticmethod
        def is_set() -> bool:
            return os.path.exists(args.stop_file)

    fl_ctx = engine.new_context()
    started = time.monotonic()
    rc, result = streamer_of(args.make).stream_log(
        CHANNEL,
        TOPIC,
        {},
        [FQCN.ROOT_SERVER],
        args.path,
        fl_ctx,
        stop_event=Stop(),
        poll_interval=args.poll_interval,
        liveness_interval=args.liveness_interval,
        idle_timeout=None,
        chunk_timeout=args.chunk_timeout,
    )
    say(
        event="sent",
        rc=rc,
        ok=bool(result),
        seconds=time.monotonic() - started,
        threads=threading.active_count(),
        reasons=[str(reply.get_header("reason")) for reply in (result or {}).values()],
    )
    os._exit(0)


def main() -> None:
    """Run one end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("end", choices=["receive", "send"])
    parser.add_argument("make", choices=["ours", "stock", "store"])
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--site", default="site-1")
    parser.add_argument("--stop-file", default="")
    parser.add_argument("--idle-timeout", type=float, default=30.0)
    parser.add_argument("--wait-file", default="")
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--slow-at", type=int, default=3)
    parser.add_argument("--poll-interval", type=float, default=0.1)
    parser.add_argument("--liveness-interval", type=float, default=10.0)
    parser.add_argument("--chunk-timeout", type=float, default=None)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("nvflare").setLevel(logging.WARNING)
    fobs_initialize()
    common_decomposers.register()
    {"receive": receive, "send": send}[args.end](args)


if __name__ == "__main__":
    main()
