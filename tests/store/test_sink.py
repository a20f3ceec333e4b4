"""What the store's sink says of an end."""

from __future__ import annotations

import pytest
import xxhash

from logstreamer import ReturnCode
from logstreamer.protocol.frames import Data, Eof, Open, Segment, StreamKey
from logstreamer.store import Store, verify
from logstreamer.store_sink import Stored, StoreSink


@pytest.mark.parametrize(("sent", "finished"), [(b"as sent", True), (b"as Sent", False)])
def test_an_end_is_confirmed_only_of_the_bytes_that_were_sent(tmp_path, sent, finished):
    """The digest of the sender's run is compared with what lies in the store."""
    with Store(tmp_path) as store:
        sink = StoreSink(Stored(store, idle_timeout=30.0), "site-1")
        begun = sink.begin(Open(1, StreamKey("logs", "train", "job-7", "train.log"), "run-1"))
        sink.segment(Segment(0, 0, "file", 0, "start"))
        sink.data(Data(0, 0, 1, memoryview(b"as sent")))

        verdict = sink.eof(Eof(7, xxhash.xxh3_128_digest(sent), 1), begun.run_start)

        assert verdict.rc == (None if finished else ReturnCode.EXECUTION_EXCEPTION)
        assert [record.finished is not None for record in store.streams()] == [finished]
        sink.end("OK" if finished else verdict.rc, verdict.reason)
        # Somebody who looks later hears of it too.
        assert [report.status for report in verify(store)] == ["ok" if finished else "damaged"]
        assert [trouble.kind for record in store.streams() for trouble in record.troubles] == ["differs"] * (
            not finished
        )


def test_a_segment_behind_a_long_one_gives_other_streams_their_turn(tmp_path, monkeypatch):
    """After a restart its bytes are read again for its digest, in pieces."""
    monkeypatch.setattr("logstreamer.store_sink.CATCH_UP", 10)
    key = StreamKey("logs", "train", "job-7", "train.log")
    for run in ("run-1", "run-2"):
        with Store(tmp_path) as store:
            sink = StoreSink(Stored(store, idle_timeout=30.0), "site-1")
            sink.begin(Open(1, key, run))
            if run == "run-1":
                sink.segment(Segment(0, 0, "file", 0, "start"))
                sink.data(Data(0, 0, 1, memoryview(b"x" * 35)))
                continue
            verdicts = [sink.segment(Segment(1, 35, "next", 0, "rotated")) for _ in range(4)]
            assert [verdict.again for verdict in verdicts] == [True, True, True, False]
            [record] = store.streams()
            assert [segment.end for segment in record.segments] == [35, None]
            assert [report.damage for report in verify(store)] == [()]
