"""Settings: where values come from, what is refused and how, and that no secret is shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from relay.core.errors import StartError
from relay.settings import Settings, describe, load_settings, variable

KEY = "rp_live_0123456789abcdef"
SECRETS = ("secret_key", "bootstrap_key", "admin_password", "smtp_url")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own RELAY_ variables must not decide a test."""
    for name in [name for name in os.environ if name.upper().startswith("RELAY_")]:
        monkeypatch.delenv(name)


def test_the_names_are_those_other_programs_rely_on() -> None:
    names = (
        "HOST PORT DATABASE DATA_DIR SECRET_KEY PUBLIC_URL BOOTSTRAP_KEY ADMIN_PASSWORD ALLOW_TARGETS RETRY_DELAYS "
        "RATE_LIMIT DELIVERY_TIMEOUT DELIVERY_CONCURRENCY SAMPLE_EVENTS RETENTION_DAYS LOG_FORMAT SMTP_URL MAIL_FROM"
    )
    assert [variable(name) for name in Settings.model_fields] == [f"RELAY_{name}" for name in names.split()]


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.rate_limit, settings.retention_days) == ("127.0.0.1", 8000, 6000, 30)
    assert (settings.delivery_timeout, settings.delivery_concurrency, settings.log_format) == (30.0, 256, "pretty")
    assert settings.data_dir == Path("relay-data")
    assert settings.database_url == "sqlite:///relay-data/relay.db"
    assert settings.database_path == Path("relay-data/relay.db")
    for name in ("database", "secret_key", "public_url", "retry_delays", "sample_events", "smtp_url", "mail_from"):
        assert getattr(settings, name) is None
    assert settings.allow_targets == ""
    assert settings.unknown == ()


def test_a_flag_wins_over_the_environment_and_none_is_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_PORT", "9000")
    monkeypatch.setenv("RELAY_HOST", "0.0.0.0")
    settings = load_settings(port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "0.0.0.0")
    rows = {row.name: row for row in describe(settings)}
    assert rows["RELAY_PORT"].source == "flag"
    assert rows["RELAY_PORT"].value_shown == "9001"
    assert rows["RELAY_HOST"].source == "environment"
    assert rows["RELAY_RATE_LIMIT"].source == "default"


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(variable(name), "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "0", 0),
        ("retry_delays", "1,1,1", (1.0, 1.0, 1.0)),
        ("retry_delays", " 0, 0.5 ", (0.0, 0.5)),
        ("retry_delays", "7", (7.0,)),
        ("rate_limit", "0", 0),
        ("delivery_timeout", "0.25", 0.25),
        ("public_url", "https://relay.example.com/", "https://relay.example.com"),
        ("public_url", "http://10.0.0.1:8000/relay/", "http://10.0.0.1:8000/relay"),
        ("database", "sqlite:///data/r.db", "sqlite:///data/r.db"),
        ("database", "sqlite:////var/r.db", "sqlite:////var/r.db"),
        ("public_url", "https://bücher.example/relay", "https://xn--bcher-kva.example/relay"),
        ("public_url", "https://relay.example.com/büch er/".replace(" ", ""), "https://relay.example.com/b%C3%BCcher"),
        ("host", "0.0.0.0,::", "0.0.0.0,::"),
        ("log_format", "json", "json"),
        ("mail_from", "Acme Stories <relay@example.com>", "Acme Stories <relay@example.com>"),
        ("allow_targets", "10.0.0.0/8,localhost:5678", "10.0.0.0/8,localhost:5678"),
    ],
)
def test_a_good_value_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(variable(name), text)
    assert getattr(load_settings(), name) == value


def test_an_absolute_database_path_has_four_slashes() -> None:
    assert load_settings(database="sqlite:////var/r.db").database_path == Path("/var/r.db")
    assert load_settings(database="sqlite:///r.db").database_path == Path("r.db")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("port", "http", "a whole number from 0 to 65535"),
        ("port", "65536", "a whole number from 0 to 65535"),
        ("port", "-1", "a whole number from 0 to 65535"),
        ("database", "mysql://x/y", "sqlite:///<relative path>"),
        ("database", "relay.db", "sqlite:///<relative path>"),
        ("database", "sqlite:///", "sqlite:///<relative path>"),
        ("database", "sqlite:///:memory:", "sqlite:///<relative path>"),
        ("database", "postgresql://relay:hunter2@db/relay", "not supported yet by this version"),
        ("host", "127.0.0.1,", "must not have an empty part"),
        ("host", "127.0.0.1:8000", "must be addresses or host names separated by commas, without ports"),
        ("host", "[::1]:8000", "must be addresses or host names separated by commas, without ports"),
        ("host", "http://127.0.0.1", "must be addresses or host names"),
        ("secret_key", " , ", "must not have an empty part"),
        ("secret_key", "hunter2", "at least 16 characters"),
        ("secret_key", "hunter2,a former key that is long enough", "at least 16 characters"),
        ("secret_key", "a newest key that is long enough,,hunter2", "must not have an empty part"),
        ("secret_key", "a newest key that is long enough,", "must not have an empty part"),
        ("allow_targets", "10.0.0.0/8,,localhost", "must not have an empty part"),
        ("allow_targets", ",", "must not have an empty part"),
        ("public_url", "https://relay.example.com/<b>?q", "an http or https URL"),
        ("public_url", 'https://relay.example.com"><b>', "an http or https URL"),
        ("public_url", "relay.example.com", "an http or https URL"),
        ("public_url", "ftp://relay.example.com", "an http or https URL"),
        ("public_url", "https://u:hunter2@example.com", "an http or https URL"),
        ("public_url", "https://example.com:99999", "an http or https URL"),
        ("public_url", "https://[::1", "an http or https URL"),
        ("bootstrap_key", "rp_live_hunter2", "must be a whole key"),
        ("bootstrap_key", "other_hunter2_0123456789abcdef", "must be a whole key"),
        ("bootstrap_key", "rp_live_hunter2" + "a" * 122, "must be a whole key"),
        ("retry_delays", "1,,1", "numbers of seconds"),
        ("retry_delays", "-1", "numbers of seconds"),
        ("retry_delays", "inf", "numbers of seconds"),
        ("retry_delays", "nan", "numbers of seconds"),
        ("retry_delays", "1e300", "numbers of seconds"),
        ("retry_delays", "soon", "numbers of seconds"),
        ("rate_limit", "-1", "a whole number from 0"),
        ("delivery_timeout", "0", "above 0 and up to 300"),
        ("delivery_timeout", "301", "above 0 and up to 300"),
        ("delivery_timeout", "nan", "above 0 and up to 300"),
        ("delivery_concurrency", "0", "from 1 to 10000"),
        ("retention_days", "0", "a whole number from 1"),
        ("sample_events", "/nowhere/at/all", "an existing folder"),
        ("log_format", "xml", "pretty or json"),
        ("smtp_url", "http://hunter2@mail", "smtp://user:password@host:587"),
        ("smtp_url", "smtp://u:hunter2@mail:port", "smtp://user:password@host:587"),
        ("mail_from", "nobody", "must be an address"),
        ("mail_from", "a@b.c\r\nBcc: d@e.f", "must not have line ends"),
    ],
)
def test_a_bad_value_gives_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, says: str
) -> None:
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(StartError, match=re.escape(says)) as caught:
        load_settings()
    assert caught.value.message.startswith(f"{variable(name)} must ")
    assert "\n" not in caught.value.message
    assert "hunter2" not in caught.value.message


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(StartError) as caught:
        load_settings(port="eighty", mail_from="nobody", secret_key="x", host="[]")
    assert [part.partition(" must ")[0] for part in caught.value.message.split("; RELAY_")] == [
        "RELAY_HOST",
        "PORT",
        "SECRET_KEY",
        "MAIL_FROM",
    ]


def test_a_former_key_may_be_short() -> None:
    """So that a server that was started with one can be given a better one."""
    assert load_settings(secret_key="a newest key that is long enough,x").secret_key is not None


def test_a_flag_that_is_no_setting_is_refused() -> None:
    with pytest.raises(StartError, match="colour: there is no such setting"):
        load_settings(colour="red")


def test_a_mail_server_needs_a_sender() -> None:
    with pytest.raises(StartError, match="RELAY_MAIL_FROM must be set"):
        load_settings(smtp_url="smtps://u:p@mail:465")
    assert load_settings(smtp_url="smtps://u:p@mail:465", mail_from="a@example.com").smtp_url is not None


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_comes_from_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    value = {"bootstrap_key": KEY, "smtp_url": "smtp://u:p@mail:587"}.get(name, "text with blanks ")
    (tmp_path / "secret").write_text(value + "\n", encoding="utf-8")
    monkeypatch.setenv(variable(name) + "_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("RELAY_MAIL_FROM", "a@example.com")
    settings = load_settings()
    assert getattr(settings, name).get_secret_value() == value
    assert settings.unknown == ()
    assert {row.name: row.source for row in describe(settings)}[variable(name)] == "environment"


def test_a_secret_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELAY_SECRET_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(StartError, match=r"RELAY_SECRET_KEY_FILE must name a readable file: .*nowhere.*No such file"):
        load_settings()


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a", encoding="utf-8")
    monkeypatch.setenv("RELAY_SECRET_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("RELAY_SECRET_KEY", "b")
    with pytest.raises(StartError, match="both set"):
        load_settings()


def test_an_unknown_variable_is_listed_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_PROT", "1")
    monkeypatch.setenv("RELAY_PORT_FILE", "x")
    monkeypatch.setenv("RELAY_PORT", "1")
    assert load_settings().unknown == ("RELAY_PORT_FILE", "RELAY_PROT")


def test_no_secret_is_shown() -> None:
    flags: dict[str, Any] = {
        "secret_key": "hunter2hunter2hunter2",
        "bootstrap_key": "rsk_hunter2hunter2hunter2",
        "admin_password": "hunter2",
        "smtp_url": "smtp://u:hunter2@mail",
        "mail_from": "a@example.com",
        "retry_delays": "1,0.5",
    }
    settings = load_settings(**flags)
    rows = {row.name: row for row in describe(settings)}
    assert all(rows[variable(name)].value_shown == "set" for name in SECRETS)
    assert rows["RELAY_RETRY_DELAYS"].value_shown == "1,0.5"
    assert rows["RELAY_PUBLIC_URL"].value_shown == "not set"
    assert rows["RELAY_DELIVERY_TIMEOUT"].value_shown == "30"
    assert all(row.help.endswith(".") for row in rows.values())
    assert "hunter2" not in repr(settings) + str(rows)


def test_the_settings_are_frozen() -> None:
    name = "port"
    with pytest.raises(ValueError, match="frozen"):
        setattr(load_settings(), name, 1)
