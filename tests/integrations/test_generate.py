"""What is generated is what the catalogue says: the committed files are never stale."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from integrations.generate import files, make, source
from tests.conftest import KEY, Relay, StartRelay

ORDER = {"label": "Order placed", "description": "Triggers when an order is placed.", "payload": {"total": 4.5}}
ORIGIN = {"label": "Ours", "baseUrl": "https://eu1.make.com/api", "appId": "relay", "appVersion": 1, "apikeyFile": "x"}


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
    assert "make/src/modules/on-order-placed/on-order-placed.interface.iml.json" in written
    assert all(re.search("order.?placed", path + (root / path).read_text(), re.IGNORECASE) for path in written)
    assert files.outdated(event_types, root) == []

    files.write(source.from_files(), root)
    assert {path: path.read_bytes() for path in root.rglob("*.json")} == before
    assert not list(root.rglob("*order-placed*"))


async def test_where_makes_app_was_deployed_to_is_kept(tmp_path: Path) -> None:
    """The editor writes it into the list of components; it is the maker's, not the catalogue's."""
    files.write(source.from_files(), tmp_path)
    manifest = tmp_path / "make" / "src" / "makecomapp.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(files.json_text({**content, "components": {}, "origins": [ORIGIN]}))

    assert files.write(source.from_files(), tmp_path) == ["make/src/makecomapp.json"]
    assert json.loads(manifest.read_text()) == {**content, "origins": [ORIGIN]}


@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("clip.approved", "onClipApproved"),
        ("order", "onOrder"),
        ("order_placed", "onOrderPlaced08dc96cc"),
        ("order.1", "onOrder1c830826c"),
        ("order1", "onOrder1"),
        ("2nd.order", "onType2ndOrder4eda069d"),
        ("_", "onTyped2e2adf7"),
        ("a" * 128, "on" + "A" + "a" * 24 + "6836cf13"),
    ],
)
def test_a_component_of_makes_app_has_a_name_that_make_takes(event_type: str, name: str) -> None:
    """Letters and digits, at most 35; event types that differ only in their signs do not share one."""
    assert make.component_name(event_type) == name
    assert re.fullmatch(r"[a-zA-Z][0-9a-zA-Z]{2,34}", name)
