"""What the flags of `logs` mean together."""

from __future__ import annotations

import sys
import time
from datetime import tzinfo
from typing import Any

import click

from logstreamer.cli import colours
from logstreamer.cli.choice import Choice
from logstreamer.cli.cursor import Wanted
from logstreamer.cli.look import Look
from logstreamer.cli.moments import parse_duration, parse_moment, parse_zone
from logstreamer.cli.output import VOICE
from logstreamer.cli.patterns import Patterns
from logstreamer.cli.printer import Printer
from logstreamer.cli.tailing import Task


def request(**flags: Any) -> tuple[Task, Printer]:
    """The task, and who prints.

    Raises:
        ConfigError, click.UsageError: flags that mean nothing, or nothing together.
    """
    output, prefix = flags["output"], flags["prefix"]
    if prefix == "always" and output == "raw":
        raise click.UsageError("--prefix always does not go with -o raw, which adds nothing")
    if flags["timestamps"] and output == "raw":
        raise click.UsageError("-t does not go with -o raw, which adds nothing")
    zone = parse_zone(flags["tz"])
    choice = _choice(flags, zone)
    look = _look(flags, zone, choice)
    VOICE.objects = output == "json"
    printer = Printer(
        look,
        prefix=prefix,
        separate=bool(choice.picks and (choice.before or choice.after)),
        colour_notices=colours.wanted(flags["color"], sys.stderr),
    )
    timed = flags["timestamps"] or choice.since is not None or choice.until is not None or choice.level is not None
    as_stored = output == "raw" or (output == "default" and not look.terminal)
    plain = as_stored and choice.is_everything and not timed
    needed = timed or look.colour or output == "json"
    follow, lines = flags["follow"], flags["tail"]
    if lines is None:
        lines = 10 if follow and choice.since is None else -1
    task = Task(
        flags["patterns"],
        lines=lines,
        follow=follow,
        wanted=Wanted(
            choice,
            annotate=needed or flags["order"] == "time",
            overwriting=look.terminal and output == "default",
        ),
        plain=plain,
        annotate=needed,
        ordered=flags["order"] == "time",
        delay=parse_duration(flags["delay"]),
        wait=flags["wait"],
        exit_status=flags["exit_status"],
        fail_on_dead=flags["fail_on_dead"],
        timeout=None if flags["timeout"] is None else parse_duration(flags["timeout"]),
    )
    return task, printer


def _choice(flags: dict[str, Any], zone: tzinfo | None) -> Choice:
    now, around = time.time(), flags["context"] or 0
    since = None if flags["since"] is None else parse_moment(flags["since"], zone, now)
    until = None if flags["until"] is None else parse_moment(flags["until"], zone, now)
    return Choice(
        Patterns(flags["include"]),
        Patterns(flags["exclude"]),
        flags["level"],
        since,
        until,
        before=around if flags["before"] is None else flags["before"],
        after=around if flags["after"] is None else flags["after"],
    )


def _look(flags: dict[str, Any], zone: tzinfo | None, choice: Choice) -> Look:
    colour = flags["output"] == "default" and colours.wanted(flags["color"], sys.stdout)
    terminal = flags["output"] == "default" and (sys.stdout.isatty() or flags["color"] == "always")
    highlights = (Patterns(flags["highlight"]), choice.include)
    return Look(
        flags["output"],
        terminal=terminal,
        colour=colour,
        timestamps=flags["timestamps"],
        zone=zone,
        highlights=tuple(patterns for patterns in highlights if patterns),
    )
