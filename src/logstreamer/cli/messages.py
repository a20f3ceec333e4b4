"""What is said about files: remarks of the discovery, and failures. Many of one kind become one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from logstreamer.cli.discovery import Remarks
from logstreamer.cli.outbound import Result

FEW = 5

MOST_NAMES = 20
"""How many are named where many of a kind share a line."""


def remark_lines(remarks: Remarks, *, snapshot: bool) -> Iterator[str]:
    """One line for each thing, or for many of a kind."""
    if snapshot:
        yield from _lines(remarks.missing, "error: {}: no such file", "error: {} files: no such file")
    else:
        waiting = "no such file yet, waiting for it"
        yield from _lines(remarks.missing, "{}: " + waiting, "{} files: " + waiting)
    for reason, paths in _by_reason(remarks.unreadable).items():
        again = "" if snapshot else "; waiting until it can be read"
        yield from _lines(paths, "error: {}: " + reason + again, "error: {} files: " + reason + again)
    yield from _lines(remarks.odd, "error: {}: it is no regular file", "error: {} are no regular files")
    for path, other in remarks.same:
        yield f"{path} is the same file as {other}: sent once"
    yield from _lines(
        remarks.rotated,
        "{} looks like the past of a followed file: not sent unless it grows, or you name it or use --stop-at-eof",
        "{} files look like the past of others: not sent unless they grow, or you name them or use --stop-at-eof",
    )
    yield from _lines(remarks.special, "{} is no regular file: skipped", "{} special files skipped")
    yield from _lines(remarks.stores, "{} is a receiver's store: skipped", "{} receivers' stores skipped")


def unread_lines(paths: Sequence[str]) -> Iterator[str]:
    """What could not be read until the end."""
    yield from _lines(paths, "error: {}: could not be read, nothing of it was sent", "error: {} could not be read")


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
        more = f" and {len(paths) - MOST_NAMES} more" if len(paths) > MOST_NAMES else ""
        yield many.format(len(paths)) + f" ({', '.join(paths[:MOST_NAMES])}{more})"
    else:
        yield from (one.format(path) for path in paths)
