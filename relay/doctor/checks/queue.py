"""What waits, and what was given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from relay.core.model import DeadReason, SubscriptionState
from relay.doctor.content import COUNTED, DAY_MS, DIED, Died, Examined
from relay.doctor.finding import Area, Finding, moment, span
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


def overdue(look: Look) -> Iterator[Finding]:
    """What is due is sent within minutes, unless its target fails."""
    content = look.read.content
    if content is None or not content.lanes:
        return
    oldest_ms = min(lane.first_due_at_ms for lane in content.lanes)
    due_for_ms = look.now_ms - oldest_ms
    if look.standing.served_by is None:
        if due_for_ms > NOT_SENT_MS:
            more = " or more" if content.waiting >= COUNTED else ""
            lasted = span(due_for_ms / 1000)
            yield Finding(
                Area.QUEUE,
                "not_sent",
                str(look.standing.database.path),
                f"{content.waiting}{more} deliveries wait, the oldest has been due for {lasted}, and no"
                " server sends them.",
                "Start it with relay serve.",
                details={"waiting": content.waiting, "oldest_due": oldest_ms // 1000},
            )
        return
    by_id = {one.subscription.id: one for one in content.subscriptions}
    shown = 0
    for lane in sorted(content.lanes, key=lambda lane: lane.first_due_at_ms):
        one, late_ms = by_id.get(lane.subscription_id), look.now_ms - lane.first_due_at_ms
        if one is None or late_ms <= STUCK_MS or shown == SHOWN or not _should_flow(one):
            continue
        shown += 1
        moves = lane.tried_at_ms is not None and look.now_ms - lane.tried_at_ms < STUCK_MS
        yield Finding(
            Area.QUEUE,
            "behind" if moves else "stuck",
            lane.subscription_id,
            f"What waits for it has been due for {span(late_ms / 1000)}, and its target does not fail; "
            + ("more comes in than it takes." if moves else "nothing is sent."),
            "Have its receiver answer sooner, or publish less to it."
            if moves
            else "Look at the server's log; if it stays so, start the server again: nothing accepted is lost.",
            needs_person=not moves,
            context=(f"{host_of(one.subscription.target_url)}, workspace {one.workspace_name}",),
            details={
                "id": lane.subscription_id,
                "workspace": one.workspace_name,
                "api": one.subscription.api,
                "host": host_of(one.subscription.target_url),
                "oldest_due": lane.first_due_at_ms // 1000,
            },
        )


def _should_flow(one: Examined) -> bool:
    return one.subscription.state is SubscriptionState.ACTIVE and not one.subscription.consecutive_failures


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
            "dead_letters",
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
