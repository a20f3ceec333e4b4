"""SiteLogStreamer: the widget that gives every job of a site a live log."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import (
    FLContextKey,
    JobConstants,
    ProcessType,
    ReservedKey,
    SiteType,
    StreamCtxKey,
    WorkspaceConstants,
)
from nvflare.apis.job_def import JobMetaKey
from nvflare.apis.workspace import Workspace
from nvflare.app_common.logging.constants import LIVE_LOG_TOPIC, Channels
from nvflare.widgets.widget import Widget

from logstreamer import LogStreamer
from logstreamer.apis.checks import check_positive_number
from logstreamer.flare.job_config import is_streamer, load, without_streamers, write_json
from logstreamer.flare.messages import SUCCEEDS
from logstreamer.flare.permission import may_stream
from logstreamer.flare.rules import check_log_file_name
from logstreamer.flare.unfinished import TAKERS, Unfinished, log_within
from logstreamer.printable import printable

logger = logging.getLogger(__name__)

STREAMER_PATH = "logstreamer.flare.job_log_streamer.JobLogStreamer"


class SiteLogStreamer(Widget):
    """Adds a `JobLogStreamer` to each job that has none, and sends what that one, or the job's own, could not.

    It belongs into the client's resources.json; the server's needs a `JobLogReceiver`. When a job's process has ended,
    however it ended, the rest of its logs is sent from here: the lines it wrote last, or all that a killed one left.
    Where the client itself was killed, that happens when it is started again. A log that a job itself declares is
    finished at the receiver that took it; if that was the job's process at the server, while that one lives.

    Args:
        log_file_name, liveness_interval, poll_interval: as in `JobLogStreamer`.

    Raises:
        TypeError, ValueError: as `JobLogStreamer` does.
    """

    def __init__(
        self,
        log_file_name: str = WorkspaceConstants.LOG_FILE_NAME,
        liveness_interval: float = 10.0,
        poll_interval: float = 0.5,
    ) -> None:
        super().__init__()
        check_log_file_name(log_file_name)
        check_positive_number("liveness_interval", liveness_interval)
        check_positive_number("poll_interval", poll_interval)
        self._log_file_name = log_file_name
        self._liveness_interval = liveness_interval
        self._poll_interval = poll_interval
        self.register_event_handler(EventType.BEFORE_JOB_LAUNCH, self._on_launch)
        self.register_event_handler(EventType.JOB_COMPLETED, self._on_completed)
        self.register_event_handler(EventType.SYSTEM_START, self._on_system_start)

    # -- before

    def _on_launch(self, event_type: str, fl_ctx: Any) -> None:
        job = (fl_ctx.get_prop(FLContextKey.JOB_META) or {}).get(JobMetaKey.JOB_ID)
        workspace = _workspace(fl_ctx)
        if not job or workspace is None:
            return
        directory = workspace.get_app_config_dir(job)
        if may_stream(fl_ctx):
            self._offer(fl_ctx, job, workspace.get_run_dir(job))
            self._add(fl_ctx, job, workspace, os.path.join(directory, JobConstants.CLIENT_JOB_CONFIG))
        else:
            self._take_out(fl_ctx, job, directory)

    def _take_out(self, fl_ctx: Any, job: str, directory: str) -> None:
        """Only the first of two guards: NVFlare launches the job whatever happens here, and resolves variables in class
        names later. A streamer that runs all the same asks the site's resources.json itself and does not start."""
        try:
            config = load(directory)
            left = without_streamers(config)
            if left == config:
                self.log_info(fl_ctx, f"job {job} gets no live log, this site does not allow it")
                return
            # Of all places and formats, this is where NVFlare looks first.
            write_json(os.path.join(directory, JobConstants.CLIENT_JOB_CONFIG), left)
        except Exception as error:  # noqa: BLE001 - NVFlare's loaders raise anything
            self.log_error(fl_ctx, f"job {job}: its configuration cannot be searched for live logs: {error}")
            return
        self.log_warning(fl_ctx, f"job {job}: its live log is taken out, this site does not allow it")

    def _offer(self, fl_ctx: Any, job: str, directory: str) -> None:
        """Let each streamer of the job see that its log is finished here."""
        try:
            Unfinished(directory, make=True).close()
        except OSError as error:
            self.log_warning(fl_ctx, f"job {job}: the ends of its logs will not be sent: {error}")

    def _add(self, fl_ctx: Any, job: str, workspace: Workspace, path: str) -> None:
        try:
            with open(path, encoding="utf-8") as file:
                config = json.load(file)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self.log_error(fl_ctx, f"job {job} gets no live log: {path} cannot be read: {error}")
            return
        if not isinstance(config, dict) or not isinstance(config.get("components") or [], list):
            self.log_error(fl_ctx, f"job {job} gets no live log: {path} has no list of components")
            return
        components = config["components"] = config.get("components") or []
        theirs = [component for component in components if is_streamer(component)]
        if any(not _may_add(component, self._log_file_name) for component in theirs):
            return
        components.append(self._component())
        try:
            write_json(path, config)
        except OSError as error:
            self.log_error(fl_ctx, f"job {job} gets no live log: {path} cannot be written: {error}")
            return
        self._note(fl_ctx, workspace.get_run_dir(job), job)
        self.log_info(fl_ctx, f"job {job} gets a live log of {self._log_file_name}")

    def _component(self) -> dict[str, Any]:
        return {
            "id": f"site_log_streamer_{self._log_file_name}",
            "path": STREAMER_PATH,
            "args": {
                "log_file_name": self._log_file_name,
                "liveness_interval": self._liveness_interval,
                "poll_interval": self._poll_interval,
                "target_parent_server": True,
            },
        }

    # -- after

    def _on_completed(self, event_type: str, fl_ctx: Any) -> None:
        if fl_ctx.get_process_type() != ProcessType.CLIENT_PARENT or not may_stream(fl_ctx):
            return
        job = fl_ctx.get_prop(FLContextKey.CURRENT_JOB_ID) or fl_ctx.get_job_id()
        workspace = _workspace(fl_ctx)
        if not job or workspace is None:
            return
        directory = workspace.get_run_dir(job)
        if self._log_file_name == WorkspaceConstants.ERROR_LOG_FILE_NAME:  # of each job, whatever it declares
            self._note(fl_ctx, directory, job, only_new=True)
        self._begin_finish(fl_ctx, job, directory, has_ended=True)

    def _on_system_start(self, event_type: str, fl_ctx: Any) -> None:
        """The process before this one was killed, or could not deliver: what it left is sent now."""
        workspace = _workspace(fl_ctx)
        if fl_ctx.get_process_type() != ProcessType.CLIENT_PARENT or workspace is None or not may_stream(fl_ctx):
            return
        for job, directory in list(_jobs(workspace.get_root_dir())):
            self._begin_finish(fl_ctx, job, directory, has_ended=False)

    def _note(self, fl_ctx: Any, directory: str, job: str, *, only_new: bool = False) -> None:
        """From now on this log of *job* is one that the site finishes."""
        try:
            with Unfinished(directory, make=True) as unfinished:
                if not (only_new and unfinished.taker(self._log_file_name) is not None):
                    unfinished.add(self._log_file_name, SiteType.SERVER_PARENT)
        except OSError as error:
            self.log_warning(fl_ctx, f"job {job}: the end of {self._log_file_name} will not be sent: {error}")

    def _begin_finish(self, fl_ctx: Any, job: str, directory: str, *, has_ended: bool) -> None:
        """Send the ends of all logs that *job* left, unless another widget of this process is about to."""
        try:
            unfinished = Unfinished(directory)
        except OSError:
            return
        names = unfinished.names()
        if not names:  # as of nearly all jobs of the past
            unfinished.close()
            return
        engine, site = fl_ctx.get_engine(), fl_ctx.get_identity_name()

        def finish() -> None:
            with unfinished:
                for name in names:
                    if not _claim(directory, name):
                        continue
                    try:
                        self._finish_one(engine, site, job, directory, unfinished, name, has_ended=has_ended)
                    except Exception:  # a thread's last words
                        logger.exception("the end of %s of job %s was not sent", printable(name), job)
                    finally:
                        _release(directory, name)

        threading.Thread(target=finish, name=f"logstreamer-{job}", daemon=True).start()

    def _finish_one(
        self, engine: Any, site: str, job: str, directory: str, unfinished: Unfinished, name: str, *, has_ended: bool
    ) -> None:
        about: dict[str, Any] = {StreamCtxKey.CLIENT_NAME: site, StreamCtxKey.JOB_ID: job}
        with contextlib.suppress(OSError):
            if not has_ended:  # a job's process may outlive the client's
                unfinished.wait_until_free(name)
            about[SUCCEEDS] = True
        taker, path = unfinished.taker(name), log_within(directory, name)
        if taker is None:  # finished meanwhile
            return
        if path is not None and not unfinished.may_send(name, path):
            path = None
            logger.info("job %s: %s was rotated, and NVFlare's own receiver cannot continue it", job, printable(name))
        is_sent = path is None or any(
            self._send(_context(engine, site, job, target), target, path, dict(about))
            for target in ([taker] if taker else TAKERS)
        )
        # The job's process at the server is gone after its job: there is no second try.
        if is_sent or taker == SiteType.SERVER:
            unfinished.remove(name)

    def _send(self, fl_ctx: Any, target: str, path: str, stream_ctx: dict[str, Any]) -> bool:
        stop = threading.Event()
        stop.set()
        _, result = LogStreamer.stream_log(
            channel=Channels.LOG_STREAMING_CHANNEL,
            topic=LIVE_LOG_TOPIC,
            stream_ctx=stream_ctx,
            targets=[target],
            file_name=path,
            fl_ctx=fl_ctx,
            stop_event=stop,
            poll_interval=self._poll_interval,
            liveness_interval=self._liveness_interval,
        )
        return bool(result)


_finishing: set[tuple[str, str]] = set()
_lock = threading.Lock()


def _claim(directory: str, name: str) -> bool:
    """Whether no other widget of this process finishes this log at the moment; each hears of each job."""
    with _lock:
        is_free = (directory, name) not in _finishing
        _finishing.add((directory, name))
        return is_free


def _release(directory: str, name: str) -> None:
    with _lock:
        _finishing.discard((directory, name))


def _context(engine: Any, site: str, job: str, target: str) -> Any:
    """This process serves many jobs: without these the receiver would not know which one a log belongs to."""
    context = engine.new_context()
    context.put(key=ReservedKey.RUN_NUM, value=job, private=False, sticky=True)
    context.put(key=ReservedKey.IDENTITY_NAME, value=site, private=False, sticky=False)
    if target == SiteType.SERVER:
        # A client's engine takes no target: NVFlare sends what comes from a job to the job's process at the server,
        # and all else to the server's parent process.
        context.put(key=ReservedKey.PROCESS_TYPE, value=ProcessType.CLIENT_JOB, private=True, sticky=False)
    return context


def _jobs(root: str) -> Iterator[tuple[str, str]]:
    """The jobs below the workspace at *root* of which a site finishes logs, and their directories."""
    prefix = WorkspaceConstants.WORKSPACE_PREFIX
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                yield entry.name.removeprefix(prefix), entry.path


def _may_add(component: dict[str, Any], log_file_name: str) -> bool:
    """Whether a streamer that the job declares leaves room for ours: one of ours, of another file."""
    if not str(component.get("id", "")).startswith("site_log_streamer_"):
        return False
    args = component.get("args") or {}
    return isinstance(args, dict) and args.get("log_file_name") != log_file_name


def _workspace(fl_ctx: Any) -> Any:
    root, site = fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT), fl_ctx.get_identity_name()
    return Workspace(root_dir=root, site_name=site) if root and site else None
