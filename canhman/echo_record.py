"""By what filters a word of ingest to itself ever came back at its broker: a small file in CANHMAN_DATA, so that silence tells something after a restart too.

A file of its own for each ingest, which alone writes it: `broker_record` is written by commands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from canhman import broker_record, wiring
from canhman.settings import Settings


def read(settings: Settings) -> set[str]:
    """The filters; none where nothing came back yet at CANHMAN_BROKER, or the file cannot be read: then it must come back once more first."""
    try:
        found = json.loads(_path(settings).read_text("utf-8"))
        return {str(f) for f in found["filters"]} if found["broker"] == broker_record.where(settings) else set()
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def write(settings: Settings, filters: Collection[str]) -> None:
    """These. Without room on the disk nothing is remembered, which is no reason to stop."""
    path = _path(settings)
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_text(json.dumps({"broker": broker_record.where(settings), "filters": sorted(filters)}) + "\n", "utf-8")
        draft.replace(path)
    except OSError:
        return


def _path(settings: Settings) -> Path:
    return wiring.data_folder(settings) / f"broker-echo{f'-{settings.worker}' if settings.worker else ''}.json"
