"""Demonstration: what `logstreamer demo` does, step by step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from logstreamer.cli.demo_check import differences, original
from logstreamer.cli.demo_screen import Screen
from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.cli.source import Source, open_source
from logstreamer.errors import ConfigError, LogStreamerError
from logstreamer.server.status import StreamStatus

JOB_SECONDS = 14.0
PLAIN_SECONDS = 5.0
IDLE_TIMEOUT = 3
PATIENCE = 30.0
TURN_SECONDS = 0.5

JOBS = {"hospital-a": 10_000_000, "hospital-b": 40_000, "hospital-c": 10_000_000}
"""Each site, and how large its log grows before it is rotated."""

ROTATES, DIES = "hospital-b", "hospital-c"
NAME = "train.log"


class DemoFailed(LogStreamerError):
    """Something did not happen that should have."""


class Demonstration:
    """A receiver, three jobs and three senders below *directory*."""

    def __init__(self, directory: str, ends: ExitStack) -> None:
        self._directory = directory
        self._ends = ends
        self._copies = os.path.join(directory, "copies")
        self._said = os.path.join(directory, "messages.txt")
        self._url = ""
        self._source: Source | None = None
        self._screen = Screen()

    @classmethod
    def run_in(cls, keep: str | None) -> int:
        """Run it in the directory *keep*, or in a temporary one; the exit code.

        Raises:
            ConfigError: *keep* is not empty.
            DemoFailed: something did not happen that should have.
        """
        with ExitStack() as ends:
            if keep is None:
                directory = ends.enter_context(tempfile.TemporaryDirectory(prefix="logstreamer-demo-"))
            else:
                os.makedirs(keep, exist_ok=True)
                if os.listdir(keep):
                    raise ConfigError(f"{keep} is not empty")
                directory = os.path.abspath(keep)
            return cls(directory, ends).run()

    def run(self) -> int:
        """All of it."""
        self._start_receiver()
        jobs = {site: self._start_job(site) for site in JOBS}
        senders = {site: self._start_sender(site) for site in JOBS}
        self._wait(lambda known: len(known) == len(JOBS), "three streams")
        self._screen.tell(f"three jobs train and log; {ROTATES} rotates its log every {JOBS[ROTATES] // 1000} kB")
        self._watch(PLAIN_SECONDS)

        self._screen.tell(f"kill -9: the job and the sender of {DIES}")
        jobs[DIES].kill()
        senders[DIES].kill()
        self._wait(lambda known: known[DIES].state == "dead", f"{DIES} dead")
        self._screen.tell(f"{DIES} is {known_text(self._statuses()[DIES])}; the others go on")
        self._watch(2.0)

        self._screen.tell(f"a sender starts again at {DIES}: it continues where the copy ends")
        senders[DIES] = self._start_sender(DIES, "--stop-at-eof")
        self._wait(lambda known: known[DIES].state == "finished", f"{DIES} finished")
        self._wait(lambda _: all(job.poll() is not None for job in jobs.values()), "the end of all jobs")
        self._screen.tell("the jobs are done: the senders are told to end (SIGTERM), and send what is left")
        for site, sender in senders.items():
            if site != DIES:  # it ends by itself, perhaps just now: a signal at that moment would look like a death
                sender.terminate()
        self._wait(lambda known: all(status.state == "finished" for status in known.values()), "all finished")
        if failed := [site for site, sender in senders.items() if sender.wait(PATIENCE) != 0]:
            raise DemoFailed(f"senders failed: {', '.join(failed)}; see {self._said}")
        return self._check()

    # -- processes

    def _start_receiver(self) -> None:
        argv = ["serve", "--listen", "127.0.0.1:0", "--dest", self._copies, "--idle-timeout", str(IDLE_TIMEOUT)]
        receiver = self._start([sys.executable, "-m", "logstreamer", *argv], stdout=subprocess.PIPE)
        assert receiver.stdout is not None
        self._ends.callback(receiver.stdout.close)
        line = receiver.stdout.readline().decode()
        if " at http" not in line:
            raise DemoFailed("the receiver did not start: " + self._last_message())
        self._url = line.rpartition(" at ")[2].strip()
        self._source = self._ends.enter_context(open_source(self._url))
        self._screen.tell(f"receiver ready at {self._url}")

    def _start_job(self, site: str) -> subprocess.Popen[bytes]:
        os.makedirs(os.path.join(self._directory, site))
        argv = [sys.executable, "-m", "logstreamer.cli.demo_job", self._log(site)]
        seed = str(list(JOBS).index(site) + 1)
        return self._start([*argv, "--seconds", str(JOB_SECONDS), "--seed", seed, "--max-bytes", str(JOBS[site])])

    def _start_sender(self, site: str, *options: str) -> subprocess.Popen[bytes]:
        argv = ["send", self._log(site), "--to", self._url, "--site", site, "--job", "demo", *options]
        return self._start([sys.executable, "-m", "logstreamer", *argv])

    def _start(self, argv: list[str], stdout: int | None = None) -> subprocess.Popen[bytes]:
        variables = {name: text for name, text in os.environ.items() if not name.startswith("LOGSTREAMER_")}
        with open(self._said, "ab") as said:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=said if stdout is None else stdout, stderr=said, env=variables
            )
        self._ends.callback(_end, process)
        return process

    def _log(self, site: str) -> str:
        return os.path.join(self._directory, site, NAME)

    # -- watching

    def _statuses(self) -> dict[str, StreamStatus]:
        assert self._source is not None
        return {status.site: status for status in self._source.streams()}

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._screen.show(list(self._statuses().values()))
            time.sleep(TURN_SECONDS)

    def _wait(self, happened: Callable[[dict[str, StreamStatus]], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            known = self._statuses()
            self._screen.show(list(known.values()))
            if happened(known):
                return
            if time.monotonic() > end:
                raise DemoFailed(f"waited {PATIENCE:.0f} s for {what}: {self._last_message()}")
            time.sleep(TURN_SECONDS)

    def _last_message(self) -> str:
        with suppress(OSError), open(self._said, encoding="utf-8", errors="replace") as said:
            lines = said.read().strip().splitlines()
            return lines[-1] if lines else "nobody said anything"
        return "nobody said anything"

    # -- the end

    def _check(self) -> int:
        self._screen.tell(f"logstreamer verify {self._copies}")
        done = subprocess.run([sys.executable, "-m", "logstreamer", "verify", self._copies], check=False)
        wrong = []
        for site in JOBS:
            copy = os.path.join(self._copies, site, "demo", NAME)
            files = original(self._log(site))
            wrong += differences(site, files, copy)
            self._screen.tell(f"{site}: the copy is compared with the {len(files)} file(s) that the job wrote")
        for line in wrong:
            self._screen.tell(f"WRONG: {line}")
        if done.returncode == 0 and not wrong:
            self._screen.tell("every copy is exact")
            return OK
        return ERROR


def known_text(status: StreamStatus) -> str:
    """A state with its detail, for a sentence."""
    return f"{status.state} ({status.state_detail})" if status.state_detail else status.state


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that may be over."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
