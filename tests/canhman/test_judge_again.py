"""A changed qc.toml: doctor names what was judged by another one, and `judge --again` has it judged anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.sql.database import SqlDatabase, open_database
from adapters.sqlite_store import SqliteStore
from canhman import checks, services
from canhman.configuration import read_qc
from canhman.settings import read_settings
from canhman.signals import Signals
from core.batch import Batch
from core.series import SeriesKey
from core.state import Commit, Latest, Written

T = 1_772_420_400_000
KEY = SeriesKey("default", "kl01", "main", "kl01", "water.salinity")


def store_rows(data: Path, db: SqlDatabase) -> None:
    """An hour's reading every 10 minutes, alternating by less than a hundredth, for ten hours."""

    async def steps() -> None:
        store = SqliteStore(data / "series.db")
        await store.open()
        times = [T + n * 600_000 for n in range(60)]
        await store.write(Batch.of([0] * 60, times, [3.0 + n % 2 * 0.004 for n in range(60)]), [KEY])
        await store.close()
        newest = Latest(time=times[-1], value=3.004, flag=1)
        await db.commit(Commit(journal="j", state_cursor=1, written=(Written(key=KEY, role="primary", newest=newest, received=T, dirty_from=T),)))

    asyncio.run(steps())


def later(data: Path, db: SqlDatabase) -> None:
    """One more row, ten minutes on."""

    async def steps() -> None:
        store = SqliteStore(data / "series.db")
        await store.open()
        time = T + 60 * 600_000
        await store.write(Batch.of([0], [time], [3.0]), [KEY])
        await store.close()
        newest = Latest(time=time, value=3.0, flag=1)
        await db.commit(Commit(journal="j", state_cursor=2, written=(Written(key=KEY, role="primary", newest=newest, received=T, dirty_from=time),)))

    asyncio.run(steps())


def flags(data: Path) -> set[int]:
    async def read() -> set[int]:
        store = SqliteStore(data / "series.db")
        await store.open()
        found = (await store.read([KEY], 0, 1 << 62)).flag.tolist()
        await store.close()
        return set(found)

    return asyncio.run(read())


def once() -> int:
    return asyncio.run(services.judge(read_settings(), wait_s=0, signals=Signals(), started=lambda what: None, once=True))


@pytest.mark.sockets  # doctor knocks at the broker
def test_a_changed_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old flags stand until somebody asks; then every row has the flag of the new configuration, and doctor is content."""
    data, own = tmp_path / "data", tmp_path / "config"
    data.mkdir()
    own.mkdir()
    monkeypatch.setenv("CANHMAN_DATA", str(data))
    monkeypatch.setenv("CANHMAN_CONFIG", str(own))
    services.wiring.database(read_settings()).close()
    db = open_database(read_settings().database_url)
    try:
        store_rows(data, db)
        assert once() == 60
        assert flags(data) == {1, 3, 4}
        (own / "qc.toml").write_text('[stuck."water.salinity"]\nresolution = 0.0001\nfloor = 0.3\n')
        assert once() == 0
        later(data, db)
        assert once() == 1  # a new row is judged by the new one; the series is under two, so it is still named
        warned = [f.text for f in checks.run(read_settings()) if f.part == "judge" and f.mark == "warn"]
        assert len(warned) == 1
        assert "judge --again" in warned[0]
        assert services.judge_again(read_settings(), wait_s=0) == 1
        assert services.judge_again(read_settings(), wait_s=0) == 1  # a second click changes nothing
        assert once() == 61
        assert flags(data) == {1}
        assert [s.config for s in asyncio.run(db.states())] == [read_qc(own).hash]
        assert not [f for f in checks.run(read_settings()) if f.part == "judge" and f.mark == "warn"]
    finally:
        db.close()


def test_doctor_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped folder is red and stays absent: a look must not turn it into an empty installation."""
    monkeypatch.setenv("CANHMAN_DATA", str(tmp_path / "typo"))
    assert [(f.part, f.mark) for f in checks.run(read_settings())] == [("data", "red")]
    assert not (tmp_path / "typo").exists()
