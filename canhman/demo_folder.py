"""The demo's folder: one demo at a time, and where the one that runs can be opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from canhman import wiring
from canhman.demo_ports import is_free, port_taken, url
from canhman.judge_lock import JudgeLock
from canhman.logs import LogFile
from canhman.settings import Settings
from core.errors import ConfigError

ADDRESS = "demo.url"  # beside the lock: where the running one can be opened


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """The folder is this demo's alone, can be written, and its HTTP port is free. Raises ConfigError; then nothing new was made."""
    folder = settings.data
    lock = JudgeLock(folder, "demo.lock")
    try:
        if folder.is_dir():
            _take(lock, folder)
        host, _, port = settings.listen.rpartition(":")
        if not is_free(host, int(port)):
            raise port_taken(settings)
        try:
            wiring.data_folder(settings)
        except ConfigError as error:
            raise _unwritable(folder, error.__cause__) from error
        _take(lock, folder)
        try:
            (folder / ADDRESS).write_text(url(settings), "utf-8")
            LogFile(folder / "demo.log").take_all()
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield
    finally:
        lock.release()


def _take(lock: JudgeLock, folder: Path) -> None:
    try:
        taken = lock.take()
    except ConfigError as error:
        raise _unwritable(folder, error.__cause__) from error
    if not taken:
        try:
            address = (folder / ADDRESS).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            address = ""
        where = f": open {address}" if address else ""
        raise ConfigError(f"the demo runs already on {folder}{where}; stop that one, or choose another folder with --data")


def _unwritable(folder: Path, error: BaseException | None) -> ConfigError:
    why = f"{error.strerror or error}: {error.filename or folder}" if isinstance(error, OSError) else str(error)
    return ConfigError(f"the demo's folder {folder} cannot be written ({why}); choose another one with --data")
