"""The command line: serve, try, trigger events, back up, restore, show the settings; groups of commands have files."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay import __version__
from relay.cli.command import counted, database_options, run, told_in_one_line
from relay.cli.doctor import doctor
from relay.cli.hooks import hooks
from relay.cli.keys import keys
from relay.cli.secrets import secrets
from relay.cli.streams import Commands, give_up_stdout, need_stdout, told
from relay.cli.subscriptions import subscriptions
from relay.cli.workspaces import workspaces
from relay.core.errors import RelayError, StartError
from relay.core.keys import DEFAULT_SCOPES
from relay.log import configure_logging
from relay.settings import Settings, describe, load_settings, unknown_ones
from relay.table import table

if TYPE_CHECKING:
    from relay.app import Running
    from relay.store.backup import Contents


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """Relay: a self-hosted REST Hook integration server."""


main.add_command(keys)
main.add_command(doctor)
main.add_command(hooks)
main.add_command(workspaces)
main.add_command(secrets)
main.add_command(subscriptions)


@main.command()
@click.option("--host", metavar="ADDRESSES", help="The addresses to listen on, separated by commas (127.0.0.1).")
@click.option("--port", type=int, help="The port to listen on (8000); 0 for any free one.")
@database_options
@told_in_one_line
def serve(**flags: Any) -> None:
    """Serve the APIs and deliver events, until SIGTERM or Ctrl-C."""
    _tell_unknown()
    settings = load_settings(**flags)
    configure_logging(settings.log_format)
    if not settings.database_path.exists():
        need_stdout()
    run(_serve(settings))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    # A name look-up that hangs in the system's library cannot be cancelled, and Python would wait for its thread.
    os._exit(0)


def _tell_unknown() -> None:
    for line in unknown_ones():
        click.echo(f"relay: {line}", err=True)


async def _serve(settings: Settings) -> None:
    from relay.app import running

    stop = _stop_on_signals()
    async with running(settings, announce=lambda relay: _announce(settings, relay)) as relay:
        # What is there now stays for good: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        ends: list[asyncio.Future[Any]] = [stop, relay.database.damaged]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if relay.database.damaged.done():
            raise relay.database.damaged.result()


def _announce(settings: Settings, relay: Running) -> None:
    """Say where it listens, and show the first keys; without those it can do without anybody who listens to it."""
    from relay.app import DEFAULT_WORKSPACE, FIRST_PREFIXES

    public_url = settings.public_url or f"not set; links lead to {relay.url}"
    lines = [
        f"Relay {__version__} listens on {' and '.join(relay.sockets)}",
        f"Data folder: {settings.data_dir.absolute()}",
        f"Public URL: {public_url}",
    ]
    if relay.database.path.parent != settings.data_dir.resolve():
        lines.insert(2, f"Database: {relay.database.path}")
    if relay.first_keys:
        lines.append(f'\nThe first API keys of the workspace "{DEFAULT_WORKSPACE}", shown only now:\n')
        for prefix, key in zip(FIRST_PREFIXES, relay.first_keys, strict=True):
            lines.append(f"  {key}   ({', '.join(sorted(DEFAULT_SCOPES[prefix]))})")
        lines.append(f"\nOpen {relay.url}/ for the first steps. More keys: relay keys create --workspace NAME\n")
    try:
        if relay.first_keys:
            need_stdout()
        click.echo("\n".join(lines))
    except OSError as error:
        give_up_stdout()
        if relay.first_keys:
            raise RelayError(f"{told(error)}; the first keys could not be shown, so none were made") from None
        click.echo(f"relay: {told(error)}; it serves all the same", err=True)


def _stop_on_signals() -> asyncio.Future[None]:
    """Done at the first SIGTERM or Ctrl-C; the second ends the process on the spot."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def asked() -> None:
        if stop.done():
            os._exit(1)
        stop.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


@main.command()
@click.option("--keep", is_flag=True, help="Keep the temporary folder and say where it is.")
@told_in_one_line
def demo(*, keep: bool) -> None:
    """Show the whole loop on this machine: subscribe, publish, receive, verify, retry."""
    from relay.demo import run_demo

    configure_logging("pretty", level=logging.WARNING)
    run(run_demo(keep=keep, wait=sys.stdin.isatty()))


@main.command()
@click.option("--quick/--long", default=True, help="Under a minute (the default), or four times as much and 50/s too.")
@click.option("--only", multiple=True, metavar="NAME", help="This scenario alone; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@told_in_one_line
def bench(*, quick: bool, only: tuple[str, ...], as_json: bool) -> None:
    """Measure Relay on this machine, in a temporary folder and on loopback only; stops by itself."""
    from relay.bench.run import run_bench

    run(run_bench(long=not quick, as_json=as_json, only=only))


@main.command()
@click.argument("event_type")
@click.option("--workspace", default="default", show_default=True, metavar="NAME")
@click.option("--data", metavar="JSON", help="An object whose members replace those of the sample.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def trigger(*, event_type: str, workspace: str, data: str | None, as_json: bool, **flags: Any) -> None:
    """Publish the catalogue's sample event of a type, for real."""
    from relay.trigger import trigger_sample

    published = run(trigger_sample(load_settings(**flags), event_type, workspace, data))
    count = len(published.deliveries)
    if as_json:
        click.echo(json.dumps({"event_id": published.event.id, "event_type": event_type, "deliveries": count}))
    else:
        who = "1 subscription gets" if count == 1 else f"{count} subscriptions get"
        click.echo(f"{event_type} published as {published.event.id}; {who} it")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def backup(*, file: Path, as_json: bool, **flags: Any) -> None:
    """Copy the database into FILE, whole and as of one moment; also while the server runs."""
    from relay.sealed import keys_are_in
    from relay.store.backup import back_up

    chosen = load_settings(**flags)
    contents = back_up(chosen.database_path, file, _opener(chosen))
    if as_json:
        click.echo(json.dumps({"file": str(file), **contents._asdict()}))
        return
    click.echo(f"{file}: {contents.events} events, {contents.pending} deliveries pending, {contents.size_bytes} bytes")
    click.echo(f"Keep {keys_are_in(chosen)} with it: without the key its signing secrets cannot be opened.", err=True)
    _tell_unreadable(contents, keys_are_in(chosen))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@database_options
@told_in_one_line
def restore(*, file: Path, as_json: bool, **flags: Any) -> None:
    """Put the backup FILE in the place of the database. The server must be stopped; the former file is kept.

    The next start sends whatever was pending in the backup, under the same delivery ids: also what has been delivered
    since the backup was made.
    """
    from relay.sealed import keys_are_in
    from relay.store.backup import restore as restore_file

    chosen = load_settings(**flags)
    contents, kept = restore_file(file, chosen.database_path, _opener(chosen))
    if as_json:
        kept_at = str(kept) if kept else None
        click.echo(json.dumps({"database": str(chosen.database_path), "kept": kept_at, **contents._asdict()}))
        return
    click.echo(f"{chosen.database_path} is restored from {file}: {contents.events} events")
    if kept:
        click.echo(f"The former file is kept as {kept}")
    click.echo(
        f"At the next start {contents.pending} deliveries that were pending in the backup are sent, under the same ids,"
        "\nalso those that have been delivered since: receivers drop these by webhook-id. What was published since"
        f"\nis not in the backup. The key that belongs to it: {keys_are_in(chosen)}"
    )
    _tell_unreadable(contents, keys_are_in(chosen))


def _opener(chosen: Settings) -> Callable[[str], bool] | None:
    from relay.sealed import keys_of

    try:
        return keys_of(chosen).can_open
    except StartError:
        return None


def _tell_unreadable(contents: Contents, place: str) -> None:
    if contents.unreadable:
        click.echo(
            f"{counted(contents.unreadable, 'signing secret')} in it cannot be opened with {place}: the server"
            " starts only with the key they were sealed with",
            err=True,
        )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--host", metavar="ADDRESSES")
@click.option("--port", type=int)
@database_options
@told_in_one_line
def settings(*, as_json: bool, **flags: Any) -> None:
    """Show the effective settings, secrets hidden; ends with 1 when relay serve would refuse them."""
    from relay.app import check

    _tell_unknown()
    chosen = load_settings(**flags)
    check(chosen)
    rows = describe(chosen)
    if as_json:
        click.echo(json.dumps({row.name: {"value": row.value_shown, "source": row.source} for row in rows}))
        return
    click.echo(
        table(
            ("setting", "value", "from", "what it does"),
            [(row.name, row.value_shown, row.source, row.help) for row in rows],
        )
    )
