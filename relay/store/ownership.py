"""Ownership: one process serves a database file, and the file is known by what it is, not by what it is called."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from relay.core.errors import StartError

KEPT = ".before-restore"
"""How the names of files go on that a restore has kept. Nobody opens those, so a name of that kind does no harm."""
_LOCKED_BYTE = 2**62
"""A byte that no file reaches and SQLite does not lock: it is locked in the file itself, under whatever name."""
_HELD = 256


class Holder(NamedTuple):
    """The process that serves a file, and the note it left for commands beside it."""

    pid: str
    note: str


def real_path(path: Path) -> Path:
    """Where a database really is, or would be made. Raises StartError for a link that leads nowhere."""
    try:
        real = path.absolute().resolve()
    except (OSError, RuntimeError) as error:
        raise StartError(f"{path} is a link that leads nowhere: {error}") from None
    if path.is_symlink() and not real.parent.is_dir():
        raise StartError(f"{path} is a link to {real}, and there is no folder {real.parent}")
    return real


def need_one_name(path: Path) -> None:
    """Raise StartError for a file with a hard link: SQLite keeps a log for each name, so two names ruin the file."""
    try:
        found = path.stat()
    except OSError:
        return  # whoever opens it says why that fails
    if found.st_nlink == 1 or path.is_dir():
        return
    others = [one for one in path.parent.iterdir() if one != path and _is_same(one, found)]
    if found.st_nlink - sum(one.name.startswith(path.name + KEPT) for one in others) > 1:
        named = f" ({', '.join(one.name for one in others)})" if others else ""
        raise StartError(
            f"{path} has another name too, a hard link{named}, under which it may be served: SQLite would keep two logs"
            " of one file and ruin it; remove the other name, or make a copy with relay backup"
        )


def _is_same(path: Path, known: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), known)
    except OSError:
        return False


@contextlib.contextmanager
def owned(path: Path, *, make: bool = False) -> Iterator[Callable[[str], None]]:
    """Hold a database file, given by its real path, for this process; the system lets go of it on any exit.

    Gives a function that leaves a note for `holder_of`. `make` makes the file when there is none. Raises StartError
    when it is held already.
    """
    with _side_file_held(path) as leave_note:
        need_one_name(path)
        if not make and not path.exists():
            yield leave_note
            return
        # Made for its owner only before SQLite opens it: the log beside it gets the same permissions. Open until
        # SQLite has closed it: whoever closes a descriptor of a file gives up all locks the process has on it.
        try:
            descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if make else 0), 0o600)
        except OSError as error:
            raise StartError(f"cannot open the database {path}: {error.strerror}") from error
        try:
            _lock_itself(descriptor, path)
            yield leave_note
        finally:
            os.close(descriptor)


def holder_of(path: Path) -> Holder | None:
    """Who serves the database with this real path; None when nobody does."""
    try:
        descriptor = os.open(_side_file(path), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


def _side_file(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


@contextlib.contextmanager
def _side_file_held(path: Path) -> Iterator[Callable[[str], None]]:
    side = _side_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(side, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(f"cannot write {side}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"{path} is already served by process {_written(descriptor).pid}; stop it first") from None

        def leave_note(note: str) -> None:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n{note}\n".encode(), 0)

        leave_note("")
        yield leave_note
    finally:
        os.close(descriptor)


def _written(descriptor: int) -> Holder:
    pid, _, note = os.pread(descriptor, _HELD, 0).decode(errors="replace").partition("\n")
    return Holder(pid.strip() or "unknown", note.strip())


def _lock_itself(descriptor: int, path: Path) -> None:
    if sys.platform != "linux":
        return  # elsewhere the side file has to do, which is there under each name but a hard link's
    # Of the open file, not of the process: SQLite unlocks the whole file again and again, for all of the process.
    lock = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)
    except (BlockingIOError, PermissionError):
        raise StartError(f"{path} is already served, under another name; stop that server first") from None
    except OSError:
        pass  # a file system without such locks


class Place:
    """Where the files of an open database are, to notice when one is renamed, removed or replaced under the server."""

    def __init__(self, *paths: Path) -> None:
        self._known = {str(path): _identity(str(path)) for path in paths}

    def amiss(self) -> str | None:
        """What is not where it was; None when all is."""
        for path, known in self._known.items():
            try:
                if _identity(path) != known:
                    return f"another file is in the place of {path}"
            except FileNotFoundError:
                return f"{path} is gone: renamed or removed"
            except OSError as error:
                return f"{path} cannot be reached: {error.strerror}"
        return None


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - a Path takes longer
    return found.st_dev, found.st_ino
