"""The files: whole, of this release, for their owner alone, with room to grow, and with the key that opens them."""

from __future__ import annotations

from collections.abc import Iterator

from relay.doctor.finding import Area, Finding, Problem, size
from relay.doctor.look import Look
from relay.store.secrets import KEY_FILE

ROOM_BYTES = 256_000_000
"""With less than this a burst of events may fill the disk before anybody looks again."""
ROOM_TO_UPGRADE_BYTES = 1_000_000_000
LOG_BYTES = 256_000_000
"""A server empties its log long before, unless another program reads the database all the time."""
_OTHERS = 0o077


def damage(look: Look) -> Iterator[Finding]:
    """SQLite finds its own structures whole, as far as it was looked, and the content can be read."""
    about = str(look.standing.database.path)
    integrity = look.read.integrity
    if integrity is not None and integrity.fault is not None:
        yield Finding(
            Area.DATABASE,
            Problem.DAMAGED,
            about,
            f"It is damaged: {integrity.fault}.",
            "Stop the server, and put a backup in its place with relay restore FILE; the damaged file is kept.",
            details={"fault": integrity.fault},
        )
    elif look.read.unreadable is not None:
        yield Finding(
            Area.DATABASE,
            Problem.UNREADABLE,
            about,
            f"Its content was not looked at: {look.read.unreadable}.",
            "Run this as the user of the server, on its machine; if the file is damaged, relay restore FILE.",
            details={"fault": look.read.unreadable},
        )


def schema(look: Look) -> Iterator[Finding]:
    """It is of this release: what is in another one's cannot be judged."""
    found, about = look.read.schema, str(look.standing.database.path)
    if found is None:
        return
    details = {"schema": found.number, "newest_schema": found.newest}
    if found.fault is not None:
        yield Finding(
            Area.DATABASE,
            Problem.OTHER_SCHEMA,
            about,
            f"Its content was not looked at: {found.fault}.",
            "Use the relay command of the server's version, and see that this is the server's database.",
            details=details,
        )
    elif found.number != found.newest:
        step = "Start the server again with it" if look.server else "Start relay serve once with it"
        yield Finding(
            Area.DATABASE,
            Problem.OLDER_SCHEMA,
            about,
            f"Its content was not looked at: its schema is {found.number}, older than {found.newest} of this program.",
            f"{step}, which brings the file up to date and keeps a copy, or use the relay command of the server's"
            " version.",
            details=details,
        )


def room(look: Look) -> Iterator[Finding]:
    """The disk can be written and has room, and the write-ahead log is emptied."""
    standing, about = look.standing, str(look.standing.database.path.parent)
    details = {"free_bytes": standing.free_bytes, "size_bytes": standing.database.size_bytes}
    if standing.disk_read_only:
        yield Finding(
            Area.DATABASE,
            Problem.READ_ONLY,
            about,
            "The disk of the database is mounted read-only: no event can be taken in.",
            "Mount it writable, and look at the system's log for why it is not: disks do that to themselves on errors.",
        )
    enough = max(ROOM_TO_UPGRADE_BYTES, standing.database.size_bytes)
    if standing.free_bytes < enough:
        is_short = standing.free_bytes < ROOM_BYTES
        yield Finding(
            Area.DATABASE,
            Problem.LITTLE_ROOM,
            about,
            f"{size(standing.free_bytes)} are free beside a database of {size(standing.database.size_bytes)}"
            + (": when none is left, events are refused." if is_short else ": an upgrade copies the database first."),
            "Free some room or enlarge the disk; RELAY_RETENTION_DAYS says for how long events are kept.",
            needs_person=is_short,
            details=details,
        )
    if standing.log_bytes > max(LOG_BYTES, standing.database.size_bytes):
        yield Finding(
            Area.DATABASE,
            Problem.LARGE_LOG,
            f"{standing.database.path}-wal",
            f"The write-ahead log has grown to {size(standing.log_bytes)}: another program keeps the database open and"
            " reads.",
            "End that program; the server empties the log then by itself.",
            details={"log_bytes": standing.log_bytes},
        )


def permissions(look: Look) -> Iterator[Finding]:
    """Nobody but its owner can read what holds customers' data and the key to the signing secrets."""
    standing = look.standing
    for one in (standing.folder, standing.database, *standing.beside, standing.key_file):
        if one is None or not one.mode & _OTHERS:
            continue
        can = "read" if one.mode & 0o055 else "write"
        wanted = "700" if one.is_folder else "600"
        yield Finding(
            Area.DATABASE,
            Problem.OPEN_TO_OTHERS,
            str(one.path),
            f"Its permissions are {one.mode:04o}: other users of this machine can {can} it.",
            f"chmod {wanted} {one.path}",
            details={"path": str(one.path), "mode": f"{one.mode:04o}"},
        )
    if not standing.database.mode & 0o200:
        yield Finding(
            Area.DATABASE,
            Problem.READ_ONLY,
            str(standing.database.path),
            f"Its permissions are {standing.database.mode:04o}: not even its owner can write it.",
            f"chmod 600 {standing.database.path}",
            details={"path": str(standing.database.path), "mode": f"{standing.database.mode:04o}"},
        )


def secret_key(look: Look) -> Iterator[Finding]:
    """The key is where it was at the last start, and opens every signing secret."""
    where = f"{look.installation.data_dir}/{KEY_FILE}"
    if look.read.left is not None and not look.installation.key_is_set and look.standing.key_file is None:
        yield Finding(
            Area.DATABASE,
            Problem.KEY_MISSING,
            where,
            "The key that seals the signing secrets is not there any more: without it nothing can be signed.",
            "Put it back from a backup before the server is started again.",
        )
    if look.not_opened:
        count = len(look.read.content.subscriptions) if look.read.content else 0
        yield Finding(
            Area.DATABASE,
            Problem.KEY_WRONG,
            "RELAY_SECRET_KEY" if look.installation.key_is_set else where,
            f"It does not open the signing secrets of {look.not_opened} of {count} subscriptions: nothing is sent to"
            " them.",
            "Put the key back that they were sealed with, beside the new one if that is meant to replace it.",
            details={"not_opened": look.not_opened},
        )
