"""Command: `send -- COMMAND`: a program whose output goes to a file that is followed, and to the terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence

from logstreamer.cli.messages import FEW
from logstreamer.cli.output import say
from logstreamer.cli.signals import Stop
from logstreamer.cli.writers import writers_of
from logstreamer.errors import LogStreamerError

ECHO_SECONDS = 0.03
_BLOCK = 1 << 20


class CannotRun(LogStreamerError):
    """The command could not be started.

    Attributes:
        exit_code: as of a shell: 127 for a missing program, 126 for one that may not be run.
    """

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Command:
    """A running program. Standard output and standard error are one file, in the order they were written.

    A file and not a pipe: a sender that is killed or slow neither stops nor slows the command. Programs keep some KiB
    back where they do not write to a terminal; Python's are told not to, unless the user has said otherwise.

    Args:
        stop: is nudged when the program has ended.

    Raises:
        CannotRun: it could not be started.
    """

    def __init__(self, argv: Sequence[str], stop: Stop) -> None:
        self._stop = stop
        self._directory = tempfile.mkdtemp(prefix="logstreamer-")
        self.path = os.path.join(self._directory, "output.log")
        output = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                argv, stdout=output, stderr=subprocess.STDOUT, env={"PYTHONUNBUFFERED": "1", **os.environ}
            )
        except OSError as error:
            shutil.rmtree(self._directory, ignore_errors=True)
            missing = isinstance(error, FileNotFoundError)
            raise CannotRun(f"cannot run {argv[0]}: {error.strerror}", 127 if missing else 126) from error
        finally:
            os.close(output)
        self._forwarded: signal.Signals | None = None
        self._ended = threading.Event()
        self._echo = threading.Thread(target=self._show, name="logstreamer-echo", daemon=True)
        self._echo.start()
        threading.Thread(target=self._wait, name="logstreamer-command", daemon=True).start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    @property
    def exit_code(self) -> int:
        """Its own, or 128 + the signal that ended it."""
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def verdict(self) -> str:
        """How it has failed, for a person; "": it has not, or goes on."""
        return f"exit code {self.exit_code}" if self.is_over and self.exit_code else ""

    def stop(self) -> None:
        """Pass our signal on, once; the command decides when it ends."""
        number = self._stop.signal
        if number in (None, self._forwarded):
            return
        self._forwarded = number
        # Ctrl-C reaches everybody at the terminal: a second SIGINT would cut the command's own cleaning up short.
        if number is not signal.SIGINT or not sys.stdin.isatty():
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once; what it printed is kept, as nobody knows how much of it arrived."""
        self._process.kill()
        say(f"the output is kept in {self.path}")

    def close(self, stored: int | None) -> None:
        """Show the rest; the output's file goes away, or its place is said where it holds what was not sent.

        Args:
            stored: bytes of it that are durable at the receiver; None: not all that should be.
        """
        self._echo.join()
        try:
            writers = writers_of(self.path)  # before its size: without writers the size is the last one
            size = os.stat(self.path).st_size
        except OSError:  # the command has removed it
            return
        if writers:
            names = ", ".join(str(writer) for writer in writers[:FEW]) + (", ..." if len(writers) > FEW else "")
            say(f"the command has ended, but others still print ({names}): not sent any more, kept in {self.path}")
        elif stored is None:
            say(f"the output is kept in {self.path}")
        elif size > stored:
            say(f"what was printed after the command had ended was not sent: the output is kept in {self.path}")
        else:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _wait(self) -> None:
        self._process.wait()
        self._ended.set()
        self._stop.nudge()

    def _show(self) -> None:
        # Written past Python's buffer: what a reader that left, or a closed terminal, did not take is not tried again.
        with open(self.path, "rb", buffering=0) as output, contextlib.suppress(OSError, ValueError):
            while True:
                ended = self._ended.wait(ECHO_SECONDS)
                while block := output.read(_BLOCK):
                    _write_all(sys.stdout.fileno(), block)
                if ended:
                    return


def _write_all(descriptor: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
