"""Many streams, many senders, many viewers: N18, D6; and whether a standstill shows: D7."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import urllib.error
import urllib.request

import pytest
from tests.chaos.processes import Usage

from e2e.processes import PATIENCE, TOKEN, run, sha256, size, wait_until
from faults.harness import Log, check_exact, check_no_errors, finish, in_soak, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BYTES = "/api/v1/streams/s/default/app.log/bytes"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def usage(program) -> Usage:
    """What its process uses now."""
    found = Usage.of(program.process.pid)
    assert found is not None
    return found


def test_n18_500_files_of_one_sender(receiver, send, tmp_path):
    """Threads as for one file, memory bounded, and the last file gets its turn as the first does."""
    logs = [Log(tmp_path / "many" / f"{number:03d}.log") for number in range(500)]
    logs[0].path.parent.mkdir()
    logs[0].write(10)
    sender = send("many")
    wait_copied(receiver, logs[0])
    alone = usage(sender), usage(receiver.program)
    for log in logs[1:]:
        log.write(10)
    for log in logs:
        wait_copied(receiver, log)
    logs[0].write(100_000)
    for _ in range(3):
        for log in logs:
            log.write(5)
    for log in reversed(logs):
        wait_copied(receiver, log)
    crowded = usage(sender), usage(receiver.program)
    finish(sender)

    for before, after in zip(alone, crowded, strict=True):
        assert after.threads <= before.threads + 8  # pools of a fixed size fill up
        assert after.peak < before.rss + 150 * 1024  # KiB
    assert all(sha256(receiver.copy(log.name)) == sha256(log.path) for log in logs)
    check_no_errors(sender, receiver.program)


@pytest.mark.parametrize("count", [20, *in_soak(200)])
def test_n18_many_senders_to_one_receiver(receiver, start, tmp_path, count):
    """Each a process of its own; one floods, and the others get their turns. No more threads, bounded memory."""
    patience = PATIENCE + count  # they have to begin, two or three a second on a small machine
    logs = [Log(tmp_path / f"{number}.log") for number in range(count)]
    for log in logs:
        log.write(2_000)
    before = usage(receiver.program)
    senders = [start("send", log.name, "--to", receiver.url, "--site", f"s{number}") for number, log in enumerate(logs)]
    copies = [receiver.copies / f"s{number}" / "default" / log.name for number, log in enumerate(logs)]

    def wait_all() -> None:
        for copy, log in zip(copies, logs, strict=True):
            wait_until(lambda copy=copy, log=log: size(copy) >= log.size, str(copy), patience)

    for sender in senders:
        sender.wait_line("following", patience)
    wait_all()
    logs[0].write(400_000)
    for log in logs[1:]:
        log.write(500)
    wait_all()
    after = usage(receiver.program)
    for sender in senders:
        sender.process.terminate()

    assert [sender.wait(patience) for sender in senders] == [0] * count
    assert after.threads <= before.threads + 8
    assert after.peak < before.rss + 150 * 1024  # KiB
    assert [sha256(copy) for copy in copies] == [sha256(log.path) for log in logs]
    check_no_errors(receiver.program)


def get(receiver, path: str, **headers: str) -> http.client.HTTPResponse:
    """An answer of the receiver, whatever its status."""
    request = urllib.request.Request(f"{receiver.url}{path}", headers={**BEARER, **headers})
    try:
        return urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        return error  # type: ignore[return-value]


def test_d06_viewers_that_stop_reading_hold_nobody_up(receiver, send, log):
    """Fifty ask for megabytes and read nothing: the stream goes on, another viewer is served, memory is bounded."""
    log.write(200_000)
    sender = send(log.name)
    wait_copied(receiver, log)
    before = usage(receiver.program)
    deaf = []
    for _ in range(50):
        viewer = socket.create_connection(("127.0.0.1", receiver.port), 10)
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.sendall(f"GET {BYTES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert viewer.recv(15) == b"HTTP/1.1 200 OK"
        deaf.append(viewer)

    log.write(50_000)
    wait_copied(receiver, log)
    with get(receiver, BYTES) as response:
        assert response.read() == log.path.read_bytes()
    after = usage(receiver.program)
    for viewer in deaf:
        viewer.close()
    wait_until(lambda: usage(receiver.program).descriptors <= before.descriptors + 5, "the viewers to be forgotten")
    finish(sender)

    assert after.peak < before.rss + 150 * 1024
    check_exact(receiver, log.path)
    check_no_errors(sender, receiver.program)


def test_d06_a_viewer_that_asks_beyond_the_end(receiver, send, log, tmp_path):
    """Told so, with the size there is; a part that begins within is cut to it."""
    log.write(10)
    sender = send(log.name)
    wait_copied(receiver, log)

    with get(receiver, BYTES, Range=f"bytes={log.size}-") as beyond:
        assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{log.size}")
    with get(receiver, BYTES, Range=f"bytes={1 << 62}-{1 << 63}") as far:
        assert far.status == 416
    with get(receiver, BYTES, Range=f"bytes={log.size - 3}-{1 << 40}") as partly:
        assert (partly.status, partly.read()) == (206, log.path.read_bytes()[-3:])
    assert run(["logs", "s/default/app.log", "-n", "1000000", "--from", receiver.url], tmp_path).returncode == 0
    finish(sender)


def test_d07_a_process_that_lives_while_nothing_moves_is_told_apart(receiver, send, log):
    """The receiver lives; its sender is frozen with a file that grew: the stream's state says so, not "live"."""
    receiver.program.stop()
    receiver.begin("--idle-timeout", "1.5")
    log.write(10)
    sender = send(log.name)
    wait_copied(receiver, log)

    def state() -> str:
        with get(receiver, "/api/v1/streams") as response:
            [stream] = json.load(response)["streams"]
        return stream["state"]

    wait_until(lambda: state() == "live")
    sender.process.send_signal(signal.SIGSTOP)
    log.write(1000)
    wait_until(lambda: state() == "dead", "the truth")
    sender.process.send_signal(signal.SIGCONT)
    wait_copied(receiver, log)
    wait_until(lambda: state() == "live")
    finish(sender)

    check_exact(receiver, log.path)
