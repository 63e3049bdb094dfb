"""From settings to parts: which adapter stands behind which port. The only place that chooses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.engine import parse_url
from adapters.sql.schema import prepare
from canhman import ownership
from canhman.clocks import FollowedClock, of_this_process
from canhman.settings import Settings
from core.clock import Clock, SystemClock
from core.errors import ConfigError, NotFoundError, RefusedError, UnavailableError
from core.message import Message
from core.place import Org
from core.ports import MessageSource, Mirror, SeriesStore
from registry.broker_files import INGEST_USER, SALT_BYTES, broker_user, hash_password, join_key
from registry.directory import Directory
from registry.permissions import FILTERS

if TYPE_CHECKING:  # what a command does not use it does not import: half a second each for InfluxDB and MQTT
    from adapters.influx import InfluxStore
    from adapters.journal import FileJournal
    from adapters.mqtt_publisher import PahoPublisher
    from adapters.mqtt_source import BrokerSource
    from canhman.authority import RegistryAuthority

T = TypeVar("T")

# Of a lone ingest, and with the name of a worker behind it: of the session `canhman broker init` makes and ingest takes up: one name, or it is lost
INGEST_CLIENT_ID = "canhman-ingest"
BROKER_PASSWORD = "broker-password"  # noqa: S105 a file's name


def data_folder(settings: Settings) -> Path:
    """CANHMAN_DATA, made where it is absent. Raises ConfigError."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # password hashes, raw messages
    except OSError as error:
        mend = f"; as root: install -d -o {ownership.we()} -m 700 {settings.data.absolute()}" if isinstance(error, PermissionError) else ""
        raise ConfigError(f"CANHMAN_DATA={str(settings.data)!r} cannot be made: {error.strerror}{mend}") from error
    if denied := next(ownership.barred(settings.data), None):
        text = f"CANHMAN_DATA={str(settings.data)!r}: {denied} may not be read and written: {ownership.whose(denied)}"
        raise ConfigError(f"{text}; {ownership.take_back(settings.data)}")
    return settings.data


def secret(settings: Settings) -> bytes:
    """The installation's secret: CANHMAN_SECRET, else the file `secret` in CANHMAN_DATA, made at first start."""
    given = settings.secret.get_secret_value()
    if given:
        if len(given) < 16:
            raise ConfigError("CANHMAN_SECRET is too short: at least 16 characters, e.g. from `openssl rand -base64 32`")
        return given.encode()
    path = data_folder(settings) / "secret"
    try:
        if not path.exists():
            _make_secret(path)
        found = path.read_text("ascii").strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be made or read: {error.strerror}") from error
    except UnicodeDecodeError:
        found = ""
    if len(found) < 16:
        raise ConfigError(f"{path} does not hold the installation's secret: restore it; where it is removed a new one is made, and join keys change")
    return found.encode()


def _make_secret(path: Path) -> None:
    """Written whole under another name first: two processes at first start must end with one secret."""
    draft = path.with_name(f"secret.{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def database(settings: Settings, *, wait_s: float = 0.0) -> SqlDatabase:
    """The database, its tables made where it is empty. Raises UnavailableError, RefusedError, FormatError, ConfigError."""
    if not settings.database:
        data_folder(settings)
    prepare(settings.database_url, wait=wait_s)
    return open_database(settings.database_url)


def existing_database(settings: Settings) -> SqlDatabase:
    """The database, open; none is made. A mistyped folder must not turn into an empty installation. Raises as `database` and NotFoundError."""
    url = parse_url(settings.database) if settings.database else None
    if url is not None and url.drivername != "sqlite":
        return open_database(settings.database_url)
    path = Path(url.database or "") if url is not None else settings.data / "registry.db"
    if not path.is_file():
        if url is None:
            raise NotFoundError(f"{no_installation(settings)} ({path} is missing)")
        raise NotFoundError(f"CANHMAN_DATABASE={settings.database!r}: no installation is there ({path} is missing); canhman up or canhman migrate makes one")
    return database(settings)  # waits while a service makes its tables


SERVICES = Path("/etc/canhman/canhman.env")  # where deploy/systemd keeps the settings of the services


def no_installation(settings: Settings) -> str:
    """For people: which folder was looked at, why that one, and where the installation of the services may be instead."""
    where = f"CANHMAN_DATA={str(settings.data)!r} ({settings.data.absolute()})"
    if "data" not in settings.model_fields_set:
        where = f"CANHMAN_DATA is not set, so it is the default, {settings.data.absolute()}"
    if settings.data == Path("/var/lib/canhman"):
        make = "as root: install -d -o canhman -g canhman -m 700 /var/lib/canhman, then canhman migrate"
    else:
        make = "canhman up or canhman migrate makes one"
    services = "" if not SERVICES.exists() else f"; that of the services: /usr/local/bin/canhman, or set -a; . {SERVICES}; set +a"
    return f"{where}: no installation is there; {make}{services}"


async def seed(db: SqlDatabase, folder: Path | None) -> None:
    """The waterways of `waterways.toml`, where none is registered; what an officer changed stays. Raises ConfigError."""
    if not (await db.snapshot()).waterways:
        from canhman.configuration import read_waterways

        await db.put(*read_waterways(folder), actor="canhman", why="seeded from waterways.toml")


Run = Callable[[Callable[[SqlDatabase], Awaitable[Any]]], Any]


@contextlib.contextmanager
def registry(settings: Settings, *, wait_s: float = 0.0, making: bool = False) -> Iterator[tuple[Directory, Run]]:
    """For commands: the registry as it stands, and `run(lambda db: db.put(…))` for one call to the database.

    Only who registers something new (`making`) may begin an installation; NotFoundError for the others.
    """
    db = database(settings, wait_s=wait_s) if making else existing_database(settings)

    def run(call: Callable[[SqlDatabase], Awaitable[Any]]) -> Any:
        async def one() -> Any:
            return await call(db)

        return asyncio.run(one())

    try:
        yield Directory(run(lambda db: db.snapshot())), run
    finally:
        db.close()


async def clock(settings: Settings, db: SqlDatabase) -> Clock:
    """The installation's clock, as CANHMAN_CLOCK says."""
    if settings.clock == "system":
        return SystemClock()
    return of_this_process(settings.database_url) or await FollowedClock.of(db)


async def now_ms(settings: Settings, db: SqlDatabase) -> int:
    """The time of the installation's clock [ms], for commands: what happens "now" happens among its readings."""
    return (await clock(settings, db)).now_ms()


class Store(SeriesStore, Mirror, Protocol):
    """Every store takes readings, and forecasts and alerts for Grafana where it is one that Grafana reads."""


def store(settings: Settings, *, shared: bool = False, journalled: bool = True, patience_s: float = 60.0) -> Store:
    """The series store, not opened. `shared`: other processes write too; `journalled`: a journal stands before it.

    `patience_s`: how long a server may take over an answer [s]; somebody who looks at a screen waits less than ingest.
    """
    address = settings.store_address
    if address.kind == "sqlite" and address.path is not None:
        from adapters.sqlite_store import SqliteStore

        return SqliteStore(address.path, synchronous="NORMAL" if journalled else "FULL")
    return influx(settings, shared=shared, patience_s=patience_s, cursor_path=journal_folder(settings) / "influx.cursor")


def influx(settings: Settings, *, shared: bool = True, patience_s: float = 60.0, cursor_path: Path | None = None) -> InfluxStore:
    """The InfluxDB of CANHMAN_STORE, not opened; without a cursor for who only reads. Raises RefusedError where that is SQLite."""
    from adapters.influx import InfluxStore

    address = settings.store_address
    if address.kind != "influxdb":
        raise RefusedError("CANHMAN_STORE is SQLite; this needs InfluxDB 1.6 to 2.x")
    token = settings.store_token.get_secret_value()
    if address.api == "v1" and token and ":" not in token:
        raise ConfigError(
            "CANHMAN_STORE_TOKEN is no user:password, which InfluxDB 1.x (api=v1) needs; a token alone is for 2.x: CANHMAN_STORE=…?api=v2&org=NAME"
        )
    if address.api == "v2" and not token:
        raise ConfigError("CANHMAN_STORE_TOKEN is not set, and api=v2 in CANHMAN_STORE needs a token that may read and write the bucket")
    return InfluxStore(
        f"http{'s' if address.tls else ''}://{address.host}:{address.port}",
        database=address.database,
        api=address.api,
        org=address.org,
        token=token,
        cursor_path=cursor_path,
        shared=shared,
        timeout=min(10.0, patience_s),
        read_timeout=patience_s,
    )


def journal_folder(settings: Settings) -> Path:
    """Where this ingest's journal is: each of several has its own."""
    return data_folder(settings) / (f"journal-{settings.worker}" if settings.worker else "journal")


def journal(settings: Settings, at: Clock) -> FileJournal:
    """The journal in CANHMAN_DATA, not opened."""
    from adapters.journal import SPARE, FileJournal

    return FileJournal(journal_folder(settings), max_bytes=settings.journal_max_bytes, spare=SPARE, clock=at)


def journal_folders(settings: Settings) -> list[Path]:
    """The folders of the journals in CANHMAN_DATA: one, or one per worker of a shared ingest."""
    return sorted(path for path in settings.data.glob("journal*/") if (path / "journal.id").exists())


def message_at(settings: Settings, journal: str, position: int) -> Message | None:
    """A journalled message, for who only looks; None where this CANHMAN_DATA does not (any more) keep it."""
    from adapters.journal_lookup import find

    folders = sorted({settings.data / "journal", *settings.data.glob("journal*/")})
    return next((message for folder in folders if (message := find(folder, journal, position)) is not None), None)


def source(settings: Settings, authority: RegistryAuthority, at: Clock, *, filters: Sequence[str] = FILTERS) -> MessageSource:
    """Where messages come from, not opened; `filters` are those of a broker."""
    address = settings.broker_address
    if not address.embedded:
        return broker_source(settings, worker=settings.worker, filters=filters, user=address.user, password=broker_password(settings), at=at)
    from adapters.listener import Listener
    from canhman.listener_tls import server_context

    return Listener(
        address.host,
        address.port,
        authority=authority,
        clock=at,
        sessions=data_folder(settings) / "mqtt-sessions",
        ssl=server_context(settings) if address.tls else None,
    )


def client_id(worker: str) -> str:
    """The name of an ingest's session at the broker."""
    return f"{INGEST_CLIENT_ID}-{worker}" if worker else INGEST_CLIENT_ID


def broker_source(settings: Settings, *, worker: str, user: str, password: str, filters: Sequence[str] = FILTERS, at: Clock | None = None) -> BrokerSource:
    """The session of an ingest at the broker of CANHMAN_BROKER, held by the client it names, not opened.

    A `worker` shares the data with all the others; who of them takes what cannot be shared, `words_seat` says.
    """
    from adapters.mqtt import PahoSource
    from adapters.mqtt_filters import DEFAULT_SHARE
    from adapters.mqtt_own import OwnSource

    address = settings.broker_address
    client: type[PahoSource] | type[OwnSource] = OwnSource if address.client == "own" else PahoSource
    return client(
        address.host,
        address.port,
        client_id=client_id(worker),
        share=DEFAULT_SHARE if worker else None,
        filters=filters,
        username=user,
        password=password,
        clock=at,
        tls=address.tls,
        tls_ca=str(settings.broker_ca) if settings.broker_ca else None,
    )


def broker_password(settings: Settings) -> str:
    """CANHMAN_BROKER_PASSWORD; for ingest's own account, else the one `canhman broker init` made in CANHMAN_DATA."""
    given = settings.broker_password.get_secret_value()
    kept = settings.data / BROKER_PASSWORD
    if given or settings.broker_address.user != INGEST_USER or not kept.exists():
        return given
    try:
        return kept.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{kept} cannot be read: {error.strerror}") from error


def login(settings: Settings, org: str, found: Org | None) -> tuple[str, str]:
    """User name and password a simulator or `publish` uses: those of CANHMAN_BROKER, else at our listener the join key."""
    address = settings.broker_address
    if address.user == INGEST_USER and found is not None:
        # ingest's own account may not publish; who holds the installation's secret may speak for its orgs
        return broker_user(f"org:{org}"), join_key(secret(settings), org, found.join_generation)
    if address.user or not address.embedded:
        join_user = address.user.startswith("org:") and not address.embedded
        return broker_user(address.user) if join_user else address.user, settings.broker_password.get_secret_value()
    if found is None:
        raise NotFoundError(f"no org is called {org!r}; `canhman orgs list` shows them")
    return f"org:{org}", join_key(secret(settings), org, found.join_generation)


def new_credential() -> tuple[str, str]:
    """A random password of 128 bits, and the hash of it that is kept."""
    password = secrets.token_urlsafe(16)
    return password, hash_password(password, salt=secrets.token_bytes(SALT_BYTES))


def publisher(settings: Settings, *, client_id: str, user: str, password: str, window: int) -> PahoPublisher:
    """An MQTT client for simulators, `replay` and `publish`, not opened."""
    from adapters.mqtt_publisher import PahoPublisher

    address = settings.broker_address
    host = "127.0.0.1" if address.embedded and address.host in ("0.0.0.0", "::") else address.host  # noqa: S104 it is compared, not bound
    return PahoPublisher(
        host,
        address.port,
        client_id=client_id,
        username=user,
        password=password,
        tls=address.tls,
        tls_ca=str(settings.broker_ca or settings.tls_cert) if address.tls and (settings.broker_ca or settings.tls_cert) else None,
        window=window,
    )


async def patient(work: Callable[[], Awaitable[T]], *, wait_s: float, say: Callable[[str], None]) -> T:
    """Do `work`, waiting up to `wait_s` for a server that is away; says so once. Raises what it raised last."""
    deadline = time.monotonic() + wait_s
    said = False
    pause = 0.2
    while True:
        try:
            return await work()
        except UnavailableError as error:
            if time.monotonic() + pause > deadline:
                raise
            if not said:
                say(f"waiting up to {wait_s:.0f} s: {error}")
                said = True
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 2.0)
