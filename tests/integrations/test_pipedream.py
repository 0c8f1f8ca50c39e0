"""The components do against a real Relay what Pipedream asks of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integrations.conftest import INTEGRATIONS, connection, key_for, run
from tests.whole.process import Serve


async def test_the_components_run_against_a_real_relay(relay_process: Serve, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    no_hooks_key = await key_for("submissions", tmp_path / "relay")
    environment = {**connection(relay_process), "RELAY_NO_HOOKS_KEY": no_hooks_key}
    await run([npm, "test"], INTEGRATIONS / "pipedream", 60, **environment)
