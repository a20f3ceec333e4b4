"""Alerts of a receiver: looks at its streams, keeps what happened in the ledger, and has couriers deliver it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from logstreamer.engines.base import BaseEngine
from logstreamer.server.alerts.courier import Courier
from logstreamer.server.alerts.detector import Look, begin, detect, identity
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.ledger import Firing, Known, Ledger, Message, Transaction
from logstreamer.server.alerts.rules import Config, Rule
from logstreamer.server.alerts.scout import Findings, Scout
from logstreamer.server.board import Board
from logstreamer.server.status import StreamStatus
from logstreamer.store.follow import Reader, match

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Least time between two looks, which is also the most that news wait;"""

TICK_SECONDS = 1.0
"""most time between two: what only time tells is noticed then."""

ROUND_BYTES = 64 << 20
"""Most bytes that patterns are looked for in at one look: the other rules are not kept waiting."""

WHOLE_SECONDS = 60.0
"""All streams are asked for this often, so that those that an operator removed are forgotten."""

REST_SECONDS = 2.0
"""A line that has no newline yet is looked at when nothing came for this long."""

GATHER_SECONDS = 1.5
"""What happens to other streams of the same site within this time is told with it: they have one sender."""

KEEP_SECONDS = 10.0
"""How far patterns were looked for is kept this often, so that not all is looked at again after a restart."""

CLOSE_SECONDS = 2.0

_GATHERED = frozenset({"dead", "silent", "finished", "failed"})


class RuleStatus(msgspec.Struct):
    """A rule, as the API tells it; *cooldown* and *silence* in seconds."""

    name: str
    when: str
    streams: tuple[str, ...]
    silence: float
    pattern: str
    cooldown: float
    webhooks: tuple[str, ...]
    fired: int
    last: Event | None


class WebhookStatus(msgspec.Struct):
    """A webhook, as the API tells it: its URL may be a secret.

    Args:
        waiting: messages that are not delivered yet.
        trouble: why the last attempt failed; "": it did not.
    """

    name: str
    host: str
    template: str
    waiting: int
    delivered: int
    given_up: int
    trouble: str


class AlertsStatus(msgspec.Struct):
    """All of them."""

    rules: list[RuleStatus]
    webhooks: list[WebhookStatus]


class Moment(NamedTuple):
    """When one look is made.

    Args:
        at: monotonic seconds.
        now: seconds since the epoch.
        listened: seconds for which the receiver has listened since it was held up itself the last time.
    """

    at: float
    now: float
    listened: float


class _Seen:
    """The last status of a stream, and when that was (monotonic seconds)."""

    __slots__ = ("at", "grew_at", "status")

    def __init__(self, status: StreamStatus, at: float, before: _Seen | None) -> None:
        self.status = status
        self.at = at
        self.grew_at: float = before.grew_at if before is not None and before.status.size == status.size else at


class Alerts:
    """Rules at work. `start` and `stop` on any thread; the looking is done by a worker of the loop, one at a time.

    Raises:
        StoreError: what it knew before cannot be read.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        reader: Callable[[str], Reader],
        directory: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._board = board
        self._clock = clock
        self._ledger = Ledger(directory)
        self._scouts = [Scout(rule, reader) for rule in config.rules if rule.when == "match"]
        self._seen: dict[str, _Seen] = {}
        self._concern: dict[tuple[str, str], bool] = {}
        self._pending: set[str] = set()  # streams with bytes that patterns were not looked for in yet
        self._kept_at = time.monotonic()
        self._moment = Moment(time.monotonic(), clock(), 0.0)
        for lost in self._ledger.forget((rule.name for rule in config.rules), (hook.name for hook in config.webhooks)):
            logger.error("alerts: given up, there is no webhook %s any more: %s", lost.webhook, lost.event.text)
        self._couriers = [Courier(webhook, self._ledger, clock) for webhook in config.webhooks]

    def start(self, engine: BaseEngine) -> None:
        """Begin to look."""
        engine.pump.ask(lambda: engine.pump.spawn(self._run(engine)))

    def stop(self) -> None:
        """Look no more, and let what is being delivered arrive; what waits is delivered by the next receiver."""
        for courier in self._couriers:
            courier.stop()
        self._ledger.release()
        end = time.monotonic() + CLOSE_SECONDS
        for courier in self._couriers:
            courier.join(max(0.0, end - time.monotonic()))
        self._ledger.close()

    def status(self) -> AlertsStatus:
        """Rules with their last firing, and webhooks."""
        return AlertsStatus(
            [_rule_status(rule, self._ledger.fired(rule.name)) for rule in self._config.rules],
            [
                WebhookStatus(
                    courier.webhook.name,
                    courier.webhook.host,
                    courier.webhook.template if not courier.webhook.body else "body",
                    len(self._ledger.waiting(courier.webhook.name)),
                    courier.delivered,
                    courier.given_up,
                    courier.trouble,
                )
                for courier in self._couriers
            ],
        )

    # -- looking

    async def _run(self, engine: BaseEngine) -> None:
        loop = asyncio.get_running_loop()
        watcher = self._board.news.watch()
        try:
            statuses = await self._board.all()
            self._moment = self._moment_of(engine)
            await loop.run_in_executor(None, self.begin, statuses)
            whole = time.monotonic() + WHOLE_SECONDS
            while not watcher.over:
                await watcher.wait(TICK_SECONDS)
                changed = await self._board.fresh(watcher.take())
                if is_whole := time.monotonic() >= whole:
                    whole = time.monotonic() + WHOLE_SECONDS
                    changed = await self._board.all()
                self._moment = self._moment_of(engine)
                await loop.run_in_executor(None, self._look_safely, changed, is_whole)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._board.news.unwatch(watcher)

    def begin(self, statuses: list[StreamStatus]) -> None:
        """The first look: rules that are new learn what is there already."""
        change = Transaction()
        for rule in self._config.rules:
            if self._ledger.begun(rule.name) == rule.print:
                continue
            change.begun[rule.name] = rule.print
            for status in statuses:
                if self._concerns(rule, status):
                    known = Known(identity(status))
                    begin(rule, self._look_at(_Seen(status, self._moment.at, None)), known)
                    change.known.append((rule.name, status.path, known))
        if change.begun:
            self._ledger.record(change)
        self._look_safely(statuses, True)

    def _look_safely(self, changed: list[StreamStatus], is_whole: bool) -> None:
        try:
            self.look(changed, is_whole=is_whole)
        except Exception:  # one stream that cannot be looked at must not end all alerts
            logger.exception("alerts: a look at the streams failed")

    def look(self, changed: list[StreamStatus], *, is_whole: bool = False) -> None:
        """One look at the streams.

        Args:
            changed: those that are not as they were.
            is_whole: these are all there are.
        """
        if is_whole:
            kept = {status.path for status in changed}
            self._seen = {path: seen for path, seen in self._seen.items() if path in kept}
        for status in changed:
            self._seen[status.path] = _Seen(status, self._moment.at, self._seen.get(status.path))
        change = Transaction()
        news = {status.path for status in changed}
        for rule in self._config.rules:
            if rule.when == "match":
                continue
            for path, seen in self._seen.items():
                if (path in news or _may_come(rule, seen)) and self._concerns(rule, seen.status):
                    self._apply(rule, seen, change)
        if self._scouts:
            self._pending = self._match(self._pending.intersection(self._seen) | news, change)
        self._release(change)
        if change.known or change.queued:
            self._ledger.record(change)

    def _concerns(self, rule: Rule, status: StreamStatus) -> bool:
        key = (rule.name, status.path)
        if key not in self._concern:
            self._concern[key] = not rule.streams or any(match([status], pattern) for pattern in rule.streams)
        return self._concern[key]

    def _look_at(self, seen: _Seen) -> Look:
        at, now, listened = self._moment
        return Look(seen.status, at - seen.at, now, listened)

    def _moment_of(self, engine: BaseEngine) -> Moment:
        """Now. A pause of this process that comes after it is one of the next look."""
        at, now = time.monotonic(), self._clock()
        return Moment(at, now, at - engine.receiver.resumed())

    def _apply(self, rule: Rule, seen: _Seen, change: Transaction) -> None:
        status = seen.status
        known = self._ledger.known(rule.name, status.path, identity(status))
        before = msgspec.structs.replace(known)
        for event in detect(rule, self._look_at(seen), known):
            self._happened(rule, known, event, 1, change)
        if known != before:
            change.known.append((rule.name, status.path, known))

    def _happened(self, rule: Rule, known: Known, event: Event, count: int, change: Transaction) -> None:
        """*event*, the last of *count*, is told now, or when others have come and its cooldown is over."""
        if rule.when in _GATHERED or self._is_cooling(rule, known):
            known.held += count
            known.last = event
            known.gathering = known.gathering or (self._clock() if rule.when in _GATHERED else 0.0)
            return
        self._tell(rule, [(known, msgspec.structs.replace(event, count=known.held + count))], change)

    def _is_cooling(self, rule: Rule, known: Known) -> bool:
        return 0 <= self._clock() - known.told < rule.cooldown

    def _is_gathering(self, known: Known) -> bool:
        return 0 <= self._clock() - known.gathering < GATHER_SECONDS

    def _tell(self, rule: Rule, told: list[tuple[Known, Event]], change: Transaction) -> None:
        """One message about the streams of one site."""
        now = self._clock()
        for known, _ in told:
            known.told, known.held, known.last, known.gathering = now, 0, None, 0.0
        event = Event.of_many([event for _, event in told])
        change.queued += [Message(f"{event.id}-{webhook}", webhook, event, now) for webhook in rule.webhooks]

    def _release(self, change: Transaction) -> None:
        """What was held back and waits for nothing any more; with the first of a site what has happened to others."""
        rules = {rule.name: rule for rule in self._config.rules}
        changed = {(rule, stream) for rule, stream, _ in change.known}
        sites: dict[tuple[str, str], list[tuple[str, Known, Event]]] = {}
        for name, stream, known in self._ledger.held():
            if (name, stream) in changed or known.last is None or self._is_cooling(rules[name], known):
                continue
            group = stream.partition("/")[0] if rules[name].when in _GATHERED else stream
            event = msgspec.structs.replace(known.last, count=known.held)
            sites.setdefault((name, group), []).append((stream, known, event))
        for (name, _), waiting in sites.items():
            if all(self._is_gathering(known) for _, known, _ in waiting):
                continue
            self._tell(rules[name], [(known, event) for _, known, event in waiting], change)
            change.known += [(name, stream, known) for stream, known, _ in waiting]

    # -- patterns

    def _match(self, paths: set[str], change: Transaction) -> set[str]:
        """Look for patterns in what is new in *paths*; give back those where something is left."""
        left: set[str] = set()
        room = ROUND_BYTES
        keep = self._kept_at + KEEP_SECONDS <= time.monotonic()
        for path in sorted(paths):
            seen = self._seen[path]
            for scout in self._scouts:
                if not self._concerns(scout.rule, seen.status):
                    continue
                known = self._ledger.known(scout.rule.name, path, identity(seen.status))
                before = scout.offset(seen.status, known)
                found = scout.look(seen.status, known, room, rest=self._is_at_rest(seen))
                room -= known.offset - before
                if known.offset < seen.status.size:
                    left.add(path)
                self._matched(scout.rule, seen, known, found, change)
                if found.count or (keep and known.offset > before):
                    change.known.append((scout.rule.name, path, known))
        if keep:
            self._kept_at = time.monotonic()
        return left

    def _matched(self, rule: Rule, seen: _Seen, known: Known, found: Findings, change: Transaction) -> None:
        """The first line is told at once; of the others the last one is, with their number."""
        look = self._look_at(seen)
        for one, count in ((found.first, min(1, found.count)), (found.last, found.count - 1)):
            if one is not None and count > 0:
                event = msgspec.structs.replace(look.event(rule, "", one.offset), line=one.text)
                self._happened(rule, known, event, count, change)

    @staticmethod
    def _is_at_rest(seen: _Seen) -> bool:
        """Whether what follows the last newline is not just about to be followed by more."""
        return seen.status.finished is not None or time.monotonic() - seen.grew_at >= REST_SECONDS


def _may_come(rule: Rule, seen: _Seen) -> bool:
    """Whether time alone can make an event of *rule*."""
    return rule.when == "silent" and seen.status.finished is None


def _rule_status(rule: Rule, firing: Firing) -> RuleStatus:
    return RuleStatus(
        rule.name,
        rule.when,
        rule.streams,
        rule.silence,
        rule.pattern,
        rule.cooldown,
        rule.webhooks,
        firing.count,
        firing.last,
    )
