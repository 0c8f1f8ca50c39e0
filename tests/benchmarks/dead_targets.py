"""Targets that take a request and never answer it (`/hang`), or by one byte a second (`/drip`)."""

from __future__ import annotations

import asyncio
import resource
from typing import Any, cast

from relay.bench.child import answer_questions, run_child

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


class _Dead(asyncio.Protocol):
    def __init__(self, dripping: dict[_Dead, int]) -> None:
        self._dripping = dripping

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"POST /drip"):
            self._dripping[self] = 0

    def connection_lost(self, _: Exception | None) -> None:
        self._dripping.pop(self, None)

    def drip(self) -> None:
        at = self._dripping[self]
        self._transport.write(_ANSWER[at : at + 1] or b"x")
        self._dripping[self] = at + 1


async def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    dripping: dict[_Dead, int] = {}
    server = await asyncio.get_running_loop().create_server(lambda: _Dead(dripping), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]

    async def drip() -> None:
        while True:
            await asyncio.sleep(1)
            for one in list(dripping):
                one.drip()

    dropping = asyncio.create_task(drip())

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"port": port, "dripping": len(dripping)}

    await answer_questions(answer)
    dropping.cancel()


if __name__ == "__main__":
    run_child(main)
