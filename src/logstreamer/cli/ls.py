"""`logstreamer ls`."""

from __future__ import annotations

import click

from logstreamer.cli.options import cafile_option, from_option, token_option


@click.command(
    epilog="""\b
Examples:
  logstreamer ls
  logstreamer ls 'site-*/job-42' -w --from "http://receiver:8080/?token=..."
"""
)
@click.argument("patterns", nargs=-1, metavar="[SITE[/JOB[/FILE]]|GLOB]...")
@click.option("-w", "--watch", is_flag=True, help="Stay, and show every change until Ctrl-C.")
@click.option("-o", "--output", type=click.Choice(["default", "wide", "json"]), default="default", show_default=True)
@from_option
@token_option
@cafile_option
def ls(patterns: tuple[str, ...], watch: bool, output: str, origin: str, token: str | None, cafile: str | None) -> None:
    """What each stream is doing now: waiting, live, quiet, behind, dead, finished, ...

    Ages are those of now. Without a receiver the directory is read, and unfinished streams are "unknown".
    """
    from logstreamer.cli.listing import Listing
    from logstreamer.cli.source import open_source

    Listing(patterns, output, lambda: open_source(origin, token, cafile)).run(watch=watch)
