"""`logstreamer logs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from logstreamer.cli.options import (
    LINES,
    Function,
    cafile_option,
    color_option,
    from_option,
    streams_argument,
    token_option,
)

MOST_AROUND = 10_000


def _lines(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A number of lines; -1 for all of them."""
    if text is None or text == "all":
        return None if text is None else -1
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number of lines nor 'all'")
    return int(text)


def _around(letter: str, name: str, words: str) -> Callable[[Function], Function]:
    number = click.IntRange(0, MOST_AROUND)
    return click.option(f"-{letter}", f"--{name}", type=number, metavar="N", help=f"Lines {words} each that matches.")


@click.command(
    epilog="""\b
Examples:
  logstreamer logs -f 'site-*/job-42' -l warn --since 1h
  logstreamer logs site-1/job-42/train.log -i 'loss=(nan|inf)' -C 3 --from "http://receiver:8080/?token=..."
"""
)
@streams_argument
@click.option("-f", "--follow", is_flag=True, help="Stay, and print what comes.")
@click.option("-n", "--tail", callback=_lines, metavar="N|all", help="Last lines of each stream: 10 with -f, else all.")
@click.option("--since", metavar="TIME", help="Lines of this time or later: 5m (ago), 2h, 2026-01-31T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Lines of this time or earlier.")
@click.option("-t", "--timestamps", is_flag=True, help="Before each line its own time, or when it arrived.")
@click.option(
    "--tz", default="local", show_default=True, metavar="ZONE", help="Of -t, --since, --until: local, UTC, Area/City."
)
@click.option(
    "-i",
    "--include",
    multiple=True,
    type=LINES,
    metavar="RE",
    help="Only lines in which this is found; may be repeated.",
)
@click.option("-e", "--exclude", multiple=True, type=LINES, metavar="RE", help="Not those in which this is found.")
@click.option("-H", "--highlight", multiple=True, type=LINES, metavar="RE", help="Make this stand out on a terminal.")
@_around("A", "after", "after")
@_around("B", "before", "before")
@_around("C", "context", "around")
@click.option(
    "-l", "--level", type=click.Choice(["trace", "debug", "info", "warn", "error", "fatal"]),
    help="This level and worse, with the tracebacks below them. A line that shows no level counts as info.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(["default", "raw", "json"]), default="default", show_default=True,
    help="raw: the bytes as they are, to a terminal too. json: one object a line.",
)  # fmt: skip
@click.option(
    "--prefix", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="The stream's name before each line; auto: where there is more than one.",
)  # fmt: skip
@color_option
@click.option(
    "--order", type=click.Choice(["time", "arrival"]), default="time", show_default=True,
    help="How the lines of several streams are merged.",
)  # fmt: skip
@click.option(
    "--delay", default="2s", show_default=True, metavar="TIME",
    help="With -f and --order time: how long a line waits at most for earlier ones; those that come later are marked.",
)  # fmt: skip
@click.option(
    "--wait", is_flag=True, help="Wait for a stream that matches, and for a receiver that does not answer yet."
)
@click.option("--exit-status", is_flag=True, help="End when every stream has ended; exit code 3 if one failed.")
@click.option("--fail-on-dead", is_flag=True, help="End with exit code 4 when a stream is dead.")
@click.option("--timeout", metavar="TIME", help="End with exit code 124 after this time: 30s, 5m, 2h.")
@from_option
@token_option
@cafile_option
def logs(origin: str, token: str | None, cafile: str | None, **flags: Any) -> int:
    """Print streams; -f follows them, through reconnects and restarts, each byte once.

    Bytes of logs go to standard output, and what happens to streams (dead, back, a gap) to standard error, as objects
    with -o json. One stream with -o raw is byte-exact. On a terminal control sequences are shown, not obeyed, except
    for colours, and of a line that was rewritten with carriage returns (a progress bar) only the last state; -o raw
    gives everything. Patterns have RE2's syntax. Times in a stream are taken to grow. With -f and the full names of
    streams it ends when they do.

    Exit codes: 0 ok; 1 an error; 2 wrong usage; 3 --exit-status, a stream failed; 4 --fail-on-dead; 124 --timeout;
    130 Ctrl-C; 141 the reader of the pipe left.
    """
    from logstreamer.cli.request import request
    from logstreamer.cli.source import open_source
    from logstreamer.cli.tailing import Tailing

    task, printer = request(**flags)
    return Tailing(task, printer, lambda: open_source(origin, token, cafile)).run()
