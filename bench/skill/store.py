"""Results of parts, kept outside git: one is worked out again only where its code, its set's file or its data changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "scikit-learn", "scipy")
# what a forecast of days, its data and its scores are made of
CODE = (
    "analytics/daily/**/*.py",
    "analytics/empirical.py",
    "adapters/csv_columns.py",
    "core/table.py",
    "core/tide.py",
    "core/constituents.py",
    "core/seawater.py",
    "config/tides/*",
    "bench/leave_station_out.py",
    "bench/skill/figures.py",
    "bench/skill/parts.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A folder of JSON files, each with the seconds it took."""

    folder: Path

    def get(self, name: str, key: str) -> tuple[Any, float] | None:
        """What was kept under this key, and how long it had taken; None where it is another key's, or was cut short."""
        try:
            found = json.loads(self._path(name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return (found["value"], found["seconds"]) if found["key"] == key else None

    def put(self, name: str, key: str, value: Any, seconds: float) -> None:
        """Keep it. A crash leaves the old one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self._path(name).with_suffix(".new")
        beside.write_text(json.dumps({"key": key, "seconds": seconds, "value": value}, allow_nan=False), "utf-8")
        beside.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def key_of(words: Iterable[str], files: Iterable[Path], *, code: Sequence[str] = CODE, root: Path = ROOT) -> str:
    """One for these words, the bytes of these files, the code, and the libraries it runs on."""
    digest = hashlib.sha256("\n".join((*words, *(f"{name} {version(name)}" for name in LIBRARIES))).encode())
    for path in (*sorted(path for pattern in code for path in root.glob(pattern) if path.is_file()), *files):
        digest.update(f"\n{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()
