"""Mosquitto's files on disk and ingest's session at it: the I/O of `canhman broker`."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import stat
from collections.abc import Container, Sequence
from pathlib import Path

from canhman import broker_record, heartbeat, terminal, wiring, words_seat
from canhman.settings import Settings
from core.errors import ConfigError, RefusedError, UnavailableError
from core.ports import RegistrySnapshot
from registry.broker_files import EXPIRATION, INGEST_USER, SALT_BYTES, BrokerTls, acl_file, configuration, hash_password
from registry.broker_files import password_file as password_text

CONFIGURATION = "mosquitto.conf"
SYNCED = ".synced"  # stands in the folder once devices have been let in, so that a second init does not shut them out
MOSQUITTO = "mosquitto"  # the user it drops to where root starts it
FOLDER = Path("broker")
LOOK_USER = "org/_look"  # neither a device (org: is not theirs) nor an org (no _) can be called so
GOOD_FOLDER = "/etc/mosquitto/canhman"


def folder_of(settings: Settings, given: Path | None) -> Path:
    """The folder of Mosquitto's files: as given, else where the last init wrote, else `broker` in the folder we stand in."""
    kept = broker_record.read(settings).folder
    return given if given is not None else Path(kept) if kept else FOLDER


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


def write_configuration(folder: Path, *, host: str | None, port: int | None, certfile: str, keyfile: str, shared: bool = False) -> str:
    """`mosquitto.conf` in `folder`, and the folder for the broker's own persistence; returns what was done, for people.

    A file that is there stays as it stands where nothing is given (host and port None, no certificate): somebody chose
    its port and its TLS, and may have written lines of their own. `shared`: for several ingests; a file that stands gets the
    one line they need.
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
        if shared and not re.search(rb"(?m)^persistent_client_expiration\b", stood):
            _write(path, f"{stood.decode('utf-8', 'surrogateescape').rstrip()}\n{EXPIRATION}\n", 0o644)
            return f"written {path}: {EXPIRATION}, for ingests that share; restart Mosquitto, a reload does not read it"
        return f"kept {path} as it stands (--host, --port or --certfile write it anew)"
    text = configuration(
        password_path=str(home / "passwd"),
        acl_path=str(home / "acl"),
        data_path=str(queue),
        host=host or "",
        port=port or 1883,
        tls=BrokerTls(certfile=certfile, keyfile=keyfile) if certfile else None,
        shared=shared,
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
    texts = account_texts(snapshot, settings, password=password)
    for name, text in texts.items():
        _write(home / name, text, 0o640)
        _give_to_mosquitto(home / name)
    broker_record.remember_folder(settings, home)
    return [home / name for name in texts]


def account_texts(snapshot: RegistrySnapshot, settings: Settings, *, password: str) -> dict[str, str]:
    """What belongs into `passwd` and `acl` by the registry and the settings."""
    closed = settings.enrol == "closed"
    texts = {
        "passwd": password_text(snapshot, secret=wiring.secret(settings), closed=closed, ingest_password=password),
        "acl": acl_file(snapshot, closed=closed),
    }
    look = look_password(settings, texts)
    salt = hashlib.sha256(look.encode()).digest()[:SALT_BYTES]  # the same files, the same line
    return texts | {"passwd": f"{texts['passwd']}{LOOK_USER}:{hash_password(look, salt=salt)}\n"}


def look_password(settings: Settings, texts: dict[str, str]) -> str:
    """The password of an account that may do nothing: another one with each change of the files, so that who logs in knows that these were read."""
    passwd = "".join(line for line in texts["passwd"].splitlines(keepends=True) if not line.startswith(f"{LOOK_USER}:"))
    return hmac.new(wiring.secret(settings), b"canhman look\0" + passwd.encode() + b"\0" + texts["acl"].encode(), hashlib.sha256).hexdigest()


def look_login(settings: Settings, folder: Path) -> tuple[str, str] | None:
    """User and password that the broker takes once it has read the files that stand in `folder`; None where they are of an older version."""
    texts = _standing(folder)
    return (LOOK_USER, look_password(settings, texts)) if f"\n{LOOK_USER}:" in texts["passwd"] else None


def not_synced(snapshot: RegistrySnapshot, settings: Settings, folder: Path) -> list[str]:
    """The accounts that stand otherwise in `folder` than the registry has them now, or not at all. Raises ConfigError for files we cannot read."""
    wanted = account_texts(snapshot, settings, password=ingest_password(settings))
    now, then = (_accounts(texts) for texts in (wanted, _standing(folder)))
    return sorted(name for name in (now.keys() | then.keys()) - {LOOK_USER} if now.get(name) != then.get(name))


def _standing(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("passwd", "acl"):
        try:
            found[name] = (folder / name).read_text("utf-8")
        except OSError as error:
            raise ConfigError(f"{folder / name} cannot be read: {error.strerror}; canhman broker sync --folder {folder} writes it") from error
    return found


def _accounts(texts: dict[str, str]) -> dict[str, tuple[str, str]]:
    """User → (hash, rules), of both files."""
    hashes = dict(line.split(":", 1) for line in texts["passwd"].splitlines() if ":" in line)
    rules = {name: block for name, _, block in (text.partition("\n") for text in ("\n" + texts["acl"]).split("\nuser ")[1:])}
    return {name: (hashes.get(name, ""), rules.get(name, "").strip()) for name in hashes.keys() | rules.keys()}


def check_session(settings: Settings, folder: Path) -> None:
    """Before devices are let in: ingest's session must stand, or the broker acknowledges what they send and drops it. Raises RefusedError.

    Where the broker answers and no ingest holds the session it is looked for there too: an emptied broker has forgotten it.
    """
    again = (
        f"start Mosquitto with the files in {folder.absolute()} and run `canhman broker init --folder {shlex.quote(str(folder.absolute()))}` again; then sync"
    )
    if settings.broker_address.embedded:
        raise RefusedError(
            f"ingest has no session at Mosquitto: CANHMAN_BROKER={settings.broker!r} is our own listener. "
            f"Set CANHMAN_BROKER=mqtt://{INGEST_USER}@HOST (with TLS mqtts://), {again}"
        )
    at = broker_record.where(settings)
    if not broker_record.has_session(settings):
        raise RefusedError(f"ingest's session was never made at {at}: what devices send would be acknowledged there and lost; {again}")
    if ingest_runs(settings):
        return
    try:
        stood = asyncio.run(make_sessions(settings, ingest_password(settings), workers=broker_record.workers(settings), wait_s=0))
    except (UnavailableError, RefusedError):  # stopped, with the session on its disk, or not reloaded since the password changed
        return
    if not stood:
        terminal.say(f"The broker at {at} had lost ingest's session (was its queue folder emptied?); it is made again.", style="yellow")


def ingest_runs(settings: Settings, worker: str | None = None) -> bool:
    """Whether an ingest (that of `worker`, or with an empty name the lone one) runs on this CANHMAN_DATA now."""
    beats = heartbeat.ingests(settings.data)
    return any(beat.runs for name, beat in beats.items() if worker is None or name == heartbeat.ingest_name(worker))


async def make_sessions(settings: Settings, password: str, *, workers: Sequence[str] = (), wait_s: float) -> bool:
    """The persistent session of ingest, or of each of the `workers` that share the broker; whether it had all of them already.

    A publish before the first subscription is acknowledged and gone.
    """
    stood = True
    for worker in workers or [""]:
        if not worker or not ingest_runs(settings, worker):  # who runs holds it, and would be thrown out for a moment
            stood &= await _make_session(settings, password, worker, wait_s=wait_s)
        broker_record.remember_session(settings, worker)
    return stood


async def _make_session(settings: Settings, password: str, worker: str, *, wait_s: float) -> bool:
    words = True
    if worker:
        db = wiring.database(settings)
        words = await words_seat.take(db, worker)
        db.close()

    async def once() -> bool:
        user = settings.broker_address.user or INGEST_USER
        source = wiring.broker_source(settings, worker=worker, user=user, password=password, filters=words_seat.filters(words))
        await source.open()
        await source.close()
        return source.found_session

    return await wiring.patient(once, wait_s=wait_s, say=terminal.say)


async def end_lone_session(settings: Settings, password: str) -> None:
    """The session of the lone ingest gives way to those of workers: it would collect everything once more, for nobody."""
    user = settings.broker_address.user or INGEST_USER
    await wiring.broker_source(settings, worker="", user=user, password=password).forget()
    broker_record.forget_session(settings)


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
