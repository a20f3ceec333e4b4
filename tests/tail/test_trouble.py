"""Rows T13, T15, T17-T19 of the faults: what cannot be seen, and what ends."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logstreamer.tail import locate
from logstreamer.tail.content import Content
from tail.tailing import Log, Reading

Follow = Callable[..., Reading]


def test_t13_file_missing_at_first(log: Log, follow: Follow):
    reading = follow()
    assert reading.step() == b""
    assert (reading.follower.exists, reading.follower.trouble) == (False, None)

    text = log.append(3)

    assert reading.step() == text
    assert reading.reasons == ["start"]
    assert reading.follower.exists


def test_t13_directory_missing_at_first(tmp_path: Path, follow: Follow):
    log = Log(tmp_path / "run" / "logs" / "app.log")
    reading = follow(path=log.path)
    reading.step()
    log.path.parent.mkdir(parents=True)

    text = log.append(3)

    assert reading.step() == text


def test_t13_rotated_before_it_was_ever_seen(log: Log, follow: Follow):
    reading = follow()
    reading.step()
    written = log.append(3)
    log.rotate(create=False)
    reading.step()
    log.rotate() if log.path.exists() else log.create()
    written += log.append(3)

    reading.settle()

    assert reading.data == written
    assert reading.reasons == ["start", "rotated"]


def test_t13_disappears_for_minutes_and_comes_back(log: Log, follow: Follow):
    text = log.append(3)
    reading = follow()
    reading.step()
    away = log.path.rename(log.path.with_name("elsewhere"))
    for _ in range(100):
        assert reading.step(3.0) == b""
    assert not reading.follower.exists
    away.rename(log.path)
    text += log.append(2)

    reading.settle()

    assert reading.data == text
    assert reading.reasons == ["start"]


def test_t13_permission_taken_and_given_back(log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch):
    """Root may read everything: the refusal is put into os.stat, where a directory without x makes it."""
    text = log.append(3)
    reading = follow()
    reading.step()
    stat = os.stat

    def refuse(path, *args, **kwargs):
        if path == str(log.path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    for _ in range(100):
        reading.step(3.0)
    assert reading.follower.trouble == "permission denied"
    monkeypatch.undo()
    text += log.append(3)

    reading.settle()

    assert reading.data == text
    assert reading.reasons == ["start"]
    assert reading.follower.trouble is None


def run_as_nobody(tmp_path: Path, code: str, limit: str = "") -> str:
    """Run *code* in a process of its own, without root's right to read everything."""
    prelude = f"""
        import os, resource, sys
        from pathlib import Path
        sys.path.insert(0, {os.path.dirname(os.path.dirname(__file__))!r})
        from tail.tailing import Log, Reading
        path = Path({str(tmp_path)!r}) / "app.log"
        {limit or "os.setuid(65534)" if os.getuid() == 0 or limit else "pass"}
    """
    script = textwrap.dedent(prelude) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def nobodys_home() -> Iterator[Path]:
    """A directory that a process without rights owns and can reach; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory() as name:
        if os.getuid() == 0:
            os.chown(name, 65534, 65534)
        yield Path(name)


def test_t13_real_permissions(nobodys_home: Path):
    """As in a process without root's rights: not readable at first, then it is; a directory that is closed."""
    output = run_as_nobody(
        nobodys_home,
        """
        log = Log(path)
        text = log.append(3)
        path.chmod(0)
        reading = Reading(path)
        print(reading.follower.trouble, reading.follower.exists)
        path.chmod(0o400)
        assert reading.step() == text
        path.parent.chmod(0)
        for _ in range(10):
            reading.step(3.0)
        print(reading.follower.trouble, reading.follower.exists)
        path.parent.chmod(0o700)
        path.chmod(0o600)
        text += log.append(2)
        reading.settle()
        assert reading.data == text
        assert reading.reasons == ["start"]
        path.parent.chmod(0o300)  # may be entered, not listed
        log.path.rename(path.with_name("app.log.1"))
        text += log.append(2)
        reading.settle()
        assert reading.data == text
        path.parent.chmod(0o777)
        print(reading.follower.trouble)
        """,
    )
    assert output.splitlines() == ["permission denied False", "permission denied True", "None"]


def test_t15_no_descriptors_left_is_unknown_and_not_deleted(tmp_path: Path):
    output = run_as_nobody(
        tmp_path,
        """
        log = Log(path)
        text = log.append(3)
        reading = Reading(path)
        reading.step()
        log.rotate()
        text += log.append(3)
        log.rotate()
        text += log.append(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        hogs = []
        try:
            while True:
                hogs.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        for spare in range(4):  # none, then one and two too few, then just enough
            for _ in range(20):
                reading.step(3.0)
            print(spare, reading.follower.trouble, len(reading.data) == len(text))
            os.close(hogs.pop())
        reading.settle()
        assert reading.data == text
        assert reading.lost == []
        print(reading.follower.trouble)
        """,
        limit="resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))",
    )
    lines = output.splitlines()
    assert lines[0] == "0 too many open files False"
    assert lines[-1] == "None"


def test_t15_no_descriptors_left_while_resuming(log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch):
    log.append(3)
    before = follow()
    before.step()
    point = before.resume_point()
    before.close()
    log.rotate()
    new = log.append(2)
    really = os.open

    def exhausted(*args, **kwargs):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", exhausted)
    after = follow(resume=point)
    for _ in range(5):
        assert after.step() == b""
    assert after.follower.trouble == "too many open files"
    monkeypatch.setattr(os, "open", really)
    after.settle()

    assert after.data == new
    assert after.reasons == ["rotated"]


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "device"])
def test_what_is_no_file_is_waited_out(log: Log, follow: Follow, kind: str):
    if kind == "directory":
        log.path.mkdir()
    elif kind == "pipe":
        os.mkfifo(log.path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(log.path.parent)  # a socket's path is short
            server.bind(log.path.name)
    else:
        log.path.symlink_to("/dev/null")
    reading = follow()
    assert reading.follower.trouble == f"is a {kind}, not a file"
    assert not reading.follower.exists
    log.path.rmdir() if kind == "directory" else log.path.unlink()

    text = log.append(1)

    assert reading.step() == text
    assert reading.follower.trouble is None


def test_a_symlink_loop_is_trouble(log: Log, follow: Follow):
    log.path.symlink_to(log.path)
    reading = follow()
    assert reading.follower.trouble == "too many levels of symbolic links"


def test_a_condition_is_logged_once(log: Log, follow: Follow, caplog: pytest.LogCaptureFixture):
    reading = follow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            os, "stat", lambda *args, **kwargs: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
        for _ in range(50):
            reading.step()
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "permission denied; will look again" in warnings[0].getMessage()


def test_t17_behind_says_what_remains_of_a_writer_that_never_stops(log: Log, follow: Follow):
    reading = follow(limit=13)
    for _ in range(5):
        log.append(10)
        reading.poll()
        reading.read(2)

    assert reading.cursor.behind == 50 * 13 - len(reading.data)
    assert 0 < len(reading.data) < 50 * 13


def test_t18_what_is_written_between_two_empty_reads_is_read(log: Log, follow: Follow):
    log.append(1)
    reading = follow()
    reading.step()
    assert reading.step() == b""
    last = log.append(1)
    assert reading.step() == last


def test_t19_reading_touches_nothing(log: Log, follow: Follow):
    """Nothing is written, so a follower never wakes another. (atime is left to the mount, as for any reader.)"""
    log.append(100)
    log.rotate()
    log.append(100)
    before = {path: path.stat() for path in log.path.parent.iterdir()}
    reading = follow()
    reading.settle()
    after = {path: path.stat() for path in log.path.parent.iterdir()}
    assert {p: (s.st_mtime_ns, s.st_ctime_ns, s.st_size) for p, s in before.items()} == {
        p: (s.st_mtime_ns, s.st_ctime_ns, s.st_size) for p, s in after.items()
    }


def test_t19_a_quiet_file_makes_no_log_records(log: Log, follow: Follow, caplog: pytest.LogCaptureFixture):
    log.append(3)
    reading = follow()
    reading.settle()
    caplog.clear()
    with caplog.at_level("DEBUG", logger="logstreamer"):
        for _ in range(10):
            log.append(1)
            reading.step()
    assert caplog.records == []


def test_names_that_are_not_utf8(tmp_path: Path, follow: Follow):
    log = Log(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.log")))
    written = log.append(2)
    reading = follow(path=os.fsencode(log.path))
    for _ in range(2):
        log.rotate()
        written += log.append(1)

    reading.settle()

    assert reading.data == written


def test_a_relative_path_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: Follow):
    monkeypatch.chdir(tmp_path)
    log = Log(Path("app.log"))
    written = log.append(2)
    reading = follow(path="app.log")
    for _ in range(2):
        log.rotate()
        written += log.append(1)

    reading.settle()

    assert reading.data == written


def test_a_closed_follower_has_no_timer_and_reads_nothing(log: Log, follow: Follow):
    log.append(2)
    reading = follow()
    reading.close()
    reading.close()
    assert reading.follower.get_timer() is None
    assert reading.step() == b""


def test_the_timer_is_the_poll_interval_and_now_after_a_wake(log: Log, follow: Follow):
    log.append(2)
    reading = follow(poll_interval=0.25)
    reading.poll(7.0)
    assert reading.follower.get_timer() == 7.25
    reading.follower.wake()
    assert reading.follower.get_timer() <= 7.0
    reading.poll(0.0)
    assert reading.follower.get_timer() == 7.25


def test_a_limit_below_one_is_refused(log: Log, follow: Follow):
    with pytest.raises(ValueError, match="limit"):
        follow().cursor.read(0, 0.0)


def test_t15_no_descriptor_left_for_a_rotated_file_is_no_gap(log: Log, follow: Follow, monkeypatch: pytest.MonkeyPatch):
    """It is opened at a later look; one that may not be read at all is a gap at once."""
    written = log.append(1)
    reading = follow()
    reading.step()
    for _ in range(2):
        log.rotate()
        written += log.append(1)
    opened = locate.open_content

    def exhausted(path: str, packed: str = "") -> Content:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(locate, "open_content", exhausted)
    reading.step()
    assert reading.follower.trouble == "too many open files"
    monkeypatch.setattr(locate, "open_content", opened)
    reading.settle()

    assert reading.data == written
    assert reading.lost == []
