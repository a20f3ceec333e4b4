"""JobLogReceiver: the widget that keeps the logs of a job's sites at the server."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, SystemComponents
from nvflare.app_common.logging.constants import LIVE_LOG_TOPIC, Channels
from nvflare.widgets.widget import Widget

from logstreamer.apis.checks import check_non_negative_number
from logstreamer.apis.shareable import ReturnCode
from logstreamer.errors import ConfigError, StoreError
from logstreamer.flare.consumers import StoredConsumerFactory
from logstreamer.flare.fed_job import add_widget
from logstreamer.flare.handover import Handover
from logstreamer.flare.hub import Hub, hub_of
from logstreamer.flare.job_sink import JobSink, RefusedSink
from logstreamer.flare.opened import new_mark, open_stored, private_directory
from logstreamer.flare.rules import KILL_SWITCH, is_denied
from logstreamer.printable import printable
from logstreamer.protocol.frames import Open, StreamKey
from logstreamer.receiver import EndStream, OpenSink
from logstreamer.sink_table import Recent
from logstreamer.sinks import Sink
from logstreamer.store import layout
from logstreamer.store_sink import Stored

Left = TypeVar("Left")

WHERE = (Channels.LOG_STREAMING_CHANNEL, LIVE_LOG_TOPIC)

END_SECONDS = 60.0
"""How long the end of a run waits for clients that are still sending."""

OPEN_SECONDS = 10.0
"""How much of it for clients of the job that have sent nothing yet, and how long at all for a job that was aborted."""

POLL_SECONDS = 0.05

MAX_SAID = 10_000
"""Sites and jobs whose refusal is said once, the latest ones."""


class JobLogReceiver(Widget):
    """Keeps byte-exact copies of what `JobLogStreamer`s send, ours or NVFlare's own.

    It belongs into a job's server configuration, or into the server's resources.json: there it serves, in the server's
    parent process, all `SiteLogStreamer`s, and each `JobLogStreamer` of ours whose job has no receiver.

    While a job runs, each copy can be read (`tail -f`) at `{dest_dir}/{job_id}/{client}/{file}`; when its stream has
    ended well it is handed to the job manager, or, where there is none and no dest_dir was given, moved into the run
    directory of the job. A stream that ended badly keeps its partial file, and its sender may continue it. The end of
    a run waits for streams that are not over, and a while for clients of the job that have not begun.

    Args:
        dest_dir: where the copies lie; None: `logstreamer-UID` in the directory for temporary files, this user's alone.
            There `{job_id}` is followed by a mark of the process or server, see `opened.new_mark`.
        idle_timeout: seconds without a message after which a sender is given up (>= 0); 0: never.
        store: a directory of logstreamer's (`logstreamer serve --dest`), absolute, in place of dest_dir: the copies lie
            at `{store}/{client}/{job_id}/{file}` and stay there, `logstreamer ls`, `logs` and `verify` read them while
            the job runs, and the job manager or the run directory gets a copy.

    Raises:
        TypeError: idle_timeout is no number, or a directory no string.
        ConfigError: idle_timeout is negative or not finite, a directory is empty, or both are given, or store is
            relative.
    """

    def __init__(self, dest_dir: str | None = None, idle_timeout: float = 30.0, store: str | None = None) -> None:
        super().__init__()
        check_non_negative_number("idle_timeout", idle_timeout)
        _check_directory("dest_dir", dest_dir)
        _check_directory("store", store)
        if dest_dir is not None and store is not None:
            raise ConfigError(f"store takes the place of dest_dir, but both are given: {store!r}, {dest_dir!r}")
        if store is not None and not os.path.isabs(store):
            # Else it would be below the directory of the job's run, which a real server removes when the run is over.
            raise ConfigError(f"store must be an absolute path, of a directory at the server, but is {store!r}")
        # NVFlare's job API reads the arguments of a component from attributes of these names.
        self._dest_dir = dest_dir
        self._idle_timeout = idle_timeout
        self._store = store
        self._stored: Stored | None = None
        self._mark = ""  # follows the job's id in the default place
        self._trouble = ""  # why nothing can be stored
        self._handover = Handover()
        self._said: Recent[tuple[str, str], bool] = Recent(MAX_SAID)
        self._lock = threading.Lock()
        self.register_event_handler(
            [EventType.SYSTEM_START, EventType.ABOUT_TO_START_RUN, EventType.START_RUN], self._on_start
        )
        self.register_event_handler(EventType.END_RUN, self._on_end)

    @property
    def store(self) -> str | None:
        """The directory of logstreamer's that keeps the copies, if there is one."""
        return self._store

    def add_to_fed_job(self, job: Any, ctx: Any) -> str:
        """What NVFlare's Job API calls; see `fed_job.add_widget`."""
        return add_widget(self, job, ctx)

    # -- events

    def _on_start(self, event_type: str, fl_ctx: Any) -> None:
        # Again at each of these events: NVFlare makes a new streamer for each run, which knows no registration.
        engine = fl_ctx.get_engine()
        hub = hub_of(engine)
        try:
            stored = self._open(fl_ctx)
        except StoreError as error:
            self._trouble = f"live logs are not received: {error}"
            self.log_error(fl_ctx, self._trouble)
            self._refuse(engine, hub)
            return
        if job := fl_ctx.get_job_id():
            hub.begin_run(job)
        _register(engine, hub, lambda site, frame, end_stream: self._sink(engine, stored, site, frame))

    def _refuse(self, engine: Any, hub: Hub) -> None:
        # Where nobody is registered a site tries again and again, and never hears why. Another receiver goes before.
        if hub.stored_by(*WHERE) in (None, self._refused_sink):
            _register(engine, hub, self._refused_sink)

    def _refused_sink(self, site: str, frame: Open, end_stream: EndStream) -> Sink:
        return RefusedSink(self._trouble)

    def _open(self, fl_ctx: Any) -> Stored:
        with self._lock:
            if self._stored is None:
                job, root = fl_ctx.get_job_id(), self._store or self._dest_dir
                if root is None:
                    root, self._mark = private_directory(), f"-{new_mark(job, _workspace(fl_ctx))}"
                part = f"nvflare-{job or 'server'}{self._mark}"
                self._stored = open_stored(self, root, part, idle_timeout=self._idle_timeout)
            return self._stored

    def _on_end(self, event_type: str, fl_ctx: Any) -> None:
        engine, job = fl_ctx.get_engine(), fl_ctx.get_job_id()
        hub: Hub = hub_of(engine)
        begun = time.monotonic()
        signal = fl_ctx.get_run_abort_signal()
        is_aborted = signal is not None and signal.triggered  # NVFlare refuses all that comes from then on
        missing = [] if is_aborted else _wait(lambda: _missing(engine, hub, job), begun + OPEN_SECONDS)
        if missing:
            self.log_warning(fl_ctx, f"the run ends, but no live log has come from {', '.join(missing)}")
        left = _wait(lambda: hub.live(job), begun + (OPEN_SECONDS if is_aborted else END_SECONDS))
        if left:
            self.log_warning(fl_ctx, f"the run ends, but {left} live logs have not come to their end")
        hub.end_run(job)
        if job and not left and self._stored is not None:
            self._stored.store.retire()

    # -- streams; on the hub's threads

    def _sink(self, engine: Any, stored: Stored, site: str, frame: Open) -> Sink:
        key = frame.key

        def on_end(path: str, rc: str, reason: str) -> None:
            self._ended(engine, stored, site, key, path, rc, reason)

        upper, lower = (f"{key.job}{self._mark}", site) if self._store is None else (site, key.job)
        return JobSink(
            stored,
            upper,
            lower,
            refusal=lambda: self._refusal(engine, site, key.job),
            on_end=on_end,
        )

    def _refusal(self, engine: Any, site: str, job: str) -> str:
        client = getattr(engine, "get_client_from_name", lambda name: None)(site)
        if client is None or not _forbids(client):
            return ""
        refusal = f"{site} does not allow log streaming ({KILL_SWITCH} in its resources.json)"
        with self._lock:
            is_new = self._said.get((site, job)) is None
            self._said.put((site, job), True)
        if is_new:
            self.logger.error(printable(f"a live log of job {job} is refused: {refusal}"))
        return refusal

    def _ended(self, engine: Any, stored: Stored, site: str, key: StreamKey, path: str, rc: str, reason: str) -> None:
        job, name, file = key.job, key.name, os.path.join(stored.store.root, path)
        if rc == ReturnCode.STOPPED:
            self.logger.info(
                printable(f"live log {name} of {site}, job {job}, is to be continued; its part is at {file}")
            )
            return
        if rc != ReturnCode.OK:
            why = reason and f" ({reason})"
            self.logger.warning(
                printable(f"live log {name} of {site}, job {job}, ended with {rc}{why}; its part is at {file}")
            )
            return
        with engine.new_context() as fl_ctx:
            manager = engine.get_component(SystemComponents.JOB_MANAGER)
            if manager is not None:
                with self._to_give(file) as given:
                    kind = self._handover.give(manager, fl_ctx, site, job, name, key.source, given)
                self.logger.info(printable(f"live log {name} of {site} saved for job {job} as {kind}"))
            elif self._dest_dir is None:
                self._save(engine, stored, file, site, job, name)
                return
            else:
                self.logger.info(printable(f"live log {name} of {site}, job {job}, is at {file}"))
                return
        if self._store is None:
            _forget(stored, file)

    @contextlib.contextmanager
    def _to_give(self, file: str) -> Iterator[str]:
        """What the job manager may have: it takes the file away, if all goes well."""
        if self._store is None:
            yield file
            return
        descriptor, copy = tempfile.mkstemp(prefix="logstreamer-")
        os.close(descriptor)
        try:
            shutil.copyfile(file, copy)
            yield copy
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(copy)

    def _save(self, engine: Any, stored: Stored, file: str, site: str, job: str, name: str) -> None:
        workspace = getattr(engine, "get_workspace", lambda: None)()
        if workspace is None:
            self.logger.info(printable(f"live log {name} of {site}, job {job}, is at {file}"))
            return
        target = os.path.join(workspace.get_run_dir(job), site, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        target = _free(target)
        if self._store is None:
            shutil.move(file, target)
            _forget(stored, file)
        else:
            shutil.copyfile(file, target)
        self.logger.info(printable(f"live log {name} of {site} saved at {target}"))


def _register(engine: Any, hub: Hub, open_sink: OpenSink) -> None:
    hub.store(*WHERE, open_sink)
    engine.register_stream_processing(channel=WHERE[0], topic=WHERE[1], factory=StoredConsumerFactory(hub))


def _wait(left: Callable[[], Left], due: float) -> Left:
    """Wait until nothing is *left*, or until *due* (monotonic seconds); what still is."""
    while (found := left()) and time.monotonic() < due:
        time.sleep(POLL_SECONDS)
    return found


def _missing(engine: Any, hub: Hub, job: str) -> list[str]:
    """The clients of *job* that may send, and have not begun; none where another receiver has waited for them."""
    begun = hub.have_begun(job)
    if begun is None:
        return []
    clients = engine.get_clients() if hasattr(engine, "get_clients") else []
    return sorted(client.name for client in clients if client.name not in begun and not _forbids(client))


def _workspace(fl_ctx: Any) -> str:
    workspace = fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT)
    return str(workspace.get_root_dir()) if workspace is not None else ""


def _forbids(client: Any) -> bool:
    return is_denied((client.get_site_config() or {}).get(KILL_SWITCH, True))


def _check_directory(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str but got {type(value).__name__}")
    if not value or "\0" in value:
        raise ConfigError(f"{name} must name a directory but is {value!r}")


def _free(path: str) -> str:
    """*path*, or the first of PATH.2, PATH.3, ... that does not exist: nothing earlier is overwritten."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = f"{path}.{number}"
    return free


def _forget(stored: Stored, file: str) -> None:
    """Remove what lies beside a file that was given away, and the directories that are empty now."""
    directory, name = os.path.split(file)
    place = layout.Place((directory,), name)
    with stored.lock:  # else a stream could begin in such a directory
        for beside in (place.sidecar, place.arrivals):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(directory, beside))
        with contextlib.suppress(OSError):  # not empty: another log of the job
            while directory != stored.store.root:
                os.rmdir(directory)
                directory = os.path.dirname(directory)
