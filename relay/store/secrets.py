"""Secrets at rest: what must be read again is encrypted, what is handed out is signed, both with one list of keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from itsdangerous import URLSafeSerializer

from relay.core.errors import StartError

KEY_FILE = "secret.key"


class Secrets:
    """Seals with the newest key, opens and verifies with any of them: the list is how a key is rotated."""

    def __init__(self, keys: list[str]) -> None:
        """`keys`: any texts, the newest first."""
        self._keys = keys
        fernets = [Fernet(base64.urlsafe_b64encode(_derived(key, "seal"))) for key in keys]
        self._newest, self._fernet = fernets[0], MultiFernet(fernets)
        # Opening costs tens of microseconds and a busy subscription's secret is needed for every attempt.
        self.open = lru_cache(maxsize=8192)(self._open)

    @property
    def fingerprint(self) -> str:
        """By which two processes know whether they seal with the same key."""
        return _derived(self._keys[0], "name").hex()[:16]

    def seal(self, text: str) -> str:
        """Encrypt a text for the database."""
        return self._fernet.encrypt(text.encode()).decode()

    def can_open(self, sealed: str) -> bool:
        return _opens(self._fernet, sealed)

    def is_newest(self, sealed: str) -> bool:
        """Whether a text was sealed with the newest key."""
        return _opens(self._newest, sealed)

    def _open(self, sealed: str) -> str:
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise StartError(
                "a stored secret cannot be opened: RELAY_SECRET_KEY is not the key it was stored with"
            ) from None

    def signer(self, salt: str) -> URLSafeSerializer:
        """A signer whose tokens never expire and are the same every time they are made from the same value."""
        oldest_first = [_derived(key, "sign") for key in reversed(self._keys)]
        return URLSafeSerializer(oldest_first, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})


def _derived(key: str, purpose: str) -> bytes:
    # One key serves several purposes, so each gets its own bytes.
    return hashlib.sha256(f"relay:{purpose}:{key}".encode()).digest()


def _opens(fernet: Fernet | MultiFernet, sealed: str) -> bool:
    try:
        fernet.decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def load_secrets(given: str | None, data_dir: Path, *, make: bool) -> Secrets:
    """The secrets of the keys in the settings (comma separated, newest first), else of those in the data folder.

    `make` makes a key there when there is none. Raises StartError, also for a key file that is missing.
    """
    if given:
        return Secrets([key.strip() for key in given.split(",") if key.strip()])
    file = data_dir / KEY_FILE
    if make:
        with contextlib.suppress(FileExistsError):
            _write_new(file, [secrets.token_urlsafe(32)])
    return Secrets(_read(file))


def put_new_key(data_dir: Path) -> None:
    """Make a key that seals from the next start on, in front of those in the data folder."""
    file = (data_dir / KEY_FILE).resolve()
    _write(file, [secrets.token_urlsafe(32), *(_read(file) if file.exists() else [])])


def drop_old_keys(data_dir: Path) -> None:
    """Leave only the newest key in the data folder."""
    file = (data_dir / KEY_FILE).resolve()
    _write(file, _read(file)[:1])


def _read(file: Path) -> list[str]:
    """The keys of a file, one a line, the newest first."""
    try:
        keys = [line.strip() for line in file.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise StartError(
            f"the key file {file} is missing: put the one back that belongs to this database, or set RELAY_SECRET_KEY"
            " if the key was there; no new one is made, since that would open nothing that is stored"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, error) from error
    if not keys:
        raise StartError(f"the key file {file} is empty; restore it, or delete it if the database is new")
    return keys


def _write(file: Path, keys: list[str]) -> None:
    """Replace a key file: whatever happens, it is the one before or the one after."""
    arriving = file.with_name(f"{file.name}.new")
    try:
        arriving.unlink(missing_ok=True)  # of a process that was cut off
        _write_new(arriving, keys)
        arriving.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unusable(file, error) from error


def _write_new(file: Path, keys: list[str]) -> None:
    """Make a key file for its owner only. Raises FileExistsError when there is one."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write("".join(f"{key}\n" for key in keys))
            handle.flush()
            os.fsync(handle.fileno())
    except FileExistsError:
        raise
    except OSError as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: OSError | UnicodeDecodeError) -> StartError:
    why = error.strerror if isinstance(error, OSError) else "it is no text"
    return StartError(f"cannot use the key file {file}: {why}")
