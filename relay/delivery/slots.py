"""Slots: how much may be under way at once, and why neither a hog nor the dead can take all of it."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

QUICK_S = 0.25
"""A request that has waited longer than this for its answer no longer counts as quick."""
SLOW_FACTOR = 8
"""How many times the limit may be waiting for slow receivers besides."""
SLOT_CHARS = 16 * 1024
"""How much of a body one slot is for: a large one takes as many as it fills, so that the slots bound the memory too."""


class Standing(Enum):
    """How a target has been doing, the best first."""

    PROVEN = 1
    """It has answered well, and not failed since."""
    NEW = 2
    """Nothing is known of it."""
    FAILING = 3


def slots_for(body_chars: int) -> int:
    """How many slots a request takes."""
    return max(1, -(-body_chars // SLOT_CHARS))


class Share:
    """A limit that workspaces share: a quarter of what the others leave free is kept for newcomers."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._by_workspace: dict[str, int] = {}

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


class Room:
    """A limit of which one half is kept for targets that are known to answer."""

    def __init__(self, limit: int) -> None:
        self._all = Share(limit)
        self._unproven = Share(max(1, limit // 2))

    def room(self, workspace_id: str, standing: Standing) -> int:
        room = self._all.room(workspace_id)
        return room if standing is Standing.PROVEN else min(room, self._unproven.room(workspace_id))

    def take(self, workspace_id: str, standing: Standing, count: int = 1) -> None:
        self._all.take(workspace_id, count)
        if standing is not Standing.PROVEN:
            self._unproven.take(workspace_id, count)

    def release(self, workspace_id: str, standing: Standing, count: int = 1) -> None:
        """Give back what was taken; with the standing it was taken with."""
        self._all.release(workspace_id, count)
        if standing is not Standing.PROVEN:
            self._unproven.release(workspace_id, count)


class Slots:
    """A quick request holds a slot of the limit, or some; one that turns out slow moves over and frees them.

    Ten thousand receivers that hang can so use up the slow slots, and a receiver that answers still finds a quick one.
    A target that is failing is taken for slow from the start.
    """

    def __init__(self, limit: int) -> None:
        self._quick = Room(limit)
        self._slow = Share(limit * SLOW_FACTOR)
        self._quick_since: OrderedDict[str, tuple[float, str, Standing, int]] = OrderedDict()

    def has_room(self, workspace_id: str, standing: Standing) -> bool:
        """Whether a workspace may start one more request: the last one may take more than there is room for."""
        if standing is Standing.FAILING:
            return self._slow.room(workspace_id) > 0
        return self._quick.room(workspace_id, standing) > 0

    def take(self, delivery_id: str, workspace_id: str, standing: Standing, now_s: float, count: int = 1) -> None:
        if standing is Standing.FAILING:
            self._slow.take(workspace_id, count)
        else:
            self._quick.take(workspace_id, standing, count)
            self._quick_since[delivery_id] = (now_s, workspace_id, standing, count)

    def release(self, delivery_id: str, workspace_id: str, count: int = 1) -> None:
        quick = self._quick_since.pop(delivery_id, None)
        if quick is None:
            self._slow.release(workspace_id, count)
        else:
            self._quick.release(workspace_id, quick[2], count)

    def move_slow(self, now_s: float) -> float | None:
        """Move over what has become slow; in how many seconds to look again, None when nothing quick is under way."""
        look_again_s = None
        moved = []
        for delivery_id, (since_s, workspace_id, standing, count) in self._quick_since.items():
            if now_s - since_s < QUICK_S:
                look_again_s = QUICK_S - (now_s - since_s)
                break
            if self._slow.room(workspace_id) > 0:
                self._quick.release(workspace_id, standing, count)
                self._slow.take(workspace_id, count)
                moved.append(delivery_id)
            else:
                # A workspace that has its share stays where it is, and in nobody's way.
                look_again_s = QUICK_S
        for delivery_id in moved:
            del self._quick_since[delivery_id]
        return look_again_s
