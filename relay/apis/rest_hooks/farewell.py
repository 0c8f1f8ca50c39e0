"""What follows when Relay itself ends hooks, because their key is revoked or their workspace deleted."""

from __future__ import annotations

from collections.abc import Iterable

from relay.apis.rest_hooks.wire import NAME
from relay.core.model import Subscription, SubscriptionState
from relay.delivery.farewell import takes_farewell
from relay.store import farewells
from relay.store.database import Steps, work


@work
def tell_platforms(ended: Iterable[Subscription], now_ms: int) -> Steps[int]:
    """Have the platforms told of the hooks among these, as they were before they were ended; how many targets that is.

    To be part of the transaction that ended them. One that had been switched off before is no news.
    """
    targets = {
        hook.target_url: hook
        for hook in ended
        if hook.api == NAME and hook.state is SubscriptionState.ACTIVE and takes_farewell(hook.target_url)
    }
    told = 0
    for hook in targets.values():
        told += yield from farewells.add(hook, now_ms)
    return told
