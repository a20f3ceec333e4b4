"""Who has a file open for writing."""

from __future__ import annotations

import subprocess

from logstreamer.cli.writers import writers_of


def test_only_other_processes_that_can_write_are_named(tmp_path):
    """Neither we ourselves, nor who reads it."""
    path = tmp_path / "output.log"
    with path.open("ab") as output, path.open("rb") as reading:
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=output)
        reader = subprocess.Popen(["tail", "-f", "/dev/null", "-"], stdin=reading, stdout=subprocess.DEVNULL)
        found = writers_of(str(path))
        reader.kill()
        writer.communicate()
        reader.wait()
        after = writers_of(str(path))

    assert [(one.pid, str(one)) for one in found] == [(writer.pid, f"cat {writer.pid}")]
    assert after == []
