"""canhman redecode on the command line: a week under a wrong deployment, on SQLite and on InfluxDB, beside the ingest that holds the journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.front import Front
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from adapters.journal import FileJournal
from adapters.sql.database import open_database
from adapters.sqlite_store import SqliteStore
from canhman import checks, redecoding
from canhman.configuration import read_qc
from canhman.judge_lock import JudgeLock
from canhman.settings import read_settings
from core.clock import SimClock, rfc3339
from core.flags import Flag
from core.message import Message
from core.place import FOREVER
from core.ports import SeriesStore
from core.redecode import Run
from core.series import SeriesKey
from ingest.pipeline import Processor
from quality.sweep import sweep

T0 = 1_772_420_400_000  # 2026-03-02T03:00:00Z
HOUR = 3_600_000


@dataclass
class Site:
    """An installation whose ingest holds the journal open."""

    front: Front
    store: SeriesStore
    settings: dict[str, str]
    journal: FileJournal

    def ingest(self) -> None:
        """Everything in the journal to the store, and judged."""

        async def steps() -> None:
            db = open_database(f"sqlite:///{self.front.data / 'registry.db'}")
            processor = Processor(
                journal=self.journal, store=self.store, database=db, config=read_qc(None), clock=SimClock(T0, 0), mode="approve", public=False
            )
            await processor.start()
            while (found := self.journal.read(processor.cursor, limit=500)).records:
                await processor.write(await processor.process(found.records), found.next)
            await processor.commit()
            await sweep(db, self.store, read_qc(None))
            db.close()

        asyncio.run(steps())

    def rows(self, station: str, quantity: str = "water.ec") -> list[tuple[int, float, int]]:
        batch = asyncio.run(self.store.read([SeriesKey("default", station, "main", "kl01", quantity)], 0, FOREVER))
        return list(zip(batch.time.tolist(), batch.value.tolist(), batch.flag.tolist(), strict=True))

    def __call__(self, *words: str) -> Any:
        return self.front.ok(*words, **self.settings)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("influxdb", marks=pytest.mark.servers)])
def site(request: pytest.FixtureRequest, front: Front, tmp_path: Path) -> Iterator[Site]:
    """A day of kl01, stored at kenh-lau, where it stood only for the first six hours."""
    settings = {}
    store: SeriesStore
    if request.param == "influxdb":
        server = request.getfixturevalue("influxd")
        settings = {"STORE": server.url.replace("http://", "influxdb://") + "/canhman"}
        store = InfluxStore(server.url, database="canhman", cursor_path=tmp_path / "cursor")
    else:
        store = SqliteStore(front.data / "series.db")
    front.ok("migrate", "--create-store", **settings)
    front.ok("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    front.ok("devices", "add", "kl02", "--station", "kenh-nam", "--name", "Kênh Năm")
    asyncio.run(store.open())
    journal = FileJournal(front.data / "journal")
    journal.open()
    site = Site(front, store, settings, journal)
    journal.append([_message(n, T0 + n * HOUR) for n in range(24)])
    site.ingest()
    yield site
    journal.close()
    asyncio.run(store.close())


def _message(n: int, time: int) -> Message:
    body = {"seq": n, "boot": 1, "time": rfc3339(time), "readings": {"water.ec": 2.0 + n / 100}}
    return Message("canhman/default/kl01/telemetry", json.dumps(body).encode(), time + 700)


def test_a_day_under_a_wrong_deployment_is_repaired(site: Site) -> None:
    """Shown first, then done: the readings stand where the device stood, the old ones are withdrawn, the log tells it, and a second run finds nothing."""
    moved = T0 + 6 * HOUR
    before = site.rows("kenh-lau")
    site("devices", "deploy", "kl01", "--station", "kenh-nam", "--point", "in", "--at", rfc3339(moved))
    shown = site("redecode", "--since", rfc3339(T0 - HOUR), "--device", "kl01", "--dry-run", "--json").json
    assert (shown["run"], shown["counts"]["new"], shown["counts"]["withdrawn"]) == (None, 36, 36)
    assert shown["changes"]
    assert site.rows("kenh-lau") == before
    text = site("redecode", "--since", rfc3339(T0 - HOUR), "--device", "kl01", "--reason", "moved in February").out
    assert "run 1: 72 readings were changed in 4 series" in text
    now = site.rows("kenh-lau")
    assert [r[:2] for r in now] == [r[:2] for r in before]
    assert {flag for _, _, flag in now[6:]} == {Flag.MISSING}
    assert now[:6] == before[:6]
    site("judge", "--once")
    batch = asyncio.run(site.store.read([SeriesKey("default", "kenh-nam", "in", "kl01", "water.ec")], 0, FOREVER))
    assert list(zip(batch.time.tolist(), batch.value.tolist(), batch.flag.tolist(), strict=True)) == before[6:]
    assert {flag for _, _, flag in site.rows("kenh-lau")[6:]} == {Flag.MISSING}
    again = site("redecode", "--since", rfc3339(T0 - HOUR), "--json").json
    assert again["counts"] == {"messages": 24}
    (_, first) = site("redecode", "list", "--json").json["items"]
    assert (first["reason"], first["state"], first["counts"]["new"]) == ("moved in February", "finished", 36)
    show = site("redecode", "show", "1", "--json").json
    assert {(s["station"], s["quantity"], s["new"], s["withdrawn"]) for s in show["series"]} == {
        ("kenh-lau", "water.ec", 0, 18),
        ("kenh-lau", "water.salinity", 0, 18),
        ("kenh-nam", "water.ec", 18, 0),
        ("kenh-nam", "water.salinity", 18, 0),
    }
    assert "kenh-nam" in site("redecode", "show", "1").out
    site("devices", "deploy", "kl01", "--station", "kenh-lau", "--point", "main", "--always", "--replace")
    back = site("redecode", "--since", rfc3339(T0 - HOUR), "--json").json
    assert (back["counts"]["restored"], back["counts"]["withdrawn"]) == (36, 36)
    site("judge", "--once")
    assert site.rows("kenh-lau") == before


def test_wrong_use_is_one_line(front: Front) -> None:
    """A device or org nobody registered, a span that ends before it begins, and an installation that is not there."""
    assert "no installation" in front("redecode", "--since", rfc3339(T0)).line
    front.ok("migrate")
    assert "does not lie after" in front("redecode", "--since", rfc3339(T0), "--until", rfc3339(T0)).usage
    assert "no device is called 'kl77'" in front("redecode", "--since", rfc3339(T0), "--device", "kl77").line
    assert "no org is called 'x'" in front("redecode", "--since", rfc3339(T0), "--org", "x").line
    assert "no journal" in front("redecode", "--since", rfc3339(T0)).line
    assert "Nothing was decoded again yet" in front.ok("redecode", "list").out
    assert "run 9 does not exist" in front("redecode", "show", "9").line


def test_one_run_at_a_time(front: Front) -> None:
    """A second one is refused in one line; a dry run is not."""
    front.ok("migrate")
    lock = JudgeLock(front.data, redecoding.LOCK)
    assert lock.take()
    assert "another canhman redecode runs" in front("redecode", "--since", rfc3339(T0)).line
    assert "no journal" in front("redecode", "--since", rfc3339(T0), "--dry-run").line
    lock.release()


def test_doctor_names_a_run_that_was_cut_short(front: Front) -> None:
    """Until it is run again."""
    front.ok("migrate")
    front.database(lambda db: db.begin_redecode(Run(at=1, actor="cli", since=0, until=9)))
    (found,) = (f for f in checks._database(read_settings()) if f.part == "redecode")
    assert found.mark == "warn"
    assert "run 1 of canhman redecode" in found.text
