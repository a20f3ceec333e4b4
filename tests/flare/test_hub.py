"""The receiving side of one engine: what it keeps of those who have sent."""

from __future__ import annotations

from typing import Any

from nvflare.apis.utils.fl_context_utils import gen_new_peer_ctx

from conftest import wait_until
from contract.ends import register
from flare.net import FlareNet
from logstreamer.apis.streaming import StreamContextKey
from logstreamer.flare import messages
from logstreamer.flare.hub import SOME_PEERS, hub_of
from logstreamer.protocol.codec import encode
from logstreamer.protocol.frames import VERSION, Abort, Frame, Open, StreamKey
from streamers.recording import Recorder

JOBS = 4 * SOME_PEERS


def test_the_contexts_of_those_who_are_gone_are_forgotten(near: FlareNet, recorder: Recorder):
    """A server sees jobs without end; a stream that lives keeps its own."""
    register(near, recorder)
    engine = near.engine("server")
    hub = hub_of(engine)

    def exchange(job: str, *frames: Frame) -> None:
        fl_ctx = engine.new_context()
        fl_ctx.set_peer_context(gen_new_peer_ctx(near.engine("site-1").new_context(job_id=job)))
        stream_ctx: dict[str, Any] = {
            StreamContextKey.CHANNEL: "logs",
            StreamContextKey.TOPIC: "train",
            messages.MARK: True,
        }
        factory = engine.streamer.registry.find("logs", "train")[0]
        consumer = factory.get_consumer(stream_ctx, fl_ctx)
        message = messages.first_message(messages.pack(encode(0, frame) for frame in frames))
        message.set_header(messages.REPLY_WITHIN, 0.001)
        assert consumer.consume(message, stream_ctx, fl_ctx)[0]

    key = StreamKey("", "", "", "train.log", "source")
    exchange("lives", Open(VERSION, key, "run"))
    for number in range(JOBS):
        exchange(f"job-{number}", Open(VERSION, key, f"run-{number}"), Abort("OK", ""))
    wait_until(lambda: len(hub.pump.ask(lambda: list(hub.receiver.live()))) == 1)

    assert len(hub._peers) < JOBS / 2
    context: Any = hub._context("site-1", "lives")
    assert context.get_peer_context().get_job_id() == "lives"
