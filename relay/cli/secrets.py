"""`relay secrets`: seal what is stored with a new key."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.core.errors import RelayError
from relay.settings import load_settings


@click.group()
def secrets() -> None:
    """Look after the keys that stored signing secrets are sealed with."""


@secrets.command()
@click.option("--new-key", is_flag=True, help="First make a new key in the data folder.")
@click.option("--drop-old", is_flag=True, help="At last leave only the newest key in the data folder.")
@click.option("--replace-lost", is_flag=True, help="Make new signing secrets for those that no key opens.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def rotate(*, new_key: bool, drop_old: bool, replace_lost: bool, as_json: bool, **flags: Any) -> None:
    """Seal every stored signing secret anew with the newest key; also while the server runs, and as often as you like.

    The newest key is the first in RELAY_SECRET_KEY; put it there, and start the server again, before. Without that
    setting it is the first line of secret.key in the data folder, and --new-key makes one. The signing secrets
    themselves stay as they are. A key that is taken out afterwards ends the personal links that were made with it.

    Ends with 1 when a secret could not be opened.
    """
    from relay.app import wall_clock
    from relay.sealed import keys_are_in, rotate

    chosen = load_settings(**flags)
    done = run(rotate(chosen, wall_clock(), new_key=new_key, drop_old=drop_old, replace_lost=replace_lost))
    if as_json:
        click.echo(json.dumps(asdict(done)))
    elif done.waits_for is not None:
        click.echo(f"A new key is in front of {keys_are_in(chosen)}, and nothing is sealed with it yet.")
        click.echo(f"Start the server (process {done.waits_for}) again, then run relay secrets rotate.")
    else:
        click.echo(f"{counted(done.sealed, 'signing secret')} sealed anew, {done.already} had the newest key already")
        for subscription_id in dict.fromkeys(done.replaced):
            click.echo(f"{subscription_id} has a new signing secret: rotate it, or subscribe anew, to learn it")
        if done.dropped:
            click.echo(f"Only the newest key is left in {keys_are_in(chosen)}")
    if done.lost:
        whose = ", ".join(dict.fromkeys(done.lost))
        raise RelayError(
            f"{counted(len(done.lost), 'signing secret')} cannot be opened with {keys_are_in(chosen)} and stay as they"
            f" are, of {whose}: put the key they were sealed with behind the newest, or use --replace-lost"
        )
