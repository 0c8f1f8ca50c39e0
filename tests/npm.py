"""npm packages that tests need, pinned by lock files: `python3 -m tests.npm NAME …` installs them.

It takes Python and npm alone. A plain `pytest` installs nothing. They are big and slow to come, so they go into a cache
folder, `RELAY_TEST_CACHE` or `relay-tests` in the user's, once for each version; whoever asks for them meanwhile waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TESTS = Path(__file__).resolve().parent
_FILES = ("package.json", "package-lock.json", ".npmrc")
_QUIET = ("--no-audit", "--no-fund", "--loglevel=error")
_DONE = ".installed"


@dataclass(frozen=True)
class Packages:
    """What one folder with a `package.json` asks for."""

    name: str
    folder: Path
    compiled: tuple[str, ...] = ()
    """Of all that could be compiled, what has to be; other install scripts do not run."""

    @property
    def lock_file(self) -> Path:
        return self.folder / "package-lock.json"

    @property
    def advice(self) -> str:
        return f"{self.name} is not installed: run python3 -m tests.npm {self.name}"

    def install(self) -> Path:
        """The folder of their programs, installed if they are not there yet. Raises CalledProcessError."""
        cache = self._cache()
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (cache / _DONE).exists():
                for name in _FILES:
                    shutil.copy(self.folder / name, cache)
                _npm(cache, "ci", "--ignore-scripts")
                if self.compiled:
                    _npm(cache, "rebuild", *self.compiled)
                (cache / _DONE).touch()
        return cache / "node_modules" / ".bin"

    def installed(self) -> Path | None:
        """The folder of their programs, or None. Waits while they are being installed."""
        cache = self._cache()
        if not cache.is_dir():
            return None
        with (cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return cache / "node_modules" / ".bin" if (cache / _DONE).exists() else None

    def _cache(self) -> Path:
        """Another one for other versions: what is installed never changes."""
        version = hashlib.sha256(b"".join((self.folder / name).read_bytes() for name in _FILES)).hexdigest()[:12]
        users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return Path(os.environ.get("RELAY_TEST_CACHE") or users / "relay-tests") / f"{self.name}-{version}"


def _npm(folder: Path, *arguments: str) -> None:
    subprocess.run(["npm", *arguments, *_QUIET], cwd=folder, check=True, stdin=subprocess.DEVNULL)


N8N = Packages("n8n", _TESTS / "integrations" / "n8n", compiled=("sqlite3",))
DOCUMENT_TOOLS = Packages("document-tools", _TESTS / "apis" / "contract" / "npm")
ALL = {one.name: one for one in (N8N, DOCUMENT_TOOLS)}

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        sys.stdout.write(f"{ALL[name].install()}\n")
