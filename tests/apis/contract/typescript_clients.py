"""What users of the two TypeScript generators do: generate, write calls that the compiler checks, run them in Node."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.apis.contract.calls import Prepared, Step
from tests.apis.contract.documents import Document

_TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "noImplicitOverride": True,
        "skipLibCheck": True,
        "target": "es2022",
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "types": ["node"],
        "outDir": "built",
        "rootDir": ".",
    },
    "include": ["*.ts", "hey"],
}
_HEY_CONFIG = {
    "input": "openapi.json",
    # Node wants to be told the whole name of a file.
    "output": {"path": "hey", "module": {"extension": ".js"}},
}
_TOLD = """
function told(operation: string, status: number | undefined, read: unknown, error: unknown): void {
    console.log(JSON.stringify({ operation, status, read, error }));
}
"""


def openapi_fetch(calls: Sequence[Prepared], url: str, key: str) -> str:
    """A program for openapi-fetch and the types that openapi-typescript makes."""
    lines = [
        'import createClient from "openapi-fetch";',
        'import type { paths } from "./types.js";',
        _TOLD,
        f"const client = createClient<paths>({_js({'baseUrl': url, 'headers': {'Authorization': f'Bearer {key}'}})});",
    ]
    for one in calls:
        path = {} if one.id_ is None else {"id": one.id_}
        named = (("path", path), ("query", one.query), ("header", one.headers))
        options: dict[str, Any] = {"params": {place: given for place, given in named if given}}
        if one.body is not None:
            options["body"] = one.body
        if one.streams:
            options["parseAs"] = "text"
        lines += [
            "{",
            f"    const {{ data, error, response }} = await client.{one.method}({_js(one.path)}, {_js(options)});",
            *(["    const text: string | undefined = data;"] if one.streams else []),
            f"    told({_js(one.name)}, response.status, {_read('data', one.reads)}, error ?? null);",
            "}",
        ]
    return "\n".join(lines)


def hey_api(calls: Sequence[Prepared], url: str, key: str) -> str:
    """A program for the SDK that @hey-api/openapi-ts makes, which knows the server's address from the document."""
    lines = [
        'import { client } from "./hey/client.gen.js";',
        f'import {{ {", ".join(_camel(one.name) for one in calls)} }} from "./hey/sdk.gen.js";',
        _TOLD,
        f"client.setConfig({{ auth: (): string => {_js(key)} }});",
    ]
    for one in calls:
        path = {} if one.id_ is None else {"id": one.id_}
        named = (("path", path), ("query", one.query), ("headers", one.headers), ("body", one.body))
        options = {place: given for place, given in named if given}
        call = f"await {_camel(one.name)}({_js(options) if options else ''})"
        if one.streams:
            lines += [
                "{",
                f"    const {{ stream }} = {call};",
                "    let error: string | null = 'nothing came';",
                "    for await (const message of stream) { error = message ? null : 'it says nothing'; break; }",
                f"    told({_js(one.name)}, 200, null, error);",
                "}",
            ]
            continue
        lines += [
            "{",
            f"    const {{ data, error, response }} = {call};",
            f"    told({_js(one.name)}, response?.status, {_read('data', one.reads)}, error ?? null);",
            "}",
        ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Generator:
    """One generator: how it is called, and the program that uses what it made."""

    name: str
    command: tuple[str, ...]
    program: Callable[[Sequence[Prepared], str, str], str]
    """(calls, URL, key) → TypeScript"""

    async def run(
        self, folder: Path, programs: Path, document: Document, calls: Sequence[Prepared], url: str, key: str
    ) -> list[dict[str, Any]]:
        """Generate a client from a document, compile it with the program, run that: what it told of each call.

        Whatever else any of them has to say is an error.
        """
        (folder / "openapi.json").write_text(json.dumps(document), "utf-8")
        (folder / "package.json").write_text('{"type": "module"}', "utf-8")
        (folder / "hey.config.json").write_text(json.dumps(_HEY_CONFIG), "utf-8")
        (folder / "tsconfig.json").write_text(json.dumps(_TSCONFIG), "utf-8")
        (folder / "node_modules").symlink_to(programs.parent)
        (folder / "program.ts").write_text(self.program(calls, url, key), "utf-8")
        await _run(folder, programs / self.command[0], *self.command[1:])
        await _run(folder, programs / "tsc")
        return [json.loads(line) for line in (await _run(folder, "node", "built/program.js")).splitlines()]


GENERATORS = (
    Generator("openapi-typescript", ("openapi-typescript", "openapi.json", "--output", "types.ts"), openapi_fetch),
    Generator("hey-api", ("openapi-ts", "--file", "hey.config.json", "--no-log-file"), hey_api),
)


async def _run(folder: Path, *command: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{command[0]}:\n{output.decode()}"
    return output.decode()


def _js(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _read(variable: str, steps: Iterable[Step]) -> str:
    """Optional chaining all the way: the compiler refuses a member that the types do not have."""
    if not steps:
        return "null"
    return variable + "".join(f"?.[{step}]" if isinstance(step, int) else f"?.{step}" for step in steps)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
