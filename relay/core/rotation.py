"""Rotation: which secrets go on signing beside a new one, and for how long."""

from __future__ import annotations

from relay.core.model import PreviousSecret, Subscription

GRACE_MS = 48 * 3600 * 1000
"""For how long a rotated secret signs beside the newer ones."""
MOST = 5
"""How many secrets sign one request, the newest included: beyond that the oldest ends before its time. Each is a
signature in the headers of every request."""


def beside_the_next(subscription: Subscription, now_ms: int, *, at_once: bool) -> tuple[PreviousSecret, ...]:
    """What stays valid beside the secret that a subscription gets now, oldest first; nothing when `at_once`."""
    if at_once:
        return ()
    valid = still_valid(subscription.previous_secrets, now_ms)
    return (*valid, PreviousSecret(subscription.secret, now_ms + GRACE_MS))[1 - MOST :]


def still_valid(previous: tuple[PreviousSecret, ...], now_ms: int) -> tuple[PreviousSecret, ...]:
    return tuple([one for one in previous if one.until_ms > now_ms])
