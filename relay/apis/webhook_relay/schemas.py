"""The shapes of requests and answers, for the OpenAPI document; handlers check and write for themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from relay.web.api import StandardHeaders
from relay.web.operation import NOT_GIVEN

EVENT_TYPE = "^[a-z0-9._-]{1,128}$"
HTTPS = "^https://"

Moment = Annotated[AwareDatetime, Field(examples=["2026-10-07T09:12:05.123Z"])]
EventId = Annotated[str, Field(examples=["01M4AT4QM8JER7KX7P94TCRYYM"])]
EventType = Annotated[str, Field(examples=["order.created"])]
DeliveryId = Annotated[str, Field(examples=["01M4AT4QM8F2Q6Z8WJ0V7C5RXN"])]
SubscriptionId = Annotated[str, Field(examples=["01M3ZV5D0G9T2HB6NQ4KXW8CEJ"])]
Url = Annotated[str, Field(json_schema_extra={"format": "uri"}, examples=["https://example.com/hook"])]
Name = Annotated[str | None, Field(max_length=255, description="For people; any text.", examples=["Orders"])]
Cursor = Annotated[str | None, Field(description="The `cursor` of the next page; null on the last one.")]


class Problem(BaseModel):
    """Problem details (RFC 7807)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Invalid request"])
    status: int = Field(examples=[400])
    detail: str | None = Field(None, description="What to fix.")
    instance: str | None = Field(None, description="Never there: nothing more is known of a single failure.")
    errors: dict[str, list[str]] | None = Field(None, description="What is wrong with which field.")


class EventCreate(BaseModel):
    """An event to publish."""

    type: str = Field(pattern=EVENT_TYPE, description="Segments parted by dots.", examples=["order.created"])
    payload: dict[str, Any] = Field(
        description="Any JSON object of at most 256 KB; it is kept as it is written.", examples=[{"id": 42}]
    )


class EventHeaders(BaseModel):
    """What may come with an event."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        max_length=255,
        description="Within 24 hours a request with the same key and event gets the first one's answer.",
    )


class DeliveriesSummary(BaseModel):
    """How an event's deliveries stand."""

    total: int = Field(examples=[1])
    succeeded: int = Field(examples=[0])
    failed: int = Field(description="Those that were given up.", examples=[0])
    pending: int = Field(examples=[1])


class Event(BaseModel):
    """An event, and how its deliveries stand."""

    id: EventId
    type: EventType
    payload: dict[str, Any] = Field(description="As it was written, to the digit.", examples=[{"id": 42}])
    idempotency_key: str | None = Field(examples=["order-42"])
    source_ip: str | None = Field(
        description="The address the event came from; null for what Relay itself caused.", examples=["192.0.2.7"]
    )
    created_at: Moment
    deliveries_summary: DeliveriesSummary


class EventPage(BaseModel):
    """A page of events, newest first."""

    data: list[Event]
    next_cursor: Cursor


class BatchEvent(EventCreate):
    """An event to publish, with its idempotency key if it has one."""

    idempotency_key: str | None = Field(None, max_length=255, description="As the header of `createEvent`.")


class EventBatch(BaseModel):
    """Events to publish in one commit."""

    events: list[BatchEvent] = Field(min_length=1, max_length=1000)


class BatchResult(BaseModel):
    """What became of one event: `event` with status 202, `problem` with 400 or 409."""

    status: Literal[202, 400, 409]
    event: Event | None = Field(None, description="The event as it was taken.")
    problem: Problem | None = Field(None, description="Why it was not taken.")


class BatchResults(BaseModel):
    """What became of each event."""

    data: list[BatchResult] = Field(description="One for each event, in the same order.")


class PageQuery(BaseModel):
    """Which page of a list."""

    cursor: str | None = Field(None, description="`next_cursor` of the page before, with the same filters.")
    limit: int = Field(25, ge=1, le=100, description="How many at most.")


class NarrowingQuery(PageQuery):
    """Which part of a list: by type and by time."""

    type: str | None = Field(None, description="Only this very event type.")
    created_after: AwareDatetime | None = Field(None, description="Only what was made later.")
    created_before: AwareDatetime | None = Field(None, description="Only what was made earlier.")


class EventQuery(NarrowingQuery):
    subscription_id: str | None = Field(None, description="Only those of which it has deliveries.")


class SubscriptionQuery(PageQuery):
    state: Literal["active", "paused", "disabled"] | None = Field(None, description="Only those that stand so.")


class DeliveryQuery(NarrowingQuery):
    event_id: str | None = Field(None, description="Only those of this event.")
    subscription_id: str | None = Field(None, description="Only those to this subscription.")
    status: Literal["pending", "success", "failed", "dead"] | None = Field(
        None, description="What was given up is `dead`; nothing is ever `failed`."
    )


class DeadLetterQuery(NarrowingQuery):
    event_id: str | None = Field(None, description="Only those of this event.")
    subscription_id: str | None = Field(None, description="Only those to this subscription.")
    since: AwareDatetime | None = Field(None, description="When it was given up, this time included.")
    until: AwareDatetime | None = Field(None, description="The same, at the latest.")


class EchoQuery(BaseModel):
    key: str = Field(description="An API key: a browser's EventSource cannot send headers.")


class SubscriptionCreate(BaseModel):
    """What is to be posted where."""

    name: Name = None
    url: str = Field(
        pattern=HTTPS,
        json_schema_extra={"format": "uri"},
        description="Where events are posted to; https.",
        examples=["https://example.com/hook"],
    )
    event_filter: str = Field(
        "*",
        description=(
            "`*` for every event, an event type, or a glob over its segments: `order.*` is everything below `order`, "
            "`*.created` and `order.*.paid` have any one segment in place of the asterisk."
        ),
        examples=["order.*"],
    )


class SubscriptionUpdate(BaseModel):
    """What is to be changed: a member that is left out stays as it is."""

    name: str | None = Field(NOT_GIVEN, max_length=255, description="Null takes the name away.", examples=["Orders"])
    url: str = Field(
        NOT_GIVEN,
        pattern=HTTPS,
        json_schema_extra={"format": "uri"},
        description="Where events are posted to from now on, those that wait included; https.",
        examples=["https://example.com/new"],
    )
    event_filter: str = Field(NOT_GIVEN, description="For events that are published from now on.")


class Resume(BaseModel):
    """What is to happen with what was published meanwhile."""

    replay_missed: bool = Field(False, description="Deliver it after all, behind live events.", examples=[True])


class Subscription(BaseModel):
    """Where events go, which, and how that stands."""

    id: SubscriptionId
    name: Name
    url: Url
    event_filter: str = Field(examples=["order.*"])
    state: Literal["active", "paused", "disabled"]
    consecutive_failures: int = Field(description="Failed requests in a row.", examples=[0])
    paused_at: AwareDatetime | None
    secret_rotated_at: AwareDatetime | None
    created_at: Moment
    updated_at: Moment


class SubscriptionWithSecret(Subscription):
    """A subscription with its signing secret."""

    signing_secret: str = Field(description="Shown here and never again.", examples=["whsec_abcdef0123456789..."])


class SubscriptionPage(BaseModel):
    """A page of subscriptions, newest first."""

    data: list[Subscription]
    next_cursor: Cursor


class Rotate(BaseModel):
    """What is to happen with the secrets there were."""

    now: bool = Field(
        False,
        description="End every earlier secret at once, because one has leaked; by default they sign for 48 hours.",
        examples=[False],
    )


class Recover(BaseModel):
    """The span of time to look at."""

    since: AwareDatetime = Field(description="From then on.", examples=["2026-10-07T00:00:00Z"])
    until: AwareDatetime | None = Field(NOT_GIVEN, description="By default now.", examples=["2026-10-07T12:00:00Z"])
    dry_run: bool = Field(False, description="Only count.")


class Recovery(BaseModel):
    """What was published in that time and is dead, or was missed."""

    subscription_id: SubscriptionId
    since: AwareDatetime = Field(
        description="Not before the subscription was made.", examples=["2026-10-07T00:00:00.000Z"]
    )
    until: AwareDatetime = Field(examples=["2026-10-07T12:00:00.000Z"])
    dead: int = Field(description="Deliveries that were given up.", examples=[3])
    missed: int = Field(description="Events that match and never became a delivery.", examples=[0])
    counted_until: AwareDatetime = Field(
        description="Earlier than `until` when that is more than 10,000 events away.",
        examples=["2026-10-07T12:00:00.000Z"],
    )
    dry_run: bool = Field(examples=[False])


class DeliveryAttempt(BaseModel):
    """One try of a delivery."""

    attempt_number: int = Field(examples=[1])
    request_signature: str = Field(
        description="t={unix seconds},v1={hex HMAC-SHA256}", examples=["t=1791364325,v1=5257a869e7ecebeda32affa62cd"]
    )
    response_status: int | None = Field(description="Null when there was no answer.", examples=[200])
    response_headers: dict[str, str] | None = Field(description="A few that are worth keeping.")
    response_body_snippet: str | None = Field(description="The first 4 KB of the answer.", examples=["ok"])
    latency_ms: int | None = Field(examples=[41])
    error_code: str | None = Field(description="Why there was no answer: `timeout`, `connection_error`, `tls_error`, …")
    attempted_at: Moment


class Delivery(BaseModel):
    """One event for one subscription."""

    id: DeliveryId
    event_id: EventId
    event_type: EventType
    subscription_id: SubscriptionId
    status: Literal["pending", "success", "failed", "dead"]
    dead_reason: str | None = Field(description="Why it was given up: `exhausted`, `refused`, `gone`, …")
    attempts_made: int = Field(examples=[0])
    next_attempt_at: Moment | None
    final_status_code: int | None = Field(description="Of the newest answer.")
    completed_at: AwareDatetime | None
    created_at: Moment
    attempts: list[DeliveryAttempt] | None = Field(None, description="Left out of lists.")


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first."""

    data: list[Delivery]
    next_cursor: Cursor


class TestPing(BaseModel):
    """Where a test ping goes, and what it holds."""

    url: str = Field(
        pattern=HTTPS,
        json_schema_extra={"format": "uri"},
        description="The address to try; https.",
        examples=["https://example.com/hook"],
    )
    secret: str = Field(
        NOT_GIVEN,
        pattern="^[!-~]{8,128}$",
        description="8 to 128 visible ASCII characters; a random one when left out.",
        examples=["my-test-secret"],
    )
    event_type: str = Field("test.ping", pattern=EVENT_TYPE, description="What the ping says it is.")
    payload: dict[str, Any] = Field({"hello": "from-webhook-relay"}, description="Any JSON object of at most 256 KB.")


class TestPingResult(BaseModel):
    """What came of a test ping."""

    ok: bool = Field(description="Whether the receiver answered 2xx.", examples=[True])
    status: int | None = Field(description="What the receiver answered; null when it did not.", examples=[200])
    latency_ms: int = Field(examples=[41])
    response_body_snippet: str | None = Field(description="The first 4 KB of the answer.", examples=["ok"])
    signature_sent: str = Field(
        description="The X-Webhook-Signature that was sent.", examples=["t=1791364325,v1=5257a869e7ecebeda32affa62cd"]
    )
    secret_used: str = Field(description="What it was signed with.", examples=["my-test-secret"])
    error_code: str | None = Field(description="Why there was no answer.")
    error_detail: str | None = Field(description="The same in words.")


class RateLimitHeaders(BaseModel):
    """How the workspace's allowance stands; none of them where the operator sets no limit."""

    limit: int | None = Field(None, alias="X-RateLimit-Limit", description="Requests a minute.", examples=[6000])
    remaining: int | None = Field(
        None, alias="X-RateLimit-Remaining", description="How many can be made right now.", examples=[5999]
    )
    reset: int | None = Field(
        None,
        alias="X-RateLimit-Reset",
        description="Unix seconds at which the allowance is full again.",
        examples=[1791364326],
    )


class DeliveryBody(BaseModel):
    """What is posted to a subscription."""

    id: str = Field(description="The event's id: the same for every subscription that gets it.")
    type: str = Field(description="The event type.")
    created_at: AwareDatetime = Field(description="When it was published.")
    data: dict[str, Any] = Field(description="The payload, as it was written.")


class DeliveryHeaders(StandardHeaders):
    """What the POST to a subscription carries."""

    signature: str = Field(
        alias="X-Webhook-Signature",
        description=(
            "`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<raw body>`, keyed with the whole signing secret. With "
            "several `v1` any right one will do: a rotated secret goes on signing for 48 hours."
        ),
    )
    event_id: str = Field(alias="X-Webhook-Event-Id", description="The event's id.")
    event_type: str = Field(alias="X-Webhook-Event-Type", description="The event type.")
    timestamp: str = Field(alias="X-Webhook-Timestamp", description="The `t` of the signature.")
    delivery_id: str = Field(
        alias="X-Webhook-Delivery-Id", description="The same on every try: use it to drop duplicates."
    )
    attempt: str = Field(alias="X-Webhook-Attempt", description="1 for the first try.")
