"""The clock of this machine, against what was stored last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from relay.doctor.finding import Area, Finding, Problem, moment, span
from relay.doctor.look import Look

TOLERATED_MS = 60_000


def newest_row(look: Look) -> Iterator[Finding]:
    """Nothing was stored in the future."""
    stored = dict(look.read.content.newest_at_ms) if look.read.content else {}
    if look.read.left is not None:
        stored["start of the server"] = look.read.left.started_at_ms
    files = (look.standing.database, *(one for one in look.standing.beside if one.path.name.endswith("-wal")))
    stored["write to the database"] = max(one.modified_at_ms for one in files)
    what, at_ms = max(stored.items(), key=lambda one: one[1])
    if at_ms <= look.now_ms + TOLERATED_MS:
        return
    yield Finding(
        Area.DATABASE,
        Problem.CLOCK_BEHIND,
        "the clock of this machine",
        f"It shows {moment(look.now_ms)}, and the last {what} was at {moment(at_ms)},"
        f" {span((at_ms - look.now_ms) / 1000)} later: it went back, or was ahead then.",
        "Set the clock right and keep it so (chrony, systemd-timesyncd); then start the server again, which sends what"
        " was put off too long.",
        details={"now": look.now_ms // 1000, "newest": at_ms // 1000, "newest_is": what},
    )


def put_off(look: Look) -> Iterator[Finding]:
    """Nothing waits for longer than any schedule lets it wait."""
    content = look.read.content
    if content is None or not look.apis:
        return
    delays_s = look.installation.retry_delays_s
    policies = [api.wire.retry for api in look.apis.values()]
    if delays_s is not None:
        policies = [replace(policy, schedule_s=delays_s) for policy in policies]
    latest_ms = look.now_ms + max(policy.longest_wait_ms for policy in policies) + TOLERATED_MS
    late = [lane for lane in content.lanes if lane.last_due_at_ms > latest_ms]
    if late:
        last_ms = max(lane.last_due_at_ms for lane in late)
        yield Finding(
            Area.QUEUE,
            Problem.PUT_OFF,
            ", ".join(lane.subscription_id for lane in late[:3]) + (", …" if len(late) > 3 else ""),
            f"What waits for {len(late)} subscriptions is put off until {moment(last_ms)}, longer than any schedule"
            " does: the clock was ahead when it was tried.",
            "Set the clock right, and start the server again: what was put off is then sent at once.",
            details={"subscriptions": len(late), "until": last_ms // 1000},
        )
