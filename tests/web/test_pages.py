"""Pages for people: the landing page of a real Relay, and headers that leave a browser nothing to be tricked with."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import urlsplit

import pytest

from relay.outbound.resolve import Resolver
from tests.conftest import KEY, Relay, StartRelay


async def test_the_landing_page_shows_the_apis_the_event_types_and_the_first_calls(relay: Relay) -> None:
    async with relay.session.get(f"{relay.url}/") as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
        csp = answer.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in csp
    assert "<script" not in text
    assert " style=" not in text
    for link in ("/openapi/rest_hooks.json", "/v1/healthz", "/readyz", "/metrics", "/static/relay.css"):
        assert f'"{link}"' in text
        async with relay.session.get(relay.url + link) as answer:
            assert answer.status == 200, link
    assert "clip.approved" in text
    assert f"curl {relay.url}/api/v1/hooks" in text
    assert KEY not in text


async def test_the_first_calls_work_with_the_keys_they_name(start_relay: StartRelay) -> None:
    """As they stand on the page; the target of the example is never asked for its address."""
    async with start_relay(resolver=Resolver(lambda host: [])) as relay:
        keys = {"RP_KEY": await relay.new_key(prefix="rp_live_"), "WHK_KEY": await relay.new_key(prefix="whk_live_")}
        page = html.unescape(await (await relay.call("GET", "/", key=None)).text())
        calls = re.findall(rf"curl {relay.url}(\S+) .*?Bearer \$(\w+)\"(?:[^<]*-d '([^']+)')?", page, re.DOTALL)
        assert len(calls) == 5
        for path, key, body in calls:
            answer = await relay.call("POST" if body else "GET", path, json.loads(body or "null"), key=keys[key])
            assert answer.status in (200, 202), await answer.text()


async def test_what_a_client_calls_the_host_is_only_text(relay: Relay) -> None:
    async with relay.session.get(f"{relay.url}/", headers={"Host": '"><img src=x>'}) as answer:
        assert answer.status in (200, 400)
        assert "<img" not in await answer.text()


@pytest.mark.parametrize(
    ("public_url", "prefix"),
    [
        ("https://example.com/relay", "/relay"),
        ("https://example.com/a/b/", "/a/b"),
        ("https://example.com/b\u00fc cher".replace(" ", ""), "/b%C3%BCcher"),
        ("https://example.com", ""),
        (None, ""),
    ],
)
async def test_links_carry_the_path_that_a_proxy_takes_off(
    start_relay: StartRelay, public_url: str | None, prefix: str
) -> None:
    """Of every page: the start, an error, a customer's."""
    async with start_relay(public_url=public_url) as relay:
        # What is at hand: the address of the socket, which is what the proxy asks, with the prefix taken off.
        [relay.url] = relay.server.sockets
        invited = await relay.json("POST", "/v1/magic-link", {"customer_email": "dana@example.com"})
        personal = "/r/" + invited["link"].rpartition("/r/")[2]
        assert invited["link"] == f"{public_url.rstrip('/') if public_url else relay.url}{personal}".replace(
            "ü", "%C3%BC"
        )
        for path in ("/", "/nowhere", "/r/nobody", personal, f"{personal}/unsubscribe"):
            answer = await relay.call("GET", path, key=None, headers={"Accept": "text/html"})
            links = re.findall(r'(?:href|src|action)="([^"]+)"', await answer.text())
            assert f"{prefix}/static/relay.css" in links
            for link in links:
                assert link.startswith(f"{prefix}/")
                assert (await relay.call("GET", link.removeprefix(prefix), key=None)).status == 200, link
        hook = await relay.call(
            "POST", "/api/v1/hooks", {"target_url": "http://127.0.0.1:9/x", "event_type": "clip.approved"}
        )
        assert urlsplit(hook.headers["Location"]).path.startswith(f"{prefix}/api/v1/hooks/")
