"""Look: everything the doctor judges, seen once. The checks are pure rules over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from relay.core.errors import NotFound, RelayError, StoreError, TargetError
from relay.core.model import Subscription, SubscriptionState
from relay.doctor.content import Content, Examined, content
from relay.doctor.installation import Installation, from_values, installation_of
from relay.doctor.network import Network, ask_whether_ready, look_at_mail, look_at_network
from relay.outbound.guard import Allowed, Guard
from relay.outbound.resolve import Resolver
from relay.outbound.target import Target
from relay.settings import Settings
from relay.store import workspaces
from relay.store.installation import kept
from relay.store.reading import Integrity, Reading, Schema, open_reading
from relay.store.secrets import KEY_FILE, Secrets
from relay.store.standing import Standing, look_at_files
from relay.web.api import Api, Remedies

INTEGRITY_LIMIT_S = 3.0


class Server(NamedTuple):
    """The process that serves the database."""

    pid: int
    """0 when it is not known."""
    asked: str | None
    """Where it was asked whether it is ready; None when it is not known where it listens."""
    amiss: tuple[str, ...] | None
    """What it says is amiss; None when it did not answer."""


class Mail(NamedTuple):
    """The mail server, when it was spoken to."""

    with_login: bool
    """False too when the server's secret key is not at hand, and so its login is not."""
    fault: str | None


class Read(NamedTuple):
    """What the database gave. What it did not give is None."""

    schema: Schema | None = None
    integrity: Integrity | None = None
    left: Installation | None = None
    content: Content | None = None
    unreadable: str | None = None
    """Why there is no more of it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen."""

    now_ms: int
    apis: Mapping[str, Api]
    standing: Standing
    read: Read
    installation: Installation
    """As the server left it; made of this shell's settings where none has."""
    guard: Guard
    """Judges targets as the server does."""
    server: Server | None
    not_opened: int | None
    """How many signing secrets the key does not open; None when the key is not at hand."""
    network: Network | None
    """None when it was not to be looked at."""
    mail: Mail | None

    def remedies(self, api: str) -> Remedies:
        return self.apis[api].remedies if api in self.apis else Remedies()

    def target(self, one: Subscription) -> Target | None:
        """Where deliveries to a subscription go; None when the guard refuses that."""
        return _target(self.guard, one)

    @property
    def active(self) -> Iterator[Examined]:
        """The subscriptions that are sent to."""
        return _active(self.read)


async def look_at(
    settings: Settings,
    apis: Sequence[Api],
    now_ms: int,
    resolver: Resolver,
    workspace_name: str | None,
    *,
    offline: bool,
) -> Look:
    """Look at the installation of these settings. Raises RelayError when there is nothing to look at.

    `offline` leaves out names, certificates and the mail server.
    """
    path = settings.database_path
    if not path.is_file():
        raise NotFound(
            f"there is no database {path.absolute()}; name its folder with --data-dir, or make one with relay serve"
        )
    read = _read(path, workspace_name, now_ms)
    installation = read.left or installation_of(settings, now_ms, None)
    data_dir = _data_dir(settings, installation)
    standing = look_at_files(path, data_dir)
    guard = Guard(Allowed.parse(installation.allow_targets), frozenset(installation.own_addresses))
    secrets = _secrets(settings, installation, data_dir)
    network, mail = None, None
    if not offline:
        targets = [found for one in _active(read) if (found := _target(guard, one.subscription)) is not None]
        network = await look_at_network(targets, guard, resolver, installation.trust)
        mail = await _mail(settings, installation, secrets)
    return Look(
        now_ms=now_ms,
        apis={api.name: api for api in apis},
        standing=standing,
        read=read,
        installation=installation,
        guard=guard,
        server=await _server(standing.served_by, installation),
        not_opened=_not_opened(secrets, read),
        network=network,
        mail=mail,
    )


def _data_dir(settings: Settings, installation: Installation) -> Path:
    """That of the server; a database that was copied here brings another's."""
    left = Path(installation.data_dir)
    return left if left.is_dir() else settings.data_dir


def _read(path: Path, workspace_name: str | None, now_ms: int) -> Read:
    read = Read()
    try:
        with open_reading(path) as reading:
            schema = reading.schema()
            read = read._replace(schema=schema)
            read = read._replace(integrity=reading.integrity(INTEGRITY_LIMIT_S))
            if schema.fault is None and schema.number == schema.newest:
                read = read._replace(left=from_values(reading.read(kept())))
                read = read._replace(content=_content(reading, workspace_name, now_ms))
    except StoreError as error:
        return read._replace(unreadable=error.message)
    return read


def _content(reading: Reading, workspace_name: str | None, now_ms: int) -> Content:
    if workspace_name is not None and reading.read(workspaces.by_name(workspace_name)) is None:
        raise NotFound(f'there is no workspace "{workspace_name}"; relay workspaces list shows them')
    return reading.read(content(workspace_name, now_ms))


def _active(read: Read) -> Iterator[Examined]:
    found = read.content.subscriptions if read.content else ()
    return (one for one in found if one.subscription.state is SubscriptionState.ACTIVE)


def _target(guard: Guard, one: Subscription) -> Target | None:
    try:
        return guard.target(one.target_url)
    except TargetError:
        return None


def _secrets(settings: Settings, installation: Installation, data_dir: Path) -> Secrets | None:
    """What the server seals with, if it can be had here; no key is made."""
    if installation.key_is_set:
        given = settings.secret_key.get_secret_value().split(",") if settings.secret_key else []
    else:
        try:
            given = (data_dir / KEY_FILE).read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return None
    keys = [key.strip() for key in given if key.strip()]
    return Secrets(keys) if keys else None


def _not_opened(secrets: Secrets | None, read: Read) -> int | None:
    if secrets is None or read.content is None:
        return None
    return sum(not _opens(secrets, one.subscription.secret) for one in read.content.subscriptions)


def _opens(secrets: Secrets, sealed: str) -> bool:
    try:
        secrets.open(sealed)
    except RelayError:
        return False
    return True


async def _mail(settings: Settings, installation: Installation, secrets: Secrets | None) -> Mail | None:
    if installation.mail_server is None or installation.mail_from is None:
        return None
    smtp_url = _smtp_url(settings, installation, secrets)
    fault = await look_at_mail(smtp_url or installation.mail_server, installation.mail_from, installation.trust)
    return Mail(with_login=smtp_url is not None and "@" in smtp_url, fault=fault)


def _smtp_url(settings: Settings, installation: Installation, secrets: Secrets | None) -> str | None:
    """With the login in it."""
    if installation.sealed_smtp_url is None:
        return settings.smtp_url.get_secret_value() if settings.smtp_url else None
    if secrets is None:
        return None
    try:
        return secrets.open(installation.sealed_smtp_url)
    except RelayError:
        return None


async def _server(pid: int | None, installation: Installation) -> Server | None:
    if pid is None:
        return None
    if not installation.listens:
        return Server(pid, None, None)
    asked = installation.listens[0].replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    return Server(pid, asked, await ask_whether_ready(asked))
