"""Every subscription of every API: whether its events get where they are meant to go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relay.core.errors import TargetError
from relay.core.model import ErrorCode, SubscriptionState
from relay.doctor.content import Examined
from relay.doctor.finding import Area, Finding, Problem, moment, span
from relay.doctor.look import Look
from relay.doctor.masked import host_of, masked
from relay.store.database import Row

LONG_MS = 600_000
OFTEN = 3
"""A target that has answered before needs a person when it fails for long, or so often in a row."""


def stopped(look: Look) -> Iterator[Finding]:
    """It is active: neither paused nor disabled."""
    for one in look.read.content.subscriptions if look.read.content else ():
        subscription = one.subscription
        match subscription.state:
            case SubscriptionState.ACTIVE:
                continue
            case SubscriptionState.PAUSED:
                problem, at_ms, why = Problem.PAUSED, subscription.paused_at_ms or 0, _why_paused(look, one)
            case SubscriptionState.DISABLED:
                problem, at_ms, why = Problem.DISABLED, subscription.disabled_at_ms or 0, _why_disabled(one)
        yield _finding(
            look,
            one,
            problem,
            f"{problem.capitalize()} at {moment(at_ms)}: {why}. It gets no events.",
            look.remedies(subscription.api).stopped,
            {"stopped_at": at_ms // 1000, "reason": subscription.disabled_reason, **_last(one.last_attempt)},
        )


def _why_paused(look: Look, one: Examined) -> str:
    failures, api = one.subscription.consecutive_failures, look.apis.get(one.subscription.api)
    if api is not None and failures >= api.wire.retry.switch_off_after:
        return f"{failures} requests failed in a row{_with(one.last_attempt)}"
    return "somebody asked for it"


def _why_disabled(one: Examined) -> str:
    if one.subscription.disabled_reason == "gone":
        return "its receiver answered 410, it is gone for good"
    since_ms, until_ms = one.subscription.failing_since_ms, one.subscription.disabled_at_ms
    lasted = f" for {span((until_ms - since_ms) / 1000)}" if since_ms is not None and until_ms is not None else ""
    count = one.subscription.consecutive_failures
    return f"nothing but failures{lasted}, {count} in a row{_with(one.last_attempt)}"


def refused(look: Look) -> Iterator[Finding]:
    """The guard lets its target be sent to, as the URL says it and without asking DNS."""
    for one in look.active:
        try:
            look.guard.check_target(one.subscription.target_url)
        except TargetError as error:
            yield _finding(
                look,
                one,
                Problem.REFUSED,
                f"Nothing can be sent there: {error.message}.",
                "If this target is meant, list its host in RELAY_ALLOW_TARGETS and start the server again; else"
                f" {look.remedies(one.subscription.api).unwanted}.",
                {"refusal": error.message},
            )


def failing(look: Look) -> Iterator[Finding]:
    """Its target answers."""
    for one in look.active:
        subscription = one.subscription
        count, since_ms = subscription.consecutive_failures, subscription.failing_since_ms
        if not count or since_ms is None:
            continue
        requests = "1 request has" if count == 1 else f"{count} requests have"
        what = f"{requests} failed since {moment(since_ms)}{_with(one.last_attempt)}"
        what += (
            "; before that it answered." if one.has_succeeded else "; none has ever succeeded, as far as the log goes."
        )
        remedies = look.remedies(subscription.api)
        yield _finding(
            look,
            one,
            Problem.FAILING if one.has_succeeded else Problem.NEVER_SUCCEEDED,
            what,
            f"{_remedy(look, one)} If it is not wanted any more, {remedies.unwanted}.",
            {
                "failing_since": since_ms // 1000,
                "failed_requests": count,
                "has_succeeded": one.has_succeeded,
                **_last(one.last_attempt),
            },
            needs_person=not one.has_succeeded or count >= OFTEN or look.now_ms - since_ms >= LONG_MS,
        )


def duplicates(look: Look) -> Iterator[Finding]:
    """No other one has the same target, filter and conditions, in its workspace and API."""
    earlier: dict[tuple[object, ...], list[Examined]] = {}
    for one in look.active:
        subscription, target = one.subscription, look.target(one.subscription)
        # Two spellings of a host or a port are one place.
        place = (target.scheme, target.host, target.port, target.head) if target else (subscription.target_url,)
        kind = (subscription.workspace_id, subscription.api, place, frozenset(subscription.event_filter))
        alike = earlier.setdefault(kind, [])
        first = next((other for other in alike if other.subscription.conditions == subscription.conditions), None)
        alike.append(one)
        if first is None:
            continue
        first_id = first.subscription.id
        yield _finding(
            look,
            one,
            Problem.DUPLICATE,
            f"Subscribed with the same target and filter as {first_id}: its receiver gets each event more than once.",
            look.remedies(subscription.api).duplicate.replace("{first}", first_id),
            {"same_as": first_id},
        )


def _finding(
    look: Look,
    one: Examined,
    problem: Problem,
    what: str,
    advice: str,
    details: Mapping[str, Any],
    *,
    needs_person: bool = True,
) -> Finding:
    subscription = one.subscription
    called = subscription.external_ref or subscription.name
    noun = look.remedies(subscription.api).noun
    who = f"for {subscription.source}" if subscription.source else f"{subscription.api} {noun}"
    who += f' "{called}"' if called else ""
    return Finding(
        Area.SUBSCRIPTIONS,
        problem,
        subscription.id,
        what,
        advice.replace("{id}", subscription.id),
        needs_person,
        context=(
            f"{', '.join(subscription.event_filter)} {who}, workspace {one.workspace_name}",
            masked(subscription.target_url),
        ),
        details={
            "id": subscription.id,
            "workspace": one.workspace_name,
            "api": subscription.api,
            "event_filter": list(subscription.event_filter),
            "source": subscription.source,
            "external_ref": subscription.external_ref,
            "name": subscription.name,
            "host": host_of(subscription.target_url),
            "target_url": masked(subscription.target_url),
            "created_at": subscription.created_at_ms // 1000,
            **details,
        },
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


def _remedy(look: Look, one: Examined) -> str:
    """What may bring a failing target back."""
    error = one.last_attempt["error_code"] if one.last_attempt else None
    match error:
        case None:
            return look.remedies(one.subscription.api).answers_wrongly
        case ErrorCode.TARGET_REFUSED:
            return "Its host leads into a private network: list it in RELAY_ALLOW_TARGETS if that is meant."
        case ErrorCode.DNS_ERROR:
            return "See that its host name is right and can be looked up on this machine."
        case ErrorCode.TLS_ERROR:
            return "See that its certificate is valid, and issued by somebody this machine trusts (SSL_CERT_FILE)."
        case ErrorCode.SIGNING_ERROR:
            return "Put the key its signing secret was sealed with back into RELAY_SECRET_KEY."
        case _:
            return "See that its host is up and can be reached from this server."
