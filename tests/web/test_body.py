"""Bodies: what is refused, what is kept exactly, and that nothing hostile costs memory or gives a 500."""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.errors import InputError
from relay.web.body import MAX_BODY_BYTES, MAX_DEPTH, member_text, parse_object
from tests.web.toy_site import Site


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


HOSTILE = {
    "nothing": b"",
    "blanks": b"  \n",
    "list": b"[1]",
    "string": b'"x"',
    "half": b'{"a":',
    "two": b'{"a":1}{"b":2}',
    "nul after": b'{"a":1}\x00',
    "trailing comma": b'{"a":1,}',
    "comment": b'{"a":1}//',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "utf-16 without mark": '{"a":1}'.encode("utf-16-le"),
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "nan": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "beyond a double": b'{"a":1e999}',
    "5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "lone surrogate": b'{"a":"\\ud800"}',
    "lone low surrogate": b'{"a":"\\udc00x"}',
    "lone surrogate as key": b'{"\\ud83d":1}',
    "surrogate bytes": b'{"a":"\xed\xa0\x80"}',
    "overlong bytes": b'{"a":"\xc0\xaf"}',
    "101 deep": nested(MAX_DEPTH + 1),
    "3000 deep": nested(3000),
    "100000 lists": b'{"a":' + b"[" * 100_000 + b"}",
    "same key": b'{"a":1,"a":2}',
    "same key, same value": b'{"a":1,"a":1}',
    "same key further in": b'{"x":[{"a":1,"b":2,"a":3}]}',
    "same key, escaped": b'{"a":1,"\\u0061":2}',
    "same key, colon made up for": b'{"a":1,"a":"\\u003a"}',
    "same key, colon made up for in upper case": b'{"a":1,"a":"\\u003A"}',
    "unquoted": b"{a:1}",
    "tab in string": b'{"a":"\t"}',
}


async def test_a_hostile_body_is_refused_with_a_reason(site: Site) -> None:
    taken = {}
    for name, body in HOSTILE.items():
        for path in ("/notes", "/ledger"):
            async with site.http.post(site.url + path, data=body, headers=site.headers()) as answer:
                told = await answer.json(content_type=None)
                if answer.status != 400 or not str(told.get("error", told.get("title"))).startswith("body "):
                    taken[name] = answer.status
    assert taken == {}


async def test_a_doubled_key_is_named(site: Site) -> None:
    async with site.http.post(f"{site.url}/notes", data=b'{"x":{"size":1,"size":2}}', headers=site.headers()) as answer:
        assert await answer.json() == {"error": 'body has the key "size" twice in one object'}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/json; charset=nonsense", "x"])
async def test_the_content_type_does_not_matter(site: Site, content_type: str) -> None:
    headers = {**site.headers(), "Content-Type": content_type}
    async with site.http.post(f"{site.url}/notes", data=b'{"a":"\xc3\xa9"}', headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "payload",
    [
        '{"n": 9007199254740993, "big": 123456789012345678901234567890, "f": 1.50, "e": 1E5}',
        '{"z":1,"a":2,"m":{"y":[ ],"b":"\\u00e9\\/"}}',
        '{ "payload" : {"payload": 1} }',
        "[1 , 2]",
        '"\\"payload\\":3"',
        "{}",
    ],
)
async def test_a_member_arrives_exactly_as_it_was_written(site: Site, payload: str) -> None:
    for form in (
        '{"type":"a.b","payload":%s}',
        '\n{ "payload" :\t%s , "type" : "payload" } ',
        '{"x":{"payload":0},"p\\u0061yload": %s \r\n}',
    ):
        body = (form % payload).encode()
        async with site.http.post(f"{site.url}/notes", data=body, headers=site.headers()) as answer:
            assert (await answer.json())["payload"] == payload


def test_a_missing_member_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        member_text('{"a":{"b":1}}', {"a": {"b": 1}}, "b")


def test_ordinary_depth_and_many_siblings_are_fine() -> None:
    assert parse_object(nested(MAX_DEPTH))
    assert (
        len(parse_object(json.dumps({"rows": [{"id": n, "tags": []} for n in range(2000)]}).encode())["rows"]) == 2000
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", ":", '"', "\u00e9", ""]), inner),
    max_leaves=12,
)


@given(
    members=st.dictionaries(st.sampled_from(["a", "b:", "payload", "\\"]), JSON),
    compact=st.booleans(),
    plain=st.booleans(),
)
def test_what_another_json_writer_wrote_is_read_back(members: dict[str, object], compact: bool, plain: bool) -> None:
    text = json.dumps(members, separators=(",", ":") if compact else None, ensure_ascii=plain)
    parsed = parse_object(text.encode())
    assert parsed == members
    for key, value in members.items():
        assert json.loads(member_text(text, parsed, key)) == value


@given(data=st.binary(max_size=60) | st.text('{}[]":,\\ua0139\n', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_an_input_error(data: bytes) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(parse_object(data), dict)


async def test_a_body_at_the_limit_is_taken_and_one_beyond_is_not(site: Site) -> None:
    fitting = b'{"a":"' + b"x" * (MAX_BODY_BYTES - 8) + b'"}'
    async with site.http.post(f"{site.url}/notes", data=fitting, headers=site.headers()) as answer:
        assert answer.status == 200
    async with site.http.post(f"{site.url}/notes", data=fitting + b" ", headers=site.headers()) as answer:
        assert (answer.status, await answer.json()) == (413, {"error": "the body is larger than 320 KB"})
    async with site.http.post(f"{site.url}/ledger", data=fitting + b" ", headers=site.headers()) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")


async def test_a_chunked_body_without_a_length_is_refused_as_soon_as_it_is_too_large(site: Site) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 16384

    async with site.http.post(f"{site.url}/notes", data=chunks(40), headers=site.headers()) as answer:
        assert answer.status == 413
    async with site.http.post(f"{site.url}/notes", data=chunks(2), headers=site.headers()) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
async def test_a_compressed_body_is_read_and_a_bomb_is_refused_with_flat_memory(site: Site, encoding: str) -> None:
    pack = zlib.compress if encoding == "deflate" else gzip.compress
    headers = {**site.headers(), "Content-Encoding": encoding}
    async with site.http.post(f"{site.url}/notes", data=pack(b'{"a":1}'), headers=headers) as answer:
        assert answer.status == 200
    bomb = pack(b" " * 200_000_000, 9)
    tracemalloc.start()
    try:
        async with site.http.post(f"{site.url}/notes", data=bomb, headers=headers) as answer:
            assert answer.status == 413
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def raw_deflate(data: bytes) -> bytes:
    """Without the header and the checksum of zlib, as some clients send it."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b'{"a":1}')),
        ("GZip", gzip.compress(b'{"a":1}')),
        ("x-gzip", gzip.compress(b'{"a":1}')),
        ("X-GZIP", gzip.compress(b'{"a":1}')),
        ("identity, gzip", gzip.compress(b'{"a":1}')),
        ("gzip", gzip.compress(b'{"a"') + gzip.compress(b":1}") + bytes(500)),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("deflate", raw_deflate(b'{"a":1}')),
        ("identity", b'{"a":1}'),
        ("", b'{"a":1}'),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_read_however_it_was_compressed(site: Site, encoding: str, body: bytes, chunked: bool) -> None:
    headers = {**site.headers(), "Content-Encoding": encoding}

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 5):
            yield body[at : at + 5]

    url, data = f"{site.url}/notes", pieces() if chunked else body
    async with site.http.post(url, data=data, headers=headers) as answer:
        assert (answer.status, (await answer.json())["keys"]) == (200, ["a"])


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"this is no stream"),
        ("deflate", b"this is no stream"),
        ("x-gzip", b'{"a":1}'),
        ("gzip", gzip.compress(b'{"a":1}')[:-4]),
        ("gzip", gzip.compress(b'{"a":1}')[:-8] + bytes(8)),
        ("gzip", gzip.compress(b'{"a":1}') + b"x"),
        ("deflate", zlib.compress(b'{"a":1}')[:-1]),
        ("deflate", zlib.compress(b'{"a":1}') + b"x"),
        ("gzip", b"\x1f\x8b"),
        ("gzip", b""),
    ],
)
async def test_a_body_that_is_not_compressed_as_it_says_is_refused(site: Site, encoding: str, body: bytes) -> None:
    headers = {**site.headers(), "Content-Encoding": encoding}
    async with site.http.post(f"{site.url}/notes", data=body, headers=headers) as answer:
        assert (answer.status, list(await answer.json())) == (400, ["error"])


async def test_a_number_of_the_query_has_ascii_digits_and_a_range(site: Site) -> None:
    for limit in ("0", "101", "-1", "x", "5.0", "1_0", " 5", "+5", "٥", "9" * 5000, "1e1"):
        async with site.http.get(f"{site.url}/notes/number", params={"limit": limit}) as answer:
            assert (answer.status, await answer.json()) == (
                400,
                {"error": "limit must be a whole number from 1 to 100"},
            )


async def test_a_number_of_the_query_has_a_default(site: Site) -> None:
    async with site.http.get(f"{site.url}/notes/number") as answer:
        assert await answer.json() == 25
    async with site.http.get(f"{site.url}/notes/number?limit=100") as answer:
        assert await answer.json() == 100
