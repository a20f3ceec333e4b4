"""Webhooks tried out, one message each."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence

import click

from logstreamer.cli.exit_codes import ERROR, OK
from logstreamer.server.alerts.courier import deliver, words_of
from logstreamer.server.alerts.detector import moment
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.rules import Config
from logstreamer.server.alerts.template import Webhook, message


def try_all(source: str, chosen: Sequence[str], *, dry_run: bool) -> int:
    """Tell each webhook of *source*, a file or a URL, or only those *chosen*; return the exit code.

    Raises:
        ConfigError: *source* cannot be used.
        click.BadParameter: there is no such webhook.
    """
    config = Config.on_dead(source) if "://" in source else Config.read(source)
    names = [webhook.name for webhook in config.webhooks]
    for name in chosen:
        if name not in names:
            raise click.BadParameter(f"there is no {name!r}, but {', '.join(names)}", param_hint="--webhook")
    webhooks = [webhook for webhook in config.webhooks if not chosen or webhook.name in chosen]
    told = [_try(webhook, dry_run) for webhook in webhooks]
    return OK if all(told) else ERROR


def _try(webhook: Webhook, dry_run: bool) -> bool:
    text = f"a test of the alerts of {socket.gethostname()}"
    event = Event(id=secrets.token_hex(8), rule="test", kind="test", at=moment(time.time()), detail=text)
    if dry_run:
        print(f"{webhook.name}: {message(webhook, event)[1].decode()}")
        return True
    began = time.monotonic()
    try:
        status = deliver(webhook, event)
    except OSError as error:
        print(f"{webhook.name}: FAILED: {words_of(error)} ({webhook.host})")
        return False
    print(f"{webhook.name}: ok, {webhook.host} answered {status} in {time.monotonic() - began:.1f} s")
    return True
