"""Pages for people: the landing page of a real Relay, and headers that leave a browser nothing to be tricked with."""

from __future__ import annotations

from tests.conftest import KEY, Relay


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


async def test_what_a_client_calls_the_host_is_only_text(relay: Relay) -> None:
    async with relay.session.get(f"{relay.url}/", headers={"Host": '"><img src=x>'}) as answer:
        assert answer.status in (200, 400)
        assert "<img" not in await answer.text()
