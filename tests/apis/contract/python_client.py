"""What a user of openapi-python-client does: generate a package, build typed requests, read typed answers."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import enum
import importlib
import json
import keyword
import re
import sys
import typing
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.apis.contract.calls import Prepared, Step
from tests.apis.contract.documents import Document

_CONFIG = '{"post_hooks": []}'  # they would make the code prettier


async def generate(document: Document, folder: Path, name: str) -> None:
    """The package `name` in the folder; whatever the generator could not make use of is an error."""
    (folder / "openapi.json").write_text(json.dumps(document), "utf-8")
    (folder / "config.json").write_text(_CONFIG, "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--output-path", name),
        *("--meta", "none", "--config", "config.json", "--fail-on-warning"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


class PythonClient:
    """A generated package in use."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client
        self._unset = importlib.import_module(f"{name}.types").UNSET

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, name: str, url: str, key: str) -> AsyncIterator[PythonClient]:
        """Of a package in a folder that is on `sys.path`."""
        async with importlib.import_module(f"{name}.client").AuthenticatedClient(base_url=url, token=key) as client:
            yield cls(name, client)

    async def call(self, one: Prepared) -> tuple[int, Any]:
        """The status, and what is read from the parsed answer."""
        module = importlib.import_module(f"{self._name}.api.{_snake(one.tag)}.{_snake(one.name)}")
        hints = typing.get_type_hints(module.asyncio_detailed, vars(module))
        given = {**one.query, **one.headers, **({} if one.id_ is None else {"id": one.id_})}
        arguments = {_python(name): _typed(hints[_python(name)], value) for name, value in given.items()}
        if one.body is not None:
            [model] = [hint for hint in _union(hints["body"]) if hasattr(hint, "from_dict")]
            arguments["body"] = self._made(model, one.body)
        answer = await module.asyncio_detailed(client=self._client, **arguments)
        if one.streams:
            assert isinstance(answer.parsed, str)
            return int(answer.status_code), None
        return int(answer.status_code), _read(answer.parsed, one.reads)

    def _made(self, model: Any, body: dict[str, Any]) -> Any:
        """As a user would write it: only what is given is passed, and the class adds the defaults it was told of."""
        parsed = model.from_dict(body)
        given = {_python(name): getattr(parsed, _python(name)) for name in body}
        assert self._unset not in given.values()
        return model(**given)


def _union(hint: Any) -> Iterable[Any]:
    return typing.get_args(hint) or (hint,)


def _typed(hint: Any, value: Any) -> Any:
    """A text as the enumeration or the time that the client wants."""
    for kind in _union(hint):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return kind(value)
        if kind is datetime:
            return datetime.fromisoformat(value)
    return value


def _read(value: Any, steps: Iterable[Step]) -> Any:
    for step in steps:
        value = value[step] if isinstance(step, int) else getattr(value, _python(step))
    return value.value if isinstance(value, enum.Enum) else value


def _snake(name: str) -> str:
    return re.sub(r"[ -]", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


def _python(name: str) -> str:
    """The generator keeps clear of words that mean something in Python."""
    snake = _snake(name)
    return f"{snake}_" if snake != "id" and (keyword.iskeyword(snake) or hasattr(builtins, snake)) else snake
