"""`canhman forecast`: what is due now, a hindcast, and the service itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from servers.front import Front
from servers.influxd import InfluxD
from servers.waiting import until
from structlog.testing import capture_logs

from adapters.influx import InfluxStore
from adapters.model_folder import ModelFolder
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from analytics.asking import Fault
from analytics.daily.gaussian import Kernel
from analytics.issuing import Issuer, Round
from analytics.model import Model, models
from analytics.packing import packed
from api.schemas.forecast import ForecastShape, ReasonShape
from canhman import forecasting, heartbeat, speaking
from canhman.settings import Settings, read_settings
from canhman.signals import Signals
from core.batch import Batch
from core.clock import SimTime, SystemClock, rfc3339
from core.errors import ConflictError
from core.forecast import Forecast
from core.model_card import ModelCard
from core.place import Deployment, Device, Station
from core.ports import SeriesStore
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, Written

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KEY = SeriesKey("default", "kl-01", "main", "kl01", "water.salinity")


class Site:
    """One station in an installation of its own, filled past the command line."""

    def __init__(self, data: Path, store: Callable[[], SeriesStore] | None = None) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{data / 'registry.db'}"
        prepare(self.url)
        self.db: SqlDatabase = open_database(self.url)
        self._store = store or (lambda: SqliteStore(data / "series.db"))
        self._position = 0
        where = Deployment(device="kl01", channel="main", station="kl-01", point="main")
        self.run(self.db.put(Station(id="kl-01", org="default", name="Kênh Lầu"), Device(id="kl01", org="default"), where, actor="test"))

    def run(self, call: Any) -> Any:
        async def one() -> Any:
            return await call

        return asyncio.run(one())

    def measure(self, start: int, end: int, *, value: float = 2.0) -> None:
        """Good readings with start ≤ time < end every 30 minutes, stored and judged."""

        async def fill() -> None:
            store = self._store()
            await store.open()
            times = np.arange(start, end, 30 * MINUTE, dtype=np.int64)
            values = np.full(len(times), value) + 0.1 * np.sin(times / HOUR)
            await store.write(Batch.of([0] * len(times), times, values, flag=[1] * len(times), received=times + 1000), [KEY])
            await store.close()
            newest = Latest(time=int(times[-1]), value=float(values[-1]), flag=1)
            self._position += 1
            written = Written(key=KEY, role="primary", newest=newest, received=newest.time + 1000, dirty_from=start)
            await self.db.commit(Commit(journal="j", state_cursor=self._position, written=(written,)))
            changed = next(s.changed for s in await self.db.states() if s.key == KEY)
            await self.db.judged([Judged(key=KEY, changed=changed, newest=newest, good=newest, config="c")])

        asyncio.run(fill())

    def issued(self, target: str) -> list[Forecast]:
        found: list[Forecast] = self.run(self.db.forecasts(station="kl-01", point="main", target=target))
        return found


@pytest.fixture
def site(front: Front) -> Iterator[Site]:
    made = Site(front.data)
    yield made
    made.db.close()


def now() -> int:
    return SystemClock().now_ms()


def test_once_issues_what_is_due_and_no_more(front: Front, site: Site) -> None:
    """Three targets of the one station, then nothing; `--json` prints the counts."""
    site.measure(now() - 30 * DAY, now())
    assert front.ok("forecast", "--once", "--json").json == {"due": 3, "issued": 3}
    assert front.ok("forecast", "--once").out == "0 forecasts issued; 0 were due\n"
    assert len(site.issued("hour")) == 1


def test_once_with_nothing_stored(front: Front, site: Site) -> None:
    """An empty installation has nothing to forecast, and that is no failure."""
    assert front.ok("forecast", "--once", "--json").json == {"due": 0, "issued": 0}


def test_a_hindcast_is_issued_at_its_instant_from_what_was_before(front: Front, site: Site) -> None:
    """`--at`: shapes as the API's, 14 days of which the first begins the day after; what was measured later plays no part."""
    at = now() // DAY * DAY - 5 * DAY - 2 * HOUR  # 22:00 UTC: 05:00 in Vietnam
    site.measure(at - 30 * DAY, at)
    site.measure(at, now(), value=20.0)
    found = front.ok("forecast", "--at", rfc3339(at), "--station", "kl-01", "--json").json
    assert [f["target"] for f in found] == ["day_max", "day_min", "hour"]
    assert {f["issued_at"] for f in found} == {rfc3339(at)}
    days = found[0]
    assert days["leads"] == list(range(1, 15))
    assert days["times"][0] == rfc3339(at + 19 * HOUR)
    assert max(days["q95"]) < 3.0
    assert set(days["p_gt"]) == {"0.5", "1", "2", "4"}
    [why] = days["reasons"]
    assert set(why) == set(ReasonShape.model_fields)
    assert (why["code"], set(why["text"]), days["missing"]) == ("persistence", {"vi", "en"}, [])
    assert set(days) == set(ForecastShape.model_fields) - {"fresh"}
    assert [f.issued_at for f in site.issued("day_max")] == [at]
    assert "day_max" in front.ok("forecast", "--at", rfc3339(at)).out


def test_two_issues_of_fourteen_days_are_two(front: Front, site: Site) -> None:
    """As of two mornings: both are kept as they were issued, each with its fourteen days."""
    morning = now() // DAY * DAY - 2 * DAY - 2 * HOUR
    site.measure(morning - 40 * DAY, now())
    for at in (morning - DAY, morning):
        front.ok("forecast", "--at", rfc3339(at), "--json")
    two = site.issued("day_max")
    assert [(f.issued_at, len(f.leads), len(f.times)) for f in two] == [(morning - DAY, 14, 14), (morning, 14, 14)]
    assert two[0].times[1:] == two[1].times[:-1]


def test_what_it_cannot_do_is_one_line(front: Front, site: Site) -> None:
    """A time to come, an unknown station and too little data say what is wrong; a time without a zone is wrong usage."""
    assert "has not come yet" in front("forecast", "--at", rfc3339(now() + DAY)).line
    assert front("forecast", "--at", rfc3339(now()), "--station", "nowhere").line.startswith("no station is called 'nowhere'")
    assert "three days of good ones" in front.ok("forecast", "--at", rfc3339(now() - DAY)).out
    for words in (("--at", "2026-03-02T05:00:00"), ("--station", "kl-01"), ("--json",), ("--once", "--at", rfc3339(now()))):
        assert front("forecast", *words).code == 2, words


# ---------------------------------------------------------------- the service


@contextmanager
def serving(settings: Settings) -> Iterator[Signals]:
    """The service in a thread, as `canhman up` runs it; it must end by a stop and without an error."""
    structlog.configure(cache_logger_on_first_use=False)
    signals, begun = Signals(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(forecasting.forecast(settings, wait_s=5, signals=signals, started=lambda what: begun.set()))
        except BaseException as error:  # noqa: BLE001  the test must hear of whatever ends the service
            failures.append(error)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(30)
        yield signals
    finally:
        signals.stop()
        thread.join(30)
        structlog.reset_defaults()
    assert not thread.is_alive()
    assert not failures, failures


def test_the_service_issues_on_the_installations_clock(front: Front, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a simulated clock: what was missed at its start, then on each hour with news; its heartbeat tells of it; beside it nobody else issues."""
    monkeypatch.setenv("CANHMAN_CLOCK", "sim")
    start = 1_772_402_400_000  # 2026-03-02 05:00 in Vietnam
    site.measure(start - 30 * DAY, start)

    def clock_stands_at(ms: int) -> None:
        site.run(site.db.save_clock(SimTime(sim_ms=ms, speed=0.0, anchor_ms=now())))

    clock_stands_at(start)
    with serving(read_settings()):
        until(lambda: len(site.issued("hour")) == 1, 30, "the first issue")
        assert front("forecast", "--once").line.startswith("another canhman forecast")
        assert [f.issued_at for f in site.issued("day_max")] == [start]
        site.measure(start, start + HOUR)
        clock_stands_at(start + HOUR)
        until(lambda: len(site.issued("hour")) == 2, 30, "the second issue")
        beat = until(
            lambda: b if (b := heartbeat.read(front.data, "forecast")) and b.figures["issued"] == 4 and b.figures["mirrored"] == 4 else None, 30, "a heartbeat"
        )
        assert beat.troubles == {}
        assert beat.figures["points"] == 1
    assert site.issued("hour")[1].issued_at == start + HOUR


def test_a_model_that_fails_hour_after_hour_is_told_once(front: Front, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same fault at the same point; another one is told too, and while it lasts the heartbeat names it."""
    rounds: list[str] = []

    async def round_(self: Issuer, **more: object) -> Round:
        rounds.append("b" if len(rounds) > 3 else "a")
        error = ConflictError("it says what is no forecast")
        error.add_note(f"of hour at {rounds[-1]}/main")
        return Round(points=1, due=1, faults=(Fault(model="boosted", version="1.x", error=error),))

    monkeypatch.setattr(Issuer, "round", round_)
    monkeypatch.setattr(forecasting, "POLL_S", 0.01)
    with capture_logs() as logs, serving(read_settings()):
        until(lambda: len(rounds) > 8, 30, "some rounds")
        until(lambda: (b := heartbeat.read(front.data, "forecast")) and "boosted 1.x failed" in b.troubles.get("model", ""), 30, "a heartbeat")
    assert [entry["exc_info"].__notes__ for entry in logs if entry["event"].startswith("a model failed")] == [["of hour at a/main"], ["of hour at b/main"]]


@pytest.mark.servers
def test_an_influxdb_that_was_away_gets_what_it_missed(
    front: Front, influxd: InfluxD, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The service goes on while InfluxDB is away, says so once for each kind of trouble, and issues and mirrors once it is back: by whose model too."""
    monkeypatch.setattr(forecasting, "MIRROR_AGAIN_S", 0.5)
    monkeypatch.setenv("CANHMAN_STORE", f"influxdb://127.0.0.1:{influxd.port}/canhman?api=v1")

    def make() -> InfluxStore:
        return InfluxStore(influxd.url, shared=True)

    site = Site(front.data, make)
    store = make()
    asyncio.run(store.create())
    asyncio.run(store.close())
    site.measure(now() - 30 * DAY, now())
    promoted(front.data, monkeypatch)
    with serving(read_settings()):
        first = until(lambda: next(iter(site.issued("hour")), None), 30, "the first issue")
        assert first.model == "boosted"
        until(lambda: mirrored(influxd) == {first.issued_at}, 30, "it is mirrored")
        until(lambda: models_of(influxd) == {"hour": {"boosted"}, "day_max": {"persistence"}, "day_min": {"persistence"}}, 30, "who said it stands there")
        influxd.stop()
        # two more issues while it is away, by another process; the days' cannot be told from live ones
        later = [first.issued_at + n * MINUTE for n in (1, 2)]
        site.run(site.db.issue([copy_at(first, at) for at in later]))
        until(lambda: (b := heartbeat.read(front.data, "forecast")) is not None and "mirror" in b.troubles, 40, "the mirror is told to be red")
        influxd.start()
        until(lambda: later[-1] in mirrored(influxd), 60, "what it missed is there")
        until(lambda: (b := heartbeat.read(front.data, "forecast")) is not None and not b.troubles, 30, "all is green again")
    said = capfd.readouterr()
    # how a server ends (cut off, then refused) may be two kinds of trouble; each kind is told once, and not at every try
    told = [line.split("mirror is in trouble")[1] for line in (said.out + said.err).splitlines() if "mirror is in trouble" in line]
    assert told
    assert len(told) == len(set(told)) <= 2, told
    site.db.close()


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path / "influxd")
    server.start()
    yield server
    server.stop()


def mirrored(influxd: InfluxD) -> set[int]:
    """The issue times of the hours that stand in InfluxDB as the latest."""
    found = influxd.query('SELECT "issued" FROM "forecast" WHERE "lead" = \'latest\' AND "target" = \'hour\'', db="canhman")
    return {row[1] for series in found for row in series["values"]}


def models_of(influxd: InfluxD) -> dict[str, set[str]]:
    """By target who said what stands in InfluxDB."""
    found = influxd.query('SELECT "model" FROM "forecast" WHERE "lead" = \'latest\' GROUP BY "target"', db="canhman")
    return {series["tags"]["target"]: {row[1] for row in series["values"]} for series in found}


def like_persistence(fitted: object, card: ModelCard) -> Model:
    """Says of hours what persistence would, in its own name."""
    return replace(models()["persistence"], name=card.model, version=card.version, targets=("hour",))


def promoted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained model of hours speaks."""
    monkeypatch.setattr(
        speaking, "hours_model", lambda fitted, card: replace(models()["persistence"], name=card.model, version=card.version, targets=("hour",))
    )
    files = ModelFolder(data / "models")
    card = ModelCard(
        target="hour",
        model="boosted",
        version="1.20260302-abc123",
        trained_at=now(),
        data_from="",
        data_until="",
        stations=(),
        drivers=(),
        rows=1,
        source="store",
        held_out=None,
    )
    asyncio.run(files.promote(asyncio.run(files.keep(card, packed(Kernel()))), at=now(), why=""))


def copy_at(f: Forecast, at: int) -> Forecast:
    return replace(f, id=0, issued_at=at)


def test_help_names_what_is_issued_when(front: Front) -> None:
    """Who reads the help learns the two times."""
    words = " ".join(front.ok("forecast", "--help").out.split())
    assert "05:00 local" in words
    assert "on the hour" in words
