"""Running rows over paths, one world after the other; what is done is kept, so that a run that was cut short goes on."""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench.faults.rows
from bench.faults import world as worlds
from bench.faults.row import FaultRow, Outcome, Scale
from bench.peers.rows import FORMS, ROWS
from bench.peers.world import PeerWorld
from core.plugins import collect

Told = Callable[[str], None]


PEERS = "peers"  # a path of its own: the rows of bench/peers, against the scripts and ours


def rows() -> dict[str, FaultRow]:
    """Every row by name, in the table's order."""
    return dict(sorted(collect(bench.faults.rows, "ROW", FaultRow).items(), key=lambda item: item[1].order))


def paths() -> list[str]:
    """The paths this version has."""
    return ["paho", *(["own"] if worlds.has_own_client() else []), "listener"]


def cases(chosen: Sequence[str] = (), on: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(path, row): path by path, so that a world is made once. `peers:FORM` are the scripts, `peers:paho` and so on ours in the same rows."""
    every = rows()
    found = [
        (path, name)
        for path in on or paths()
        for name, row in every.items()
        if not path.startswith(PEERS)
        if (worlds.LISTENER if path == "listener" else worlds.BROKER) in row.kinds and (not chosen or name in chosen)
    ]
    asked = [path.partition(":")[2] for path in on if path.startswith(PEERS)] if on else [*FORMS, *(path for path in paths() if path != "listener")]
    return found + [(f"{PEERS}:{form}", name) for form in asked for name in ROWS if not chosen or name in chosen]


@contextmanager
def made(path: str, bytecode: Path) -> Iterator[Any]:
    """A world of its own, in a folder of its own, whose processes end with it."""
    with tempfile.TemporaryDirectory(prefix="canhman-faults-") as folder:
        name = path.removeprefix(f"{PEERS}:")
        world = PeerWorld(Path(folder), name) if name in FORMS else worlds.make(name, Path(folder), bytecode)
        try:
            yield world
        finally:
            world.close()


def one(world: Any, row: FaultRow, name: str, *, short: bool, seed: int) -> dict[str, Any]:
    """Run a row; its outcome as plain values, or the fault of the run itself."""
    began = time.monotonic()
    scale = Scale(short=short, dice=random.Random(f"{seed}{name}"))
    try:
        outcome: Outcome | None = row.run(world, scale, f"{name.replace('_', '-')[:12]}-{seed % 1000:03d}-")
        error = ""
    except Exception as problem:  # noqa: BLE001 a row that cannot be run is told in the table, and the others go on
        outcome, error = None, "".join(traceback.format_exception(problem))[-6000:]
    finally:
        world.down()
    found: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "error": error}
    return found | ({"outcome": dataclasses.asdict(outcome)} if outcome else {})


def run(todo: Sequence[tuple[str, str]], *, short: bool, seed: int, jobs: int, told: Told, done: Callable[[str, str, Mapping[str, Any]], None]) -> None:
    """Every case, path by path, `jobs` paths at a time; `done` is called with each result, one after the other."""
    lock = threading.Lock()

    def one_path(path: str, bytecode: Path) -> None:
        every = ROWS if path.startswith(PEERS) else rows()
        names = [name for of, name in todo if of == path]
        shared = [name for name in names if not every[name].own_world]
        groups = [shared] if shared else []
        groups += [[name] for name in names if every[name].own_world]
        for group in groups:
            with made(path, bytecode) as world:
                for name in group:
                    told(f"{path}: {name}")
                    result = one(world, every[name], name, short=short, seed=seed)
                    with lock:
                        done(path, name, result)

    with tempfile.TemporaryDirectory(prefix="canhman-bytecode-") as bytecode, ThreadPoolExecutor(jobs) as pool:
        for over in [pool.submit(one_path, path, Path(bytecode)) for path in dict.fromkeys(path for path, _ in todo)]:
            over.result()


def kept(path: Path) -> dict[str, Any]:
    """What an earlier run left."""
    return dict(json.loads(path.read_text())) if path.exists() else {}
