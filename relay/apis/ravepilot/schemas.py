"""The shapes of this API's requests and answers; times are Unix seconds. Requests are parsed in `input.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from relay.core.model import Delivery as StoredDelivery
from relay.core.model import DeliveryState, Subscription
from relay.producers.testimonials import model
from relay.producers.testimonials.model import ClipStatus, SubmissionStatus
from relay.producers.testimonials.payloads import seconds
from relay.web.api import StandardHeaders

Ok = Annotated[bool, Field(examples=[True])]
WebhookId = Annotated[str, Field(examples=["wh_b2c3d4e5f6g7h2i3"])]
WebhookUrl = Annotated[str, Field(examples=["https://example.com/ravepilot-webhook"])]
EventNames = Annotated[list[str], Field(examples=[["clip.approved", "render.succeeded"]])]
UnixSeconds = Annotated[int, Field(description="Unix seconds", examples=[1791209000])]


class Error(BaseModel):
    """What went wrong, in words that say what to fix."""

    error: Annotated[str, Field(examples=["customer_email is required"])]
    status: Annotated[int, Field(examples=[400])]


class MagicLinkRequest(BaseModel):
    """Who gets a personal link. Null and empty text mean: not given."""

    customer_email: Annotated[
        str,
        Field(
            json_schema_extra={"format": "email"},
            description="Who the customer is. Letter case does not matter; dots and plus parts do.",
            examples=["dana.whitlock@example.com"],
        ),
    ]
    customer_name: Annotated[str | None, Field(description="Up to 255 characters.", examples=["Dana Whitlock"])] = None
    customer_phone: Annotated[
        str | None,
        Field(description="Ten digits of North America, punctuation and a leading 1 allowed.", examples=["5555550142"]),
    ] = None
    collector_id: Annotated[
        str | None, Field(description="The campaign; the workspace's primary one if not given.")
    ] = None


class InvitationRequest(MagicLinkRequest):
    """Who is invited, and whether their link is mailed to them."""

    send_email: Annotated[bool | None, Field(description="False makes the link without sending mail.")] = True


class Submission(BaseModel):
    """A customer's recording session."""

    id: Annotated[str, Field(examples=["sub_7k2mq5x4t3wz6abc"])]
    status: SubmissionStatus
    customer_phone: Annotated[str | None, Field(examples=["5555550142"])]
    customer_email: Annotated[str | None, Field(examples=["dana.whitlock@example.com"])]
    customer_name: Annotated[str | None, Field(examples=["Dana Whitlock"])]
    hubspot_contact_id: Annotated[str | None, Field(description="The customer in HubSpot, if they came from there.")]
    created_at: UnixSeconds
    submitted_at: UnixSeconds | None
    approved_at: UnixSeconds | None

    @classmethod
    def of(cls, submission: model.Submission) -> Submission:
        return cls(
            id=submission.id,
            status=submission.status,
            customer_phone=submission.customer_phone,
            customer_email=submission.customer_email,
            customer_name=submission.customer_name,
            hubspot_contact_id=submission.hubspot_contact_id,
            created_at=submission.created_at_ms // 1000,
            submitted_at=seconds(submission.submitted_at_ms),
            approved_at=seconds(submission.approved_at_ms),
        )


class Clip(BaseModel):
    """One recorded answer."""

    id: Annotated[str, Field(examples=["clip_m4n5p6q7r2s3t4u5"])]
    script_key: Annotated[str, Field(description="Which question was answered.", examples=["biggest_result"])]
    status: ClipStatus
    duration_seconds: Annotated[float | None, Field(examples=[42.6])]
    transcript: Annotated[str | None, Field(examples=["Now it is a morning, and I trust the numbers."])]
    stream_video_uid: Annotated[str | None, Field(description="The media's id, for playback and download.")]
    used_in_marketing: Annotated[bool, Field(examples=[False])]
    created_at: UnixSeconds

    @classmethod
    def of(cls, clip: model.Clip) -> Clip:
        return cls(
            id=clip.id,
            script_key=clip.script_key,
            status=clip.status,
            duration_seconds=None if clip.duration_ms is None else clip.duration_ms / 1000,
            transcript=clip.transcript,
            stream_video_uid=clip.stream_video_uid,
            used_in_marketing=clip.used_in_marketing_at_ms is not None,
            created_at=clip.created_at_ms // 1000,
        )


class InvitationResponse(BaseModel):
    """The customer's link and session. `reused` is true when the address had been invited before."""

    ok: Ok = True
    reused: Annotated[bool, Field(examples=[False])]
    link: Annotated[
        str,
        Field(
            json_schema_extra={"format": "uri"},
            description="Whoever has it can record as this customer.",
            examples=["https://relay.example.com/r/example-invite-token"],
        ),
    ]
    invite_token: Annotated[str, Field(description="The last part of the link.", examples=["example-invite-token"])]
    submission: Submission


Moment = str | None


class SubmissionQuery(BaseModel):
    """Which page of the submissions."""

    status: Annotated[SubmissionStatus | None, Field(description="Only those that stand there.")] = None
    customer_email: Annotated[
        str | None,
        Field(description="Only that of the customer with this address, which is read as createInvitation reads it."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many; more than 200 is taken as 200.")] = 50
    offset: Annotated[int, Field(ge=0, description="How many of the newest to pass over.")] = 0
    created_after: Annotated[Moment, Field(description="Only what was made later: Unix seconds, or ISO 8601.")] = None
    created_before: Annotated[Moment, Field(description="Only what was made earlier, likewise.")] = None


class SubmissionList(BaseModel):
    """A page of submissions, newest first."""

    ok: Ok = True
    submissions: list[Submission]


class SubmissionDetail(BaseModel):
    """A submission with its clips, every take, oldest first."""

    ok: Ok = True
    submission: Submission
    clips: list[Clip]


class WebhookRequest(BaseModel):
    """Where events go, and which."""

    url: Annotated[
        str,
        Field(
            json_schema_extra={"format": "uri"},
            description="An https:// address of up to 2048 characters, not in a private network.",
            examples=["https://example.com/ravepilot-webhook"],
        ),
    ]
    events: Annotated[
        list[str] | Literal["*"] | None,
        Field(description="Event names; `*` stands for all.", examples=[["clip.approved", "render.succeeded"]]),
    ] = ["*"]


class WebhookCreated(BaseModel):
    """A new webhook."""

    ok: Ok = True
    id: WebhookId
    url: WebhookUrl
    events: EventNames
    secret: Annotated[
        str, Field(description="The signing secret. It is shown here and never again.", examples=["whsec_…"])
    ]


class Webhook(BaseModel):
    """Where events go. A disabled one stays disabled: delete it and make a new one."""

    id: WebhookId
    url: WebhookUrl
    events: EventNames
    active: Annotated[bool, Field(examples=[True])]
    created_at: UnixSeconds
    disabled_at: UnixSeconds | None

    @classmethod
    def of(cls, subscription: Subscription) -> Webhook:
        return cls(
            id=subscription.id,
            url=subscription.target_url,
            events=list(subscription.event_filter),
            active=subscription.state.value == "active",
            created_at=subscription.created_at_ms // 1000,
            disabled_at=seconds(subscription.disabled_at_ms),
        )


class WebhookList(BaseModel):
    """The workspace's webhooks, oldest first, and every event name there is."""

    ok: Ok = True
    events: EventNames
    webhooks: list[Webhook]


class WebhookDeleted(BaseModel):
    """`deleted` is false when there was no such webhook."""

    ok: Ok = True
    deleted: Annotated[bool, Field(examples=[True])]


class Delivery(BaseModel):
    """One event for one webhook."""

    id: Annotated[str, Field(examples=["01M4AT4QM8F2Q6Z8WJ0V7C5RXN"])]
    webhook_id: WebhookId
    event: Annotated[str, Field(examples=["clip.approved"])]
    status: Literal["pending", "delivered", "failed"]
    attempts: Annotated[int, Field(description="How many requests were made.", examples=[1])]
    response_status: Annotated[int | None, Field(description="Of the newest answer.", examples=[200])]
    created_at: UnixSeconds
    delivered_at: UnixSeconds | None

    @classmethod
    def of(cls, delivery: StoredDelivery) -> Delivery:
        delivered = delivery.state is DeliveryState.SUCCESS
        return cls(
            id=delivery.id,
            webhook_id=delivery.subscription_id,
            event=delivery.event_type,
            status=_SHOWN_STATE[delivery.state],
            attempts=delivery.attempts_made,
            response_status=delivery.final_status_code,
            created_at=delivery.created_at_ms // 1000,
            delivered_at=seconds(delivery.completed_at_ms) if delivered else None,
        )


_SHOWN_STATE: dict[DeliveryState, Literal["pending", "delivered", "failed"]] = {
    DeliveryState.PENDING: "pending",
    DeliveryState.SUCCESS: "delivered",
    DeliveryState.DEAD: "failed",
}


class DeliveryQuery(BaseModel):
    """Which deliveries: of the newest 2,000 that the first of these filters finds, those that the others leave."""

    webhook_id: Annotated[str | None, Field(description="Only those of this webhook.")] = None
    status: Annotated[Literal["pending", "delivered", "failed"] | None, Field(description="Only these.")] = None
    event: Annotated[str | None, Field(description="Only those of this event name.")] = None
    created_after: Annotated[Moment, Field(description="Only what was made later: Unix seconds, or ISO 8601.")] = None
    created_before: Annotated[Moment, Field(description="Only what was made earlier, likewise.")] = None


class DeliveryList(BaseModel):
    """The newest deliveries, those of deleted webhooks included."""

    ok: Ok = True
    deliveries: list[Delivery]


class WebhookData(BaseModel):
    """The payload, after the event's id and time; a member of the payload with one of these names stands instead."""

    model_config = ConfigDict(extra="allow")

    event_id: Annotated[str, Field(description="The same for every webhook that gets this event.")]
    occurred_at_iso: Annotated[str, Field(description="ISO 8601, UTC.")]


class WebhookBody(BaseModel):
    """What is posted to a webhook."""

    event: Annotated[str, Field(description="The event name.")]
    created_at: UnixSeconds
    data: WebhookData


class WebhookHeaders(StandardHeaders):
    """What a webhook's POST carries."""

    event: Annotated[str, Field(alias="X-RavePilot-Event", description="The event name.")]
    delivery: Annotated[
        str,
        Field(
            alias="X-RavePilot-Delivery",
            description="The delivery's id, the same on every try: use it to drop duplicates.",
        ),
    ]
    signature: Annotated[
        str,
        Field(
            alias="X-RavePilot-Signature",
            description=(
                "`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<raw body>`, keyed with the whole signing secret. "
                "With several `v1` any right one will do."
            ),
        ),
    ]
