"""N8: the machine's power goes at any step. With `--fsync` what was acknowledged is there afterwards."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest
import xxhash

from logstreamer.protocol.frames import Data, Eof, Open, Segment, StreamKey
from logstreamer.store import Store, verify
from logstreamer.store_sink import Stored, StoreSink
from power.recording import Disk
from store.helpers import crash

SITE, KEY = "site-1", StreamKey("logs", "train", "job-7", "deep/train.log", "/var/log/train.log")
COPY = Path("site-1", "job-7", "deep", "train.log")


class Killed(BaseException):
    """The process, or the power, ends here."""


class Sender:
    """What a site wants stored, some of it from a second and a third file, and what it was told to be durable."""

    def __init__(self, dice: random.Random) -> None:
        self.parts = [dice.randbytes(dice.randint(0, 3000)) for _ in range(dice.randint(1, 4))]
        self.starts = [sum(map(len, self.parts[:index])) for index in range(len(self.parts))]
        self.whole = b"".join(self.parts)
        self.acked = 0
        self.finished = False
        self._dice = dice
        self._run = 0

    def attach(self, stored: Stored, *, same_run: bool = False) -> None:
        """Open the stream and send what is missing, to its end; each acknowledgement is remembered as it is given."""
        self._run += not same_run
        sink = StoreSink(stored, SITE)
        begun = sink.begin(Open(1, KEY, f"run-{self._run}"))
        offset, segments = begun.position.durable, begun.position.segments
        assert offset <= len(self.whole)
        assert segments == len(self.parts) or offset <= self.starts[segments], "its segments are gone"
        self._told(offset)
        while offset < len(self.whole) or segments < len(self.parts):
            for _ in range(self._dice.randint(1, 4)):  # some frames are committed together
                if segments < len(self.parts) and self.starts[segments] == offset:
                    reason = "rotated" if segments else "start"
                    sink.segment(Segment(segments, offset, f"file-{segments}", 0, reason))
                    segments += 1
                else:
                    end = self.starts[segments] if segments < len(self.parts) else len(self.whole)
                    payload = self.whole[offset : min(end, offset + self._dice.randint(1, 700))]
                    sink.data(Data(offset, 0, segments, memoryview(payload)))
                    offset += len(payload)
                if offset == len(self.whole) and segments == len(self.parts):
                    break
            if offset == len(self.whole) and segments == len(self.parts) and self._dice.random() < 0.5:
                break  # the last bytes and the end are committed together
            sink.commit()
            self._told(offset)
        digest = xxhash.xxh3_128_digest(self.whole[begun.run_start :])
        verdict = sink.eof(Eof(offset, digest, segments), begun.run_start)
        assert (verdict.rc, verdict.again) == (None, False)
        sink.commit()
        self._told(offset)
        self.finished = True

    def _told(self, offset: int) -> None:
        self.acked = max(self.acked, offset)


def a_life(directory: Path, dice: random.Random, patch: pytest.MonkeyPatch, *, fsync: bool) -> tuple[Sender, Disk]:
    """A receiver and a sender until the power goes; before that the receiver alone may be killed, and started again."""
    sender = Sender(dice)
    directory.mkdir()
    disk = Disk(directory, patch)
    for ending in [*dice.choices(["killed", "stopped"], k=dice.randint(0, 2)), "power"]:
        left = dice.randint(1, 60 if ending == "power" else 25)

        def cut() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        disk.cut = cut
        store = None
        with suppress(Killed):
            store = Store(directory / "deep" / "store", fsync=fsync)
            sender.attach(Stored(store, idle_timeout=30.0, sync=fsync))
        disk.cut = lambda: None
        if store is None:
            continue
        if ending == "stopped":
            store.close()
        else:
            crash(store)
        if sender.finished:
            break
    return sender, disk


def check(root: Path, sender: Sender) -> None:
    """What was acknowledged is there, and the stream goes on to its end as if nothing had happened."""
    copy = root / COPY
    left = copy.read_bytes() if copy.exists() else b""
    assert len(left) >= sender.acked, f"{sender.acked - len(left)} acknowledged bytes are gone"
    assert left == sender.whole[: len(left)]
    with Store(root) as store:
        was_finished = [record for record in store.streams() if record.finished]
        assert bool(was_finished) or not sender.finished, "the end was confirmed and is forgotten"
        if not was_finished:
            sender.attach(Stored(store, idle_timeout=30.0))
        (report,) = verify(store)
        assert report.path == str(COPY)
        (record,) = store.streams()
    assert copy.read_bytes() == sender.whole
    assert (report.status, report.gaps) == ("ok", ())
    assert [trouble for trouble in record.troubles if trouble.kind != "recovered"] == []


def lives(tmp_path: Path, patch: pytest.MonkeyPatch, number: int, *, fsync: bool) -> list[str]:
    """What went wrong in *number* lives, each with a few ways for its disk to look afterwards."""
    seed = int(os.environ.get("POWER_SEED", random.randrange(1 << 32)))
    print(f"POWER_SEED={seed}")
    faults = []
    for life in range(number):
        dice = random.Random(f"{seed} {life}")
        with patch.context() as record:
            sender, disk = a_life(tmp_path / f"{life}", dice, record, fsync=fsync)
        for state in range(3):
            root = tmp_path / f"{life}-{state}"
            disk.after_power_loss(root, dice)
            before = (sender.acked, sender.finished)
            try:
                check(root / "deep" / "store", sender)
            except (AssertionError, OSError) as error:
                faults.append(f"life {life}, state {state}: {error}")
            sender.acked, sender.finished = before
    return faults


def test_n8_with_fsync_no_acknowledged_byte_is_lost_with_the_power(tmp_path, monkeypatch):
    """Receivers killed and restarted before that, too. Set POWER_SEED to see the same lives again."""
    assert lives(tmp_path, monkeypatch, 150, fsync=True) == []


def test_n8_without_fsync_the_same_test_finds_lost_bytes(tmp_path, monkeypatch):
    """It can fail: this is what `--fsync` is for."""
    assert any("acknowledged bytes are gone" in fault for fault in lives(tmp_path, monkeypatch, 30, fsync=False))


@pytest.mark.parametrize("forgotten", ["sync_data", "sync_dir"])
def test_n8_each_sync_is_needed(tmp_path, monkeypatch, forgotten):
    """Without any one of them bytes are lost."""
    monkeypatch.setattr(f"logstreamer.store.disk.{forgotten}", lambda it: None)
    assert lives(tmp_path, monkeypatch, 150, fsync=True)


def test_n8_bytes_that_a_killed_receiver_left_unsynced_are_synced_before_they_count(tmp_path, monkeypatch):
    """The next receiver tells the sender to go on behind them, so that it may throw its own away."""
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk", monkeypatch)
    root = tmp_path / "disk" / "store"
    store = Store(root, fsync=True)
    sink = StoreSink(Stored(store, idle_timeout=30.0, sync=True), SITE)
    sink.begin(Open(1, KEY, "run-1"))
    sink.segment(Segment(0, 0, "file", 0, "start"))
    sink.data(Data(0, 0, 1, memoryview(b"unsynced")))
    crash(store)

    store = Store(root, fsync=True)
    begun = StoreSink(Stored(store, idle_timeout=30.0, sync=True), SITE).begin(Open(1, KEY, "run-2"))
    assert begun.position.durable == len(b"unsynced")
    crash(store)
    for state in range(20):
        disk.after_power_loss(tmp_path / f"{state}", random.Random(state))
        assert (tmp_path / f"{state}" / "store" / COPY).read_bytes() == b"unsynced"


def test_n8_the_end_is_never_on_the_disk_before_the_last_bytes(tmp_path, monkeypatch):
    """A copy that says finished, and has lost its end, would never be filled up again."""
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk", monkeypatch)
    store = Store(tmp_path / "disk" / "store", fsync=True)
    sink = StoreSink(Stored(store, idle_timeout=30.0, sync=True), SITE)
    sink.begin(Open(1, KEY, "run-1"))
    sink.segment(Segment(0, 0, "file", 0, "start"))
    sink.data(Data(0, 0, 1, memoryview(b"last bytes")))
    sink.eof(Eof(10, xxhash.xxh3_128_digest(b"last bytes"), 1), 0)
    crash(store)  # before the commit of both

    for state in range(20):
        root = tmp_path / f"{state}"
        disk.after_power_loss(root, random.Random(state))
        with Store.view(root / "store") as view:
            assert [record.finished is not None for record in view.streams()] == [True]
        assert (root / "store" / COPY).read_bytes() == b"last bytes"
