"""The network fails between real processes: N1, N2, N3, N9, N11, N19."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from e2e.conftest import Receiver
from e2e.processes import TOKEN, size, wait_until
from faults.harness import check_exact, check_no_errors, finish, in_soak, once_after, record, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WINDOW = 4 << 20
"""Bytes that may be in flight for one stream."""


@pytest.mark.parametrize("seconds", [0.2, 2.0, *in_soak(10.0, 60.0)])
def test_n01_sender_starts_before_the_receiver(start, tmp_path, log, seconds):
    """It tries again until the receiver is there; 10 s and 60 s are more of the same attempts, at most 5 s apart."""
    first = Receiver(start, tmp_path)
    first.program.kill()
    log.write(1000)
    sender = start("send", log.name, "--to", first.url, "--site", "s")
    sender.wait_line("following")
    log.grow()
    wait_until(once_after(seconds), patience=seconds + 1)

    first.begin()
    wait_copied(first, log)
    log.pause()
    finish(sender)

    check_exact(first, log.path)
    check_no_errors(sender, first.program)


def test_n02_the_connection_is_cut_100_times_at_random_points(receiver, link, send, log, dice):
    """In either direction, between two messages or within one, also during the handshake."""
    sender = send(log.name, to=link.url)
    log.grow(lines=400)
    for _ in range(100):
        before = link.connections
        side = dice.choice(("up", "up", "down"))
        most = 100_000 if side == "up" else 500
        link.fail("cut_after", side=side, amount=dice.randrange(most))
        wait_until(lambda before=before: link.connections > before, "the cut")
    link.heal()
    wait_copied(receiver, log)
    log.pause()
    finish(sender)

    check_exact(receiver, log.path)
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize(("side", "idle_timeout"), [("up", 3), ("down", 3), ("both", 3), *in_soak(("both", 30))])
def test_n03_a_stall_longer_than_the_idle_timeout_begins_a_new_run(receiver, link, send, log, side, idle_timeout):
    """The run ends by TIMEOUT where the receiver heard nothing; in any case the same copy is continued."""
    receiver.program.stop()
    receiver.begin("--idle-timeout", str(idle_timeout))
    log.write(1000)
    sender = send(log.name, to=link.url)
    wait_copied(receiver, log)
    log.grow(lines=20, pause=0.02)

    link.fail("stall", side=side)
    if side != "down":
        wait_until(lambda: record(receiver).runs[0].rc == "TIMEOUT", "the end of the first run")
    wait_until(once_after(idle_timeout * (2.0 if side == "both" else 1.5)), patience=100)
    link.heal()
    wait_copied(receiver, log)
    log.pause()
    finish(sender)

    check_exact(receiver, log.path)
    runs = record(receiver).runs
    assert [run.rc for run in runs] == (["OK"] if side == "down" else ["TIMEOUT", "OK"])
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize(("seconds", "chunk_timeout"), [(1.5, 0.5), *in_soak((8.0, 5.0))])
def test_n03_a_stall_longer_than_the_chunk_timeout(receiver, link, run_script, log, seconds, chunk_timeout):
    """The receiver owes an answer for longer than that: asked again, waited for; the run goes on."""
    log.write(1000)
    sender = run_script("send.py", f"receiver={link.url}", str(log.path), CHUNK_TIMEOUT=str(chunk_timeout))
    wait_copied(receiver, log)
    log.grow()

    link.fail("stall")
    wait_until(once_after(seconds))
    link.heal()
    wait_copied(receiver, log)
    log.pause()
    wait_copied(receiver, log)
    sender.tell("stop")
    sender.wait_line("result .* OK .*'receiver': 'OK'")

    check_exact(receiver, log.path)
    assert [run.rc for run in record(receiver).runs] == ["OK"]
    check_no_errors(sender, receiver.program)


def test_n09_a_new_connection_wins_over_a_half_open_one(receiver, link, send, log):
    """The sender's half is reset, the receiver's half stays open and silent."""
    log.write(1)
    sender = send(log.name, to=link.url)
    log.grow()
    for _ in range(3):
        wait_copied(receiver, log)
        before = link.connections
        link.fail("half_open", side="down")
        wait_until(lambda before=before: link.connections > before, "another connection")
    wait_copied(receiver, log)
    log.pause()
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)
    assert len(record(receiver).runs) == 1
    check_no_errors(sender, receiver.program)


def test_n09_two_senders_claim_the_same_stream(receiver, send, log):
    """The one that came first keeps it while it lives; the other one says that it waits, and continues it then."""
    log.write(1)
    first = send(log.name)
    log.grow()
    wait_copied(receiver, log)
    second = send(log.name)
    second.wait_line("another sender of this site is sending this stream")
    wait_copied(receiver, log)
    first.kill()
    wait_copied(receiver, log)
    log.pause()
    finish(second)

    check_exact(receiver, log.path)
    assert len(record(receiver).runs) == 2
    check_no_errors(second, receiver.program)


@pytest.mark.parametrize("side", ["up", "down"])
def test_n11_the_window_is_full_when_the_connection_dies(receiver, link, send, log, side):
    """up: a whole window was sent and never arrived. down: it arrived, and no acknowledgement came back."""
    log.write(1)
    sender = send(log.name, to=link.url)
    wait_copied(receiver, log)

    begun = bytes_read(sender)
    link.fail("swallow", side=side)  # a mere stall would let the kernel's buffers say how much is sent
    log.write(250_000)
    assert log.size > 2.5 * WINDOW
    wait_until(lambda: bytes_read(sender) >= begun + WINDOW, "a full window")
    if side == "down":
        wait_until(lambda: size(receiver.copy(log.name)) >= WINDOW, "all of it to arrive")
    link.fail("cut")
    link.heal()
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)
    check_no_errors(sender, receiver.program)


def bytes_read(program) -> int:
    """What a process has read from files so far; the kernel counts it."""
    counts = dict(line.split(": ") for line in Path(f"/proc/{program.process.pid}/io").read_text().splitlines())
    return int(counts["rchar"])


@pytest.mark.parametrize("victim", ["sender", "receiver"])
def test_n19_offset_0_is_a_real_offset(start, receiver, send, log, victim):
    """A stream that was opened and is still empty is continued at 0: no second copy, no gap, no second start."""
    log.write(0)
    sender = send(log.name)
    wait_until(lambda: size(receiver.copy(log.name)) == 0 and state(receiver) == "waiting", "the stream")
    if victim == "sender":
        sender.kill()
        log.write(10)
        sender = send(log.name)
    else:
        receiver.program.kill()
        log.write(10)
        receiver.begin()
    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)
    [segment] = record(receiver).segments
    assert (segment.offset, segment.source_offset, segment.reason) == (0, 0, "start")


def state(receiver) -> str:
    """Of the only stream, as the receiver tells it."""
    request = urllib.request.Request(f"{receiver.url}/api/v1/streams", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        streams = json.load(response)["streams"]
    return streams[0]["state"] if streams else ""
