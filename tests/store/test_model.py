"""Random lives of a stream against a model: the file is what was appended, whatever came in between."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logstreamer.errors import OffsetMismatch, StoreError
from logstreamer.store import Store, StreamFile, verify
from store.helpers import PLACE, crash, sidecar, xxh3

KEYS = ["key-1", "key-2"]


@dataclass
class Model:
    """What one stored file must be."""

    key: str
    data: bytes = b""
    starts: list[tuple[int, str, int | None]] = field(default_factory=list)
    run: str = ""
    run_start: int = 0
    finished: bool = False


class StoreMachine(RuleBasedStateMachine):
    """Two keys at one place."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.store = Store(self.root, max_open=1)
        self.streams: dict[str, StreamFile] = {}
        self.models: dict[str, Model] = {}  # by path, in order of creation
        self.sources = 0

    def teardown(self) -> None:
        self.store.close()
        with Store(self.root) as store:
            for report in verify(store):
                assert report.status == ("ok" if self.models[report.path].finished else "unfinished")
        shutil.rmtree(self.root)

    def model(self, key: str) -> Model:
        return self.models[self.streams[key].path]

    def is_open(self, key: str) -> bool:
        return key in self.streams and not self.model(key).finished

    @initialize()
    def first(self) -> None:
        self.open("key-1")

    @rule(key=st.sampled_from(KEYS))
    def open(self, key: str) -> None:
        if self.is_open(key):
            with pytest.raises(StoreError, match="open already"):
                self.store.open(*PLACE, key=key)
            return
        unfinished = [path for path, model in self.models.items() if model.key == key and not model.finished]
        stream = self.streams[key] = self.store.open(*PLACE, key=key)
        if unfinished:
            assert [stream.path] == unfinished
        else:
            number = len(self.models) + 1
            assert stream.path == "/".join(PLACE) + (f".{number}" if number > 1 else "")
            self.models[stream.path] = Model(key)

    @rule(key=st.sampled_from(KEYS), run=st.sampled_from(["run-1", "run-2"]))
    def begin_run(self, key: str, run: str) -> None:
        if self.is_open(key):
            model = self.model(key)
            if model.run != run:
                model.run, model.run_start = run, len(model.data)
            assert self.streams[key].begin_run(run) == model.run_start

    @rule(key=st.sampled_from(KEYS), rc=st.sampled_from(["TIMEOUT", "TASK_ABORTED"]))
    def end_run(self, key: str, rc: str) -> None:
        if self.is_open(key):
            self.streams[key].end_run(rc, "")
            self.model(key).run = ""

    @rule(key=st.sampled_from(KEYS), lost=st.sampled_from([0, 0, 7, None]), again=st.booleans())
    def start_segment(self, key: str, lost: int | None, again: bool) -> None:
        if self.is_open(key):
            self.sources += 1
            model = self.model(key)
            start = (len(model.data), str(self.sources), lost)
            model.starts.append(start)
            for _ in range(1 + again):
                self.streams[key].start_segment(start[0], start[1], 0, "rotated", lost)

    @rule(key=st.sampled_from(KEYS), data=st.binary(max_size=80), shift=st.sampled_from([0, 0, 0, 0, -1, 1, 9]))
    def append(self, key: str, data: bytes, shift: int) -> None:
        if not self.is_open(key):
            return
        stream, model = self.streams[key], self.model(key)
        offset = len(model.data) + shift
        if shift:
            with pytest.raises(OffsetMismatch):
                stream.append(offset, data)
        elif not model.starts:
            with pytest.raises(StoreError, match="before its first segment"):
                stream.append(offset, data)
        else:
            model.data += data
            assert stream.append(offset, memoryview(data)) == len(model.data)

    @rule(key=st.sampled_from(KEYS))
    def check_digest(self, key: str) -> None:
        if self.is_open(key):
            model = self.model(key)
            assert self.streams[key].check_run_digest(model.run_start, xxh3(model.data[model.run_start :]))
            assert not self.streams[key].check_run_digest(model.run_start, b"")

    @rule(key=st.sampled_from(KEYS), limit=st.integers(0, 100))
    def catch_up(self, key: str, limit: int) -> None:
        if self.is_open(key):
            self.streams[key].catch_up(limit)

    @rule(key=st.sampled_from(KEYS))
    def finish(self, key: str) -> None:
        if self.is_open(key):
            self.streams[key].finish()
            self.model(key).finished = True

    @rule(key=st.sampled_from(KEYS))
    def close(self, key: str) -> None:
        if key in self.streams:
            self.streams.pop(key).close()

    @rule()
    def kill(self) -> None:
        """The receiver is killed: objects are dropped, and another one starts."""
        crash(self.store)
        self.streams.clear()
        self.store = Store(self.root, max_open=1)

    @precondition(lambda self: not self.streams)
    @rule()
    def leave_a_torn_temporary(self) -> None:
        if self.models:
            Path(f"{sidecar(self.root)}.tmp").write_bytes(b'{"version":1,"ke')

    @invariant()
    def the_store_is_the_model(self) -> None:
        records = {record.path: record for record in self.store.streams()}
        assert sorted(records) == sorted(self.models)
        for path, model in self.models.items():
            record = records[path]
            assert (self.root / path).read_bytes() == model.data
            assert record.size == len(model.data)
            assert record.troubles == ()
            assert (record.state == "finished") == model.finished
            assert [(s.offset, s.source, s.lost) for s in record.segments] == model.starts
            assert [(gap.offset, gap.lost) for gap in record.gaps] == [(s[0], s[2]) for s in model.starts if s[2] != 0]
            if model.finished:
                assert record.digest == xxh3(model.data).hex()


StoreMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStoreMachine = StoreMachine.TestCase
