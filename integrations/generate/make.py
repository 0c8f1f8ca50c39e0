"""Which files of Make's app are generated: what belongs to one event type, and the lists of everything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from integrations.generate.source import EventTypes
from relay.catalogue import field_of

_COMPONENTS = Path(__file__).parent.parent / "make" / "components.json"
"""Written by hand: the components that do not depend on the catalogue, without their files."""
_APP = "make/src"
_MANIFEST = f"{_APP}/makecomapp.json"
_OF_ONE_TYPE = ("modules/on-*/*.json", "webhooks/on-*/*.json")

_CODE_FILES: dict[str, dict[str, str | None]] = {
    "connection": {"communication": "communication", "params": "params", "common": None},
    "webhook": {
        "communication": "communication",
        "params": "params",
        "attach": "attach",
        "detach": "detach",
        "update": None,
        "requiredScope": None,
    },
    "module": {
        "communication": "communication",
        "staticParams": "static-params",
        "mappableParams": "mappable-params",
        "interface": "interface",
        "samples": "samples",
        "scope": None,
    },
    "rpc": {"communication": "communication", "params": "params"},
}
"""What Make calls each code of a component, and the end of its file's name; Make leaves alone what is None."""

_OUTPUT_TYPES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "datetime": "date",
    "object": "collection",
    "list": "array",
}
_INPUT_TYPES = {"string": "text", "integer": "uinteger", "number": "number"}
_CHOOSE_APP = {"label": "Choose an App", "url": "rpc://apps"}

_PLAIN = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*")
_MAX_NAME = 35
"""Of a webhook in the app's list; a module may have a longer one."""


def generated(event_types: EventTypes, root: Path) -> dict[str, Any]:
    """The content of each file by its path below `integrations/`."""
    keys = tuple(dict.fromkeys(one["key"] for event_type in event_types for one in event_type["inputs"]))
    chosen = [
        {
            "name": "event_type",
            "label": "Event Type",
            "type": "select",
            "required": True,
            "options": {"store": "rpc://eventTypes", "nested": "rpc://eventInputs"},
        }
    ]
    codes: dict[str, Any] = {
        **_webhook("events", "{{parameters.event_type}}", "parameters.event_type", keys, chosen),
        **_files("rpc", "eventSample", {"communication": _sample_request(keys)}),
    }
    for event_type in event_types:
        codes |= _trigger(event_type)
    components = _components(event_types)
    groups = components.pop("groups")
    manifest = {
        "fileVersion": 1,
        "generalCodeFiles": {
            "base": "general/base.iml.json",
            "common": None,
            "readme": None,
            "groups": "modules/groups.json",
        },
        "components": {
            **{
                kind: {name: {**about, "codeFiles": _code_files(kind, name)} for name, about in named.items()}
                for kind, named in components.items()
            },
            "function": {},
            "endpoint": {},
        },
        "origins": _origins(root),
    }
    codes |= {"modules/groups.json": groups, "makecomapp.json": manifest}
    return {f"{_APP}/{path}": content for path, content in codes.items()}


def left_over(wanted: Iterable[str], root: Path) -> Iterator[str]:
    """The files of event types that are gone."""
    kept = set(wanted)
    for pattern in _OF_ONE_TYPE:
        for file in (root / _APP).glob(pattern):
            path = file.relative_to(root).as_posix()
            if path not in kept:
                yield path


def component_name(event_type: str) -> str:
    """The name of the trigger and the webhook for an event type: `clip.approved` is `onClipApproved`.

    Make takes letters and digits only. Where an event type has more than these and single dots, or is too long,
    a piece of its digest keeps the names of two types apart.
    """
    words = "".join(word.capitalize() for word in re.split(r"[._-]+", event_type))
    name = f"on{words}" if words[:1].isalpha() else f"onType{words}"
    if _PLAIN.fullmatch(event_type) and len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(event_type.encode()).hexdigest()[:8]
    return name[: _MAX_NAME - len(digest)] + digest


def _components(event_types: EventTypes) -> Any:
    components = json.loads(_COMPONENTS.read_text(encoding="utf-8"))
    for event_type in event_types:
        name, label = component_name(event_type["id"]), event_type["label"]
        components["webhook"][name] = {"label": label, "webhookType": "web", "connection": "relay"}
        components["module"][name] = {
            "label": "Watch " + " ".join(word[:1].upper() + word[1:] for word in label.split()),
            "description": event_type["description"],
            "moduleType": "instant_trigger",
            "connection": None,
            "webhook": name,
        }
        components["groups"][0]["modules"].append(name)
    return components


def _origins(root: Path) -> Any:
    """Where the app was deployed to: the editor keeps that in the list, and it is the maker's own."""
    manifest = root / _MANIFEST
    return json.loads(manifest.read_text(encoding="utf-8"))["origins"] if manifest.is_file() else []


def _trigger(event_type: dict[str, Any]) -> dict[str, Any]:
    """A webhook that knows its event type, and the instant trigger that goes with it."""
    name, inputs = component_name(event_type["id"]), event_type["inputs"]
    return {
        **_webhook(
            name,
            event_type["id"],
            f"'{event_type['id']}'",
            [one["key"] for one in inputs],
            [_input(one) for one in inputs],
        ),
        **_files(
            "module",
            name,
            {
                "communication": {},
                "staticParams": [],
                "mappableParams": [],
                "interface": [_output(one, event_type["sample"][one["key"]]) for one in event_type["fields"]],
                "samples": event_type["sample"],
            },
        ),
    }


def _webhook(name: str, event_type: str, expected: str, keys: Iterable[str], params: Any) -> dict[str, Any]:
    given = {key: f"{{{{parameters.{key}}}}}" for key in keys}
    return _files(
        "webhook",
        name,
        {
            # Whatever else is posted to the address must not stop a scenario with fields it does not know.
            "communication": {"condition": f"{{{{body.event_type = {expected}}}}}", "output": "{{body}}"},
            "params": params,
            "attach": {
                "url": "/api/v1/hooks",
                "method": "POST",
                "body": {
                    "target_url": "{{webhook.url}}",
                    "event_type": event_type,
                    "source": "make",
                    "external_ref": "{{webhook.id}}",
                    **given,
                },
                "response": {
                    "data": {
                        "externalHookId": "{{body.id}}",
                        "secret": "{{body.secret}}",
                        "event_type": "{{body.event_type}}",
                        **given,
                    }
                },
            },
            "detach": {"url": "/api/v1/hooks/{{webhook.externalHookId}}", "method": "DELETE"},
        },
    )


def _sample_request(keys: Iterable[str]) -> dict[str, Any]:
    return {
        "url": "/api/v1/events",
        "method": "GET",
        "qs": {
            "event_type": "{{webhook.event_type}}",
            **{key: f"{{{{webhook.{key}}}}}" for key in keys},
            "limit": 1,
        },
        "response": {"limit": 1, "iterate": "{{body}}", "output": "{{item}}"},
        # An event may carry a customer's personal link.
        "log": {"sanitize": ["request.headers.authorization", "response.body"]},
    }


def _input(one: dict[str, Any]) -> dict[str, Any]:
    parameter = {
        "name": one["key"],
        "label": one["label"],
        "type": "select" if "choices" in one else _INPUT_TYPES[one["type"]],
        "required": one["required"],
    }
    if "help" in one:
        parameter["help"] = one["help"]
    if "choices" in one:
        parameter["options"] = one["choices"]
    if one["key"] == "app_id":
        parameter["rpc"] = _CHOOSE_APP
    return parameter


def _output(field: dict[str, Any], value: Any) -> dict[str, Any]:
    parameter = {"name": field["key"], "label": field["label"], "type": _OUTPUT_TYPES[field["type"]]}
    return parameter | _spec(value)


def _spec(value: Any) -> dict[str, Any]:
    """What is inside a collection or an array, as far as the sample shows it."""
    if isinstance(value, dict):
        return {"spec": [_member(key, inner) for key, inner in value.items()]}
    if isinstance(value, list) and value:
        item = _member("item", value[0])
        return {"spec": {key: item[key] for key in ("type", "spec") if key in item}}
    return {}


def _member(key: str, value: Any) -> dict[str, Any]:
    field = field_of(key, value, {})
    return _output({"key": key, "label": field.label, "type": field.type}, value)


def _files(kind: str, name: str, codes: dict[str, Any]) -> dict[str, Any]:
    paths = _code_files(kind, name)
    return {str(paths[code]): content for code, content in codes.items()}


def _code_files(kind: str, name: str) -> dict[str, str | None]:
    kebab = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()
    folder = PurePosixPath(f"{kind}s") / kebab
    return {
        code: None if end is None else str(folder / f"{kebab}.{end}.iml.json")
        for code, end in _CODE_FILES[kind].items()
    }
