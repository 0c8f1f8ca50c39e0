"""Pages for people: the landing page of a real Relay, and headers that leave a browser nothing to be tricked with."""

from __future__ import annotations

import html
import json
import re

from relay.delivery.resolve import Resolver
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
