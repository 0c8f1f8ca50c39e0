"""Tally: adds up what happens often, so that it can be told seldom: the largest sums each, and the rest as one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Sum(NamedTuple, Generic[K, V]):
    """How often it happened for a key, and the newest of it."""

    key: K
    times: int
    newest: V


class Rest(NamedTuple):
    """What is told as one."""

    times: int
    keys: int
    """How many keys that is at least: beyond the limit they are not told apart."""


class Tally(Generic[K, V]):
    """Sums by key, of at most `keys` keys."""

    def __init__(self, keys: int) -> None:
        self._limit = keys
        self._sums: dict[K, Sum[K, V]] = {}
        self._beyond = 0

    def __bool__(self) -> bool:
        return bool(self._sums)

    def add(self, key: K, count: int, newest: V) -> None:
        """It happened so many times more."""
        earlier = self._sums.get(key)
        if earlier is not None:
            self._sums[key] = Sum(key, earlier.times + count, newest)
        elif len(self._sums) < self._limit:
            self._sums[key] = Sum(key, count, newest)
        else:
            self._beyond += count

    def take(self, lines: int) -> tuple[list[Sum[K, V]], Rest]:
        """The largest sums, the first to begin first among equals, and what is left; then it is empty."""
        ordered = sorted(self._sums.values(), key=lambda one: -one.times)
        left = ordered[lines:]
        rest = Rest(sum(one.times for one in left) + self._beyond, len(left) + (1 if self._beyond else 0))
        self._sums, self._beyond = {}, 0
        return ordered[:lines], rest
