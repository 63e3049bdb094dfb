"""Queries of boards read and never write; what they find comes back whole, and a fault of the query is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from adapters.influx_ask import check_reads
from core.errors import RefusedError

READING = [
    'SELECT last("salinity") FROM "latest" WHERE time > now()',
    "  select 1 from x",
    'SHOW TAG VALUES FROM "station" WITH KEY = "station"',
    "SELECT a FROM b WHERE \"into\" = 'into; --x'",
    "SELECT a FROM b WHERE c =~ /^(a|it's; into)$/ GROUP BY d",
    r"SELECT a FROM b WHERE c = 'C:\\' AND d = 'o\'k'",
    'SELECT mean("a") / 2 FROM "b" GROUP BY time(1h) fill(null)',
]
OTHER = [
    "DROP DATABASE canhman",
    "SHOW DATABASES",
    "SHOW TAG KEYS",
    "SELECT a INTO b FROM c",
    "SELECT a/**/INTO b FROM c",
    "SELECT 1 /* ' */ INTO x FROM y /* ' */",
    "SELECT 1 FROM y -- ' \n INTO x",
    "SELECT a FROM /'/ INTO x WHERE b =~ /'/",
    "SELECT a FROM b; DROP SERIES FROM b",
    "SELECT a FROM b WHERE c = 'open",
    "SELECTED",
    "",
]


@pytest.mark.parametrize("query", READING)
def test_what_reads_is_let_through(query: str) -> None:
    """Words and signs inside quotes and slashes are names and values."""
    check_reads(query)


@pytest.mark.parametrize("query", OTHER)
def test_what_does_more_is_refused(query: str) -> None:
    """A second statement, INTO, comments that could hide one, and every other statement."""
    with pytest.raises(RefusedError, match="only one SELECT"):
        check_reads(query)


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    """A running InfluxDB."""
    server = InfluxD(tmp_path_factory.mktemp("influx"))
    server.start()
    yield server
    server.stop()


@pytest.mark.servers
def test_what_a_query_finds(influx: InfluxD, tmp_path: Path) -> None:
    """Every series with its tags and rows, also over many chunks; an error of the query is one of ours."""

    influx.query("CREATE DATABASE boards")
    lines = "\n".join(f"w,station={s} v={i}.5 {i}" for s in ("a", "b") for i in range(12_000))
    httpx.post(f"{influx.url}/write", params={"db": "boards", "precision": "ms"}, content=lines, timeout=60).raise_for_status()

    async def work() -> None:
        store = InfluxStore(influx.url, database="boards", cursor_path=tmp_path / "cursor")
        await store.open()
        found = await store.ask('SELECT "v" FROM "w" GROUP BY "station"')
        assert [(s.name, s.tags, s.columns, len(s.rows)) for s in found] == [("w", {"station": s}, ["time", "v"], 12_000) for s in ("a", "b")]
        assert found[1].rows[11_999] == [11_999, 11_999.5]
        values = await store.ask('SHOW TAG VALUES FROM "w" WITH KEY = "station"')
        assert [s.rows for s in values] == [[["station", "a"], ["station", "b"]]]
        assert await store.ask('SELECT "v" FROM "nothing"') == []
        with pytest.raises(RefusedError, match="error parsing query"):
            await store.ask("SELECT FROM")
        await store.close()

    asyncio.run(work())
