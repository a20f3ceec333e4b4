"""The command line: one file for each command, and the composition root of the programs."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from logstreamer.cli.main import main as run

    run()
