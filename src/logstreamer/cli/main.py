"""The group of commands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from logstreamer.cli.exit_codes import BROKEN_PIPE, ERROR, INTERRUPT, OK, USAGE
from logstreamer.cli.output import say
from logstreamer.errors import ConfigError, LogStreamerError

COMMANDS = {
    "demo": "A receiver and three small training jobs; one is killed, one rotates its log.",
    "serve": "Receive streams and keep byte-exact copies of them.",
    "send": "Follow files, globs, directories or a command, and send them.",
    "ls": "What each stream is doing now.",
    "logs": "Print streams, and follow them.",
    "get": "Fetch a byte-exact copy of one stream.",
    "alerts": "Try the rules and webhooks of `serve --alerts`.",
    "verify": "Check stored bytes against their digests, and list gaps.",
    "flare": "Live logs for NVFlare's jobs: set up its server and clients.",
}

OVERVIEW = """Live log streaming for jobs that run at sites you do not control.

\b
  logstreamer serve                                   at the receiver: prints a URL
  logstreamer send train.log --to URL --site site-1   at the site
  logstreamer logs -f                                 where the receiver runs: watch

The copies lie at DEST/SITE/JOB/FILE. Every flag can be set by an environment variable: the one of `send --to` is
LOGSTREAMER_SEND_TO. LOGSTREAMER_TOKEN is the token for all commands, LOGSTREAMER_FROM where ls, logs, get and
verify look.

Exit codes: 0 ok, 1 error, 2 wrong usage, 3 a source failed, 4 a source is dead, 124 timeout, 130 interrupted.
"""


class ReaderLeft(Exception):
    """Nobody reads our standard output any more, as behind `| head`."""


class Interrupted(Exception):
    """Ctrl-C, for a command that has nothing to clean up."""


class Commands(click.Group):
    """Imports a command when it is asked for, so that `--help` and short commands are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the overview."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported now."""
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"logstreamer.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click would make an error of a reader that left, and a blank line of Ctrl-C."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError as error:
            raise ReaderLeft from error
        except KeyboardInterrupt as error:
            raise Interrupted from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    help=OVERVIEW,
    context_settings={
        "auto_envvar_prefix": "LOGSTREAMER",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
)
@click.version_option(package_name="logstreamer", message="%(prog)s %(version)s")
def group() -> None:
    """See `OVERVIEW`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run *arguments* (those of the process by default) and exit."""
    _take_closed_ones()
    code = run(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C while we leave must not change how we leave
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    sys.exit(code)


def _take_closed_ones() -> None:
    """Behind `>&-` or `2>&-` Python has None there, and the next file that is opened would be standard output."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends


def _let_go(stream: TextIO) -> None:
    """Python flushes *stream* once more at exit, and a terminal that is gone would change the exit code to 120."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _one_line(text: str) -> str:
    first, *rest = (line.strip() for line in text.rstrip().removesuffix(".").splitlines())
    return " ".join([first, *rest])


def run(arguments: Sequence[str] | None = None) -> int:
    """Run *arguments* and return the exit code; every expected failure is one line on stderr."""
    try:
        code: object = group.main(arguments, prog_name="logstreamer", standalone_mode=False)
        return code if isinstance(code, int) else OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        help_at = f"; see `{context.command_path} --help`" if context is not None else ""
        say(f"error: {_one_line(error.format_message())}{help_at}")
        return error.exit_code
    except ConfigError as error:
        say(f"error: {error}")
        return USAGE
    except (BrokenPipeError, ReaderLeft):
        # Python flushes stdout once more at exit; that must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (LogStreamerError, OSError) as error:
        say(f"error: {error}")
        return ERROR
    except (Interrupted, click.Abort, KeyboardInterrupt):
        return INTERRUPT
