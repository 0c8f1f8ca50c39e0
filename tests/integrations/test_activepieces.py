"""The piece compiles, packs, and does against a real Relay what Activepieces asks of it."""

from __future__ import annotations

import pytest

from tests.conftest import has
from tests.integrations.conftest import connection, run
from tests.npm import ACTIVEPIECES
from tests.whole.process import Serve

PIECE = ACTIVEPIECES.folder


@pytest.mark.timeout(300)
async def test_the_piece_runs_against_a_real_relay(relay_process: Serve) -> None:
    await has(ACTIVEPIECES)
    await run(["npm", "run", "build"], PIECE)
    await run(["npm", "test"], PIECE, 60, **connection(relay_process))
