"""`logstreamer flare`: setting up NVFlare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logstreamer.cli.options import LINES
from logstreamer.cli.output import say
from logstreamer.errors import ConfigError

if TYPE_CHECKING:
    from logstreamer.flare.resources_file import ResourcesFile


@click.group(
    epilog="""\b
Examples:
  logstreamer flare enable /opt/nvflare/site-1 --dry-run
  logstreamer flare enable /opt/nvflare/server --store /srv/logs
"""
)
def flare() -> None:
    """Live logs for NVFlare's jobs: set up its server and clients."""


@flare.command(
    epilog="""\b
Examples:
  logstreamer flare enable /opt/nvflare/site-1 --dry-run
  logstreamer flare enable /tmp/nvflare/poc/example_project/prod_00 --store /srv/logs
  logstreamer flare enable /tmp/nvflare/simulation/hello --simulator
"""
)
@click.argument("workspace", type=click.Path(file_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--undo", is_flag=True, help="Put back what was there before; not over edits that came later.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=LINES,
    default=("log.txt", "error_log.txt"),
    metavar="NAME",
    help="A log file that each job of a client streams; may be repeated. [default: log.txt, error_log.txt]",
)
@click.option(
    "--simulator", is_flag=True, help="WORKSPACE is a simulator's: only add our classes to its class_allow_list."
)
@click.option("--store", type=click.Path(file_okay=False), help="Let the server keep the logs there, for ls and logs.")
def enable(
    workspace: str, dry_run: bool, undo: bool, files: tuple[str, ...], simulator: bool, store: str | None
) -> int:
    """Give every job of a site a live log: edit local/resources.json of an NVFlare server or client.

    WORKSPACE is one startup kit, or a directory of several. The edit is atomic, shown as a diff, and undone by --undo;
    nothing that a site forbids is switched on. Restart the server and the clients afterwards.
    """
    from logstreamer.flare import enable as enabling

    kits = [enabling.simulator_kit(workspace)] if simulator else enabling.find_kits(workspace)
    if store and not any(kit.kind == "server" for kit in kits):
        raise ConfigError(f"--store is where a server keeps the logs, and {workspace} holds none")
    for kit in kits:
        if undo:
            _undo(kit.path.name, kit.file, dry_run=dry_run)
            continue
        made = enabling.plan(kit, files=files, store=store)
        for note in made.notes:
            say(f"{kit.path.name}: {note}")
        difference = made.diff()
        if not difference:
            say(f"{kit.path.name}: nothing to change")
            continue
        click.echo(difference, nl=False)
        if not dry_run:
            kit.file.write(made.after)
    if dry_run:
        say("nothing was changed (--dry-run)")
    return 0


def _undo(name: str, file: ResourcesFile, *, dry_run: bool) -> None:
    difference = file.back_diff()
    if difference is None:
        say(f"{name}: nothing to undo")
        return
    click.echo(difference, nl=False)
    file.check_back()
    if not dry_run:
        file.put_back()
        say(f"{name}: as it was before")
