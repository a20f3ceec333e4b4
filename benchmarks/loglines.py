"""Log lines like those of a training job: the same ones for the same seed, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

VERSION = 2
"""Part of the cached file's name: raise it when the text changes."""

_BLOCK = 1 << 20
_BEGIN = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
_NOTICES = (
    ("data.loader", "prefetch queue at {} of 512 batches"),
    ("optim.adamw", "{} gradients above the soft limit, clipped"),
    ("checkpoint", "wrote shard {:05d} to /scratch/run-17/checkpoints"),
    ("fed.client", "received global model, round {}, 48 tensors"),
    ("trainer", "validation pass over {} samples scheduled"),
    ("comm.nccl", "peer site-{} answered after 3 tries – continuing"),
)
_TRACE = """Traceback (most recent call last):
  File "/opt/train/loop.py", line {line}, in step
    loss = self.model(batch.to(self.device)).loss
  File "/opt/train/data.py", line 118, in to
    return Batch(*(field.to(device, non_blocking=True) for field in self))
RuntimeError: sample {sample}: expected 512 features, got {features}
"""


def lines(seed: int = 17) -> Iterator[bytes]:
    """Endless records: mostly metrics, some notices, now and then a warning with a stack trace (one record)."""
    chance = random.Random(seed)
    now, step, loss = _BEGIN, 0, 4.0
    while True:
        now += timedelta(milliseconds=chance.randrange(1, 40))
        stamp = now.isoformat(sep=" ", timespec="milliseconds")[:-6]
        kind = chance.random()
        if kind < 0.8:
            step += 1
            loss = loss * 0.99999 + chance.random() * 1e-5
            text = (
                f"{stamp} INFO  trainer: step={step} loss={loss + chance.gauss(0, 0.02):.6f} "
                f"acc={1 - loss / 4.1:.4f} lr=3.0e-04 tokens/s={chance.gauss(18400, 300):.0f} "
                f"mem={chance.random() * 40:.1f}G"
            )
        elif kind < 0.998:
            level = "DEBUG" if kind < 0.9 else "INFO "
            logger, notice = chance.choice(_NOTICES)
            text = f"{stamp} {level} {logger}: {notice.format(chance.randrange(1, 512))}"
        else:
            sample = chance.randrange(10**7)
            trace = _TRACE.format(line=chance.randrange(80, 400), sample=sample, features=chance.randrange(512))
            text = f"{stamp} WARN  data.loader: sample {sample} skipped\n{trace.rstrip()}"
        yield f"{text}\n".encode()


NOISE_LINE = 128
"""Bytes of a line of noise, its end included."""


def noise(chance: random.Random, size: int) -> bytearray:
    """*size* bytes (whole lines) that no compressor shortens, as lines for peers that know only lines."""
    block = bytearray(chance.randbytes(size).translate(_NO_ENDS))
    block[NOISE_LINE - 1 :: NOISE_LINE] = b"\n" * (size // NOISE_LINE)
    return block


_NO_ENDS = bytes(0x41 + value % 58 if value < 0x20 or value == 0x7F else value for value in range(256))
"""Control bytes become letters: some peers change them, and a newline ends a line."""


def write_log(directory: Path, size: int) -> Path:
    """A file of exactly *size* bytes of `lines()` in *directory*, the last one cut short; made once, used again."""
    path = directory / f"lines-v{VERSION}-{size}.log"
    if path.exists() and path.stat().st_size == size:
        return path
    partial = path.with_suffix(".partial")
    missing, source = size, lines()
    with partial.open("wb") as file:
        while missing:
            block = bytearray()
            while len(block) < min(_BLOCK, missing):
                block += next(source)
            if len(block) >= missing:
                block[missing - 1 :] = b"\n"  # a peer that knows lines waits for their ends
            missing -= file.write(block)
    return partial.rename(path)
