"""Mosquitto's files on disk and ingest's session at it: the I/O of `canhman broker`."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
from collections.abc import Container
from pathlib import Path

from adapters.mqtt import create_session
from canhman import terminal, wiring
from canhman.settings import Settings
from core.errors import ConfigError
from core.ports import RegistrySnapshot
from registry.broker_files import INGEST_USER, BrokerTls, acl_file, configuration
from registry.broker_files import password_file as password_text

CONFIGURATION = "mosquitto.conf"
SYNCED = ".synced"  # stands in the folder once devices have been let in, so that a second init does not shut them out
MOSQUITTO = "mosquitto"  # the user it drops to where root starts it
GOOD_FOLDER = "/etc/mosquitto/canhman"


def password_file(settings: Settings) -> Path:
    """Where ingest's broker password is kept."""
    return wiring.data_folder(settings) / wiring.BROKER_PASSWORD


def ingest_password(settings: Settings) -> str:
    """CANHMAN_BROKER_PASSWORD, else the one kept in CANHMAN_DATA, made now where there is none."""
    given = settings.broker_password.get_secret_value()
    if given:
        return given
    path = password_file(settings)
    if not path.exists():
        _write(path, secrets.token_urlsafe(24) + "\n", 0o600)
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def write_configuration(folder: Path, *, host: str | None, port: int | None, certfile: str, keyfile: str) -> str:
    """`mosquitto.conf` in `folder`, and the folder for the broker's own persistence; returns what was done, for people.

    A file that is there stays as it stands where nothing is given (host and port None, no certificate): somebody chose
    its port and its TLS, and may have written lines of their own.
    """
    home = folder.resolve()
    path = home / CONFIGURATION
    queue = home / "queue"
    try:
        queue.mkdir(parents=True, exist_ok=True)
        stood = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise ConfigError(f"{error.filename or home}: {error.strerror}") from error
    _give_to_mosquitto(queue)
    if stood is not None and host is None and port is None and not certfile:
        return f"kept {path} as it stands (--host, --port or --certfile write it anew)"
    text = configuration(
        password_path=str(home / "passwd"),
        acl_path=str(home / "acl"),
        data_path=str(queue),
        host=host or "",
        port=port or 1883,
        tls=BrokerTls(certfile=certfile, keyfile=keyfile) if certfile else None,
    )
    _write(path, text, 0o644)
    listens = f"port {port or 1883}, {host or 'every address'}, {'TLS' if certfile else 'no TLS'}"
    return f"written {path}{' anew; what stood in it is gone' if stood not in (None, text.encode()) else ''} ({listens})"


def barred(folder: Path, *, uid: int, gids: Container[int]) -> Path | None:
    """The first folder on the way to what lies in `folder` that this user cannot enter."""
    home = folder.resolve()
    for step in (*reversed(home.parents), home):
        found = step.stat()
        bit = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid in gids else stat.S_IXOTH
        if not found.st_mode & bit:
            return step
    return None


def barred_for_mosquitto(folder: Path) -> Path | None:
    """As `barred`, for the user that Mosquitto drops to where root starts it; None where we are not root or there is no such user."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(MOSQUITTO)
    except KeyError:
        return None
    return barred(folder, uid=user.pw_uid, gids=os.getgrouplist(MOSQUITTO, user.pw_gid))


def write_accounts(folder: Path, settings: Settings, *, password: str, only_ingest: bool) -> list[Path]:
    """`passwd` and `acl`: ingest's account, and (not `only_ingest`) those of devices and join keys."""
    home = folder.resolve()
    if not home.is_dir():
        raise ConfigError(f"{home} is no folder; `canhman broker init --folder {folder}` makes it")
    with wiring.registry(settings, making=True) as (directory, _):
        snapshot = directory.snapshot
    if only_ingest:
        snapshot = RegistrySnapshot(version=snapshot.version, orgs=(), devices=(), stations=(), deployments=(), waterways=())
    closed = settings.enrol == "closed"
    texts = {
        "passwd": password_text(snapshot, secret=wiring.secret(settings), closed=closed, ingest_password=password),
        "acl": acl_file(snapshot, closed=closed),
    }
    for name, text in texts.items():
        _write(home / name, text, 0o640)
        _give_to_mosquitto(home / name)
    return [home / name for name in texts]


async def make_session(settings: Settings, password: str, *, wait_s: float) -> None:
    """Ingest's persistent session with its subscriptions."""
    address = settings.broker_address

    async def once() -> None:
        await create_session(
            address.host,
            address.port,
            client_id=wiring.INGEST_CLIENT_ID,
            username=address.user or INGEST_USER,
            password=password,
            tls=address.tls,
            tls_ca=str(settings.broker_ca) if settings.broker_ca else None,
        )

    await wiring.patient(once, wait_s=wait_s, say=terminal.say)


def reload(pid_file: Path) -> int:
    """SIGHUP to the process in `pid_file`; returns its id."""
    text = pid_file.read_text(errors="replace").strip()
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31):  # 0 would be our own process group
        raise ConfigError(f"{pid_file} holds {text[:40]!r}, not a process id")
    try:
        os.kill(int(text), signal.SIGHUP)
    except OSError as error:
        raise ConfigError(f"process {text} of {pid_file}: {error.strerror}") from error
    return int(text)


def _write(path: Path, text: str, mode: int) -> None:
    """Whole, or not at all: a broker that reads it half written would shut everybody out."""
    draft = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _give_to_mosquitto(path: Path) -> None:
    """As root: let the user Mosquitto drops to read (and its queue, write) it."""
    if os.geteuid() != 0:
        return
    try:
        shutil.chown(path, user=MOSQUITTO)
    except LookupError:  # no such user here: the broker runs on another machine
        return
