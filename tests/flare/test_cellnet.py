"""LogStreamer on NVFlare's own streamer, between two processes: ours with ours, and with NVFlare's on either side."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import conftest
from flare.cellnet import Pair, write_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def wait_until(condition: Callable[[], object]) -> None:
    """Cells take their time to connect again, and processes that import NVFlare to start."""
    conftest.wait_until(condition, patience=60.0)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def rotate(path: Path, number: int) -> None:
    path.rename(path.with_name(f"{path.name}.{number}"))


def test_n1_a_late_handler_costs_nothing(pair: Pair):
    """The engine counts the missed message, so each new try is a new transaction; rotations meanwhile are followed."""
    receiver = pair.receiver("ours", late=True)
    receiver.wait("started")
    written = write_lines(pair.log, 0, 1000)
    sender = pair.sender("ours")
    sender.wait("connected")
    wait_until(lambda: any("nobody is registered" in line for line in sender.log))
    for number in range(3):
        rotate(pair.log, number)
        written += write_lines(pair.log, 1000 * (number + 1), 1000 * (number + 2))
    pair.let_register()
    receiver.wait("registered")
    wait_until(lambda: size(pair.dest / "train.log") == len(written))
    pair.stop_sending()

    sent, done = sender.wait("sent"), receiver.wait("done")

    assert (sent["rc"], sent["ok"]) == ("OK", True)
    assert (done["rc"], done["site"], done["job"]) == ("OK", "site-1", "bench")
    assert (pair.dest / "train.log").read_bytes() == written
    assert [line for line in sender.log if line.startswith("ERROR")] == []
    assert receiver.events() == []


def test_ours_to_nvflares_own_receiver(pair: Pair):
    """It gets the plain chunks it knows, rotations included, and the sender says what is missing."""
    pair.receiver("stock").wait("registered")
    written = write_lines(pair.log, 0, 20_000)
    sender = pair.sender("ours")
    wait_until(lambda: size(pair.dest / "train.log") == len(written))
    rotate(pair.log, 1)
    written += write_lines(pair.log, 20_000, 20_100)
    wait_until(lambda: size(pair.dest / "train.log") == len(written))
    pair.stop_sending()

    sent = sender.wait("sent")

    assert (sent["rc"], sent["ok"]) == ("OK", True)
    assert (pair.dest / "train.log").read_bytes() == written
    wait_until(lambda: any("no checksums, no resume" in line for line in sender.log))


@pytest.mark.parametrize("make", ["ours", "store"])
def test_nvflares_own_sender_to_ours(pair: Pair, make: str):
    """Its chunks reach the callbacks, or the store, and the receiver says what is missing."""
    receiver = pair.receiver(make)
    receiver.wait("registered")
    written = write_lines(pair.log, 0, 20_000)
    pair.stop_sending()
    sender = pair.sender("stock")

    sent, done = sender.wait("sent"), receiver.wait("done")

    assert (sent["rc"], sent["ok"], done["rc"]) == ("OK", True, "OK")
    copy = pair.dest / "train.log" if make == "ours" else pair.dest / "site-1" / "bench" / "train.log"
    assert copy.read_bytes() == written
    wait_until(lambda: any("no checksums, no resume" in line for line in receiver.log))


def test_n3_n14_a_stall_and_a_slow_callback_end_nothing(pair: Pair):
    """Both last longer than the sender waits for a reply, and the callback longer than the idle timeout."""
    receiver = pair.receiver("ours", "--slow", 3, "--idle-timeout", 2)
    receiver.wait("registered")
    written = write_lines(pair.log, 0, 20_000)
    sender = pair.sender("ours", "--chunk-timeout", 1)
    wait_until(lambda: size(pair.dest / "train.log") == len(written))
    receiver.signal(signal.SIGSTOP)
    written += write_lines(pair.log, 20_000, 40_000)
    wait_until(lambda: any("TIMEOUT" in line or "no reply" in line for line in sender.log))
    receiver.signal(signal.SIGCONT)
    wait_until(lambda: size(pair.dest / "train.log") == len(written))
    pair.stop_sending()

    sent, done = sender.wait("sent"), receiver.wait("done")

    assert (sent["rc"], sent["ok"]) == ("OK", True)
    assert done["rc"] == "OK"
    assert (pair.dest / "train.log").read_bytes() == written


def test_n6_n7_either_end_may_be_killed(pair: Pair):
    """kill -9 of the receiver, then of the sender: the copy continues where it was, nothing is lost or comes twice."""
    copy = pair.dest / "site-1" / "bench" / "train.log"
    receiver = pair.receiver("store")
    receiver.wait("registered")
    written = write_lines(pair.log, 0, 5000)
    sender = pair.sender("ours", "--chunk-timeout", 1)
    wait_until(lambda: size(copy) == len(written))

    receiver.kill()
    written += write_lines(pair.log, 5000, 10_000)
    receiver = pair.receiver("store", "--idle-timeout", 6)  # two thirds of it later another sender may follow
    wait_until(lambda: size(copy) == len(written))

    sender.kill()
    rotate(pair.log, 1)
    written += write_lines(pair.log, 10_000, 15_000)
    sender = pair.sender("ours")
    wait_until(lambda: size(copy) == len(written))
    pair.stop_sending()

    assert sender.wait("sent")["rc"] == "OK"
    while (done := receiver.wait("done"))["rc"] == "TIMEOUT":
        pass  # the second sender took longer than that to start
    assert done["rc"] == "OK"
    assert copy.read_bytes() == written
    assert sorted(path.name for path in copy.parent.iterdir() if not path.name.startswith(".")) == ["train.log"]
