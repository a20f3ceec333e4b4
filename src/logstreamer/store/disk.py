"""Every system call that changes the store, and the one place where an OSError becomes ours.

A crash can only fall between two of these calls, so a test that stops the process at each of them has seen them all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator

from logstreamer.crash import reach
from logstreamer.errors import DiskFull, NameRefused, StoreError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


def store_error(error: OSError, what: str) -> StoreError:
    """*error* as ours, in one line that says what failed; one that is ours already stays as it is."""
    if isinstance(error, StoreError):
        return error
    kind = DiskFull if error.errno in _NO_ROOM else StoreError
    made = kind(f"cannot {what}: {error.strerror or error}")
    made.errno = error.errno  # senders are told the reason, and not what lies where here
    return made


@contextlib.contextmanager
def ours(what: str) -> Iterator[None]:
    """Within it, an OSError leaves as a `StoreError` that says *what* could not be done."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise store_error(error, what) from error


def make_dir(name: str, dir_fd: int, *, fsync: bool) -> None:
    """Create directory *name* unless something of that name exists.

    Args:
        fsync: its name is on the disk when this returns, also where it existed: who made it may have been killed
            before it could see to that.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=dir_fd)
    if fsync:
        sync_dir(dir_fd)


def make_root(path: str, *, fsync: bool) -> None:
    """Create the directory *path* (absolute) with its parents.

    Args:
        fsync: all their names are on the disk when this returns, as in `make_dir`, as far as we may look at them.
    """
    os.makedirs(path, exist_ok=True)
    while fsync and path != os.path.dirname(path):
        path = os.path.dirname(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            continue  # it may be entered but not read, so it is not ours, nor is what lies in it new
        try:
            sync_dir(fd)
        finally:
            os.close(fd)


def open_file(name: str, flags: int, dir_fd: int | None = None) -> int:
    """Open a regular file that has this one name; no link is followed.

    Raises:
        NameRefused: it is a symbolic link or no regular file.
        StoreError: it has a second hard link, as while `cp -al` keeps a snapshot: what is written would change that.
        OSError: as from `os.open`.
    """
    # O_NONBLOCK: a FIFO planted under a stream's name must not hold the whole receiver in open().
    safe = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(name, flags | safe, 0o666, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NameRefused(name, "a symbolic link lies at its place in the store") from error
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise NameRefused(name, "a directory or device lies at its place in the store") from error
        raise
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return fd
    os.close(fd)
    if not stat.S_ISREG(status.st_mode):
        raise NameRefused(name, "something else than a file lies at its place in the store")
    raise StoreError(f"{name}: a file with a second hard link lies at its place in the store")


def create_file(name: str, dir_fd: int) -> None:
    """Create the empty file *name*; FileExistsError if there is anything of that name."""
    os.close(open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd))


def write_all(fd: int, payload: bytes | memoryview) -> None:
    """Write all of *payload* at the descriptor's end; on an error some of it may have been written."""
    size = len(payload)
    done = os.write(fd, payload)
    while done < size:
        done += os.write(fd, memoryview(payload)[done:])


def truncate(fd: int, size: int) -> None:
    """Cut what lies above *size*: only ever for bytes that were not acknowledged."""
    os.ftruncate(fd, size)


def sync_data(fd: int) -> None:
    """Return when the file's bytes and size are on the disk."""
    _fdatasync(fd)


def sync_dir(fd: int) -> None:
    """Return when the names in an open directory are on the disk."""
    os.fsync(fd)


def settle(name: str, dir_fd: int) -> None:
    """Return when the file *name* and all names in its directory are on the disk."""
    fd = open_file(name, os.O_RDONLY, dir_fd)
    try:
        sync_data(fd)
    finally:
        os.close(fd)
    sync_dir(dir_fd)


def make_read_only(fd: int) -> None:
    """Take away everybody's write permission, so that an editor or a shell's `>` fails as well."""
    os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) & ~0o222)


def replace(name: str, data: bytes, dir_fd: int, *, fsync: bool) -> None:
    """Put *data* into the file *name* so that a reader or a crash finds the old content or the new, never a mixture.

    Args:
        fsync: also on the disk when this returns, and never renamed before it is.

    Raises:
        NameRefused: a link or no regular file lies at the place of the temporary file.
        OSError: nothing was changed.
    """
    temporary = f"{name}.tmp"
    _remove_leftover(temporary, dir_fd)
    try:
        fd = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd)
        try:
            write_all(fd, data)
            if fsync:
                sync_data(fd)
        finally:
            os.close(fd)
        reach("sidecar.written")
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        reach("sidecar.replaced")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=dir_fd)
        raise
    if fsync:
        sync_dir(dir_fd)


def set_aside(name: str, dir_fd: int) -> str:
    """Rename *name* to the first free `<name>.bad[.N]` and return that."""
    number, aside = 1, f"{name}.bad"
    while exists(aside, dir_fd):
        number += 1
        aside = f"{name}.bad.{number}"
    os.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    return aside


def exists(name: str, dir_fd: int) -> bool:
    """Whether anything has that name, be it a dangling link."""
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_leftover(temporary: str, dir_fd: int) -> None:
    """Remove what a crash left of an earlier `replace`."""
    try:
        status = os.stat(temporary, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise NameRefused(temporary, "a link or something else than a file lies at its place in the store")
    os.unlink(temporary, dir_fd=dir_fd)


class Descriptors:
    """The open data files: at most *limit* at a time, the least recently used is closed first.

    So 2,000 streams need no raised `ulimit -n`: most are quiet, and opening one again costs some 20 microseconds.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: OrderedDict[str, int] = OrderedDict()

    def get(self, path: str, reopen: Callable[[], int]) -> int:
        """The descriptor of *path*, from *reopen* if it is not open now; valid until the next call."""
        fd = self._open.get(path)
        if fd is not None:
            self._open.move_to_end(path)
            return fd
        while len(self._open) >= self._limit:
            os.close(self._open.popitem(last=False)[1])
        fd = self._open[path] = reopen()
        return fd

    def drop(self, path: str) -> None:
        """Close the descriptor of *path* if it is open."""
        fd = self._open.pop(path, None)
        if fd is not None:
            os.close(fd)
