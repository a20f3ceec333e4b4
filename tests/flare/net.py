"""Sites on NVFlare's cellnet within one process, for the contract suite: one cell each, kept from test to test."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

from benchmarks.peers.flare_ends import Engine
from nvflare.apis.fl_constant import ProcessType, ReservedKey
from nvflare.app_common.decomposers import common_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import ReturnCode
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.private.aux_runner import AuxMsgTarget, AuxRunner
from nvflare.private.fed.utils.fed_utils import fobs_initialize
from nvflare.private.stream_runner import ObjectStreamer

from contract.nets import SERVERS
from logstreamer.apis.context import Signal


class Site(Engine):
    """One site of one test, on a cell that all tests share. The server's cell is the root of all."""

    def __init__(self, net: FlareNet, name: str, cell: Cell, abort_signal: Signal | None) -> None:
        self._net = net
        self._name = name
        self._abort_signal = abort_signal
        self.cell = cell
        self.contexts = _contexts(self, name)
        self.aux = AuxRunner(self)
        self.streamer = ObjectStreamer(self.aux)

    def new_context(self, job_id: str | None = None, abort_signal: Signal | None = None) -> Any:
        """A context, for a job where one is named."""
        fl_ctx = self.contexts.new_context()
        # What the receiving side of a test shows is the job of its peer.
        fl_ctx.put(ReservedKey.RUN_NUM, job_id or "job-7", private=False, sticky=False)
        fl_ctx.put(ReservedKey.RUN_ABORT_SIGNAL, abort_signal or self._abort_signal, private=True, sticky=False)
        return fl_ctx

    def stream_objects(self, channel, topic, stream_ctx, targets, producer, fl_ctx, optional=False, secure=False):
        """Send to cells by name."""
        aux = [AuxMsgTarget(target, target, job_scoped=False) for target in targets]
        return self.streamer.stream(channel, topic, stream_ctx, aux, producer, fl_ctx, secure, optional)


class FlareNet:
    """Engines by site name."""

    _cells: ClassVar[dict[str, Cell]] = {}
    _current: ClassVar[dict[str, Site]] = {}
    _url = ""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}
        if not self._cells:
            fobs_initialize()
            common_decomposers.register()
            with socket.create_server(("127.0.0.1", 0)) as probe:
                type(self)._url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
            self._cell("server")

    def engine(self, site: str, abort_signal: Signal | None = None) -> Site:
        """The engine of *site*; the contract's first server is the root of the cells."""
        if site not in self._sites:
            self._sites[site] = self._current[site] = Site(self, site, self._cell(site), abort_signal)
        return self._sites[site]

    def _cell(self, name: str) -> Cell:
        if name not in self._cells:
            cell = Cell(fqcn=name, root_url=self._url, secure=False, credentials={})
            cell.register_request_cb(
                channel="aux_communication", topic="*", cb=lambda request: _answer(self._current.get(name), request)
            )
            cell.start()
            self._cells[name] = cell
        return self._cells[name]

    def close(self) -> None:
        """Nothing of this test answers any more."""
        for name in self._sites:
            self._current.pop(name, None)


def _answer(site: Site | None, request: Any) -> Any:
    return site._dispatch(request) if site is not None else make_reply(ReturnCode.PROCESS_EXCEPTION)


def _contexts(engine: Site, name: str) -> Any:
    from nvflare.apis.fl_context import FLContextManager

    kind = ProcessType.SERVER_PARENT if name in SERVERS else ProcessType.CLIENT_PARENT
    return FLContextManager(
        engine=engine, identity_name=name, job_id="job-7", private_stickers={ReservedKey.PROCESS_TYPE: kind}
    )
