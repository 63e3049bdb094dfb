"""No surface derives a verdict of its own: change the one function, and page, API, webhook and terminal all change."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.backend import NOW, SERIES, Rig, make_rig

from adapters.sql.database import SqlDatabase
from alerts.notifier import Channels
from alerts.outbox import Outbox
from canhman.demo_facts import _station
from canhman.demo_lines import station_line
from core import verdict as rule
from core.alert import Alert, AlertEvent, Intent, Step
from core.batch import Batch
from core.http import Request, Response
from core.verdict import Verdict

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "registry", "quality", "ingest", "analytics", "firmware_sim", "dashboards", "alerts", "api", "adapters", "canhman")
# what the function is made to say of every station: nothing its data would give
ODD = Verdict(verdict="measure", reason="ok", band=3, as_of=NOW, until=None, p=0.07, limit=1.0, config="odd")
STATIONS = ("kenh-lau", "cai-lon", "kenh-nam", "tram-moi", "ruong-8")


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Stations that by their data are take, stop, unknown, unknown and take; the function says otherwise of all."""
    made = make_rig(tmp_path)
    monkeypatch.setattr(rule, "verdict", lambda *given, **named: ODD)
    yield made
    made.close()


def test_the_api_says_what_the_function_says(rig: Rig) -> None:
    """List and station."""
    said = rule.shape(ODD)
    assert {s["id"]: s["risk"] for s in rig.get("/api/v1/stations").json()["items"]} == dict.fromkeys(STATIONS, said)
    for station in STATIONS:
        assert rig.get(f"/api/v1/stations/{station}").json()["risk"] == said


@pytest.mark.parametrize(("lang", "words"), [("vi", "Đo trước khi tưới"), ("en", "Measure before watering")])
def test_the_pages_say_what_the_function_says(rig: Rig, lang: str, words: str) -> None:
    """Home and station: the words of `measure` for each, those of no other verdict for any."""
    others = {"vi": ("Lấy và trữ nước được", "Chờ nước ròng", "Chưa rõ, đừng lấy"), "en": ("You can take", "Wait for low tide", "Not known: do not")}[lang]
    home = rig.get(f"/?lang={lang}", headers={"Accept": "text/html"}).text
    assert home.count(words) >= len(STATIONS)
    for station in STATIONS:
        page = rig.get(f"/stations/{station}?lang={lang}", headers={"Accept": "text/html"}).text
        assert words in page
        assert not [other for other in others if other in page or other in home]


def test_the_webhook_says_what_the_function_says(rig: Rig) -> None:
    """The verdict beside the alert."""
    db = rig.backend.alerts
    assert isinstance(db, SqlDatabase)
    sent: list[Request] = []

    class Far:
        async def send(self, request: Request) -> Response:
            sent.append(request)
            return Response(status=204, headers={}, body=b"")

    class Moment:
        async def situation(self) -> Any:
            return await rig.app.state.present.look()

    async def go() -> None:
        alert = Alert(
            org="vithanh",
            station="kenh-lau",
            point="main",
            kind="observed",
            line=1.0,
            level=2,
            state="open",
            opened_at=NOW,
            updated_at=NOW,
            value=1.5,
            time=NOW,
        )
        intent = Intent(key="webhook:1", channel="webhook", recipient="webhook")
        await db.take_steps([Step(alert=alert, event=AlertEvent(at=NOW, kind="opened", value=1.5, time=NOW), intents=(intent,))])
        channels = Channels(webhook="https://partner.example/hook", webhook_secret="secret of a test")
        await Outbox(db, Far(), Moment(), channels=lambda: channels, clock=rig.clock, system=rig.system).round()

    asyncio.run(go())
    assert [json.loads(request.body)["verdict"] for request in sent] == [rule.shape(ODD)]


def test_the_terminal_says_what_the_function_says(rig: Rig) -> None:
    """A line of the demo's screen."""
    situation = rig.run(rig.app.state.present.look)
    keys = [s.key for s in SERIES]
    assert keys
    for name in STATIONS:
        station = situation.directory.station(name)
        line = station_line(_station(station, situation, Batch.empty(), [], NOW), coloured=False).plain
        assert "Đo trước khi tưới" in line


def test_only_the_function_makes_a_verdict() -> None:
    """`Verdict(…)` is built in core/verdict.py alone, and registry/situation.py alone asks for one."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert {name for name, text in sources.items() if re.search(r"\bVerdict\(", text)} == {"core/verdict.py"}
    assert {name for name, text in sources.items() if re.search(r"\brule\.verdict\(|\bimport verdict\b.*\n.*\bverdict\.verdict\(", text)} == {
        "registry/situation.py"
    }
    assert not [name for name, text in sources.items() if re.search(r"from core\.verdict import [^\n]*\bverdict\b", text)]
