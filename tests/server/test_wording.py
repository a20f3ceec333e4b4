"""Texts outside of the code that repeat something of it say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from logstreamer.server import openapi, viewer
from logstreamer.server.marks import Kind

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/logstreamer/server/static"
PING = f"{viewer.PING_SECONDS:.0f} s"


def test_how_often_the_receiver_speaks_is_said_alike():
    """In the API's description, the docs and the page, which waits for more than two of these."""
    assert PING in openapi.description()["paths"]["/api/v1/events"]["get"]["summary"]
    assert f"something comes at least every {PING}" in " ".join((ROOT / "docs/api.md").read_text().split())
    assert f"it speaks every {PING}" in " ".join((ROOT / "docs/page.md").read_text().split())
    live = (STATIC / "data/live.js").read_text()
    assert f"speaks at least every {PING}" in live
    [silence] = re.findall(r"SILENCE_MS = (\d+);", live)
    assert int(silence) > 2000 * viewer.PING_SECONDS


def test_every_mark_has_a_title():
    """What happened is told in words on the page, not by the name of its kind."""
    [titles] = re.findall(r"TITLES = \{(.*?)\n\};", (STATIC / "view/marks.js").read_text(), re.DOTALL)

    assert sorted(re.findall(r"^  (\w+): \"", titles, re.MULTILINE)) == sorted(get_args(Kind))
