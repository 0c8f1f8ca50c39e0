"""Bodies that are under way: a large one is read and encoded once, however many deliveries it goes out with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from relay.core.model import Claimed
from relay.store import events
from relay.store.database import Database


@dataclass(slots=True, eq=False)
class _Shared:
    """One body, and the deliveries that go out with it at the moment."""

    read: asyncio.Task[bytes]
    delivery_ids: set[str] = field(default_factory=set)


class Bodies:
    """Hands out the bytes of bodies. What is on the wire to a thousand receivers is one copy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shared: dict[tuple[str, int], _Shared] = {}

    async def take(self, claimed: Claimed) -> bytes:
        """The body of a delivery, which has to be released. Raises StoreError when it cannot be read."""
        if claimed.body is not None:
            return claimed.body.encode()
        key = (claimed.event_id, claimed.body_number)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(asyncio.create_task(self._read(*key)))
        shared.delivery_ids.add(claimed.id)
        # wait(), because one that is cancelled must not cancel what the others share.
        await asyncio.wait((shared.read,))
        return shared.read.result()

    def release(self, claimed: Claimed) -> None:
        """A delivery is done with its body; nothing happens when it had none."""
        key = (claimed.event_id, claimed.body_number)
        if claimed.body is not None or (shared := self._shared.get(key)) is None:
            return
        shared.delivery_ids.discard(claimed.id)
        if not shared.delivery_ids:
            del self._shared[key]
            shared.read.cancel()

    async def _read(self, event_id: str, body_number: int) -> bytes:
        return (await self._database.read(events.body(event_id, body_number))).encode()
