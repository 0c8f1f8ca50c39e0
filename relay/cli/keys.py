"""`relay keys`: make, list and revoke API keys."""

from __future__ import annotations

import json
from typing import Any

import click

from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.cli.streams import need_stdout
from relay.core.errors import InputError, RelayError
from relay.core.keys import DEFAULT_SCOPES, SCOPES, new_key
from relay.settings import Settings, load_settings
from relay.table import table


@click.group()
def keys() -> None:
    """Make, list and revoke API keys; also while the server runs."""


@keys.command("create")
@click.option("--workspace", required=True, metavar="NAME", help="The workspace; made if there is none of that name.")
@click.option("--prefix", type=click.Choice(list(DEFAULT_SCOPES)), default="rp_live_", show_default=True)
@click.option("--scopes", metavar="A,B", help="What the key may do; by default what its prefix stands for.")
@click.option("--label", help="A note for yourself.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def keys_create(
    *, workspace: str, prefix: str, scopes: str | None, label: str | None, as_json: bool, **flags: Any
) -> None:
    """Make a key. It is shown once: only its hash is stored."""
    chosen = _scopes(scopes) if scopes is not None else DEFAULT_SCOPES[prefix]
    settings = load_settings(**flags)
    need_stdout()
    made = run(_create_key(settings, workspace, prefix, chosen, label))
    try:
        click.echo(json.dumps(made) if as_json else made["key"])
    except OSError:
        run(_forget_key(settings, made["id"]))
        raise
    if not as_json:
        may = ", ".join(made["scopes"])
        click.echo(f"({made['id']}, workspace {made['workspace']}, may use {may}; shown only now)", err=True)


def _scopes(text: str) -> frozenset[str]:
    chosen = frozenset(part.strip() for part in text.split(",") if part.strip())
    unknown = sorted(chosen - set(SCOPES))
    if unknown or not chosen:
        what = f'unknown scope "{unknown[0]}"' if unknown else "no scope named"
        raise InputError(f"{what}; scopes are: {', '.join(SCOPES)}")
    return chosen


async def _create_key(
    settings: Settings, workspace_name: str, prefix: str, scopes: frozenset[str], label: str | None
) -> dict[str, Any]:
    from relay.app import open_store, wall_clock
    from relay.store import environments, workspaces

    if not workspace_name.strip():
        raise InputError("the workspace needs a name")
    async with open_store(settings) as database:
        now_ms = wall_clock()
        workspace, _ = await database.write(environments.ensure(workspace_name.strip(), prefix, now_ms))
        key = new_key(prefix)
        stored = await database.write(workspaces.add_key(workspace.id, key, scopes, label, now_ms))
    if stored is None:
        raise RelayError("that key exists already; try again")
    return {
        "id": stored.id,
        "key": key,
        "workspace": workspace.name,
        "workspace_id": workspace.id,
        "prefix": prefix,
        "scopes": sorted(scopes),
        "label": label,
    }


async def _forget_key(settings: Settings, key_id: str) -> None:
    """A key that nobody has seen is good for nobody."""
    from relay.app import open_store, wall_clock
    from relay.store import workspaces

    async with open_store(settings) as database:
        await database.write(workspaces.revoke_key(key_id, wall_clock()))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def keys_list(*, as_json: bool, **flags: Any) -> None:
    """List keys by id and last four characters; the keys themselves are stored nowhere."""
    found = run(_list_keys(load_settings(**flags)))
    if as_json:
        click.echo(json.dumps({"keys": found}))
        return
    rows = [
        (
            row["id"],
            row["workspace"],
            f"{row['prefix']}…{row['last4']}",
            "revoked" if row["revoked_at"] else "live",
            row["label"] or "",
            " ".join(row["scopes"]),
        )
        for row in found
    ]
    click.echo(table(("id", "workspace", "key", "state", "label", "scopes"), rows))


async def _list_keys(settings: Settings) -> list[dict[str, Any]]:
    from relay.app import open_store
    from relay.store import workspaces

    async with open_store(settings, read_only=True) as database:
        found = await database.read(workspaces.list_keys())
    return [
        {
            "id": key.id,
            "workspace": name,
            "prefix": key.prefix,
            "last4": key.last4,
            "scopes": sorted(key.scopes),
            "label": key.label,
            "created_at": key.created_at_ms // 1000,
            "revoked_at": key.revoked_at_ms // 1000 if key.revoked_at_ms else None,
        }
        for name, key in found
    ]


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@click.option("--keep-hooks", is_flag=True, help="Leave the REST hooks that were subscribed with it.")
@database_options
@told_in_one_line
def keys_revoke(*, key_id: str, keep_hooks: bool, **flags: Any) -> None:
    """Revoke a key by its id, and end the REST hooks that were subscribed with it.

    A running server refuses the key within a second, and tells Zapier of its hooks, so that the Zaps are paused.
    """
    from relay.ending import revoke_key

    ended = run(revoke_key(load_settings(**flags), key_id, keep_hooks=keep_hooks))
    told = f"; Zapier is told of {counted(ended.told, 'target')}" if ended.told else ""
    click.echo(f"{key_id} is revoked; {counted(ended.subscriptions, 'hook')} ended{told}")
