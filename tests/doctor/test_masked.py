"""Target URLs are secrets: what may be shown of one."""

from __future__ import annotations

import pytest

from relay.doctor.masked import host_of, masked


@pytest.mark.parametrize(
    ("target_url", "shown"),
    [
        ("https://hooks.zapier.com/hooks/catch/1234567/3abcdef/", "https://hooks.zapier.com/hooks/catch/1…/3…/"),
        ("https://n8n.example.com:5678/webhook/0b8f5a6e-7c1d", "https://n8n.example.com:5678/webhook/0b8…"),
        ("https://hook.eu1.make.com/" + "x" * 32, "https://hook.eu1.make.com/xxxxxx…"),
        ("https://example.com/abc", "https://example.com/…"),
        ("https://example.com?key=secret", "https://example.com?…"),
        ("https://example.com", "https://example.com"),
        ("https://example.com//a?b=/c", "https://example.com//…?…"),
        ("http://[::1]:80/hooks/", "http://[::1]:80/hooks/"),
    ],
)
def test_of_each_part_of_a_catch_url_a_quarter_is_shown_at_most(target_url: str, shown: str) -> None:
    assert masked(target_url) == shown


@pytest.mark.parametrize(
    ("target_url", "host"),
    [
        ("https://hooks.zapier.com/hooks/catch/1/3/", "hooks.zapier.com"),
        ("HTTPS://n8n.example.com:5678?x=canary", "n8n.example.com:5678"),
        ("http://[::1]:80/hooks/", "[::1]:80"),
        ("canary", "…"),
    ],
)
def test_of_a_target_the_host_may_be_shown(target_url: str, host: str) -> None:
    assert host_of(target_url) == host
