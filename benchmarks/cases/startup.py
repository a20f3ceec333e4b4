"""How soon the command line answers, and what an import brings."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.records import Record

FOREIGN = ("starlette", "uvicorn", "nvflare", "websockets", "numpy")
"""What `import logstreamer` must not import."""


def startup(bench: Bench) -> None:
    """`send --help` beside an empty Python, by turns."""
    program = str(Path(sys.executable).with_name("logstreamer"))
    commands = {
        "logstreamer send --help": [program, "send", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "import logstreamer": [sys.executable, "-c", "import logstreamer"],
    }
    for turn in range(11):
        for name, argv in commands.items():
            began = time.perf_counter()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            if turn > 0:
                bench.records.records.append(Record("startup", name, {"seconds": time.perf_counter() - began}))
    bench.records.records.append(Record("startup", "foreign modules", {"count": float(len(imported()))}))


def imported() -> list[str]:
    """Which of `FOREIGN` the bare import of the package brings."""
    program = f"import sys, logstreamer; print(*[name for name in {FOREIGN!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.split()
