"""docs/reliability.md names every fault, and only tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAULTS = [
    f"{kind}{number}" for kind, most in (("T", 20), ("N", 19), ("D", 7), ("W", 3)) for number in range(1, most + 1)
]


def test_every_fault_has_tests_and_every_test_exists():
    text = (ROOT / "docs" / "reliability.md").read_text()
    rows = dict(re.findall(r"^\| ([TNDW]\d+) \|.*?\| ([^|]*) \|$", text, re.MULTILINE))
    assert list(rows) == FAULTS
    for fault, cell in rows.items():
        tests = re.findall(r"`(tests/[^`:]+\.py)::(test_\w+)`", cell)
        assert tests, f"{fault} has no test"
        for path, name in tests:
            assert re.search(rf"^ *(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"
