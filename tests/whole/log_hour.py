"""A scripted hour of a server, and what its log says; `python -m tests.whole.log_hour` renews the docs.

Everything is real but the passing of time: the clock goes on by itself and is put forward from one point of the hour to
the next. What differs from run to run (ids, ports, folders, seconds) is written the same each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiosmtpd.smtp import SMTP

from relay.app import running
from relay.outbound.resolve import Resolver
from relay.settings import load_settings
from tests.conftest import KEY, Relay
from tests.logged import Logged, logged
from tests.producers.testimonials.mail_server import MailServer
from tests.receiver import Receiver
from tests.whole.process import free_port

DOCUMENT = Path(__file__).parent.parent.parent / "relay" / "OPERATING.md"
HOSTS = ("shop.example.com", "crm.example.com", "erp.example.com", "old.example.com")
BEGAN = datetime(2025, 6, 2, tzinfo=UTC)
"""In the past: ids never go down within a process, and other tests must not get theirs from a future."""


class Hour:
    """The server, its clock, its receiver and its log."""

    log: Logged
    relay: Relay

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.port, self.mail_port = free_port(), free_port()
        self._folder = folder
        self._ahead_s = BEGAN.timestamp() - time.monotonic()

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    def clock(self) -> int:
        return round(self.monotonic() * 1000)

    def at(self, hour: int, minute: int, second: int = 0) -> None:
        """Put the clock forward."""
        ahead_s = BEGAN.timestamp() + hour * 3600 + minute * 60 + second - time.monotonic()
        assert ahead_s > self._ahead_s, "the script is slower than the clock"
        self._ahead_s = ahead_s

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[None]:
        settings = load_settings(
            port=self.port,
            data_dir=self._folder / "relay-data",
            allow_targets=",".join(HOSTS),
            bootstrap_key=KEY,
            public_url="https://relay.example.com",
            smtp_url=f"smtp://127.0.0.1:{self.mail_port}",
            mail_from="stories@example.com",
        )
        resolver = Resolver(lambda _: ["127.0.0.1"])
        async with (
            running(settings, clock=self.clock, monotonic=self.monotonic, resolver=resolver) as server,
            aiohttp.ClientSession() as session,
        ):
            self.relay = Relay(server, session)
            self.relay.url = f"http://127.0.0.1:{self.port}"
            yield

    async def says(self, words: str, times: int = 1) -> None:
        """Wait until the log has said it so often."""
        async with asyncio.timeout(20):
            while self.log.text.count(words) < times:
                await asyncio.sleep(0.02)

    async def asks(self, path: str, times: int) -> None:
        """Wait until the receiver has been asked so often, and what it answered is recorded."""
        await self.receiver.wait_for(times, path, timeout_s=20)
        engine = self.relay.server.engine
        async with asyncio.timeout(20):
            while engine.under_way:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)

    async def subscribe(self, host: str, path: str, event_filter: str) -> str:
        body = {"url": self.receiver.url(path, host), "event_filter": event_filter}
        answer = await self.relay.json("POST", "/v1/subscriptions", body, status=201)
        return str(answer["id"])

    async def publish(self, event_type: str, status: int = 202, **payload: Any) -> None:
        await self.relay.json("POST", "/v1/events", {"type": event_type, "payload": payload}, status=status)


async def _until_the_restart(hour: Hour) -> None:
    receiver = hour.receiver
    receiver.script("/shop", "/ok", *["/status/503"] * 3, "/ok", "/status/500", "/ok")
    receiver.script("/crm", "/ok", "/gone")
    await hour.subscribe("shop.example.com", "/shop", "order.*")
    await hour.subscribe("crm.example.com", "/crm", "customer.*")
    await hour.subscribe("old.example.com", "/status/404", "stock.*")
    erp = await hour.subscribe("erp.example.com", "/retry-after/7200/503", "invoice.*")
    await hour.publish("order.created", n=1)
    await hour.publish("customer.created", n=1)
    await hour.asks("/shop", 1)
    await hour.asks("/crm", 1)

    # A target fails, is asked again by schedule, and answers again.
    hour.at(9, 5)
    await hour.publish("order.created", n=2)
    await hour.asks("/shop", 2)
    hour.at(9, 6)
    await hour.asks("/shop", 3)
    hour.at(9, 9)
    await hour.asks("/shop", 4)

    # The mail server is away for a while.
    hour.at(9, 12)
    await hour.relay.json("POST", "/v1/invitations", {"customer_email": "dana@example.com"})
    await hour.says("mail server refused")
    hour.at(9, 14)
    mails = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mails, hostname="mail.test"), "127.0.0.1", hour.mail_port)
    await mails.until(1)
    await hour.says("mail server refused: over")
    server.close()
    await server.wait_closed()
    hour.at(9, 21)
    await hour.says("a target answers again")

    # A receiver wants no more events; another does not know its URL, and what dies there is added up.
    hour.at(9, 24)
    await hour.publish("customer.created", n=2)
    await hour.says("reason=gone")
    hour.at(9, 26)
    await hour.publish("stock.changed", n=0)
    await hour.says("reason=refused")
    for number in range(1, 4):
        hour.at(9, 26, 10 + 10 * number)
        await hour.publish("stock.changed", n=number)
        await hour.asks("/status/404", number + 1)
    hour.at(9, 28)
    await hour.says("reason=refused", 2)

    # The disk is full for a while.
    hour.at(9, 30)
    writer = hour.relay.server.database._writer
    (before,) = writer.execute("PRAGMA max_page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
    await hour.publish("page.viewed", 503, text="x" * 200_000)
    await hour.says("disk full")
    hour.at(9, 33)
    writer.execute(f"PRAGMA max_page_count = {before}")
    while "disk full: over" not in hour.log.text:
        await hour.publish("page.viewed")
        await asyncio.sleep(0.2)

    # A target that only ever fails is paused, and somebody resumes it.
    hour.at(9, 40)
    for number in range(8):
        await hour.publish("invoice.paid", n=number)
    for number in range(8):
        hour.at(9, 40 + number, 30)
        await hour.asks("/retry-after/7200/503", number + 1)
    await hour.says("a subscription was paused")
    hour.at(9, 52)
    await hour.relay.json("POST", f"/v1/subscriptions/{erp}/resume")
    await hour.says("a subscription was resumed")

    # Something waits while the server is started again.
    hour.at(9, 57)
    await hour.publish("order.created", n=3)
    await hour.says("a target began to fail", 4)


async def transcript(folder: Path) -> str:
    """What the log says in the hour."""
    async with Receiver() as receiver:
        hour = Hour(folder, receiver)
        hour.at(9, 0)
        with logged("pretty", hour.clock) as hour.log:
            async with hour.server():
                await _until_the_restart(hour)
            hour.at(9, 58)
            async with hour.server():
                await hour.says("a target answers again", 2)
    return normal(hour.log.text, folder)


async def json_sample(folder: Path) -> str:
    """The first failure of a target, as JSON."""
    async with Receiver() as receiver:
        hour = Hour(folder, receiver)
        hour.at(9, 0)
        with logged("json", hour.clock) as hour.log:
            async with hour.server():
                await hour.subscribe("shop.example.com", "/status/503", "order.*")
                hour.at(9, 5)
                await hour.publish("order.created")
                await hour.says("a target began to fail")
    [line] = [line for line in normal(hour.log.text, folder).splitlines() if "began to fail" in line]
    return line + "\n"


def normal(text: str, folder: Path) -> str:
    """The text with what differs from run to run written the same."""
    numbers: dict[str, dict[str, int]] = {}

    def numbered(kind: str, found: str) -> int:
        known = numbers.setdefault(kind, {})
        return known.setdefault(found, len(known) + 1)

    text = text.replace(str(folder), "/srv")
    text = re.sub(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", lambda m: f"01…{numbered('', m[0])}", text)
    text = re.sub(r"\b(ws|key|wh|eml|inv)_[a-z0-9]{8,}", lambda m: f"{m[1]}_…{numbered(m[1], m[0])}", text)
    text = re.sub(r"(\d\d:\d\d):\d\d\.\d+Z", r"\1:00.000Z", text)
    text = re.sub(r"\b(failing_s|lasted_s)=(\d+)", lambda m: f"{m[1]}={round(int(m[2]) / 60) * 60}", text)
    text = re.sub(r"(http://127\.0\.0\.1:)\d+", r"\g<1>8000", text)
    text = re.sub(r"(127\.0\.0\.1[ ',on]* (?:port )?)\d{4,5}", r"\g<1>25", text)
    return re.sub(r"\b(version|schema)(=|\": \"?)[\w.]+", r"\1\g<2>…", text)


def blocks(document: str) -> dict[str, str]:
    """The parts of the documentation that are output, by the name in the comment before each."""
    return dict(
        re.findall(r"<!-- ([\w-]+): python -m tests\.whole\.log_hour -->\n```\n(.*?)```\n", document, re.DOTALL)
    )


async def all_blocks(folder: Path) -> dict[str, str]:
    (folder / "json").mkdir()
    return {"log-hour": await transcript(folder), "log-json": await json_sample(folder / "json")}


def main() -> None:
    document = DOCUMENT.read_text()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, text in runner.run(all_blocks(Path(folder))).items():
            start, rest = document.split(f"<!-- {name}: python -m tests.whole.log_hour -->\n```\n")
            _, end = rest.split("```\n", 1)
            document = f"{start}<!-- {name}: python -m tests.whole.log_hour -->\n```\n{text}```\n{end}"
    DOCUMENT.write_text(document)
    sys.stdout.write(f"{DOCUMENT} is up to date\n")


if __name__ == "__main__":
    main()
