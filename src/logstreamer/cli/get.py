"""`logstreamer get`."""

from __future__ import annotations

import click

from logstreamer.cli.options import cafile_option, from_option, stream_argument, token_option


@click.command(
    epilog="""\b
Examples:
  logstreamer get site-1/default/train.log
  logstreamer get site-1/job-42/train.log -o /tmp/train.log --from "http://receiver:8080/?token=..."
"""
)
@stream_argument
@click.option("-o", "--output", metavar="PATH", help="Where to; the file's own name by default, - for standard output.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@from_option
@token_option
@cafile_option
def get(path: str, output: str | None, force: bool, origin: str, token: str | None, cafile: str | None) -> int:
    """Fetch a byte-exact copy of one stream, as far as it is stored now.

    The file appears when it is whole; what an interrupted run has fetched is kept beside it and continued, and so is
    one whose receiver is away for a while. The digest of a finished stream is checked. A file that is there is not
    replaced without --force. Bytes, rate and time left are shown on a terminal, and said now and then elsewhere.
    """
    from logstreamer.cli.fetching import Fetching
    from logstreamer.cli.source import open_source

    with open_source(origin, token, cafile) as source:
        return Fetching(source, path).run(output, replace=force)
