"""Files we may not use: whose they are, who we are, and the command that mends it. For errors at start and for `doctor`."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path


def we() -> str:
    """The name of the user this process runs as."""
    return _user(os.geteuid())


def whose(path: Path) -> str:
    """`it belongs to root:root (mode 600) and we are canhman`; where it cannot even be looked at, the folder in the way."""
    for found in (path, *path.absolute().parents):
        try:
            status = found.stat()
        except OSError:
            continue
        name = "it" if found == path else str(found)
        return f"{name} belongs to {_user(status.st_uid)}:{_group(status.st_gid)} (mode {stat.S_IMODE(status.st_mode):o}) and we are {we()}"
    return f"we are {we()}"


def barred(folder: Path) -> Iterator[Path]:
    """What in CANHMAN_DATA this user cannot read, or another's that it cannot write: the folder, the journal's, and the files in both."""
    for place in (folder, folder / "journal"):
        if not place.exists():
            continue
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            yield place
            continue
        yield from (p for p in sorted(place.iterdir()) if not p.name.startswith(".") and _is_denied(p))


def _is_denied(path: Path) -> bool:
    """A draft that another process renames meanwhile is none; what is ours and read-only somebody made so."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return False
    wanted = os.R_OK if owner == os.geteuid() else os.R_OK | os.W_OK
    return path.is_file() and not os.access(path, wanted) and path.exists()


def take_back(folder: Path) -> str:
    """The command that gives a folder to us."""
    return f"as root: chown -R {we()}: {folder.absolute()}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
