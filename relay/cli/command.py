"""What every command has in common: its loop, its options, and errors in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from relay.cli.streams import give_up_stdout, told
from relay.core.errors import RelayError

P = ParamSpec("P")
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the quickest event loop there is here."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def told_in_one_line(command: Callable[P, T]) -> Callable[P, T]:
    """What goes wrong on purpose is one line for a person and a non-zero exit, never a traceback."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except RelayError as error:
            raise click.ClickException(error.message) from None
        except OSError as error:
            give_up_stdout()
            raise click.ClickException(told(error)) from None
        except UnicodeEncodeError:
            raise click.ClickException("an argument is no text in the encoding of this terminal") from None

    return guarded


def database_options(command: Callable[P, T]) -> Callable[P, T]:
    database = click.option("--database", metavar="URL", help="sqlite:///PATH; by default relay.db in the data folder.")
    data_dir = click.option("--data-dir", type=click.Path(path_type=Path), help="The data folder (./relay-data).")
    return data_dir(database(command))


def counted(count: int, noun: str) -> str:
    """`1 hook`, `2 hooks`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
