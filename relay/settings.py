"""Every setting of Relay: `RELAY_<NAME>` in the environment, a secret also as `RELAY_<NAME>_FILE`, flags win."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from yarl import URL

from relay.core.errors import StartError
from relay.core.keys import prefix_of
from relay.core.sender import parse_sender

PREFIX = "RELAY_"
LONGEST_DELAY_S = 30 * 24 * 3600
SHORTEST_KEY = 16

_HOST_BRACKETS = re.compile(r"^\[(.+)\]$")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")


def _setting(default: Any, help_text: str, must: str = "", **limits: Any) -> Any:
    """A field with the text the docs print, and what its error says a value must be."""
    return Field(default=default, description=help_text, json_schema_extra={"must": must}, **limits)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads a secret from the file that `RELAY_<NAME>_FILE` names; one line end at its end is dropped."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = variable(field_name)
        path = os.environ.get(f"{name}_FILE")
        if not is_secret(field) or not path:
            return None, field_name, False
        if os.environ.get(name):
            raise StartError(f"{name} and {name}_FILE are both set: keep one of them")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise StartError(f"{name}_FILE must name a readable file: {path!r} ({why})") from None
        return text.removesuffix("\n").removesuffix("\r"), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value}


class Settings(BaseSettings):
    """The effective settings; `load_settings` makes them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = _setting(
        "127.0.0.1",
        "The addresses to listen on, separated by commas: 0.0.0.0 for every network, :: for IPv6 and IPv4 alike.",
        "addresses or host names separated by commas, without ports",
    )
    port: int = _setting(
        8000, "The port to listen on; 0 takes any free one.", "a whole number from 0 to 65535", ge=0, le=65535
    )
    database: str | None = _setting(
        None, "Where the data is kept: sqlite:///<path>. By default relay.db in the data folder.", "sqlite:///<path>"
    )
    data_dir: Path = _setting(
        Path("relay-data"), "The folder for the database, generated secrets and media; made if missing.", "a path"
    )
    secret_key: SecretStr | None = _setting(
        None,
        "Encrypts signing secrets at rest and signs links. Several, separated by commas, newest first, rotate it. "
        "By default one is generated into the data folder.",
        "one or several texts separated by commas",
    )
    public_url: str | None = _setting(
        None,
        "The URL under which others reach Relay, for links in mails and events. By default from host and port.",
        "an http or https URL",
    )
    bootstrap_key: SecretStr | None = _setting(
        None, "A whole API key that is made sure to exist, with every scope, in the workspace named default.", "a key"
    )
    admin_password: SecretStr | None = _setting(
        None, "The password of the operator's console, which this version does not have yet.", "a text"
    )
    allow_targets: str = _setting(
        "",
        "Private targets that may be posted to, also over plain http: hosts or CIDR ranges, each with an optional "
        "port, separated by commas.",
        "hosts or CIDR ranges separated by commas",
    )
    retry_delays: Annotated[tuple[float, ...] | None, NoDecode] = _setting(
        None,
        "The seconds before each retry, separated by commas, in place of every API's own schedule.",
        f"numbers of seconds from 0 to {LONGEST_DELAY_S} separated by commas, such as 1,1,1",
    )
    rate_limit: int = _setting(
        6000,
        "Requests a minute that a workspace may make to the Webhook Relay API; 0 for no limit.",
        "a whole number from 0 to 1000000000",
        ge=0,
        le=1_000_000_000,
    )
    delivery_timeout: float = _setting(
        30.0,
        "The seconds one POST may take, from connecting to the end of the answer.",
        "a number of seconds above 0 and up to 300",
        gt=0,
        le=300,
        allow_inf_nan=False,
    )
    delivery_concurrency: int = _setting(
        256,
        "How many POSTs may be under way at once (a body counts once for each 16 KB); eight times as many more may wait"
        " for slow receivers.",
        "a whole number from 1 to 10000",
        ge=1,
        le=10_000,
    )
    sample_events: Path | None = _setting(
        None, "A folder with event types of your own, <event type>.json.", "an existing folder"
    )
    retention_days: int = _setting(
        30,
        "For how many days events and the delivery log are kept.",
        "a whole number from 1 to 36500",
        ge=1,
        le=36_500,
    )
    log_format: Literal["pretty", "json"] = _setting("pretty", "How log lines look: pretty or json.", "pretty or json")
    smtp_url: SecretStr | None = _setting(
        None,
        "The mail server for invitations: smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465. "
        "Without it no mail is sent.",
        "smtp://user:password@host:587 or smtps://user:password@host:465",
    )
    mail_from: str | None = _setting(
        None, "The sender of mails, Name <address> or an address; needed with a mail server.", "an address"
    )

    _unknown: tuple[str, ...] = PrivateAttr(default=())
    _flags: frozenset[str] = PrivateAttr(default=frozenset())

    def __init__(self, **flags: Any) -> None:
        given = {name: value for name, value in flags.items() if value is not None}
        super().__init__(**given)
        self._flags = frozenset(given)
        self._unknown = _unknown()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The `RELAY_*` variables that mean nothing: most likely typing errors."""
        return self._unknown

    def source(self, field_name: str) -> str:
        """Where a value came from: flag, environment or default."""
        if field_name in self._flags:
            return "flag"
        return "environment" if field_name in self.model_fields_set else "default"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What to listen on, addresses without brackets."""
        return tuple(_HOST_BRACKETS.sub(r"\1", part) for part in _parts(self.host))

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data_dir / 'relay.db'}"

    @property
    def database_path(self) -> Path:
        """The file of the SQLite database."""
        return Path(self.database_url.removeprefix("sqlite:///"))

    # Every ValueError below ends up in "RELAY_<NAME> must …": see `load_settings`.

    @field_validator("database")
    @classmethod
    def _database(cls, url: str | None) -> str | None:
        if url is None or re.fullmatch(r"sqlite:///(?!:memory:)[^\0?#]*[^\0?#/]", url):
            return url
        if url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must be sqlite:///<path>: PostgreSQL is not supported yet by this version")
        raise ValueError("must be sqlite:///<relative path> or sqlite:////<absolute path> of a file")

    @field_validator("host")
    @classmethod
    def _host(cls, hosts: str) -> str:
        for host in _members(hosts):
            if not _is_address(_HOST_BRACKETS.sub(r"\1", host)) and not _HOST_NAME.fullmatch(host):
                raise ValueError(f"must be {_must('host')}: {host!r} is none")
        return hosts

    @field_validator("secret_key")
    @classmethod
    def _secret_key(cls, secret: SecretStr | None) -> SecretStr | None:
        # An older one may be shorter: it is there to open what it once sealed, and to be replaced.
        if secret is not None and len(_members(secret.get_secret_value())[0]) < SHORTEST_KEY:
            raise ValueError(
                f"must begin with a text of at least {SHORTEST_KEY} characters, best made by chance; a former one may"
                " follow after a comma"
            )
        return secret

    @field_validator("allow_targets")
    @classmethod
    def _allow_targets(cls, targets: str) -> str:
        if targets:
            _members(targets)
        return targets

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        wrong = ValueError("must be an http or https URL without user, query and fragment")
        if not re.fullmatch(r"https?://[^\s/?#@\\<>\"]+(/[^\s?#\\]*)?", url) or not _has_host(url):
            raise wrong
        try:
            # As it stands in headers and mails: international names and paths in their ASCII form.
            return str(URL(url)).rstrip("/")
        except ValueError:
            raise wrong from None

    @field_validator("bootstrap_key")
    @classmethod
    def _bootstrap_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and prefix_of(key.get_secret_value()) is None:
            raise ValueError(
                "must be a whole key: rp_live_, whk_live_, whk_test_, whk_sandbox_ or rsk_ and then 16 to 128 "
                "letters, digits, - or _"
            )
        return key

    @field_validator("retry_delays", mode="before")
    @classmethod
    def _split_delays(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) and value.strip() else value or None

    @field_validator("retry_delays")
    @classmethod
    def _retry_delays(cls, delays: tuple[float, ...] | None) -> tuple[float, ...] | None:
        # A comparison with NaN is false, so this refuses it too.
        if delays is not None and not all(0 <= delay <= LONGEST_DELAY_S for delay in delays):
            raise ValueError(f"must be {_must('retry_delays')}")
        return delays

    @field_validator("sample_events")
    @classmethod
    def _sample_events(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"must be an existing folder, and {str(folder)!r} is none")
        return folder

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            text = url.get_secret_value()
            if not re.fullmatch(r"smtps?://[^\s/?#]+/?", text) or not _has_host(text):
                raise ValueError(f"must be {_must('smtp_url')}; write special characters in it as %XX")
        return url

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, address: str | None) -> str | None:
        if address is not None:
            parse_sender(address)
        return address

    @model_validator(mode="after")
    def _mail_needs_a_sender(self) -> Settings:
        if self.smtp_url is not None and self.mail_from is None:
            raise StartError("RELAY_MAIL_FROM must be set when RELAY_SMTP_URL is")
        return self


def load_settings(**flags: Any) -> Settings:
    """The settings from flags (None means not given), environment and secret files.

    Raises StartError with one line that names the variable, and its value only if that is no secret.
    """
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise StartError(_one_line(error)) from None


def unknown_ones() -> list[str]:
    """A line for each `RELAY_*` variable that means nothing; its value may be a secret in the wrong place."""
    known = [name.upper() for name in Settings.model_fields]
    lines = []
    for name in _unknown():
        close = get_close_matches(name.upper().removeprefix(PREFIX), known, n=1)
        meant = f"; {PREFIX}{close[0]} is one" if close else ""
        lines.append(f"{name} is set, but there is no such setting{meant}")
    return lines


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of `relay settings`. `source` is default, environment or flag."""

    name: str
    value_shown: str
    source: str
    help: str


def describe(settings: Settings) -> list[SettingRow]:
    """Every setting with its effective value; of a secret only whether it is set."""
    return [
        SettingRow(variable(name), _shown(settings, name, field), settings.source(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def variable(field_name: str) -> str:
    return PREFIX + field_name.upper()


def is_secret(field: FieldInfo) -> bool:
    return field.annotation == SecretStr | None


def _unknown() -> tuple[str, ...]:
    return tuple(sorted(name for name in os.environ if name.startswith(PREFIX) and not _is_known(name)))


def _is_known(name: str) -> bool:
    if name == "RELAY_FAILPOINT":  # no setting: it lets a process under test die at a named point
        return True
    for field_name, field in Settings.model_fields.items():
        if name.upper() == variable(field_name) or (is_secret(field) and name == f"{variable(field_name)}_FILE"):
            return True
    return False


def _shown(settings: Settings, name: str, field: FieldInfo) -> str:
    value = settings.database_url if name == "database" else getattr(settings, name)
    if value is None or value == "":
        return "not set"
    if is_secret(field):
        return "set"
    if isinstance(value, tuple):
        return ",".join(_number(delay) for delay in value)
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return str(value).removesuffix(".0")


def _one_line(error: ValidationError) -> str:
    return "; ".join(dict.fromkeys(map(_what_is_wrong, error.errors(include_url=False, include_input=False))))


def _what_is_wrong(fault: ErrorDetails) -> str:
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if name not in Settings.model_fields:
        return f"{name}: there is no such setting"
    if fault["type"] == "value_error":
        return f"{variable(name)} {fault['ctx']['error']}"
    return f"{variable(name)} must be {_must(name)}"


def _must(name: str) -> str:
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra["must"]) if isinstance(extra, dict) else "usable"


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _members(text: str) -> tuple[str, ...]:
    """The parts of a list. Raises ValueError when one of them is empty, most likely left behind by an edit."""
    parts = tuple(part.strip() for part in text.split(","))
    if "" in parts:
        raise ValueError("must not have an empty part between, before or after its commas")
    return parts


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
