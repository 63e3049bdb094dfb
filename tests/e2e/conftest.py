"""End-to-end tests drive whole installations: `rig` is each of the two set-ups, `mosquitto_influx` and `listener_sqlite` the one.

A rig is set up but not started: `rig.start()` runs its ingest. In the end its log must hold no fault of our own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import processes
from servers.installation import SETUPS, Installation, ListenerSqlite, MosquittoInflux

from firmware_sim.recorded import write_recorded


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the compiled modules of all commands are kept: with those of `make test`, or in a folder of this session. From here on commands are forked."""
    folder = Path(sys.pycache_prefix or tmp_path_factory.getbasetemp() / "bytecode")
    folder.mkdir(parents=True, exist_ok=True)
    with processes.fork_server(folder):
        yield folder


@pytest.fixture(scope="session")
def recorded(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The measured file of 37 stations; where it is absent one of the same shape, written by the simulator."""
    measured = shared_dir / "data" / "mekong" / "salinity_2h_2020_2022.csv.gz"
    if measured.exists():
        return measured
    made = tmp_path_factory.mktemp("recorded") / measured.name
    write_recorded(made)
    return made


@contextmanager
def _set_up(name: str, folder: Path, bytecode: Path) -> Iterator[Any]:
    made = SETUPS[name](folder / name, bytecode)
    try:
        yield made
    finally:
        made.close()
    assert "Traceback" not in made.log, f"ingest logged a fault:\n{made.log[-6000:]}"


@pytest.fixture(params=list(SETUPS))
def rig(request: pytest.FixtureRequest, tmp_path: Path, bytecode: Path) -> Iterator[Installation]:
    """Each set-up in turn, in open enrolment, with an empty database and store."""
    with _set_up(request.param, tmp_path, bytecode) as made:
        yield made


@pytest.fixture
def mosquitto_influx(tmp_path: Path, bytecode: Path) -> Iterator[MosquittoInflux]:
    """Mosquitto with our files, and InfluxDB."""
    with _set_up("mosquitto_influx", tmp_path, bytecode) as made:
        yield made


@pytest.fixture
def listener_sqlite(tmp_path: Path, bytecode: Path) -> Iterator[ListenerSqlite]:
    """Our listener, and SQLite."""
    with _set_up("listener_sqlite", tmp_path, bytecode) as made:
        yield made
