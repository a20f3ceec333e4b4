"""Pages: the page in a browser, its files, and how a browser is let in."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xxhash
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from logstreamer.server.answers import trouble
from logstreamer.server.auth import Session

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
_COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".json"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing that a log says can run: scripts come from our own files only."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_STRANGER = """\
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>logstreamer</title>
<h1>This receiver asks for its token</h1>
<p>Open the URL that <code>logstreamer serve</code> printed when it started; it ends in <code>/?token=...</code>.
Where the token was set by hand, add it to this page's address yourself: <code>/?token=THE-TOKEN</code>. The browser
keeps what it needs, and the token disappears from the address bar.
"""
_ONWARD = """\
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>logstreamer</title>
<meta http-equiv="refresh" content="0; url=/">
<p><a href="/">Go on</a>
"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes | None
    etag: str
    type: str


class Pages:
    """The files below `STATIC`, and nothing else: what a request names is looked up, not opened."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._paths = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
        self._files: dict[str, tuple[int, _File]] = {}

    async def home(self, request: Request) -> Response:
        """The page. Who brings the token in the URL gets the cookie, and an address without it."""
        if self._session.brings_token(request.scope):
            answer = self._onward(request)
            self._session.give(answer, request.scope)
            return answer
        if not self._session.is_welcome(request.scope):
            return _page(_STRANGER, 401, {"WWW-Authenticate": "Bearer"})
        return self._file(request, "index.html")

    async def static(self, request: Request) -> Response:
        """One file of the page."""
        return self._file(request, request.path_params["path"])

    @staticmethod
    def _onward(request: Request) -> Response:
        # From a link on another site a redirect is still that site's doing, and a strict cookie stays at home; a page
        # of ours that moves on is not.
        if request.headers.get("sec-fetch-site") == "cross-site":
            return _page(_ONWARD, 200)
        return RedirectResponse("/", 303, {**HEADERS, "Cache-Control": "no-store"})

    def _file(self, request: Request, name: str) -> Response:
        path = self._paths.get(name)
        if path is None:
            return trouble(404, f"no such file: {name[:200]}")
        try:
            file = self._load(name, path)
        except OSError:
            return trouble(404, f"no such file: {name[:200]}")
        headers = {**HEADERS, "ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = file.body
        if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = file.packed, "gzip"
        return Response(body, media_type=file.type, headers=headers)

    def _load(self, name: str, path: Path) -> _File:
        """The file, read again if it changed."""
        changed = path.stat().st_mtime_ns
        known = self._files.get(name)
        if known is not None and known[0] == changed:
            return known[1]
        body = path.read_bytes()
        packed = gzip.compress(body, 6, mtime=0) if path.suffix in _COMPRESSED else None
        kind = _TYPES.get(path.suffix, "text/plain; charset=utf-8")
        file = _File(body, packed, f'"{xxhash.xxh3_64_hexdigest(body)}"', kind)
        self._files[name] = changed, file
        return file


def _page(text: str, code: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, code, {**HEADERS, "Cache-Control": "no-store", **(headers or {})}, "text/html; charset=utf-8")
