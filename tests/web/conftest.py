"""The toy site, for every test of the web layer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.toy_site import Site, toy_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with toy_site(tmp_path) as running:
        yield running
