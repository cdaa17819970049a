"""Every setting of a server, by name, with its default and its bounds. `COMANDA_…` in the environment.

What a command line gives stands before the environment, the environment before the default.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from comanda.http.addresses import in_url
from comanda.http.proxies import read_network


class SettingsUnusable(Exception):
    """A setting is wrong. The text names it and says what is wrong with it."""


class Settings(BaseSettings):
    """A server's settings. Times are in seconds; specification section 7 has the defaults."""

    model_config = SettingsConfigDict(env_prefix="COMANDA_", extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    database: str = "sqlite+aiosqlite:///comanda.db"
    menu: Path | None = None
    demo_tables: int = Field(12, ge=1, le=1000)
    public_url: str | None = None
    allowed_origin: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    staff_token: SecretStr | None = None
    staff_token_file: Path | None = None
    key_file: Path | None = None
    signing_keys: SecretStr | None = None
    join_pin: Literal["on", "off"] = "off"
    retention_days: float = Field(30.0, gt=0, le=3650)

    pos: str = "dummy"
    pos_token: SecretStr | None = None
    pos_token_file: Path | None = None
    pos_secret: SecretStr | None = None
    pos_secret_file: Path | None = None
    pos_calls_per_restaurant: int = Field(16, ge=1, le=1000)
    pos_delay: float = Field(3.0, ge=0, le=3600)
    pos_success_rate: float = Field(0.9, ge=0, le=1)
    pos_seed: int = 0
    pos_timeout: float = Field(10.0, gt=0, le=600)
    lock_limit: float = Field(60.0, gt=0, le=3600)

    order_timeout: float = Field(10.0, gt=0, le=600)
    reconnect_timeout: float = Field(5.0, gt=0, le=600)
    poll_interval: float = Field(2.0, gt=0, le=600)
    retry_limit: int = Field(3, ge=0, le=20)
    retry_delay: float = Field(2.0, gt=0, le=600)

    rate_limits: Literal["on", "off"] = "on"
    messages_per_second: float = Field(30.0, gt=0, le=1_000_000)
    message_burst: int = Field(120, ge=1, le=1_000_000)
    flood_messages: int = Field(300, ge=1, le=1_000_000)
    requests_per_second: float = Field(100.0, gt=0, le=1_000_000)
    request_burst: int = Field(400, ge=1, le=1_000_000)
    joins_per_minute: float = Field(240.0, gt=0, le=1_000_000)
    join_burst: int = Field(120, ge=1, le=1_000_000)
    member_requests_per_second: float = Field(10.0, gt=0, le=1_000_000)
    member_request_burst: int = Field(60, ge=1, le=1_000_000)
    staff_requests_per_second: float = Field(50.0, gt=0, le=1_000_000)
    staff_request_burst: int = Field(200, ge=1, le=1_000_000)
    connections_per_address: int = Field(512, ge=1, le=1_000_000)
    join_timeout: float = Field(5.0, gt=0, le=600)
    mailbox_capacity: int = Field(256, ge=1, le=65_536)
    drain_grace: float = Field(4.0, ge=0, le=600)
    stop_deadline: float = Field(10.0, gt=0, le=600)
    session_idle_hours: float = Field(6.0, gt=0, le=24 * 7)
    max_live_sessions: int = Field(10_000, ge=1, le=1_000_000)

    failpoints: str | None = None

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith("sqlite+aiosqlite:///"):
            raise ValueError(
                "only sqlite+aiosqlite:///PATH is supported; for example "
                "sqlite+aiosqlite:///comanda.db"
            )
        if value.removeprefix("sqlite+aiosqlite:///") in ("", ":memory:"):
            raise ValueError("a file must be named; what is in memory is gone at a restart")
        return value

    @field_validator("allowed_origin", "trusted_proxies", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("public_url", "allowed_origin")
    @classmethod
    def _web_address(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple):
            return tuple(_address(one, may_have_path=False) for one in value)
        return None if value is None else _address(value, may_have_path=True)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses_or_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            read_network(one)
        return value

    @field_validator("pos")
    @classmethod
    def _known_pos(cls, value: str) -> str:
        if value == "dummy":
            return value
        try:
            return _address(value, may_have_path=True)
        except ValueError:
            raise ValueError(
                f"{_quoted(value)} is no POS; give dummy, or the base URL of one, "
                "https://host/path or http://host:port"
            ) from None

    @model_validator(mode="after")
    def _lock_outlasts_a_call(self) -> "Settings":
        if self.lock_limit <= self.pos_timeout:
            raise ValueError(
                f"lock_limit ({self.lock_limit:g} s) must be longer than "
                f"pos_timeout ({self.pos_timeout:g} s)"
            )
        return self

    @model_validator(mode="after")
    def _certificate_and_key_go_together(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both, or neither")
        return self

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database.removeprefix("sqlite+aiosqlite:///"))

    @property
    def signing_key_file(self) -> Path:
        """Where the key of members' tokens is kept: beside the database unless a setting says else."""
        return self.key_file or self.database_path.with_suffix(".key")

    def read_staff_tokens(self) -> tuple[str, ...]:
        """The house's staff tokens, from the environment or their file; none where there are none.

        The first is the one to use; a second, in the file's next line, still opens while it is replaced.

        Raises:
            SettingsUnusable: the file cannot be read, is empty or has more than two lines.
        """
        return _read_lines("staff token", self.staff_token, self.staff_token_file)

    def read_pos_token(self) -> str | None:
        """The token for the POS, from the environment or its file; None where there is none.

        Raises:
            SettingsUnusable: the file cannot be read or is empty, or the token does not fit a header.
        """
        token = _read_token("POS token", self.pos_token, self.pos_token_file)
        if token is not None and not all("!" <= sign <= "~" for sign in token):
            raise SettingsUnusable(
                "pos_token: a token has visible ASCII characters alone, no spaces and no line ends"
            )
        return token or None

    def read_pos_secrets(self) -> tuple[str, ...]:
        """The secrets that the POS may sign callbacks with; none where it sends none.

        A second, in the file's next line, is believed while the first is replaced.

        Raises:
            SettingsUnusable: the file cannot be read, is empty or has more than two lines.
        """
        return _read_lines("POS secret", self.pos_secret, self.pos_secret_file)


SECRETS_AT_A_TIME = 2
"""The one to use, and the one that it takes the place of."""


def _read_lines(whose: str, given: SecretStr | None, file: Path | None) -> tuple[str, ...]:
    """Secret words, each in a line of its own."""
    lines = (_read_token(whose, given, file) or "").splitlines()
    words = tuple(line.strip() for line in lines if line.strip())
    if len(words) > SECRETS_AT_A_TIME:
        where = whose if file is None else f"{whose} file {file}"
        raise SettingsUnusable(
            f"The {where} has more than {SECRETS_AT_A_TIME} lines with something in them"
        )
    return words


def _read_token(whose: str, given: SecretStr | None, file: Path | None) -> str | None:
    """A secret word from its file, else from the environment."""
    if file is None:
        return None if given is None else given.get_secret_value()
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnusable(f"The {whose} file {file} cannot be read: {error}") from error
    if not token:
        raise SettingsUnusable(f"The {whose} file {file} is empty")
    return token


def make_settings(**given: object) -> Settings:
    """Settings from what was given (None: not given), then the environment, then the defaults.

    Raises:
        SettingsUnusable: with one sentence for each setting that is wrong.
    """
    chosen = {key: value for key, value in given.items() if value is not None}
    try:
        return Settings(**chosen)  # type: ignore[arg-type]  # pydantic checks
    except ValidationError as error:
        raise SettingsUnusable("; ".join(_sentence(one) for one in error.errors())) from None
    except ValueError as error:  # an environment variable that pydantic-settings cannot parse
        raise SettingsUnusable(str(error)) from None


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _address(text: str, *, may_have_path: bool) -> str:
    """A web address as browsers write an origin: small letters, no default port, no slash at the end."""
    wrong = f"{_quoted(text)} is no web address; give https://host or http://host:port"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(wrong)
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or (path and not may_have_path):
        raise ValueError(wrong)
    host = in_url(parts.hostname)
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}{path}"


def _quoted(address: str) -> str:
    """An address in a sentence, without the password that somebody may have written into it."""
    return "this (it has a name or a password in it)" if "@" in address else repr(address)


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    name = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
