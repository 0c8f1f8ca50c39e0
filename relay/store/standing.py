"""How the files of an installation stand: sizes, permissions, the room beside them, and who serves the database."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from relay.core.errors import StoreError
from relay.store.secrets import KEY_FILE

_BESIDE = 200
"""How many files beside a database are looked at."""


class FileStanding(NamedTuple):
    path: Path
    size_bytes: int
    mode: int
    """The permission bits."""
    modified_at_ms: int
    is_folder: bool


class Standing(NamedTuple):
    database: FileStanding
    beside: tuple[FileStanding, ...]
    """What begins with the database's name: its log, the copies that were kept before a migration or a restore."""
    key_file: FileStanding | None
    folder: FileStanding | None
    """The data folder."""
    free_bytes: int
    """What the server may still write to the disk of the database."""
    disk_read_only: bool
    served_by: int | None
    """The process that serves the database; 0 when one does and it is not known which, None when none does."""

    @property
    def log_bytes(self) -> int:
        """The size of the write-ahead log."""
        return sum(one.size_bytes for one in self.beside if one.path.name.endswith("-wal"))


def look_at_files(database: Path, data_dir: Path) -> Standing:
    """Raises StoreError when the system does not tell."""
    try:
        resolved = database.resolve(strict=True)
        disk = os.statvfs(resolved.parent)
        beginnings = (f"{resolved.name}-", f"{resolved.name}.before")
        with os.scandir(resolved.parent) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(beginnings))
        found = _standing(resolved)
        if found is None:
            raise FileNotFoundError(database)
        return Standing(
            database=found,
            beside=tuple(one for name in names[:_BESIDE] if (one := _standing(resolved.with_name(name))) is not None),
            key_file=_standing(data_dir / KEY_FILE),
            folder=_standing(data_dir),
            free_bytes=disk.f_bavail * disk.f_frsize,
            disk_read_only=bool(disk.f_flag & os.ST_RDONLY),
            served_by=serving_process(resolved),
        )
    except OSError as error:
        raise StoreError(f"cannot look at {database}: {error.strerror or error}") from error


def serving_process(database: Path) -> int | None:
    """The process that serves a database: 0 when one does and it is not known which, None when none does.

    The lock that says so is tried as a reader, and let go of at once.
    """
    try:
        descriptor = os.open(database.with_name(database.name + ".lock"), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        written = os.read(descriptor, 256).partition(b"\n")[0].strip()
        return int(written) if written.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def _standing(path: Path) -> FileStanding | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return FileStanding(path, found.st_size, found.st_mode & 0o7777, found.st_mtime_ns // 1_000_000, path.is_dir())
