"""What was lost at a site is told everywhere, and damage of a copy is named. A gap of a real loss, no made-up one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from e2e.processes import environment, numbered_lines, run, size, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BEFORE, LOST, AFTER = numbered_lines(0, 1000), numbered_lines(1000, 2000), numbered_lines(5000, 5010)
GAP = f"gap at byte {len(BEFORE)}: an unknown number of bytes lost"


@pytest.fixture
def lossy(start, receiver, tmp_path):
    """While its sender was dead a file was deleted with unread bytes, and made anew; `logs -f` looks on."""
    path = tmp_path / "a.log"
    path.write_bytes(BEFORE)
    argv = ("send", "a.log", "--to", receiver.url, "--site", "s")
    sender = start(*argv)
    wait_until(lambda: size(receiver.copy("a.log")) == len(BEFORE))
    viewer = start("logs", "-f", "-n", "all", "-o", "raw", "s/default/a.log", "--from", receiver.url)
    viewer.wait_line("00000999")
    sender.kill()
    path.rename(tmp_path / "elsewhere")
    with (tmp_path / "elsewhere").open("ab") as file:
        file.write(LOST)
    (tmp_path / "elsewhere").unlink()
    path.write_bytes(AFTER)
    sender = start(*argv)
    wait_until(lambda: size(receiver.copy("a.log")) == len(BEFORE + AFTER))
    viewer.wait_line("00005009")
    return sender, viewer


def test_t16_a_gap_is_told_in_ls_logs_and_verify(lossy, receiver, tmp_path):
    """With its place; `logs` says it between the bytes before and the bytes behind it."""
    sender, viewer = lossy
    origin = str(receiver.copies)

    listed = run(["ls", "--from", origin], tmp_path).stdout.decode().splitlines()
    assert listed[0].endswith("GAPS")
    assert listed[1].endswith("1 (size unknown)")

    assert bytes(viewer.out) == BEFORE + AFTER
    assert any(GAP in line for line in viewer.said)
    both = subprocess.run(
        [sys.executable, "-m", "logstreamer", "logs", "s/default/a.log", "--from", origin],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), cwd=tmp_path, timeout=20, check=True,
    ).stdout  # fmt: skip
    place = both.index(GAP.encode())
    assert both[:place].rsplit(b"\n", 1)[0] + b"\n" == BEFORE
    assert both[place:].split(b"\n", 1)[1] == AFTER
    tail = run(["logs", "-n", "5", "s/default/a.log", "--from", origin], tmp_path)
    assert (tail.stdout, tail.stderr) == (numbered_lines(5005, 5010), b"")  # its place is not shown

    assert sender.stop() == 0
    assert "1 gap, of unknown size, where bytes were gone" in sender.said[-1]
    done = run(["verify", origin], tmp_path)
    assert done.returncode == 0
    assert re.search(rf"gap: before segment 1, {GAP} \(.+\)", done.stdout.decode())
    assert b"1 stream: 1 exact, 0 unfinished, 0 damaged; 1 gap" in done.stdout


@pytest.mark.parametrize("way", ["flipped", "cut", "longer"])
def test_verify_names_the_damage(lossy, receiver, tmp_path, way):
    """Segment and bytes; the gap is told as well, and is none."""
    sender, _ = lossy
    assert sender.stop() == 0
    copy = receiver.copy("a.log")
    wait_until(lambda: not copy.stat().st_mode & 0o222)
    copy.chmod(0o644)
    whole = bytearray(copy.read_bytes())
    if way == "flipped":
        whole[len(BEFORE) + 3] ^= 1
    copy.write_bytes(whole[:-7] if way == "cut" else bytes(whole) + b"!" * (way == "longer"))

    done = run(["verify", str(receiver.copies)], tmp_path)

    assert done.returncode == 1
    place = {
        "flipped": f"segment 1, bytes {len(BEFORE)}-{len(whole)}: ",
        "cut": f"segment 1, bytes {len(BEFORE)}-{len(whole)}: ",
        "longer": f"the whole file, bytes {len(whole)}-{len(whole) + 1}: ",
    }
    assert f"damage: {place[way]}" in done.stdout.decode()
    assert b"0 exact, 0 unfinished, 1 damaged; 1 gap" in done.stdout
