"""Keys: the forms they come in, what they may do, and how soon a revoked one stops."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from relay.core.errors import RateLimited, Unauthorized
from relay.core.keys import new_key
from relay.core.model import ApiKey
from relay.store import workspaces
from relay.web.auth import CACHE_MS, CACHE_SIZE, Keys
from tests.web.toy_site import Site


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}", "Bearer {}  ", "Bearer\t{}"])
async def test_bearer_works_in_any_case_and_with_blanks(site: Site, form: str) -> None:
    async with site.http.get(f"{site.url}/notes/x", headers={"Authorization": form.format(site.key)}) as answer:
        assert answer.status == 404  # past the key check: there is no such note


async def test_the_x_api_key_header_works_alone_and_beside_another_scheme(site: Site) -> None:
    for more in ({}, {"Authorization": "Basic eDp5"}):
        async with site.http.get(f"{site.url}/notes/x", headers={"X-API-Key": site.key, **more}) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer sk_live_0123456789abcdef0123"},
        {"Authorization": "Bearer whk_live_short"},
        {"Authorization": "Bearer whk_live_0123456789abcdef 0123"},
        {"Authorization": "Token whk_live_0123456789abcdef0123"},
        {"X-API-Key": "whk_live_0123456789abcdef012\u00e9"},
        {"X-API-Key": "whk_live_" + "a" * 4000},
    ],
)
async def test_no_key_and_a_malformed_key_are_refused_alike(site: Site, headers: dict[str, str]) -> None:
    async with site.http.get(f"{site.url}/notes/x", headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert await answer.json() == {"error": "missing or malformed API key"}


async def test_an_unknown_key_is_refused_in_the_shape_of_the_api(site: Site) -> None:
    headers = {"X-API-Key": new_key("rsk_")}
    async with site.http.get(f"{site.url}/notes/x", headers=headers) as answer:
        assert (answer.status, await answer.json()) == (401, {"error": "invalid API key"})
    async with site.http.post(f"{site.url}/ledger", headers=headers, json={}) as answer:
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["title"] == "invalid API key"


async def test_the_key_is_checked_before_the_body_is_looked_at(site: Site) -> None:
    async with site.http.post(f"{site.url}/notes", data=b"{") as answer:
        assert answer.status == 401


async def test_a_good_key_without_the_scope_is_told_which_one_it_lacks(site: Site) -> None:
    key, _ = await site.new_key("submissions")
    async with site.http.post(f"{site.url}/notes", headers={"X-API-Key": key}, json={}) as answer:
        assert (answer.status, await answer.json()) == (403, {"error": "this key lacks the events scope"})
    async with site.http.get(f"{site.url}/notes/x", headers={"X-API-Key": key}) as answer:
        assert answer.status == 404


async def test_a_revoked_key_stops_within_a_second(site: Site) -> None:
    key, key_id = await site.new_key("events")
    headers = {"X-API-Key": key}
    async with site.http.post(f"{site.url}/notes", headers=headers, json={}) as answer:
        assert answer.status == 200
    await site.database.write(workspaces.revoke_key(key_id, site.now_ms))
    site.now_ms += 1000
    async with site.http.post(f"{site.url}/notes", headers=headers, json={}) as answer:
        assert (answer.status, await answer.json()) == (401, {"error": "invalid API key"})


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("change", ["revoked", "deleted", "scope"])
async def test_a_key_that_ends_while_a_body_comes_does_nothing_more(site: Site, framing: str, change: str) -> None:
    """Rights are looked at with the headers; a body may take half a minute after them."""
    site.key, key_id = await site.new_key("events")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"POST /notes HTTP/1.1\r\nHost: x\r\nX-API-Key: {site.key}\r\n{framing}\r\n\r\n".encode())
    body = b'{"a":1' + b" " * 993 + b"}"
    parts = [body] if "Length" in framing else [b"%x\r\n%s\r\n" % (len(body), body), b"0\r\n\r\n"]
    writer.write(parts[0][:500])
    await asyncio.sleep(CACHE_MS / 1000 + 0.1)
    with contextlib.closing(sqlite3.connect(site.database.path)) as connection, connection:
        if change == "deleted":
            connection.execute("DELETE FROM api_keys WHERE id = ?", (key_id,))
        elif change == "revoked":
            connection.execute("UPDATE api_keys SET revoked_at = 1 WHERE id = ?", (key_id,))
        else:
            connection.execute("UPDATE api_keys SET scopes = 'hooks' WHERE id = ?", (key_id,))
    site.now_ms += CACHE_MS + 1
    writer.write(parts[0][500:] + b"".join(parts[1:]))
    status = (await asyncio.wait_for(reader.readline(), 10)).split()[1]
    assert status == (b"403" if change == "scope" else b"401")
    writer.close()
    await writer.wait_closed()


async def test_a_key_made_just_now_works_within_a_second_of_a_failed_try(site: Site) -> None:
    key = new_key("rp_live_")
    async with site.http.post(f"{site.url}/notes", headers={"X-API-Key": key}, json={}) as answer:
        assert answer.status == 401
    workspace, _ = await site.database.write(workspaces.ensure("toys", site.now_ms))
    await site.database.write(workspaces.add_key(workspace.id, key, frozenset({"events"}), None, site.now_ms))
    site.now_ms += 1000
    async with site.http.post(f"{site.url}/notes", headers={"X-API-Key": key}, json={}) as answer:
        assert answer.status == 200


class Table:
    """A database of one key that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.key = ApiKey("key_1", "ws_1", "rsk_", "abcd", frozenset({"hooks"}), None, 0)

    async def find(self, hashed: str) -> ApiKey | None:
        self.asked += 1
        return None if self.asked > 1 else self.key


async def test_answers_of_the_database_are_remembered_for_a_second_and_no_longer() -> None:
    table, key, now = Table(), new_key("rsk_"), [0]
    keys = Keys(table.find, lambda: now[0])
    for now[0] in (0, 1, 999):
        assert await keys.check(key, "1.2.3.4") is table.key
    assert table.asked == 1
    for now[0] in (1000, 1999):
        with pytest.raises(Unauthorized):
            await keys.check(key, "1.2.3.4")
    assert table.asked == 2
    now[0] = 500  # the clock was set back: what is remembered is of no use
    with pytest.raises(Unauthorized):
        await keys.check(key, "1.2.3.4")
    assert table.asked == 3


async def test_made_up_keys_take_bounded_memory_and_push_no_real_key_out() -> None:
    table = Table()
    keys, real = Keys(table.find, lambda: 0, failures_a_minute=10**6), new_key("rsk_")
    await keys.check(real, None)
    for number in range(CACHE_SIZE + 10):
        with pytest.raises(Unauthorized):
            await keys.check(f"rsk_{number:032}", None)
    asked = table.asked
    await keys.check(real, None)
    assert table.asked == asked
    assert len(keys._unknown) == CACHE_SIZE


async def test_wrong_keys_without_end_are_told_to_wait_while_right_ones_work() -> None:
    table = Table()
    keys, real = Keys(table.find, lambda: 0, failures_a_minute=3), new_key("rsk_")
    await keys.check(real, "1.2.3.4")
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await keys.check(None, "1.2.3.4")
    with pytest.raises(RateLimited) as refused:
        await keys.check("nonsense", "1.2.3.4")
    assert 1 <= refused.value.retry_after_s <= 60
    await keys.check(real, "1.2.3.4")
    with pytest.raises(Unauthorized):
        await keys.check(None, "5.6.7.8")
