"""`logstreamer verify`."""

from __future__ import annotations

import click

from logstreamer.cli.options import cafile_option, from_option, token_option


@click.command(
    epilog="""\b
Examples:
  logstreamer verify /srv/logs
  logstreamer verify 'site-1/*' --from "http://receiver:8080/?token=..."
"""
)
@click.argument("what", nargs=-1, metavar="[DIR|STREAM]...")
@from_option
@token_option
@cafile_option
def verify(what: tuple[str, ...], origin: str, token: str | None, cafile: str | None) -> int:
    """Read stored bytes again and compare them with the digests taken when they arrived; list gaps.

    A gap is what was lost at its site before it could be read: it is no damage. Exit code 1 when a copy is damaged.
    """
    from logstreamer.cli.verifying import Verifying

    return Verifying(what, origin, token, cafile).run()
