"""Hindrances: what of our own keeps us from sending. Each holds up as little as it can."""

from __future__ import annotations

from collections.abc import Callable

from relay.core.conditions import Condition, Conditions

PAUSE_S = 1.0
"""How long nothing is sent after a request that could not be sent; then one is tried alone."""


class Hindrances:
    """Those of everything, which the sender begins and ends, and those of one subscription alone."""

    def __init__(self, conditions: Conditions, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._conditions = conditions
        self._monotonic = monotonic
        self.met = 0
        """How many requests met what any other would meet too."""
        self._subscriptions: dict[Condition, set[str]] = {}
        self._send_again_at_s = 0.0
        self._is_cautious = False

    # Of everything.

    def all_held_up(self) -> None:
        """A request met what any other would meet too."""
        self.met += 1
        self._send_again_at_s = self._monotonic() + PAUSE_S
        self._is_cautious = True

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
