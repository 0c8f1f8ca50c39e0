"""What Make takes as an app: which files a component has, and that every name in them names something."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.integrations.iml import SPREAD, BadExpression, Call, Equal, Expression, Variable, holes
from tests.integrations.make_shapes import keys, mismatches, parameters, request, response

_OF_A_MODULE = r"[a-zA-Z][0-9a-zA-Z]{2,63}"
_OF_A_WEBHOOK = r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]"
NAMES = {"connection": _OF_A_WEBHOOK, "webhook": _OF_A_WEBHOOK, "module": _OF_A_MODULE, "rpc": _OF_A_MODULE}
ABOUT: dict[str, tuple[set[str], set[str]]] = {
    "connection": ({"label", "connectionType"}, set()),
    "webhook": ({"label", "webhookType", "connection"}, set()),
    "module": ({"label", "description", "moduleType", "connection"}, {"actionCrud", "webhook"}),
    "rpc": ({"label", "connection"}, set()),
}
"""What has to be said of a component of each kind besides its files, and what may be."""
CODES = {
    "connection": {"communication", "params", "common"},
    "webhook": {"communication", "params", "attach", "detach", "update", "requiredScope"},
    "module": {"communication", "staticParams", "mappableParams", "interface", "samples", "scope"},
    "rpc": {"communication", "params"},
}
LEFT_ALONE = {"common", "update", "requiredScope", "scope"}
"""Codes without a file: they are for OAuth, for secrets of the app itself, and for changing a webhook in place."""
FORMS = {"params", "staticParams", "mappableParams", "interface"}
MODULE_TYPES = {"action", "search", "instant_trigger", "universal"}
CRUD = {"create", "read", "update", "delete"}
ANSWER = {"body", "headers", "statusCode"}
RECEIVED = {"body", "headers", "method", "query", "parameters"}


def problems(folder: Path, event_inputs: Collection[str]) -> list[str]:
    """What is wrong, each with the file it is in. `event_inputs` are the fields that an event type can ask for."""
    app = _App(folder, set(event_inputs))
    return list(app.files()) or list(app.contents())


class _App:
    def __init__(self, folder: Path, event_inputs: set[str]) -> None:
        self.folder = folder
        self.event_inputs = event_inputs
        manifest = json.loads((folder / "makecomapp.json").read_text())
        self.general: dict[str, str | None] = manifest["generalCodeFiles"]
        self.components: dict[str, dict[str, Any]] = manifest["components"]

    def files(self) -> Iterator[str]:
        """Each component has its files, and each file its component."""
        yield from keys("makecomapp.json", self.general, {"base", "common", "readme", "groups"})
        yield from keys("makecomapp.json", self.components, {*NAMES, "function", "endpoint"})
        codes = [(path, code) for _, _, about in self._all() for code, path in about["codeFiles"].items()]
        for code in {code for path, code in codes if path is None} - LEFT_ALONE:
            yield f"makecomapp.json: {code} has no file"
        named = {path for path, _ in codes if path} | {path for path in self.general.values() if path}
        there = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        for path in sorted(named - there):
            yield f"{path}: is missing"
        for path in sorted(there - named - {"makecomapp.json"}):
            yield f"{path}: no component names this file"

    def contents(self) -> Iterator[str]:
        yield from self._base()
        yield from self._groups()
        for kind, name, about in self._all():
            yield from self._component(kind, name, about)

    def _all(self) -> Iterator[tuple[str, str, Any]]:
        for kind in NAMES:
            for name, about in self.components.get(kind, {}).items():
                yield kind, name, about

    def _base(self) -> Iterator[str]:
        path = str(self.general["base"])
        base = self._read(path)
        yield from keys(path, base, {"baseUrl", "headers", "response", "log"})
        yield from response(path, base["response"])
        yield from self._expressions(path, base, {"connection"}, {})
        if "request.headers.authorization" not in base["log"]["sanitize"]:
            yield f"{path}: the API key would be in the log"

    def _groups(self) -> Iterator[str]:
        path = str(self.general["groups"])
        grouped = [module for group in self._read(path) for module in group["modules"]]
        for module in sorted({*grouped, *self.components["module"]}):
            if module not in self.components["module"] or grouped.count(module) != 1:
                yield f"{path}: {module} must be a module, and in one group"

    def _component(self, kind: str, name: str, about: dict[str, Any]) -> Iterator[str]:
        where = f"makecomapp.json: {kind} {name}"
        if not re.fullmatch(NAMES[kind], name):
            yield f"{where}: Make does not take this name"
        required, optional = ABOUT[kind]
        yield from keys(where, about, {*required, "codeFiles"}, optional)
        yield from keys(f"{where}: codeFiles", about["codeFiles"], CODES[kind])
        for other in ("connection", "webhook"):
            if about.get(other) is not None and about[other] not in self.components[other]:
                yield f"{where}: there is no {other} {about[other]}"
        if kind == "module":
            yield from _module(where, about)
        for code, path in about["codeFiles"].items():
            if path is not None:
                yield from self._code(kind, name, code, path)
        if kind == "module":
            interface, sample = self._of(kind, name, "interface"), self._of(kind, name, "samples")
            if isinstance(sample, dict):
                for problem in mismatches(interface, sample):
                    yield f"{about['codeFiles']['samples']}: {problem}"

    def _code(self, kind: str, name: str, code: str, path: str) -> Iterator[str]:
        content = self._read(path)
        for text in _texts(content):
            if text.startswith("rpc://") and text.removeprefix("rpc://") not in self.components["rpc"]:
                yield f"{path}: there is no {text}"
        if code in FORMS:
            yield from parameters(path, content)
        elif kind == "webhook" and code == "communication":
            yield from keys(path, content, {"condition", "output"})
            yield from self._names(path, content, RECEIVED, self._members(kind, name, code))
        elif code != "samples" and content != {}:
            yield from request(path, content)
            yield from self._expressions(path, content, _known(kind, code), self._members(kind, name, code))
            yield from _hook(path, content, code)

    def _expressions(
        self, path: str, content: dict[str, Any], known: set[str], members: dict[str, set[str]]
    ) -> Iterator[str]:
        """What is sent knows nothing of the answer; what reads the answer knows all of it."""
        if "temp" in content:
            known, members = known | {"temp"}, {**members, "temp": set(content["temp"])}
        for key, part in content.items():
            here = known | (ANSWER if key in ("response", "pagination") else set())
            if key == "response" and "iterate" in part:
                here.add("item")
            yield from self._names(path, part, here, members)

    def _names(self, path: str, part: Any, known: set[str], members: dict[str, set[str]]) -> Iterator[str]:
        connection = {"connection": set(self._of("connection", "relay", "communication")["response"]["data"])}
        for text in _texts(part):
            try:
                for variable in _variables(holes(text)):
                    there = {**connection, **members}.get(variable.name)
                    if variable.name not in known:
                        yield f"{path}: {variable.name} is not known where {text} stands"
                    elif there is not None and variable.path[:1] not in {(name,) for name in there}:
                        yield f"{path}: {text} names nothing that is there"
            except BadExpression as bad:
                yield f"{path}: {bad}"

    def _members(self, kind: str, name: str, code: str) -> dict[str, set[str]]:
        """What the variables have whose members are written in the app itself."""
        forms = ("staticParams", "mappableParams") if kind == "module" else ("params",)
        fields = [one for form in forms for one in self._of(kind, name, form)]
        given = {one["name"] for one in fields}
        if any("nested" in one.get("options", {}) for one in fields):
            given |= self.event_inputs
        if code == "attach":
            return {"parameters": given, "webhook": {"id", "url"}}
        hooks = [name] if kind == "webhook" else self.components["webhook"]
        kept = [self._of("webhook", hook, "attach")["response"]["data"] for hook in hooks]
        return {"parameters": given, "webhook": {key for data in kept for key in data}}

    def _of(self, kind: str, name: str, code: str) -> Any:
        return self._read(self.components[kind][name]["codeFiles"][code])

    def _read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())


def _module(where: str, about: dict[str, Any]) -> Iterator[str]:
    kind = about.get("moduleType")
    if kind not in MODULE_TYPES:
        yield f"{where}: Make has no module type {kind}"
    if (kind == "instant_trigger") != ("webhook" in about):
        yield f"{where}: a webhook belongs to an instant trigger, and that needs one"
    if (kind == "action") != (about.get("actionCrud") in CRUD):
        yield f"{where}: actionCrud belongs to an action, and that needs one"


def _known(kind: str, code: str) -> set[str]:
    if kind == "connection":
        return {"parameters"}
    if code == "detach":
        return {"connection", "webhook"}
    return {"connection", "parameters"} | ({"webhook"} if code == "attach" or kind == "rpc" else set())


def _hook(path: str, content: dict[str, Any], code: str) -> Iterator[str]:
    if code == "attach" and "externalHookId" not in content.get("response", {}).get("data", {}):
        yield f"{path}: externalHookId is not kept, and detach needs it"
    if code == "detach" and not (
        content.get("method") == "DELETE" and "{{webhook.externalHookId}}" in content.get("url", "")
    ):
        yield f"{path}: must DELETE the hook that attach has made"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != SPREAD:
                yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _variables(expressions: Iterable[Expression]) -> Iterator[Variable]:
    for expression in expressions:
        match expression:
            case Variable():
                yield expression
            case Call(_, arguments):
                yield from _variables(arguments)
            case Equal(left, right):
                yield from _variables((left, right))
