"""What waits, and what was given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from relay.core.model import DeadReason
from relay.doctor.content import COUNTED, DAY_MS, DIED, Died, Examined, Lane
from relay.doctor.finding import Area, Finding, Problem, moment, span
from relay.doctor.look import Look
from relay.doctor.masked import host_of

NOT_SENT_MS = 120_000
"""Without a server: due for longer than it takes to start one again."""
STUCK_MS = 300_000
SHOWN = 20

_REASONS = {
    DeadReason.EXHAUSTED: "every try failed",
    DeadReason.REFUSED: "the receiver refused them with a 4xx",
    DeadReason.TOO_LARGE: "they are too large for the receiver (413)",
    DeadReason.GONE: "the receiver is gone (410)",
    DeadReason.TARGET_REFUSED: "nothing may be sent there",
    DeadReason.PAUSED: "the subscription was paused when they fell due",
    DeadReason.DISABLED: "the subscription was disabled",
}
"""Those of a subscription that was removed are missing: nobody waits for them."""


def not_sent(look: Look) -> Iterator[Finding]:
    """A server sends what is due."""
    content = look.read.content
    if content is None or not content.lanes or look.server is not None:
        return
    oldest_ms = min(lane.first_due_at_ms for lane in content.lanes)
    if look.now_ms - oldest_ms <= NOT_SENT_MS:
        return
    more = " or more" if content.waiting >= COUNTED else ""
    lasted = span((look.now_ms - oldest_ms) / 1000)
    yield Finding(
        Area.QUEUE,
        Problem.NOT_SENT,
        str(look.standing.database.path),
        f"{content.waiting}{more} deliveries wait, the oldest has been due for {lasted}, and no server sends them.",
        "Start it with relay serve.",
        details={"waiting": content.waiting, "oldest_due": oldest_ms // 1000},
    )


def stuck(look: Look) -> Iterator[Finding]:
    """What a server has to send goes out within minutes, unless its target fails; the longest due first."""
    content = look.read.content
    if content is None or look.server is None:
        return
    flowing = {one.subscription.id: one for one in look.active if not one.subscription.consecutive_failures}
    late = [
        lane
        for lane in content.lanes
        if lane.subscription_id in flowing and look.now_ms - lane.first_due_at_ms > STUCK_MS
    ]
    for lane in sorted(late, key=lambda lane: lane.first_due_at_ms)[:SHOWN]:
        moves = lane.tried_at_ms is not None and look.now_ms - lane.tried_at_ms < STUCK_MS
        yield _late(look, lane, flowing[lane.subscription_id], moves=moves)


def _late(look: Look, lane: Lane, one: Examined, *, moves: bool) -> Finding:
    host, lasted = host_of(one.subscription.target_url), span((look.now_ms - lane.first_due_at_ms) / 1000)
    return Finding(
        Area.QUEUE,
        Problem.BEHIND if moves else Problem.STUCK,
        lane.subscription_id,
        f"What waits for it has been due for {lasted}, and its target does not fail; "
        + ("more comes in than it takes." if moves else "nothing is sent."),
        "Have its receiver answer sooner, or publish less to it."
        if moves
        else "Look at the server's log; if it stays so, start the server again: nothing accepted is lost.",
        needs_person=not moves,
        context=(f"{host}, workspace {one.workspace_name}",),
        details={
            "id": lane.subscription_id,
            "workspace": one.workspace_name,
            "api": one.subscription.api,
            "host": host,
            "oldest_due": lane.first_due_at_ms // 1000,
        },
    )


def dead_letters(look: Look) -> Iterator[Finding]:
    """Nothing was given up within the last day; summed by workspace, host and reason."""
    content = look.read.content
    if content is None:
        return
    by_id = {one.subscription.id: one for one in content.subscriptions}
    summed: dict[tuple[str, str, str], list[Died]] = defaultdict(list)
    for died in content.died:
        one = by_id.get(died.subscription_id)
        if one is not None and died.reason in _REASONS:
            summed[one.workspace_name, host_of(one.subscription.target_url), died.reason].append(died)
    for (workspace, host, reason), some in sorted(summed.items(), key=lambda entry: -_count(entry[1]))[:SHOWN]:
        count, first = _count(some), by_id[some[0].subscription_id]
        ids = [died.subscription_id for died in some[:5]]
        yield Finding(
            Area.QUEUE,
            Problem.DEAD_LETTERS,
            host,
            f"{count}{' or more' if count >= DIED else ''} deliveries were given up since"
            f" {moment(max(min(died.first_at_ms for died in some), look.now_ms - DAY_MS))}:"
            f" {_REASONS[DeadReason(reason)]} ({reason}).",
            look.remedies(first.subscription.api).died.replace("{id}", first.subscription.id),
            context=(f"for {', '.join(ids)}{', …' if len(some) > len(ids) else ''}, workspace {workspace}",),
            details={
                "workspace": workspace,
                "api": first.subscription.api,
                "host": host,
                "reason": reason,
                "count": count,
                "subscriptions": ids,
            },
        )


def _count(some: Sequence[Died]) -> int:
    return sum(died.deliveries for died in some)
