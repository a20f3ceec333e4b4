"""NVFlare's two ends of a live log: its own cells, aux runner, object streamer, JobLogReceiver and LogStreamer.

    python flare_ends.py receive URL DEST      the server: writes DEST/bench/site-1/FILE
    python flare_ends.py send URL FILE         the site: follows FILE until it is terminated

Runs with the interpreter that has nvflare, not with ours. Everything is left at its default. Both cells are connected
directly; in a real job each chunk may also pass the two parents, so what is measured here favours NVFlare.
"""

import logging
import signal
import sys
import threading

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ProcessType, ReservedKey
from nvflare.apis.fl_context import FLContextManager
from nvflare.apis.streaming import StreamableEngine
from nvflare.apis.utils.fl_context_utils import gen_new_peer_ctx
from nvflare.app_common.decomposers import common_decomposers
from nvflare.app_common.logging.constants import LIVE_LOG_TOPIC, Channels
from nvflare.app_common.logging.job_log_receiver import JobLogReceiver
from nvflare.app_common.streamers.log_streamer import LogStreamer
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.core_cell import Message, MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.private.aux_runner import AuxMsgTarget, AuxRunner
from nvflare.private.defs import CellChannel, new_cell_message
from nvflare.private.fed.utils.fed_utils import fobs_initialize
from nvflare.private.stream_runner import ObjectStreamer


class Engine(StreamableEngine):
    """The part of NVFlare's engines that streams objects, wired as ServerEngine and ClientRunManager wire it."""

    def __init__(self, fqcn: str, url: str, process_type: str):
        self.cell = Cell(fqcn=fqcn, root_url=url, secure=False, credentials={})
        self.contexts = FLContextManager(
            engine=self,
            identity_name=fqcn,
            job_id="bench",
            private_stickers={ReservedKey.PROCESS_TYPE: process_type},
        )
        self.aux = AuxRunner(self)
        self.streamer = ObjectStreamer(self.aux)
        self.cell.register_request_cb(channel=CellChannel.AUX_COMMUNICATION, topic="*", cb=self._dispatch)

    def get_cell(self):
        return self.cell

    def get_component(self, component_id):
        return None

    def new_context(self):
        return self.contexts.new_context()

    def _dispatch(self, request: Message) -> Message:
        with self.new_context() as fl_ctx:
            topic = request.get_header(MessageHeaderKey.TOPIC)
            reply = self.aux.dispatch(topic=topic, request=request.payload, fl_ctx=fl_ctx)
            reply.set_peer_context(gen_new_peer_ctx(fl_ctx))
            message = new_cell_message({}, reply)
            message.set_header(MessageHeaderKey.RETURN_CODE, ReturnCode.OK)
            return message

    def stream_objects(self, channel, topic, stream_ctx, targets, producer, fl_ctx, optional=False, secure=False):
        aux_targets = [AuxMsgTarget.server_parent_target() for _ in targets]
        return self.streamer.stream(channel, topic, stream_ctx, aux_targets, producer, fl_ctx, secure, optional)

    def register_stream_processing(self, channel, topic, factory, stream_done_cb=None, consumed_cb=None, **cb_kwargs):
        self.streamer.register_stream_processing(channel, topic, factory, stream_done_cb, consumed_cb, **cb_kwargs)

    def shutdown_streamer(self):
        self.streamer.shutdown()


def receive(url: str, dest: str, stop: threading.Event) -> None:
    """Write what comes, as the JobLogReceiver of a job does, until *stop*."""
    engine = Engine(FQCN.ROOT_SERVER, url, ProcessType.SERVER_PARENT)
    with engine.new_context() as fl_ctx:
        JobLogReceiver(dest_dir=dest)._register(EventType.START_RUN, fl_ctx)
    engine.cell.start()
    stop.wait()
    engine.cell.stop()


def send(url: str, file_name: str, stop: threading.Event) -> None:
    """Follow *file_name*, as the JobLogStreamer of a job does, until *stop*."""
    engine = Engine("site-1", url, ProcessType.CLIENT_PARENT)
    engine.cell.start()
    while not engine.cell.is_cell_connected(FQCN.ROOT_SERVER):
        if stop.wait(0.05):
            return
    with engine.new_context() as fl_ctx:
        LogStreamer.stream_log(
            channel=Channels.LOG_STREAMING_CHANNEL,
            topic=LIVE_LOG_TOPIC,
            stream_ctx={},
            targets=[FQCN.ROOT_SERVER],
            file_name=file_name,
            fl_ctx=fl_ctx,
            stop_event=stop,
        )
    engine.cell.stop()


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    end, url, path = sys.argv[1:]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    fobs_initialize()
    common_decomposers.register()
    {"receive": receive, "send": send}[end](url, path, stop)


if __name__ == "__main__":
    main()
