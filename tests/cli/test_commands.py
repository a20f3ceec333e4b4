"""Wrong usage, help and imports of the command line."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.stored import write
from logstreamer.cli.main import COMMANDS, group, run
from logstreamer.store import Store


@pytest.mark.parametrize(
    "argv",
    [
        ["sned"],
        ["send"],
        ["send", "a.log"],
        ["send", "--to", "http://x:1/?token=t"],
        ["send", "--to", "http://x:1/?token=t", "--"],
        ["send", "a.log", "--to", "http://x:1/?token=t", "--stop-at-eof", "--", "true"],
        ["send", "a.log", "--to", "ftp://x", "--site", "s"],
        ["send", "a.log", "--to", "http://x:1", "--site", "s"],
        ["send", "a.log", "--to", "http://x:port/?token=t", "--site", "s"],
        ["send", "a.log", "--to", "http://x y:80/?token=t", "--site", "s"],
        ["send", "a.log", "--to", "http://x:0/?token=t", "--site", "s"],
        ["send", "a.log", "--to", "http://x:1/?token=t", "--site", "../s"],
        ["send", "a.log", "--to", "http://x:1/?token=t", "--site", "s", "--no-such-flag"],
        ["serve", "--listen", "8080"],
        ["serve", "--listen", "127.0.0.1:99999"],
        ["serve", "--idle-timeout", "-1"],
        ["serve", "--token", " "],
        ["serve", "--tls-key", __file__],
        ["serve", "--tls-cert", __file__],
        ["serve", "--tls-cert", __file__, "--tls-key", __file__],
        ["logs", "-n", "few"],
        ["logs", ""],
        ["ls", "s", ""],
        ["logs", "-o", "raw", "--prefix", "always"],
        ["get"],
        ["ls", "--from", "http://x:1"],
    ],
)
def test_wrong_usage_is_2_and_no_traceback(argv, monkeypatch, capfd, tmp_path):
    """One clear message on stderr, nothing on stdout, nothing begun."""
    monkeypatch.delenv("LOGSTREAMER_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)

    assert run(argv) == 2

    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("logstreamer: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["verify", "/no/such/place"], "error: /no/such/place: no such directory"),
        (["serve", "--listen", "no-such-host.invalid:1"], "error: cannot listen on no-such-host.invalid: "),
        (["ls", "nobody/*", "--from", "."], "error: no stream matches nobody/*"),
    ],
)
def test_an_error_is_one_line_and_1(argv, line, monkeypatch, capfd, tmp_path):
    """It names what the user wrote, in words and not in error numbers."""
    monkeypatch.chdir(tmp_path)

    assert run(argv) == 1

    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"logstreamer: {line}")
    assert err.count("\n") == 1
    assert "Errno" not in err


def test_wrong_usage_says_where_help_is(capfd):
    """Of the command that was meant."""
    run(["ls", "--no-such-flag"])

    assert capfd.readouterr().err.endswith("see `logstreamer ls --help`\n")


def test_a_wrong_flag_is_told_what_was_meant(capfd):
    """As click does."""
    run(["serve", "--idle-timout", "3"])

    assert "--idle-timeout" in capfd.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_two_examples(command):
    """That can be typed as they stand."""
    done = CliRunner().invoke(group, [command, "--help"])

    assert done.exit_code == 0
    examples = done.output.rpartition("Examples:")[2].strip().splitlines()
    assert len(examples) == 2
    assert all(f"logstreamer {command}" in line for line in examples)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_neither_server_nor_client(command):
    """It has to be quick."""
    program = (
        "import sys\nfrom logstreamer.cli.main import run\n"
        f"code = run([{command!r}, '--help'])\n"
        "heavy = {'asyncio', 'starlette', 'uvicorn', 'websockets', 'msgspec'} & set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_flag_can_be_set_by_a_variable(monkeypatch, capfd, tmp_path):
    """By command and flag; the shared ones have names of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGSTREAMER_SERVE_LISTEN", "nonsense")
    assert run(["serve"]) == 2
    assert "'nonsense' is not HOST:PORT" in capfd.readouterr().err

    monkeypatch.setenv("LOGSTREAMER_FROM", "nowhere")
    assert run(["ls"]) == 1
    assert "nowhere: no such directory" in capfd.readouterr().err


def test_ls_does_not_deny_a_receiver_inside_another_program(tmp_path, capfd):
    """One of NVFlare's keeps a part of the directory; of what was left there before nobody knows."""
    write(tmp_path, "s/job-1/left.log", b"x")
    with Store(tmp_path, part="nvflare-job-2") as store:
        stream = store.open("s", "job-2", "a.log", key="k")
        stream.begin_run("run-1")
        assert run(["ls", "--from", str(tmp_path)]) == 0

    out, err = capfd.readouterr()
    assert [re.split("  +", line)[1] for line in out.splitlines()[1:]] == [
        "unknown (no receiver is running here)",
        "unknown (another program receives it)",
    ]
    assert err.splitlines() == [
        "logstreamer: no receiver is running here: nobody knows about 1 unfinished stream",
        "logstreamer: another program, NVFlare's server perhaps, receives 1 unfinished stream: only it knows more",
    ]
