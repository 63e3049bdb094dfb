"""Copy what an installation cannot do without into a new folder, while it runs. Never copies a SQLite file that is in use as a file.

Usage: deploy/backup.py [--keep N] FOLDER [COMMAND…]   with the settings (CANHMAN_…) of the installation in the environment

FOLDER/2026-03-02T031000Z/ then holds `data` (as CANHMAN_DATA), `config` (as CANHMAN_CONFIG) and, with InfluxDB, `influxdb`:
COMMAND is how that is backed up, and is called with the folder to fill as its last word.

The order is the point. Cursors say how far the journal is stored; they are copied first and the journal last, so that a
restored installation reads on from the cursor and finds in the journal everything that was acknowledged before the copy began.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from adapters.sql.engine import parse_url
from canhman.settings import Settings, read_settings
from canhman.wiring import no_installation
from core.errors import CanhManError, ConfigError, NotFoundError, UnavailableError

CURSOR = Path("journal", "influx.cursor")
SMALL = ("secret", "broker-password")
UNFINISHED = ".part"
ANSWER_S = 5.0  # for a server to answer at all
LAST_WORDS = 500  # characters


def copy_database(path: Path, target: Path) -> None:
    """A SQLite file as it stands at one moment, by SQLite itself; others may write meanwhile. Raises UnavailableError."""
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without -wal and -shm beside it
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise UnavailableError(f"{path} cannot be copied: {error}") from error
    if found != "ok":
        raise UnavailableError(f"the copy of {path} is damaged: {found}")


def copy_journal(folder: Path, target: Path) -> None:
    """Every segment there is now. One that still grows ends where it is cut; at the next start its torn end is cut off, as after a crash.

    One that is removed meanwhile had its time and is left out.
    """
    target.mkdir(exist_ok=True)
    for path in sorted(p for p in folder.glob("*") if p.suffix == ".cmj"):
        with suppress(FileNotFoundError):
            shutil.copyfile(path, target / path.name)


def address(command: Sequence[str]) -> tuple[str, int] | None:
    """Host and port that `influxd backup` (1.x) or `influx backup` (2.x) will speak to; None for another command."""
    program = Path(command[0]).name
    if program not in ("influxd", "influx"):
        return None
    usual = "127.0.0.1:8088" if program == "influxd" else os.environ.get("INFLUX_HOST", "http://localhost:8086")
    given = [word.partition("=")[2] or after for word, after in pairwise([*command, ""]) if word.partition("=")[0] in ("-host", "--host")]
    at = (given or [usual])[-1]
    parts = urlsplit(at if "//" in at else f"//{at}")
    try:
        return parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 8088)
    except ValueError:
        raise ConfigError(f"BACKUP_STORE: {at} is no address, such as 127.0.0.1:8088") from None


def ask(command: Sequence[str]) -> None:
    """Whether anybody listens where the command will speak to, which itself would try for minutes. Raises UnavailableError."""
    at = address(command)
    if at is None:
        return
    try:
        socket.create_connection(at, timeout=ANSWER_S).close()
    except OSError as error:
        where = f"InfluxDB does not answer at {at[0]}:{at[1]} ({error.strerror or error})"
        raise UnavailableError(f"{where}: start it, or correct the address in BACKUP_STORE ({' '.join(command)})") from error


def last_words(text: str) -> str:
    """The end of what a program said, in one line, from the beginning of a line on."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept: list[str] = []
    while lines and (not kept or sum(map(len, kept)) + len(lines[-1]) <= LAST_WORDS):
        kept.insert(0, lines.pop())
    return "; ".join(kept) or "it said nothing"


def back_up(settings: Settings, target: Path, command: Sequence[str]) -> None:
    """Fill the folder `target`. Raises CanhManError in one line."""
    if settings.store_address.path is None and command:
        ask(command)
    if not settings.database and not settings.data.joinpath("registry.db").exists():
        raise NotFoundError(no_installation(settings))
    data = target / "data"
    data.joinpath(CURSOR).parent.mkdir(parents=True)
    if settings.data.joinpath(CURSOR).exists():
        shutil.copyfile(settings.data / CURSOR, data / CURSOR)
    database = parse_url(settings.database_url)
    if database.drivername != "sqlite" or not database.database:
        raise ConfigError("CANHMAN_DATABASE is no SQLite file: back it up with its own tools (pg_dump) and the journal after it")
    copy_database(Path(database.database), data / "registry.db")
    store = settings.store_address
    if store.path is not None:
        copy_database(store.path, data / "series.db")
    elif not command:
        raise ConfigError("CANHMAN_STORE is InfluxDB: name its backup command, such as influxd backup -portable -database canhman (2.x: influx backup)")
    else:
        done = subprocess.run([*command, str(target / "influxdb")], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnavailableError(f"BACKUP_STORE: {' '.join(command)} ended with {done.returncode}: {last_words(done.stderr or done.stdout)}")
    for name in SMALL:
        if settings.data.joinpath(name).exists():
            shutil.copyfile(settings.data / name, data / name)
    if settings.config is not None:
        shutil.copytree(settings.config, target / "config")
    copy_models(settings.data / "models", data / "models")
    copy_journal(settings.data / "journal", data / "journal")


def copy_models(folder: Path, target: Path) -> None:
    """Who speaks first, then the models: the one that is named then is there. Drafts are left out, and what a training removes meanwhile."""
    paths = [p for p in folder.glob("*/speaking.json") if p.is_file()] + sorted(p for p in folder.glob("*/[!.]*/*") if p.is_file() and p.name[0] != ".")
    for path in paths:
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, place)


def old_ones(folder: Path, keep: int) -> list[Path]:
    """Finished backups that may go: all but the newest `keep`."""
    found = sorted(p for p in folder.glob("????-??-??T??????Z") if p.is_dir())
    return found[:-keep] if keep else []


def main(words: Sequence[str]) -> int:
    """0 done, 1 failed (one line says why), 2 used wrongly."""
    parser = argparse.ArgumentParser(prog="backup.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=int, default=0, help="remove finished backups but for the newest N (default: keep all)")
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="how InfluxDB is backed up")
    given = parser.parse_args(words)
    os.umask(0o077)  # it holds password hashes and the secret
    name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    draft = given.folder / f"{name}{UNFINISHED}"
    try:
        draft.mkdir(parents=True)
        back_up(read_settings(), draft, given.command)
        os.sync()
        draft.rename(given.folder / name)
    except (CanhManError, OSError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        sys.stderr.write(f"backup: {error}\n")
        return 1
    for path in old_ones(given.folder, given.keep):
        shutil.rmtree(path)
    sys.stdout.write(f"{given.folder / name}: {sum(p.stat().st_size for p in (given.folder / name).rglob('*') if p.is_file()) >> 10} KiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
