"""Ledger: what the rules have seen, and which messages are still to be delivered; it outlives the receiver.

A file that is only appended to, one transaction a line: a kill -9 between two of them loses and repeats nothing. A torn
last line is one that never happened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from logstreamer.errors import StoreError
from logstreamer.server.alerts.event import Event

logger = logging.getLogger(__name__)

FILE = "alerts.journal"
MOST_BYTES = 8 << 20
"""A journal that has grown to this since it was last written anew is written anew."""

MOST_MESSAGES = 1000
"""Messages that wait for one webhook; beyond that the oldest is given up."""


class Known(msgspec.Struct, omit_defaults=True):
    """What one rule has seen of one stream.

    Args:
        created: of the stream, so that a new one at its path is told from it.
        active: it is dead, and that was said.
        size: in bytes, when it was said that it is silent; -1: never.
        runs, gaps: how many that have ended, and how many segments, were looked at.
        finished: that it is was said.
        offset: below it everything was looked at, of "match".
        told: when the last message was made, seconds since the epoch.
        held: events since then that were only counted, and the last of them.
        gathering: when the first of them came, seconds since the epoch: others of its site may follow; 0: none.
    """

    created: str = ""
    active: bool = False
    size: int = -1
    runs: int = 0
    gaps: int = 0
    finished: bool = False
    offset: int = 0
    told: float = 0.0
    held: int = 0
    last: Event | None = None
    gathering: float = 0.0


class Message(msgspec.Struct, frozen=True):
    """An event that a webhook has to be told of; *made*: seconds since the epoch."""

    id: str
    webhook: str
    event: Event
    made: float


class Firing(msgspec.Struct, omit_defaults=True):
    """How often a rule has fired, and the last time."""

    count: int = 0
    last: Event | None = None


class Transaction(msgspec.Struct, omit_defaults=True):
    """What changed at once.

    Args:
        begun: rules, with what makes them the rules they are, that know the streams there are.
        known: rule, stream, and what is known.
        queued: new messages.
        settled: ids of messages that were delivered, or given up.
        fired: of rules.
    """

    begun: dict[str, str] = msgspec.field(default_factory=dict)
    known: list[tuple[str, str, Known]] = msgspec.field(default_factory=list)
    queued: list[Message] = msgspec.field(default_factory=list)
    settled: list[str] = msgspec.field(default_factory=list)
    fired: dict[str, Firing] = msgspec.field(default_factory=dict)


_transactions = msgspec.json.Decoder(Transaction)  # made once, see `sidecar`


@dataclass(slots=True)
class _Book:
    """All transactions, one after the other."""

    begun: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    queued: dict[str, Message] = field(default_factory=dict)
    fired: dict[str, Firing] = field(default_factory=dict)

    def add(self, change: Transaction) -> None:
        for rule in change.begun:
            self.fired.pop(rule, None)
            self.known = {key: known for key, known in self.known.items() if key[0] != rule}
        self.begun.update(change.begun)
        self.known.update({(rule, stream): known for rule, stream, known in change.known})
        self.queued.update({message.id: message for message in change.queued})
        self.fired.update(change.fired)
        for each in change.settled:
            self.queued.pop(each, None)

    def whole(self) -> Transaction:
        known = [(rule, stream, known) for (rule, stream), known in self.known.items()]
        return Transaction(self.begun, known, list(self.queued.values()), [], self.fired)


class Ledger:
    """The journal in *directory*. For several threads.

    Raises:
        StoreError: it cannot be read.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, FILE)
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._book = _Book()
        self._fd = -1
        self._released = self._trouble = False
        size, sound = self._load()
        if size != sound or size > MOST_BYTES // 2:
            self._rewrite()
        else:
            self._open()

    def begun(self, rule: str) -> str:
        """What made *rule* the rule it was; "": it is a new one."""
        with self._lock:
            return self._book.begun.get(rule, "")

    def known(self, rule: str, stream: str, created: str) -> Known:
        """What *rule* has seen of *stream*; change it by a `Transaction` only."""
        with self._lock:
            known = self._book.known.get((rule, stream))
        if known is None or known.created != created:
            return Known(created)
        return msgspec.structs.replace(known)

    def fired(self, rule: str) -> Firing:
        """How often."""
        with self._lock:
            return self._book.fired.get(rule, Firing())

    def held(self) -> list[tuple[str, str, Known]]:
        """Rule and stream where events wait for the end of a cooldown."""
        with self._lock:
            return [(*key, msgspec.structs.replace(known)) for key, known in self._book.known.items() if known.held]

    def record(self, change: Transaction) -> None:
        """Keep *change*; where the disk takes nothing it is kept in memory, and that is logged once."""
        with self._lock:
            for rule, firing in _firings(change.queued).items():
                before = self._book.fired.get(rule, Firing())
                change.fired[rule] = Firing(before.count + firing.count, firing.last)
            self._book.add(change)
            self._write(change)
            if change.queued:
                self._news.notify_all()

    def forget(self, rules: Iterable[str], webhooks: Iterable[str]) -> list[Message]:
        """Drop what belongs to other rules; give back the messages for other webhooks, which nobody will deliver."""
        rules, webhooks = set(rules), set(webhooks)
        with self._lock:
            book = self._book
            lost = [message for message in book.queued.values() if message.webhook not in webhooks]
            book.begun = {rule: text for rule, text in book.begun.items() if rule in rules}
            book.known = {key: known for key, known in book.known.items() if key[0] in rules}
            book.fired = {rule: firing for rule, firing in book.fired.items() if rule in rules}
            for message in lost:
                del book.queued[message.id]
        self._rewrite()
        return lost

    def waiting(self, webhook: str) -> list[Message]:
        """Messages for *webhook*, the oldest first."""
        with self._lock:
            return self._waiting(webhook)

    def wait(self, webhook: str, seconds: float) -> list[Message]:
        """The same, as soon as there is one, or after *seconds*."""
        with self._news:
            self._news.wait_for(lambda: self._waiting(webhook) or self._released, seconds)
            return self._waiting(webhook)

    def release(self) -> None:
        """Let everybody go who waits."""
        with self._news:
            self._released = True
            self._news.notify_all()

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _waiting(self, webhook: str) -> list[Message]:
        return [message for message in self._book.queued.values() if message.webhook == webhook]

    def _load(self) -> tuple[int, int]:
        """Size of the journal, and of what of it is sound."""
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return 0, 0
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror}") from error
        sound = 0
        for line in data.splitlines(keepends=True):
            try:
                change = _transactions.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                break
            if not line.endswith(b"\n"):
                break
            self._book.add(change)
            sound += len(line)
        return len(data), sound

    def _write(self, change: Transaction) -> None:
        if self._fd < 0:
            return
        data = msgspec.json.encode(change) + b"\n"
        try:
            done = os.write(self._fd, data)
            if done < len(data):
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - done)
                raise OSError("the disk is full")
            if change.queued:
                os.fdatasync(self._fd)
            self._trouble = False
            if os.fstat(self._fd).st_size > MOST_BYTES:
                self._replace()
        except OSError as error:
            if not self._trouble:
                logger.warning("alerts: %s: %s; after a restart some may come twice", self._path, error)
            self._trouble = True

    def _rewrite(self) -> None:
        with self._lock:
            try:
                self._replace()
            except OSError as error:
                logger.warning("alerts: %s: %s; after a restart some may come twice", self._path, error)
                self._trouble = True

    def _replace(self) -> None:
        """Write the journal anew, with one line."""
        fresh = f"{self._path}.tmp"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(self._book.whole()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        self._open()

    def _open(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o600)


def _firings(messages: Sequence[Message]) -> dict[str, Firing]:
    """How often each rule fires: one event for several webhooks is one."""
    events = {message.event.id: message.event for message in messages}
    found: dict[str, Firing] = {}
    for event in events.values():
        found[event.rule] = Firing(found.get(event.rule, Firing()).count + 1, event)
    return found
