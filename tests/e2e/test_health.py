"""D7: a receiver process that is alive and stores nothing says so; what `send` exits with."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess

import pytest

from e2e.processes import Program, numbered_lines, run, sha256, size, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def ask(receiver, path: str) -> tuple[int, dict[str, object]]:
    """GET *path*, without a token."""
    connection = http.client.HTTPConnection(f"127.0.0.1:{receiver.port}", timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def reasons(receiver) -> set[str]:
    """Why it is not ready."""
    code, body = ask(receiver, "/readyz")
    assert (code == 200) == (body["status"] == "ready") == (not body["reasons"])
    return {reason["reason"] for reason in body["reasons"]}  # type: ignore[union-attr, index]


def follow(start, receiver, *argv: str) -> Program:
    return start("send", *argv, "--to", receiver.url, "--site", "s")


@pytest.mark.parametrize("options", [(), ("--fsync",)])
def test_d07_a_receiver_whose_disk_is_full_is_alive_and_not_ready(start, receiver, tmp_path, options):
    """Its process exists, its port answers, and nothing moves: /readyz is 503 until there is room again."""
    receiver.program.stop()
    limited = receiver.begin(*options).process.pid
    assert reasons(receiver) == set()
    (tmp_path / "a.log").write_bytes(numbered_lines(0, 40_000))
    resource.prlimit(limited, resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    sender = follow(start, receiver, "a.log")

    wait_until(lambda: reasons(receiver) == {"disk full"})
    assert ask(receiver, "/healthz")[0] == 200

    resource.prlimit(limited, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: size(receiver.copy("a.log")) == size(tmp_path / "a.log"))
    wait_until(lambda: reasons(receiver) == set())
    assert sender.stop() == 0
    assert sha256(receiver.copy("a.log")) == sha256(tmp_path / "a.log")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_d07_streams_that_cannot_begin_on_a_full_disk(start, tmp_path):
    """None of them has a run yet, and still the receiver is not ready."""
    from e2e.conftest import Receiver

    disk = tmp_path / "copies"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        receiver = Receiver(start, tmp_path)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        (tmp_path / "a.log").write_bytes(b"a line\n")
        sender = follow(start, receiver, "a.log")
        wait_until(lambda: reasons(receiver) == {"cannot begin"})

        ballast.unlink()
        wait_until(lambda: size(receiver.copy("a.log")) == 7)
        wait_until(lambda: reasons(receiver) == set())
        assert sender.stop() == 0
        receiver.program.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# -- send's exit codes


def test_send_exits_with_0_when_all_is_stored_also_after_a_signal(start, receiver, tmp_path):
    for number in (signal.SIGINT, signal.SIGTERM):
        name = f"{number}.log"
        (tmp_path / name).write_bytes(numbered_lines(0, 100))
        sender = follow(start, receiver, name)
        wait_until(lambda name=name: size(receiver.copy(name)) > 0)
        sender.process.send_signal(number)
        assert sender.wait() == 0
        assert sha256(receiver.copy(name)) == sha256(tmp_path / name)


def test_send_exits_with_1_when_something_is_not_stored(receiver, tmp_path):
    """The other file is."""
    (tmp_path / "a.log").write_bytes(b"a")
    done = run(["send", "a.log", "missing.log", "--to", receiver.url, "--site", "s", "--stop-at-eof"], tmp_path)
    assert done.returncode == 1
    assert b"missing.log: no such file" in done.stderr
    assert size(receiver.copy("a.log")) == 1


def test_send_exits_with_2_when_it_is_used_wrongly(tmp_path):
    assert run(["send", "a.log", "--to", "ftp://x", "--site", "s"], tmp_path).returncode == 2


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_send_ends_at_once_with_a_second_signal(start, tmp_path, second, code):
    """The receiver takes the connection and says nothing, so that the first signal has something to wait for."""
    (tmp_path / "a.log").write_bytes(b"a")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = start("send", "a.log", "--to", f"http://127.0.0.1:{silent.getsockname()[1]}", "--site", "s")
        with silent.accept()[0] as connection:
            connection.recv(1)
            sender.process.send_signal(signal.SIGTERM)
            sender.wait_line("a second signal ends at once")
            sender.process.send_signal(second)
            assert sender.wait() == code
