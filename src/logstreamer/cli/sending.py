"""The sender as a program: plan, discovery and engine put together."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from logstreamer.cli.command import CannotRun, Command
from logstreamer.cli.delays import Delays
from logstreamer.cli.discovery import Discovery, Found
from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.cli.limits import raise_descriptor_limit
from logstreamer.cli.messages import failure_lines, remark_lines, unread_lines
from logstreamer.cli.outbound import RECEIVER, Outbound, Result, size_of
from logstreamer.cli.output import count_text, say
from logstreamer.cli.plan import make_plan
from logstreamer.cli.progress import Progress
from logstreamer.cli.signals import Stop
from logstreamer.engines.websocket import WebSocketEngine
from logstreamer.errors import ConfigError, NameRefused
from logstreamer.store.layout import Place

LOOK_SECONDS = 1.0
"""How often a directory or glob is looked at for new files; less often where one look takes long."""

TURN_SECONDS = 0.5

STEADY_SECONDS = 0.4
"""How long the connection has to be as it is before it is talked about."""

OUTPUT_NAME = "output.log"


@dataclass(frozen=True, slots=True)
class Sending:
    """One `send`, as asked for on the command line."""

    sources: Sequence[str]
    url: str
    site: str | None
    job: str
    token: str | None
    cafile: str | None
    snapshot: bool
    keep_open: bool
    command: list[str] | None

    def run(self) -> int:
        """Send until all is sent or a signal comes; return the exit code.

        Raises:
            ConfigError: an argument that cannot work, found before anything is sent.
        """
        raise_descriptor_limit()
        site = self.site or socket.gethostname()
        _check_names(site, self.job)
        if self.command and OUTPUT_NAME in {os.path.basename(source) for source in self.sources}:
            raise ConfigError(f"{OUTPUT_NAME} is what the command's output is called; send that file by itself")
        discovery = Discovery(make_plan(self.sources), snapshot=self.snapshot)
        with Stop() as stop, ExitStack() as ends:
            engine = self._connect(site)
            ends.callback(engine.shutdown_streamer)
            outbound = Outbound(engine, self.job, stop, snapshot=self.snapshot, keep_open=self.keep_open)
            command = None
            if self.command:
                try:
                    command = Command(self.command, stop)
                except CannotRun as error:
                    say(f"error: {error}")
                    return error.exit_code
                stop.at_once = command.kill
                outbound.add_output(Found(command.path, OUTPUT_NAME), command.verdict)
            return Turns(discovery, outbound, stop, command, snapshot=self.snapshot).run()

    def _connect(self, site: str) -> WebSocketEngine:
        try:
            return WebSocketEngine.connect(site, {RECEIVER: self.url}, token=self.token, cafile=self.cafile)
        except ConfigError as error:
            if str(error).startswith("no token"):
                raise ConfigError("no token: give the URL as `serve` prints it, or set LOGSTREAMER_TOKEN") from error
            raise


def _check_names(site: str, job: str) -> None:
    try:
        Place.of(site, job, "file")
    except NameRefused as error:
        raise ConfigError(f"--site and --job become directories: {error}") from error


class Turns:
    """The main thread's loop: look for files, collect results, tell a person."""

    def __init__(
        self, discovery: Discovery, outbound: Outbound, stop: Stop, command: Command | None, *, snapshot: bool
    ) -> None:
        self._discovery = discovery
        self._outbound = outbound
        self._stop = stop
        self._command = command
        self._snapshot = snapshot
        self._progress = Progress(snapshot=snapshot)
        self._failed: set[str] = set()
        self._sent = 0
        self._gaps, self._lost = 0, 0
        self._output_stored = 0
        self._look_at = 0.0
        self._refusals: set[str] = set()
        self._seen = ("", 0.0)
        self._told = ""
        self._delays = Delays(STEADY_SECONDS)
        self._draining = False
        self._incomplete = False

    def run(self) -> int:
        """Until nothing is left to do; the exit code."""
        self._look()
        if self._outbound.under_way == 0 and not self._failed:
            self._progress.say("error: no file is there" if self._snapshot else "no file is there yet, waiting for one")
            self._incomplete = self._snapshot
        while not self._is_over():
            self._stop.wait(TURN_SECONDS)
            self._collect()
            if self._stop.is_set() and not self._draining:
                self._drain()
            elif not self._stop.is_set() and time.monotonic() >= self._look_at:
                self._look()
            if not self._is_over():
                self._tell()
        self._collect()
        return self._end()

    def _is_over(self) -> bool:
        if self._outbound.under_way > 0 or (self._command is not None and not self._command.is_over):
            return False
        waits = self._discovery.is_open or self._discovery.awaits_permission
        return self._draining or self._snapshot or not waits or self._refused()

    def _refused(self) -> bool:
        """Whether the receiver never let us in: waiting for more files is no use."""
        return bool(self._failed) and self._sent == 0 and bool(self._outbound.trouble())

    def _look(self) -> None:
        began = time.monotonic()
        found = self._discovery.look()
        for line in remark_lines(self._discovery.remarks, snapshot=self._snapshot):
            self._progress.say(line)
        self._failed |= {path for path, _ in self._discovery.remarks.unreadable}
        if self._snapshot:
            self._failed |= set(self._discovery.remarks.missing)
        self._failed -= {item.path for item in found}
        self._note_results(self._outbound.add(found))
        self._progress.found(len(found), sum(size_of(item.path) for item in found) if self._snapshot else 0)
        now = time.monotonic()
        wait = max(LOOK_SECONDS, 20 * (now - began))
        self._look_at = now + wait if self._discovery.is_waiting and not self._snapshot else float("inf")

    def _collect(self) -> None:
        self._note_results(self._outbound.collect())
        if self._command is not None and self._command.is_over and not self._stop.is_set():
            self._stop.set()

    def _note_results(self, results: list[Result]) -> None:
        trouble = self._outbound.trouble()
        for line in failure_lines([result for result in results if result.reason not in self._refusals], trouble):
            self._progress.say(line)
        self._refusals |= {result.reason for result in results if result.reason and result.reason == trouble}
        self._failed |= {result.path for result in results if result.reason}
        self._sent += sum(1 for result in results if not result.reason)
        self._gaps += sum(result.gaps for result in results)
        self._lost += sum(result.lost for result in results)
        if self._command is not None:
            self._output_stored += sum(result.acked for result in results if result.path == self._command.path)

    def _drain(self) -> None:
        if self._command is not None and not self._command.is_over:
            self._command.stop()
            return
        if not self._snapshot:
            self._look()  # what came since the last look is there as well
            for line in unread_lines(self._discovery.unread):
                self._progress.say(line)
        self._draining = True
        never = self._outbound.drain()
        if never:
            self._incomplete = True
            self._progress.say(f"stopped: {count_text(len(never), 'file')} not sent")
        elif self._stop.signal is not None and self._outbound.under_way:
            self._progress.say("sending what is left; a second signal ends at once")

    def _tell(self) -> None:
        trouble, now = self._outbound.trouble(), time.monotonic()
        if trouble != self._seen[0]:
            self._seen = (trouble, now)
        # A refusal comes with its results a moment later, and a blip is no news.
        if trouble != self._told and trouble not in self._refusals and now - self._seen[1] >= STEADY_SECONDS:
            self._told = trouble
            self._progress.say(f"{trouble}; trying again" if trouble else "connected")
        for line in self._delays.news(self._outbound.delays(), now):
            self._progress.say(line)
        if self._progress.is_due():
            self._progress.show(self._outbound.amount())

    def _end(self) -> int:
        self._progress.end(self._outbound.amount(), self._sent, self._gaps, self._lost)
        failed = bool(self._failed) or self._incomplete
        if self._command is not None:
            self._command.close(None if failed else self._output_stored)
            return self._command.exit_code or (ERROR if failed else OK)
        return ERROR if failed else OK
