"""Starting Relay in this process."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.app import FIRST_PREFIXES, Running, running
from relay.cli import main
from relay.core.errors import StartError
from relay.settings import load_settings
from relay.store import workspaces


async def test_the_keys_of_the_first_start_are_not_lost_with_a_start_that_fails(tmp_path: Path) -> None:
    """Somebody whose port is taken sees the keys when they come back with another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            async with running(load_settings(port=port, data_dir=tmp_path)):
                pass
    async with running(load_settings(port=0, data_dir=tmp_path)) as relay:
        assert len(relay.first_keys) == len(FIRST_PREFIXES)
    async with running(load_settings(port=0, data_dir=tmp_path)) as relay:
        assert relay.first_keys == ()


async def test_first_keys_are_stored_only_when_they_were_shown(tmp_path: Path) -> None:
    shown: list[tuple[str, ...]] = []

    def fails(relay: Running) -> None:
        shown.append(relay.first_keys)
        raise StartError("nobody can see them")

    settings = load_settings(port=0, data_dir=tmp_path)
    for _ in range(2):
        with pytest.raises(StartError, match="nobody can see them"):
            async with running(settings, announce=fails):
                pass
    async with running(settings, announce=lambda relay: shown.append(relay.first_keys)) as relay:
        stored = await relay.database.read(workspaces.list_keys())
    assert [len(keys) for keys in shown] == [3, 3, 3]
    assert {key.last4 for _, key in stored} == {key[-4:] for key in shown[-1]}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ALLOW_TARGETS": "10.0.0.0/33"}, "RELAY_ALLOW_TARGETS"),
        ({"ALLOW_TARGETS": "https://example.com"}, "RELAY_ALLOW_TARGETS"),
        ({"HOST": "nowhere.invalid"}, "cannot listen on nowhere.invalid"),
        ({"HOST": "127.0.0.1,999.1.1.1"}, "cannot listen on 999.1.1.1"),
        ({"SAMPLE_EVENTS": "broken"}, "broken"),
        ({"SMTP_URL": "smtp://[::1", "MAIL_FROM": "a@example.com"}, "RELAY_SMTP_URL"),
        ({"DATABASE": "sqlite:///folder"}, "RELAY_DATABASE must be a file"),
        ({"DATA_DIR": "file"}, "RELAY_DATA_DIR must be a folder"),
        ({"SECRET_KEY": "x"}, "RELAY_SECRET_KEY must begin with"),
        ({"PUBLIC_URL": "relay.example.com"}, "RELAY_PUBLIC_URL must be"),
        ({"MAIL_FROM": "Acme"}, "RELAY_MAIL_FROM must be"),
        ({"SMTP_URL": "smtp://mail.example.com"}, "RELAY_MAIL_FROM must be set"),
        (
            {"ALLOW_TARGETS": "a/b", "HOST": "nowhere.invalid", "DATABASE": "sqlite:///folder"},
            "RELAY_ALLOW_TARGETS and nowhere.invalid and RELAY_DATABASE",
        ),
    ],
)
def test_the_settings_are_refused_when_a_start_would_refuse_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken").mkdir()
    Path("broken/order.created.json").write_text("{")
    Path("folder").mkdir()
    Path("file").touch()
    for name, value in {"PORT": "0", **settings}.items():
        monkeypatch.setenv(f"RELAY_{name}", value)

    async def start() -> None:
        async with running(load_settings()):
            pass

    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StartError) as refused:
        asyncio.run(start())
    ended = CliRunner().invoke(main, ["settings"])
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", f"Error: {refused.value.message}\n")
    assert all(one in ended.stderr for one in says.split(" and "))
    assert sorted(tmp_path.rglob("*")) == before, "nothing is made before the settings are good"


def test_unknown_names_are_told_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_SECRET_KEYS", "hunter2")
    monkeypatch.setenv("RELAY_COLOUR", "hunter2")
    for options in ([], ["--json"]):
        ended = CliRunner().invoke(main, ["settings", *options])
        assert ended.exit_code == 0
        assert ended.stderr.splitlines() == [
            "relay: RELAY_COLOUR is set, but there is no such setting",
            "relay: RELAY_SECRET_KEYS is set, but there is no such setting; RELAY_SECRET_KEY is one",
        ]
        assert "hunter2" not in ended.output
    assert json.loads(ended.stdout)["RELAY_PORT"] == {"value": "8000", "source": "default"}
