"""Where Relay may send: the table of addresses, the operator's allow-list, and the two gates a target passes.

The first gate, `target`, judges the URL when it is given and before every POST, without asking DNS. The second,
`allowed_address`, judges each address just before it is connected to, so a name that changes its mind gains nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from relay.core.errors import StartError, TargetError, TargetFault
from relay.outbound.target import Target, is_host_name, parse_target

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# `ipaddress.is_global` calls many of these global (NAT64, 6to4, multicast, Azure's platform address), hence a table.
_DENIED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_METADATA: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32")
)
"""Where clouds hand out credentials: a wide allow-list entry does not open these, only their exact address does."""

_PRIVATE_NAMES = frozenset(
    {"localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa"}
)
# fmt: off
_BAD_PORTS = frozenset((
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
    531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
))
# fmt: on
"""The Fetch standard's list: ports of protocols that can be spoken to by accident with an HTTP request."""

_ENTRY_V6 = re.compile(r"\[([^\]]+)\](?::([0-9]{1,5}))?")
_ENTRY = re.compile(r"([^:]+)(?::([0-9]{1,5}))?")


def strict_address(text: str) -> Address | None:
    """The address a text spells, an IPv4 one in IPv6 clothes unwrapped; None for names, scope ids and anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _DENIED_V6)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The operator's allow-list; a port of None means every port."""

    networks: tuple[tuple[Network, int | None], ...] = ()
    hosts: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """Read `RELAY_ALLOW_TARGETS`: `127.0.0.0/8,hooks.internal:8443,[fd00::/8]:443`. Raises `StartError`."""
        networks: list[tuple[Network, int | None]] = []
        hosts: set[tuple[str, int | None]] = set()
        for entry in filter(None, (piece.strip() for piece in text.split(","))):
            where, port = _split_entry(entry)
            try:
                networks.append((ip_network(where), port))
            except ValueError:
                host = where.lower().removesuffix(".")
                if not is_host_name(host):
                    raise _bad_entry(entry) from None
                hosts.add((host, port))
        return cls(tuple(networks), frozenset(hosts))

    def address(self, address: Address, port: int) -> bool:
        metadata = any(address in network for network in _METADATA)
        for network, allowed_port in self.networks:
            if allowed_port in (None, port) and address in network and (not metadata or network.num_addresses == 1):
                return True
        return False

    def host(self, host: str, port: int) -> bool:
        return (host, port) in self.hosts or (host, None) in self.hosts


def _split_entry(entry: str) -> tuple[str, int | None]:
    if strict_address(entry) is not None or ("/" in entry and entry.count(":") > 1 and not entry.startswith("[")):
        return entry, None
    match = (_ENTRY_V6 if entry.startswith("[") else _ENTRY).fullmatch(entry)
    if match is None:
        raise _bad_entry(entry)
    port = None if match[2] is None else int(match[2])
    if port is not None and not 1 <= port <= 65535:
        raise _bad_entry(entry)
    return match[1], port


def _bad_entry(entry: str) -> StartError:
    return StartError(
        f"RELAY_ALLOW_TARGETS: {entry!r} is not a network such as 10.1.0.0/16, an address or a host name,"
        " each with an optional :port"
    )


class Guard:
    """Says which targets may be posted to.

    `own_addresses` are the (address, port) pairs this server listens on: never a target unless allow-listed.
    """

    def __init__(self, allowed: Allowed, own_addresses: frozenset[tuple[str, int]] = frozenset()) -> None:
        self.allowed = allowed
        self.own_addresses = own_addresses
        self.target = lru_cache(maxsize=1024)(self._target)
        """`target(url) -> Target`: the judged URL, taken apart. Raises `TargetError`."""

    def check_target(self, url: object) -> str:
        """The URL to store and to send to, for a URL that a client gave.

        It is the text as given, byte for byte, except that characters beyond ASCII are encoded (host: IDNA, path and
        query: percent). Raises `TargetError`, whose `kind` says what is wrong.
        """
        return (self.target(url) if isinstance(url, str) else self._target(url)).url

    def allowed_address(self, ip_text: str, port: int, host: str) -> bool:
        """Whether this very address may be connected to for this host name; anything unclear is a no."""
        address = strict_address(ip_text)
        if address is None:
            return False
        if self.allowed.address(address, port):
            return True
        if any(address in network for network in _METADATA):
            return False
        if self.allowed.host(host, port):
            return True
        return (str(address), port) not in self.own_addresses and is_public(address)

    def _target(self, url: object) -> Target:
        target = parse_target(url)
        listed = self._is_listed(target)
        if not listed:
            if target.address is not None:
                private = not self.allowed_address(target.host, target.port, target.host)
            else:
                private = _is_private_name(target.host)
            if private:
                raise TargetError("url must not point to a private network", kind=TargetFault.PRIVATE)
            if target.port in _BAD_PORTS:
                raise TargetError(f"url must not use port {target.port}", kind=TargetFault.PRIVATE)
            if target.scheme == "http":
                raise TargetError("url must be an https:// address", kind=TargetFault.INSECURE)
        return target

    def _is_listed(self, target: Target) -> bool:
        """Whether the operator named this target; without DNS, so a name counts only when it is named itself."""
        if target.address is not None:
            address = strict_address(target.host)
            return address is not None and self.allowed.address(address, target.port)
        if self.allowed.host(target.host, target.port):
            return True
        # localhost is the one name whose address is known: RFC 6761 fixes it to the loopback.
        return target.host == "localhost" and any(
            self.allowed.address(address, target.port) for address in (IPv4Address("127.0.0.1"), IPv6Address("::1"))
        )


def _is_private_name(host: str) -> bool:
    labels = host.split(".")
    return len(labels) == 1 or labels[-1] in _PRIVATE_NAMES or ".".join(labels[-2:]) in _PRIVATE_NAMES
