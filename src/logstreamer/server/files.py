"""What the API answers about the bytes of one stored stream: the bytes, lines, and where a time is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, tzinfo
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from logstreamer.errors import StoreError
from logstreamer.lines import Annotator, Line
from logstreamer.lines.zones import zone_said
from logstreamer.server.answers import SAFE, BadQuery, answer, flag, integer, number, trouble
from logstreamer.server.marks import Mark, marks_between
from logstreamer.server.paging import MAX_LINES, span_around, span_from, start_of_lines
from logstreamer.server.ranges import Unsatisfiable, parse_range
from logstreamer.server.status import StreamStatus
from logstreamer.store.arrivals import Arrival, Arrivals
from logstreamer.store.catalogue import Store
from logstreamer.store.follow import Reader

BLOCK = 256 << 10
LINES = 200
"""Lines of a page where the question does not say how many."""

LOOK_BACK_LINES = 50
LOOK_BACK_BYTES = 64 << 10
"""How much above a page is read to know what its first line goes on with."""


class Page(msgspec.Struct, frozen=True):
    """Consecutive lines of a stream with what happened among them.

    Args:
        size: of the stored file.
        from_, to: the bytes that the lines cover; *start*, *end*: whether these are the file's.
    """

    size: int
    from_: int = msgspec.field(name="from")
    to: int
    start: bool
    end: bool
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


class Files:
    """Answers from the files of a store; a slow client slows nobody else."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def bytes(self, request: Request, status: StreamStatus) -> Response:
        """The bytes, or a range of them."""
        try:
            download = flag(request, "download")
        except BadQuery as error:
            return trouble(400, str(error))
        try:
            reader = await run_in_threadpool(self._store.reader, status.path)
        except StoreError as error:
            return trouble(404, str(error))
        try:
            return self._bytes_of(reader, request, status, download=download)
        except BaseException:
            reader.close()
            raise

    @staticmethod
    def _bytes_of(reader: Reader, request: Request, status: StreamStatus, *, download: bool) -> Response:
        size = reader.size()
        etag = f'"{status.digest}"' if status.digest else f'"{status.created}-{size:x}"'
        headers = {**SAFE, "Accept-Ranges": "bytes", "ETag": etag, "Content-Type": "application/octet-stream"}
        if download:
            headers["Content-Disposition"] = _attachment(status.path.rpartition("/")[2])
        if _names(request.headers.get("if-none-match", ""), etag):
            reader.close()
            return Response(status_code=304, headers=headers)
        # RFC 9110 has ranges for GET alone.
        whole = request.method != "GET" or request.headers.get("if-range", etag) != etag
        try:
            part = None if whole else parse_range(request.headers.get("range", ""), size)
        except Unsatisfiable:
            reader.close()
            return trouble(416, f"there are {size} bytes", {"Content-Range": f"bytes */{size}", "ETag": etag})
        start, end = part or (0, size)
        headers["Content-Length"] = str(end - start)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            reader.close()
            return Response(headers=headers)
        return StreamingResponse(_read(reader, start, end), 206 if part else 200, headers)

    async def lines(self, request: Request, status: StreamStatus) -> Response:
        """Whole lines around a byte: `?offset=N&before=B&after=A`, at the end without an offset."""
        try:
            offset = integer(request, "offset", -1, -1)
            before = integer(request, "before", LINES if offset < 0 else 0, 0, MAX_LINES)
            after = integer(request, "after", LINES, 0, MAX_LINES)
        except BadQuery as error:
            return trouble(400, str(error))
        try:
            return answer(await run_in_threadpool(self._page, status, offset, before, after))
        except StoreError as error:
            return trouble(404, str(error))

    async def at(self, request: Request, status: StreamStatus) -> Response:
        """Where the bytes that came at `?time=` (seconds since the epoch) or later begin."""
        try:
            when = number(request, "time")
        except BadQuery as error:
            return trouble(400, str(error))
        return answer({"offset": await run_in_threadpool(self._offset_at, status, when)})

    async def arrivals(self, request: Request, status: StreamStatus) -> Response:
        """When the bytes came: `{"arrivals": [[seconds since the epoch, from which offset on], ...]}`, ascending."""
        return answer({"arrivals": await run_in_threadpool(self._all_arrivals, status)})

    def _page(self, status: StreamStatus, offset: int, before: int, after: int) -> Page:
        with self._store.reader(status.path) as reader, self._store.arrivals(status.path) as arrivals:
            size = reader.size()
            found = span_around(reader, size, size if offset < 0 else min(offset, size), before, after)
            annotator = primed(reader, arrivals, found.start, found.end, zone_said(status.meta))
            last = len(found.lines) - 1
            lines = tuple(
                annotator.line(raw, is_open=found.open and index == last) for index, raw in enumerate(found.lines)
            )
            marks = marks_between(status, found.start, found.end, last=found.end == size)
            return Page(size, found.start, found.end, found.start == 0, found.end == size, lines, marks)

    def _offset_at(self, status: StreamStatus, when: float) -> int:
        with self._store.arrivals(status.path) as arrivals:
            found = arrivals.offset_at(when)
        return status.size if found is None else found

    def _all_arrivals(self, status: StreamStatus) -> list[Arrival]:
        with self._store.arrivals(status.path) as arrivals:
            return arrivals.between(0, status.size)


def primed(reader: Reader, arrivals: Arrivals, start: int, end: int, zone: tzinfo | None = None) -> Annotator:
    """An annotator for the lines of [start, end) that has seen those above them."""
    above = start_of_lines(reader, start, LOOK_BACK_LINES, LOOK_BACK_BYTES)
    annotator = Annotator(zone or UTC, arrivals.between(above, end))
    for raw in span_from(reader, start, above, LOOK_BACK_LINES).lines:
        annotator.line(raw)
    return annotator


def _names(header: str, etag: str) -> bool:
    """Whether If-None-Match names *etag*: one of a list, weak or not, or any (RFC 9110, 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def _attachment(name: str) -> str:
    """RFC 6266: for old clients and for those that know Unicode."""
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _read(reader: Reader, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes [start, end) as they are read by a worker thread."""
    try:
        while start < end:
            block = await run_in_threadpool(reader.read, start, min(BLOCK, end - start))
            if not block:
                raise StoreError(f"a stored file became shorter than {end} bytes")
            yield block
            start += len(block)
    finally:
        reader.close()
