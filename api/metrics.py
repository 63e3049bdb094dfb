"""Figures for Prometheus, on an address of their own. No label is made by strangers: routes, reasons, kinds and services are ours."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.backend import Backend
from api.families import counter, gauge, histogram
from core.alert import KINDS
from core.deadletter import REASONS
from core.errors import RefusedError, UnavailableError
from core.flags import Flag
from core.forecast import TARGETS
from ingest.meters import COUNTS, HISTOGRAMS
from ingest.offsets import VERDICTS

Requests = Counter[tuple[str, str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service last said of itself: whether lately, its troubles by part, its figures and histograms by name."""

    fresh: bool
    troubles: Mapping[str, str]
    figures: Mapping[str, int]
    histograms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    silent: str = ""  # why it has not spoken lately though it runs, in words


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
    up = gauge("canhman_database_up")
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
    family = gauge("canhman_build_info")
    family.add_metric([backend.version], 1)
    return family


def _requests(requests: Requests) -> Metric:
    family = counter("canhman_http_requests")
    for (route, method, status), count in sorted(requests.items()):
        family.add_metric([route, method, str(status)], count)
    return family


def _services(services: Mapping[str, Service]) -> list[Metric]:
    up = gauge("canhman_service_up")
    troubles = gauge("canhman_service_troubles")
    figures = gauge("canhman_service_figure")
    found: list[Metric] = [up, troubles, figures]
    for name, service in sorted(services.items()):
        up.add_metric([name], int(service.fresh))
        troubles.add_metric([name], len(service.troubles))
        for figure, value in sorted(service.figures.items()):
            figures.add_metric([name, figure], value)
    return [*found, *_ingest({name: service for name, service in sorted(services.items()) if name.partition("-")[0] == "ingest"})]


def _ingest(services: Mapping[str, Service]) -> list[Metric]:
    """What each ingest counts and times, by its worker; and the sums over all of them that have no such label."""
    found: list[Metric] = []
    by_worker = {name.partition("-")[2]: service for name, service in services.items()}
    families: list[tuple[str, Any, float]] = [(name, counter(f"canhman_ingest_{name}"), 1) for name in COUNTS]
    families += [("lag_messages", gauge("canhman_ingest_lag_messages"), 1), ("lag_ms", gauge("canhman_ingest_lag_seconds"), 1000)]
    for figure, family, unit in families:
        for worker, service in by_worker.items():
            if figure in service.figures:
                family.add_metric([worker], service.figures[figure] / unit)
        found.append(family)
    for name in HISTOGRAMS:
        timed = histogram(f"canhman_ingest_{name}")
        for worker, service in by_worker.items():
            if (told := service.histograms.get(name)) is not None:
                bounds = [*map(str, map(float, told["bounds"])), "+Inf"]
                timed.add_metric([worker], list(zip(bounds, accumulate(told["counts"]), strict=True)), told["sum"])
        found.append(timed)
    for figure, family in (("readings_written", counter("canhman_readings_written")), ("bytes_behind", gauge("canhman_journal_behind_bytes"))):
        values = [service.figures[figure] for service in services.values() if figure in service.figures]
        if values:
            family.add_metric([], sum(values))
            found.append(family)
    return found


async def _database(backend: Backend) -> list[Metric]:
    now = backend.clock.now_ms()
    dead = gauge("canhman_dead_letters")
    counts = await backend.dead_letters.dead_letter_counts()
    for reason in REASONS:
        dead.add_metric([reason], counts.get(reason, 0))
    totals: defaultdict[str, int] = defaultdict(int)
    refused = counter("canhman_ingest_refused")
    for name, count in (await backend.identities.counters()).items():
        what, _, whom = name.partition(":")
        totals[what] += count
        if what == "refused" and whom in REASONS:
            refused.add_metric([whom], count)
    events = counter("canhman_ingest_events")
    for event, count in sorted(totals.items()):
        events.add_metric([event], count)
    duplicates = counter("canhman_duplicates")
    duplicates.add_metric([], totals["duplicate"])
    states = await backend.states.states()
    age = gauge("canhman_newest_reading_age_seconds")
    newest = max((s.newest.time for s in states if s.newest.flag != Flag.MISSING), default=None)
    if newest is not None:
        age.add_metric([], max(0, now - newest) / 1000)
    waiting = gauge("canhman_judge_waiting_series")
    waiting.add_metric([], sum(s.dirty_from is not None for s in states))
    alerts = gauge("canhman_open_alerts")
    kinds = Counter(a.kind for a in await backend.alerts.live_alerts() if a.state != "cleared")
    for kind in KINDS:
        alerts.add_metric([kind], kinds[kind])
    missing = gauge("canhman_ingest_missing")
    missing.add_metric([], sum(gap.missing for gap in await backend.identities.gaps()))
    clocks = gauge("canhman_device_clocks")
    verdicts = Counter(clock.verdict for clock in await backend.identities.device_clocks())
    for verdict in VERDICTS:
        clocks.add_metric([verdict], verdicts[verdict])
    return [dead, events, refused, missing, clocks, duplicates, age, waiting, alerts, *await _forecasts(backend, now)]


async def _forecasts(backend: Backend, now: int) -> list[Metric]:
    issued = counter("canhman_forecasts_issued")
    points = gauge("canhman_forecast_points")
    age = gauge("canhman_forecast_age_seconds")
    newest = 0
    for target in TARGETS:
        found = await backend.forecasts.latest_forecasts(target=target, until=now)
        points.add_metric([target], len(found))
        if found:
            newest = max(newest, *(f.id for f in found))
            age.add_metric([target], max(0, now - max(f.issued_at for f in found)) / 1000)
    issued.add_metric([], newest)
    return [issued, points, age]
