"""What is generated is what the catalogue says: the committed files are never stale."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from integrations.generate import files, source
from tests.conftest import KEY, Relay, StartRelay

ORDER = {"label": "Order placed", "description": "Triggers when an order is placed.", "payload": {"total": 4.5}}


async def test_the_committed_files_are_up_to_date() -> None:
    """If this fails: `python -m integrations.generate`."""
    assert files.outdated(source.from_files()) == []


async def test_a_running_server_says_the_same_as_the_files(relay: Relay) -> None:
    assert await asyncio.to_thread(source.from_server, relay.url, KEY) == source.from_files()


async def test_a_new_event_type_is_one_file_and_one_command(start_relay: StartRelay, tmp_path: Path) -> None:
    """And it goes again when the file does."""
    types, root = tmp_path / "types", tmp_path / "integrations"
    types.mkdir()
    files.write(source.from_files(), root)
    before = {path: path.read_bytes() for path in root.rglob("*.json")}

    (types / "order.placed.json").write_text(json.dumps(ORDER))
    async with start_relay(sample_events=types) as relay:
        event_types = await asyncio.to_thread(source.from_server, relay.url, KEY)
    assert event_types == source.from_files(types)
    written = files.write(event_types, root)
    assert written
    assert all("order.placed" in (root / path).read_text() for path in written)
    assert files.outdated(event_types, root) == []

    files.write(source.from_files(), root)
    assert {path: path.read_bytes() for path in root.rglob("*.json")} == before
