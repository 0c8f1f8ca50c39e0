"""Points in time: what is read as one, what is refused, and how each is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.moments import is_impossible, iso, iso_s, moment_ms

AT_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2026-01-01T00:00:00Z", AT_MS),
        ("2026-01-01t00:00:00z", AT_MS),
        ("2026-01-01 00:00:00", AT_MS),
        ("2026-01-01T00:00Z", AT_MS),
        ("20260101T000000Z", AT_MS),
        ("2026-01-01T01:30:00+01:30", AT_MS),
        ("2026-01-01T01:30:00+0130", AT_MS),
        ("2026-01-01T01:30:00 01:30", AT_MS),
        ("2025-12-31T00:01:00-23:59", AT_MS),
        ("2025-12-31T24:00:00Z", AT_MS),
        ("2025-12-31T24:00:00.000Z", AT_MS),
        ("2025-12-31T23:59:60Z", AT_MS),
        ("2026-01-01T00:59:60+01:00", AT_MS),
        ("2026-01-01T00:00:00.1Z", AT_MS + 100),
        ("2026-01-01T00:00:00,25Z", AT_MS + 250),
        ("2026-01-01T00:00:00.1239Z", AT_MS + 123),
        ("2026-01-01T00:00:00.1234567890123Z", AT_MS + 123),
        ("2026-01-01T00:00:00." + "9" * 6000 + "Z", AT_MS + 999),
        ("1969-12-31T23:59:59.250Z", -750),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.9999Z", 253_402_300_799_999),
        ("9999-12-31T23:59:59+23:59", 253_402_300_799_000 - 86_340_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ],
)
def test_a_date_and_time_is_read_to_the_millisecond(text: str, expected_ms: int) -> None:
    assert moment_ms(text) == expected_ms


IMPOSSIBLE = [
    "9999-12-31T23:59:59-01:00",
    "9999-12-31T23:59:60Z",
    "9999-12-31T24:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "0000-12-31T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "+10000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "99999999999999999999-01-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "2026-01-01T24:00:01Z",
    "2026-01-01T24:00:00.1Z",
    "2026-01-01T12:00:60Z",
    "2026-01-01T00:61:00Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+01:60",
]


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_no_calendar_has_is_no_moment(text: str) -> None:
    assert moment_ms(text) is None
    assert is_impossible(text)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-01-01", "1767225600", "2026-1-1T0:0:0Z", "٢٠٢٦-01-01T00:00:00Z", "x2026-01-01T00:00Z"],
)
def test_what_is_no_date_and_time_is_not_taken_for_one(text: str) -> None:
    assert moment_ms(text) is None
    assert not is_impossible(text)


def test_an_offset_can_be_asked_for() -> None:
    assert moment_ms("2026-01-01T00:00:00", needs_offset=True) is None
    assert moment_ms("2026-01-01T00:00:00-00:00", needs_offset=True) == AT_MS


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)))  # noqa: DTZ001 - hypothesis wants them naive
def test_what_is_shown_is_read_as_what_it_was(at: datetime) -> None:
    at_ms = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    assert moment_ms(iso(at_ms)) == at_ms
    assert moment_ms(iso_s(at_ms // 1000)) == at_ms // 1000 * 1000


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_number_can_be_shown(at_ms: int) -> None:
    """A clock or a row that is out of its mind must not break a list."""
    assert moment_ms(iso(at_ms)) is not None
    assert moment_ms(iso_s(at_ms)) is not None
