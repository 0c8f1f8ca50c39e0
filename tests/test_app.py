"""Starting Relay in this process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from relay.app import FIRST_PREFIXES, running
from relay.core.errors import StartError
from relay.settings import load_settings


async def test_the_keys_of_the_first_start_are_not_lost_with_a_start_that_fails(tmp_path: Path) -> None:
    """Somebody whose port is taken sees the keys when they come back with another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            async with running(load_settings(port=port, data_dir=tmp_path)):
                pass
    async with running(load_settings(port=0, data_dir=tmp_path)) as relay:
        assert len(relay.first_keys) == len(FIRST_PREFIXES)
    async with running(load_settings(port=0, data_dir=tmp_path)) as relay:
        assert relay.first_keys == ()
