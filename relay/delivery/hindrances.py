"""Hindrances: what of our own keeps us from sending. Each begins once, holds up as little as it can, ends once."""

from __future__ import annotations

from collections.abc import Callable

from relay.core.conditions import Condition, Conditions

PAUSE_S = 1.0
"""How long nothing is sent after a request that could not be sent; then one is tried alone."""
CALM_S = 10.0
"""A hindrance of all requests is over when none has met it for so long. What met it was tried again meanwhile."""


class Hindrances:
    """Those that hold now: of everything, or of one subscription alone."""

    def __init__(self, conditions: Conditions, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._conditions = conditions
        self._monotonic = monotonic
        self.met = 0
        """How many requests met what any other would meet too."""
        self._met_at_s: dict[Condition, float] = {}
        self._subscriptions: dict[Condition, set[str]] = {}
        self._send_again_at_s = 0.0
        self._is_cautious = False

    # Of everything.

    def all_held_up(self, condition: Condition, detail: str) -> None:
        """A request met what any other would meet too."""
        self.met += 1
        now_s = self._monotonic()
        self._met_at_s[condition] = now_s
        self._send_again_at_s = now_s + PAUSE_S
        self._is_cautious = True
        self._conditions.begin(condition, detail)

    def may_send(self) -> bool:
        """Whether another request may be sent."""
        return not self._is_cautious or self._monotonic() >= self._send_again_at_s

    def sent(self) -> None:
        """One is. It may be the one that is tried alone."""
        if self._is_cautious:
            self._send_again_at_s = self._monotonic() + PAUSE_S

    def got_through(self, met: int) -> None:
        """A request came to its end that began when so many had met anything: if none has since, others may follow."""
        if met == self.met:
            self._is_cautious = False

    def look(self) -> None:
        """End what nothing has met for a while."""
        if self._met_at_s:
            now_s = self._monotonic()
            for condition, met_at_s in list(self._met_at_s.items()):
                if now_s - met_at_s >= CALM_S:
                    del self._met_at_s[condition]
                    self._is_cautious = bool(self._met_at_s)
                    self._conditions.end(condition)

    # Of one subscription.

    def held_up(self, subscription_id: str, condition: Condition, detail: str) -> None:
        """Nothing can be sent for this subscription."""
        self._subscriptions.setdefault(condition, set()).add(subscription_id)
        self._conditions.begin(condition, detail)

    def freed(self, subscription_id: str) -> None:
        """Something was sent for it after all, or nothing waits for it any more."""
        for condition, held_up in list(self._subscriptions.items()):
            held_up.discard(subscription_id)
            if not held_up:
                del self._subscriptions[condition]
                self._conditions.end(condition)

    @property
    def any_subscription(self) -> bool:
        """Whether `freed` may have something to do."""
        return bool(self._subscriptions)
