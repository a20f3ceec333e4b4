"""Sites on NVFlare's cellnet for the contract suite: one cell each, kept from test to test."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

from benchmarks.peers.flare_ends import Engine
from nvflare.apis.fl_constant import ProcessType, ReservedKey
from nvflare.apis.streaming import ConsumerFactory as NVFactory
from nvflare.app_common.decomposers import common_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import ReturnCode
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.private.aux_runner import AuxMsgTarget, AuxRunner
from nvflare.private.fed.utils.fed_utils import fobs_initialize
from nvflare.private.stream_runner import ObjectStreamer

from contract.nets import SERVERS
from logstreamer.apis.context import Signal
from logstreamer.flare.engine import FlareEngine
from logstreamer.flare.hub import hub_of


class Site(Engine):
    """One site of one test, on a cell that all tests share. The server's cell is the root of all."""

    def __init__(self, name: str, cell: Cell, abort_signal: Signal | None) -> None:
        self._abort_signal = abort_signal
        self.cell = cell
        self.contexts = _contexts(self, name)
        self.aux = AuxRunner(self)
        self.streamer = ObjectStreamer(self.aux)

    def new_context(self, job_id: str | None = None, abort_signal: Any = None) -> Any:
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


class ReceivingSite(Site):
    """What the contract's tests see of an engine that receives."""

    def register_stream_processing(self, channel, topic, factory, stream_done_cb=None, consumed_cb=None, **cb_kwargs):
        """Of NVFlare's factories, and of a test's own."""
        register = super().register_stream_processing
        if not isinstance(factory, NVFactory):
            register = FlareEngine(self).register_stream_processing
        register(channel, topic, factory, stream_done_cb, consumed_cb, **cb_kwargs)

    @property
    def receiver(self) -> Any:
        """Our part of it."""
        return hub_of(self).receiver

    @property
    def pump(self) -> Any:
        """Its loop."""
        return hub_of(self).pump


class Sites:
    """The engines of this process, by site name.

    Args:
        url: of the root of all cells.
    """

    _cells: ClassVar[dict[str, Cell]] = {}
    _current: ClassVar[dict[str, Site]] = {}

    def __init__(self, url: str) -> None:
        self._url = url
        self._sites: dict[str, Site] = {}

    def engine(self, site: str, abort_signal: Signal | None = None) -> Any:
        """The engine of *site*."""
        if site not in self._sites:
            kind = ReceivingSite if site in SERVERS else Site
            self._sites[site] = self._current[site] = kind(site, self._cell(site), abort_signal)
        return self._sites[site]

    def _cell_name(self, site: str) -> str:
        return site

    def _cell(self, name: str) -> Cell:
        if name not in self._cells:
            cell = Cell(fqcn=self._cell_name(name), root_url=self._url, secure=False, credentials={})
            cell.register_request_cb(
                channel="aux_communication", topic="*", cb=lambda request: _answer(self._current.get(name), request)
            )
            cell.start()
            self._cells[name] = cell
        return self._cells[name]

    @classmethod
    def stop_cells(cls) -> None:
        """The last test is over: their threads would keep the interpreter."""
        while cls._cells:
            cls._cells.popitem()[1].stop()

    def close(self) -> None:
        """Nothing of this test answers any more."""
        for name in self._sites:
            self._current.pop(name, None)
        self._sites.clear()


class FlareNet(Sites):
    """All sites in this process; the contract's first server is the root of the cells."""

    _root = ""

    def __init__(self) -> None:
        if not self._cells:
            fobs_initialize()
            common_decomposers.register()
            with socket.create_server(("127.0.0.1", 0)) as probe:
                FlareNet._root = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        super().__init__(self._root)
        self._cell("server")

    def _cell_name(self, site: str) -> str:
        return (
            site if site in SERVERS else f"near-{site}"
        )  # beside the one of that site in another process: see `apart`


def _answer(site: Site | None, request: Any) -> Any:
    return site._dispatch(request) if site is not None else make_reply(ReturnCode.PROCESS_EXCEPTION)


def _contexts(engine: Site, name: str) -> Any:
    from nvflare.apis.fl_context import FLContextManager

    kind = ProcessType.SERVER_PARENT if name in SERVERS else ProcessType.CLIENT_PARENT
    return FLContextManager(
        engine=engine, identity_name=name, job_id="job-7", private_stickers={ReservedKey.PROCESS_TYPE: kind}
    )
