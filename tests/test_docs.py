"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from relay.app import APIS
from relay.catalogue import Catalogue
from relay.cli import main
from relay.settings import Settings, is_secret, variable
from relay.web.operation import Operation

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = (
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/relay demo",
    "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest",
)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_both_commands(command: str) -> None:
    """`.ci/run` runs what they say, from nothing."""
    assert f"\n{command}\n" in README


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_in_the_readme_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    [row] = [line for line in README.splitlines() if line.startswith("| `RELAY_") and f"`{variable(name)}`" in line]

    if isinstance(field.default, int | float | str) and field.default != "":
        assert f"{field.default}".removesuffix(".0") in row
    assert ("(secret)" in row) == (is_secret(field) or name == "mail_from")


def test_every_setting_in_the_readme_exists() -> None:
    named = set(re.findall(r"`(RELAY_[A-Z_]+)`", README)) - {"RELAY_"}

    assert named == {variable(name) for name in Settings.model_fields}


def _commands(group: click.Group, prefix: str = "relay") -> list[str]:
    found = []
    for name, command in group.commands.items():
        called = f"{prefix} {name}"
        found += _commands(command, called) if isinstance(command, click.Group) else [called]
    return found


@pytest.mark.parametrize("command", _commands(main))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert command in README


@pytest.mark.parametrize("event_type", Catalogue.load(None).ids())
def test_every_event_type_is_in_the_readme(event_type: str) -> None:
    assert f"`{event_type}`" in README


def _operations() -> list[tuple[str, Operation]]:
    return [(api.name, operation) for api in APIS for operation in api.operations]


@pytest.mark.parametrize(("api", "operation"), _operations(), ids=lambda value: getattr(value, "operation_id", value))
def test_every_operation_is_in_the_readme_of_its_api(api: str, operation: Operation) -> None:
    readme = (ROOT / "relay" / "apis" / api / "README.md").read_text()
    parts = re.split(r"\{[^{}]+\}", operation.path)
    path = r"[^/\s]+".join(re.escape(part) for part in parts)

    assert re.search(path, readme), operation.path


@pytest.mark.parametrize("path", sorted({path for _, one in _operations() for path in [one.path.split("/{")[0]]}))
def test_every_collection_of_a_path_is_in_the_readme(path: str) -> None:
    collection = "/".join(path.split("/")[: 4 if path.startswith("/api/") else 3])
    assert f"`{collection}" in README


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_the_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    [block] = re.findall(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    contributing = (ROOT / "CONTRIBUTING.md").read_text()

    for name in re.findall(r'^    "([\w-]+)', block, re.MULTILINE):
        assert re.search(rf"^\| (.*, )?{name}(, .*)? \|", contributing, re.MULTILINE), name
