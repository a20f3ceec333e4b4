"""What is said about files: remarks of the discovery, and failures. Many of one kind become one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from logstreamer.cli.discovery import Remarks
from logstreamer.cli.outbound import Result

FEW = 5


def remark_lines(remarks: Remarks, *, snapshot: bool) -> Iterator[str]:
    """One line for each thing, or for many of a kind."""
    if snapshot:
        yield from _lines(remarks.missing, "error: {}: no such file", "error: {} files: no such file")
    else:
        waiting = "no such file yet, waiting for it"
        yield from _lines(remarks.missing, "{}: " + waiting, "{} files: " + waiting)
    for reason, paths in _by_reason(remarks.unreadable).items():
        yield from _lines(paths, "error: {}: " + reason, "error: {} files: " + reason)
    for path, other in remarks.same:
        yield f"{path} is the same file as {other}: sent once"
    yield from _lines(
        remarks.rotated,
        "{} is the past of a followed file: not sent (--stop-at-eof sends it)",
        "{} rotated files are the past of followed ones: not sent (--stop-at-eof sends them)",
    )
    yield from _lines(remarks.special, "{} is no regular file: skipped", "{} special files skipped")
    yield from _lines(remarks.stores, "{} is a receiver's store: skipped", "{} receivers' stores skipped")


def failure_lines(results: Sequence[Result], trouble: str) -> Iterator[str]:
    """What failed, by reason; once for all files where the *trouble* is the way to the receiver."""
    refused = [result for result in results if result.reason and result.reason == trouble]
    if refused:
        yield f"error: {trouble}"
        results = [result for result in results if result not in refused]
    for reason, paths in _by_reason([(result.path, result.reason) for result in results if result.reason]).items():
        yield from _lines(paths, "error: {}: " + reason, "error: {} files: " + reason)


def _by_reason(items: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path, reason in items:
        found[reason.replace("{", "{{").replace("}", "}}")].append(path)
    return found


def _lines(paths: Sequence[str], one: str, many: str) -> Iterator[str]:
    if len(paths) > FEW:
        yield many.format(len(paths)) + f" ({paths[0]}, ...)"
    else:
        yield from (one.format(path) for path in paths)
