"""Both ends of a log stream in one process: a receiver with callbacks, and a site that follows a growing file."""

import tempfile
import threading
from pathlib import Path

from logstreamer import LogStreamer, WebSocketEngine


def on_chunk(data, stream_ctx, fl_ctx, tag):
    print(f"[{tag}] {fl_ctx.get_peer_context().get_identity_name()}: {data!r}")


def on_done(stream_ctx, fl_ctx, tag):
    print(f"[{tag}] {LogStreamer.get_file_name(stream_ctx)} ended: {LogStreamer.get_rc(stream_ctx)}")


log, stop = Path(tempfile.mkdtemp()) / "train.log", threading.Event()
with WebSocketEngine.serve("server", port=0) as server:
    LogStreamer.register_stream_processing(server.new_context(), "logs", "train", on_chunk, on_done, tag="demo")
    with WebSocketEngine.connect("site-1", {"server": server.url}, token=server.token) as site:
        log.write_text("epoch 1 loss 0.9\nepoch 2 loss 0.5\n")
        threading.Timer(1.0, stop.set).start()  # a job would set it when it has logged its last line
        context = site.new_context(job_id="job-7")
        print(LogStreamer.stream_log("logs", "train", {}, ["server"], str(log), context, stop_event=stop))
