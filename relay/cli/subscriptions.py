"""`relay subscriptions`: look after the subscriptions of every API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from relay.cli.command import database_options, run, told_in_one_line
from relay.core.errors import NotFound
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.core.model import Subscription
    from relay.store.database import Steps


@click.group()
def subscriptions() -> None:
    """Look after the subscriptions of every API, webhooks and hooks included; also while the server runs."""


@subscriptions.command()
@click.argument("subscription_id", metavar="ID")
@click.option("--now", "at_once", is_flag=True, help="End the earlier secrets at once, because one has leaked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def rotate(*, subscription_id: str, at_once: bool, as_json: bool, **flags: Any) -> None:
    """Give a subscription a new signing secret, which is shown once.

    For 48 hours the earlier ones sign beside it, at most five in all, where the signature has room for more than one:
    X-Webhook-Signature, X-RavePilot-Signature and webhook-signature. With --now they end at once; a running server
    knows within a second.
    """
    rotated, secret = run(_rotate(load_settings(**flags), subscription_id, at_once))
    if as_json:
        click.echo(json.dumps({"id": rotated.id, "api": rotated.api, "signing_secret": secret, "now": at_once}))
        return
    click.echo(secret)
    ended = "end now" if at_once else "sign for 48 hours more"
    click.echo(f"{rotated.id} ({rotated.api}) is signed with this secret; the earlier ones {ended}", err=True)


async def _rotate(settings: Settings, subscription_id: str, at_once: bool) -> tuple[Subscription, str]:
    from relay.app import open_store, wall_clock
    from relay.core.signing import new_secret
    from relay.sealed import keys_of
    from relay.store import subscriptions
    from relay.store.database import work

    @work
    def rotated(sealed: str) -> Steps[Subscription | None]:
        found = yield from subscriptions.to_send(subscription_id)
        if found is None or found.removed_at_ms is not None:
            return None
        return (yield from subscriptions.rotate(found, sealed, wall_clock(), at_once=at_once))

    async with open_store(settings) as database:
        secret = new_secret()
        one = await database.write(rotated(keys_of(settings).seal(secret)))
    if one is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    return one, secret
