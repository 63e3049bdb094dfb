"""Every family of figures on /metrics: name, type, labels, what it tells. A family that is not declared here cannot be made.

Base units (seconds, bytes) stand in the names; counters end in `_total`, histograms in `_bucket`, `_sum` and `_count`, as Prometheus
writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from core.forecast import TARGETS
from ingest.meters import COUNTS, HISTOGRAMS
from ingest.offsets import VERDICTS

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family. `labels` maps each label to what its values are: a finite set of ours, never a name that strangers choose."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    about: str
    labels: Mapping[str, str]

    @property
    def sample(self) -> str:
        """The name of its samples, as Prometheus shows them."""
        return f"{self.name}_total" if self.type == "counter" else self.name


def _counter(name: str, about: str, **labels: str) -> Family:
    return Family(name=name, type="counter", about=about, labels=labels)


def _gauge(name: str, about: str, **labels: str) -> Family:
    return Family(name=name, type="gauge", about=about, labels=labels)


def _histogram(name: str, about: str, **labels: str) -> Family:
    return Family(name=name, type="histogram", about=about, labels=labels)


_SERVICE = "ingest (ingest-WORKER of several), judge, forecast, alerts: those that run, or ran, on this CANHMAN_DATA"
_WORKER = "CANHMAN_WORKER; empty where one ingest takes all"
_TARGET = f"what is forecast: {', '.join(TARGETS)}"
_DECLARED: Iterable[Family] = (
    _gauge("canhman_build_info", "Always 1, by the version that runs.", version="the installed version"),
    _gauge("canhman_database_up", "1 where the database answers, else 0; then the figures that come from it are absent."),
    _counter(
        "canhman_http_requests",
        "HTTP requests answered since serve started.",
        route="path of the route with its placeholders; none where no route was found",
        method="HTTP method",
        status="HTTP status",
    ),
    _gauge("canhman_service_up", "1 where the service has spoken within ten seconds, else 0.", service=_SERVICE),
    _gauge("canhman_service_troubles", "Parts the service says are in trouble; /readyz has the words.", service=_SERVICE),
    _gauge(
        "canhman_service_figure",
        "What the service counts since it started, by its own names.",
        service=_SERVICE,
        figure="a name of the table of figures; what is no count has its unit at its end",
    ),
    *(_counter(f"canhman_ingest_{name}", f"{about[:-1]}; since ingest started.", worker=_WORKER) for name, about in COUNTS.items()),
    *(_histogram(f"canhman_ingest_{name}", about, worker=_WORKER) for name, (about, _) in HISTOGRAMS.items()),
    _gauge("canhman_ingest_lag_messages", "Messages that are not stored yet, by their mean size.", worker=_WORKER),
    _gauge("canhman_ingest_lag_seconds", "How long ago the oldest message came that is not stored yet.", worker=_WORKER),
    _counter("canhman_ingest_refused", "Messages and values that became dead letters, over all time.", reason="a reason of docs/deadletters.md"),
    _gauge("canhman_ingest_missing", "Messages that devices numbered and that never came; canhman devices gaps names them."),
    _gauge("canhman_device_clocks", "Devices by how their clock was last measured.", verdict=f"{', '.join(VERDICTS)}: docs/time.md"),
    _counter("canhman_readings_written", "Readings stored since ingest started."),
    _gauge("canhman_journal_behind_bytes", "Bytes of the journal that are not stored yet."),
    _gauge("canhman_dead_letters", "Dead letters nobody has resolved.", reason="a reason of docs/deadletters.md"),
    _counter("canhman_ingest_events", "What ingest counted, over all devices and all time.", event="an event of the table of events"),
    _counter("canhman_duplicates", "Messages that came again and were stored once: the event duplicate."),
    _gauge("canhman_newest_reading_age_seconds", "Age of the newest reading of all, by the installation's clock; absent before the first."),
    _gauge("canhman_judge_waiting_series", "Series that were written to since they were judged."),
    _gauge("canhman_open_alerts", "Alerts that are not cleared.", kind="observed, forecast, silent, fault"),
    _counter("canhman_forecasts_issued", "Forecasts issued: the number of the newest one."),
    _gauge("canhman_forecast_points", "Points that have a forecast.", target=_TARGET),
    _gauge("canhman_forecast_age_seconds", "Age of the newest issue, by the installation's clock; absent before the first.", target=_TARGET),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in _DECLARED}


def gauge(name: str) -> GaugeMetricFamily:
    """The declared gauge, without samples. Raises KeyError for a name that is not one."""
    return _made(name, "gauge", GaugeMetricFamily)


def counter(name: str) -> CounterMetricFamily:
    """The declared counter, without samples. Raises KeyError for a name that is not one."""
    return _made(name, "counter", CounterMetricFamily)


def histogram(name: str) -> HistogramMetricFamily:
    """The declared histogram, without samples. Raises KeyError for a name that is not one."""
    return _made(name, "histogram", HistogramMetricFamily)


def _made(name: str, type: str, make: Callable[..., M]) -> M:
    family = FAMILIES[name]
    if family.type != type:
        raise KeyError(f"{name} is declared as a {family.type}")
    return make(name, family.about, labels=list(family.labels))
