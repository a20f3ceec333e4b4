"""`logstreamer demo`."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  logstreamer demo
  logstreamer demo --keep /tmp/demo && logstreamer logs --from /tmp/demo/copies
"""
)
@click.option(
    "--keep", metavar="DIR", type=click.Path(file_okay=False), help="Work in DIR, new or empty, and leave it there."
)
def demo(keep: str | None) -> int:
    """A receiver and three small real training jobs, each a process of its own, with a sender beside each.

    One job rotates its log, one is killed together with its sender (SIGKILL) and turns dead; its sender comes back and
    continues where it stopped. It takes about half a minute and ends by comparing every copy with what the jobs wrote:
    exit code 0 only when all are exact. Nothing outside a temporary directory is touched.
    """
    from logstreamer.cli.demonstration import Demonstration

    return Demonstration.run_in(keep)
