"""The keys of what is stored: all of it is looked at, sealed anew, and nothing is started or made without them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core.errors import InputError, StartError
from relay.sealed import PAGE, keys_of, need_all_secrets, rotate
from relay.settings import Settings, load_settings
from relay.store.ownership import holder_of
from relay.store.secrets import Secrets, load_secrets
from relay.store.sqlite import open_sqlite
from tests.apis.webhook_relay.client import publish, subscribe
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Receiver
from tests.whole.process import free_port, relay_command, serve

FORMER, NEWEST = "the former key of this server", "the newest key of this server"
BOTH = f"{NEWEST},{FORMER}"


def settings_of(tmp_path: Path, **flags: Any) -> Settings:
    return load_settings(data_dir=tmp_path / "relay", **flags)


def stored(tmp_path: Path) -> dict[str, list[str]]:
    """What is sealed, by its subscription."""
    with sqlite3.connect(tmp_path / "relay" / "relay.db") as connection:
        rows = connection.execute("SELECT id, secret, previous_secrets FROM subscriptions WHERE removed_at IS NULL")
        found = {row[0]: [row[1], *(text for text, _ in json.loads(row[2] or "[]"))] for row in rows}
    connection.close()
    return found


def opened(tmp_path: Path, keys: str) -> dict[str, list[str]]:
    secrets = Secrets(keys.split(","))
    return {one: [secrets.open(text) for text in texts] for one, texts in stored(tmp_path).items()}


async def some_subscriptions(start_relay: StartRelay, receiver: Receiver) -> list[str]:
    """Three of each API, and one with two secrets, since it was rotated."""
    ids = []
    async with start_relay(secret_key=FORMER) as relay:
        for number in range(3):
            ids.append((await subscribe(relay, receiver.url(f"/w{number}")))["id"])
            ids.append((await relay.json("POST", "/v1/webhooks", {"url": receiver.url(f"/r{number}")}))["id"])
            hook = {"target_url": receiver.url(f"/h{number}"), "event_type": "clip.approved"}
            ids.append((await relay.json("POST", "/api/v1/hooks", hook))["id"])
        await relay.json("POST", f"/v1/subscriptions/{ids[0]}/rotate-secret")
        await relay.json("POST", f"/v1/subscriptions/{ids[3]}/pause")
    return ids


def seal_one(tmp_path: Path, subscription_id: str, column: str, key: str) -> None:
    with sqlite3.connect(tmp_path / "relay" / "relay.db") as connection:
        [former] = connection.execute(f"SELECT {column} FROM subscriptions WHERE id = ?", [subscription_id]).fetchone()
        if column == "previous_secrets":
            former = json.loads(former)[0][0]
        change = f"UPDATE subscriptions SET {column} = REPLACE({column}, ?, ?) WHERE id = ?"
        connection.execute(change, [former, Secrets([key]).seal("whsec_" + "x" * 48), subscription_id])
    connection.close()


@pytest.mark.parametrize(
    ("which", "column"), [(0, "secret"), (4, "secret"), (8, "secret"), (0, "previous_secrets"), (3, "secret")]
)
async def test_a_start_looks_at_every_stored_secret(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver, which: int, column: str
) -> None:
    """The oldest, one in the middle, the newest, one in its grace, and one that is paused."""
    ids = await some_subscriptions(start_relay, receiver)
    seal_one(tmp_path, ids[which], column, "a key that was taken out of it")
    with pytest.raises(StartError, match=r"^1 of 10 signing secrets cannot be opened.*RELAY_SECRET_KEY=newest,former"):
        async with start_relay(secret_key=FORMER):
            pass
    async with start_relay(secret_key=f"{FORMER},a key that was taken out of it"):
        pass


async def test_a_former_secret_whose_grace_is_over_stops_no_start(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    ids = await some_subscriptions(start_relay, receiver)
    seal_one(tmp_path, ids[0], "previous_secrets", "a key that was taken out of it")
    async with start_relay(secret_key=FORMER, clock=lambda: wall_clock() + 49 * 3_600_000):
        pass


async def test_a_page_of_good_ones_hides_no_bad_one(tmp_path: Path) -> None:
    good, bad = Secrets([FORMER]), Secrets(["another key of another server"])
    async with open_sqlite(tmp_path / "relay" / "relay.db", serve=True) as database:
        writer = database._writer
        writer.execute("INSERT INTO workspaces (id, name, created_at) VALUES ('ws_1', 'default', 1)")
        sealed = good.seal("whsec_good"), bad.seal("whsec_bad")
        writer.executemany(
            "INSERT INTO subscriptions"
            " (id, workspace_id, api, target_url, event_filter, conditions, secret, created_at, updated_at)"
            " VALUES (?, 'ws_1', 'rest_hooks', 'https://example.com/', '*', '{}', ?, 1, 1)",
            [(f"sub_{number:06}", sealed[number == PAGE * 2]) for number in range(PAGE * 2 + 1)],
        )
        with pytest.raises(StartError, match=f"^1 of {PAGE * 2 + 1} "):
            await need_all_secrets(database, good, settings_of(tmp_path, secret_key=FORMER), 1)


async def test_a_rotation_seals_all_anew_and_may_be_repeated_and_cut_off(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    ids = await some_subscriptions(start_relay, receiver)
    before, texts = stored(tmp_path), opened(tmp_path, FORMER)
    seal_one(tmp_path, ids[5], "secret", NEWEST)  # as after one that was cut off
    code, out, err = await relay_command("secrets", "rotate", data_dir=str(tmp_path / "relay"), secret_key=BOTH)
    assert (code, out, err) == (0, "9 signing secrets sealed anew, 1 had the newest key already\n", "")
    after = opened(tmp_path, NEWEST)
    assert {one: after[one] for one in ids if one != ids[5]} == {one: texts[one] for one in ids if one != ids[5]}
    assert not set(before[ids[0]]) & set(stored(tmp_path)[ids[0]])
    again = stored(tmp_path)
    done = await rotate(
        settings_of(tmp_path, secret_key=NEWEST), wall_clock(), new_key=False, drop_old=False, replace_lost=False
    )
    assert (done.sealed, done.already) == (0, 10)
    assert stored(tmp_path) == again
    async with start_relay(secret_key=NEWEST):
        pass


async def test_a_rotation_goes_on_beside_a_server_that_knows_the_newest_key(
    start_relay: StartRelay, receiver: Receiver, tmp_path: Path
) -> None:
    """What it holds in memory stays good, what it reads anew as well; what it makes meanwhile has the newest key."""
    ids = await some_subscriptions(start_relay, receiver)
    arguments = {"data_dir": str(tmp_path / "relay")}
    async with start_relay(secret_key=FORMER):
        code, _, err = await relay_command("secrets", "rotate", secret_key=BOTH, **arguments)
        assert code == 1
        assert "seals with another key than the newest in RELAY_SECRET_KEY" in err
        assert len(err.splitlines()) == 1
        assert opened(tmp_path, FORMER).keys() == set(ids), "nothing was touched"
    async with start_relay(secret_key=BOTH) as relay:
        await publish(relay, type="clip.approved")
        await receiver.wait_for(8)
        code, out, _ = await relay_command("secrets", "rotate", "--json", secret_key=BOTH, **arguments)
        assert (code, json.loads(out)["sealed"]) == (0, 10)
        await subscribe(relay, receiver.url("/later"))
        await publish(relay, type="clip.approved")
        await receiver.wait_for(17)
    assert len(opened(tmp_path, NEWEST)) == 10


async def test_keys_in_the_data_folder_are_rotated_too(tmp_path: Path, receiver: Receiver) -> None:
    data_dir = tmp_path / "relay"
    arguments, file = ("--data-dir", str(data_dir)), data_dir / "secret.key"
    async with serve(data_dir, free_port()) as server:
        await server.post("/v1/webhooks", {"url": receiver.url("/ok")})
        former = file.read_text()
        for _ in range(2):  # again: the key that waits is the one to be used
            code, out, _ = await relay_command("secrets", "rotate", "--new-key", *arguments)
            assert code == 0
            assert f"Start the server (process {server.process.pid}) again" in out
        newest, *others = file.read_text().splitlines()
        assert others == [former.strip()]
        assert opened(tmp_path, former.strip())
        code, _, err = await relay_command("secrets", "rotate", *arguments)
        assert (code, "seals with another key" in err) == (1, True)
        assert await server.stop() == 0
    async with serve(data_dir, free_port()) as server:
        code, out, _ = await relay_command("secrets", "rotate", "--drop-old", *arguments)
        assert (code, out.splitlines()[0]) == (0, "1 signing secret sealed anew, 0 had the newest key already")
        assert await server.stop() == 0
    assert file.read_text() == f"{newest}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    code, out, _ = await relay_command("secrets", "rotate", "--new-key", "--drop-old", *arguments)
    assert (code, out.splitlines()[0]) == (0, "1 signing secret sealed anew, 0 had the newest key already")
    assert file.read_text() != f"{newest}\n"
    async with serve(data_dir, free_port()) as server:
        assert await server.stop() == 0


async def test_a_key_that_is_lost_is_no_dead_end(tmp_path: Path, start_relay: StartRelay, receiver: Receiver) -> None:
    ids = await some_subscriptions(start_relay, receiver)
    arguments: dict[str, str] = {"data_dir": str(tmp_path / "relay"), "secret_key": NEWEST}
    before = stored(tmp_path)
    code, _, err = await relay_command("secrets", "rotate", **arguments)
    assert code == 1
    assert "10 signing secrets cannot be opened" in err
    assert stored(tmp_path) == before
    code, out, _ = await relay_command("secrets", "rotate", "--replace-lost", **arguments)
    assert code == 0
    assert all(f"{one} has a new signing secret" in out for one in ids)
    assert all(text.startswith("whsec_") for texts in opened(tmp_path, NEWEST).values() for text in texts)
    assert "whsec_" not in out
    async with start_relay(secret_key=NEWEST):
        pass


async def test_keys_that_are_set_are_not_changed_by_us(tmp_path: Path) -> None:
    for flags in ({"new_key": True, "drop_old": False}, {"new_key": False, "drop_old": True}):
        with pytest.raises(InputError, match="the keys are in RELAY_SECRET_KEY"):
            await rotate(settings_of(tmp_path, secret_key=NEWEST), 1, replace_lost=False, **flags)
    assert not (tmp_path / "relay").exists()


@pytest.mark.parametrize("left", ["relay.db", "relay.db and its log"])
async def test_a_start_without_the_key_file_names_it_and_makes_none(tmp_path: Path, left: str) -> None:
    data_dir = tmp_path / "relay"
    async with serve(data_dir, free_port()) as server:
        await (server.stop() if left == "relay.db" else server.kill())
    file = data_dir / "secret.key"
    key = file.read_text()
    file.unlink()
    code, out, err = await relay_command("serve", "--port", "0", data_dir=str(data_dir))
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: the key file {file} is missing")
    assert not file.exists()
    file.write_text(key)
    async with serve(data_dir, free_port()) as server:
        assert await server.stop() == 0


async def test_a_first_start_that_was_cut_off_is_still_a_first_start(tmp_path: Path) -> None:
    data_dir = tmp_path / "relay"
    data_dir.mkdir()
    (data_dir / "relay.db").touch()
    async with serve(data_dir, free_port()) as server:
        assert await server.stop() == 0
    assert keys_of(settings_of(tmp_path)).fingerprint


async def test_a_backup_and_a_restore_say_that_the_key_is_another(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    await some_subscriptions(start_relay, receiver)
    copy, data = tmp_path / "copy.db", {"data_dir": str(tmp_path / "relay")}
    for command in ("backup", "restore"):
        code, _, err = await relay_command(command, str(copy), secret_key=NEWEST, **data)
        assert code == 0
        assert "9 signing secrets in it cannot be opened with RELAY_SECRET_KEY" in err
    code, out, err = await relay_command("restore", str(copy), "--json", secret_key=BOTH, **data)
    assert (code, json.loads(out)["unreadable"]) == (0, 0)
    assert "cannot be opened" not in err


def test_a_key_file_of_several_lines_is_newest_first(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text(f"{NEWEST}\n\n  {FORMER}  \n")
    secrets = load_secrets(None, tmp_path, make=False)
    assert secrets.is_newest(Secrets([NEWEST]).seal("a"))
    assert secrets.can_open(Secrets([FORMER]).seal("a"))
    assert not secrets.is_newest(Secrets([FORMER]).seal("a"))


async def test_a_running_server_says_which_key_it_seals_with(relay: Relay) -> None:
    """By a name that gives nothing of the key away."""
    holder = holder_of(relay.server.database.path)
    assert holder is not None
    key = (relay.server.database.path.parent / "secret.key").read_text().strip()
    assert holder.note == Secrets([key]).fingerprint
    assert key not in relay.server.database.path.with_name("relay.db.lock").read_text()
    assert KEY not in holder.note
