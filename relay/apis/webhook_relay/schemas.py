"""The shapes of requests and answers, for the OpenAPI document; handlers check and write for themselves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

EVENT_TYPE = "^[a-z0-9._-]{1,128}$"
HTTPS = "^https://"


class Problem(BaseModel):
    """Problem details (RFC 7807)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Invalid request"])
    status: int = Field(examples=[400])
    detail: str | None = Field(None, description="What to fix.")
    instance: str | None = None
    errors: dict[str, list[str]] | None = Field(None, description="What is wrong with which field.")


class EventCreate(BaseModel):
    type: str = Field(pattern=EVENT_TYPE, description="Segments parted by dots.", examples=["order.created"])
    payload: dict[str, Any] = Field(description="Any JSON object of at most 256 KB; it is kept as it is written.")


class EventHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        max_length=255,
        description="Within 24 hours a request with the same key and event gets the first one's answer.",
    )


class DeliveriesSummary(BaseModel):
    total: int
    succeeded: int
    failed: int
    pending: int


class Event(BaseModel):
    id: str = Field(examples=["01JAB3K5XYZQRSTUVWXYZABCDE"])
    type: str
    payload: dict[str, Any]
    idempotency_key: str | None = None
    source_ip: str | None = Field(None, description="The address the event came from.")
    created_at: AwareDatetime
    deliveries_summary: DeliveriesSummary


class EventPage(BaseModel):
    data: list[Event]
    next_cursor: str | None


class BatchEvent(EventCreate):
    idempotency_key: str | None = Field(None, max_length=255)


class EventBatch(BaseModel):
    events: list[BatchEvent] = Field(min_length=1, max_length=1000)


class BatchResult(BaseModel):
    """What became of one event: `event` with status 202, `problem` with 400 or 409."""

    status: Literal[202, 400, 409]
    event: Event | None = None
    problem: Problem | None = None


class BatchResults(BaseModel):
    data: list[BatchResult] = Field(description="One for each event, in the same order.")


class PageQuery(BaseModel):
    cursor: str | None = Field(None, description="`next_cursor` of the page before, with the same filters.")
    limit: int = Field(25, ge=1, le=100)


class EventQuery(PageQuery):
    type: str | None = Field(None, description="This very event type.")
    created_after: AwareDatetime | None = None


class SubscriptionQuery(PageQuery):
    state: Literal["active", "paused", "disabled"] | None = None


class DeliveryQuery(PageQuery):
    event_id: str | None = None
    subscription_id: str | None = None
    status: Literal["pending", "success", "failed", "dead"] | None = Field(
        None, description="What was given up is `dead`; nothing is ever `failed`."
    )


class DeadLetterQuery(PageQuery):
    subscription_id: str | None = None
    since: AwareDatetime | None = Field(None, description="When it was given up, this time included.")


class EchoQuery(BaseModel):
    key: str = Field(description="An API key: a browser's EventSource cannot send headers.")


class SubscriptionCreate(BaseModel):
    name: str | None = Field(None, max_length=255)
    url: str = Field(
        pattern=HTTPS, json_schema_extra={"format": "uri"}, description="Where events are posted to; https."
    )
    event_filter: str = Field(
        "*",
        description=(
            "`*` for every event, an event type, or a glob over its segments: `order.*` is everything below `order`, "
            "`*.created` and `order.*.paid` have any one segment in place of the asterisk."
        ),
    )


class SubscriptionUpdate(BaseModel):
    name: str | None = Field(None, max_length=255)
    url: str = Field("", pattern=HTTPS, json_schema_extra={"format": "uri"})
    event_filter: str = ""


class Subscription(BaseModel):
    id: str
    name: str | None = None
    url: str = Field(json_schema_extra={"format": "uri"})
    event_filter: str
    state: Literal["active", "paused", "disabled"]
    consecutive_failures: int
    paused_at: AwareDatetime | None = None
    secret_rotated_at: AwareDatetime | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None


class SubscriptionWithSecret(Subscription):
    signing_secret: str = Field(description="Shown here and never again.", examples=["whsec_abcdef0123456789..."])


class SubscriptionPage(BaseModel):
    data: list[Subscription]
    next_cursor: str | None


class Recover(BaseModel):
    since: AwareDatetime
    until: AwareDatetime | None = Field(None, description="By default now.")
    dry_run: bool = Field(False, description="Only count.")


class Recovery(BaseModel):
    """What was published in that time and is dead, or was missed."""

    subscription_id: str
    since: AwareDatetime
    until: AwareDatetime
    dead: int
    missed: int
    counted_until: AwareDatetime = Field(description="Earlier than `until` when that is more than 10,000 events away.")
    dry_run: bool


class DeliveryAttempt(BaseModel):
    attempt_number: int
    request_signature: str = Field(description="t={unix seconds},v1={hex HMAC-SHA256}")
    response_status: int | None = None
    response_headers: dict[str, str] | None = None
    response_body_snippet: str | None = Field(None, description="The first 4 KB of the answer.")
    latency_ms: int | None = None
    error_code: str | None = None
    attempted_at: AwareDatetime


class Delivery(BaseModel):
    id: str
    event_id: str
    event_type: str | None = None
    subscription_id: str
    status: Literal["pending", "success", "failed", "dead"]
    dead_reason: str | None = None
    attempts_made: int
    next_attempt_at: AwareDatetime | None = None
    final_status_code: int | None = None
    completed_at: AwareDatetime | None = None
    created_at: AwareDatetime
    attempts: list[DeliveryAttempt] | None = Field(None, description="Left out of lists.")


class DeliveryPage(BaseModel):
    data: list[Delivery]
    next_cursor: str | None


class TestPing(BaseModel):
    url: str = Field(pattern=HTTPS, json_schema_extra={"format": "uri"}, description="The address to try; https.")
    secret: str = Field(
        "", pattern="^[!-~]{8,128}$", description="8 to 128 visible ASCII characters; by default a random one."
    )
    event_type: str = Field("test.ping", pattern=EVENT_TYPE)
    payload: dict[str, Any] = Field({}, description='By default `{"hello":"from-webhook-relay"}`.')


class TestPingResult(BaseModel):
    ok: bool
    status: int | None = Field(None, description="What the receiver answered; null when it did not.")
    latency_ms: int
    response_body_snippet: str | None = None
    signature_sent: str = Field(description="The X-Webhook-Signature that was sent.")
    secret_used: str
    error_code: str | None = None
    error_detail: str | None = None
