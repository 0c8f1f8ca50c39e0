"""An event that was answered 2xx reaches every subscriber, however often the process is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

KILLS = 6
CLIENTS = 12


class Load:
    """Clients that publish without pause and note what was accepted."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self._numbers = count()

    async def publish(self, server: Serve) -> None:
        while True:
            email = f"customer-{next(self._numbers)}@example.com"
            try:
                status, _ = await server.post("/v1/magic-link", {"customer_email": email})
            except (aiohttp.ClientError, ConnectionError):
                return
            if status == 200:
                self.accepted.add(email)


def _arrivals(receiver: Receiver) -> dict[tuple[str, str], list[str]]:
    """(path, customer) → the delivery ids it arrived with."""
    arrived = defaultdict(list)
    for request in receiver.received():
        body = json.loads(request.body)
        email = body["data"]["customer_email"] if "data" in body else body["customer_email"]
        arrived[request.path, email].append(request.header("webhook-id") or "")
    return arrived


@pytest.mark.timeout(120)
async def test_nothing_accepted_is_lost_when_the_process_is_killed_under_load(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Killed at random moments, Relay delivers all it accepted, each pair under one delivery id."""
    load = Load()
    port = free_port()
    paths = ("/ok/webhook", "/ok/hook")
    async with serve(tmp_path, port) as server:
        status, _ = await server.post("/v1/webhooks", {"url": receiver.url(paths[0])})
        assert status == 200
        hook = {"target_url": receiver.url(paths[1]), "event_type": "invitation.created"}
        assert (await server.post("/api/v1/hooks", hook))[0] == 200

    for _ in range(KILLS):
        async with serve(tmp_path, port) as server:
            clients = [asyncio.create_task(load.publish(server)) for _ in range(CLIENTS)]
            await asyncio.sleep(random.uniform(0.1, 0.8))
            await server.kill()
            await asyncio.gather(*clients)

    expected = {(path, email) for path in paths for email in load.accepted}
    async with serve(tmp_path, port) as server, asyncio.timeout(60):
        while not expected <= _arrivals(receiver).keys():
            await asyncio.sleep(0.1)
        assert await server.stop() == 0

    arrived = _arrivals(receiver)
    several_ids = {pair: ids for pair, ids in arrived.items() if len(set(ids)) > 1}
    assert several_ids == {}
    assert len(load.accepted) > KILLS * CLIENTS
