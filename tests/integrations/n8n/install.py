"""Put the pinned n8n where the tests find it: `python3 tests/integrations/n8n/install.py`; it takes Python and npm.

It is big (1.8 GB) and slow (a few minutes), so it goes into a cache folder, `RELAY_TEST_CACHE` or `relay-tests` in the
user's, and is done once. Whoever asks while it is being done waits for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_FILES = ("package.json", "package-lock.json", ".npmrc")
_DONE = ".installed"
_COMMANDS = (
    "npm ci --ignore-scripts --no-audit --no-fund --loglevel=error",
    # Of all that could be compiled, n8n needs its database only.
    "npm rebuild sqlite3 --no-audit --no-fund --loglevel=error",
)


def install() -> Path:
    """The program `n8n`, installed if it is not there yet; raises CalledProcessError when that fails."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _DONE).exists():
            for name in _FILES:
                shutil.copy(_HERE / name, folder)
            for command in _COMMANDS:
                subprocess.run(command.split(), cwd=folder, check=True, stdin=subprocess.DEVNULL)
            (folder / _DONE).touch()
    return folder / "node_modules" / ".bin" / "n8n"


def _folder() -> Path:
    """Another one for other versions: what is installed never changes."""
    version = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()[:12]
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("RELAY_TEST_CACHE") or users / "relay-tests") / f"n8n-{version}"


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
