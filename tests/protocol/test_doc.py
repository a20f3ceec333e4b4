"""docs/protocol.md against the code: its bytes, its tables and its numbers."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest
import xxhash

from logstreamer.protocol import codec, frames, receiver, sender, window
from logstreamer.protocol.codec import checksum, decode, encode
from logstreamer.protocol.frames import Accept, Ack, Data, Eof, Frame, Heartbeat, Open, Segment, StreamKey

DOC = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")

LINES = b"hello\nworld\n"
KEY = StreamKey("log_streaming", "live_log", "job-7", "train.log", "/var/log/train.log")
EXAMPLE: list[Frame] = [
    Open(1, KEY, "r1", meta={"Streamer.file_name": "train.log"}, encodings=["zstd"], attempt=1),
    Accept(0, 65536, 30.0, encoding="zstd", attempt=1),
    Segment(0, 0, "/var/log/train.log", 0, "start"),
    Data(0, checksum(LINES), 1, memoryview(LINES)),
    Heartbeat(12, 12, 1),
    Ack(12),
    Eof(12, xxhash.xxh3_128_digest(LINES), 1),
    Ack(12, final=True),
]


def hex_lines(message: bytes) -> str:
    """As in the document: the prefix on a line of its own, then 24 bytes to a line."""
    header = [message[at : at + 24] for at in range(7, len(message), 24)]
    return "\n".join(part.hex(" ") for part in (message[:7], *header))


@pytest.mark.parametrize("number", range(len(EXAMPLE)))
def test_worked_example_has_the_bytes_of_the_codec(number: int):
    blocks = re.findall(r"```hex\n(.*?)\n```", DOC, re.DOTALL)
    assert len(blocks) == len(EXAMPLE)
    frame = EXAMPLE[number]
    assert blocks[number] == hex_lines(encode(1, frame))
    assert decode(bytes.fromhex(blocks[number].replace("\n", " "))) == (1, frame)


def table(allowed: dict[Enum, frozenset[type[Frame]]]) -> str:
    kinds = [kind for kind in Frame.__subclasses__() if any(kind in taken for taken in allowed.values())]
    rows = ["| state | " + " | ".join(kind.__name__ for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for state, taken in allowed.items():
        rows.append(f"| {state.name} | " + " | ".join("yes" if kind in taken else "" for kind in kinds) + " |")
    return "\n".join(rows)


@pytest.mark.parametrize("side", [sender, receiver])
def test_state_tables_are_those_of_the_code(side):
    assert table(side.ALLOWED) in DOC


@pytest.mark.parametrize("kind", Frame.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_frame_is_described_with_its_fields_in_order(kind: type[Frame]):
    fields = [name for name in kind.__struct_fields__ if name != "payload"]
    row = f"| {kind.__struct_config__.tag} | {kind.__name__} | {', '.join(f'`{name}`' for name in fields)} |"
    assert row in DOC


@pytest.mark.parametrize("part", [frames.StreamKey, frames.SegmentState])
def test_parts_of_frames_are_described_in_order(part: type):
    assert ", ".join(f"`{name}`" for name in part.__struct_fields__) in DOC


def test_limits_are_those_of_the_code():
    for line in (
        f"| payload of one Data or Reply, decompressed | {frames.MAX_PAYLOAD} bytes |",
        f"| header | {codec.MAX_HEADER} bytes |",
        f"| message | {codec.MAX_MESSAGE} bytes |",
        f"| name, source, reason, detail | {frames.MAX_NAME} characters |",
        f"| in flight, whatever Accept.window says | {window.MAX_WINDOW} bytes |",
        f"| payload worth compressing | {codec.MIN_COMPRESSED} bytes or more |",
    ):
        assert line in DOC
