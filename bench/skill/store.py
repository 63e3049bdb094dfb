"""Results of parts, kept outside git: one is worked out again only where its code, its set's file or its data changed."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "scikit-learn", "scipy")
OURS = ("analytics", "adapters", "bench", "core")
# what a forecast of days, its data and its scores come from; models are found by their folder
START = ("analytics/daily/backtest.py", "analytics/daily/models/*.py", "adapters/csv_columns.py", "bench/skill/figures.py", "bench/leave_station_out.py")
TABLES = ("config/tides/*",)


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


def key_of(words: Iterable[str], files: Iterable[Path], *, start: Sequence[str] = START, root: Path = ROOT) -> str:
    """One for these words, the bytes of these files, the code from `start` on, and the libraries it runs on."""
    digest = hashlib.sha256("\n".join((*words, *(f"{name} {version(name)}" for name in LIBRARIES))).encode())
    for path in (*code(start, root), *(path for pattern in TABLES for path in sorted(root.glob(pattern))), *files):
        digest.update(f"\n{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def code(start: Sequence[str], root: Path = ROOT) -> list[Path]:
    """The modules of ours that these come to by their imports, themselves included."""
    waiting = [path for pattern in start for path in root.glob(pattern)]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path, root)
    return sorted(found)


def _imported(path: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.split(".")[0] in OURS:
                own = [f"{name}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
                for module in (name, *own):
                    there = root / (module.replace(".", "/") + ".py")
                    if there.is_file():
                        yield there
