"""schemathesis against a real server: no 5xx, and no answer that its document does not describe."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.web.api import Api
from tests.apis.contract.documents import EACH_API, Document, published, served
from tests.conftest import KEY
from tests.whole.process import environment, free_port, serve

CONFIG = Path(__file__).with_name("schemathesis.toml")
METHODS = {"get", "post", "patch", "delete"}


def published_with_our_statuses(api: Api) -> Document:
    """The contract, and the statuses that `test_documents.py` has a reason for."""
    ours, document = served(api), published(api)
    for path, methods in document["paths"].items():
        for method in methods.keys() & METHODS:
            for status in ours["paths"].get(path, {}).get(method, {}).get("responses", {}):
                methods[method]["responses"].setdefault(status, {"description": "of Relay"})
    return document


def _without_stream(document: Document) -> Document:
    """It would stay open for a minute for every request."""
    document = dict(document, paths={path: one for path, one in document["paths"].items() if "/stream" not in path})
    document.pop("webhooks", None)
    return document


@pytest.mark.timeout(180)
@pytest.mark.parametrize("document_of", [served, published_with_our_statuses], ids=["served", "published"])
@EACH_API
async def test_schemathesis_finds_nothing(api: Api, document_of: Callable[[Api], Document], tmp_path: Path) -> None:
    """With every check but those that `schemathesis.toml` says why they are off."""
    path = tmp_path / f"{api.name}.json"
    path.write_text(json.dumps(_without_stream(document_of(api))), "utf-8")
    async with serve(tmp_path / "relay", free_port(), rate_limit="0") as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "--no-color"),
            *("run", str(path), "--url", server.url, "--header", f"Authorization: Bearer {KEY}", "--warnings", "off"),
            cwd=tmp_path,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, output.decode()
