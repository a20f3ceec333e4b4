"""Hypothesis strategies for frames."""

from __future__ import annotations

from hypothesis import strategies as st

from logstreamer.protocol.codec import checksum
from logstreamer.protocol.frames import (
    Abort,
    Accept,
    Ack,
    Data,
    Eof,
    Frame,
    Heartbeat,
    Open,
    Reject,
    Reply,
    Segment,
    SegmentState,
    StreamKey,
)

offsets = st.integers(0, 1 << 62)
names = st.text(max_size=20)
digests = st.binary(max_size=64)
seconds = st.floats(0, 1e9)
payloads = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda b, n: b * n, st.binary(min_size=1, max_size=9), offsets.map(lambda n: n % 9000)),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | names | digests,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


@st.composite
def data_frames(draw: st.DrawFn) -> Data:
    payload = draw(payloads)
    return Data(draw(offsets), checksum(payload), draw(offsets), memoryview(payload))


frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(
        Open,
        st.integers(0, (1 << 64) - 1),
        st.builds(StreamKey, names, names, names, names, names),
        names,
        offsets,
        offsets,
        st.sampled_from(["log", "objects"]),
        st.dictionaries(names, values, max_size=5),
        st.lists(names, max_size=4),
        offsets,
    ),
    st.builds(
        Accept,
        offsets,
        st.integers(1, 1 << 40),
        seconds,
        offsets,
        offsets,
        st.none() | st.builds(SegmentState, offsets, names, offsets, offsets, digests, offsets, digests),
        names,
        offsets,
    ),
    st.builds(Reject, names, names, st.booleans()),
    st.builds(
        Segment,
        offsets,
        offsets,
        names,
        offsets,
        st.sampled_from(["start", "rotated", "truncated", "gap"]),
        st.none() | offsets,
        names,
    ),
    data_frames(),
    st.builds(Heartbeat, offsets, offsets, offsets),
    st.builds(Ack, offsets, st.booleans()),
    st.builds(Eof, offsets, digests, offsets),
    st.builds(Abort, names, names),
    st.builds(Reply, offsets, st.booleans(), payloads.map(memoryview)),
)

stream_ids = st.integers(0, (1 << 32) - 1)
