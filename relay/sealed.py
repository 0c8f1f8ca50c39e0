"""What is sealed in the database: every start makes sure that all of it can be opened, a rotation seals it anew."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from relay.core.errors import InputError, StartError
from relay.core.signing import new_secret
from relay.settings import Settings
from relay.store import secrets as keys
from relay.store import subscriptions
from relay.store.database import Database
from relay.store.ownership import holder_of, owned, real_path
from relay.store.secrets import Secrets
from relay.store.sqlite import need_database, open_sqlite
from relay.store.subscriptions import Sealed

PAGE = 500


def keys_of(settings: Settings, *, make: bool = False) -> Secrets:
    """What opens the stored secrets; `make` makes a key in the data folder when none is set and none is there."""
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    return keys.load_secrets(given, settings.data_dir, make=make)


def keys_are_in(settings: Settings) -> str:
    """Where the keys are kept, in words."""
    return "RELAY_SECRET_KEY" if settings.secret_key else str(settings.data_dir / keys.KEY_FILE)


async def need_all_secrets(database: Database, secrets: Secrets, settings: Settings, now_ms: int) -> None:
    """Raise StartError unless every stored secret can be opened: now, and not at the delivery that cannot be signed."""
    count = lost = 0
    async for page in _pages(database, now_ms):
        count += len(page)
        lost += sum(not secrets.can_open(one.text) for one in page)
    if lost:
        raise StartError(
            f"{lost} of {count} signing secrets cannot be opened: they were sealed with a key that is not in"
            f" {keys_are_in(settings)}. Put it back behind the newest {_form(settings)}, and relay secrets rotate seals"
            " all anew; if it is lost, relay secrets rotate --replace-lost gives those subscriptions new secrets"
        )


def _form(settings: Settings) -> str:
    return "(RELAY_SECRET_KEY=newest,former)" if settings.secret_key else "(one key a line)"


async def _pages(database: Database, now_ms: int) -> AsyncIterator[list[Sealed]]:
    after: str | None = ""
    while after is not None:
        page, after = await database.read(subscriptions.sealed_page(after, PAGE, now_ms))
        yield page


@dataclass(slots=True)
class Rotated:
    """What a rotation did. A server that has to be started again first is named by its process."""

    sealed: int = 0
    """Now sealed with the newest key."""
    already: int = 0
    replaced: list[str] = field(default_factory=list)
    """The subscriptions with new secrets, since their own could not be opened."""
    lost: list[str] = field(default_factory=list)
    """Those whose secrets cannot be opened and were left as they are."""
    dropped: bool = False
    waits_for: str | None = None


async def rotate(settings: Settings, now_ms: int, *, new_key: bool, drop_old: bool, replace_lost: bool) -> Rotated:
    """Seal every stored secret with the newest key; also beside a server, and again after it was cut off.

    `new_key` first puts one in front of those in the data folder, `drop_old` at last leaves only the newest there.
    Raises RelayError with what to do first.
    """
    if (new_key or drop_old) and settings.secret_key:
        raise InputError("the keys are in RELAY_SECRET_KEY: put a new one in front there, take an old one out there")
    need_database(settings.database_path)
    path = real_path(settings.database_path)
    holder = holder_of(path)
    if new_key:
        # Of a rotation that was cut off here, the server knows an older one: that new key is still to be used.
        if holder is None or holder.note == keys_of(settings).fingerprint:
            keys.put_new_key(settings.data_dir)
        if holder is not None:
            return Rotated(waits_for=holder.pid)
    secrets = keys_of(settings)
    if holder is not None and holder.note != secrets.fingerprint:
        raise StartError(
            f"the server that runs (process {holder.pid}) seals with another key than the newest in"
            f" {keys_are_in(settings)} and could not open what is sealed anew: start it again with these keys first"
        )
    # No server may start meanwhile with other keys.
    with contextlib.nullcontext() if holder else owned(path):
        async with open_sqlite(path, serve=False) as database:
            done = await _seal_anew(database, secrets, now_ms, replace_lost=replace_lost)
    if drop_old and not done.lost:
        keys.drop_old_keys(settings.data_dir)
        done.dropped = True
    return done


async def _seal_anew(database: Database, secrets: Secrets, now_ms: int, *, replace_lost: bool) -> Rotated:
    done = Rotated()
    async for page in _pages(database, now_ms):
        anew: list[tuple[Sealed, str]] = []
        for one in page:
            if secrets.is_newest(one.text):
                done.already += 1
            elif secrets.can_open(one.text):
                anew.append((one, secrets.seal(secrets.open(one.text))))
                done.sealed += 1
            elif replace_lost:
                anew.append((one, secrets.seal(new_secret())))
                done.replaced.append(one.subscription_id)
            else:
                done.lost.append(one.subscription_id)
        if anew:
            await database.write(subscriptions.reseal(anew))
    return done
