"""The bodies of this API, for its OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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

    id: str = Field(description="What unsubscribe wants.", examples=["zapier-1a2b3c4d5e6f7a8b"])
    secret: str = Field(description="Keys the HMAC of `x-radar-signature`. Shown here and never again.")
    event_type: str
    store: str | None = None
    app_id: str | None = None
    country: str | None = None


class HookView(BaseModel):
    """A hook that gets events."""

    id: str
    source: str = Field(description="The platform it was made by.")
    target_url: str
    external_ref: str | None = Field(None, description="As it was given.")
    event_type: str
    created_at: str = Field(description="ISO 8601, UTC.")
    store: str | None = None
    app_id: str | None = None
    country: str | None = None


class AppView(BaseModel):
    """An app in a store front that at least one hook is for."""

    id: str = Field(examples=["apple:284882215:us"])
    label: str = Field(description="For a drop-down.")
    name: str | None = Field(description="The app's name, null while it is not known.")
    store: str
    app_id: str
    country: str


class EventTypeView(BaseModel):
    """An entry of the drop-down of event types."""

    id: str = Field(examples=["review.created"])
    label: str
    description: str


class SampleEvent(BaseModel):
    """An event as a hook gets it: these members, then those of the payload."""

    model_config = ConfigDict(extra="allow")

    id: str
    event_id: str
    event_type: str
    occurred_at: str = Field(description="ISO 8601, UTC.")
    occurred_at_unix: int


class Choice(BaseModel):
    """One value that an input can have."""

    value: str
    label: str


class InputView(BaseModel):
    """A member of subscribe's body that this event type has a use for."""

    key: str = Field(examples=["store"])
    label: str
    type: str = Field(description="string, integer or number")
    required: bool
    help: str | None = None
    choices: list[Choice] | None = Field(None, description="All values there are; any value when left out.")


class FieldView(BaseModel):
    """One member of a body."""

    key: str = Field(examples=["customer_email"])
    label: str
    type: str = Field(description="string, integer, number, boolean, datetime, object or list; the value may be null.")
    help: str | None = None


class EventTypeDescription(EventTypeView):
    """An event type with all that a platform's form and field picker show of it."""

    producer: str = Field(description="Where such events come from; `custom` for the operator's own.")
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
