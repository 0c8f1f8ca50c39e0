"""What Relay serves is what was published: the documents are compared operation by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from jsonschema_rs import meta
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from relay.app import APIS
from relay.web.api import Api
from tests.apis.contract.documents import (
    EACH_API,
    SPECS,
    Described,
    enum,
    operations_of,
    operations_served,
    properties,
    published,
    served,
)
from tests.conftest import Relay

FURTHER_OPERATIONS = {
    "list_event_types": "drop-downs of no-code platforms need the list of types",
    "show_event_type": "their forms and field pickers are made from what a type asks for and brings",
    "recent_events": "their editors show what really happened",
    "show_key": "platforms test a connection with it, and name it",
    "createEventBatch": "many events in one commit",
    "recoverSubscription": "delivers what died or was missed in a span of time",
}
FURTHER_STATUSES = {
    403: "a good key without the scope; the guide of RavePilot has it, its document does not",
    413: "a body beyond the limit",
    415: "a body that is compressed in a way that is not known",
    429: "too many requests, with a wrong key for a start",
    500: "documented, never meant",
    503: "the database is full, locked or read-only: nothing was changed, try again",
}
"""What every operation may answer besides what was published."""
FURTHER_STATUSES_OF = {
    "listSubmissions": {400: "a status, address, limit or offset that is none; the guide's 'validation problems'"},
    "listWebhookDeliveries": {400: "a status or time that is none"},
    "listEvents": {400: "a limit, time or cursor that is none"},
    "listSubscriptions": {400: "a limit, state or cursor that is none"},
    "listDeliveries": {400: "a limit, status or cursor that is none"},
    "listDeadLetters": {400: "a limit, time or cursor that is none"},
    "rotateSubscriptionSecret": {400: "a body that is no JSON object; there need not be one"},
    "resumeSubscription": {
        400: "a body that is no JSON object; there need not be one",
        409: "`replay_missed` while ten recoveries are open",
    },
    "echoStream": {400: "no key in the query", 401: "a wrong key", 403: "a key without the scope"},
}
NOT_ALWAYS_REQUIRED = {
    "subscribe": {"store", "app_id"},  # required for the two store event types; the others have no store
}


@EACH_API
async def test_the_document_is_served(api: Api, relay: Relay) -> None:
    assert await relay.json("GET", f"/openapi/{api.name}.json", key=None) == served(api, relay.url)


@EACH_API
def test_the_document_is_valid_openapi(api: Api) -> None:
    """As OpenAPI 3.1, and each of its schemas as JSON Schema; a reference that leads nowhere is a KeyError."""
    document = served(api)
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []
    for schema in document["components"]["schemas"].values():
        meta.validate(schema)
    for operation in operations_of(document).values():
        for parameter in operation.parameters.values():
            meta.validate(parameter["schema"])


def test_every_operation_has_one_handler() -> None:
    """Over all APIs: an operationId names one route, and no route is described twice."""
    operations = [operation for api in APIS for operation in api.operations]
    assert Counter(one.operation_id for one in operations).most_common(1)[0][1] == 1
    assert Counter((one.method, one.path) for one in operations).most_common(1)[0][1] == 1


def test_every_api_has_a_contract() -> None:
    assert {api.name for api in APIS} <= SPECS.keys()


@EACH_API
def test_every_published_operation_is_served(api: Api) -> None:
    """With the same method, path and id; what is served besides is listed here with its reason."""
    ours = {name: (one.method, one.path) for name, one in operations_served(api).items()}
    theirs = {name: (one.method, one.path) for name, one in operations_of(published(api)).items()}
    assert theirs.items() <= ours.items()
    assert operations_of(served(api)).keys() - theirs.keys() <= FURTHER_OPERATIONS.keys()


@EACH_API
def test_every_operation_is_as_published(api: Api) -> None:
    """Parameters, bodies and statuses: nothing published is missing, and nothing more is asked of a client."""
    ours = operations_served(api)
    differences = [
        f"{name}: {difference}"
        for name, theirs in operations_of(published(api)).items()
        for difference in _differences(name, ours[name], theirs)
    ]
    assert differences == []


def _differences(name: str, ours: Described, theirs: Described) -> Iterator[str]:
    if ours.is_public != theirs.is_public:
        yield "asks for a key where the other does not"
    yield from _of_parameters(ours, theirs)
    yield from _of_bodies(name, ours, theirs)
    yield from _of_answers(name, ours, theirs)


def _of_parameters(ours: Described, theirs: Described) -> Iterator[str]:
    for key, parameter in theirs.parameters.items():
        if (own := ours.parameters.get(key)) is None:
            yield f"has no parameter {key}"
        elif own.get("required", False) != parameter.get("required", False):
            yield f"parameter {key}: required is not {parameter.get('required', False)}"
        elif (allowed := enum(parameter["schema"])) is not None and enum(own["schema"]) != allowed:
            yield f"parameter {key}: is one of {enum(own['schema'])}, not of {allowed}"
        elif "default" in parameter["schema"] and own["schema"].get("default") != parameter["schema"]["default"]:
            yield f"parameter {key}: the default is not {parameter['schema']['default']}"
    for key in ours.parameters.keys() - theirs.parameters.keys():
        if ours.parameters[key].get("required"):
            yield f"asks for a parameter {key}"


def _of_bodies(name: str, ours: Described, theirs: Described) -> Iterator[str]:
    if theirs.request is None and ours.needs_body:
        yield "needs a body where the other takes none"
    if theirs.request is not None and ours.request is None:
        yield "takes no body where the other takes one"
    if ours.request is None or theirs.request is None:
        return
    if theirs.described["requestBody"].get("required") != ours.described["requestBody"].get("required"):
        yield "the body is not required in both"
    required, own_required = set(theirs.request.get("required", [])), set(ours.request.get("required", []))
    if own_required != required - NOT_ALWAYS_REQUIRED.get(name, set()):
        yield f"requires {own_required}, not {required}"
    yield from _of_members("the body", ours.request, theirs.request)


def _of_answers(name: str, ours: Described, theirs: Described) -> Iterator[str]:
    known = FURTHER_STATUSES.keys() | FURTHER_STATUSES_OF.get(name, {}).keys()
    if missing := theirs.responses.keys() - ours.responses.keys():
        yield f"never answers {missing}"
    if unexplained := ours.responses.keys() - theirs.responses.keys() - known:
        yield f"answers {unexplained}, which has no reason here"
    for status in theirs.responses.keys() & ours.responses.keys():
        content, own_content = theirs.responses[status].get("content", {}), ours.responses[status].get("content", {})
        if not content.keys() <= own_content.keys():
            yield f"answers {status} as {list(own_content)}, not {list(content)}"
            continue
        for media_type, described in content.items():
            yield from _of_members(f"answer {status}", own_content[media_type]["schema"], described["schema"])


def _of_members(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    own = properties(ours)
    for key, member in properties(theirs).items():
        if key not in own:
            yield f"{where} has no member {key}"
        elif (allowed := enum(member)) is not None and enum(own[key]) != allowed:
            yield f"{where}: {key} is one of {enum(own[key])}, not of {allowed}"
        else:
            yield from _of_members(f"{where}.{key}", own[key], member)


def test_the_tables_name_only_what_is_there() -> None:
    """A reason whose operation is gone would hide the next difference."""
    known = {operation.operation_id for api in APIS for operation in api.operations}
    assert {*FURTHER_OPERATIONS, *FURTHER_STATUSES_OF, *NOT_ALWAYS_REQUIRED} <= known
