"""`logstreamer alerts`."""

from __future__ import annotations

import click

from logstreamer.cli.options import LINES


@click.group(
    epilog="""\b
Examples:
  logstreamer alerts test alerts.toml
  logstreamer alerts test alerts.toml --webhook ops --dry-run
"""
)
def alerts() -> None:
    """Try the rules and webhooks of `serve --alerts FILE`.

    A webhook is told once of each event: a stream is dead, silent, finished, failed, has a gap, or has a line that
    matches a pattern. docs/alerts.md has a complete file.
    """


@alerts.command(
    epilog="""\b
Examples:
  logstreamer alerts test alerts.toml
  logstreamer alerts test ntfy+https://ntfy.sh/our-topic
"""
)
@click.argument("source", metavar="FILE|URL", envvar="LOGSTREAMER_SERVE_ALERTS")
@click.option("--webhook", "chosen", multiple=True, type=LINES, metavar="NAME", help="Only this one; may be repeated.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
def test(source: str, chosen: tuple[str, ...], dry_run: bool) -> int:
    """Check FILE, and send every webhook in it one message; or test what `serve --on-dead URL` would use.

    Prints how each webhook answered; the exit code is 1 if one did not take the message.
    """
    from logstreamer.cli.alerting import try_all

    return try_all(source, chosen, dry_run=dry_run)
