"""Slots: how many requests may be under way at once, without the slow ones standing in front of the quick."""

from __future__ import annotations

from collections import OrderedDict

QUICK_S = 1.0
"""A request that has waited longer than this for its answer no longer counts as quick."""
SLOW_FACTOR = 8
"""How many times the limit may be waiting for slow receivers besides."""


class Share:
    """A limit that workspaces share: a quarter of what the others leave free is kept for newcomers."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._by_workspace: dict[str, int] = {}

    @property
    def taken(self) -> int:
        return self._taken

    def room(self, workspace_id: str) -> int:
        """How many more a workspace may take now."""
        mine = self._by_workspace.get(workspace_id, 0)
        others = self._taken - mine
        allowance = max(1, (self._limit - others) * 3 // 4)
        return min(allowance - mine, self._limit - self._taken)

    def take(self, workspace_id: str, count: int = 1) -> None:
        self._taken += count
        self._by_workspace[workspace_id] = self._by_workspace.get(workspace_id, 0) + count

    def release(self, workspace_id: str, count: int = 1) -> None:
        self._taken -= count
        left = self._by_workspace.get(workspace_id, 0) - count
        if left:
            self._by_workspace[workspace_id] = left
        else:
            self._by_workspace.pop(workspace_id, None)


class Slots:
    """A quick request holds a slot of the limit; one that turns out slow moves over and frees it.

    Ten thousand receivers that hang can so use up the slow slots, and a receiver that answers still finds a quick one.
    A target that is failing is taken for slow from the start.
    """

    def __init__(self, limit: int) -> None:
        self._quick = Share(limit)
        self._slow = Share(limit * SLOW_FACTOR)
        self._quick_since: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def has_room(self, workspace_id: str, *, slow: bool) -> bool:
        """Whether a workspace may start one more request."""
        return (self._slow if slow else self._quick).room(workspace_id) > 0

    def take(self, delivery_id: str, workspace_id: str, now_s: float, *, slow: bool) -> None:
        if slow:
            self._slow.take(workspace_id)
        else:
            self._quick.take(workspace_id)
            self._quick_since[delivery_id] = (now_s, workspace_id)

    def release(self, delivery_id: str, workspace_id: str) -> None:
        was_quick = self._quick_since.pop(delivery_id, None) is not None
        (self._quick if was_quick else self._slow).release(workspace_id)

    def move_slow(self, now_s: float) -> bool:
        """Move over what has become slow; whether that freed a slot."""
        moved = False
        while self._quick_since:
            delivery_id, (since_s, workspace_id) = next(iter(self._quick_since.items()))
            if now_s - since_s < QUICK_S or self._slow.room(workspace_id) <= 0:
                break
            del self._quick_since[delivery_id]
            self._quick.release(workspace_id)
            self._slow.take(workspace_id)
            moved = True
        return moved
