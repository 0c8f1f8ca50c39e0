"""The demo: the whole loop on loopback with real HTTP, each step shown and each signature checked."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import click
from aiohttp import web
from rich.console import Console
from standardwebhooks import Webhook

from relay.app import FIRST_PREFIXES, running
from relay.core.errors import RelayError
from relay.settings import PREFIX, load_settings
from relay.table import table

WAIT_S = 20.0
_SETTINGS = {
    "host": "127.0.0.1",
    "port": 0,
    "allow_targets": "127.0.0.1",
    "retry_delays": "1,1,1,1,1",
    "log_format": "pretty",
}


@dataclass(slots=True)
class Received:
    """A POST as it arrived."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What a customer would run: four catch URLs, one of which fails the first time."""

    url: str = ""
    received: dict[str, list[Received]] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def catch(self, request: web.Request) -> web.Response:
        posts = self.received.setdefault(request.path, [])
        posts.append(Received({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        self.came.set()
        failing = request.path == "/catch/flaky" and len(posts) == 1
        return web.Response(status=503 if failing else 200)

    async def wait_for(self, path: str, count: int) -> list[Received]:
        async with asyncio.timeout(WAIT_S):
            while len(self.received.get(path, [])) < count:
                self.came.clear()
                await self.came.wait()
        return self.received[path]


@contextlib.asynccontextmanager
async def _receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/catch/{name}", receiver.catch)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


async def run_demo(*, keep: bool, wait: bool) -> None:
    """Run it; `wait` keeps serving afterwards until Ctrl-C. Raises RelayError when a step does not come out right."""
    folder = Path(tempfile.mkdtemp(prefix="relay-demo-"))
    console = Console()
    try:
        # What is in the environment belongs to a real server: the demo must not mail anybody or show something else.
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        settings = load_settings(**_SETTINGS, data_dir=folder, database=f"sqlite:///{folder / 'relay.db'}")
        async with _receiver() as receiver, running(settings) as relay, aiohttp.ClientSession() as session:
            keys = dict(zip(FIRST_PREFIXES, relay.first_keys, strict=True))
            demo = _Demo(console, receiver, relay.url, keys, session)
            await demo.show()
            console.print("\n[bold green]All signatures verified.[/] Everything you saw went over real HTTP.")
            if wait:
                console.print(
                    f"Relay still serves on [bold]{relay.url}[/] with the keys {' and '.join(relay.first_keys[:2])}",
                    soft_wrap=True,
                )
                console.print("Press Ctrl-C to stop.")
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
    finally:
        if keep:
            console.print(f"The data is kept in {folder}", soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


class _Demo:
    def __init__(
        self, console: Console, receiver: Receiver, url: str, keys: Mapping[str, str], session: aiohttp.ClientSession
    ) -> None:
        self._console = console
        self._receiver = receiver
        self._url = url
        self._keys = keys
        self._session = session

    async def show(self) -> None:
        self._step(f"A server on {self._url}, a receiver on {self._receiver.url}, nothing else")

        self._step("A no-code platform subscribes a hook to invitation.created")
        hook = await self._call(
            "POST",
            "/api/v1/hooks",
            {"target_url": f"{self._receiver.url}/catch/hook", "event_type": "invitation.created", "source": "zapier"},
        )
        self._say(f"hook {hook['id']}, its signing secret is shown once")

        self._step("An API client registers a RavePilot webhook for every event, and one whose receiver fails at first")
        webhook = await self._call("POST", "/v1/webhooks", {"url": f"{self._receiver.url}/catch/webhook"})
        flaky = await self._call("POST", "/v1/webhooks", {"url": f"{self._receiver.url}/catch/flaky"})
        self._say(f"webhooks {webhook['id']} and {flaky['id']}")

        self._step("A customer is invited: one event, three deliveries, one commit")
        customer = {
            "customer_email": "dana.whitlock@example.com",
            "customer_name": "Dana Whitlock",
            "send_email": False,
        }
        invitation = await self._call("POST", "/v1/invitations", customer)
        self._say(f"submission {invitation['submission']['id']}, personal link {invitation['link']}")
        again = await self._call("POST", "/v1/invitations", customer)
        self._check("asking again gives the same link and makes no second event", again["link"] == invitation["link"])

        self._step("The hook's signed POST arrives")
        [post] = await self._receiver.wait_for("/catch/hook", 1)
        self._show(post, ("x-radar-event-id", "x-radar-signature", "webhook-id"))
        digest = "sha256=" + hmac.new(hook["secret"].encode(), post.body, hashlib.sha256).hexdigest()
        self._check("x-radar-signature", hmac.compare_digest(digest, post.headers["x-radar-signature"]))
        self._check_standard(hook["secret"], post)

        self._step("The webhook's signed POST arrives")
        [post] = await self._receiver.wait_for("/catch/webhook", 1)
        self._show(post, ("x-ravepilot-event", "x-ravepilot-delivery", "x-ravepilot-signature"))
        self._check_timestamped("X-RavePilot-Signature", webhook["secret"], post)
        self._check_standard(webhook["secret"], post)

        self._step("The third receiver answered 503 and is asked again, with the same delivery id and a new signature")
        first, second = await self._receiver.wait_for("/catch/flaky", 2)
        same = first.headers["x-ravepilot-delivery"] == second.headers["x-ravepilot-delivery"]
        self._check("the same delivery id, the same body", same and first.body == second.body)
        self._check_timestamped("X-RavePilot-Signature", flaky["secret"], second)

        self._step("Over the Webhook Relay API somebody subscribes to order.*, and an event of their own is published")
        orders = {"url": f"{self._receiver.url}/catch/orders", "event_filter": "order.*"}
        subscription = await self._call("POST", "/v1/subscriptions", orders, prefix="whk_live_")
        event = {"type": "order.created", "payload": {"id": 42, "total": "10.50"}}
        await self._call("POST", "/v1/events", event, prefix="whk_live_")
        [post] = await self._receiver.wait_for("/catch/orders", 1)
        self._show(post, ("x-webhook-event-type", "x-webhook-delivery-id", "x-webhook-signature"))
        self._check_timestamped("X-Webhook-Signature", subscription["signing_secret"], post)
        self._check_standard(subscription["signing_secret"], post)

        self._step("The delivery log")
        click.echo(_log_table(await self._delivered()))

    async def _delivered(self) -> list[dict[str, Any]]:
        # The receiver has the last answer a moment before the log does.
        async with asyncio.timeout(WAIT_S):
            while True:
                log: list[dict[str, Any]] = (await self._call("GET", "/v1/deliveries", prefix="whk_live_"))["data"]
                if all(delivery["status"] == "success" for delivery in log):
                    return log
                await asyncio.sleep(0.05)

    async def _call(self, method: str, path: str, body: object = None, *, prefix: str = "rp_live_") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._keys[prefix]}"}
        async with self._session.request(method, self._url + path, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 300:
                raise RelayError(f"{method} {path} answered {response.status}: {answer}")
            self._say(f"{method} {path} → {response.status}")
            return answer

    def _check_timestamped(self, header: str, secret: str, post: Received) -> None:
        parts = dict(part.split("=", 1) for part in post.headers[header.lower()].split(","))
        digest = hmac.new(secret.encode(), f"{parts['t']}.".encode() + post.body, hashlib.sha256).hexdigest()
        self._check(header, hmac.compare_digest(digest, parts["v1"]))

    def _check_standard(self, secret: str, post: Received) -> None:
        Webhook(secret).verify(post.body, post.headers)  # raises when it does not verify
        self._check("Standard Webhooks signature", ok=True)

    def _check(self, what: str, ok: bool) -> None:
        if not ok:
            raise RelayError(f"the demo found a mistake: {what}")
        self._console.print(f"   [green]✓[/] {what}", highlight=False)

    def _step(self, text: str) -> None:
        self._console.print(f"\n[bold]• {text}[/]", highlight=False)

    def _say(self, text: str) -> None:
        self._console.print(f"   {text}", style="dim", highlight=False, soft_wrap=True)

    def _show(self, post: Received, names: tuple[str, ...]) -> None:
        for name in names:
            self._say(f"{name}: {post.headers[name]}")
        self._say(post.body.decode())


def _log_table(log: list[dict[str, Any]]) -> str:
    titles = ("delivery", "event", "status", "tries", "answer")
    members = ("id", "event_type", "status", "attempts_made", "final_status_code")
    return table(titles, [[row[member] for member in members] for row in log])
