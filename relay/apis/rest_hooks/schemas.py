"""The bodies of this API, for its OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from relay.web.api import StandardHeaders
from relay.web.operation import NOT_GIVEN

HookId = Annotated[str, Field(examples=["zapier-1a2b3c4d5e6f7a8b"])]
TargetUrl = Annotated[str, Field(examples=["https://hooks.zapier.com/hooks/catch/123/abc"])]
EventTypeId = Annotated[str, Field(examples=["review.created"])]
Store = Annotated[str, Field(examples=["apple"])]
AppId = Annotated[str, Field(examples=["284882215"])]
Country = Annotated[str, Field(examples=["us"])]


class SubscribeBody(BaseModel):
    """What a platform sends when somebody turns a flow on. Unknown members are ignored."""

    target_url: str = Field(
        description="Where the platform wants the events.", examples=["https://hooks.zapier.com/hooks/catch/123/abc"]
    )
    event_type: str = Field(
        description="`review.created`, `rating.dropped`, or any other type of `GET /api/v1/event-types`.",
        examples=["review.created"],
    )
    store: str | None = Field(
        None,
        description="`apple` or `google`. Required for the two store event types; others keep it and show it.",
        examples=["apple"],
    )
    app_id: str | None = Field(
        None, description="Apple's number or Google's package name. Required like `store`.", examples=["284882215"]
    )
    country: str | None = Field(None, description="Two-letter code of the store front; `us` when left out.")
    source: str | None = Field(
        None, description="The platform: `zapier`, `make`, `n8n`, …; `api` when left out or unknown."
    )
    external_ref: str | None = Field(None, description="Any text of the platform's own, at most 256 characters.")
    min_stars: int | None = Field(None, ge=1, le=5, description="For `review.created`: the fewest stars, from 1.")
    max_stars: int | None = Field(None, ge=1, le=5, description="For `review.created`: the most stars, up to 5.")
    threshold: float | None = Field(
        None, ge=1, le=5, description="For `rating.dropped`: fires when the rating falls below this."
    )
    delta: float | None = Field(
        None, ge=0, le=4, description="For `rating.dropped`: fires when the rating falls by this much; 0 is any fall."
    )


class SubscribeResponse(BaseModel):
    """A new hook. The store members are there when it names an app, as those of the two store event types do."""

    id: HookId = Field(description="What unsubscribe wants.")
    secret: str = Field(
        description="Keys the HMAC of `x-radar-signature`. Shown here and never again.", examples=["whsec_…"]
    )
    event_type: EventTypeId
    store: Store = NOT_GIVEN
    app_id: AppId = NOT_GIVEN
    country: Country = NOT_GIVEN


class SubscribeHeaders(BaseModel):
    """Where the new hook is."""

    location: str = Field(
        alias="Location",
        description="The hook's address: DELETE unsubscribes it.",
        examples=["/api/v1/hooks/zapier-1a2b3c4d5e6f7a8b"],
    )


class HookView(BaseModel):
    """A hook that gets events."""

    id: HookId
    source: str = Field(description="The platform it was made by.", examples=["zapier"])
    target_url: TargetUrl
    external_ref: str | None = Field(description="As it was given.", examples=["flow 7"])
    event_type: EventTypeId
    created_at: str = Field(description="ISO 8601, UTC.", examples=["2026-10-07T09:12:05Z"])
    store: Store = NOT_GIVEN
    app_id: AppId = NOT_GIVEN
    country: Country = NOT_GIVEN


class AppView(BaseModel):
    """An app in a store front that at least one hook is for."""

    id: str = Field(examples=["apple:284882215:us"])
    label: str = Field(description="For a drop-down.", examples=["284882215 (apple, us)"])
    name: str | None = Field(description="The app's name, null while it is not known.")
    store: Store
    app_id: AppId
    country: Country


class EventTypeView(BaseModel):
    """An entry of the drop-down of event types."""

    id: EventTypeId
    label: str = Field(examples=["Review created"])
    description: str = Field(examples=["Triggers when a new review of a watched app appears in its store."])


class SampleEvent(BaseModel):
    """An event as a hook gets it: these members, then those of the payload."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(
        description="Different for each event, the same on every try.", examples=["01M4AT4QM8JER7KX7P94TCRYYM"]
    )
    event_id: str = Field(description="The same as `id`.", examples=["01M4AT4QM8JER7KX7P94TCRYYM"])
    event_type: str = Field(examples=["clip.approved"])
    occurred_at: str = Field(description="ISO 8601, UTC.", examples=["2026-10-07T09:12:05Z"])
    occurred_at_unix: int = Field(description="Unix seconds.", examples=[1791364325])


class Choice(BaseModel):
    """One value that an input can have."""

    value: str = Field(examples=["apple"])
    label: str = Field(examples=["App Store"])


class InputView(BaseModel):
    """A member of subscribe's body that this event type has a use for."""

    key: str = Field(examples=["store"])
    label: str = Field(examples=["Store"])
    type: str = Field(description="string, integer or number", examples=["string"])
    required: bool = Field(examples=[True])
    help: str | None = None
    choices: list[Choice] | None = Field(None, description="All values there are; any value when left out.")


class FieldView(BaseModel):
    """One member of a body."""

    key: str = Field(examples=["customer_email"])
    label: str = Field(examples=["Customer Email"])
    type: str = Field(
        description="string, integer, number, boolean, datetime, object or list; the value may be null.",
        examples=["string"],
    )
    help: str | None = None


class EventTypeDescription(EventTypeView):
    """An event type with all that a platform's form and field picker show of it."""

    producer: str = Field(
        description="Where such events come from; `custom` for the operator's own.", examples=["app_reviews"]
    )
    inputs: list[InputView]
    fields: list[FieldView] = Field(description="In the order of the body.")
    sample: SampleEvent


class KeyView(BaseModel):
    """The key of the request, by what can be told of it."""

    workspace: str = Field(description="The name of the workspace it belongs to.", examples=["default"])
    prefix: str = Field(description="How the key begins.", examples=["rp_live_"])
    last4: str = Field(description="How it ends; nothing else of it is ever shown.", examples=["x7Qd"])
    label: str | None = Field(description="What it was made for, null when nobody said.", examples=["Zapier"])
    scopes: list[str] = Field(description="What it may do, in alphabetical order.", examples=[["events", "hooks"]])


class SampleQuery(BaseModel):
    """Of which event type."""

    event_type: str | None = Field(
        None, description="Any type of `GET /api/v1/event-types`; `review.created` when left out."
    )


class RecentEventsQuery(SampleQuery):
    """What subscribe takes, as far as the form is filled in."""

    limit: int | None = Field(None, ge=1, le=10, description="How many events at most; 3 when left out.")
    store: str | None = Field(
        None, description="`apple` or `google`, for the two store event types; any when left out."
    )
    app_id: str | None = Field(None, description="Apple's number or Google's package name; any when left out.")
    country: str | None = Field(None, description="Two-letter code of the store front; `us` when left out.")
    min_stars: int | None = Field(None, ge=1, le=5, description="For `review.created`: the fewest stars, from 1.")
    max_stars: int | None = Field(None, ge=1, le=5, description="For `review.created`: the most stars, up to 5.")
    threshold: float | None = Field(
        None, ge=1, le=5, description="For `rating.dropped`: the rating fell below this; any fall with neither rule."
    )
    delta: float | None = Field(
        None, ge=0, le=4, description="For `rating.dropped`: the rating fell by this much; 0 is any fall."
    )


class ErrorResponse(BaseModel):
    """The body of every failure below `/api/v1`."""

    error: str = Field(description="What went wrong and what to fix.", examples=["store must be apple or google"])


class HookHeaders(StandardHeaders):
    """What the POST to a hook carries."""

    event_id: str = Field(alias="x-radar-event-id", description="The `id` of the body.")
    signature: str = Field(
        alias="x-radar-signature",
        description="`sha256=<hex>`: HMAC-SHA256 of the raw body, keyed with the whole secret of the hook.",
    )
    attempt: str = Field(alias="x-radar-attempt", description="1 for the first try.")
