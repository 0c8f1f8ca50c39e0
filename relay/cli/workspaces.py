"""`relay workspaces`: list and delete them."""

from __future__ import annotations

import json
from typing import Any

import click

from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.settings import load_settings
from relay.table import table


@click.group()
def workspaces() -> None:
    """List and delete workspaces; also while the server runs."""


@workspaces.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def workspaces_list(*, as_json: bool, **flags: Any) -> None:
    """List workspaces with their live keys and subscriptions, hooks included."""
    from relay.ending import list_workspaces

    found = run(list_workspaces(load_settings(**flags)))
    rows = [
        {
            "id": one.workspace.id,
            "name": one.workspace.name,
            "created_at": one.workspace.created_at_ms // 1000,
            "keys": one.keys,
            "subscriptions": one.subscriptions,
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"workspaces": rows}))
        return
    titles = ("id", "name", "keys", "subscriptions")
    click.echo(table(titles, [[row[title] for title in titles] for row in rows]))


@workspaces.command("delete")
@click.argument("name", metavar="NAME")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_options
@told_in_one_line
def workspaces_delete(*, name: str, yes: bool, **flags: Any) -> None:
    """Delete the workspace NAME for good: its keys, subscriptions, events and customers.

    Its keys and personal links stop working and its hooks end at once; its events and their log are gone within a
    quarter of an hour of a running server. A workspace that is called "default" is made anew at the next start.
    """
    from relay.ending import delete_workspace

    if not yes:
        click.confirm(f'Delete the workspace "{name}" with everything in it?', abort=True)
    ended = run(delete_workspace(load_settings(**flags), name))
    told = f"; Zapier is told of {counted(ended.told, 'target')}" if ended.told else ""
    what = f"{counted(ended.keys, 'key')} and {counted(ended.subscriptions, 'subscription')} ended{told}"
    click.echo(f'"{name}" is deleted; {what}')
