"""The integration does against a real Relay what Zapier asks of it, and has the form that Zapier takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import has
from tests.integrations.conftest import connection, key_for, run
from tests.npm import ZAPIER as PACKAGES
from tests.whole.process import Serve, free_port, serve

ZAPIER = PACKAGES.folder


@pytest.mark.timeout(300)  # they may be being installed
async def test_the_integration_runs_against_a_real_relay(relay_process: Serve, tmp_path: Path) -> None:
    await has(PACKAGES)
    data_dir = tmp_path / "relay"
    keys = {
        "RELAY_HOOKS_KEY": await key_for("hooks", data_dir),
        "RELAY_NO_HOOKS_KEY": await key_for("submissions", data_dir),
    }
    await run(["npm", "test"], ZAPIER, 120, **connection(relay_process), **keys)


@pytest.mark.timeout(300)
async def test_zapier_waits_as_long_as_relay_says(tmp_path: Path) -> None:
    await has(PACKAGES)
    async with serve(tmp_path / "relay", free_port(), rate_limit="3") as limited:
        await run(["npm", "run", "test:limited"], ZAPIER, 60, **connection(limited), RELAY_RATE_LIMIT="3")


def test_the_lock_file_names_no_registry() -> None:
    """Whoever installs takes the packages from their own registry."""
    lock = json.loads((ZAPIER / "package-lock.json").read_text())
    assert len(lock["packages"]) > 1
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
