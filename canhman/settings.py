"""Settings from the environment (`CANHMAN_*`), read once; domain choices are TOML in `config/`, never here.

Every problem is one line that names the variable, what stood there and what may stand there; no secret is repeated.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigError
from core.place import SLUG

PREFIX = "CANHMAN_"


class BrokerAddress(BaseModel):
    """Where messages come from: a broker (`mqtt`, `mqtts`) or our own listener (`embedded`, `embeddeds`)."""

    model_config = ConfigDict(frozen=True)

    embedded: bool
    tls: bool
    host: str
    port: int
    user: str = ""
    client: Literal["paho", "own"] = "paho"


class StoreAddress(BaseModel):
    """Where readings go: a SQLite file, or an InfluxDB (or what speaks its API) by version."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["sqlite", "influxdb"]
    path: Path | None = None
    host: str = ""
    port: int = 8086
    database: str = "canhman"
    api: Literal["v1", "v2"] = "v1"
    org: str = ""
    tls: bool = False


class Settings(BaseSettings):
    """All settings; each field is the variable CANHMAN_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    broker: str = Field(
        default="embedded://127.0.0.1:1883",
        description="Where messages come from: mqtt://user@host[:port], mqtts://… with TLS (?client=paho on MQTT 3.1.1, or ?client=own, faster, on MQTT 5), "
        "or our own listener: embedded://host:port, embeddeds://… with TLS",
        examples=["mqtts://canhman-ingest@broker.example.vn"],
    )
    broker_password: SecretStr = Field(default=SecretStr(""), description="Password of the user in CANHMAN_BROKER")
    broker_ca: Path | None = Field(
        default=None,
        description="File of the authority that signed the broker's certificate (default: those the machine trusts)",
        examples=["/etc/canhman/ca.pem"],
    )
    worker: str = Field(
        default="",
        description="Name of this ingest where several share one broker (a-z, 0-9 and -): its share, session and journal are its own; empty: it is alone",
        examples=["a"],
    )
    tls_cert: Path | None = Field(default=None, description="Certificate chain of our own listener (embeddeds://)", examples=["/etc/canhman/listener.pem"])
    tls_key: Path | None = Field(default=None, description="Private key of our own listener (embeddeds://)", examples=["/etc/canhman/listener.key"])
    store: str = Field(
        default="",
        description="Where readings go: sqlite:///path, or influxdb://host:8086/canhman?api=v1|v2&org=…&tls=1 (default: series.db in CANHMAN_DATA)",
        examples=["influxdb://127.0.0.1:8086/canhman?api=v2&org=vithanh"],
    )
    store_token: SecretStr = Field(default=SecretStr(""), description="InfluxDB token; user:password for api=v1")
    database: str = Field(
        default="",
        description="Registry, states, forecasts, alerts, people: sqlite:///path or postgresql+psycopg://… (default: registry.db in CANHMAN_DATA)",
        examples=["sqlite:////var/lib/canhman/registry.db"],
    )
    data: Path = Field(default=Path("data"), description="Folder of SQLite files, journal, secret and heartbeats", examples=["/var/lib/canhman"])
    journal_max: str = Field(
        default="",
        description="Most the journal may take on disk; then the oldest that is stored goes first (default: the disk, of which a share stays free)",
        examples=["20G"],
    )
    journal_keep: int = Field(
        default=400, ge=0, le=36_500, description="Days that what is stored stays in the journal, for canhman redecode and export; 0 = for ever", examples=[90]
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="Installation secret that join keys and sessions come from (default: made in CANHMAN_DATA at first start)",
    )
    clock: Literal["system", "sim"] = Field(default="system", description="The machine's clock (system), or the simulated one in the database (sim)")
    enrol: Literal["approve", "open", "closed"] = Field(
        default="approve",
        description="What becomes of a device nobody registered: it waits for approval (approve), registers itself (open), or is refused (closed)",
    )
    enrol_public: bool = Field(default=False, description="Whether stations that register themselves are public")
    config: Path | None = Field(default=None, description="Folder whose TOML files override the shipped ones, file by file", examples=["/etc/canhman"])
    listen: str = Field(default="127.0.0.1:8000", description="Address of pages and API", examples=["0.0.0.0:8000"])
    proxy: str = Field(
        default="",
        description="Reverse proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas",
        examples=["10.0.0.2, 10.1.0.0/16"],
    )
    metrics: str = Field(default="127.0.0.1:9100", description="Address of /metrics and of /readyz in words", examples=["10.0.0.5:9100"])
    url: str = Field(
        default="", description="Public address of this installation, for links; https:// makes the cookie Secure", examples=["https://man.example.vn"]
    )
    grafana: str = Field(
        default="",
        description="Grafana that canhman dashboards push brings the boards to: https://host[:port][/path]",
        examples=["https://grafana.example.vn"],
    )
    grafana_token: SecretStr = Field(default=SecretStr(""), description="Token of a service account there, with the role Admin")
    grafana_store_token: SecretStr = Field(
        default=SecretStr(""),
        description="What Grafana reads InfluxDB with: a token that may read, user:password for api=v1 (default: CANHMAN_STORE_TOKEN)",
    )
    webhook: SecretStr = Field(
        default=SecretStr(""),
        description="Address that alerts are posted to: https://… (http:// only at this machine); secret, since its path may hold a token",
    )
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="Key that signs webhooks (default: they are not signed)")

    @field_validator("broker_ca", "tls_cert", "tls_key", "data", "config", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if value == "":  # as a path it would be the folder we happen to stand in
            raise PydanticCustomError("empty", "empty: name a path, or leave the variable out")
        return value

    @property
    def broker_address(self) -> BrokerAddress:
        """CANHMAN_BROKER, read."""
        return parse_broker(self.broker)

    @property
    def store_address(self) -> StoreAddress:
        """CANHMAN_STORE, read; the default is series.db in CANHMAN_DATA."""
        return parse_store(self.store) if self.store else StoreAddress(kind="sqlite", path=self.data / "series.db")

    @property
    def journal_max_bytes(self) -> int | None:
        """CANHMAN_JOURNAL_MAX, read; None where it is not set."""
        return parse_size(PREFIX + "JOURNAL_MAX", self.journal_max) if self.journal_max else None

    @property
    def database_url(self) -> str:
        """CANHMAN_DATABASE; the default is registry.db in CANHMAN_DATA."""
        return self.database or f"sqlite:///{self.data / 'registry.db'}"


def read_settings() -> Settings:
    """Read and check the environment. Raises ConfigError in one line."""
    found = {name for name in os.environ if name.startswith(PREFIX)}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(found - known):
        # without the prefix, which makes all names look alike
        near = [PREFIX + near for near in difflib.get_close_matches(name.removeprefix(PREFIX), [k.removeprefix(PREFIX) for k in known], n=1)]
        raise ConfigError(f"no setting is called {name}" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"))
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise ConfigError(f"{name}={_quoted(name, first.get('input'))}: {_expected(first['type'], first.get('ctx') or {}, first['msg'])}") from None
    broker = parse_broker(settings.broker)
    if settings.broker_ca is not None and not broker.tls and not broker.embedded:
        secure = settings.broker.replace("mqtt://", "mqtts://", 1)
        raise ConfigError(
            f"CANHMAN_BROKER={settings.broker!r} is plain, and CANHMAN_BROKER_CA={str(settings.broker_ca)!r} is for TLS: "
            f"write {secure} (port 8883 where none is given), or leave CANHMAN_BROKER_CA out"
        )
    if settings.store:
        parse_store(settings.store)
    if settings.journal_max:
        parse_size(PREFIX + "JOURNAL_MAX", settings.journal_max)
    check_worker(settings.worker, broker)
    for name, text in (("LISTEN", settings.listen), ("METRICS", settings.metrics)):
        _check_address(PREFIX + name, text)
    _check_networks(PREFIX + "PROXY", settings.proxy)
    if settings.url and not (settings.url.startswith(("http://", "https://")) and _split(settings.url, PREFIX + "URL").hostname):
        raise ConfigError(f"{PREFIX}URL={_hide_password(settings.url)!r}: expected https://host, or in a local network http://192.168.1.10:8000")
    _check_webhook(settings.webhook.get_secret_value())
    _check_grafana(settings.grafana)
    return settings


def check_worker(name: str, broker: BrokerAddress, where: str = "CANHMAN_WORKER") -> None:
    """A worker's name is part of a client id and of a folder's name. Raises ConfigError."""
    if not name:
        return
    if not SLUG.match(name):
        raise ConfigError(f"{where}={name!r}: expected 1 to 64 of a-z, 0-9 and -, such as a")
    if broker.embedded:
        raise ConfigError(f"{where}={name!r} is for several ingests behind a broker; our own listener (CANHMAN_BROKER=embedded://…) is one: leave it out")


def _expected(kind: str, context: Mapping[str, object], said: str) -> str:
    """What may stand there, in our words."""
    if kind == "literal_error":
        return f"expected {str(context.get('expected', '')).replace(chr(39), '')}"
    return "expected 1 (yes) or 0 (no)" if kind.startswith("bool") else said


def _check_webhook(text: str) -> None:
    """Its path may hold a token: nothing of the address is repeated but scheme and host."""
    if not text:
        return
    name, shape = f"{PREFIX}WEBHOOK", "expected https://host/path, or http:// at 127.0.0.1, [::1] or localhost"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{name}: it cannot be read as an address; {shape}") from None
    if not host or any(c.isspace() or not c.isprintable() for c in text):
        raise ConfigError(f"{name}: no host in it; {shape}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{name}: user and password do not belong in an address; a receiver proves the sender by the signature (CANHMAN_WEBHOOK_SECRET)")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ConfigError(f"{name}={parts.scheme}://{host}…: {shape}")


def _check_grafana(text: str) -> None:
    name, shape = f"{PREFIX}GRAFANA", "expected https://host, such as https://grafana.example.vn or http://127.0.0.1:3000"
    if not text:
        return
    if "@" in text:
        raise ConfigError(f"{name}: user and password do not belong in an address; make a token and put it in CANHMAN_GRAFANA_TOKEN")
    parts = _split(text, name)
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in text):
        raise ConfigError(f"{name}={text!r}: {shape}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(name: str, text: str) -> None:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{name}={text!r}: expected address:port, such as 127.0.0.1:8000")


def _check_networks(name: str, text: str) -> None:
    for part in filter(None, (word.strip() for word in text.split(","))):
        try:
            ip_network(part)
        except ValueError:
            raise ConfigError(f"{name}={text!r}: {part!r} is no address; expected such as 10.0.0.2 or 10.1.0.0/16, separated by commas") from None


def _quoted(name: str, value: object) -> str:
    return "(hidden)" if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "WEBHOOK")) else repr(value)


_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([KMGT])i?B?\Z", re.IGNORECASE)
_LEAST_JOURNAL = 16 << 20  # below it one burst after an outage would fill it


def parse_size(name: str, text: str) -> int:
    """`20G` or `512 MiB` in bytes. Raises ConfigError."""
    found = _SIZE.match(text.strip())
    size = round(float(found[1]) * (1 << {"K": 10, "M": 20, "G": 30, "T": 40}[found[2].upper()])) if found else 0
    if size < _LEAST_JOURNAL:
        raise ConfigError(f"{name}={text!r}: expected a size such as 20G or 512M, at least 16M")
    return size


def parse_broker(text: str) -> BrokerAddress:
    """Read a broker URL. Raises ConfigError."""
    where = "CANHMAN_BROKER"
    shape = "mqtt://user@host:1883, mqtts://user@host:8883 or embedded://127.0.0.1:1883"
    scheme, _, rest = text.partition("://")
    if scheme not in ("mqtt", "mqtts", "embedded", "embeddeds") or not rest:
        raise ConfigError(f"{where}={_hide_password(text)!r}: expected {shape}")
    user, at, address = rest.rpartition("@")
    if ":" in user.removeprefix("org:"):
        raise ConfigError(f"{where}: a password does not belong in an address; put it in CANHMAN_BROKER_PASSWORD")
    parts = _split(f"{scheme}://{address if at else rest}", where)
    options = _options(parts, where)
    unknown = sorted(set(options) - {"client"})
    client = options.get("client", "paho")
    embedded = scheme.startswith("embedded")
    path = parts.path.strip("/")
    if unknown or path or client not in ("paho", "own") or (options and embedded):
        what = f"unknown option {unknown[0]!r}" if unknown else "a path" if path else f"client={client}"
        behind = "nothing may stand" if embedded else "only ?client=paho or ?client=own may stand"
        raise ConfigError(f"{where}: {what} in it; after host and port {behind}")
    tls = scheme in ("mqtts", "embeddeds")
    port = parts.port if parts.port is not None else (8883 if tls else 1883)
    return BrokerAddress(embedded=embedded, tls=tls, host=parts.hostname or "", port=port, user=unquote(user), client="own" if client == "own" else "paho")


def parse_store(text: str) -> StoreAddress:
    """Read a store URL. Raises ConfigError."""
    where = "CANHMAN_STORE"
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return StoreAddress(kind="sqlite", path=Path(text.removeprefix("sqlite:///")))
    if not text.startswith("influxdb://"):
        raise ConfigError(f"{where}={_hide_password(text)!r}: expected sqlite:///path or influxdb://host:8086/canhman?api=v1|v2&org=…&tls=1")
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ConfigError(f"{where}: user and password do not belong in an address; put them in CANHMAN_STORE_TOKEN (user:password for api=v1)")
    parts = _split(text, where)
    options = _options(parts, where)
    unknown = set(options) - {"api", "org", "tls"}
    if unknown:  # its value may be a token: not repeated
        raise ConfigError(f"{where}: unknown option {sorted(unknown)[0]!r}; known: api, org, tls (a token belongs in CANHMAN_STORE_TOKEN)")
    api = options.get("api", "v1")
    if options.get("tls", "0") not in ("0", "1"):
        raise ConfigError(f"{where}={text!r}: tls={options['tls']}, expected 0 or 1")
    if api not in ("v1", "v2"):
        raise ConfigError(f"{where}={text!r}: api={api}, expected v1 or v2")
    if api == "v2" and not options.get("org"):
        raise ConfigError(f"{where}={text!r}: api=v2 needs org=NAME")
    database = parts.path.strip("/") or "canhman"
    if parts.path == "/":
        raise ConfigError(f"{where}={text!r}: no database after the /; expected such as influxdb://{parts.netloc}/canhman")
    return StoreAddress(
        kind="influxdb",
        host=parts.hostname or "",
        port=parts.port or 8086,
        database=database,
        api="v2" if api == "v2" else "v1",
        org=options.get("org", ""),
        tls=options.get("tls", "0") == "1",
    )


def _options(parts: SplitResult, where: str) -> dict[str, str]:
    """What stands after `?`. Raises ConfigError that repeats none of it: it may be a secret."""
    try:
        return {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True).items()}
    except ValueError:
        raise ConfigError(f"{where}: the part after ? must be name=value pairs") from None


def _split(text: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{where}={text!r}: {error}") from None
    if not parts.hostname:
        raise ConfigError(f"{where}={text!r}: no host in it")
    return parts


def _hide_password(text: str) -> str:
    head, at, tail = text.rpartition("@")
    return f"…@{tail}" if at and ":" in head.partition("://")[2] else text
