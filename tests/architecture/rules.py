"""The rules of docs/design.md 'Layout and direction' as functions: a package directory goes in, violations come out.

A *unit* is a subpackage or a module directly below the package. Imports for typing alone count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "logstreamer"

TIERS = (
    {"cli"},  # the composition root
    {"server", "flare", "streamers"},
    {"engines"},
    {"sink_table", "store_sink"},
    {"receiver", "sender"},
    {"inbound", "lane"},
    {"attempts", "follow_spec", "outlet", "pauses"},
    {"sinks"},
    {"drain", "objects", "trace"},
    {"protocol", "tail", "store", "lines"},
    {"apis"},
    {"errors", "crash", "printable"},
)
"""A unit may import from every tier below its own, never from its own or from one above."""

RANK = {unit: rank for rank, tier in enumerate(TIERS) for unit in tier}
LAZY = {"cli", "server", "flare"}
"""What the package's own `__init__` leaves alone: these pull in starlette, uvicorn or nvflare."""

NO_IO = {"time", "os", "socket", "threading", "asyncio", "logging", "random"}
"""What protocol/ must not know."""

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60


def imported_modules(path: Path, package_dir: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of each import in *path*; `from a import b` gives `a.b`."""
    parents = [package_dir.name, *path.relative_to(package_dir).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def unit_of(path: Path, package_dir: Path) -> str:
    """The unit *path* belongs to; `__init__` for the package's own names."""
    first = path.relative_to(package_dir).parts[0].removesuffix(".py")
    return "cli" if first == "__main__" else first


def direction_violations(package_dir: Path) -> list[str]:
    """Imports that go up or sideways, and units that have no place in the picture."""
    found = []
    for path in sorted(package_dir.rglob("*.py")):
        unit = unit_of(path, package_dir)
        if unit != "__init__" and unit not in RANK:
            found.append(f"{path.relative_to(package_dir)}: {unit} has no tier; draw it in the design and in TIERS")
            continue
        for line, name in imported_modules(path, package_dir):
            parts = name.split(".")
            if parts[0] == package_dir.name and not _may_import(unit, parts[1]):
                found.append(f"{path.relative_to(package_dir)}:{line}: {unit} imports {name}")
    return found


def _may_import(unit: str, target: str) -> bool:
    if target == unit:
        return True
    if unit == "__init__":
        return target not in LAZY
    if target not in RANK:  # a public name, or the version, taken from the package itself
        return unit in LAZY
    return RANK[unit] < RANK[target]


def io_violations(package_dir: Path) -> list[str]:
    """Imports in protocol/ of anything that has a clock, a descriptor, a thread or chance in it."""
    return [
        f"{path.relative_to(package_dir)}:{line}: protocol imports {name}"
        for path in sorted((package_dir / "protocol").rglob("*.py"))
        for line, name in imported_modules(path, package_dir)
        if name.split(".")[0] in NO_IO
    ]


def nvflare_violations(package_dir: Path) -> list[str]:
    """Imports of nvflare outside flare/."""
    return [
        f"{path.relative_to(package_dir)}:{line}: imports {name}"
        for path in sorted(package_dir.rglob("*.py"))
        for line, name in imported_modules(path, package_dir)
        if name.split(".")[0] == "nvflare" and unit_of(path, package_dir) != "flare"
    ]


def size_violations(package_dir: Path) -> list[str]:
    """Files and functions that grew too long to be one thing. Blank lines and docstrings are free."""
    found = []
    for path in sorted(package_dir.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        tree = ast.parse("\n".join(lines))
        code = {number for number, line in enumerate(lines, start=1) if line.strip()}
        functions = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                code -= _docstring_lines(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(node)
        if len(code) > MAX_FILE_LINES:
            found.append(f"{path.relative_to(package_dir)}: {len(code)} lines, most is {MAX_FILE_LINES}")
        for node in functions:
            span = len(code.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
            if span > MAX_FUNCTION_LINES:
                place = f"{path.relative_to(package_dir)}:{node.lineno}"
                found.append(f"{place}: {node.name}() has {span} lines, most is {MAX_FUNCTION_LINES}")
    return found


def _docstring_lines(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    if ast.get_docstring(node, clean=False) is None:
        return set()
    docstring = node.body[0]
    return set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
