"""Doctor: the hooks with which something is probably wrong, and what to do about each, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from relay.apis.rest_hooks.wire import NAME
from relay.core.errors import TargetError
from relay.core.model import ErrorCode, Subscription, SubscriptionState
from relay.core.moments import iso_s as iso
from relay.store import subscriptions
from relay.store.database import Row, Steps, statement, work


class Problem(StrEnum):
    DUPLICATE = "duplicate"
    """Another live hook has the same target and filter."""
    REFUSED = "refused"
    """The guard would let nothing be sent there."""
    FAILING = "failing"
    """Its target has only ever failed."""
    ENDED = "ended"
    """Relay switched it off, and its flow waits for events that do not come."""


class Examined(NamedTuple):
    """A hook that was not unsubscribed, and what is known of it."""

    hook: Subscription
    workspace_name: str
    has_succeeded: bool
    last_attempt: Row | None
    """`attempted_at`, `status`, `error_code`. Read only of a hook that fails or has ended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one hook. `details` has what the sentences say, for programs."""

    problem: Problem
    hook: Subscription
    workspace_name: str
    what: str
    advice: str
    details: Mapping[str, Any] = field(default_factory=dict)


@work
def examine(workspace_name: str | None) -> Steps[list[Examined]]:
    """The hooks of a workspace, or of all, oldest first."""
    rows = yield statement("doctor_hooks", api=NAME, workspace=workspace_name)
    found = []
    for row in rows:
        hook = subscriptions.from_row(row)
        has_succeeded, last = True, None
        if hook.consecutive_failures or hook.state is SubscriptionState.DISABLED:
            ids = {"workspace_id": hook.workspace_id, "subscription_id": hook.id}
            has_succeeded = bool((yield statement("doctor_success", **ids)))
            attempts = yield statement("doctor_last_attempt", **ids)
            last = attempts[0] if attempts else None
        found.append(Examined(hook, row["workspace_name"], has_succeeded, last))
    return found


def findings(examined: Sequence[Examined], check_target: Callable[[str], object]) -> list[Finding]:
    """What is probably wrong, hook by hook. `check_target` raises TargetError for a target that is refused."""
    earlier: dict[tuple[str, str, tuple[str, ...]], list[Subscription]] = {}
    found: list[Finding] = []
    for one in examined:
        hook = one.hook
        if hook.state is not SubscriptionState.ACTIVE:
            found.append(_ended(one))
            continue
        alike = earlier.setdefault((hook.workspace_id, hook.target_url, hook.event_filter), [])
        found += _duplicate(one, alike)
        alike.append(hook)
        found += _refused(one, check_target)
        if hook.consecutive_failures and not one.has_succeeded:
            found.append(_failing(one))
    return found


def _duplicate(one: Examined, alike: Sequence[Subscription]) -> Iterator[Finding]:
    first = next((other for other in alike if other.conditions == one.hook.conditions), None)
    if first is None:
        return
    yield Finding(
        Problem.DUPLICATE,
        one.hook,
        one.workspace_name,
        f"Subscribed with the same target and filter as {first.id}: its flow gets each event more than once.",
        "Turn the flow off, which unsubscribes the one the platform knows; unsubscribe the other with"
        f" DELETE /api/v1/hooks/{one.hook.id} or DELETE /api/v1/hooks/{first.id}; turn the flow on again.",
        {"same_as": first.id},
    )


def _refused(one: Examined, check_target: Callable[[str], object]) -> Iterator[Finding]:
    try:
        check_target(one.hook.target_url)
    except TargetError as error:
        yield Finding(
            Problem.REFUSED,
            one.hook,
            one.workspace_name,
            f"Nothing can be sent there: {error.message}.",
            "If this target is meant, list its host in RELAY_ALLOW_TARGETS, for the server and for this command;"
            f" else unsubscribe it with DELETE /api/v1/hooks/{one.hook.id}.",
            {"refusal": error.message},
        )


def _failing(one: Examined) -> Finding:
    hook = one.hook
    since_s = (hook.failing_since_ms or 0) // 1000
    count = "1 request has" if hook.consecutive_failures == 1 else f"{hook.consecutive_failures} requests have"
    return Finding(
        Problem.FAILING,
        hook,
        one.workspace_name,
        f"{count} failed since {iso(since_s)}{_with(one.last_attempt)}; as far back as the log goes, none succeeded.",
        f"{_remedy(one.last_attempt)} If the flow is not wanted any more, unsubscribe it with"
        f" DELETE /api/v1/hooks/{hook.id}.",
        {"failing_since": since_s, "failed_requests": hook.consecutive_failures, **_last(one.last_attempt)},
    )


def _ended(one: Examined) -> Finding:
    hook = one.hook
    at_s = (hook.disabled_at_ms or 0) // 1000
    why = (
        "its receiver answered 410, the flow is off or deleted"
        if hook.disabled_reason == "gone"
        else f"nothing but failures for five days{_with(one.last_attempt)}"
    )
    return Finding(
        Problem.ENDED,
        hook,
        one.workspace_name,
        f"Ended at {iso(at_s)}: {why}. It gets no events.",
        "If the flow is wanted, turn it off and on again, which subscribes it anew. If this one is still reported then,"
        f" or the flow is not wanted, unsubscribe it with DELETE /api/v1/hooks/{hook.id}.",
        {"ended_at": at_s, "reason": hook.disabled_reason, **_last(one.last_attempt)},
    )


def _with(attempt: Row | None) -> str:
    if attempt is None:
        return ""
    return f", the last with {attempt['error_code'] or 'status {}'.format(attempt['status'])}"


def _last(attempt: Row | None) -> dict[str, Any]:
    if attempt is None:
        return {"last_attempt_at": None, "last_status": None, "last_error": None}
    return {
        "last_attempt_at": attempt["attempted_at"] // 1000,
        "last_status": attempt["status"],
        "last_error": attempt["error_code"],
    }


def _remedy(attempt: Row | None) -> str:
    """What may bring a failing target back."""
    error = attempt["error_code"] if attempt else None
    if error == ErrorCode.TARGET_REFUSED:
        return "Its host leads into a private network: list it in RELAY_ALLOW_TARGETS if that is meant."
    if error is not None:
        return "See that its host is up and can be reached from this server."
    return "See that the flow is on, and that this is its URL."
