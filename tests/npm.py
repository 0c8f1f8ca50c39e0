"""npm packages that tests need, pinned by lock files: `python3 -m tests.npm [NAME …]` installs them.

It takes Python and npm alone. A plain `pytest` installs nothing. What is not part of the project, and big and slow to
come, goes into a cache folder, `RELAY_TEST_CACHE` or `relay-tests` in the user's, once for each version. Whoever asks
for packages while they are being installed waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]
_FILES = ("package.json", "package-lock.json", ".npmrc")
_QUIET = ("--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True)
class Packages:
    """What one folder with a `package.json` asks for."""

    name: str
    folder: Path
    compiled: tuple[str, ...] = ()
    """Of all that could be compiled, what has to be; no other install script runs in the cache folder."""
    in_place: bool = False
    """Whether they belong beside their `package.json`: it is a part of the project, which is tested where it is."""

    @property
    def lock_file(self) -> Path:
        return self.folder / "package-lock.json"

    @property
    def advice(self) -> str:
        return f"{self.name} is not installed: run python3 -m tests.npm {self.name}"

    def install(self) -> None:
        """Install them, unless they are there already. Whoever calls this has the lock. Raises CalledProcessError."""
        if self._is_done():
            return
        place = self._place()
        if self.in_place:
            _npm(place, "ci")
        else:
            place.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                shutil.copy(self.folder / name, place)
            _npm(place, "ci", "--ignore-scripts")
            if self.compiled:
                _npm(place, "rebuild", *self.compiled)
        self._stamp().write_text(self._version())

    def installed(self) -> Path | None:
        """The folder of their programs, or None. Waits while they are being installed."""
        with self.locked():
            return self._place() / "node_modules" / ".bin" if self._is_done() else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        cache = _cache()
        cache.mkdir(parents=True, exist_ok=True)
        # Of this checkout and no other, where the packages are.
        where = hashlib.sha256(str(self._place()).encode()).hexdigest()[:12]
        with (cache / f"{self.name}-{where}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _is_done(self) -> bool:
        stamp = self._stamp()
        return stamp.is_file() and (not self.in_place or stamp.read_text() == self._version())

    def _stamp(self) -> Path:
        # `npm ci` removes node_modules first, and the stamp in it; a cache folder has the version in its name.
        return self._place() / ("node_modules/.installed" if self.in_place else ".installed")

    def _place(self) -> Path:
        return self.folder if self.in_place else _cache() / f"{self.name}-{self._version()}"

    def _version(self) -> str:
        return hashlib.sha256(b"".join((self.folder / name).read_bytes() for name in _FILES)).hexdigest()[:12]


def _cache() -> Path:
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("RELAY_TEST_CACHE") or users / "relay-tests")


def _npm(folder: Path, *arguments: str) -> None:
    subprocess.run(["npm", *arguments, *_QUIET], cwd=folder, check=True, stdin=subprocess.DEVNULL)


DOCUMENT_TOOLS = Packages("document-tools", _CHECKOUT / "tests" / "apis" / "contract" / "npm")
ZAPIER, ACTIVEPIECES, N8N_NODES = (
    Packages(name, _CHECKOUT / "integrations" / folder, in_place=True)
    for name, folder in (("zapier", "zapier"), ("activepieces", "activepieces"), ("n8n-nodes", "n8n"))
)
N8N = Packages("n8n", _CHECKOUT / "tests" / "integrations" / "n8n", compiled=("sqlite3",))
ALL = {one.name: one for one in (DOCUMENT_TOOLS, ZAPIER, ACTIVEPIECES, N8N_NODES, N8N)}
"""The big one last."""


def main(names: Iterable[str]) -> int:
    """Install these, or all; 1 when one could not be."""
    wanted = [ALL[name] for name in names] or list(ALL.values())
    failed = 0
    with contextlib.ExitStack() as last:
        # All are taken at once: a test must not find the last of them neither there nor under way.
        held = [(one, last.enter_context(contextlib.ExitStack())) for one in wanted]
        for one, stack in held:
            stack.enter_context(one.locked())
        for one, stack in held:
            with stack:
                try:
                    one.install()
                except subprocess.CalledProcessError as error:
                    sys.stderr.write(f"{one.name}: {error}\n")
                    failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
