"""Clients that publish without pause, each with an idempotency key that it keeps until it has its answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import count

import aiohttp

from tests.conftest import KEY
from tests.receiver import Receiver


class Load:
    """What several clients have published to a server that dies and comes back under them."""

    def __init__(self, url: str, payload: object = None) -> None:
        self.answered: dict[str, str] = {}
        """Idempotency key → the id of the event that was answered."""
        self.retried: set[str] = set()
        """The keys that were sent more than once: the process died before it answered."""
        self._url = url
        self._payload = {} if payload is None else payload
        self._keys = count()
        self._tasks: list[asyncio.Task[None]] = []
        self._enough = False

    @contextlib.asynccontextmanager
    async def running(self, clients: int = 8) -> AsyncIterator[None]:
        """Publish from here on, until `end`."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers={"X-API-Key": KEY}, connector=connector) as session:
            self._tasks = [asyncio.create_task(self._publish(session)) for _ in range(clients)]
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until_answered(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.answered) < count:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Begin no further event, and wait until each client has the answer to its last."""
        self._enough = True
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)

    async def _publish(self, session: aiohttp.ClientSession) -> None:
        while not self._enough:
            key = f"key-{next(self._keys)}"
            body = {"type": "order.created", "payload": self._payload}
            while key not in self.answered:
                try:
                    async with session.post(
                        f"{self._url}/v1/events", json=body, headers={"Idempotency-Key": key}
                    ) as response:
                        answer = await response.json()
                        assert response.status == 202, answer
                        self.answered[key] = answer["id"]
                except (aiohttp.ClientError, OSError):
                    self.retried.add(key)
                    await asyncio.sleep(0.02)


async def stored_events(url: str) -> list[str]:
    """The ids of all events, from the API."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
        while True:
            async with session.get(f"{url}/v1/events", params={"limit": "100", **cursor}) as response:
                page = await response.json()
                assert response.status == 200, page
            found += [event["id"] for event in page["data"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}


def arrivals(receiver: Receiver) -> dict[tuple[str, str], list[str]]:
    """(path, event id) → the delivery ids it arrived with, once for each request."""
    arrived = defaultdict(list)
    for request in receiver.received():
        event_id = json.loads(request.body)["id"]
        arrived[request.path, event_id].append(request.header("webhook-id") or "")
    return dict(arrived)
