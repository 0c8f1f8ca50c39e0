"""What the server answers for itself: health, readiness, metrics, and its OpenAPI documents."""

from __future__ import annotations

from relay import __version__
from relay.core.conditions import Condition
from tests.web.toy_site import Site


async def test_health_needs_no_key_and_tells_the_version(site: Site) -> None:
    async with site.http.get(f"{site.url}/v1/healthz") as answer:
        assert await answer.json() == {"status": "healthy", "version": __version__}


async def test_readiness_follows_the_engine_and_the_database(site: Site) -> None:
    async with site.http.get(f"{site.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ready"})
    site.engine.running = False
    async with site.http.get(f"{site.url}/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reasons"] == ["deliveries are not being sent"]


async def test_readiness_says_what_is_wrong_with_the_installation(site: Site) -> None:
    """Also what does not keep it from its work."""
    site.conditions.begin(Condition.SECRET_UNREADABLE)
    async with site.http.get(f"{site.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (
            200,
            {"status": "ready", "reasons": ["signing secret unreadable"]},
        )
    site.conditions.begin(Condition.DESCRIPTORS_SHORT)
    async with site.http.get(f"{site.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["reasons"]) == (503, ["descriptors short"])
    for condition in Condition:
        site.conditions.end(condition)
    async with site.http.get(f"{site.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ready"})


async def test_metrics_count_requests_by_operation_and_never_by_path(site: Site) -> None:
    for path in ("/notes/number", "/notes/number", "/notes/secret-id", "/wp-admin/setup.php"):
        async with site.http.get(site.url + path):
            pass
    async with site.http.get(f"{site.url}/metrics") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'relay_requests_total{api="notes",operation="readNumber",status="200"} 2.0' in text
    assert 'relay_requests_total{api="notes",operation="getNote",status="401"} 1.0' in text
    assert 'relay_requests_total{api="relay",operation="",status="404"} 1.0' in text
    assert "relay_deliveries_under_way 3.0" in text
    assert "secret-id" not in text
    assert "wp-admin" not in text


async def test_each_api_has_an_openapi_document_made_from_its_operations(site: Site) -> None:
    async with site.http.get(f"{site.url}/openapi/ledger.json") as answer:
        document = await answer.json()
    assert document["openapi"] == "3.1.0"
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert document["paths"].keys() == {"/ledger", "/ledger/{id}", "/ledger/fail/{how}"}
    add = document["paths"]["/ledger"]["post"]
    assert (add["operationId"], add["x-scope"], add["tags"]) == ("addEntry", "hooks", ["Entries"])
    assert add["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Entry"}
    assert add["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Entry"}
    assert add["responses"].keys() == {"200", "400", "401", "403", "413", "415", "429", "500", "503"}
    shared = document["components"]["responses"]
    assert add["responses"]["413"] == {"$ref": "#/components/responses/TooLarge"}
    assert shared["TooLarge"]["content"]["application/problem+json"] == {
        "schema": {"$ref": "#/components/schemas/ProblemBody"},
        "example": {"title": "the body is larger than 320 KB", "status": 413, "errors": {}},
    }
    assert shared["TooManyRequests"]["headers"] == {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    listed = document["paths"]["/ledger"]["get"]
    assert listed["security"] == []
    assert listed["parameters"] == [
        {
            "name": "limit",
            "in": "query",
            "required": False,
            "description": "How many.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
        }
    ]
    assert listed["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"
    drop = document["paths"]["/ledger/{id}"]["delete"]
    described = {"description": "An id, as `GET /ledger` lists it.", "schema": {"type": "string"}}
    assert drop["parameters"] == [{"name": "id", "in": "path", "required": True, **described}]
    assert "content" not in drop["responses"]["204"]
    assert document["components"]["schemas"].keys() == {"Entry", "ProblemBody"}


async def test_an_error_page_is_for_browsers_and_can_load_nothing_from_elsewhere(site: Site) -> None:
    async with site.http.get(f"{site.url}/<script>", headers={"Accept": "text/html"}) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert "<script>" not in await answer.text()
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
