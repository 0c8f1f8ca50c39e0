"""Which targets the guard takes, judged over every spelling of an address we know of."""

from __future__ import annotations

import pytest

from relay.core.errors import StartError, TargetError, TargetFault
from relay.outbound.guard import Allowed, Guard
from relay.outbound.target import MAX_URL, parse_target
from tests.conftest import Relay

STRICT = Guard(Allowed())
LOCAL = Guard(Allowed.parse("127.0.0.0/8"))

GOOD = [
    "https://hooks.zapier.com/hooks/standard/1234567/0a1b2c3d/",
    "https://hook.eu1.make.com/abcdefghijklmnop",
    "https://n8n.example.com:5678/webhook/6f1e?x=1&y=%2F%2f",
    "https://example.com",
    "https://example.com?only=query",
    "https://example.com:443/",
    "https://EXAMPLE.com/Path/../%7Euser//x;y=1/?",
    "https://a_b.example.com/",
    "https://example.com./trailing-dot",
    "https://xn--bcher-kva.de/",
    "https://example.com/<\">{}|^`'",
    "https://example.com/?next=https://127.0.0.1/@x",
    "https://1.1.1.1/",
    "https://8.8.8.8:8443/x",
    "https://[2606:4700:4700::1111]/",
    "https://[2606:4700:4700::1111]:8443/x",
    "https://[::ffff:8.8.8.8]/",
    "https://example.com/" + "x" * 2500,
]


@pytest.mark.parametrize("url", GOOD)
def test_a_public_https_target_is_kept_byte_for_byte(url: str) -> None:
    assert STRICT.check_target(url) == url
    resource = url.removeprefix("https://").partition("/")[2]
    assert f"/{resource} HTTP/1.1\r\n".encode() in STRICT.target(url).head or "/" not in url[8:]


@pytest.mark.parametrize(
    ("url", "stored", "line"),
    [
        (
            "https://bücher.de/ü?ß=é",
            "https://xn--bcher-kva.de/%C3%BC?%C3%9F=%C3%A9",
            b" /%C3%BC?%C3%9F=%C3%A9 HTTP/1.1",
        ),
        ("https://bücher.de:8443/%2f", "https://xn--bcher-kva.de:8443/%2f", b" /%2f HTTP/1.1"),
        ("https://example.com/日本", "https://example.com/%E6%97%A5%E6%9C%AC", b" /%E6%97%A5%E6%9C%AC HTTP/1.1"),
        ("https://ｅｘａｍｐｌｅ。com/", "https://example.com/", b" / HTTP/1.1"),
        # What curl makes of joiners (U+200D, U+200C), of emoji, and of what is not seen.
        ("https://क्\u200dष.example.com/", "https://xn--11b2ezcw70k.example.com/", b" / HTTP/1.1"),
        ("https://نامه\u200cای.example.com/", "https://xn--mgba3gch31f060k.example.com/", b" / HTTP/1.1"),
        ("https://a\u200db.example.com/", "https://ab.example.com/", b" / HTTP/1.1"),
        ("https://👨\u200d👩\u200d👧.example.com/", "https://xn--pq8hbd.example.com/", b" / HTTP/1.1"),
        ("https://❤\ufe0f.example.com/", "https://xn--qei.example.com/", b" / HTTP/1.1"),
        ("https://soft\u00adhyphen.com/", "https://softhyphen.com/", b" / HTTP/1.1"),
    ],
)
def test_characters_beyond_ascii_are_encoded_once_and_the_result_is_stable(url: str, stored: str, line: bytes) -> None:
    assert STRICT.check_target(url) == stored
    assert STRICT.check_target(stored) == stored
    assert parse_target(stored).head == parse_target(url).head
    assert parse_target(url).head.startswith(line)


@pytest.mark.parametrize(
    ("url", "head"),
    [
        ("https://example.com", b" / HTTP/1.1\r\nHost: example.com\r\n"),
        ("https://example.com?a=1", b" /?a=1 HTTP/1.1\r\nHost: example.com\r\n"),
        ("https://Example.com:443/a/../b", b" /a/../b HTTP/1.1\r\nHost: example.com\r\n"),
        ("https://example.com:8443/?", b" /? HTTP/1.1\r\nHost: example.com:8443\r\n"),
        ("https://[2606:4700::1]:8443/", b" / HTTP/1.1\r\nHost: [2606:4700::1]:8443\r\n"),
    ],
)
def test_the_request_line_carries_the_path_and_query_as_given(url: str, head: bytes) -> None:
    assert STRICT.target(url).head == head


@pytest.mark.parametrize(
    "host",
    ["loc\u200dalhost", "127\u200d.0.0.1", "１２７.0.0.\u200d1", "10.0.0.1\u200d", "a.loca\u200cl", "\u200d",
     "a.\u200d.com", "\u200dlocalhost"],
)  # fmt: skip
def test_a_joiner_hides_nothing_from_the_guard(host: str) -> None:
    """It is the host that would be connected to which is judged."""
    with pytest.raises(TargetError):
        STRICT.check_target(f"https://{host}/")


PRIVATE_V4 = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
    127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
""".split()  # noqa: SIM905
PUBLIC_V4 = """
    1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 168.63.129.15
    168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.88.98.1
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 223.255.255.255
""".split()  # noqa: SIM905
PRIVATE_V6 = """
    :: ::1 ::7f00:1 ::ffff:0:0 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1
    ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::127.0.0.1 64:ff9b:1::1 100::1 1fff:ffff::1 2001::1
    2001:0:4136:e378::1 2001:10::1 2001:1ff::1 2001:db8::1 2002::1 2002:7f00:1::1 2002:a9fe:a9fe::1 3fff::1
    3fff:fff::1 4000::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff00::1 ff02::1
    ffff::1
""".split()  # noqa: SIM905
PUBLIC_V6 = "2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1 2a00:1450::1 3ffe::1 ::ffff:8.8.8.8".split()  # noqa: SIM905


@pytest.mark.parametrize("address", PRIVATE_V4 + PRIVATE_V6)
def test_no_private_address_may_be_connected_to_or_named(address: str) -> None:
    assert not STRICT.allowed_address(address, 443, "example.com")
    host = f"[{address}]" if ":" in address else address
    for url in (f"https://{host}/", f"http://{host}:8080/x"):
        with pytest.raises(TargetError) as caught:
            STRICT.check_target(url)
        assert caught.value.kind is TargetFault.PRIVATE
        assert caught.value.message == "url must not point to a private network"


@pytest.mark.parametrize("address", PUBLIC_V4 + PUBLIC_V6)
def test_the_neighbours_of_the_private_ranges_are_public(address: str) -> None:
    assert STRICT.allowed_address(address, 443, "example.com")
    assert STRICT.check_target(f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "1.1.1.1/32",
        " 1.1.1.1",
        "1.1.1.1\n",
        "1.1.1.1.",
        "fe80::1%lo",
        "2606:4700::1%eth0",
        "[::1]",
        "example.com",
        "1.1.1",
        "::ffff:127.0.0.1%1",
        "１.1.1.1",
        "01.1.1.1",
    ],
)
def test_what_is_not_plainly_an_address_is_never_connected_to(text: str) -> None:
    assert not Guard(Allowed.parse("0.0.0.0/0,::/0")).allowed_address(text, 443, "example.com")


ODD_NUMBERS = """
    2130706433 017700000001 0x7f000001 0x7f.1 0x7F.0.0.1 127.1 127.0.1 0177.0.0.1 127.0.0.01 0127.0.0.1
    127.0.0.0x1 127.0.0.1.1 256.0.0.1 127.0.0.256 1.2.3 0 0x 00 1 4294967295 4294967296 0xffffffffff
    0xa9fea9fe 0251.0376.0251.0376 169.254.43518 2852039166 example.1 example.0x7f example.com.0 １２７.1 ①②⑦.1
""".split()  # noqa: SIM905
USER_TRICKS = [
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com:443@127.0.0.1/",
    "https://a@b@c.com/",
    "https://[::1]@example.com/",
    "https://example.com%40127.0.0.1/",
    "https://example.com%2f@127.0.0.1/",
]
PORT_TRICKS = [
    f"https://example.com:{port}/"
    for port in ("0", "00", "65536", "99999", "123456", "-1", "+443", "4 43", "0x1bb", "443a", "٤٤٣", "443:443", "")
]
HOST_TRICKS = [
    f"https://{host}/"
    for host in (
        "",
        ".",
        "..",
        ".example.com",
        "a..example.com",
        "example..",
        "-example.com",
        "example-.com",
        "exa mple.com",
        "exa%6dple.com",
        "127.0.0.1%00.example.com",
        "example.com%23",
        "a" * 64 + ".com",
        ("a" * 60 + ".") * 5 + "com",
        "[::1",
        "::1",
        "[::1]a",
        "[::g]",
        "[1.2.3.4]",
        "[]",
        "[v1.x]",
        "[::1%25lo]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[::ffff:1.2.3.256]",
        "exam<ple.com",
        'exam"ple.com',
        "exam|ple.com",
        "exam^ple.com",
        "a,b.com",
        "a;b.com",
        "a'b.com",
        "a(b).com",
        "a!b.com",
        "a$b.com",
        "a&b.com",
        "a=b.com",
        "a+b.com",
        "a*b.com",
        "a~b.com",
        "\u200b.com",
        "ex\u00adample\u2044.com/\u2028",
    )
]
SEPARATORS = [
    f"https://{a}{middle}{b}"
    for a, b in (("example.com", "127.0.0.1/"), ("127.0.0.1", "example.com/"))
    for middle in ("\\@", "\\", "\\\\", "/\\", "#@", "%5c@")
]
CONTROLS = [
    template.format(chr(code))
    for code in [*range(0x21), 0x7F, 0x85, 0x2028, 0x2029, 0xD800, 0xDFFF, 0xFEFF]
    for template in (
        "{}https://example.com/",
        "https://exa{}mple.com/",
        "https://example.com/{}x",
        "https://example.com/{}",
    )
]
NOT_URLS = [
    "",
    "x",
    "example.com",
    "//example.com/",
    "/path",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:///path",
    "https:example.com",
    "https:/example.com",
    "https://?x",
    "https://#x",
    "https//example.com",
    "://example.com",
    "https://example.com#",
    "https://example.com/#fragment",
    "https://example.com/?a#b",
    "https;//example.com",
]


@pytest.mark.parametrize(
    "url",
    [
        *[f"https://{number}{dot}/" for number in ODD_NUMBERS for dot in ("", ".")],
        *USER_TRICKS,
        *PORT_TRICKS,
        *HOST_TRICKS,
        *SEPARATORS,
        *CONTROLS,
        *NOT_URLS,
    ],
)
def test_what_two_programs_could_read_differently_is_malformed(url: str) -> None:
    for guard in (STRICT, Guard(Allowed.parse("0.0.0.0/0,::/0,example.com"))):
        with pytest.raises(TargetError) as caught:
            guard.check_target(url)
        assert caught.value.kind is TargetFault.MALFORMED
        assert caught.value.message.startswith("url must ")


@pytest.mark.parametrize("value", [None, 7, 1.5, True, [], {}, ["https://example.com"], b"https://example.com"])
def test_only_text_is_a_url(value: object) -> None:
    with pytest.raises(TargetError) as caught:
        STRICT.check_target(value)
    assert caught.value.kind is TargetFault.MALFORMED


@pytest.mark.parametrize(
    "scheme", ["ftp", "file", "gopher", "ws", "wss", "javascript", "data", "httpss", "h", "HTTPX", "unix"]
)
def test_other_schemes_are_refused_as_such(scheme: str) -> None:
    with pytest.raises(TargetError) as caught:
        STRICT.check_target(f"{scheme}://example.com/")
    assert caught.value.kind is TargetFault.SCHEME


def test_plain_http_is_insecure_unless_the_operator_allows_the_target() -> None:
    with pytest.raises(TargetError) as caught:
        STRICT.check_target("http://example.com/")
    assert (caught.value.kind, caught.value.message) == (TargetFault.INSECURE, "url must be an https:// address")
    assert Guard(Allowed.parse("example.com")).check_target("http://example.com/") == "http://example.com/"


def test_a_url_may_be_long_but_not_endless() -> None:
    room = MAX_URL - len("https://example.com/")
    assert len(STRICT.check_target("https://example.com/" + "x" * room)) == MAX_URL
    for path in ("x" * (room + 1), "ü" * (room // 3)):
        with pytest.raises(TargetError) as caught:
            STRICT.check_target("https://example.com/" + path)
        assert caught.value.kind is TargetFault.TOO_LONG


LOCAL_NAMES = """
    localhost LOCALHOST localhost. a.localhost intranet n8n printer.local metadata.google.internal
    hooks.internal router.lan nas.home x.corp x.private x.localdomain x.intranet router.home.arpa home.arpa
    ｌｏｃａｌｈｏｓｔ ⓛocalhost
""".split()  # noqa: SIM905


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_names_that_live_in_private_networks_are_refused(name: str, scheme: str) -> None:
    with pytest.raises(TargetError) as caught:
        STRICT.check_target(f"{scheme}://{name}:8443/")
    assert caught.value.kind is TargetFault.PRIVATE


@pytest.mark.parametrize("port", [1, 21, 22, 23, 25, 53, 110, 143, 465, 587, 993, 2049, 5060, 6000, 6665, 6669, 10080])
def test_ports_of_other_protocols_are_refused(port: int) -> None:
    with pytest.raises(TargetError) as caught:
        STRICT.check_target(f"https://example.com:{port}/")
    assert caught.value.kind is TargetFault.PRIVATE


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.0/8", "http://127.0.0.1:8080/x"),
        ("127.0.0.0/8", "http://localhost:8080/x"),
        ("::1", "http://localhost/"),
        ("127.0.0.1:8080", "http://localhost:8080/x"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("10.1.0.0/16:443", "https://10.1.2.3/"),
        ("hooks.internal:8443", "http://hooks.internal:8443/"),
        ("HOOKS.internal.", "https://hooks.internal./"),
        ("n8n", "http://n8n:5678/webhook/1"),
        ("[fd00::/8]:443", "https://[fd00::1]/"),
        ("fd00::/8", "http://[fd12::1]:5678/"),
        ("fd00::1", "http://[fd00:0::1]:5678/"),
        ("169.254.169.254", "http://169.254.169.254/"),
        ("[fd00:ec2::254]:80", "http://[fd00:ec2::254]/"),
        (" , 192.168.1.5 ,, 10.0.0.0/8 ", "http://10.9.8.7/"),
    ],
)
def test_the_allow_list_opens_what_it_names(allowed: str, url: str) -> None:
    assert Guard(Allowed.parse(allowed)).check_target(url) == url


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.0/8:8080", "http://127.0.0.1:8081/"),
        ("127.0.0.0/8", "http://[::1]/"),
        ("127.0.0.0/8", "http://a.localhost/"),
        ("10.1.0.0/16", "https://10.2.0.1/"),
        ("hooks.internal:8443", "https://hooks.internal/"),
        ("hooks.internal", "https://x.hooks.internal/"),
        ("0.0.0.0/0", "https://169.254.169.254/"),
        ("169.254.0.0/16", "https://169.254.169.254/"),
        ("0.0.0.0/0", "https://100.100.100.200/"),
        ("168.63.129.0/24", "https://168.63.129.16/"),
        ("::/0", "https://[fd00:ec2::254]/"),
        ("fe80::/10", "https://[fe80::1]/"),
        ("0.0.0.0/0", "https://[::ffff:169.254.169.254]/"),
    ],
)
def test_the_allow_list_opens_nothing_else(allowed: str, url: str) -> None:
    with pytest.raises(TargetError) as caught:
        Guard(Allowed.parse(allowed)).check_target(url)
    assert caught.value.kind is TargetFault.PRIVATE


def test_an_allowed_name_may_resolve_to_private_addresses_but_not_to_metadata() -> None:
    guard = Guard(Allowed.parse("hooks.internal:8443"))
    assert guard.allowed_address("10.0.0.5", 8443, "hooks.internal")
    assert not guard.allowed_address("10.0.0.5", 443, "hooks.internal")
    assert not guard.allowed_address("10.0.0.5", 8443, "other.internal")
    assert not guard.allowed_address("169.254.169.254", 8443, "hooks.internal")


def test_the_servers_own_address_is_no_target_unless_allowed() -> None:
    own = frozenset({("8.8.4.4", 8000), ("127.0.0.1", 8000)})
    assert not Guard(Allowed(), own).allowed_address("8.8.4.4", 8000, "example.com")
    assert not Guard(Allowed(), own).allowed_address("::ffff:8.8.4.4", 8000, "example.com")
    assert Guard(Allowed(), own).allowed_address("8.8.4.4", 443, "example.com")
    assert Guard(Allowed.parse("127.0.0.1"), own).allowed_address("127.0.0.1", 8000, "localhost")
    with pytest.raises(TargetError):
        Guard(Allowed(), own).check_target("https://8.8.4.4:8000/")


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/33",
        "10.0.0.1/8",
        "10.0.0.0/8:0",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:x",
        "http://x",
        "a b",
        "*.internal",
        "x:y:z",
        "[::1",
        "[::1]:x",
        "[fd00::/8]443",
        "fd00::/129",
        "127.1",
        "0x7f.1",
        "-x",
        "x..y",
        "/8",
        ":80",
        "a/b",
        "a" * 64,
    ],
)
def test_a_bad_entry_stops_the_start_and_is_named(entry: str) -> None:
    with pytest.raises(StartError, match="RELAY_ALLOW_TARGETS") as caught:
        Allowed.parse(f"127.0.0.1,{entry}")
    assert repr(entry) in caught.value.message


def test_a_fault_found_once_is_found_again() -> None:
    for _ in range(2):
        assert LOCAL.check_target("http://127.0.0.1/") == "http://127.0.0.1/"
        with pytest.raises(TargetError):
            LOCAL.check_target("http://10.0.0.1/")


@pytest.mark.parametrize(
    ("path", "member", "status", "more"),
    [("/v1/subscriptions", "url", 201, {}), ("/v1/webhooks", "url", 200, {}),
     ("/api/v1/hooks", "target_url", 200, {"event_type": "clip.approved"})],
)  # fmt: skip
async def test_every_api_takes_a_host_with_a_joiner(
    relay: Relay, path: str, member: str, status: int, more: dict[str, str]
) -> None:
    body = {member: "https://क्\u200dष.example.com/hook", **more}
    made = await relay.json("POST", path, body, status=status)
    assert made.get("url", "https://xn--11b2ezcw70k.example.com/hook") == "https://xn--11b2ezcw70k.example.com/hook"
