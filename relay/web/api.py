"""One public API: its operations, its way of saying that something went wrong, and its way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel, Field

from relay.core.wire import Wire
from relay.delivery.jobs import Chore
from relay.web.operation import Operation


class StandardHeaders(BaseModel):
    """What every delivery of every API carries: the headers of Standard Webhooks."""

    webhook_id: str = Field(
        alias="webhook-id", description="The delivery's id, the same on every try: use it to drop duplicates."
    )
    webhook_timestamp: str = Field(alias="webhook-timestamp", description="Unix seconds of this try.")
    webhook_signature: str = Field(
        alias="webhook-signature",
        description=(
            "`v1,<base64>`: HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<raw body>`, keyed with what the signing "
            "secret holds in base64 after `whsec_`. Several, parted by blanks, while a rotated secret still signs."
        ),
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """Documents what an API's deliveries are; the bytes come from its wire."""

    body: type[BaseModel]
    """The members that every body has. Where one of the payload may stand too, further members are allowed."""
    headers: type[BaseModel]
    """The headers of every try; a field's alias is the header's name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, before an API gives it its shape."""

    status: int
    message: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Set on the answer by the middleware; an API may read them, but need not."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What a person does about a subscription of an API that does not work, in the API's own terms.

    `{id}` stands for the subscription's id, `{first}` for that of an earlier one of the same kind.
    """

    noun: str = "subscription"
    """What the API calls a subscription."""
    stopped: str = "Look after it with the API it was made with."
    """It is paused or disabled."""
    unwanted: str = "remove it with the API it was made with"
    """How it is removed, as the end of "If it is not wanted any more, …"."""
    duplicate: str = "Remove one of the two."
    answers_wrongly: str = "See that this is the url that is meant, and what its receiver says to a request."
    """It is reached, and what it answers is no success."""
    died: str = (
        "Mend its target; then POST /v1/dead-letters/{delivery id}/replay, with a key that has the deliveries scope."
    )
    """Deliveries to it were given up."""


@dataclass(frozen=True, slots=True)
class Api:
    """A contract that Relay serves. A new API is a folder with one of these, and a line in `app.py`."""

    name: str
    """Also stored with each subscription, and the name of its OpenAPI document."""
    title: str
    description: str
    operations: tuple[Operation, ...]
    owns: Callable[[str, str], bool]
    """(method, path) → whether an error there, an unknown path included, is told in this API's shape."""
    error: Callable[[Problem], web.Response]
    wire: Wire
    remedies: Remedies = Remedies()
    """What the doctor advises about its subscriptions."""
    admit: Callable[[web.Request], Awaitable[None]] | None = None
    """Runs once the key is known; raises RateLimited when its workspace has to wait. Headers it puts into
    `answer_headers(request)` are on every answer to a known key, errors included."""
    mount: Callable[[web.Application], list[Chore]] | None = None
    """Puts what the API remembers into an application, and says what it wants done again and again."""
    error_model: type[BaseModel] | None = None
    """Documents the body of an error."""
    error_media_type: str = "application/json"
    admission_headers: type[BaseModel] | None = None
    """Documents the headers that `admit` puts on answers; a field's alias is the header's name."""
    sent: Sent | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """What each tag of the operations is about, in the order of the document."""
    version: str = "1.0.0"
