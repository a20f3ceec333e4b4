"""What the arguments of `send` mean, and what copies are called."""

from __future__ import annotations

import pytest

from logstreamer.cli.discovery import Discovery
from logstreamer.cli.plan import Kind, make_plan, shortest_names
from logstreamer.errors import ConfigError


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory to stand in; makes files of names."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)

    return make


def names(*texts, snapshot=False):
    """What the copies of the files that *texts* mean are called."""
    return sorted(found.name for found in Discovery(make_plan(texts), snapshot=snapshot).look())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a/app.log"], ["app.log"]),
        (["a/app.log", "b/app.log"], ["a/app.log", "b/app.log"]),
        (["a/app.log", "b/app.log", "c.log"], ["a/app.log", "b/app.log", "c.log"]),
        (["x/1/logs/app.log", "x/2/logs/app.log"], ["1/logs/app.log", "2/logs/app.log"]),
        (["a"], ["app.log", "deep/b.log"]),
        (["a", "b"], ["a/app.log", "a/deep/b.log", "b/app.log"]),
        (["a", "c.log"], ["a/app.log", "a/deep/b.log", "c.log"]),
        (["*/app.log"], ["a/app.log", "b/app.log"]),
        (["a/*.log"], ["app.log"]),
        (["a/**/*.log"], ["app.log", "deep/b.log"]),
        (["x/*"], ["1/logs/app.log", "2/logs/app.log"]),
        (["c.log", "./c.log", "a/../c.log"], ["c.log"]),
        (["a", "a/app.log"], ["a/deep/b.log", "app.log"]),
    ],
)
def test_names(site, texts, expected):
    """One argument keeps its name or tree, of several each is told apart by its directories."""
    site("a/app.log", "a/deep/b.log", "b/app.log", "c.log", "x/1/logs/app.log", "x/2/logs/app.log")

    assert names(*texts) == expected


def test_a_glob_that_matches_nothing_yet_stays_a_glob(site):
    """And a file whose name has such characters is that file."""
    site("[x].log")

    assert [argument.kind for argument in make_plan(["*.none", "[x].log", "missing.log"])] == [
        Kind.GLOB, Kind.FILE, Kind.FILE,
    ]  # fmt: skip


def test_names_do_not_depend_on_what_turns_up_later(site):
    """A file found in the second look is called as it would have been in the first."""
    site("a/app.log", "b/other.log")
    discovery = Discovery(make_plan(["a", "b"]), snapshot=False)
    discovery.look()
    site("b/app.log")

    assert [found.name for found in discovery.look()] == ["b/app.log"]
    assert discovery.look() == []


def test_what_would_be_stored_at_one_place_is_refused_at_the_start(site):
    """A file may not be called like a directory of other copies."""
    site("a/x", "other/a")

    with pytest.raises(ConfigError, match="one place"):
        make_plan(["a", "other/a"])


@pytest.mark.parametrize("text", ["", "missing/"])
def test_no_file(site, text):
    """Said before anything is sent."""
    with pytest.raises(ConfigError):
        make_plan([text])


def test_shortest_names_of_one_inside_the_other():
    """The shorter path ends first; the longer goes on until it differs."""
    assert shortest_names([("b",), ("a", "b")]) == {("b",): "b", ("a", "b"): "a/b"}


def test_rotated_files_are_the_past_of_a_followed_one(site):
    """In a directory and by a glob; what is named is sent, and a snapshot takes them all; other ranks are no past."""
    files = ["app.log", "app.log.1", "app.log.2.gz", "app-2026-01-01.log", "app-1.log", "old.log.1"]
    site(*(f"d/{name}" for name in files))
    followed = ["app-1.log", "app.log", "old.log.1"]

    assert names("d") == followed
    assert names("d/*") == followed
    assert names(*(f"d/{name}" for name in files)) == sorted(files)
    assert names("d", snapshot=True) == sorted(files)


def test_what_is_missing_at_rotation_is_still_known(site, tmp_path):
    """Between rename and creation `app.log` is not there; `app.log.1` is its past all the same."""
    site("d/app.log")
    discovery = Discovery(make_plan(["d"]), snapshot=False)
    discovery.look()
    (tmp_path / "d/app.log").rename(tmp_path / "d/app.log.1")

    assert discovery.look() == []
    assert [path.endswith("app.log.1") for path in discovery.remarks.rotated] == [True]


def test_links_lead_to_files_that_are_sent_once(site, tmp_path):
    """A link out of the tree is followed, one inside it is the other file, one to a directory is not entered."""
    site("d/app.log", "out/far.log")
    (tmp_path / "d/near.log").symlink_to("app.log")
    (tmp_path / "d/far.log").symlink_to("../out/far.log")
    (tmp_path / "d/loop").symlink_to(".")

    assert names("d") == ["app.log", "far.log"]
    assert names("d", snapshot=True) == ["app.log", "far.log"]


def test_a_missing_file_is_told_once(site):
    """Followed it is waited for, in a snapshot it is missing."""
    discovery = Discovery(make_plan(["gone.log"]), snapshot=False)

    assert [found.name for found in discovery.look()] == ["gone.log"]
    assert len(discovery.remarks.missing) == 1
    assert discovery.look() == []
    assert discovery.remarks.missing == []
    assert names("gone.log", snapshot=True) == []


def test_a_store_is_not_sent(site):
    """It may be the one that is being filled."""
    site("d/app.log", "d/logs/.logstreamer/lock", "d/logs/s/j/f")

    assert names("d") == ["app.log"]
