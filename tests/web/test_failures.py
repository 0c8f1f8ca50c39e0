"""How many wrong keys or links an address may try."""

from __future__ import annotations

import time

import pytest

from relay.core.errors import RateLimited
from relay.web.failures import Failures


async def test_failures_are_forgotten_with_the_hour_that_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of refusals must not become an hour of them because the clock is set back."""
    real, shift_s = time.time, 7200.0
    monkeypatch.setattr(time, "time", lambda: real() + shift_s)
    failures = Failures(3, "too many")
    for _ in range(3):
        await failures.count("198.51.100.7")
    with pytest.raises(RateLimited):
        await failures.count("198.51.100.7")
    shift_s = 0.0
    for _ in range(3):
        await failures.count("198.51.100.7")
    with pytest.raises(RateLimited):
        await failures.count("198.51.100.7")
