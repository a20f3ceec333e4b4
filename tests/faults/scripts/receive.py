"""A receiver with callbacks, told by its standard input.

    receive.py IDLE_TIMEOUT SECONDS_IN_EACH_CALLBACK

"register" takes streams from then on; "abort" raises the run's abort signal; "count" tells the numbers of runs. Each
line of its output says what happened, and when on a monotonic clock.
"""

import os
import sys
import threading
import time

from logstreamer import LogStreamer, Signal, WebSocketEngine

idle_timeout, seconds = float(sys.argv[1]), float(sys.argv[2])
abort = Signal()
lock = threading.Lock()
runs = []  # the context of each run whose callbacks were called: kept, so that no two of them are the same object
ends = []


def say(*words):
    with lock:
        print(*words, f"at={time.monotonic():.3f}", flush=True)


def on_chunk(data, stream_ctx, fl_ctx):
    if not any(one is stream_ctx for one in runs):
        runs.append(stream_ctx)
    say("begin", LogStreamer.get_file_name(stream_ctx), len(data))
    if seconds:
        threading.Event().wait(seconds)  # a callback that takes its time
    with open(f"received.{LogStreamer.get_file_name(stream_ctx)}", "ab") as file:
        file.write(data)
    say("end", LogStreamer.get_file_name(stream_ctx), len(data))


def on_done(stream_ctx, fl_ctx):
    ends.append(stream_ctx)
    say("done", LogStreamer.get_file_name(stream_ctx), LogStreamer.get_rc(stream_ctx))


with WebSocketEngine.serve("receiver", port=0, token=os.environ["LOGSTREAMER_TOKEN"], abort_signal=abort) as engine:
    print("ready", engine.url, flush=True)
    for words in map(str.strip, sys.stdin):
        if words == "register":
            context = engine.new_context()
            LogStreamer.register_stream_processing(
                context, "log_streaming", "live_log", on_chunk, on_done, idle_timeout=idle_timeout
            )
            say("registered")
        elif words == "abort":
            abort.trigger()
        elif words == "count":
            most = max((sum(end is run for end in ends) for run in ends), default=0)
            unended = sum(not any(end is run for end in ends) for run in runs)
            say("counted", f"ends={len(ends)} most={most} unended={unended} live={len(list(engine.receiver.live()))}")
