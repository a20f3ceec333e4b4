"""The page's files, and how a browser is let in."""

from __future__ import annotations

import gzip
import http.client
import re

import pytest
from starlette.responses import Response

from logstreamer.server.auth import Session
from logstreamer.server.pages import STATIC
from server.bench import TOKEN

HTML = {"Accept": "text/html,application/xhtml+xml"}


def visit(bench, path, **headers):
    """GET as a browser does, following nothing."""
    connection = http.client.HTTPConnection(bench.engine.endpoint.netloc, timeout=10)
    connection.request("GET", path, headers={**HTML, **headers})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def cookie(bench):
    """What a browser sends after it was let in."""
    answer, _ = visit(bench, f"/?token={TOKEN}")
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_over_https_the_cookie_never_travels_in_the_clear(scheme):
    """Secure, which a browser would not take over http."""
    response = Response()
    Session(TOKEN).give(response, {"type": "http", "scheme": scheme, "headers": []})

    assert ("Secure" in response.headers["Set-Cookie"].split("; ")) == (scheme == "https")


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address_bar(bench):
    """303, HttpOnly, SameSite, and the cookie is not the token."""
    answer, _ = visit(bench, f"/?token={TOKEN}")
    value, *attributes = answer.headers["Set-Cookie"].split("; ")

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert "Secure" not in attributes
    assert TOKEN not in value
    assert re.fullmatch(r"logstreamer_session_\d+=[0-9a-f]{64}", value)
    page, body = visit(bench, "/", Cookie=value)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<script" in body
    assert visit(bench, "/api/v1/streams", Cookie=value)[0].status == 200
    assert visit(bench, "/static/main.js", Cookie=value)[0].status == 200


def test_a_link_on_another_site_lets_in_as_well(bench):
    """A strict cookie is not sent along a redirect that another site began, so the page moves on by itself."""
    answer, body = visit(bench, f"/?token={TOKEN}", **{"Sec-Fetch-Site": "cross-site"})

    assert answer.status == 200
    assert answer.headers["Set-Cookie"]
    assert b'http-equiv="refresh"' in body


@pytest.mark.parametrize(
    "headers",
    [{}, {"Cookie": "logstreamer_session=x"}, {"Cookie": f"logstreamer_session={TOKEN}"}, {"Cookie": "\xff="}],
)
def test_a_stranger_is_told_what_to_do(bench, headers):
    """401 with a plain page; nothing of ours is shown."""
    answer, body = visit(bench, "/", **headers)

    assert answer.status == 401
    assert b"/?token=" in body
    assert b"script" not in body
    assert visit(bench, "/static/main.js", **headers)[0].status == 401
    assert visit(bench, "/?token=wrong", **headers)[0].status == 401


def test_the_cookie_of_another_token_is_worthless(bench):
    """And one of another port is none of ours."""
    good = cookie(bench)["Cookie"]

    assert visit(bench, "/api/v1/streams", Cookie=good[:-1] + ("0" if good[-1] != "0" else "1"))[0].status == 401
    assert visit(bench, "/api/v1/streams", Cookie=re.sub(r"_\d+=", "_1=", good))[0].status == 401


def test_logs_cannot_run_scripts(bench):
    """The policy is on every file of the page."""
    for path in ("/", "/static/main.js", "/static/css/page.css"):
        answer, _ = visit(bench, path, **cookie(bench))
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_files_are_asked_for_anew_and_sent_once(bench):
    """ETag and 304; compressed where that is understood."""
    session = cookie(bench)
    first, body = visit(bench, "/static/main.js", **session)
    again, empty = visit(bench, "/static/main.js", **session, **{"If-None-Match": first.headers["ETag"]})
    packed, bytes_ = visit(bench, "/static/main.js", **session, **{"Accept-Encoding": "gzip"})

    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert body == (STATIC / "main.js").read_bytes()
    assert (again.status, empty) == (304, b"")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(bytes_) == body


@pytest.mark.parametrize("path", ["../auth.py", "%2e%2e/auth.py", "..%2fauth.py", "/etc/passwd", "", "css", "main.js/"])
def test_nothing_else_is_served(bench, path):
    """Names are looked up, never opened."""
    assert visit(bench, f"/static/{path}", **cookie(bench))[0].status == 404


def test_without_a_browser_the_streams_are_listed(bench):
    """For curl."""
    answer, body = bench.ask("/")

    assert (answer.status, body) == (200, b"no streams yet\n")
