"""`logstreamer serve`."""

from __future__ import annotations

import math

import click

from logstreamer.cli.options import TOKEN_VARIABLE, address, verbose_option


@click.command(
    epilog="""\b
Examples:
  logstreamer serve
  LOGSTREAMER_TOKEN=... logstreamer serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --fsync
"""
)
@click.option("--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT", help="Port 0: any free.")
@click.option("--dest", default="./logs", show_default=True, metavar="DIR", help="Where the copies lie.")
@click.option(
    "--idle-timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Silence after which a sender counts as gone; it may come back. 0: never.",
)
@click.option("--fsync", is_flag=True, help="Acknowledge only what is on the disk: safe from loss of power too.")
@click.option(
    "--token",
    envvar=TOKEN_VARIABLE,
    metavar="TOKEN",
    help=f"What senders and viewers have to show; one is made without it. Better set as {TOKEN_VARIABLE}.",
)
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate (PEM): speak https.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its key (PEM).")
@click.option(
    "--alerts",
    "alerts_file",
    metavar="FILE",
    help="Rules (TOML): whom to tell of streams that die, fall silent, fail, ... See `logstreamer alerts`.",
)
@click.option(
    "--on-dead",
    metavar="URL",
    help="Webhook that is told when a stream is dead; slack+https://... and ntfy+https://... speak their language.",
)
@verbose_option
def serve(
    listen: str,
    dest: str,
    idle_timeout: float,
    fsync: bool,
    token: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    alerts_file: str | None,
    on_dead: str | None,
) -> int:
    """Receive streams and keep byte-exact copies of them.

    Prints one line with the URL when it is ready, runs until SIGINT or SIGTERM. Everybody has to show the token; the
    URL brings it, unless you set it yourself: then it is not printed.
    """
    host, port = address(listen)
    if not math.isfinite(idle_timeout):
        raise click.BadParameter("it must be a finite number", param_hint="--idle-timeout")
    if token is not None and not token.strip():
        raise click.BadParameter("it must not be empty", param_hint=f"--token / {TOKEN_VARIABLE}")
    if tls_key is not None and tls_cert is None:
        raise click.UsageError(
            "--tls-key goes with --tls-cert: give the certificate as well", click.get_current_context()
        )
    from logstreamer.cli.receiving import Receiving
    from logstreamer.server.alerts.rules import Config

    alerts = Config.read(alerts_file) if alerts_file else Config()
    if on_dead:
        alerts = alerts.with_others(Config.on_dead(on_dead))
    return Receiving(host, port, dest, idle_timeout, fsync, token, tls_cert, tls_key, alerts).run()
