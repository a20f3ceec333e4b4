"""Options that several commands share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

TOKEN_VARIABLE = "LOGSTREAMER_TOKEN"


class Lines(click.types.StringParamType):
    """A text that may hold spaces: where an environment variable brings several, each has a line."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """Its lines; empty ones say nothing."""
        return [line for line in rv.split("\n") if line]


LINES = Lines()

from_option = click.option(
    "--from",
    "origin",
    envvar="LOGSTREAMER_FROM",
    default="./logs",
    show_default=True,
    metavar="URL|DIR",
    help="A receiver, or the directory it stores in: one that runs there is asked. [env: LOGSTREAMER_FROM]",
)

token_option = click.option(
    "--token",
    envvar=TOKEN_VARIABLE,
    metavar="TOKEN",
    help=f"What the receiver asks for, where the URL does not bring it. Better set as {TOKEN_VARIABLE}.",
)

cafile_option = click.option(
    "--cafile",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificates (PEM) to trust instead of the system's, for https.",
)


def _set_up_logging(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(count, 2)]
    logging.basicConfig(
        stream=sys.stderr, level=level, format="logstreamer: %(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )


verbose_option = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    is_eager=True,
    callback=_set_up_logging,
    help="Say more on stderr; -vv even more.",
)


def address(text: str) -> tuple[str, int]:
    """HOST:PORT taken apart; HOST may be an IPv6 address in brackets.

    Raises:
        click.BadParameter: it is no such thing.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)


def _complete_streams(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[Any]:
    """Names of streams for a shell's completion; none where they cannot be told at once."""
    from logstreamer.cli.completion import stream_names

    names = stream_names(ctx.params.get("origin"), ctx.params.get("token"), ctx.params.get("cafile"))
    return [name for name in names if name.startswith(begun)]


def _check_patterns(ctx: click.Context, parameter: click.Parameter, patterns: tuple[str, ...]) -> tuple[str, ...]:
    if "" in patterns:  # a variable of the shell that is not set, and not the wish for all streams
        raise click.BadParameter("an empty name; without a name it is all streams")
    return patterns


streams_argument = click.argument(
    "patterns",
    nargs=-1,
    metavar="[SITE[/JOB[/FILE]]|GLOB]...",
    callback=_check_patterns,
    shell_complete=_complete_streams,
)

stream_argument = click.argument("path", metavar="SITE/JOB/FILE", shell_complete=_complete_streams)

color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: on a terminal, unless NO_COLOR is set.",
)
