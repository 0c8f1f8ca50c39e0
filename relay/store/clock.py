"""The newest time that a database has seen: what tells, over restarts, that the wall clock has jumped."""

from __future__ import annotations

from relay.store.database import Steps, statement, work


@work
def newest_seen() -> Steps[int | None]:
    """Unix milliseconds: as kept, else the time of the newest event; None for a database without either."""
    kept = yield statement("clock_seen")
    if kept:
        seen_ms: int = kept[0]["seen_at"]
        return seen_ms
    rows = yield statement("clock_newest_events")
    return max((row["created_at"] for row in rows if row["created_at"] is not None), default=None)


@work
def keep(seen_ms: int) -> Steps[None]:
    """Remember it as the newest time seen."""
    yield statement("clock_keep", seen_at=seen_ms)
