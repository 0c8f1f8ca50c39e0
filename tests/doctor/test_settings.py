"""Settings of the server, from what it left in the database: none of them is set where these tests look."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from relay.doctor.checks import settings
from relay.doctor.installation import as_values, from_values, installation_of
from relay.outbound.resolve import Resolver
from relay.settings import load_settings
from relay.store.secrets import Secrets
from tests.conftest import StartRelay
from tests.doctor.patient import add_subscription, examined, found, look


async def about(tmp_path: Path) -> dict[str, str]:
    """The settings that are found, and what is said of each."""
    return {one.about: one.what for one in (await examined(tmp_path)).findings if one.area == "settings"}


async def test_names_that_mean_nothing_are_found(
    tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_RETENTION_DAY", "3")
    monkeypatch.setenv("RELAY_PORT_FILE", "/run/port")
    async with start_relay():
        pass
    monkeypatch.delenv("RELAY_RETENTION_DAY")
    monkeypatch.delenv("RELAY_PORT_FILE")
    monkeypatch.setenv("RELAY_OF_THIS_SHELL", "not the server's")
    assert set(await about(tmp_path)) == {"RELAY_RETENTION_DAY", "RELAY_PORT_FILE"}
    report = await examined(tmp_path)
    assert all(one.needs_person for one in report.findings if one.area == "settings")


@pytest.mark.parametrize(
    ("flags", "environment", "name"),
    [
        ({"admin_password": "secret"}, {}, "RELAY_ADMIN_PASSWORD"),
        ({"mail_from": "relay@example.com"}, {}, "RELAY_MAIL_FROM"),
        ({}, {"RELAY_ALLOW_TARGETS": "10.0.0.0/8"}, "RELAY_ALLOW_TARGETS"),
        ({"sample_events": "empty"}, {}, "RELAY_SAMPLE_EVENTS"),
        ({"secret_key": "x" * 16, "database": "other.db"}, {"RELAY_DATA_DIR": "/x"}, "RELAY_DATA_DIR"),
    ],
)
async def test_settings_that_change_nothing_are_found(
    tmp_path: Path,
    start_relay: StartRelay,
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, str],
    environment: dict[str, str],
    name: str,
) -> None:
    """Not in this version, without another one, or because a flag took its place."""
    (tmp_path / "empty").mkdir()
    if "sample_events" in flags:
        flags = {"sample_events": str(tmp_path / "empty")}
    if "database" in flags:
        flags = {**flags, "database": f"sqlite:///{tmp_path / 'relay' / 'relay.db'}"}
        (tmp_path / "relay").mkdir(mode=0o700)
    with monkeypatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        async with start_relay(**flags):
            pass
    said = await about(tmp_path)
    assert name in said
    assert "It is set and changes nothing" in said[name]
    assert "secret" not in said[name]


async def test_no_setting_at_all_is_no_finding(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay():
        assert await about(tmp_path) == {}


async def test_listening_for_others_without_saying_where_is_found(tmp_path: Path, start_relay: StartRelay) -> None:
    """Links would begin with 0.0.0.0."""
    async with start_relay(host="0.0.0.0") as relay:
        one = (await found(tmp_path))["no_public_url"]
        assert one["listens"] == [relay.url]
    async with start_relay(host="0.0.0.0", public_url="https://relay.example.com"):
        assert await found(tmp_path) == {}
    async with start_relay(host="::", public_url=None):
        assert "no_public_url" in await found(tmp_path)


async def test_fewer_descriptors_than_requests_is_a_note(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay(delivery_concurrency=100):
        seen = await look(tmp_path)
    assert seen.installation.descriptors > 0
    enough = replace(seen, installation=seen.installation.model_copy(update={"descriptors": 1100}))
    assert list(settings.descriptors(enough)) == []
    short = replace(seen, installation=seen.installation.model_copy(update={"descriptors": 1099}))
    [one] = settings.descriptors(short)
    assert (one.problem, one.needs_person) == ("few_descriptors", False)


async def test_allowed_targets_that_nothing_goes_to_are_a_note(tmp_path: Path, start_relay: StartRelay) -> None:
    """By host, by address, and by what a name leads to; a network that is opened for nothing is a risk for nothing."""
    allowed = "127.0.0.0/30,n8n.internal,127.0.1.0/24,127.0.2.0/24,make.internal:8443,[::1]:443"
    known = {"n8n.internal": ["127.0.0.2"], "public.example.com": ["127.0.1.9"]}
    async with start_relay(allow_targets=allowed) as relay:
        await add_subscription(relay, "http://n8n.internal:5678/a", event_filter="a.b")
        await add_subscription(relay, "https://public.example.com/a", event_filter="a.b")
        await add_subscription(relay, "https://[::1]/a", event_filter="a.b")
        report = await examined(tmp_path, offline=False, resolver=Resolver(lambda host: known[host]))
    unused = {one.details["entry"]: one.needs_person for one in report.findings if one.problem == "unused_target"}
    assert unused == {"127.0.2.0/24": False, "make.internal:8443": False}


async def test_without_the_network_it_is_not_known_which_targets_are_used(
    tmp_path: Path, start_relay: StartRelay
) -> None:
    async with start_relay(allow_targets="10.0.0.0/8"):
        assert await about(tmp_path) == {}


async def test_what_is_left_has_no_secret_in_clear(tmp_path: Path, start_relay: StartRelay) -> None:
    smtp_url = "smtp://user:canary-password@127.0.0.1:9"
    flags = {"smtp_url": smtp_url, "mail_from": "relay@example.com", "admin_password": "canary-admin"}
    async with start_relay(**flags, secret_key="canary-key-canary-key"):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db")) as connection:
        left = dict(connection.execute("SELECT name, value FROM installation").fetchall())
    assert left["mail_server"] == '"smtp://127.0.0.1:9"'
    assert not [value for value in left.values() if "canary" in value or "rp_live_" in value]
    sealed = left["sealed_smtp_url"].strip('"')
    assert Secrets(["canary-key-canary-key"]).open(sealed) == smtp_url


def test_what_is_left_is_read_as_it_was(tmp_path: Path) -> None:
    made = installation_of(
        load_settings(data_dir=tmp_path), 7, Secrets(["k"]), ["http://[::]:1"], frozenset([("::", 1)])
    )
    assert from_values(as_values(made)) == made


@pytest.mark.parametrize(
    "change",
    [{}, {"version": "7"}, {"version": "not JSON"}, {"started_at_ms": '"soon"'}],
)
def test_what_another_version_left_is_read_as_far_as_it_is_understood(tmp_path: Path, change: dict[str, str]) -> None:
    """What is more is ignored; what is missing or odd makes all of it count as not left."""
    values = as_values(installation_of(load_settings(data_dir=tmp_path), 7, None))
    assert from_values({**values, "later": "1"}) is not None
    assert from_values({**values, **change} if change else {}) is None


async def test_a_database_of_no_start_is_judged_by_this_shell(
    tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_relay():
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM installation")
    monkeypatch.setenv("RELAY_OF_THIS_SHELL", "1")
    assert set(await about(tmp_path)) == {"RELAY_OF_THIS_SHELL"}
    assert (await examined(tmp_path)).checked["settings"] == "of this shell"


async def test_each_start_leaves_what_holds_then(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay(admin_password="x"):
        pass
    async with start_relay():
        assert await about(tmp_path) == {}
