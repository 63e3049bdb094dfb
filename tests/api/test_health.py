"""`/healthz`, `/readyz` and the figures for Prometheus."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from servers.backend import NOW, Rig, forecast, make_backend, make_rig, with_parts

from api.metrics import Service, exposition, metrics_app
from core.errors import UnavailableError
from core.forecast import HOUR_MS


def figures(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, as Prometheus reads it."""
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in text_string_to_metric_families(text) for s in family.samples}


def test_the_process_answers(rig: Rig) -> None:
    """healthz asks nothing but the process."""
    answer = rig.get("/healthz")
    assert answer.json() == {"status": "ok", "version": "0.0"}
    assert answer.headers["cache-control"] == "no-store"


def test_ready_is_200_and_trouble_503_with_the_parts_but_not_their_words(tmp_path: Path) -> None:
    """Which part is red is for everybody; addresses and file names in its words are not."""
    troubles: dict[str, str] = {}

    async def ready() -> dict[str, str]:
        return troubles

    rig = make_rig(tmp_path, sown=False, ready=ready)
    assert rig.get("/readyz").json() == {"ready": True, "red": []}
    troubles |= {"store": "InfluxDB at 10.1.2.3:8086 is away", "ingest": "broker: it has dropped 3 messages"}
    answer = rig.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "red": ["ingest", "store"]}
    assert answer.headers["retry-after"] == "5"
    assert "10.1.2.3" not in answer.text
    rig.close()


SERVICES = {
    "ingest": Service(fresh=True, troubles={"broker": "away"}, figures={"bytes_behind": 512, "readings_written": 1234}),
    "judge": Service(fresh=False, troubles={}, figures={"judged": 7}),
}


def test_the_figures_are_what_the_database_and_the_services_say(tmp_path: Path) -> None:
    """Readings, dead letters by reason, duplicates, bytes behind, ages, open alerts by kind, forecasts, requests, services, build."""
    backend = make_backend(tmp_path)
    requests = Counter({("/api/v1/stations", "GET", 200): 4})
    found = figures(asyncio.run(exposition(backend, requests, SERVICES)).decode())
    assert found["canhman_build_info", (("version", "0.0"),)] == 1
    assert found["canhman_readings_written_total", ()] == 1234
    assert found["canhman_journal_behind_bytes", ()] == 512
    assert found["canhman_dead_letters", (("reason", "not_a_number"),)] == 5
    assert found["canhman_dead_letters", (("reason", "quota"),)] == 0
    assert found["canhman_duplicates_total", ()] == 3
    assert found["canhman_newest_reading_age_seconds", ()] == 300
    assert found["canhman_open_alerts", (("kind", "observed"),)] == 4
    assert found["canhman_open_alerts", (("kind", "silent"),)] == 1
    assert found["canhman_open_alerts", (("kind", "fault"),)] == 0
    assert found["canhman_forecasts_issued_total", ()] == 12
    assert found["canhman_forecast_points", (("target", "hour"),)] == 2
    assert found["canhman_forecast_age_seconds", (("target", "hour"),)] == 3600
    assert found["canhman_http_requests_total", (("method", "GET"), ("route", "/api/v1/stations"), ("status", "200"))] == 4
    assert found["canhman_service_up", (("service", "ingest"),)] == 1
    assert found["canhman_service_up", (("service", "judge"),)] == 0
    assert found["canhman_service_troubles", (("service", "ingest"),)] == 1
    assert found["canhman_judge_waiting_series", ()] == 0
    assert found["canhman_database_up", ()] == 1
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend


def test_no_label_comes_from_strangers(tmp_path: Path) -> None:
    """Device ids stand in counters and letters of the database, never in a label."""
    backend = make_backend(tmp_path)
    text = asyncio.run(exposition(backend, Counter(), {})).decode()
    for strangers in ("kl01", "stranger", "la-hoac", "kenh-lau", "vithanh"):
        assert strangers not in text
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend


def test_a_database_that_is_away_is_a_figure_too(tmp_path: Path) -> None:
    """The scrape goes on: what is known without it is told."""
    backend = make_backend(tmp_path, sown=False)

    class Away:
        async def dead_letter_counts(self) -> dict[str, int]:
            raise UnavailableError("away")

    found = figures(asyncio.run(exposition(with_parts(backend, dead_letters=Away()), Counter(), SERVICES)).decode())
    assert found["canhman_database_up", ()] == 0
    assert found["canhman_readings_written_total", ()] == 1234
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend


def test_figures_have_an_address_of_their_own(rig: Rig) -> None:
    """/metrics is not on the public port; on its own it stands beside readyz in words, and nothing else."""
    assert rig.get("/metrics").status_code == 404
    backend = rig.backend

    async def ready() -> dict[str, str]:
        return {"store": "InfluxDB at 10.1.2.3:8086 is away"}

    app = metrics_app(with_parts(backend, ready=ready), rig.app.state.requests, lambda: SERVICES)

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://metrics.test") as client:
            return await client.get(path)

    metrics = rig.run(lambda: ask("/metrics"))
    assert metrics.status_code == 200
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    ready_now = rig.run(lambda: ask("/readyz"))
    assert ready_now.status_code == 503
    assert ready_now.json() == {"ready": False, "troubles": {"store": "InfluxDB at 10.1.2.3:8086 is away"}}
    assert rig.run(lambda: ask("/api/v1/stations")).status_code == 404


def test_the_age_of_the_newest_reading_grows_with_the_installations_clock(rig: Rig) -> None:
    """Not with the system's: a demo's simulated days count."""
    rig.clock.now = NOW + 3_600_000
    found = figures(rig.run(lambda: exposition(rig.backend, Counter(), {})).decode())
    assert found["canhman_newest_reading_age_seconds", ()] == 3900


def test_what_a_clock_ahead_of_time_issued_is_no_forecast_yet(rig: Rig) -> None:
    """The age of the newest forecast is that of the newest whose time has come."""
    before = figures(rig.run(lambda: exposition(rig.backend, Counter(), {})).decode())
    rig.run(lambda: rig.backend.forecasts.issue([replace(forecast("kenh-lau", "main", "hour", 1.0, NOW + 24 * HOUR_MS), model="m")]))
    found = figures(rig.run(lambda: exposition(rig.backend, Counter(), {})).decode())
    hour = (("target", "hour"),)
    assert found["canhman_forecast_age_seconds", hour] == before["canhman_forecast_age_seconds", hour] == 3600
    assert found["canhman_forecast_points", hour] == before["canhman_forecast_points", hour]
