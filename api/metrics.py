"""Figures for Prometheus, on an address of their own. No label is made by strangers: routes, reasons, kinds and services are ours."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.backend import Backend
from core.alert import KINDS
from core.deadletter import REASONS
from core.errors import RefusedError, UnavailableError
from core.forecast import TARGETS

Requests = Counter[tuple[str, str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service last said of itself: whether lately, its troubles by part, its figures by name."""

    fresh: bool
    troubles: Mapping[str, str]
    figures: Mapping[str, int]


Services = Callable[[], Mapping[str, Service]]


def metrics_app(backend: Backend, requests: Requests, services: Services) -> ASGIApp:
    """`/metrics` as Prometheus reads it, and `/readyz` in words, for those who run the installation."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = Request(scope).url.path
        response: Response
        if path == "/metrics":
            response = Response(await exposition(backend, requests, services()), media_type=CONTENT_TYPE_LATEST)
        elif path == "/readyz":
            troubles = await backend.ready()
            body = json.dumps({"ready": not troubles, "troubles": troubles}, ensure_ascii=False)
            response = Response(body, status_code=503 if troubles else 200, media_type="application/json")
        else:
            response = PlainTextResponse("here are /metrics and /readyz\n", status_code=404)
        await response(scope, receive, send)

    return app


async def exposition(backend: Backend, requests: Requests, services: Mapping[str, Service]) -> bytes:
    """Every figure now, in Prometheus' text format. A database that is away is a figure too."""
    families = [_build(backend), _requests(requests), *_services(services)]
    up = GaugeMetricFamily("canhman_database_up", "1 where the database answers")
    try:
        families += await _database(backend)
        up.add_metric([], 1)
    except (UnavailableError, RefusedError):
        up.add_metric([], 0)
    registry = CollectorRegistry()
    registry.register(_Once([*families, up]))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _build(backend: Backend) -> Metric:
    family = GaugeMetricFamily("canhman_build_info", "The version that runs", labels=["version"])
    family.add_metric([backend.version], 1)
    return family


def _requests(requests: Requests) -> Metric:
    family = CounterMetricFamily("canhman_http_requests", "HTTP requests answered", labels=["route", "method", "status"])
    for (route, method, status), count in sorted(requests.items()):
        family.add_metric([route, method, str(status)], count)
    return family


def _services(services: Mapping[str, Service]) -> list[Metric]:
    up = GaugeMetricFamily("canhman_service_up", "1 where the service of this CANHMAN_DATA has spoken within ten seconds", labels=["service"])
    troubles = GaugeMetricFamily("canhman_service_troubles", "Parts the service says are in trouble", labels=["service"])
    figures = GaugeMetricFamily("canhman_service_figure", "What the service counts, by its own names", labels=["service", "figure"])
    found: list[Metric] = [up, troubles, figures]
    for name, service in sorted(services.items()):
        up.add_metric([name], int(service.fresh))
        troubles.add_metric([name], len(service.troubles))
        for figure, value in sorted(service.figures.items()):
            figures.add_metric([name, figure], value)
    ingest = services.get("ingest")
    for figure, family in (
        ("readings_written", CounterMetricFamily("canhman_readings_written", "Readings stored since ingest started")),
        ("bytes_behind", GaugeMetricFamily("canhman_journal_behind_bytes", "Bytes of the journal that are not stored yet")),
    ):
        if ingest is not None and figure in ingest.figures:
            family.add_metric([], ingest.figures[figure])
            found.append(family)
    return found


async def _database(backend: Backend) -> list[Metric]:
    now = backend.clock.now_ms()
    dead = GaugeMetricFamily("canhman_dead_letters", "Dead letters nobody has resolved", labels=["reason"])
    counts = await backend.dead_letters.dead_letter_counts()
    for reason in REASONS:
        dead.add_metric([reason], counts.get(reason, 0))
    totals: defaultdict[str, int] = defaultdict(int)
    for name, count in (await backend.identities.counters()).items():
        totals[name.partition(":")[0]] += count
    events = CounterMetricFamily("canhman_ingest_events", "What ingest counted, over all devices: refused, conflicting, overwritten …", labels=["event"])
    for event, count in sorted(totals.items()):
        events.add_metric([event], count)
    duplicates = CounterMetricFamily("canhman_duplicates", "Messages that came again")
    duplicates.add_metric([], totals["duplicate"])
    states = await backend.states.states()
    age = GaugeMetricFamily("canhman_newest_reading_age_seconds", "Age of the newest reading of all, by the installation's clock")
    if states:
        age.add_metric([], max(0, now - max(s.newest.time for s in states)) / 1000)
    waiting = GaugeMetricFamily("canhman_judge_waiting_series", "Series written to since they were judged")
    waiting.add_metric([], sum(s.dirty_from is not None for s in states))
    alerts = GaugeMetricFamily("canhman_open_alerts", "Alerts that are not cleared", labels=["kind"])
    kinds = Counter(a.kind for a in await backend.alerts.live_alerts() if a.state != "cleared")
    for kind in KINDS:
        alerts.add_metric([kind], kinds[kind])
    return [dead, events, duplicates, age, waiting, alerts, *await _forecasts(backend, now)]


async def _forecasts(backend: Backend, now: int) -> list[Metric]:
    issued = CounterMetricFamily("canhman_forecasts_issued", "Forecasts issued: the number of the newest one")
    points = GaugeMetricFamily("canhman_forecast_points", "Points that have a forecast", labels=["target"])
    age = GaugeMetricFamily("canhman_forecast_age_seconds", "Age of the newest issue, by the installation's clock", labels=["target"])
    newest = 0
    for target in TARGETS:
        found = await backend.forecasts.latest_forecasts(target=target)
        points.add_metric([target], len(found))
        if found:
            newest = max(newest, *(f.id for f in found))
            age.add_metric([target], max(0, now - max(f.issued_at for f in found)) / 1000)
    issued.add_metric([], newest)
    return [issued, points, age]
