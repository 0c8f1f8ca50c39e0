"""Whether a server is at work on the database, and says that it is well."""

from __future__ import annotations

import os
from collections.abc import Iterator

from relay import __version__
from relay.doctor.finding import Area, Finding, Problem
from relay.doctor.look import Look
from relay.doctor.network import READY_LIMIT_S


def process(look: Look) -> Iterator[Finding]:
    """It runs, answers, is ready, and is of the same version as this program."""
    server, left = look.server, look.read.left
    if server is None:
        yield Finding(
            Area.SERVER,
            Problem.NOT_RUNNING,
            str(look.standing.database.path),
            "No process serves this database: nothing is taken in and nothing is sent.",
            "Start it with relay serve, unless it is stopped on purpose.",
            needs_person=False,
        )
        return
    about, details = f"process {server.pid or 'unknown'}", {"pid": server.pid or None, "url": server.asked}
    if server.asked is not None and server.amiss is None:
        yield Finding(
            Area.SERVER,
            Problem.NOT_ANSWERING,
            about,
            f"It holds the database, but {server.asked}/readyz does not answer within {READY_LIMIT_S:g} s.",
            "Look at its log; if it stays so, stop it (SIGTERM, then SIGKILL) and start it again: nothing accepted is"
            " lost.",
            # Out of sight, in another container for example, it can neither be asked nor judged from here.
            needs_person=_is_in_sight(server.pid),
            details=details,
        )
    elif server.amiss:
        yield Finding(
            Area.SERVER,
            Problem.NOT_READY,
            about,
            f"It says that it is not ready: {'; '.join(server.amiss)}.",
            "Look at its log for what began and what to do about it.",
            details={**details, "reasons": list(server.amiss)},
        )
    if left is not None and left.version != __version__:
        yield Finding(
            Area.SERVER,
            Problem.OTHER_VERSION,
            about,
            f"The server is Relay {left.version}, this program is {__version__}.",
            "Start the server again if it was upgraded; else use the relay command of its version.",
            needs_person=False,
            details={**details, "version": left.version},
        )


def _is_in_sight(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, and somebody else's
    return True
