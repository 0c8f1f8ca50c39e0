"""What a server leaves in its database about its last start, for those who look without its environment."""

from __future__ import annotations

from collections.abc import Mapping

from relay.store.database import Statement, Steps, statement, work


@work
def keep(values: Mapping[str, str]) -> Steps[None]:
    """Keep these JSON texts by their names, in place of those of the start before."""
    yield statement("installation_forget")
    yield Statement("installation_keep", [{"name": name, "value": value} for name, value in values.items()])


@work
def kept() -> Steps[dict[str, str]]:
    """What the last start left; nothing when no server of this schema was ever started on the file."""
    rows = yield statement("installation_kept")
    return {row["name"]: row["value"] for row in rows}
