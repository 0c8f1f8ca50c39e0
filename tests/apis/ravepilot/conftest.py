"""A running Relay for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apis.ravepilot.client import Relay
from tests.conftest import StartRelay


@pytest.fixture
async def relay(start_relay: StartRelay) -> AsyncIterator[Relay]:
    """It tries a delivery three times."""
    async with start_relay(retry_delays="0.05,0.05") as server:
        yield Relay(server)
