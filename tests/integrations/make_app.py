"""Runs the files of Make's app as Make's documentation says, but against any server: what Make would send and show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.integrations.iml import UNDEFINED, fill, is_true

RPC = "rpc://"


class MakeError(Exception):
    """What a module shows when it fails; the type decides what becomes of the scenario."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass
class MakeApp:
    """The app with the data of one connection."""

    folder: Path
    session: aiohttp.ClientSession
    connection: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """Each exchange as the app's author sees it in Make's developer tool."""

    def code(self, kind: str, name: str, code: str) -> Any:
        manifest = json.loads((self.folder / "makecomapp.json").read_text())
        return json.loads((self.folder / manifest["components"][kind][name]["codeFiles"][code]).read_text())

    async def connect(self, **parameters: str) -> str:
        """Save the connection dialog; the answer is what Make shows beside the connection's name."""
        spec = self.code("connection", "relay", "communication")
        answer = await self._send(spec, {"parameters": parameters})
        self.connection = fill(spec["response"]["data"], answer)
        label = fill(spec["response"]["metadata"]["value"], answer)
        assert isinstance(label, str)
        return label

    async def rpc(self, name: str, parameters: Mapping[str, Any] | None = None, /, **webhook: Any) -> list[Any]:
        spec = self.code("rpc", name, "communication")
        return await self._items(spec, {"parameters": dict(parameters or {}), "webhook": webhook})

    async def attach(self, name: str, url: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Save the webhook dialog; the answer is what Make keeps with the webhook."""
        checked = _checked(await self.webhook_form(name, parameters), parameters)
        spec = self._based(self.code("webhook", name, "attach"))
        answer = await self._send(spec, self._own(parameters=checked, webhook={"id": 4711, "url": url}))
        kept: dict[str, Any] = fill(spec["response"]["data"], answer)
        return kept

    async def webhook_form(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The fields of the webhook dialog, with those that open below a choice."""
        form: list[Any] = self.code("webhook", name, "params")
        for parameter in list(form):
            options = parameter.get("options")
            if parameter["name"] in parameters and isinstance(options, dict) and "nested" in options:
                form += await self.rpc(options["nested"].removeprefix(RPC), parameters)
        return form

    async def detach(self, name: str, kept: Mapping[str, Any]) -> None:
        await self._send(self._based(self.code("webhook", name, "detach")), self._own(webhook=dict(kept)))

    def receive(self, trigger: str, body: bytes, parameters: Mapping[str, Any]) -> Any:
        """The bundle an instant trigger puts out for a request to its webhook; None when it is passed over."""
        manifest = json.loads((self.folder / "makecomapp.json").read_text())
        webhook = manifest["components"]["module"][trigger]["webhook"]
        spec = self.code("webhook", webhook, "communication")
        variables = {"body": json.loads(body), "parameters": dict(parameters)}
        return fill(spec["output"], variables) if is_true(fill(spec["condition"], variables)) else None

    async def run(self, module: str, **parameters: Any) -> list[Any]:
        """The bundles of an action, a search or the universal module."""
        checked = _checked(self.code("module", module, "mappableParams"), parameters)
        return await self._items(self.code("module", module, "communication"), {"parameters": checked})

    async def _items(self, spec: dict[str, Any], variables: dict[str, Any]) -> list[Any]:
        spec = self._based(spec)
        response, page, items = spec["response"], spec, []
        variables = self._own(**variables)
        while True:
            answer = await self._send(page, variables)
            if "iterate" not in response:
                return [fill(response["output"], answer)]
            limit = fill(response["limit"], answer)
            found = fill(response["iterate"], answer)
            items += [fill(response["output"], {**answer, "item": item}) for item in found]
            pagination = spec.get("pagination")
            if len(items) >= limit or pagination is None or not is_true(fill(pagination["condition"], answer)):
                return items[:limit]
            page = _merged(spec, {"qs": fill(pagination["qs"], answer)})

    def _based(self, spec: dict[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = _merged(json.loads((self.folder / "general" / "base.iml.json").read_text()), spec)
        return merged

    def _own(self, **variables: Any) -> dict[str, Any]:
        return {"connection": self.connection, **variables}

    async def _send(self, spec: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """One request; the answer is what the response part of the same file may name. Raises MakeError."""
        if "temp" in spec:
            variables = {**variables, "temp": fill(spec["temp"], variables)}
        url = fill(spec["url"], variables)
        if url.startswith("/"):
            url = fill(spec["baseUrl"], variables) + url
        request = {
            "headers": fill(spec.get("headers", {}), variables),
            "qs": fill(spec.get("qs", {}), variables),
            "body": None if (body := fill(spec.get("body"), variables)) is UNDEFINED else body,
        }
        method = fill(spec["method"], variables)
        async with self.session.request(
            method,
            url,
            headers=request["headers"],
            params={key: str(value) for key, value in request["qs"].items() if value is not None},
            data=_encoded(request["body"], spec.get("type", "json")),
            allow_redirects=False,
        ) as response:
            body = _parsed(await response.text(), response, spec["response"].get("type", "automatic"))
            answer = {
                **variables,
                "body": body,
                "headers": dict(response.headers),
                "statusCode": response.status,
            }
        self._note({"request": {"url": url, **request}, "response": {"body": body}}, spec["log"]["sanitize"])
        _check(spec["response"], answer)
        return answer

    def _note(self, exchange: dict[str, Any], paths: Iterable[str]) -> None:
        shown = json.loads(json.dumps(exchange))
        for path in paths:
            *steps, last = path.split(".")
            part = shown
            for step in steps:
                part = part.get(step, {}) if isinstance(part, dict) else {}
            if isinstance(part, dict) and last in part:
                part[last] = "(hidden)"
        self.log.append(json.dumps(shown))


def _merged(base: Any, own: Any) -> Any:
    if isinstance(base, dict) and isinstance(own, dict):
        return {**base, **{key: _merged(base.get(key), value) for key, value in own.items()}}
    return own


def _encoded(body: Any, kind: str) -> aiohttp.Payload | bytes | None:
    if body is None:
        return None
    return aiohttp.JsonPayload(body) if kind == "json" else str(body).encode()


def _parsed(text: str, response: aiohttp.ClientResponse, kinds: Any) -> Any:
    kind = kinds
    if isinstance(kinds, dict):
        kind = kinds["*"]
        for span, other in kinds.items():
            low, _, high = span.partition("-")
            if span != "*" and int(low) <= response.status <= int(high or low):
                kind = other
    if kind == "automatic":
        # Make knows application/json, but not the problem details of RFC 9457.
        kind = "json" if response.content_type == "application/json" else "text"
    if kind == "text":
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise MakeError("DataError", "The answer is not JSON.") from None


def _check(response: dict[str, Any], answer: dict[str, Any]) -> None:
    if answer["statusCode"] >= 400:
        error = response["error"]
        chosen = error.get(str(answer["statusCode"]), error)
        raise MakeError(chosen.get("type", error.get("type", "RuntimeError")), fill(chosen["message"], answer))
    if "valid" in response and not is_true(fill(response["valid"]["condition"], answer)):
        raise MakeError("RuntimeError", fill(response["valid"]["message"], answer))


def _checked(form: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a form hands on: as Make checks it, before any request is made."""
    known = {parameter["name"] for parameter in form}
    assert set(given) <= known, f"the form has no field {', '.join(sorted(set(given) - known))}"
    values: dict[str, Any] = {}
    for parameter in form:
        name, rules = parameter["name"], parameter.get("validate", {})
        value = given.get(name, parameter.get("default"))
        if value is None:
            if parameter.get("required"):
                raise MakeError("BundleValidationError", f"{parameter['label']} is required.")
            continue
        choices = parameter.get("options")
        if isinstance(choices, list) and value not in [one["value"] for one in choices]:
            raise MakeError("BundleValidationError", f"{parameter['label']} is not one of the options.")
        if not re.search(rules.get("pattern", ""), str(value)):
            raise MakeError("BundleValidationError", f"{parameter['label']} has the wrong form.")
        if ("min" in rules and value < rules["min"]) or ("max" in rules and value > rules["max"]):
            raise MakeError("BundleValidationError", f"{parameter['label']} is out of range.")
        values[name] = value
    return values
