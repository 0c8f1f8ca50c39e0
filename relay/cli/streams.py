"""Standard output and error as commands find them: closed, full, deaf, or unable to write a letter."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
from typing import Any

import click

from relay.core.errors import RelayError

_OF_AN_OUTPUT = (errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Commands(click.Group):
    """The outermost group: whatever cannot be written ends in one line and exit code 1, never in a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _open_what_is_closed()
        for stream in (sys.stdout, sys.stderr):
            # A letter that the terminal's encoding lacks is shown by its number.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            click.echo(f"Error: {told(error)}", err=True)
            give_up_stdout()
            sys.exit(1)


def _open_what_is_closed() -> None:
    # The next file to be opened, such as the database, would get the number of a closed stream, and what goes there.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    # Python has none of those that were closed. Writing to this output fails as it should; what else there is to say
    # about that is said to nobody.
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def need_stdout() -> None:
    """Raise RelayError when what is to be shown only once could not be shown: before it is made."""
    with contextlib.suppress(ValueError, AttributeError):  # a test has put something else in its place
        number = sys.stdout.fileno()
        try:
            os.write(number, b"")  # nothing; an output that is closed or full refuses even that
        except OSError as error:
            raise RelayError(told(error)) from None
        if stat.S_ISFIFO(os.fstat(number).st_mode) and _is_deaf(number):
            raise RelayError("cannot write to standard output: nobody reads it any more")


def _is_deaf(number: int) -> bool:
    poll = select.poll()
    poll.register(number, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def told(error: OSError) -> str:
    """What the system refused, in one line."""
    if error.filename is None and error.errno in _OF_AN_OUTPUT:
        return f"cannot write to standard output: {error.strerror}"
    return str(error) if error.filename is None else f"{error.filename}: {error.strerror}"


def give_up_stdout() -> None:
    """What is still in the buffer must not fail again at the end of the process."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
