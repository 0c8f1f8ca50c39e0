"""What a database is to the rest of Relay: something that runs works, each in one transaction.

A *work* is the part between BEGIN and COMMIT, written as a generator that yields statements and is sent their rows:

    @work
    def rename(workspace_id: str, name: str) -> Steps[Workspace]:
        rows = yield statement("workspace_rename", id=workspace_id, name=name)
        return _workspace(rows[0])

    workspace = await database.write(rename("ws_1", "Acme"))

It never touches a driver, so the same work runs in SQLite's writer thread, many to a commit, and on an asynchronous
PostgreSQL connection. Works are made of works with `yield from`. A work may be run again (after a busy database, or
singly after a neighbour in its commit failed), so it must not change anything but the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial, wraps
from importlib import resources
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar

Row = Mapping[str, Any]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Statement(NamedTuple):
    """A named SQL text with its parameters; a list of parameter sets runs it once for each and gives no rows."""

    name: str
    parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]


Steps = Generator[Statement, Sequence[Row], T]
"""What the body of a work is: yields statements, is sent rows, returns a value."""


class Work(Generic[T_co]):
    """A unit of work that has not begun, and that can be begun more than once."""

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[], Steps[T_co]]) -> None:
        self._begin = begin

    def __iter__(self) -> Steps[T_co]:
        return self._begin()


def work(body: Callable[P, Steps[T]]) -> Callable[P, Work[T]]:
    """Turn a generator function into one that gives a `Work`."""

    @wraps(body)
    def prepared(*args: P.args, **kwargs: P.kwargs) -> Work[T]:
        return Work(partial(body, *args, **kwargs))

    return prepared


def statement(name: str, /, **parameters: Any) -> Statement:
    return Statement(name, parameters)


class Sizes(NamedTuple):
    """Bytes on the disk."""

    database: int
    wal: int
    """What is committed and not yet in the database file."""


class Database(Protocol):
    """One embedded file or one server; which is the business of `relay.store` alone."""

    async def write(self, work: Work[T]) -> T:
        """Run a work in a transaction; returns after the commit. Raises StoreError when nothing was changed."""

    async def read(self, work: Work[T], *, list_of: str = "") -> T:
        """Run a work that only reads, beside the writers.

        One that reads a list says whose it is, by the id of its workspace: lists are read in turns between workspaces,
        and never stand before a short look-up.
        """

    async def probe(self) -> None:
        """Raise StoreError as a write would get it now. Many may ask often: it costs next to nothing."""

    def sizes(self) -> Sizes:
        """How large it is."""

    async def close(self) -> None:
        """Finish what is waiting and let go of the database."""


_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load_statements() -> dict[str, str]:
    """Every named statement: those of the store, and those that stand beside the domain that owns their tables."""
    statements: dict[str, str] = {}
    root = resources.files("relay")
    folders = [root / "store" / "queries", *(root / "producers").iterdir(), *(root / "apis").iterdir()]
    for folder in folders:
        if not folder.is_dir():
            continue
        for file in folder.iterdir():
            if not file.name.endswith(".sql"):
                continue
            _, *parts = _NAME.split(file.read_text("utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                if name in statements:
                    raise ValueError(f"two statements are named {name}")
                statements[name] = text.strip().rstrip(";")
    return statements
