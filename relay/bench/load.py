"""The bench's load: hands events in over kept connections, as fast as they are taken or at a fixed rate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, cast

import httptools

from relay.bench.child import answer_questions, run_child
from relay.bench.measure import spread


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be handed in. In `event` and in the key `#SEQ` stands for its number, `#TS` for the time."""

    port: int
    path: str
    key: str
    event: str
    events: int
    first: int = 1
    """The number of the first event: numbers must differ from run to run, keys are made of them."""
    batch: int = 1
    """More than one: so many events to a request, as the member `events` of an object."""
    connections: int = 32
    rate: float = 0.0
    """Events a second; 0 hands in the next as soon as one is answered."""
    limit_s: float = 60.0


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._started_ns = 0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost(self, under_way=self._started_ns > 0)

    def send(self, request: bytes, started_ns: int) -> None:
        self._started_ns = started_ns
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status, took_ms = self._parser.get_status_code(), (time.monotonic_ns() - self._started_ns) / 1e6
        self._started_ns = 0
        self._parser = httptools.HttpResponseParser(self)
        self._load.answered(self, status, took_ms)


class _Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._event = plan.event.encode()
        self._head = (
            f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nAuthorization: Bearer {plan.key}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: bench-#SEQ\r\nContent-Length: "
        ).encode()
        self._next = plan.first
        self._end = plan.first + plan.events
        self._idle: deque[_Connection] = deque()
        self._open = 0
        self._due: deque[int] = deque()
        self._statuses: Counter[int] = Counter()
        self._took_ms: list[float] = []
        self._under_way = 0
        self._done = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._plan.port)
            self._idle.append(connection)
            self._open += 1
        connections = list(self._idle)
        started_ns = time.monotonic_ns()
        pacing = asyncio.create_task(self._pace()) if self._plan.rate else None
        if pacing is None:
            while self._idle and self._next < self._end:
                self._send(self._idle.popleft(), time.monotonic_ns())
        try:
            async with asyncio.timeout(self._plan.limit_s):
                await self._done.wait()
        except TimeoutError:
            pass
        if pacing is not None:
            pacing.cancel()
        self._end = 0
        for connection in connections:
            connection.close()
        accepted = sum(count for status, count in self._statuses.items() if 200 <= status < 300)
        return {
            "started_at_ns": started_ns,
            "took_s": (time.monotonic_ns() - started_ns) / 1e9,
            "accepted": min(accepted * self._plan.batch, self._plan.events),
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "ingest_ms": spread(self._took_ms),
        }

    async def _pace(self) -> None:
        """Time counts from when a request was due to be sent, so that a server that stalls cannot hide it."""
        loop = asyncio.get_running_loop()
        started_s, due = loop.time(), 0
        requests = -(-self._plan.events // self._plan.batch)
        while due < requests:
            await asyncio.sleep(started_s + due * self._plan.batch / self._plan.rate - loop.time())
            while due < requests and started_s + due * self._plan.batch / self._plan.rate <= loop.time():
                due += 1
                if self._idle:
                    self._send(self._idle.popleft(), time.monotonic_ns())
                else:
                    self._due.append(time.monotonic_ns())

    def _send(self, connection: _Connection, due_ns: int) -> None:
        last = min(self._next + self._plan.batch, self._end)
        moment = b"%d" % due_ns
        events = [
            self._event.replace(b"#SEQ", b"%d" % number).replace(b"#TS", moment) for number in range(self._next, last)
        ]
        body = events[0] if self._plan.batch == 1 else b'{"events":[%s]}' % b",".join(events)
        head = self._head.replace(b"#SEQ", b"%d" % self._next)
        self._next = last
        self._under_way += 1
        connection.send(b"%s%d\r\n\r\n%s" % (head, len(body), body), due_ns)

    def answered(self, connection: _Connection, status: int, took_ms: float) -> None:
        self._statuses[status] += 1
        self._took_ms.append(took_ms)
        self._under_way -= 1
        if self._due:
            self._send(connection, self._due.popleft())
        elif self._next < self._end and not self._plan.rate:
            self._send(connection, time.monotonic_ns())
        else:
            self._idle.append(connection)
            self._look_for_the_end()

    def lost(self, connection: _Connection, *, under_way: bool) -> None:
        self._open -= 1
        if under_way:
            self._statuses[0] += 1
            self._under_way -= 1
        elif connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self._done.set()
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self._next >= self._end and not self._under_way:
            self._done.set()


async def main() -> None:
    """Each question is the members of a `Plan`; the answer comes when it is through, or its time is."""

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        return await _Load(Plan(**question)).run()

    await answer_questions(answer)


if __name__ == "__main__":
    run_child(main)
