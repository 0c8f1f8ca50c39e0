"""Commands: what they may make, and what they do when their output leads nowhere or knows few letters."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.store import workspaces
from relay.store.migrate import Migration, load_migrations, migrate
from relay.store.sqlite import dialect, open_sqlite
from tests.conftest import KEY, StartRelay
from tests.whole.process import environment, free_port

READING = (
    ("keys", "list"),
    ("workspaces", "list"),
    ("hooks", "doctor"),
    ("backup", "copy.db"),
)
WRITING = (
    ("keys", "create", "--workspace", "acme"),
    ("keys", "revoke", "key_1"),
    ("workspaces", "delete", "default", "--yes"),
    ("trigger", "clip.approved"),
    ("secrets", "rotate"),
    ("secrets", "rotate", "--new-key"),
)


def files(folder: Path) -> dict[str, bytes]:
    """Everything below it but SQLite's own files beside a served database."""
    found = (one for one in folder.rglob("*") if one.is_file() and not one.name.endswith(("-wal", "-shm")))
    return {str(one.relative_to(folder)): one.read_bytes() for one in found}


@pytest.mark.parametrize("command", [*READING, *WRITING], ids=" ".join)
@pytest.mark.parametrize("place", ["--data-dir", "--database", "none"])
def test_only_serve_and_restore_make_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options, looked_for = {
        "--data-dir": (["--data-dir", "wrong"], "wrong/relay.db"),
        "--database": (["--database", "sqlite:///nowhere/else.db"], "nowhere/else.db"),
        "none": ([], "relay-data/relay.db"),
    }[place]
    ended = CliRunner().invoke(main, [*command, *options])
    assert (ended.exit_code, ended.stdout) == (1, "")
    where = "name its folder with --data-dir, or make one with relay serve"
    assert ended.stderr == f"Error: there is no database {tmp_path / looked_for}; {where}\n"
    assert list(tmp_path.iterdir()) == []


async def shell(folder: Path, line: str, **settings: str) -> tuple[int, str, str]:
    """Run a line of shell to its end: exit code, stdout, stderr. `relay` is what is tested."""
    process = await started(folder, line, **settings)
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


async def started(folder: Path, line: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        line.replace("relay ", f"exec {sys.executable} -m relay ", 1) if line.startswith("relay ") else line,
        cwd=folder,
        env={**environment(**settings), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def older_file(path: Path) -> None:
    first, *_ = [Migration(one.number, one.name, dialect(one.text)) for one in load_migrations()]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, [first], path)
    connection.close()


def newer_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        migrate(connection, [Migration(m.number, m.name, dialect(m.text)) for m in load_migrations()], path)
        connection.execute("INSERT INTO migrations VALUES (9999, 'later', 'x')")
    connection.close()


def foreign_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE something (id)")
    connection.close()


@pytest.mark.parametrize("command", [READING[0], *WRITING], ids=" ".join)
def test_only_serve_migrates(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Beside an older server that runs, or that is to run again."""
    data_dir = tmp_path / "relay"
    for make, says in (
        (older_file, "is of an older Relay (schema 1, this one needs"),
        (newer_file, "was written by a newer Relay (schema 9999"),
        (foreign_file, "is no database of Relay"),
        (Path.touch, "is no database of Relay"),
    ):
        data_dir.mkdir()
        (data_dir / "secret.key").write_text("a key of this data folder\n")
        make(data_dir / "relay.db")
        before = files(data_dir)
        ended = CliRunner().invoke(main, [*command, "--data-dir", str(data_dir)])
        after = files(data_dir)
        # The side file says who holds a database; a new key waits in front until something is sealed with it.
        after.pop("relay.db.lock", None)
        if "--new-key" in command:
            after["secret.key"] = after["secret.key"].splitlines(keepends=True)[-1]
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert says in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert after == before
        for one in data_dir.iterdir():
            one.unlink()
        data_dir.rmdir()


def test_what_only_reads_leaves_no_file_behind(tmp_path: Path) -> None:
    asyncio.run(made(tmp_path))
    (tmp_path / "relay.db.lock").unlink()
    before = (tmp_path / "relay.db").read_bytes()
    for command in READING:
        if command[0] == "backup":
            continue
        ended = CliRunner().invoke(main, [*command, "--data-dir", str(tmp_path)])
        assert (ended.exit_code, ended.stderr) == (0, "")
    assert [one.name for one in tmp_path.iterdir()] == ["relay.db"]
    assert (tmp_path / "relay.db").read_bytes() == before


async def made(data_dir: Path) -> str:
    """A database with a key, whose id it gives; as of a server that has stopped."""
    async with open_sqlite(data_dir / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("Zoë 日本", 1))
        added = await database.write(
            workspaces.add_key(workspace.id, KEY, frozenset({"hooks"}), "naïve \u202e\x1b[31m …", 1)
        )
    assert added is not None
    return added.id


DEAD_OUTPUTS = {
    "full": (">/dev/full", "cannot write to standard output: No space left on device"),
    "closed": (">&-", "cannot write to standard output: Bad file descriptor"),
}


@pytest.mark.parametrize("output", DEAD_OUTPUTS)
async def test_a_first_start_that_cannot_show_its_keys_makes_nothing(tmp_path: Path, output: str) -> None:
    redirection, why = DEAD_OUTPUTS[output]
    code, _, err = await shell(tmp_path, f"relay serve --port 0 {redirection}")
    assert (code, err) == (1, f"Error: {why}\n")
    assert list(tmp_path.iterdir()) == []
    assert "rp_live_" in await first_output(tmp_path)


async def test_first_keys_that_fail_to_be_shown_at_last_are_not_kept(tmp_path: Path) -> None:
    """What can be asked beforehand says nothing of a file that is as long as it may be."""
    code, _, err = await shell(tmp_path, f"{AT_ITS_LIMIT} {sys.executable} -m relay serve --port 0 >> out")
    assert code == 1
    assert err == (
        "Error: cannot write to standard output: File too large; the first keys could not be shown, so none were made\n"
    )
    assert "rp_live_" in await first_output(tmp_path)


AT_ITS_LIMIT = "head -c 2048000 /dev/zero > out; ulimit -f 2000;"


async def test_a_first_start_that_nobody_reads_makes_nothing(tmp_path: Path) -> None:
    code, _, err = await shell(tmp_path, f"{sys.executable} -m relay serve --port 0 > >(exec >&- <&-)")
    assert (code, err) == (1, "Error: cannot write to standard output: nobody reads it any more\n")
    assert list(tmp_path.iterdir()) == []


async def first_output(folder: Path) -> str:
    """What a start prints until it listens and has shown what it has to show."""
    async with serving(folder, "relay serve --port 0") as process:
        assert process.stdout is not None
        return (await process.stdout.read(65536)).decode()


@contextlib.asynccontextmanager
async def serving(folder: Path, line: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server, until the block ends; then it must end in order."""
    process = await started(folder, line, **settings)
    try:
        async with asyncio.timeout(30):
            yield process
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("redirection", [">/dev/full", ">&- 2>&- <&-", "2>/dev/full", "> >(head -1)"])
async def test_a_later_start_does_without_anybody_who_reads(
    tmp_path: Path, start_relay: StartRelay, redirection: str
) -> None:
    async with start_relay():
        pass
    port = free_port()
    async with serving(tmp_path, f"relay serve --port {port} --data-dir relay {redirection}"):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "nothing was printed into it"


@pytest.mark.parametrize("output", DEAD_OUTPUTS)
@pytest.mark.parametrize("as_json", ["", "--json"])
async def test_a_key_that_nobody_saw_is_not_kept(tmp_path: Path, output: str, as_json: str) -> None:
    await made(tmp_path / "relay-data")
    redirection, why = DEAD_OUTPUTS[output]
    code, _, err = await shell(tmp_path, f"relay keys create --workspace acme {as_json} {redirection}")
    assert (code, err) == (1, f"Error: {why}\n")
    async with open_sqlite(tmp_path / "relay-data" / "relay.db", serve=False) as database:
        assert len(await database.read(workspaces.list_keys())) == 1
        assert await database.read(workspaces.by_name("acme")) is None


async def test_a_key_that_fails_to_be_shown_at_last_is_revoked(tmp_path: Path) -> None:
    await made(tmp_path / "relay-data")
    line = f"{AT_ITS_LIMIT} {sys.executable} -m relay keys create --workspace acme >> out"
    code, _, err = await shell(tmp_path, line)
    assert (code, err) == (1, "Error: cannot write to standard output: File too large\n")
    async with open_sqlite(tmp_path / "relay-data" / "relay.db", serve=False) as database:
        assert [key.revoked_at_ms is None for _, key in await database.read(workspaces.list_keys())] == [True, False]


@pytest.mark.parametrize("output", DEAD_OUTPUTS)
@pytest.mark.parametrize("command", ["settings --json", "keys list", "--help"])
async def test_what_cannot_be_written_is_one_line_and_a_failure(tmp_path: Path, output: str, command: str) -> None:
    await made(tmp_path / "relay-data")
    redirection, why = DEAD_OUTPUTS[output]
    code, _, err = await shell(tmp_path, f"relay {command} {redirection}")
    assert (code, err) == (1, f"Error: {why}\n")


UTF_8_OFF = "PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"


@pytest.mark.parametrize(
    ("command", "encoding"),
    [
        ("keys list", "PYTHONIOENCODING=ascii"),
        ("keys list", UTF_8_OFF),
        ("workspaces list", "PYTHONIOENCODING=latin-1"),
        ("settings", UTF_8_OFF),
    ],
)
async def test_a_terminal_of_few_letters_gets_every_table(tmp_path: Path, command: str, encoding: str) -> None:
    key_id = await made(tmp_path / "relay-data")
    line = f"LC_ALL=POSIX {encoding} COLUMNS=20 {sys.executable} -m relay {command}"
    code, out, err = await shell(tmp_path, line)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert (key_id in out) == (command == "keys list")


async def test_an_argument_that_is_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    await made(tmp_path / "relay-data")
    code, out, err = await shell(tmp_path, "relay keys create --workspace $'caf\\xe9' --label $'\\xff'")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
