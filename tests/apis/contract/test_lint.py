"""Spectral and Redocly find nothing in the documents, with the rules they recommend; `npm/` has their settings."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from relay.app import APIS
from relay.catalogue import Catalogue
from tests.apis.contract.documents import served
from tests.apis.contract.test_sent import own_types
from tests.conftest import has
from tests.npm import DOCUMENT_TOOLS

__all__ = ["own_types"]

LINTERS = {
    "spectral": ("spectral", "lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint", "--format", "text"),
    "redocly": ("redocly", "lint", "--config", "redocly.yaml", "--format", "stylish"),
}
SETTINGS = ("spectral.yaml", "redocly.yaml", ".redocly.lint-ignore.yaml")
QUIET = {"NO_COLOR": "1", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


async def _lint(linter: str, folder: Path) -> tuple[int | None, str]:
    programs = await has(DOCUMENT_TOOLS)
    for name in SETTINGS:
        shutil.copy(DOCUMENT_TOOLS.folder / name, folder)
    program, *arguments = LINTERS[linter]
    process = await asyncio.create_subprocess_exec(
        programs / program,
        *arguments,
        *sorted(path.name for path in folder.glob("*.json")),
        cwd=folder,
        env={**os.environ, **QUIET},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize("linter", LINTERS)
async def test_the_documents_are_clean(linter: str, tmp_path: Path, own_types: Path) -> None:
    """Those of an operator with odd event types, behind a path prefix."""
    catalogue = Catalogue.load(own_types)
    folder = tmp_path / "documents"
    folder.mkdir()
    for api in APIS:
        text = json.dumps(served(api, "https://acme.test/relay", catalogue))
        (folder / f"{api.name}.json").write_text(text, "utf-8")
    code, output = await _lint(linter, folder)
    assert code == 0, output


@pytest.mark.parametrize("linter", LINTERS)
async def test_a_document_that_is_not_clean_is_told(linter: str, tmp_path: Path) -> None:
    """One operation without a description, with a default that its own pattern refuses, and an undefined tag."""
    document = served(APIS[0])
    path = document["paths"]["/v1/submissions"]["get"]
    del path["description"], path["summary"]
    path["parameters"][2]["schema"] |= {"default": "many"}
    path["tags"] = ["Nowhere"]
    (tmp_path / "broken.json").write_text(json.dumps(document), "utf-8")
    code, output = await _lint(linter, tmp_path)
    assert code, output


def test_the_lock_file_names_no_registry() -> None:
    """Whoever installs takes the packages from their own registry."""
    packages = json.loads(DOCUMENT_TOOLS.lock_file.read_text())["packages"]
    assert len(packages) > 1
    assert [name for name, about in packages.items() if "resolved" in about] == []
