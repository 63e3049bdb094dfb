"""Files that only their owner may read, in whatever folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MODE = 0o600


def make_private(path: Path) -> None:
    """Make `path` an empty file of the owner's alone where it is absent; one that is there keeps its mode.

    SQLite would make it by the umask, and gives -wal and -shm the mode of the file they belong to. What cannot be made
    is left to who opens it next and says so in its own words.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
