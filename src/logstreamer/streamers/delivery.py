"""Who has the message under way: acknowledgements, retries and outcomes of a stream that an engine pulls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from logstreamer.apis.outcomes import Outcomes
from logstreamer.apis.shareable import ReturnCode, Shareable, make_reply
from logstreamer.streamers.chunk import OFFSET_HEADER, Chunk

MAX_RESENDS = 10
"""How often one message is sent again because a reply to it is missing, before its target counts as lost."""

_logger = logging.getLogger(__name__)


class Delivery:
    """One message at a time to every target, held until each has acknowledged it or failed.

    No reply is not an acknowledgement: the message is sent again. That is exact with a receiver that counts bytes
    (its replies carry OFFSET_HEADER, it takes a repeated chunk once). With one that does not, the bytes may come
    twice when only the reply was lost. We still prefer that over losing them without a word, but never at the
    expense of another target: see `_may_resend`. An engine's COMMUNICATION_ERROR is no reply either: the message never
    left. After its TIMEOUT the bytes would most likely come twice: see `_is_no_reply`.

    Args:
        targets: names of the targets; names in the replies that are not among them replace them, since an engine may
            know one target, or a group of them, by another name.
        name: of the stream, for the log.
        optional: a failed target is no error for the log.
        bootstrap_misses: how often EXECUTION_EXCEPTION from all targets means "not ready yet", before the first OK.
        behind: how many bytes follow those under way, to say what a failed target lacks; None: nobody knows.
    """

    def __init__(
        self,
        targets: Iterable[str],
        name: str,
        optional: bool = False,
        bootstrap_misses: int = 0,
        behind: Callable[[], int] | None = None,
    ) -> None:
        self._targets = list(targets)
        self._name = name
        self._failure_level = logging.DEBUG if optional else logging.ERROR
        self._misses_left = bootstrap_misses
        self._behind = behind
        self._started = False  # some target has said OK
        self._heard: dict[str, None] = {}  # every name that ever replied, in order
        self._counting: set[str] = set()  # targets whose replies say how many bytes they have
        self._outcomes = Outcomes()
        self._acked: set[str] = set()
        self.chunk: Chunk | None = None
        self.resends = 0

    def send(self, chunk: Chunk) -> None:
        """*chunk* is under way; the one before it must have been settled."""
        self.chunk = chunk
        self.resends = 0
        self._acked.clear()

    def settle(self, replies: Mapping[str, Shareable]) -> Outcomes | None:
        """Look at the replies to the chunk under way.

        Returns:
            None to go on: with the same chunk while `chunk` holds one, with the next otherwise. The outcomes when the
            stream is over.
        """
        self._learn_names(replies)
        if self._is_not_ready(replies):
            self._misses_left -= 1
            self.resends += 1
            _logger.debug("%s: receivers are not ready yet (%d tries left)", self._name, self._misses_left)
            return None
        for target in self._open_targets():
            self._judge(target, replies.get(target))
        if self._must_resend(replies):
            self.resends += 1
            return None
        return self._conclude()

    def _learn_names(self, replies: Mapping[str, Shareable]) -> None:
        self._heard.update(dict.fromkeys(replies))
        if not self._heard.keys() <= set(self._targets):
            self._targets = list(self._heard)

    def _is_not_ready(self, replies: Mapping[str, Shareable]) -> bool:
        if self._started or self._misses_left <= 0 or not replies:
            return False
        return all(reply.get_return_code(ReturnCode.OK) == ReturnCode.EXECUTION_EXCEPTION for reply in replies.values())

    def _live_targets(self) -> list[str]:
        return [target for target in self._targets if target not in self._outcomes.failed]

    def _open_targets(self) -> list[str]:
        return [target for target in self._live_targets() if target not in self._acked]

    def _judge(self, target: str, reply: Shareable | None) -> None:
        rc = ReturnCode.COMMUNICATION_ERROR if reply is None else reply.get_return_code(ReturnCode.OK)
        if reply is None or self._is_no_reply(rc, target):
            return
        if rc != ReturnCode.OK:
            self._fail(target, reply, f"it answered {rc}")
            return
        self._started = True
        self._outcomes[target] = reply
        self._take_acknowledgement(target, reply)

    def _is_no_reply(self, rc: str, target: str) -> bool:
        """Whether an engine has made *rc* up, and sending the message again doubles nothing at *target*."""
        if rc == ReturnCode.COMMUNICATION_ERROR:
            return True
        has_bytes = self.chunk is not None and bool(self.chunk.data)
        return rc == ReturnCode.TIMEOUT and (target in self._counting or not has_bytes)

    def _take_acknowledgement(self, target: str, reply: Shareable) -> None:
        taken = reply.get_header(OFFSET_HEADER)
        sent = self.chunk.end if self.chunk else 0
        if taken is None:
            self._acked.add(target)
            return
        self._counting.add(target)
        if taken > sent:
            wrong = make_reply(ReturnCode.BAD_REQUEST_DATA)
            self._fail(target, wrong, f"it acknowledged {taken} bytes, but only {sent} were sent")
        elif taken == sent:  # a lower count acknowledges nothing new: as good as no reply
            self._acked.add(target)

    def _must_resend(self, replies: Mapping[str, Shareable]) -> bool:
        waiting = self._open_targets()
        if replies and not waiting:
            return False
        if self.resends < MAX_RESENDS and self._may_resend():
            return True
        tries = self.resends + 1
        for target in waiting:
            self._fail(target, make_reply(ReturnCode.COMMUNICATION_ERROR), f"no reply, message sent {tries} time(s)")
        return False

    def _may_resend(self) -> bool:
        # The port sends to all targets or to none. One that has the chunk and does not count bytes would take it a
        # second time: the silent one is given up instead, so its trouble stays its own.
        return self._acked <= self._counting

    def _fail(self, target: str, reply: Shareable, reason: str) -> None:
        if self._behind is not None:
            lacks = len((self.chunk and self.chunk.data) or b"") + self._behind()
            reason += f"; {lacks} bytes are not acknowledged, and nothing more is sent to it"
        reply.set_header("reason", reason)
        self._outcomes[target] = reply
        _logger.log(self._failure_level, "%s: streaming to %s failed: %s", self._name, target, reason)

    def _conclude(self) -> Outcomes | None:
        chunk, self.chunk = self.chunk, None
        is_over = (chunk is not None and chunk.eof) or not self._live_targets()
        return self._outcomes if is_over else None
