"""Courier: delivers the messages for one webhook, in their order, until they arrive or are given up.

With urllib, from the standard library: one request at a time, on a thread of its own, needs no more. It knows proxies;
redirects are not followed, as a POST does not survive them.
"""

from __future__ import annotations

import http.client
import logging
import random
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from logstreamer.protocol.backoff import Backoff
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.ledger import MOST_MESSAGES, Ledger, Message, Transaction
from logstreamer.server.alerts.template import Webhook, message

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
FIRST_RETRY, LAST_RETRY = 1.0, 10.0

LONGEST_PAUSE = 300.0
"""A webhook that asks for more time than this (Retry-After) is asked again all the same."""

REFUSALS = 5
"""A message that is refused (4xx) is offered this often: the next ones may be taken."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LATER = (408, 425, 429)


class Refused(OSError):
    """The webhook answered, and did not take it.

    Args:
        pause: seconds after which it wants to be asked again; 0: it did not say.

    Attributes:
        is_final: whether it would answer the same to every repetition.
    """

    def __init__(self, status: int, pause: float = 0.0) -> None:
        super().__init__(f"it answered {status}")
        self.pause = pause
        self.is_final = 400 <= status < 500 and status not in _LATER


def deliver(webhook: Webhook, event: Event, timeout: float = TIMEOUT_SECONDS) -> int:
    """Tell *webhook* of *event* once; return the HTTP status of the answer, one of 2xx.

    Raises:
        Refused: it answered otherwise.
        OSError: it could not be reached, or did not answer in time.
    """
    url, body = message(webhook, event)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"logstreamer/{version('logstreamer')}",
        "Idempotency-Key": event.id,
        **webhook.headers,
    }
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with _opener(url).open(request, timeout=timeout) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        pause = error.headers.get("Retry-After", "")
        raise Refused(error.code, float(pause) if pause.isdecimal() and len(pause) < 6 else 0.0) from None
    except URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason)) from None
    except http.client.HTTPException as error:
        raise OSError(f"its answer is no HTTP ({type(error).__name__})") from None


def words_of(error: OSError) -> str:
    """Why nothing was delivered, for a person."""
    if isinstance(error, ssl.SSLError):
        return str(error)
    return error.strerror or str(error) or type(error).__name__


class Courier:
    """A thread that delivers what the ledger holds for *webhook*.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, webhook: Webhook, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self.webhook = webhook
        self.trouble = ""
        self.delivered = self.given_up = 0
        self._ledger = ledger
        self._clock = clock
        self._over = threading.Event()
        self._backoff = Backoff(FIRST_RETRY, LAST_RETRY, random.random)
        self._refused: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name=f"logstreamer-alerts-{webhook.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; what waits is delivered by the next receiver."""
        self._over.set()

    def join(self, seconds: float) -> None:
        """Wait for the delivery that is under way."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._over.is_set():
            waiting = self._ledger.wait(self.webhook.name, 1.0)
            for each in waiting[: max(0, len(waiting) - MOST_MESSAGES)]:
                self._give_up(each, "too many wait")
            if waiting and not self._over.is_set():
                self._offer(waiting[-MOST_MESSAGES:][0])

    def _offer(self, waiting: Message) -> None:
        try:
            deliver(self.webhook, waiting.event)
        except OSError as error:
            self._failed(waiting, error)
            return
        except Exception as error:  # nothing that one message contains may end all alerts
            logger.exception("alerts: a message for %s cannot be made", self.webhook.name)
            self._give_up(waiting, str(error))
            return
        self._ledger.record(Transaction(settled=[waiting.id]))
        self.delivered += 1
        self._refused.pop(waiting.id, None)
        self._backoff.reset()
        if self.trouble:
            logger.warning("alerts: %s takes messages again", self.webhook.name)
        self.trouble = ""

    def _failed(self, waiting: Message, error: OSError) -> None:
        reason = words_of(error)
        age = self._clock() - waiting.made
        if isinstance(error, Refused) and error.is_final:
            self._refused[waiting.id] = self._refused.get(waiting.id, 0) + 1
        if age >= self.webhook.retry_for or self._refused.get(waiting.id, 0) >= REFUSALS:
            self._give_up(waiting, reason)
        elif not self.trouble:
            logger.warning(
                "alerts: %s (%s) cannot be told: %s; trying again for %.0f s: %s",
                self.webhook.name, self.webhook.host, reason, self.webhook.retry_for, waiting.event.text,
            )  # fmt: skip
        self.trouble = reason
        pause = error.pause if isinstance(error, Refused) else 0.0
        self._over.wait(max(self._backoff.delay(), min(pause, LONGEST_PAUSE)))

    def _give_up(self, waiting: Message, reason: str) -> None:
        logger.error(
            "alerts: given up, %s (%s) was not told: %s: %s",
            self.webhook.name, self.webhook.host, reason, waiting.event.text,
        )  # fmt: skip
        self._ledger.record(Transaction(settled=[waiting.id]))
        self._refused.pop(waiting.id, None)
        self.given_up += 1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that sends us elsewhere is a refusal."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    # No environment's proxy can reach this machine's own addresses.
    proxy = urllib.request.ProxyHandler({} if urlsplit(url).hostname in _LOOPBACK else None)
    return urllib.request.build_opener(_NoRedirect(), proxy)
