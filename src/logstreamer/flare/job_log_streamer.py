"""JobLogStreamer: the widget that sends a job's log file from the job's own process."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey, SiteType, StreamCtxKey, WorkspaceConstants
from nvflare.apis.signal import Signal
from nvflare.app_common.logging.constants import LIVE_LOG_TOPIC, Channels
from nvflare.widgets.widget import Widget

from logstreamer import LogStreamer
from logstreamer.apis.checks import check_bool, check_positive_number
from logstreamer.flare.fed_job import add_widget
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.messages import STAND_IN
from logstreamer.flare.permission import may_stream
from logstreamer.flare.rules import check_log_file_name
from logstreamer.flare.swapping import swapping
from logstreamer.flare.unfinished import Unfinished, beginning
from logstreamer.tail.types import Fingerprint

logger = logging.getLogger(__name__)

JOIN_SECONDS = 60.0
"""How long the end of a run waits for what is not delivered yet, for all files of a process together."""

CLOSING_SECONDS = 5.0
"""Of these, what is left for a sender to give up."""

FOLLOW_SECONDS = 2.0
"""How long the start of a run waits until its log is held; milliseconds, if all is well."""

UNANSWERED_SECONDS = 8.0
"""How long it waits for a receiver that has never answered, for all files as well: most likely there is none."""

_DEADLINE = "_logstreamer_end_run_deadline"

LAST_LINES_SECONDS = 5.0
"""How long the lines that a process writes after the end of its run may hold it up, all together."""

QUIET_SECONDS = 1.0
"""After the end of the run, the log ends when nothing was written for so long."""

PATIENCE, SITE_PATIENCE = 2.0, 30.0
"""How long after the last word of the ending process its log counts as ended: alone, and where the site finishes it."""

_numbers = itertools.count(1)


class JobLogStreamer(Widget):
    """Sends a log file of the job to the server as it grows. It belongs into the job's client configuration.

    It starts at START_RUN and goes on beyond END_RUN, until the process is silent or ends: the lines that NVFlare
    writes last are part of the log as well. To follow several files, declare one widget for each.

    Args:
        log_file_name: a name below the directory of the job's log files, e.g. "log.txt", "log.json", "error_log.txt".
        liveness_interval: the longest silence before a heartbeat, in seconds (> 0).
        poll_interval: the longest time between two looks at the file, in seconds (> 0).
        target_parent_server: send to the server's parent process instead of the job's process there, which is asked
            first otherwise, and only if nobody receives there the parent.

    Raises:
        TypeError, ValueError: log_file_name is absolute, has a "..", or names no file; an interval is not above 0; a
            flag is no bool.
    """

    def __init__(
        self,
        log_file_name: str = WorkspaceConstants.LOG_FILE_NAME,
        liveness_interval: float = 10.0,
        poll_interval: float = 0.5,
        target_parent_server: bool = False,
    ) -> None:
        super().__init__()
        check_log_file_name(log_file_name)
        check_positive_number("liveness_interval", liveness_interval)
        check_positive_number("poll_interval", poll_interval)
        check_bool("target_parent_server", target_parent_server)
        # NVFlare's job API reads the arguments of a component from attributes of these names.
        self._log_file_name = log_file_name
        self._liveness_interval = liveness_interval
        self._poll_interval = poll_interval
        self._target_parent_server = target_parent_server
        self._unfinished: Unfinished | None = None
        self._beginning = Fingerprint.of(b"")
        self._end: JobEnd | None = None
        self._thread: threading.Thread | None = None
        self._appeared = threading.Event()
        self.register_event_handler(EventType.START_RUN, self._on_start)
        self.register_event_handler(EventType.END_RUN, self._on_end)
        self.register_event_handler(EventType.SWAP_IN, self._on_swap_in)
        self.register_event_handler(EventType.SWAP_OUT, self._on_swap_out)

    @property
    def log_file_name(self) -> str:
        """Of the file that it sends."""
        return self._log_file_name

    def add_to_fed_job(self, job: Any, ctx: Any) -> str:
        """What NVFlare's Job API calls; see `fed_job.add_widget`."""
        return add_widget(self, job, ctx)

    def _on_start(self, event_type: str, fl_ctx: Any) -> None:
        if not may_stream(fl_ctx):
            self.log_warning(fl_ctx, f"{self._log_file_name} is not streamed: this site does not allow log streaming")
            return
        directory = _log_directory()
        if directory is None:
            self.log_error(fl_ctx, f"{self._log_file_name} is not streamed: no logging handler writes to a file here")
            return
        path = os.path.join(directory, self._log_file_name)
        self._unfinished = self._hold(directory)
        # The run's own abort signal is raised before its last lines are written; the end of the run is told by events.
        context = fl_ctx.get_engine().new_context()
        context.put(key=ReservedKey.RUN_ABORT_SIGNAL, value=Signal(), private=True, sticky=False)
        self._end = JobEnd(PATIENCE if self._unfinished is None else SITE_PATIENCE, self._taken)
        self._appeared = threading.Event()
        if os.path.exists(path):
            self._appeared.set()
        self._thread = threading.Thread(
            target=self._stream,
            args=(path, self._end, context),
            name=f"logstreamer-{next(_numbers)}",
            daemon=True,
        )
        self._thread.start()
        swapping.add(self._end, self._thread)
        if self._appeared.is_set():
            self._end.wait_follows(FOLLOW_SECONDS)  # what is rotated away in this run is part of the log
        self.log_info(fl_ctx, f"streaming {path}")

    def _hold(self, directory: str) -> Unfinished | None:
        """What the site finishes when this process has ended, with this log among it; None: it finishes nothing."""
        try:
            unfinished = Unfinished(directory)
        except OSError:
            return None
        try:
            unfinished.hold(self._log_file_name)
        except (OSError, ValueError) as error:
            logger.warning("the site will not finish %s: %s", self._log_file_name, error)
            unfinished.close()
            return None
        return unfinished

    def _taken(self, address: str, resumes: bool) -> None:
        if self._unfinished is None:
            return
        if not resumes and address == SiteType.SERVER:  # NVFlare's own receiver: it would begin a second log
            self._unfinished.remove(self._log_file_name)
            return
        try:
            self._unfinished.add(self._log_file_name, address, None if resumes else self._beginning)
        except OSError as error:
            logger.warning("the site will not know where %s went: %s", self._log_file_name, error)

    def _stream(self, path: str, end: JobEnd, fl_ctx: Any) -> None:
        context = {StreamCtxKey.CLIENT_NAME: fl_ctx.get_identity_name(), StreamCtxKey.JOB_ID: fl_ctx.get_job_id()}
        target = SiteType.SERVER_PARENT if self._target_parent_server else SiteType.SERVER
        if target == SiteType.SERVER:  # a receiver of the server's resources.json is in its parent process only
            context[STAND_IN] = SiteType.SERVER_PARENT
        try:
            if not self._wait_for(path, end):
                logger.info("%s was not created during this job", path)
                return
            self._beginning = beginning(path)
            LogStreamer.stream_log(
                channel=Channels.LOG_STREAMING_CHANNEL,
                topic=LIVE_LOG_TOPIC,
                stream_ctx=context,
                targets=[target],
                file_name=path,
                fl_ctx=fl_ctx,
                stop_event=end,
                poll_interval=self._poll_interval,
                liveness_interval=self._liveness_interval,
            )
        except Exception:  # a thread's last words: the job goes on without its live log
            logger.exception("%s is no longer streamed", path)
        finally:
            end.over()

    def _wait_for(self, path: str, end: JobEnd) -> bool:
        """Whether there is a file: of one that never was, no empty copy is made."""
        appeared, pause = self._appeared, threading.Event()
        while not os.path.exists(path):
            if end.is_set():
                return os.path.exists(path)
            pause.wait(self._poll_interval)
        appeared.set()
        return True

    def _on_end(self, event_type: str, fl_ctx: Any) -> None:
        end, thread = self._end, self._thread
        self._end = self._thread = None
        if end is None or thread is None:
            return
        swapping.remove(end)
        if not thread.is_alive():
            return
        if not self._appeared.is_set():
            end.set()  # a file that appears only now is sent as it is
        deadline = _deadline(fl_ctx)
        if not end.wait_taken(max(0.0, deadline - JOIN_SECONDS + UNANSWERED_SECONDS - time.monotonic())):
            end.set()
            self.log_warning(fl_ctx, f"nothing of {self._log_file_name} was delivered: no receiver has answered")
            return
        if not end.wait_delivered(max(0.0, deadline - CLOSING_SECONDS - time.monotonic())):
            end.set()
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self.log_warning(fl_ctx, f"not all of {self._log_file_name} was delivered in {JOIN_SECONDS:g} s")
            return
        end.begin()
        if self._unfinished is None:
            LastLines(end, thread).install()

    def _on_swap_in(self, event_type: str, fl_ctx: Any) -> None:
        swapping.install()

    def _on_swap_out(self, event_type: str, fl_ctx: Any) -> None:
        swapping.leave()


class LastLines(logging.Handler):
    """Lets a process write the last lines of its log, and have them delivered, before it is gone.

    Each record that comes after the end of the run waits until it has arrived. When there are no more for a while, or
    the process is told to end (SIGTERM), the log ends.
    """

    def __init__(self, end: JobEnd, thread: threading.Thread) -> None:
        super().__init__()
        self._job_end = end
        self._thread = thread
        self._budget = LAST_LINES_SECONDS
        self._main = threading.current_thread()
        self._last = time.monotonic()
        self._former: Any = None

    def install(self) -> None:
        """Begin."""
        logging.getLogger().addHandler(self)  # the last one: the line is in the file when it comes here
        if self._main is threading.main_thread():
            self._former = signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, self._on_terminate)
        threading.Thread(target=self._watch, name="logstreamer-end", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """As its base, but without a lock: while one thread waits in `emit`, those that deliver log as well."""
        passes = bool(self.filter(record))
        if passes:
            self.emit(record)
        return passes

    def emit(self, record: logging.LogRecord) -> None:
        """Wait for the delivery of one line."""
        self._last = time.monotonic()
        # Threads of NVFlare's cellnet log too, and they have to go on for anything to be delivered.
        if threading.current_thread() is not self._main or self._budget <= 0 or not self._thread.is_alive():
            return
        self._job_end.wait_delivered(self._budget)
        self._budget -= time.monotonic() - self._last

    def _watch(self) -> None:
        while (left := self._last + QUIET_SECONDS - time.monotonic()) > 0:
            time.sleep(left)
        self._job_end.set()
        self._thread.join()
        logging.getLogger().removeHandler(self)

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        self._job_end.set()
        self._thread.join(self._budget)
        signal.signal(signal.SIGTERM, self._former if self._former is not None else signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _deadline(fl_ctx: Any) -> float:
    """When the end of this run must be through (monotonic); NVFlare calls all widgets with one context."""
    deadline: float | None = fl_ctx.get_prop(_DEADLINE)
    if deadline is None:
        deadline = time.monotonic() + JOIN_SECONDS
        fl_ctx.set_prop(_DEADLINE, deadline, private=True, sticky=False)
    return deadline


def _log_directory() -> str | None:
    """Where this process logs to: the directory of the first handler that writes to a file."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            return os.path.dirname(handler.baseFilename)
    return None
