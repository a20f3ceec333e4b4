"""D4: names are checked, and no link below the root is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logstreamer.errors import NameRefused, StoreError
from logstreamer.store import Store, View
from store.helpers import KEY, PLACE, crash, opened, sidecar, stored

REFUSED = {
    "empty": "",
    "dot": ".",
    "dot dot": "..",
    "NUL": "a\0b",
    "newline": "a\nb",
    "escape": "\x1b[2J",
    "C1 control": "a\x9bb",
    "line separator": "a\u2028b",
    "right-to-left override": "gol.\u202etxt",
    "backslash": "a\\b",
    "windows path": "C:\\log",
    "300 bytes": "x" * 300,
    "201 bytes": "x" * 201,
    "101 characters of two bytes": "é" * 101,
    "invalid UTF-8": os.fsdecode(b"caf\xe9"),
    "leading space": " a",
    "trailing space": "a ",
    "trailing dot": "a.",
    "three dots": "...",
    "CON": "CON",
    "nul with extension": "nul.txt",
    "COM1": "com1.log",
    "superscript LPT": "LPT\u00b9",
    "CONIN$": "conin$",
    "own directory": ".logstreamer",
    "a sidecar": ".train.log.logstreamer.json",
    "a sidecar's temporary": ".train.log.LogStreamer.json.tmp",
}
TAKEN = [
    "a",
    "log.txt",
    ".hidden.log",
    "-rf",
    "a b",
    "日志.log",
    "x" * 200,
    "é" * 100,
    "12:30.log",
    "console.log",
    "con-1",
]


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("position", ["site", "job", "name", "directory", "inner name"])
def test_d4_a_bad_name_is_refused_and_leaves_nothing_behind(tmp_path, name, position):
    places = {
        "site": (name, "job", "log"),
        "job": ("site", name, "log"),
        "name": ("site", "job", name),
        "directory": ("site", "job", f"{name}/log"),
        "inner name": ("site", "job", f"sub/{name}"),
    }
    with Store(tmp_path) as store:
        with pytest.raises(NameRefused) as caught:
            store.open(*places[position], key=KEY)
        assert "\n" not in str(caught.value)
        assert os.listdir(tmp_path) == [".logstreamer"]


@pytest.mark.parametrize("place", [("a/b", "job", "log"), ("site", "a/b", "log"), ("site", "job", "/etc/passwd")])
def test_d4_separators_belong_into_names_only(tmp_path, place):
    with Store(tmp_path) as store, pytest.raises(NameRefused):
        store.open(*place, key=KEY)


@pytest.mark.parametrize(
    "name",
    ["a//b", "a/", "a/./b", "a/../../../etc/passwd", "/".join("x" * 40), "y" * 190 + "/" + "/".join(["z" * 150] * 6)],
)
def test_d4_a_tree_is_checked_in_every_component_and_as_a_whole(tmp_path, name):
    with Store(tmp_path) as store, pytest.raises(NameRefused):
        store.open("site", "job", name, key=KEY)


@pytest.mark.parametrize("name", TAKEN)
def test_names_that_only_look_odd_are_taken(tmp_path, name):
    with Store(tmp_path) as store:
        for _ in range(3):  # the longest name has room for its number too
            stream = store.open(name, name, f"{name}/{name}", key=KEY)
            stream.begin_run("run-1")
            stream.finish()
            stream.close()
        directory = tmp_path / name / name / name
        visible = sorted(entry for entry in os.listdir(directory) if not entry.endswith(".logstreamer.json"))
        assert visible == [name, f"{name}.2", f"{name}.3"]
        assert len(store.streams()) == 3


def test_a_tree_is_kept(tmp_path):
    with Store(tmp_path) as store:
        stream = store.open("site", "job", "rank-0/out/train.log", key=KEY)
        assert stream.path == "site/job/rank-0/out/train.log"
        assert (tmp_path / stream.path).is_file()
        assert stream.record().file == "rank-0/out/train.log"


def test_a_file_cannot_be_a_directory_too(tmp_path):
    with Store(tmp_path) as store:
        store.open("site", "job", "a", key="1")
        store.open("site", "job", "b/c", key="2")
        with pytest.raises(NameRefused, match="'a' refused: a file or a symbolic link lies where a directory must be"):
            store.open("site", "job", "a/b", key="3")
        with pytest.raises(NameRefused, match="'b' refused: something else than a file"):
            store.open("site", "job", "b", key="4")


# -- planted links


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that is not the store's."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "secret").write_bytes(b"secret")
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The store."""
    directory = tmp_path / "store"
    directory.mkdir()
    return directory


def plant(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


@pytest.mark.parametrize("where", ["site-1", "site-1/job-7", "site-1/job-7/sub"])
def test_d4_a_link_in_place_of_a_directory_is_refused(root, outside, where):
    plant(root / where, outside)
    with Store(root) as store:
        with pytest.raises(NameRefused, match="symbolic link"):
            store.open("site-1", "job-7", "sub/train.log", key=KEY)
        with pytest.raises(NameRefused):
            store.reader("site-1/job-7/sub/train.log")
        assert store.streams() == []
    assert os.listdir(outside) == ["secret"]


@pytest.mark.parametrize("where", [".logstreamer", ".logstreamer/lock"])
def test_d4_a_link_in_place_of_the_lock_is_refused(root, outside, where):
    plant(root / where, outside / "secret" if where.endswith("lock") else outside)
    with pytest.raises(NameRefused):
        Store(root)
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("target", ["secret", "nothing there"])
def test_d4_a_link_in_place_of_a_file_is_refused(root, outside, target):
    plant(stored(root), outside / target)
    with Store(root) as store:
        with pytest.raises(NameRefused, match="symbolic link"):
            opened(store)
        with pytest.raises(NameRefused, match="symbolic link"):
            store.reader("/".join(PLACE))
        assert store.streams() == []
    assert (outside / "secret").read_bytes() == b"secret"
    assert os.listdir(outside) == ["secret"]


def test_d4_a_link_planted_over_a_known_stream_is_refused(root, outside):
    with Store(root) as store:
        opened(store).append(0, b"abc")
    stored(root).unlink()
    plant(stored(root), outside / "secret")
    with Store(root) as store, pytest.raises(NameRefused, match="symbolic link"):
        opened(store)
    assert (outside / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("suffix", ["", ".tmp"])
def test_d4_a_link_in_place_of_a_sidecar_is_refused(root, outside, suffix):
    store = Store(root)
    opened(store).append(0, b"abc")
    crash(store)
    sidecar(root).unlink() if not suffix else None
    plant(Path(f"{sidecar(root)}{suffix}"), outside / "secret")
    with Store(root) as store:
        with pytest.raises(NameRefused):
            opened(store, run="run-2")
        assert [record.size for record in store.streams()] == [3]
    assert (outside / "secret").read_bytes() == b"secret"


def test_d4_a_file_with_a_second_name_is_refused(root, outside):
    """For now: a snapshot of the store by hard links may be gone soon, and no sender shall end for that."""
    stored(root).parent.mkdir(parents=True)
    os.link(outside / "secret", stored(root))
    with Store(root) as store:
        for attempt in (lambda: opened(store), lambda: store.reader("/".join(PLACE))):
            with pytest.raises(StoreError, match="second hard link") as refused:
                attempt()
            assert not isinstance(refused.value, NameRefused)
        (outside / "secret").unlink()
        opened(store)


def test_d4_a_fifo_does_not_hold_the_receiver(root):
    stored(root).parent.mkdir(parents=True)
    os.mkfifo(stored(root))
    with Store(root) as store:
        with pytest.raises(NameRefused, match="something else than a file"):
            opened(store)
        assert store.streams() == []


@pytest.mark.parametrize(
    "path", ["", "/", "a", "a/b", "a/b/..", "../a/b", "/etc/passwd", "a//b", ".logstreamer/lock/x"]
)
def test_d4_viewers_cannot_leave_the_store_either(root, path):
    with Store(root), View(root) as view, pytest.raises(NameRefused):
        view.reader(path)


def test_the_root_itself_may_be_reached_by_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    with Store(tmp_path / "link") as store:
        opened(store).append(0, b"abc")
    assert stored(root).read_bytes() == b"abc"


def test_a_root_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"^cannot use .*/file as the store: File exists$"):
        Store(tmp_path / "file")
