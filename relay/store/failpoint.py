"""Named points at which a test lets the process die: `RELAY_FAILPOINT=after-claim:3` does so at the third pass of it.

Without the variable, as always outside of tests, a failpoint does nothing. `tests/whole/test_failpoints.py` uses each.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count


def _unarmed(name: str) -> None:
    """Go on."""


def _armed(text: str) -> Callable[[str], None]:
    deadly, _, number = text.partition(":")
    passes, last = count(1), int(number)

    def die(name: str) -> None:
        if name == deadly and next(passes) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


_wanted = os.environ.get("RELAY_FAILPOINT")
failpoint: Callable[[str], None] = _armed(_wanted) if _wanted else _unarmed
"""Pass a named point."""
