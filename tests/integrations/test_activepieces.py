"""The piece compiles, packs, and does against a real Relay what Activepieces asks of it."""

from __future__ import annotations

import pytest

from tests.integrations.conftest import INTEGRATIONS, connection, install, run
from tests.whole.process import Serve

PIECE = INTEGRATIONS / "activepieces"


@pytest.mark.timeout(300)  # the first run downloads its packages
async def test_the_piece_runs_against_a_real_relay(relay_process: Serve) -> None:
    await install(PIECE)
    await run(["npm", "run", "build"], PIECE)
    await run(["npm", "test"], PIECE, 60, **connection(relay_process))
