"""Where the event types come from: a running Relay, or the files in `sample_events/` and a folder of one's own."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from relay.apis.rest_hooks.event_types import described
from relay.catalogue import Catalogue

EventTypes = list[dict[str, Any]]
"""Each as `GET /api/v1/event-types/{id}` shows it, sorted by id."""


def from_files(extra_folder: Path | None = None) -> EventTypes:
    """What a server with these files would answer; raises StartError naming a bad file."""
    return [described(event_type) for event_type in Catalogue.load(extra_folder).types()]


def from_server(url: str, key: str) -> EventTypes:
    """What a running server answers; raises OSError when it does not."""
    root = f"{url.rstrip('/')}/api/v1/event-types"
    return [_get(f"{root}/{quote(one['id'], safe='')}", key) for one in _get(root, key)]


def _get(url: str, key: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise OSError(f"{url} is not an http or https URL")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
