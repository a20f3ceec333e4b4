"""`logstreamer flare enable`: what it changes in a site's resources, and how that is undone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from logstreamer.cli.main import run
from logstreamer.errors import ConfigError
from logstreamer.flare import enable

STOCK = "nvflare.app_common.logging"
ALLOWED = ["nvflare.app_common.np.np_trainer.NPTrainer"]


def kit(path: Path, kind: str, own: bool = False, **resources: Any) -> Path:
    """A startup kit with these resources, its own or the default ones."""
    (path / "startup").mkdir(parents=True)
    (path / "local").mkdir()
    (path / "startup" / f"fed_{kind}.json").write_text("{}")
    name = "resources.json" if own else "resources.json.default"
    (path / "local" / name).write_text(json.dumps({"format_version": 2, **resources}))
    return path


def resources(path: Path) -> Any:
    return json.loads((path / "local" / "resources.json").read_text())


def paths(path: Path) -> list[str]:
    return [component["path"] for component in resources(path)["components"]]


def test_a_client_gets_components_entries_and_the_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """NVFlare's own streamer is replaced with its arguments; nothing else changes."""
    args = {"log_file_name": "error_log.txt", "poll_interval": 2.0}
    theirs = {"id": "site_log_streamer", "path": f"{STOCK}.site_log_streamer.SiteLogStreamer", "args": args}
    other = {"id": "launcher", "path": "nvflare.launcher", "args": {}}
    site = kit(tmp_path / "site-1", "client", class_allow_list=ALLOWED, components=[other, theirs])

    assert run(["flare", "enable", str(site)]) == 0

    changed = resources(site)
    assert changed["class_allow_list"] == [*ALLOWED, *enable.JOB_CLASSES]
    assert changed["allow_log_streaming"] is True
    assert changed["components"][0] == other
    assert changed["components"][1] == {**theirs, "path": enable.SITE_STREAMER}
    assert changed["components"][2]["args"] == {"log_file_name": "log.txt"}
    assert f'-      "path": "{theirs["path"]}"' in capsys.readouterr().out


def test_a_server_gets_the_receiver(tmp_path: Path):
    """In the place of NVFlare's own, or where there is none."""
    theirs = {"id": "log_receiver", "path": f"{STOCK}.job_log_receiver.JobLogReceiver", "args": {"idle_timeout": 60}}
    one = kit(tmp_path / "one", "server", class_allow_list=ALLOWED, components=[theirs])
    other = kit(tmp_path / "other", "server", class_allow_list=ALLOWED)

    assert run(["flare", "enable", str(tmp_path), "--store", "/srv/logs"]) == 0

    wanted = {"id": "log_receiver", "path": enable.RECEIVER, "args": {"idle_timeout": 60, "store": "/srv/logs"}}
    assert resources(one)["components"] == [wanted]
    assert paths(other) == [enable.RECEIVER]
    assert "allow_log_streaming" not in resources(one)


def test_a_store_takes_the_place_of_a_dest_dir(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With both the server would not start; what goes is said, and without --store it stays."""
    args = {"dest_dir": "/var/x", "idle_timeout": 60}
    theirs = {"id": "log_receiver", "path": f"{STOCK}.job_log_receiver.JobLogReceiver", "args": args}
    server = kit(tmp_path / "server", "server", class_allow_list=ALLOWED, components=[theirs])

    assert run(["flare", "enable", str(server)]) == 0
    assert resources(server)["components"][0]["args"] == args
    assert run(["flare", "enable", str(server), "--store", "/srv/logs"]) == 0

    assert resources(server)["components"][0]["args"] == {"idle_timeout": 60, "store": "/srv/logs"}
    said = capsys.readouterr()
    assert '-        "dest_dir": "/var/x"' in said.out
    assert "store takes the place of dest_dir ('/var/x')" in said.err


@pytest.mark.parametrize(
    ("kind", "widget", "args"),
    [
        ("client", "site_log_streamer.SiteLogStreamer", {"poll_interval": 0}),
        ("client", "site_log_streamer.SiteLogStreamer", {"liveness_interval": "10"}),
        ("client", "site_log_streamer.SiteLogStreamer", {"colour": "red"}),
        ("server", "job_log_receiver.JobLogReceiver", {"idle_timeout": -1}),
        ("server", "job_log_receiver.JobLogReceiver", {"dest_dir": ""}),
    ],
)
def test_arguments_with_which_a_site_would_not_start_are_refused(
    tmp_path: Path, kind: str, widget: str, args: dict[str, Any], capsys: pytest.CaptureFixture[str]
):
    """In one line that names them, and nothing is written."""
    component = {"id": "logs", "path": f"{STOCK}.{widget}", "args": args}
    site = kit(tmp_path / "site", kind, class_allow_list=ALLOWED, components=[component])
    before = content(site)

    assert run(["flare", "enable", str(site)]) == 2

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "args of component logs" in error
    assert next(iter(args)) in error
    assert content(site) == before


def test_what_a_site_forbids_stays_forbidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The kill switch and the enforcement of the list are the owner's."""
    site = kit(
        tmp_path / "site",
        "client",
        class_allow_list=ALLOWED,
        allow_log_streaming=False,
        class_list_enforcement_mode="enforce",
    )

    assert run(["flare", "enable", str(site)]) == 0

    assert resources(site)["allow_log_streaming"] is False
    assert resources(site)["class_list_enforcement_mode"] == "enforce"
    assert "stays so" in capsys.readouterr().err


def test_without_a_list_nvflares_own_is_written_out(tmp_path: Path):
    """A list of ours alone would forbid what every job uses."""
    from nvflare.app_common.default_component_policy import DEFAULT_CLASS_ALLOW_LIST

    site = kit(tmp_path / "site", "client")

    assert run(["flare", "enable", str(site)]) == 0

    assert resources(site)["class_allow_list"] == [*DEFAULT_CLASS_ALLOW_LIST, *enable.JOB_CLASSES]


def test_an_open_list_gets_no_entries(tmp_path: Path):
    """Everything is allowed there already; it is not narrowed behind the owner's back either."""
    site = kit(tmp_path / "site", "client", class_allow_list=["*"])

    assert run(["flare", "enable", str(site)]) == 0

    assert resources(site)["class_allow_list"] == ["*"]


def test_dry_run_changes_nothing_and_a_second_run_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What is enabled is enabled."""
    site = kit(tmp_path / "site", "client", class_allow_list=ALLOWED)
    before = sorted((site / "local").iterdir())

    assert run(["flare", "enable", str(site), "--dry-run"]) == 0
    assert sorted((site / "local").iterdir()) == before
    assert "+" in capsys.readouterr().out

    assert run(["flare", "enable", str(site)]) == 0
    once = resources(site)
    capsys.readouterr()
    assert run(["flare", "enable", str(site)]) == 0
    assert resources(site) == once
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("own", [True, False], ids=["own resources", "default resources"])
def test_undo_puts_back_every_byte(tmp_path: Path, own: bool):
    """Also after several changes, and with the file's mode."""
    site = kit(tmp_path / "site", "client", own, class_allow_list=ALLOWED)
    if own:
        (site / "local" / "resources.json").chmod(0o600)
    before = {path.name: path.read_bytes() for path in (site / "local").iterdir()}

    assert run(["flare", "enable", str(site)]) == 0
    assert run(["flare", "enable", str(site), "--file", "metrics.log"]) == 0
    if own:
        assert stat.S_IMODE((site / "local" / "resources.json").stat().st_mode) == 0o600
    assert run(["flare", "enable", str(site), "--undo"]) == 0

    assert {path.name: path.read_bytes() for path in (site / "local").iterdir()} == before


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The disk is full at the moment of the rename."""
    site = kit(tmp_path / "site", "client", True, class_allow_list=ALLOWED)
    before = (site / "local" / "resources.json").read_bytes()
    made = enable.plan(enable.find_kits(site)[0])

    def full(self: Path, target: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left"):
        made.kit.file.write(made.after)

    assert (site / "local" / "resources.json").read_bytes() == before
    assert [path.name for path in (site / "local").iterdir()] == ["resources.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"components": {}}', '{"class_allow_list": "all"}', '{"class_allow_list": null}']
)
def test_resources_that_cannot_be_used_are_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    """In one line, and nothing is written."""
    site = kit(tmp_path / "site", "client")
    (site / "local" / "resources.json").write_text(text)

    assert run(["flare", "enable", str(site)]) == 2

    assert capsys.readouterr().err.count("\n") == 1
    assert (site / "local" / "resources.json").read_text() == text


@pytest.mark.parametrize(
    ("kind", "widget", "args"),
    [("server", "JobLogReceiver", {}), ("client", "SiteLogStreamer", {"log_file_name": "log.txt"})],
)
def test_of_two_components_for_the_same_one_would_have_no_effect(
    tmp_path: Path, kind: str, widget: str, args: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    """Which one, and whose, depends on their order: the owner decides."""
    two = [{"id": "a", "path": f"{STOCK}.{widget}", "args": args}, {"id": "b", "path": f"{STOCK}.{widget}"}]
    site = kit(tmp_path / "site", kind, class_allow_list=ALLOWED, components=two)
    before = content(site)

    assert run(["flare", "enable", str(site)]) == 2

    assert "components a, b: only one" in capsys.readouterr().err
    assert content(site) == before


def test_a_store_that_changes_is_a_note_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The class stays as it is."""
    server = kit(tmp_path / "server", "server", class_allow_list=ALLOWED)
    assert run(["flare", "enable", str(server), "--store", "/srv/a"]) == 0
    capsys.readouterr()

    assert run(["flare", "enable", str(server), "--store", "/srv/b"]) == 0

    assert capsys.readouterr().err.splitlines() == ["logstreamer: server: component log_receiver: its args change"]
    assert resources(server)["components"][0]["args"] == {"store": "/srv/b"}


def test_a_store_without_a_server_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Nothing else is done either."""
    site = kit(tmp_path / "site", "client", class_allow_list=ALLOWED)
    before = content(site)

    assert run(["flare", "enable", str(site), "--store", "/srv/logs"]) == 2

    assert "--store" in capsys.readouterr().err
    assert content(site) == before


def test_the_workspace_of_a_simulator_gets_the_entries_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It may be yet to be made, and is as before when it is undone; tests/flare/test_simulator.py runs a job in one."""
    workspace = tmp_path / "hello"
    assert run(["flare", "enable", str(workspace), "--simulator", "--dry-run"]) == 0
    assert not workspace.exists()

    assert run(["flare", "enable", str(workspace), "--simulator"]) == 0
    assert list(resources(workspace)) == ["class_allow_list"]
    assert resources(workspace)["class_allow_list"][-4:] == list(enable.JOB_CLASSES)
    file = workspace / "local" / "resources.json"
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(file.parent.stat().st_mode) & 0o666

    assert run(["flare", "enable", str(workspace), "--simulator", "--undo"]) == 0
    assert content(workspace) == {}


def test_a_site_is_no_simulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It would get the entries and nothing to send with."""
    kit(tmp_path / "site-1", "client", class_allow_list=ALLOWED)

    for path in (tmp_path, tmp_path / "site-1"):
        assert run(["flare", "enable", str(path), "--simulator"]) == 2
        assert "there is the client site-1" in capsys.readouterr().err


def test_a_directory_that_is_no_kit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The line says what was looked for."""
    assert run(["flare", "enable", str(tmp_path)]) == 2
    assert "startup/fed_client.json" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["false", "no", "0", 0, None])
def test_a_switch_that_forbids_as_text_stays_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], value: Any):
    """As the sender and the receiver judge it, and it is said."""
    site = kit(tmp_path / "site", "client", class_allow_list=ALLOWED, allow_log_streaming=value)

    assert run(["flare", "enable", str(site)]) == 0
    assert resources(site)["allow_log_streaming"] == value
    assert "stays so" in capsys.readouterr().err


def test_a_component_by_name_is_replaced_and_a_new_one_gets_a_free_id(tmp_path: Path):
    """NVFlare refuses two components of one id, and two receivers would write one log."""
    site = kit(
        tmp_path / "site",
        "client",
        class_allow_list=ALLOWED,
        components=[
            {"id": "mine", "name": "SiteLogStreamer", "args": {"log_file_name": "error_log.txt"}},
            {"id": "site_log_streamer_log.txt", "path": "a.b.C"},
        ],
    )
    server = kit(
        tmp_path / "server",
        "server",
        class_allow_list=ALLOWED,
        components=[{"id": "log_receiver", "path": "a.b.C"}],
    )

    assert run(["flare", "enable", str(tmp_path), "--file", "log.txt", "--file", "log.txt"]) == 0

    args = {"log_file_name": "error_log.txt"}
    mine, other, added = resources(site)["components"]
    assert mine == {"id": "mine", "path": enable.SITE_STREAMER, "args": args}
    assert other == {"id": "site_log_streamer_log.txt", "path": "a.b.C"}
    assert added["id"] == "site_log_streamer_log.txt_2"
    assert [component["id"] for component in resources(server)["components"]] == ["log_receiver", "log_receiver_2"]


def test_a_relative_store_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server runs in another directory."""
    server = kit(tmp_path / "server", "server", class_allow_list=ALLOWED)
    monkeypatch.chdir(tmp_path)

    assert run(["flare", "enable", str(server), "--store", "logs"]) == 0
    assert resources(server)["components"][0]["args"] == {"store": str(tmp_path / "logs")}


@pytest.mark.parametrize(
    ("kind", "component"),
    [
        ("server", {"id": "r", "path": "n.JobLogReceiver", "args": "x"}),
        ("client", {"id": "r", "path": "n.SiteLogStreamer", "args": ["x"]}),
        ("client", {"id": "r", "path": "n.SiteLogStreamer", "args": {"log_file_name": ["a"]}}),
        ("client", "x"),
        ("server", 7),
    ],
)
def test_components_of_odd_types_are_one_line(
    tmp_path: Path, kind: str, component: Any, capsys: pytest.CaptureFixture[str]
):
    """No traceback, and nothing is written."""
    site = kit(tmp_path / "site", kind, class_allow_list=ALLOWED, components=[component])
    before = content(site)

    assert run(["flare", "enable", str(site)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert content(site) == before


def enabled(site: Path) -> dict[str, bytes]:
    """What lies in `local` of a site after it was enabled."""
    assert run(["flare", "enable", str(site)]) == 0
    return content(site)


def content(site: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (site / "local").iterdir()}


def test_undo_dry_run_shows_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The diff goes from the present file to the former one."""
    site = kit(tmp_path / "site", "client", True, class_allow_list=ALLOWED)
    before = enabled(site)
    capsys.readouterr()

    assert run(["flare", "enable", str(site), "--undo", "--dry-run"]) == 0

    assert content(site) == before
    out, err = capsys.readouterr()
    assert '-  "allow_log_streaming": true' in out
    assert "nothing was changed" in err


@pytest.mark.parametrize("again", [False, True], ids=["edited", "edited and enabled again"])
def test_undo_never_drops_what_the_owner_forbade_later(tmp_path: Path, capsys: pytest.CaptureFixture[str], again: bool):
    """One line says so, the diff what would be lost."""
    site = kit(tmp_path / "site", "client", True, class_allow_list=ALLOWED)
    enabled(site)
    file = site / "local" / "resources.json"
    file.write_text(file.read_text().replace('streaming": true', 'streaming": false'))
    if again:
        assert run(["flare", "enable", str(site), "--file", "metrics.log"]) == 0
    before = content(site)
    capsys.readouterr()

    assert run(["flare", "enable", str(site), "--undo"]) == 2

    assert content(site) == before
    out, err = capsys.readouterr()
    assert '-  "allow_log_streaming": false' in out
    assert err.count("\n") == 1
    assert "edited" in err


def test_undo_puts_back_line_ends(tmp_path: Path):
    """Bytes, not lines."""
    site = kit(tmp_path / "site", "client")
    (site / "local" / "resources.json").write_bytes(b'{\r\n"class_allow_list": ["*"]\r\n}')
    before = content(site)
    enabled(site)

    assert run(["flare", "enable", str(site), "--undo"]) == 0
    assert content(site) == before


def test_a_link_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Its target may be shared by several sites; a rename would cut them apart."""
    site = kit(tmp_path / "site", "client")
    shared = tmp_path / "shared.json"
    shared.write_text('{"class_allow_list": ["*"]}')
    (site / "local" / "resources.json").symlink_to(shared)

    assert run(["flare", "enable", str(site)]) == 2

    assert "symbolic link" in capsys.readouterr().err
    assert shared.read_text() == '{"class_allow_list": ["*"]}'
    assert sorted(content(site)) == ["resources.json", "resources.json.default"]


@pytest.mark.parametrize("own", [True, False], ids=["own resources", "default resources"])
def test_owner_and_mode_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool):
    """Set before anything is written, also where the file is made from the default."""
    site = kit(tmp_path / "site", "client", own, class_allow_list=ALLOWED)
    source = site / "local" / ("resources.json" if own else "resources.json.default")
    source.chmod(0o640)
    asked: list[tuple[int, int, int]] = []
    uid, gid = (1234, 2345) if os.getuid() == 0 else (os.getuid(), os.getgid())
    os.chown(source, uid, gid)
    fchmod = os.fchmod

    def chmod(descriptor: int, mode: int) -> None:
        asked.append((os.fstat(descriptor).st_uid, os.fstat(descriptor).st_size, mode))
        fchmod(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", chmod)
    enabled(site)

    assert asked == [(uid, 0, 0o640)] * 3
    for path in (site / "local").iterdir():
        facts = path.stat()
        assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (uid, gid, 0o640), path.name


def test_a_second_write_that_fails_leaves_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The kept file is there only when something was changed."""
    site = kit(tmp_path / "site", "client", True, class_allow_list=ALLOWED)
    before = content(site)
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "resources.json":
            raise OSError(28, os.strerror(28))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    assert run(["flare", "enable", str(site)]) == 2
    assert content(site) == before


@pytest.mark.parametrize(
    "text",
    [
        '{"class_allow_list": ["x"], "allow_log_streaming": false, "allow_log_streaming": true}',
        '{"class_allow_list": ["x"], "components": [{"id": "a", "args": {"b": 1, "b": 2}}]}',
        '{"class_allow_list": ["x"], "weight": NaN}',
        '{"class_allow_list": ["x"], "weight": 1e999}',
        '{"class_allow_list": ["\\ud800"]}',
    ],
)
def test_json_of_two_meanings_is_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    """Which of two keys counts is not ours to say."""
    site = kit(tmp_path / "site", "client")
    (site / "local" / "resources.json").write_text(text)
    before = content(site)

    assert run(["flare", "enable", str(site)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert content(site) == before


def test_letters_stay_as_they_are(tmp_path: Path):
    """And are not escaped."""
    site = kit(tmp_path / "site", "client")
    (site / "local" / "resources.json").write_text('{"class_allow_list": ["*"], "title": "Krankenhaus Süd"}')
    assert "Krankenhaus Süd" in enabled(site)["resources.json"].decode()


@pytest.mark.parametrize("name", ["../../startup/client.key", "/etc/shadow", ""])
def test_a_file_outside_the_jobs_directory_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    """In one line, and nothing is written."""
    site = kit(tmp_path / "site", "client", class_allow_list=ALLOWED)
    before = content(site)

    assert run(["flare", "enable", str(site), "--file", name]) == 2
    assert "--file" in capsys.readouterr().err
    assert content(site) == before
