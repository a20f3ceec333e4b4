"""`logstreamer ls`."""

from __future__ import annotations

import click

from logstreamer.cli.options import cafile_option, color_option, from_option, streams_argument, token_option


@click.command(
    epilog="""\b
Examples:
  logstreamer ls -w
  logstreamer ls 'site-*/job-42' -o json | jq -r 'select(.state == "dead") | .path'
"""
)
@streams_argument
@click.option("-w", "--watch", is_flag=True, help="Stay: on a terminal in place, elsewhere a line for each new state.")
@click.option("-o", "--output", type=click.Choice(["default", "wide", "json"]), default="default", show_default=True)
@color_option
@click.option("--timeout", metavar="TIME", help="End -w with exit code 124 after this time: 30s, 5m, 2h.")
@from_option
@token_option
@cafile_option
def ls(
    patterns: tuple[str, ...],
    watch: bool,
    output: str,
    color: str,
    timeout: str | None,
    origin: str,
    token: str | None,
    cafile: str | None,
) -> int:
    """What each stream is doing now: waiting, live, quiet, behind, dead, stopped, finished, ...

    Ages are those of now. Without a receiver the directory is read, and unfinished streams are "unknown". On a terminal
    -w shows the table in place, with rates of the last seconds: q ends it, j, k and space scroll.
    """
    import sys

    from logstreamer.cli.deadline import TimedOut
    from logstreamer.cli.exit_codes import OK, TIMEOUT
    from logstreamer.cli.listing import Listing
    from logstreamer.cli.moments import parse_duration
    from logstreamer.cli.source import open_source
    from logstreamer.cli.watching import Watching

    seconds = None if timeout is None else parse_duration(timeout)
    try:
        if watch and output != "json" and sys.stdout.isatty():
            Watching(patterns, output, lambda: open_source(origin, token, cafile), color=color).run(seconds)
        else:
            listing = Listing(patterns, output, lambda: open_source(origin, token, cafile), color=color)
            listing.run(watch=watch, timeout=seconds)
    except TimedOut:
        return TIMEOUT
    return OK
