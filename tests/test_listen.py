"""Listening on several hosts: one port, both families, nothing bound twice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.app import running
from relay.core.errors import StartError
from relay.listen import listen, own_addresses, url_of
from relay.settings import load_settings
from tests.conftest import StartRelay
from tests.whole.process import free_port

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@contextlib.contextmanager
def listening(hosts: str, port: int = 0) -> Iterator[list[socket.socket]]:
    sockets = listen(load_settings(host=hosts).hosts, port)
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


@needs_ipv6
@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0,::", ["0.0.0.0", "::"]),
        ("::,0.0.0.0", ["::", "0.0.0.0"]),
        ("::", ["::"]),
        ("[::]", ["::"]),
        ("127.0.0.1,[::1]", ["127.0.0.1", "::1"]),
        (" ::1 , 127.0.0.1 ", ["::1", "127.0.0.1"]),
        ("127.0.0.1,::", ["127.0.0.1", "::"]),
        ("0.0.0.0,127.0.0.1", ["0.0.0.0"]),
        ("127.0.0.1,0.0.0.0,127.0.0.2,::1", ["0.0.0.0", "::1"]),
        ("::1,::", ["::"]),
        ("127.0.0.1,127.0.0.1", ["127.0.0.1"]),
        ("127.0.0.1,127.0.0.2,127.0.0.3", ["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
    ],
)
def test_every_host_gets_its_socket_on_one_port(hosts: str, expected: list[str]) -> None:
    for port in (0, free_port()):
        with listening(hosts, port) as sockets:
            assert [one.getsockname()[0] for one in sockets] == expected
            [used] = {one.getsockname()[1] for one in sockets}
            assert used == (port or used)
            for host in expected:
                assert answers({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), used)


@needs_ipv6
def test_all_of_ipv6_alone_is_both_families() -> None:
    with listening("::") as [one]:
        port = one.getsockname()[1]
        assert answers("127.0.0.1", port)
        assert answers("::1", port)
        assert {("127.0.0.1", port), ("::1", port)} <= own_addresses([one])
    with listening("0.0.0.0") as [one]:
        assert not answers("::1", one.getsockname()[1])


def test_a_name_is_all_its_addresses_that_are_here() -> None:
    with listening("localhost") as sockets:
        assert {one.getsockname()[0] for one in sockets} <= {"127.0.0.1", "::1"}
        assert answers("localhost", sockets[0].getsockname()[1])


@needs_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1,::1", "::1,127.0.0.1"])
def test_a_port_that_is_taken_on_one_of_them_is_named_and_none_is_kept(host: str) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"^cannot listen on \[::1\]:{port}: Address already in use$"):
            listen(load_settings(host=host).hosts, port)
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(StartError, match=r"^cannot listen on 192.0.2.7:\d+: "):
        listen(["127.0.0.1", "192.0.2.7"], 0)


@needs_ipv6
async def test_the_server_answers_on_all_and_delivers_to_none_of_them(start_relay: StartRelay) -> None:
    async with start_relay(host="127.0.0.1,::1", allow_targets="192.0.2.0/24") as relay:
        assert len(relay.server.sockets) == 2
        for url in relay.server.sockets:
            async with relay.session.get(f"{url}/readyz") as answer:
                assert answer.status == 200
    with listening("127.0.0.1,::1") as sockets:
        assert {url_of(one) for one in sockets} == {f"http://{host}" for host in _hosts_and_ports(sockets)}
        assert own_addresses(sockets) == {(one.getsockname()[0], one.getsockname()[1]) for one in sockets}


def _hosts_and_ports(sockets: list[socket.socket]) -> set[str]:
    [port] = {one.getsockname()[1] for one in sockets}
    return {f"127.0.0.1:{port}", f"[::1]:{port}"}


@needs_ipv6
async def test_what_is_said_of_a_start_is_where_it_really_listens(tmp_path: Path) -> None:
    public_url = "https://relay.example.com/hooks"
    settings = load_settings(host="127.0.0.1,::1", port=0, data_dir=tmp_path, public_url=public_url)
    async with running(settings) as relay:
        assert relay.url == public_url
        for url in relay.sockets:
            host, _, port = url.removeprefix("http://").rpartition(":")
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
