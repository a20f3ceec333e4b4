"""D2, D3: what the store does when the sidecar, or the stored file, is not what it was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from logstreamer.errors import StoreError
from logstreamer.store import FileChanged, Fingerprint, Store, View
from store.helpers import KEY, PLACE, crash, opened, sidecar, sidecar_json, stored, xxh3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store whose receiver was killed; train.log has b"abcdef" in two segments, other.log b"other"."""
    store = Store(tmp_path)
    stream = opened(store)
    stream.append(0, b"abc")
    stream.start_segment(3, "8:2", 0, "rotated")
    stream.append(3, b"def")
    other = store.open("site-1", "job-7", "other.log", key="other")
    other.begin_run("run-9")
    other.start_segment(0, "8:9", 0, "start")
    other.append(0, b"other")
    crash(store)
    return tmp_path


def rewrite(root: Path, **changes: object) -> None:
    content = sidecar_json(root)
    sidecar(root).write_text(json.dumps({**content, **changes}))


def torn(root: Path) -> None:
    sidecar(root).write_bytes(sidecar(root).read_bytes()[:-40])


DAMAGES = {
    "torn": torn,
    "empty": lambda root: sidecar(root).write_bytes(b""),
    "NULs": lambda root: sidecar(root).write_bytes(b"\0" * 512),
    "NULs behind": lambda root: sidecar(root).write_bytes(sidecar(root).read_bytes() + b"\0" * 512),
    "random bytes": lambda root: sidecar(root).write_bytes(bytes(range(128, 256))),
    "invalid UTF-8": lambda root: sidecar(root).write_bytes(b'{"version":1,"key":"\xff"}'),
    "another type": lambda root: sidecar(root).write_bytes(b"[1, 2]"),
    "deeply nested": lambda root: sidecar(root).write_bytes(b"[" * 100_000),
    "wrong field": lambda root: rewrite(root, runs=7),
    "hole between segments": lambda root: rewrite(root, segments=[{**sidecar_json(root)["segments"][1]}]),
    "run order": lambda root: rewrite(
        root, runs=[{"run": "b", "start": 5, "began": ""}, {"run": "a", "start": 1, "began": ""}]
    ),
    "future version": lambda root: rewrite(root, version=2),
    "missing": lambda root: sidecar(root).unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_d2_a_stream_recovers_from_its_file(root, damage):
    """Its bytes are there and it continues behind them; what it was before is marked as recovered."""
    damage(root)
    had = sidecar(root).read_bytes() if sidecar(root).exists() else None

    with Store(root) as store:
        before = {record.path: record for record in store.streams()}["/".join(PLACE)]
        assert (before.state, before.size) == ("unknown", 6)
        assert [trouble.kind for trouble in before.troubles] == ["recovered"]

        stream = store.open(*PLACE, key=KEY)
        assert stream.path == "/".join(PLACE)
        assert stream.durable == 6
        assert stream.begin_run("run-2") == 6
        stream.append(6, b"ghi")
        stream.finish()
        record = stream.record()

    assert stored(root).read_bytes() == b"abcdefghi"
    assert [(s.offset, s.end, s.source, s.reason) for s in record.segments] == [(0, 9, "", "recovered")]
    assert record.digest == xxh3(b"abcdefghi").hex()
    assert [(t.kind, t.size) for t in record.troubles] == [("recovered", 6)]
    aside = Path(f"{sidecar(root)}.bad")
    assert (aside.read_bytes() if aside.exists() else None) == had


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_d2_the_other_streams_are_untouched(root, damage):
    before = sidecar(root, "other.log").read_bytes()
    damage(root)
    with Store(root) as store:
        assert sidecar(root, "other.log").read_bytes() == before
        other = store.open("site-1", "job-7", "other.log", key="other")
        assert other.begin_run("run-9") == 0
        assert other.record().troubles == ()


def test_d2_a_recovered_stream_offers_its_bytes_for_comparison(root):
    """No source is known, but head and anchor are: a sender whose file has them continues, and nothing is doubled."""
    torn(root)
    with Store(root) as store:
        point = store.open(*PLACE, key=KEY).resume_point()
    whole = Fingerprint(6, hashlib.sha256(b"abcdef").digest())
    assert point is not None
    assert (point.source, point.offset, point.source_offset) == ("", 0, 0)
    assert (point.head, point.anchor) == (whole, whole)


def test_d2_every_unusable_sidecar_is_kept(root):
    for count in range(1, 4):
        sidecar(root).write_bytes(b"broken %d" % count)
        store = Store(root)
        opened(store)
        crash(store)
    kept = sorted(path.name for path in stored(root).parent.glob(".train.log*.bad*"))
    assert kept == [f".train.log.logstreamer.json.bad{end}" for end in ("", ".2", ".3")]


def test_d2_a_finished_file_without_a_usable_sidecar_stays_as_it_is(tmp_path):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        stream.finish()
    torn(tmp_path)
    with Store(tmp_path) as store:
        assert opened(store).path == "site-1/job-7/train.log.2"
    assert stored(tmp_path).read_bytes() == b"abc"


def test_d2_a_sidecar_of_the_future_still_tells_whose_stream_it_is(root):
    rewrite(root, version=2)
    with Store(root) as store:
        assert opened(store, key="another key").path == "site-1/job-7/train.log.2"
        assert opened(store).path == "site-1/job-7/train.log"


def test_d2_a_numbered_file_without_sidecar_is_not_taken_for_a_successor(tmp_path):
    """`train.log.2` may be a stream that is called so."""
    store = Store(tmp_path)
    stream = store.open("site-1", "job-7", "train.log.2", key="another")
    stream.begin_run("run-1")
    stream.start_segment(0, "8:1", 0, "start")
    stream.append(0, b"rotated away")
    crash(store)
    sidecar(tmp_path, "train.log.2").write_bytes(b"")
    with Store(tmp_path) as store:
        assert opened(store).path == "site-1/job-7/train.log.3"
    assert stored(tmp_path, "train.log.2").read_bytes() == b"rotated away"


def test_a_sidecar_whose_file_was_removed_begins_at_zero_and_says_so(root):
    stored(root).unlink()
    with View(root) as view:
        assert {r.path: [t.kind for t in r.troubles] for r in view.streams()}["/".join(PLACE)] == ["shorter"]
    with Store(root) as store:
        stream = opened(store)
        assert stream.durable == 0
        assert [trouble.kind for trouble in stream.record().troubles] == ["shorter"]
        stream.append(0, b"again")
    assert stored(root).read_bytes() == b"again"


# -- D3


def test_d3_a_longer_file_is_normal(root):
    """Chunks do not write the sidecar, so after a crash the file is ahead of it."""
    assert sidecar_json(root)["size"] == 3
    with Store(root) as store:
        stream = opened(store)
        assert stream.durable == 6
        assert stream.record().troubles == ()
        assert [s.offset for s in stream.record().segments] == [0, 3]


@pytest.mark.parametrize(("size", "segments"), [(0, 1), (2, 1), (3, 2), (5, 2)])
def test_d3_a_shorter_file_is_shown_and_continued(root, size, segments):
    """What is missing is asked for again, from the segment that holds the end."""
    with Store(root) as store:
        opened(store).set_state("quiet")  # the sidecar knows all 6 bytes now
    os.truncate(stored(root), size)

    with View(root) as view:
        seen = {record.path: record for record in view.streams()}["/".join(PLACE)]
        assert [(trouble.kind, trouble.size) for trouble in seen.troubles] == [("shorter", size)]
        assert (seen.segments[-1].end, seen.segments[-1].digest) == (None, None)
    with Store(root) as store:
        stream = store.open(*PLACE, key=KEY)
        assert stream.durable == size
        assert stream.segments == segments
        assert stream.begin_run("run-1") == size
        point = stream.resume_point()
        assert point is not None
        assert point.source == ("8:1" if segments == 1 else "8:2")
        stream.append(size, b"abcdef"[size:])
        stream.finish()
        record = stream.record()
    assert stored(root).read_bytes() == b"abcdef"
    assert [trouble.kind for trouble in record.troubles] == ["shorter"]
    assert f"{6 - size} of 6 bytes are missing" in record.troubles[0].detail
    assert sidecar_json(root)["troubles"][0]["kind"] == "shorter"


def test_d3_a_crash_at_a_segment_switch_leaves_no_byte_in_the_wrong_segment(tmp_path):
    store = Store(tmp_path)
    stream = opened(store)
    stream.append(0, b"abc")
    stream.start_segment(3, "8:2", 0, "rotated")
    crash(store)  # before the first byte of 8:2

    with Store(tmp_path) as store:
        stream = opened(store)
        point = stream.resume_point()
        assert point is not None
        assert (point.offset, point.source, point.head.length) == (3, "8:2", 0)
        stream.start_segment(3, "8:2", 0, "rotated")
        assert stream.segments == 2


@pytest.mark.parametrize(("change", "kind"), [(b"abcdefg", "longer"), (b"abcde", "shorter")])
def test_d3_a_finished_file_that_was_changed_is_shown(root, change, kind):
    with Store(root) as store:
        opened(store).finish()
    stored(root).chmod(0o644)
    stored(root).write_bytes(change)
    with View(root) as view:
        record = {record.path: record for record in view.streams()}["/".join(PLACE)]
    assert record.state == "finished"
    assert [trouble.kind for trouble in record.troubles] == [kind]


# -- somebody else's hands in the store while the receiver runs


@pytest.mark.parametrize(
    "meddle",
    [
        lambda path: os.truncate(path, 2),
        lambda path: os.write(fd := os.open(path, os.O_WRONLY | os.O_APPEND), b"!") and os.close(fd),
        Path.unlink,
    ],
    ids=["cut", "grown", "removed"],
)
def test_a_file_changed_by_somebody_else_takes_no_more_bytes(tmp_path, meddle):
    with Store(tmp_path) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        meddle(stored(tmp_path))
        for _ in range(2):
            with pytest.raises(FileChanged, match="changed or removed by somebody else"):
                stream.append(3, b"def")
        with pytest.raises(StoreError):
            stream.finish()
        stream.close()

        stream = opened(store, run="run-2")
        assert stream.durable == (stored(tmp_path).stat().st_size)
        assert [trouble.kind for trouble in stream.record().troubles] in (["shorter"], ["longer"])


def test_a_file_replaced_while_its_descriptor_was_closed_is_noticed(tmp_path):
    with Store(tmp_path, max_open=1) as store:
        stream = opened(store)
        stream.append(0, b"abc")
        store.open("site-1", "job-7", "other.log", key="other")  # takes the only descriptor
        stored(tmp_path).rename(tmp_path / "kept")
        stored(tmp_path).write_bytes(b"abc")
        with pytest.raises(FileChanged):
            stream.append(3, b"def")
    assert stored(tmp_path).read_bytes() == b"abc"
