"""What one would write in an hour: takes events, answers, posts them on signed. No storage, no retries, no guard."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time

import aiohttp
from aiohttp import web

SECRET = b"whsec_forwarder"
WORKERS = 32


async def _forward(events: asyncio.Queue[bytes], session: aiohttp.ClientSession, target: str) -> None:
    while True:
        body = await events.get()
        moment = str(int(time.time()))
        proof = hmac.new(SECRET, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Webhook-Signature": f"t={moment},v1={proof}"}
        async with session.post(target, data=body, headers=headers) as response:
            await response.read()


async def main() -> None:
    """The first argument is the target. Says where it listens, like a server of ours, and serves until it is ended."""
    events: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        event = await request.json()
        events.put_nowait(json.dumps(event["payload"]).encode())
        return web.json_response({"accepted": True}, status=202)

    async def ready(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/v1/events", take), web.get("/readyz", ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"It listens on http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(_forward(events, session, sys.argv[1]) for _ in range(WORKERS)))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
