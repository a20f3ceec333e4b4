"""`logstreamer logs`."""

from __future__ import annotations

import click

from logstreamer.cli.options import cafile_option, from_option, token_option


def _lines(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A number of lines; -1 for all of them."""
    if text is None or text == "all":
        return None if text is None else -1
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number of lines nor 'all'")
    return int(text)


@click.command(
    epilog="""\b
Examples:
  logstreamer logs -f 'site-*/job-42'
  logstreamer logs site-1/default/train.log -o raw --from "http://receiver:8080/?token=..." > train.log
"""
)
@click.argument("patterns", nargs=-1, metavar="[SITE[/JOB[/FILE]]|GLOB]...")
@click.option("-f", "--follow", is_flag=True, help="Stay, and print what comes.")
@click.option("-n", "--tail", callback=_lines, metavar="N|all", help="Last lines of each stream: 10 with -f, else all.")
@click.option(
    "-o", "--output", type=click.Choice(["default", "raw"]), default="default", show_default=True,
    help="raw: the bytes as they are, to a terminal too.",
)  # fmt: skip
@click.option(
    "--prefix", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="The stream's name before each line; auto: where there is more than one.",
)  # fmt: skip
@from_option
@token_option
@cafile_option
def logs(
    patterns: tuple[str, ...],
    follow: bool,
    tail: int | None,
    output: str,
    prefix: str,
    origin: str,
    token: str | None,
    cafile: str | None,
) -> int:
    """Print streams; -f follows them, through reconnects and restarts, each byte once.

    Bytes of logs go to standard output, and what happens to streams (dead, back, a gap) to standard error. One stream
    with -o raw is byte-exact. On a terminal control sequences are shown, not obeyed, and of a line that was rewritten
    with carriage returns (a progress bar) only the last state; -o raw gives everything. With -f and the full names of
    streams it ends when they do.
    """
    from logstreamer.cli.printer import Printer
    from logstreamer.cli.source import open_source
    from logstreamer.cli.tailing import Tailing

    if prefix == "always" and output == "raw":
        raise click.UsageError("--prefix always does not go with -o raw, which adds nothing")
    if tail is None:
        tail = 10 if follow else -1
    printer = Printer(raw=output == "raw", prefix=prefix)
    return Tailing(patterns, tail, printer, lambda: open_source(origin, token, cafile)).run(follow=follow)
