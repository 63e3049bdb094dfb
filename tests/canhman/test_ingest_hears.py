"""An ingest that nothing can reach says so: in its heartbeat, and by it at /readyz, in the figures and in doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.fake_mqtt import FakeMqtt, Line

from adapters import mqtt_echo, mqtt_keeper
from adapters.journal import FileJournal
from adapters.mqtt_own import OwnSource
from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from canhman import broker_record, echo_record
from canhman.checks import Finding, _one_ingest
from canhman.configuration import read_qc
from canhman.figures import FIGURES
from canhman.heartbeat import Heartbeat, read
from canhman.ingest_pulse import Pulse
from canhman.services import _opened
from canhman.serving import services, trouble_of
from canhman.settings import Settings
from core.clock import SystemClock
from ingest.health import Health
from ingest.meters import Meters
from ingest.pipeline import Processor
from registry.permissions import FILTERS

pytestmark = pytest.mark.sockets


def settings_of(tmp_path: Path, port: int) -> Settings:
    return Settings(data=tmp_path, broker=f"mqtt://canhman-ingest@127.0.0.1:{port}?client=own")


def source_of(port: int) -> OwnSource:
    return OwnSource("127.0.0.1", port, client_id="canhman-ingest", linger_s=0.0)


async def beating(pulse: Pulse, until: Callable[[], bool]) -> None:
    """Beats until it holds, each with room for what it said to come back."""
    now = 1.0
    while not until():
        await pulse.beat(now)
        await asyncio.sleep(0.002)
        now += 2.0


def test_a_broker_that_goes_deaf_and_one_that_goes_away_turn_it_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Green while its words come back; red in words when they do not, also by what an earlier start heard; red without a connection."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)
    prepare(Settings(data=tmp_path).database_url)
    db = open_database(Settings(data=tmp_path).database_url)
    journal = FileJournal(tmp_path / "journal")
    journal.open()
    deaf, away = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if away.is_set():
            return
        await line.greet(session=True)
        await line.subscribed()
        while True:
            reading = asyncio.ensure_future(line.packet())
            going = asyncio.ensure_future(away.wait())
            await asyncio.wait({reading, going}, return_when=asyncio.FIRST_COMPLETED)
            going.cancel()
            if not reading.done():
                reading.cancel()
                return
            first, body = reading.result()
            if first == 0xE0:
                return
            if first == 0x30 and not deaf.is_set():
                line.send(bytes([0x30, len(body)]) + body)

    def pulse_of(settings: Settings, source: OwnSource) -> Pulse:
        processor = Processor(journal=journal, store=None, database=db, config=read_qc(None), clock=SystemClock(), mode="open", public=False)  # type: ignore[arg-type]  # it is not written to
        return Pulse(settings, journal=journal, processor=processor, source=source, meters=Meters(), health=Health(lambda *_: None), now=0.0)

    def said() -> str:
        return trouble_of("ingest", services(tmp_path)["ingest"])

    async def run() -> None:
        async with FakeMqtt(script) as server:
            settings, source = settings_of(tmp_path, server.port), source_of(server.port)
            await source.open()
            await beating(pulse_of(settings, source), lambda: echo_record.read(settings) == set(FILTERS))
            assert said() == ""
            figures = services(tmp_path)["ingest"].figures
            assert set(figures) <= set(FIGURES["ingest"])
            assert figures["broker_connected"] == 1
            assert figures["broker_echo_filters"] == len(FILTERS)
            await source.close()
            deaf.set()
            again = source_of(server.port)
            await again.open()
            pulse = pulse_of(settings, again)
            await beating(pulse, lambda: "broker: what ingest publishes itself" in said())
            deaf.clear()
            await beating(pulse, lambda: said() == "")
            monkeypatch.setattr(mqtt_keeper, "GRACE_S", 0.0)
            away.set()
            await beating(pulse, lambda: "broker: no connection" in said())
            assert services(tmp_path)["ingest"].figures["broker_connected"] == 0
            await again.close()

    asyncio.run(run())
    journal.close()
    db.close()


def test_what_is_remembered_is_of_this_broker(tmp_path: Path) -> None:
    """Another address is another broker; a damaged file is none."""
    settings = settings_of(tmp_path, 1883)
    assert echo_record.read(settings) == set()
    echo_record.write(settings, FILTERS[:2])
    assert echo_record.read(settings) == set(FILTERS[:2])
    assert echo_record.read(settings_of(tmp_path, 1884)) == set()
    (tmp_path / "broker-echo.json").write_text("[")
    assert echo_record.read(settings) == set()


@pytest.mark.parametrize("known", [True, False])
def test_a_start_that_finds_its_session_gone_says_so(tmp_path: Path, known: bool) -> None:
    """A broker whose queue was emptied meanwhile has lost what devices sent; a first start has lost nothing."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        await line.packet()

    async def run() -> int:
        async with FakeMqtt(script) as server:
            settings = settings_of(tmp_path, server.port)
            prepare(settings.database_url)
            db = open_database(settings.database_url)
            if known:
                broker_record.remember_session(settings)
            async with _opened(settings, db, SystemClock(), 5.0, shared=False, filters=FILTERS) as (_, _, source, _):
                assert isinstance(source, OwnSource)
                assert broker_record.knows_session(settings)
                assert not broker_record.knows_session(settings, "a")
                lost = source.sessions_lost
            db.close()
            return lost

    assert asyncio.run(run()) == known


def _findings(tmp_path: Path, **figures: int) -> list[Finding]:
    beat = read(tmp_path, "ingest") or Heartbeat(service="ingest", pid=1, at=2e10, troubles={}, figures=figures)
    return _one_ingest(settings_of(tmp_path, 1883), "ingest", beat)


def test_doctor_says_whether_ingest_hears_itself(tmp_path: Path) -> None:
    """Known, or not known and how it would be; and a session that was forgotten."""
    (known,) = _findings(tmp_path, broker_connected=1, broker_echo_ms=3)
    assert "hears itself through the broker within 3 ms" in known.text
    (unknown,) = _findings(tmp_path, broker_connected=1)
    assert unknown.mark == "ok"
    assert "not known yet" in unknown.text
    _, lost = _findings(tmp_path, broker_connected=1, broker_sessions_lost=2)
    assert lost.mark == "warn"
    assert "forgotten ingest's session 2 times" in lost.text
    _, quiet = _findings(tmp_path, quiet_s=7 * 3600)
    assert quiet.mark == "warn"
    assert "no message has come for 7 h" in quiet.text
    (listener,) = _findings(tmp_path, quiet_s=3600)
    assert "hears" not in listener.text
