"""How the server was started last: what it leaves in its database, so that the doctor needs no environment of it."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from relay import __version__
from relay.catalogue import read_folder
from relay.settings import Settings, variable
from relay.store.secrets import Secrets

TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say whom TLS trusts."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Installation(BaseModel):
    """What matters of a start. A server of another version may have left more or less."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    started_at_ms: int
    listens: tuple[str, ...] = ()
    """Where it really listens, as URLs."""
    public_url: str | None = None
    """As it was set; None when it was not."""
    data_dir: str
    key_is_set: bool
    """Whether RELAY_SECRET_KEY was set; else the key is in the data folder."""
    allow_targets: str = ""
    own_addresses: tuple[tuple[str, int], ...] = ()
    retry_delays_s: tuple[float, ...] | None = None
    concurrency: int = 0
    descriptors: int = 0
    """How many files the process may have open."""
    mail_server: str | None = None
    """Scheme, host and port; None when no mail is sent."""
    sealed_smtp_url: str | None = None
    mail_from: str | None = None
    trust: dict[str, str] = {}
    proxies: tuple[str, ...] = ()
    """The names of variables that name one."""
    unknown: tuple[str, ...] = ()
    """The RELAY_ variables that mean nothing."""
    without_effect: tuple[tuple[str, str], ...] = ()
    """Settings that were given and change nothing, and why."""


def installation_of(
    settings: Settings,
    now_ms: int,
    secrets: Secrets | None,
    listens: Sequence[str] = (),
    own_addresses: frozenset[tuple[str, int]] = frozenset(),
    environment: Mapping[str, str] = os.environ,
) -> Installation:
    """What there is to know of a start with these settings. Without `secrets` nothing secret is kept."""
    smtp_url = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    return Installation(
        version=__version__,
        started_at_ms=now_ms,
        listens=tuple(listens),
        public_url=settings.public_url,
        data_dir=str(settings.data_dir.absolute()),
        key_is_set=settings.secret_key is not None,
        allow_targets=settings.allow_targets,
        own_addresses=tuple(sorted(own_addresses)),
        retry_delays_s=settings.retry_delays,
        concurrency=settings.delivery_concurrency,
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        mail_server=_without_login(smtp_url) if smtp_url else None,
        sealed_smtp_url=secrets.seal(smtp_url) if smtp_url and secrets else None,
        mail_from=settings.mail_from,
        trust={name: environment[name] for name in TRUST if environment.get(name)},
        proxies=tuple(sorted(name for name, value in environment.items() if value and name.lower() in _PROXIES)),
        unknown=settings.unknown,
        without_effect=tuple(_without_effect(settings, environment)),
    )


def as_values(installation: Installation) -> dict[str, str]:
    """What `store.installation.keep` takes."""
    return {name: json.dumps(value) for name, value in installation.model_dump(mode="json").items()}


def from_values(values: Mapping[str, str]) -> Installation | None:
    """The reverse; None when there is nothing, or nothing that this version understands."""
    try:
        found: dict[str, Any] = {name: json.loads(value) for name, value in values.items()}
        return Installation.model_validate(found)
    except (ValueError, ValidationError):
        return None


def _without_login(smtp_url: str) -> str:
    scheme, _, rest = smtp_url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].rstrip('/')}"


def _without_effect(settings: Settings, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    found = {
        variable(name): "a flag on the command line took its place"
        for name in settings.model_fields_set
        if settings.source(name) == "flag" and environment.get(variable(name))
    }
    if settings.admin_password is not None:
        found[variable("admin_password")] = "it is for the operator's console, which this version does not have"
    if settings.mail_from is not None and settings.smtp_url is None:
        found[variable("mail_from")] = "no mail is sent, because RELAY_SMTP_URL is not set"
    if settings.database is not None and settings.secret_key is not None and environment.get("RELAY_DATA_DIR"):
        found[variable("data_dir")] = "nothing is kept there: RELAY_DATABASE and RELAY_SECRET_KEY are both set"
    if settings.sample_events is not None and not read_folder(settings.sample_events):
        found[variable("sample_events")] = f"there is no <event type>.json in {settings.sample_events}"
    return sorted(found.items())
