"""A running Relay for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apis.ravepilot.serving import Relay, serve


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with serve(tmp_path) as relay:
        yield relay
