"""Names, certificates and proxies: what stands between the server and its targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from relay.doctor.content import Examined
from relay.doctor.finding import Area, Finding, Problem, moment, span
from relay.doctor.look import Look
from relay.outbound.target import Target

SOON_MS = 14 * 86_400_000
SHOWN_IDS = 5


def names(look: Look) -> Iterator[Finding]:
    """The hosts of active subscriptions have addresses, and may be sent to there."""
    if look.network is None:
        return
    found = look.network.names
    failed = {host: name.failure for host, name in found.items() if name.failure is not None}
    if len(failed) == len(found) > 1:
        example, why = next(iter(failed.items()))
        yield Finding(
            Area.NETWORK,
            Problem.NO_NAMES,
            "the name resolver of this machine",
            f"Not one of {len(found)} hosts can be looked up ({example}: {why}).",
            "See that this machine is connected, and which name server /etc/resolv.conf names.",
            details={"hosts": len(found), "reason": why},
        )
        return
    users = _users(look)
    for host, why in failed.items():
        yield _of_host(
            Problem.NOT_FOUND,
            host,
            f"Its address cannot be looked up: {why}.",
            "See that the name is right; if it is, see that this machine's name server knows it.",
            users[host],
            {"reason": why},
        )
    for host, port in dict.fromkeys((target.host, target.port) for _, target in _targets(look)):
        name = found.get(host)
        if name is None or not name.addresses:
            continue
        if not any(look.guard.allowed_address(address, port, host) for address in name.addresses):
            where = ", ".join(name.addresses[:3])
            yield _of_host(
                Problem.REFUSED,
                host if port == 443 else f"{host}:{port}",
                f"It leads to {where}, where nothing may be sent.",
                "If that is meant, list the host in RELAY_ALLOW_TARGETS and start the server again.",
                users[host],
                {"addresses": list(name.addresses[:3])},
            )


def certificates(look: Look) -> Iterator[Finding]:
    """The certificates of https targets are valid, and stay so for two weeks."""
    if look.network is None:
        return
    if look.network.trust_fault is not None:
        yield Finding(
            Area.NETWORK,
            Problem.NO_TRUST,
            "the certificate authorities",
            f"No certificate can be verified: {look.network.trust_fault}.",
            "See that SSL_CERT_FILE and SSL_CERT_DIR name what is there and can be read, and start the server again.",
        )
    users = _users(look)
    for (host, port), seen in look.network.certificates.items():
        where = host if port == 443 else f"{host}:{port}"
        if seen.fault is not None:
            yield _of_host(
                Problem.BAD_CERTIFICATE,
                where,
                f"Nothing is sent there: {seen.fault}.",
                "Have its operator renew or mend the certificate; for an authority of your own set SSL_CERT_FILE.",
                users[host],
                {"reason": seen.fault},
            )
        elif seen.unreachable is not None:
            yield _of_host(
                Problem.NOT_REACHED,
                where,
                f"Its certificate could not be looked at: {seen.unreachable}.",
                "See that it is up and can be reached from this machine.",
                users[host],
                {"reason": seen.unreachable},
                needs_person=False,
            )
        elif seen.expires_at_ms is not None and seen.expires_at_ms - look.now_ms <= SOON_MS:
            left = f"in {span((seen.expires_at_ms - look.now_ms) / 1000)}"
            yield _of_host(
                Problem.CERTIFICATE_EXPIRES,
                where,
                f"Its certificate ends {left}, at {moment(seen.expires_at_ms)}; then nothing is sent there.",
                "Have its operator renew it.",
                users[host],
                {"expires_at": seen.expires_at_ms // 1000},
            )


def proxies(look: Look) -> Iterator[Finding]:
    """No proxy is expected to be used."""
    for name in look.installation.proxies:
        yield Finding(
            Area.NETWORK,
            Problem.PROXY_IGNORED,
            name,
            "It is set where the server runs, but deliveries use no proxy: each target is connected to directly.",
            "Nothing, when targets can be reached directly; else let the server out past the proxy.",
            needs_person=False,
        )


def _targets(look: Look) -> Iterator[tuple[Examined, Target]]:
    for one in look.active:
        target = look.target(one.subscription)
        if target is not None:
            yield one, target


def _users(look: Look) -> dict[str, list[str]]:
    """The ids of the active subscriptions of each host."""
    found: dict[str, list[str]] = {}
    for one, target in _targets(look):
        found.setdefault(target.host, []).append(one.subscription.id)
    return found


def _of_host(
    problem: Problem,
    host: str,
    what: str,
    advice: str,
    ids: list[str],
    details: Mapping[str, object],
    *,
    needs_person: bool = True,
) -> Finding:
    return Finding(
        Area.NETWORK,
        problem,
        host,
        what,
        advice,
        needs_person,
        context=(f"target of {', '.join(ids[:SHOWN_IDS])}{', …' if len(ids) > SHOWN_IDS else ''}",),
        details={"host": host, "subscriptions": ids[:SHOWN_IDS], "count": len(ids), **details},
    )
