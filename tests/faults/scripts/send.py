"""A sender that follows files by `stream_log`, told by its standard input.

    send.py NAME=URL[,NAME=URL...] FILE...

"stop" sets the stop event, "abort" raises the run's abort signal. Says "result FILE RC" for each file. CHUNK_TIMEOUT
in the environment is that argument, in seconds.
"""

import os
import sys
import threading

from logstreamer import LogStreamer, Signal, WebSocketEngine

targets = dict(item.split("=", 1) for item in sys.argv[1].split(","))
patience = {"chunk_timeout": float(os.environ["CHUNK_TIMEOUT"])} if "CHUNK_TIMEOUT" in os.environ else {}
stop, abort, lock = threading.Event(), Signal(), threading.Lock()


def follow(engine, path):
    context = engine.new_context(job_id="default", abort_signal=abort)
    rc, result = LogStreamer.stream_log(
        "log_streaming", "live_log", {}, list(targets), path, context, stop_event=stop, poll_interval=0.1, **patience
    )
    outcomes = {name: reply.get_return_code() for name, reply in result.items()} if result else result
    with lock:
        print("result", path, rc, outcomes, flush=True)


with WebSocketEngine.connect("s", targets, token=os.environ["LOGSTREAMER_TOKEN"]) as engine:
    threads = [threading.Thread(target=follow, args=(engine, path)) for path in sys.argv[2:]]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for words in map(str.strip, sys.stdin):
        {"stop": stop.set, "abort": abort.trigger}[words]()
        if words == "stop":
            break
    for thread in threads:
        thread.join()
