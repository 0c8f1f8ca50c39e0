"""What an API sends: the POST of each event type, written and signed by the code that writes real ones."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from relay.catalogue import EventType
from relay.catalogue import Field as PayloadField
from relay.core.model import Claimed, Event, Subscription
from relay.delivery.sign import Signer
from relay.store.secrets import Secrets
from relay.web.api import Api
from relay.web.openapi.schemas import Schemas

Document = dict[str, Any]

DELIVERY_ID = "01M4AT4QM8F2Q6Z8WJ0V7C5RXN"
SIGNING_SECRET = "whsec_c2lnbnMgdGhlIGV4YW1wbGVzIG9mIHRoaXMgZG9jdW1lbnQh"  # noqa: S105 - signs examples, nothing else
"""What the examples are signed with."""

_SECRETS = Secrets(["signs examples"])
_SUBSCRIPTION_ID = "api-0000000000000000"
_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "datetime": "string"}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def webhooks(api: Api, schemas: Schemas, event_types: Iterable[EventType]) -> Document:
    """By event type; empty for an API that does not say what it sends."""
    if api.sent is None:
        return {}
    known = schemas.parameters("header", api.sent.headers)
    envelope = schemas.inlined(schemas.reference(api.sent.body))
    return {one.id: {"post": _post(api, known, envelope, one)} for one in event_types}


def _post(api: Api, known: list[Document], envelope: Document, event_type: EventType) -> Document:
    headers, text = _request(api, event_type.sample)
    body = json.loads(text, parse_int=_whole)
    fields = {field.key: field for field in event_type.fields}
    content = {"schema": _object(body, envelope, fields, event_type.id), "example": body}
    return {
        "operationId": f"on.{event_type.id}",
        "summary": event_type.label,
        "description": event_type.description,
        "security": [],
        "parameters": [{**one, "example": headers[one["name"]]} for one in known],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": _responses(api),
    }


def _request(api: Api, event: Event) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the first try of a delivery."""
    hook = Subscription(
        id=_SUBSCRIPTION_ID,
        workspace_id=event.workspace_id,
        api=api.name,
        target_url="https://example.com/",
        event_filter=("*",),
        secret=_SECRETS.seal(SIGNING_SECRET),
        created_at_ms=0,
        updated_at_ms=0,
    )
    claimed = Claimed(DELIVERY_ID, event.id, event.type, 0, None, 0, event.created_at_ms, hook)
    body = api.wire.body(event, hook).encode()
    request, _ = Signer({api.name: api.wire}, _SECRETS, timeout_s=30).sign(claimed, body, event.created_at_ms)
    return dict(request.headers), request.body


def _whole(text: str) -> int | float:
    """An operator's sample may have numbers that no document can show: the nearest one is near enough."""
    if len(text) <= 18:
        return int(text)
    return max(-sys.float_info.max, min(float(text), sys.float_info.max))


def _object(value: Mapping[str, Any], known: Document, fields: Mapping[str, PayloadField], event_type: str) -> Document:
    """The schema of a JSON object: what is known of its members, the rest read off the sample and the catalogue."""
    properties = {}
    for key, member in value.items():
        about = known.get("properties", {}).get(key)
        if about is None or not _is_of(member, about):
            # A member that one of the envelope's names had taken is the same field under a longer key.
            field = fields.get(key) or fields.get(key.removeprefix("payload_"))
            properties[key] = _of_payload(member, field)
        elif isinstance(member, dict):
            properties[key] = {**about, **_object(member, about, fields, event_type)}
        else:
            # The example of the whole body has the value; that of the model is of some other event.
            about = {name: said for name, said in about.items() if name != "examples"}
            properties[key] = {**about, "const": event_type} if member == event_type else about
    required = {"required": known["required"]} if "required" in known else {}
    return {"type": "object", "properties": properties, **required}


def _is_of(value: Any, schema: Document) -> bool:
    named = schema.get("type")
    return not isinstance(named, str) or _is(value, named)


def _is(value: Any, named: str) -> bool:
    return isinstance(value, _PYTHON_TYPES[named]) and (named == "boolean" or not isinstance(value, bool))


def _of_payload(value: Any, field: PayloadField | None) -> Document:
    """A member of a payload. Any may be null: what is not known is sent as that."""
    schema = _of_value(value)
    if field is not None:
        named = _TYPES.get(field.type)
        if named is not None and (value is None or _is(value, named)):
            schema = {**schema, "type": [named, "null"]}
        schema = {"title": field.label, **({"description": field.help} if field.help else {}), **schema}
    return schema


def _of_value(value: Any) -> Document:
    if value is None:
        return {}
    for named in ("boolean", "integer", "number", "string"):
        if _is(value, named):
            is_time = isinstance(value, str) and _DATE_TIME.fullmatch(value)
            return {"type": [named, "null"], **({"format": "date-time"} if is_time else {})}
    if isinstance(value, dict):
        return {"type": ["object", "null"], "properties": {key: _of_value(one) for key, one in value.items()}}
    of_elements = [_of_value(one) for one in value]
    same = of_elements and all(one == of_elements[0] for one in of_elements)
    return {"type": ["array", "null"], "items": of_elements[0] if same else {}}


def _responses(api: Api) -> Document:
    """What Relay makes of a receiver's answer."""
    refused = "Given up at once." if api.wire.retry.client_errors_are_final else "Tried again later, by the schedule."
    return {
        "2XX": {"description": "Delivered, whatever the body says."},
        "410": {"description": "Given up; the subscription is disabled and gets nothing more."},
        "413": {"description": "Given up: the same body can never fit."},
        "429": {"description": "Tried again later; `Retry-After` can lengthen the wait to 6 hours."},
        "4XX": {"description": f"{refused} 408 and 425 are tried again."},
        "5XX": {"description": "Tried again later, by the schedule."},
        "default": {"description": "A redirect is not followed; it is tried again, as when there is no answer at all."},
    }
