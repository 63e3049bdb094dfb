"""Where a backtest reads and writes: nothing read is written over, nothing is found impossible only after the work, no file is ever half there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from canhman.usage import UsageError
from core.errors import ConfigError

_STREAMS = {Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd")}  # /dev/stdout may be a file, and is never to be replaced
Named = tuple[str, Path]  # an option and its value


def there(option: str, path: Path | None, *, folder: bool = False) -> None:
    """What is to be read is there. Raises UsageError."""
    if path is None:
        return
    with _named(option, path, "read"):
        if not (path.is_dir() if folder else path.exists()):
            raise UsageError(f"{option} {path}: there is no such {'folder' if folder else 'file'}")
        if not folder and path.is_dir():
            raise UsageError(f"{option} {path} is a folder: name a file")


def apart(outputs: Sequence[Named], inputs: Sequence[Path]) -> None:
    """No output is another one, or a file that is read. Raises UsageError."""
    files = [(option, path) for option, path in outputs if not _stream(path)]
    for at, (option, path) in enumerate(files):
        for read in inputs:
            if _same(path, read):
                raise UsageError(f"{option} {path} is read by this very trial: name another file")
        for other, its in files[:at]:
            if _same(path, its):
                raise UsageError(f"{other} and {option} are both {path}: give each a name of its own")


def file_can_be_written(option: str, path: Path | None) -> None:
    """Tried before the work: the folder is there and takes a file. Raises UsageError."""
    if path is None:
        return
    with _named(option, path, "written"):
        if path.is_dir():
            raise UsageError(f"{option} {path} is a folder: name a file")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")
        if path.is_char_device():
            _nothing_into(path)
        elif path.exists() and not path.is_file() and not path.is_fifo():
            raise UsageError(f"{option} {path} is neither a file nor a pipe: name a file")
        elif not _stream(path):
            _trial(path.resolve().parent)
            if path.exists() and not os.access(path, os.W_OK):
                raise UsageError(f"{option} {path} may not be written over: it is read-only")


def folder_can_be_written(option: str, path: Path | None) -> None:
    """Tried before the work: it is there, or can be made, and takes a file. Raises UsageError."""
    if path is None:
        return
    with _named(option, path, "written"):
        near = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
        if not near.is_dir():
            raise UsageError(f"{option} {path}: {near} is a file: name a folder")
        _trial(near)


@contextmanager
def _named(option: str, path: Path, what: str) -> Iterator[None]:
    """What the system refuses is told with the option and its value."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be {what}: {error.strerror or error}") from error


def write(option: str, path: Path, fill: Callable[[Path], None]) -> None:
    """`fill` writes a draft beside `path`, which takes its place once it is whole; a pipe or device is written to as it is. Raises ConfigError."""
    try:
        if _stream(path):
            fill(path)
            return
        place = path.resolve()  # the file a link leads to
        draft = _draft(place.parent, place.suffix)
        try:
            fill(draft)
            if place.exists():
                shutil.copymode(place, draft)
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{option} {path} cannot be written: {error.strerror or error}") from error


def _stream(path: Path) -> bool:
    return path.absolute().parent in _STREAMS or (path.exists() and not path.is_file() and not path.is_dir())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return one.resolve() == other.resolve()


def _trial(folder: Path) -> None:
    draft = _draft(folder, "")
    try:
        draft.touch(exist_ok=False)
    finally:
        draft.unlink(missing_ok=True)


def _draft(folder: Path, suffix: str) -> Path:
    return folder / f".canhman-{os.getpid()}.draft{suffix}"


def _nothing_into(device: Path) -> None:
    """A full device refuses even that."""
    handle = os.open(device, os.O_WRONLY)
    try:
        os.write(handle, b"")
    finally:
        os.close(handle)
