"""What a running service says of itself, for `doctor` in another process: a small file, written whole each two seconds."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

EVERY_S = 2.0
STALE_S = 10.0
_SUFFIX = ".heartbeat.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """`at` [system s]; `troubles` by part, in words; `figures` by name; `facts`: what else others want to know of it, in words, by name.

    `recent`: rates and quantiles of the last minute; `histograms`: bounds, counts and sum since the start (`ingest.meters`).
    """

    service: str
    pid: int
    at: float
    troubles: dict[str, str]
    figures: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    recent: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_fresh(self) -> bool:
        """Written within the last ten seconds."""
        return time.time() - self.at < STALE_S


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
    """Replace the file of `service`. A full disk is no reason to stop a service: then the old file stays."""
    beat = Heartbeat(
        service=service,
        pid=os.getpid(),
        at=time.time(),
        troubles=troubles,
        figures=figures,
        facts=facts or {},
        recent=recent or {},
        histograms=histograms or {},
    )
    draft = folder / f".{service}.heartbeat.new"
    try:
        draft.write_text(json.dumps(asdict(beat), ensure_ascii=False))
        draft.replace(folder / f"{service}{_SUFFIX}")
    except OSError:
        return


def read(folder: Path, service: str) -> Heartbeat | None:
    """The last word of `service`; None where it never ran here."""
    try:
        return Heartbeat(**json.loads((folder / f"{service}{_SUFFIX}").read_text()))
    except (OSError, ValueError, TypeError):
        return None
