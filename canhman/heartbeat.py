"""What a running service says of itself, for `doctor` in another process: a small file, written whole each two seconds.

Two things must not make it lie. A disk that is full: then it is written in its own place, which needs no new room. A clock
that is set: its age is also told by the clock of the machine's boot, which nobody sets. Where it has grown old all the same,
`why_silent` looks at its process and at the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

EVERY_S = 2.0
STALE_S = 10.0
_SUFFIX = ".heartbeat.json"
_BLOCK, _SPARE = 4096, 2048  # a file fills whole blocks, and has room for the words of a trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """`at` [system s]; `troubles` by part, in words; `figures` by name; `facts`: what else others want to know of it, in words, by name.

    `recent`: rates and quantiles of the last minute; `histograms`: bounds, counts and sum since the start (`ingest.meters`).
    `machine`: its boot and the room its process number counts in; `up` [s since that boot]; `born`: when the process began.
    """

    service: str
    pid: int
    at: float
    troubles: dict[str, str]
    figures: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    recent: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, dict[str, Any]] = field(default_factory=dict)
    machine: str = ""
    up: float = 0.0
    born: str = ""

    @property
    def age_s(self) -> float:
        """How long ago it was written [s]: by both clocks of this machine, since one may have been set back."""
        wall = time.time() - self.at
        if not self.machine:
            return wall
        return max(wall, time.monotonic() - self.up) if self.machine == _machine() else abs(wall)

    @property
    def is_fresh(self) -> bool:
        """Written within the last ten seconds, by a process that is not gone since."""
        return self.age_s < STALE_S and self.lives is not False

    @property
    def runs(self) -> bool:
        """Whether it spoke lately, or its process lives all the same."""
        return self.is_fresh or self.lives is True

    @property
    def lives(self) -> bool | None:
        """Whether its process is there; None where that cannot be seen from here (another container, another machine)."""
        if not self.born or self.machine != _machine():
            return None
        return _born(self.pid) == self.born


def ingest_name(worker: str) -> str:
    """The service's name of an ingest: `ingest`, or of one among several `ingest-WORKER`."""
    return f"ingest-{worker}" if worker else "ingest"


def ingests(folder: Path) -> dict[str, Heartbeat]:
    """Every ingest that runs, or ran, on this CANHMAN_DATA, by name."""
    names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"ingest*{_SUFFIX}"))
    return {name: beat for name in names if (name == "ingest" or name.startswith("ingest-")) and (beat := read(folder, name)) is not None}


def write(
    folder: Path,
    service: str,
    troubles: dict[str, str],
    figures: dict[str, int],
    facts: dict[str, str] | None = None,
    *,
    recent: dict[str, float] | None = None,
    histograms: dict[str, dict[str, Any]] | None = None,
) -> None:
    """Replace the file of `service`. A disk on which nothing can be written is no reason to stop a service: then the old file stays."""
    beat = Heartbeat(
        service=service,
        pid=os.getpid(),
        at=time.time(),
        troubles=troubles,
        figures=figures,
        facts=facts or {},
        recent=recent or {},
        histograms=histograms or {},
        machine=_machine(),
        up=time.monotonic(),
        born=_born(os.getpid()),
    )
    text = json.dumps(asdict(beat), ensure_ascii=False).encode()
    size = -(-(len(text) + _SPARE) // _BLOCK) * _BLOCK
    path, draft = folder / f"{service}{_SUFFIX}", folder / f".{service}.heartbeat.new"
    try:
        draft.write_bytes(text.ljust(size))
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _write_over(path, text)


def _write_over(path: Path, text: bytes) -> None:
    """In its own place, where it fits. A reader that comes in between reads again."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if len(text) <= size:
            file.write(text.ljust(size))


def read(folder: Path, service: str) -> Heartbeat | None:
    """The last word of `service`; None where it never ran here."""
    for _ in range(3):
        try:
            return Heartbeat(**json.loads((folder / f"{service}{_SUFFIX}").read_bytes()))
        except (ValueError, TypeError):
            continue
        except OSError:
            return None
    return None


def why_silent(folder: Path, beat: Heartbeat) -> str:
    """Why the last word of a service is old, where it does not simply run no more; else empty. Tries to write into `folder`."""
    lives, ago = beat.lives, f"its last word is {beat.age_s:.0f} s old"
    if lives is False:
        return ""
    who = f"process {beat.pid} runs" if lives else f"whether process {beat.pid} runs cannot be seen from here"
    if trouble := unwritable(folder):
        return f"{who}, and how it is cannot be told: nothing can be written into {folder} ({trouble}); {ago}. Make room there"
    return f"{who} and says nothing: {ago}. It hangs, or its machine has no time for it" if lives else ""


def unwritable(folder: Path) -> str:
    """Why nothing can be written there; empty where it can."""
    trial = folder / f".heartbeat-{os.getpid()}.trial"
    try:
        trial.write_bytes(b" " * _BLOCK)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):
            trial.unlink(missing_ok=True)
    return ""


@cache
def _machine() -> str:
    """This boot of this machine, and the room in which process numbers are unique (a container has its own); empty where the system does not tell."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When this process began, in ticks since the boot; empty where there is none."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else rest[18]
