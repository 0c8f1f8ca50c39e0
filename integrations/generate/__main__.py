"""`python -m integrations.generate`: bring the generated files up to date with the catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from integrations.generate import files, source


@click.command()
@click.option("--server", metavar="URL", help="Ask a running Relay instead of reading files.")
@click.option("--key", envvar="RELAY_KEY", help="An API key for --server; better given as RELAY_KEY.")
@click.option("--types", type=click.Path(path_type=Path), help="A folder of event types of your own.")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 when something is out of date.")
def main(server: str | None, key: str | None, types: Path | None, check: bool) -> None:
    """Write the parts of the integrations that depend on the catalogue."""
    if server is not None and key is None:
        raise click.UsageError("--server needs a key: --key, or RELAY_KEY in the environment")
    try:
        event_types = source.from_files(types) if server is None else source.from_server(server, key or "")
    except Exception as error:
        raise click.ClickException(str(error)) from error
    paths = files.outdated(event_types) if check else files.write(event_types)
    for path in paths:
        click.echo(f"{'out of date' if check else 'written'}: integrations/{path}")
    if not paths:
        click.echo("everything is up to date")
    if check and paths:
        raise SystemExit(1)


main()
