"""A carrier alone, with a clock of its own: how often it speaks, when it gives up, and what it says then."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from nvflare.apis.shareable import make_reply

from logstreamer.flare import carrier as module
from logstreamer.flare import messages
from logstreamer.flare.carrier import AWAITED_RETRY, Carrier
from logstreamer.flare.job_end import JobEnd
from logstreamer.flare.pace import Pace
from logstreamer.follow_spec import FollowSpec
from logstreamer.lane import GIVE_UP_SECONDS
from logstreamer.protocol.codec import decode, encode
from logstreamer.protocol.frames import Abort, Accept, Ack, Data, Frame, Heartbeat, Open, StreamKey
from logstreamer.protocol.sender import SenderProtocol

NOBODY, ABORTED = "EXECUTION_EXCEPTION", "TASK_ABORTED"


class Bench:
    """A carrier of a file that a job writes: time passes only where the carrier waits, and the file grows by it.

    Args:
        rate: lines of ten bytes per second.
    """

    def __init__(self, log: Path, monkeypatch: pytest.MonkeyPatch, rate: int = 0) -> None:
        self.now = 100.0
        self._rate = rate
        self._begun, self._lines = self.now, 0
        self._file = log.open("wb", buffering=0)
        self.end = JobEnd(patience=2.0)
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=self.wait, monotonic=self.clock))
        step = 0.005 if rate else 1.0  # a change wakes the carrier
        protocol = SenderProtocol(StreamKey("c", "t", "j", "log.txt", "s"), new_run=lambda: "r", jitter=random.random)
        self.carrier = Carrier(FollowSpec(str(log), self.end), "server", protocol, None, clock=self.clock)
        monkeypatch.setattr(self.carrier._wakeup, "wait", lambda seconds: self.wait(min(seconds, step)))
        self.carrier.begin()

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Time passes, and the job goes on."""
        self.now += max(seconds, 0.001)
        due = int((self.now - self._begun) * self._rate)
        if due > self._lines:
            self._file.write(b"%09d\n" * (due - self._lines) % tuple(range(self._lines, due)))
            self._lines = due
            self.carrier._sender.wake()

    def refuse(self, rc: str) -> None:
        """One transaction: a message goes, and the answer is *rc*."""
        self.carrier.next_message()
        self.carrier.take_reply(make_reply(rc))
        self.carrier.end()
        self.carrier.begin()

    def exchange(self, *, acks: bool = True) -> list[Frame]:
        """One message, and the reply of a receiver of ours that has stored it; the frames of the message.

        Args:
            acks: False: it has not yet.
        """
        message = self.carrier.next_message()
        frames = [decode(part)[1] for part in messages.unpack(messages.frames_of(message) or b"")]
        answers: list[Frame] = []
        for frame in frames:
            if isinstance(frame, Open):
                answers.append(Accept(0, 1 << 20, 30.0, attempt=frame.attempt))
            elif isinstance(frame, Data | Heartbeat) and acks:
                answers.append(Ack(frame.end if isinstance(frame, Data) else frame.sent))
        packed = messages.pack(encode(0, answer) for answer in answers)
        self.carrier.take_reply(messages.frames_reply("OK", packed))
        return frames

    def write(self, line: bytes) -> None:
        """Of the job."""
        self._file.write(line)
        self.carrier._sender.wake()

    @property
    def outcome(self) -> str:
        lane = self.carrier.lane
        return lane.reason if lane.outcome is not None else ""

    def close(self) -> None:
        self.carrier.close()
        self._file.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path / "log.txt", monkeypatch)
    yield bench
    bench.close()


def test_a_steady_trickle_is_gathered_into_few_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each reply leaves the sender a timer thread for 65 s."""
    bench = Bench(tmp_path / "log.txt", monkeypatch, rate=1000)
    seconds, received, count = 6.0, 0, 0
    while bench.now < 100.0 + seconds:
        received += sum(len(frame.payload) for frame in bench.exchange() if isinstance(frame, Data))
        count += 1
    bench.close()

    assert count <= 20 + 5 * seconds + 2
    assert received >= (seconds - 1) * 10_000


def test_a_line_after_a_pause_is_sent_at_once():
    """And so are a burst of them; then there is one place each fifth of a second."""
    pace = Pace(0.0)
    for _ in range(20):
        assert not pace.is_early(0.0)
        pace.sent(0.0)
    assert pace.is_early(0.0)
    assert pace.is_early(0.19)
    assert pace.next_at == pytest.approx(0.2)
    assert not pace.is_early(0.21)
    pace.sent(0.21)
    assert pace.is_early(0.21)
    for _ in range(20):  # no more than that are saved up, however long the pause
        assert not pace.is_early(3600.0)
        pace.sent(3600.0)
    assert pace.is_early(3600.0)


def test_a_target_that_is_never_ready_is_given_up(bench: Bench):
    """NVFlare's receiver logs an error for each try."""
    for _ in range(39):
        bench.refuse(NOBODY)
    assert bench.outcome == ""

    bench.refuse(NOBODY)

    assert bench.outcome == "server was not ready after 40 tries (nobody is registered there)"


def test_a_target_that_was_ready_once_is_waited_for(bench: Bench):
    """Its process may be started again; after a stop the time is limited, before that it is not."""
    bench.exchange()
    for _ in range(100):
        bench.refuse(NOBODY)

    assert bench.outcome == ""


def test_an_abort_is_believed_when_it_was_said_again(bench: Bench):
    """Three times in a row."""
    for rc in (ABORTED, ABORTED, NOBODY, ABORTED, ABORTED):
        bench.refuse(rc)
    assert bench.outcome == ""
    bench.exchange()
    for _ in range(2):
        bench.refuse(ABORTED)
    assert bench.outcome == ""

    bench.refuse(ABORTED)

    assert bench.outcome == "the run of server was aborted; 0 bytes are not delivered"


@pytest.mark.parametrize(
    ("rc", "reason"), [(NOBODY, "server had nobody registered"), ("TIMEOUT", "server acknowledged nothing")]
)
def test_what_is_given_up_after_a_stop_says_why(bench: Bench, rc: str, reason: str):
    """A target that answers is not one that cannot be reached."""
    bench.end.set()
    for _ in range(3):
        bench.carrier.next_message()
        bench.carrier.take_reply(make_reply(rc))
        bench.carrier.end()
        bench.carrier.pause(GIVE_UP_SECONDS / 2)
        if not bench.outcome:
            bench.carrier.begin()

    assert bench.outcome.startswith(reason)
    assert "for 30 s after the stop; 0 bytes not delivered" in bench.outcome


def test_the_pauses_are_short_while_the_end_of_a_run_waits(bench: Bench):
    """However long they have become; with a receiver that has answered there is more time."""
    bench.refuse(NOBODY)
    bench.carrier.end()
    bench.end.wait_taken(0.0)
    begun = bench.now
    bench.carrier.pause(600.0)
    assert AWAITED_RETRY <= bench.now - begun < AWAITED_RETRY + 1.0

    bench.carrier.begin()
    bench.exchange()
    bench.carrier.end()
    begun = bench.now
    bench.carrier.pause(60.0)
    assert bench.now - begun >= 60.0


def test_a_receiver_hears_that_a_log_is_left_when_it_has_stored_it(bench: Bench):
    """Also where it took a while to store the last of it: otherwise it would wait for the sender."""
    bench.write(b"line\n")
    bench.exchange()
    assert any(isinstance(frame, Data) for frame in bench.exchange(acks=False))
    bench.end.leave()
    bench.exchange()
    assert not bench.carrier.is_over

    [last] = bench.exchange()

    assert isinstance(last, Abort)
    assert last.rc == "STOPPED"
    assert bench.carrier.is_over
