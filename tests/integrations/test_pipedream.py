"""The components do against a real Relay what Pipedream asks of them."""

from __future__ import annotations

import shutil

import pytest

from tests.integrations.conftest import INTEGRATIONS, connection, run
from tests.whole.process import Serve


async def test_the_components_run_against_a_real_relay(relay_process: Serve) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    await run([npm, "test"], INTEGRATIONS / "pipedream", 60, **connection(relay_process))
