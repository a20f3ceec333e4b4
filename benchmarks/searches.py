"""What a search takes: `python -m benchmarks.searches` prints a table, over 1 GB in one stream and in fifty."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from benchmarks.viewers import BLOCK, TOKEN, receiver

QUERIES = {
    "a word": "step 0012345 ",
    "a word that is nowhere": "no such word",
    "either of two, nowhere": "no such (thing|word)",
    "an expression": r"step 0019999 loss=0\.\d+$",
    "in every line, 1,000 hits": "trainer",
}


def main() -> None:
    """Each query some times by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="MB that are searched")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for streams in (1, 50):
        with tempfile.TemporaryDirectory() as directory:
            size = store(Path(directory) / "copies" / "site" / "job", options.size * 10**6, streams)
            with receiver(Path(directory)) as (port, _):
                taken: dict[str, list[tuple[float, float, dict[str, object]]]] = {}
                for _ in range(options.rounds):
                    for name, query in QUERIES.items():
                        taken.setdefault(name, []).append(search(port, query))
        print(f"{size / 1e6:.0f} MB in {streams} streams")
        for name, found in taken.items():
            first, all_of_it = (statistics.median(one[at] for one in found) for at in (0, 1))
            hits = f"{found[0][2]['hits']} hits{', more left' if found[0][2].get('truncated') else ''}"
            print(f"  {name}: first hit {first:.2f} s, end {all_of_it:.2f} s; {hits}")


def store(directory: Path, size: int, streams: int) -> int:
    """Write that many bytes, about, as copies; return how many."""
    directory.mkdir(parents=True)
    blocks = size // len(BLOCK) // streams
    for number in range(streams):
        with (directory / f"{number}.log").open("wb") as file:
            for _ in range(blocks):
                file.write(BLOCK)
    return blocks * streams * len(BLOCK)


def search(port: int, query: str) -> tuple[float, float, dict[str, object]]:
    """Seconds until the first hit (until the end where there is none) and until the end, and what `done` says."""
    began = time.monotonic()
    first = None
    event = ""
    done: dict[str, object] = {}
    url = f"http://127.0.0.1:{port}/api/v1/search?token={TOKEN}&q={quote(query)}"
    with urllib.request.urlopen(url) as answer:
        for line in answer:
            if line.startswith(b"event: "):
                event = line[7:].decode().strip()
                if event == "hit" and first is None:
                    first = time.monotonic() - began
            elif line.startswith(b"data: ") and event == "done":
                done = json.loads(line[6:])
    took = time.monotonic() - began
    return first if first is not None else took, took, done


if __name__ == "__main__":
    main()
