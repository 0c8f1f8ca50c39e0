"""A server whose names under `.invalid` are never answered for: `relay serve`, but for where it looks names up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from relay.app import running
from relay.log import configure_logging
from relay.outbound.resolve import Resolver, system_lookup
from relay.settings import load_settings


def _lookup(host: str) -> list[str]:
    if host.endswith(".invalid"):
        time.sleep(3600)
    return system_lookup(host)


async def _serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load_settings()
    configure_logging(settings.log_format)
    async with running(settings, resolver=Resolver(_lookup)) as relay:
        sys.stdout.write(f"Relay listens on {relay.url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
    os._exit(0)  # the look-ups never end
