"""Listening: the hosts of the settings become sockets, on one port, on both families where that is asked for."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from typing import NamedTuple, cast

from relay.core.errors import StartError

BACKLOG = 1024
_PORTS_TRIED = 20
_ANY_V4, _ANY_V6 = "0.0.0.0", "::"  # noqa: S104 - what RELAY_HOST may say


_Where = tuple[str | int, ...]


class _Taken(Exception):
    pass


class _Address(NamedTuple):
    family: socket.AddressFamily
    where: _Where
    """As `bind` takes it; its port is that of the settings."""

    @property
    def host(self) -> str:
        return str(self.where[0])

    def at(self, port: int) -> _Where:
        return (self.where[0], port, *self.where[2:])


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """A socket for each address of the hosts, all on one port; with port 0 on any that is free on all of them.

    `::` alone takes IPv4 too. Raises StartError with the address that cannot be had.
    """
    addresses = addresses_of(hosts, port)
    for tries_left in reversed(range(_PORTS_TRIED if port == 0 and len(addresses) > 1 else 1)):
        try:
            return _bound(addresses, port)
        except _Taken as taken:
            if not tries_left:
                raise StartError(str(taken)) from None
    raise AssertionError("the last try raises")


def addresses_of(hosts: Sequence[str], port: int) -> list[_Address]:
    """What the hosts stand for, nothing twice. Raises StartError for a name that is not known."""
    found: dict[_Address, None] = {}
    for host in hosts:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "no host name"
            raise StartError(f"cannot listen on {_shown(host, port)}: {why}") from None
        # A name may stand for an address that this machine does not have; one given as such has to be there.
        is_name = not _is_address(host)
        named = [_Address(family, cast("_Where", where)) for family, _, _, _, where in answers]
        found |= dict.fromkeys([one for one in named if not is_name or _can_bind(one)] or named[:1])
    # The address of all interfaces takes the port on each of them.
    every = {one.family for one in found if one.host in (_ANY_V4, _ANY_V6)}
    return [one for one in found if one.family not in every or one.host in (_ANY_V4, _ANY_V6)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _can_bind(address: _Address) -> bool:
    try:
        with socket.socket(address.family, socket.SOCK_DGRAM) as probe:
            probe.bind(address.at(0))
    except OSError:
        return False
    return True


def _bound(addresses: Sequence[_Address], port: int) -> list[socket.socket]:
    has_v4 = any(one.family == socket.AF_INET for one in addresses)
    with contextlib.ExitStack() as undo:
        bound: list[socket.socket] = []
        for address in addresses:
            both = address.host == _ANY_V6 and not has_v4 and socket.has_dualstack_ipv6()
            try:
                one = socket.create_server(
                    address.at(port), family=address.family, backlog=BACKLOG, dualstack_ipv6=both
                )
            except OSError as error:
                why = str(error.strerror or error).partition(" (while")[0]
                raise _Taken(f"cannot listen on {_shown(address.host, port)}: {why}") from error
            bound.append(undo.enter_context(one))
            port = port or one.getsockname()[1]
        undo.pop_all()
    return bound


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(listener: socket.socket) -> str:
    """The URL of a socket itself."""
    return f"http://{_shown(*listener.getsockname()[:2])}"


def own_addresses(listeners: Sequence[socket.socket]) -> frozenset[tuple[str, int]]:
    """Where this server can be reached, so that no delivery is made to itself."""
    found: set[tuple[str, int]] = set()
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        if host not in (_ANY_V4, _ANY_V6):
            found.add((host, port))
            continue
        found |= {(_ANY_V4, port), (_ANY_V6, port), ("127.0.0.1", port), ("::1", port)}
        with contextlib.suppress(OSError):
            found |= {(str(answer[4][0]), port) for answer in socket.getaddrinfo(socket.gethostname(), port)}
        found |= {(address, port) for address in _outward()}
    return frozenset(found)


def _outward() -> list[str]:
    """The addresses that this machine uses towards others. Nothing is sent: connecting a datagram socket only looks."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.append(str(probe.getsockname()[0]))
    return found
