"""Which names rotation derives from a log's."""

from __future__ import annotations

import pytest

from logstreamer.tail.siblings import name_matcher


@pytest.mark.parametrize(
    "name",
    [
        "app.log.1",
        "app.log.12.gz",
        "app.log-20260101",
        "app.log-20260101.gz",
        "app.log-20260101-1767225600",
        "app.log.2026-01-01",
        "app.log.2026-01-01_12-00-00",
        "app.log.2026-01-01.3.gz",
        "app.log.old",
        "app.1.log",
        "app.2.log.gz",
        "app-2026-01-01T10-00-00.000.log",
        "app.2026-01-01.1.log",
        "app.log.20260101-000000.xz",
        "app.log.3.zst",
    ],
)
def test_rotated_names_are_recognised(name: str):
    assert name_matcher("app.log")(name)


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.gz.1",
        "app-1.log",
        "app_1.log",
        "app1.log",
        "app.log.lock",
        "app.log.swp",
        "app.log2",
        "b.log.1",
    ],
)
def test_other_names_are_not(name: str):
    assert not name_matcher("app.log")(name)
