"""Which files are generated: a path below `integrations/` and the text of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from integrations.generate import make
from integrations.generate.source import EventTypes

ROOT = Path(__file__).resolve().parent.parent
_EVENT_TYPES = (
    "zapier/event_types.json",
    "n8n/nodes/Relay/event_types.json",
    "activepieces/src/event_types.json",
)
"""Each package is published alone, so each carries the list."""


def generated(event_types: EventTypes, root: Path = ROOT) -> dict[str, str]:
    """All generated files by their path."""
    contents = {**dict.fromkeys(_EVENT_TYPES, event_types), **make.generated(event_types, root)}
    return {path: json_text(content) for path, content in contents.items()}


def outdated(event_types: EventTypes, root: Path = ROOT) -> list[str]:
    """The paths that `write` would change or remove, sorted."""
    wanted = generated(event_types, root)
    changed = [path for path, text in wanted.items() if _text(root / path) != text]
    return sorted([*changed, *make.left_over(wanted, root)])


def write(event_types: EventTypes, root: Path = ROOT) -> list[str]:
    """Bring the files up to date; the answer names those that were changed or removed."""
    wanted = generated(event_types, root)
    paths = outdated(event_types, root)
    for path in paths:
        file = root / path
        if path in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[path], encoding="utf-8")
        else:
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
    return paths


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
