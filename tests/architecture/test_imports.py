"""Imports point one way, and the rules that say so can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.rules import (
    MAX_FILE_LINES,
    MAX_FUNCTION_LINES,
    NO_IO,
    PACKAGE,
    direction_violations,
    io_violations,
    nvflare_violations,
    size_violations,
)

SOURCE = Path(__file__).parents[2] / "src" / PACKAGE
HEAVY = ("starlette", "uvicorn", "nvflare")


def make_tree(root: Path, files: dict[str, str]) -> Path:
    """A package of *files* (relative path: text) below *root*; returns its directory."""
    package = root / PACKAGE
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


@pytest.mark.parametrize("rule", [direction_violations, io_violations, nvflare_violations, size_violations])
def test_the_source_keeps_the_rule(rule):
    """Each violation is shown with its file and line."""
    assert SOURCE.is_dir()
    violations = rule(SOURCE)
    assert not violations, "\n".join(violations)


def test_importing_the_package_stays_light():
    """A sender inside a training job pays neither for the web server nor for nvflare."""
    program = f"import sys, {PACKAGE}; print([name for name in {HEAVY!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tail/a.py", "from logstreamer.store import x"),
        ("protocol/a.py", "import logstreamer.tail.reader"),
        ("store/a.py", "from logstreamer import protocol"),
        ("store/a.py", "from ..tail import x"),
        ("server/a.py", "from logstreamer.flare import x"),
        ("flare/a.py", "from logstreamer.streamers import x"),
        ("apis/a.py", "from logstreamer.engines.base import x"),
        ("errors.py", "from . import apis"),
        ("sinks.py", "from logstreamer.receiver import Receiver"),
        ("receiver.py", "from logstreamer.engines import x"),
        ("sender.py", "from .receiver import Receiver"),
        ("engines/a.py", "def f():\n    from logstreamer.streamers import x"),
        ("streamers/a.py", "from logstreamer import LogStreamer"),
        ("server/a.py", "import logstreamer.cli"),
        ("__init__.py", "from logstreamer.server import app"),
        ("surprise/a.py", ""),
    ],
)
def test_an_import_up_or_sideways_is_found(tmp_path, file, text):
    """Absolute, relative, nested and `from package import unit` are all seen."""
    package = make_tree(tmp_path, {file: text})

    [violation] = direction_violations(package)

    assert violation.startswith(file)


def test_imports_downward_are_fine(tmp_path):
    """The whole chain of the design, and a unit's own modules."""
    package = make_tree(
        tmp_path,
        {
            "__init__.py": "from logstreamer.streamers import LogStreamer",
            "__main__.py": "from logstreamer.cli import main",
            "cli/a.py": "from logstreamer import flare, server, streamers, tail, errors, __version__",
            "server/a.py": "from logstreamer.engines import x\nfrom . import b",
            "engines/a.py": "from logstreamer import receiver, sender, sinks",
            "receiver.py": "from .sinks import Sink\nfrom .store.layout import x",
            "store/a.py": "from ..apis import x\nimport os",
        },
    )

    assert direction_violations(package) == []


@pytest.mark.parametrize("module", sorted(NO_IO))
def test_a_protocol_with_input_output_or_a_clock_is_found(tmp_path, module):
    """The core has no I/O and no clock."""
    package = make_tree(tmp_path, {"protocol/a.py": f"from {module} import x", "tail/a.py": f"import {module}"})

    assert io_violations(package) == [f"protocol/a.py:1: protocol imports {module}.x"]


def test_nvflare_outside_flare_is_found(tmp_path):
    """Everything that names nvflare lives in one place."""
    package = make_tree(tmp_path, {"flare/a.py": "import nvflare.apis", "cli/a.py": "import os, nvflare.apis"})

    assert nvflare_violations(package) == ["cli/a.py:1: imports nvflare.apis"]


def test_an_overlong_file_and_function_are_found(tmp_path):
    """With the name of each; what is just as long as allowed passes."""
    body = "    x = 1\n"
    package = make_tree(
        tmp_path,
        {
            "fits.py": "x = 1\n\n" * MAX_FILE_LINES,
            "documented.py": '"""' + "prose\n" * MAX_FILE_LINES + '"""\nx = 1\n',
            "long_file.py": "x = 1\n" * (MAX_FILE_LINES + 1),
            "long_function.py": "async def f():\n" + body * (MAX_FUNCTION_LINES - 1) + "def g():\n" + body * 60,
        },
    )

    assert [violation.split(" ")[:2] for violation in size_violations(package)] == [
        ["long_file.py:", f"{MAX_FILE_LINES + 1}"],
        ["long_function.py:61:", "g()"],
    ]


def test_no_struct_is_decoded_without_a_decoder_made_at_import():
    """What msgspec knows of a type is made at its first use, and two threads that do so at once crash the process."""
    lazily = re.compile(r"(?:json|msgpack)\.decode\([^\n]*type=(?!str\b|dict\[str, (?:str|int)\])|msgspec\.convert\(")
    for path in sorted(SOURCE.rglob("*.py")):
        assert not lazily.search(path.read_text()), path
