"""Secrets at rest: what must be read again is encrypted, what is handed out is signed, both with one list of keys."""

from __future__ import annotations

import base64
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
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key, "seal"))) for key in keys])
        # Opening costs tens of microseconds and a busy subscription's secret is needed for every attempt.
        self.open = lru_cache(maxsize=8192)(self._open)

    def seal(self, text: str) -> str:
        """Encrypt a text for the database."""
        return self._fernet.encrypt(text.encode()).decode()

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
    # One key serves two purposes, so each gets its own bytes.
    return hashlib.sha256(f"relay:{purpose}:{key}".encode()).digest()


def load_secrets(given: str | None, data_dir: Path) -> Secrets:
    """The secrets of the keys in the settings (comma separated, newest first), else of the key in the data folder.

    The first start without a setting makes that key, readable by its owner only.
    """
    if given:
        return Secrets([key.strip() for key in given.split(",") if key.strip()])
    file = data_dir / KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w") as handle:
                handle.write(secrets.token_urlsafe(32) + "\n")
                handle.flush()
                os.fsync(handle.fileno())
        key = file.read_text().strip()
    except OSError as error:
        raise StartError(f"cannot use the key file {file}: {error.strerror}") from error
    if not key:
        raise StartError(f"the key file {file} is empty; restore it, or delete it if the database is new")
    return Secrets([key])
