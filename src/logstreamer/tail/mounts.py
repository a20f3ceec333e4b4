"""What kind of file system a device is: on some of them inotify does not see who writes."""

from __future__ import annotations

import os

MOUNTS = "/proc/self/mountinfo"

LOCAL = frozenset(("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"))
"""Nobody writes there but through this kernel. Not network's, FUSE's, or what a hypervisor shares (9p, virtiofs)."""


def is_local(device: int) -> bool:
    """Whether every write on *device* (st_dev) passes this kernel; False where that is not known."""
    kind = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(MOUNTS, "rb") as mounts:
            return any(_type_of(line) in LOCAL for line in mounts if line.split(b" ", 3)[2] == kind.encode())
    except (OSError, IndexError):
        return False


def _type_of(line: bytes) -> str:
    # proc(5): "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [optional fields] - TYPE SOURCE OPTIONS"
    return line.partition(b" - ")[2].split(b" ", 1)[0].decode("ascii", "replace")
