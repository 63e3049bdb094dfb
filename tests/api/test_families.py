"""What /metrics shows is what `api.families` declares, and so what docs/metrics.md says."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.backend import make_backend

from api.families import FAMILIES, counter, gauge, histogram
from api.metrics import Service, exposition
from core.state import Commit
from ingest.meters import Meters


def service(**figures: int) -> Service:
    """An ingest that has timed an fsync of 3 ms and one of an hour."""
    meters = Meters()
    meters.kept(20, 0.003)
    meters.kept(2, 3600.0)
    figures = {"bytes_behind": 512, "readings_written": 1234, "lag_messages": 3, "lag_ms": 1500, **meters.counts(), **figures}
    return Service(fresh=True, troubles={}, figures=figures, histograms=meters.histograms())


SERVICES = {"ingest": service()}


def test_every_declared_family_is_shown_and_no_other(tmp_path: Path) -> None:
    """With a full database and a service: name, type, sentence and labels of each."""
    backend = make_backend(tmp_path)
    asyncio.run(backend.states.commit(Commit(journal="j1", state_cursor=20, counters={"refused:clock": 2})))
    text = asyncio.run(exposition(backend, Counter({("/", "GET", 200): 1}), SERVICES)).decode()
    shown = {f.name: (f.type, f.documentation, {label for s in f.samples for label in s.labels if label != "le"}) for f in text_string_to_metric_families(text)}
    assert shown == {f.name: (f.type, f.about, set(f.labels)) for f in FAMILIES.values()}
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend


def test_what_is_not_declared_cannot_be_made() -> None:
    """Nor can a gauge be made as a counter."""
    with pytest.raises(KeyError):
        gauge("canhman_undeclared")
    with pytest.raises(KeyError, match="declared as a gauge"):
        counter("canhman_database_up")
    with pytest.raises(KeyError, match="declared as a counter"):
        histogram("canhman_ingest_received")


def samples(tmp_path: Path, services: dict[str, Service]) -> dict[str, dict[tuple[str, ...], float]]:
    """{sample: {values of its labels: value}} of a scrape."""
    backend = make_backend(tmp_path)
    text = asyncio.run(exposition(backend, Counter(), services)).decode()
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            found.setdefault(s.name, {})[tuple(s.labels.values())] = s.value
    return found


def test_histograms_of_ingest_are_prometheus_own(tmp_path: Path) -> None:
    """Buckets add up to the last, which is the count; each worker has its own, and what has no such label is summed."""
    found = samples(tmp_path, {"ingest-1": service(received=5), "ingest-2": service(received=7), "forecast": Service(fresh=True, troubles={}, figures={})})
    buckets = {le: n for (le, worker), n in found["canhman_ingest_fsync_seconds_bucket"].items() if worker == "2"}
    assert (buckets["0.0025"], buckets["0.005"], buckets["60.0"], buckets["+Inf"]) == (0, 1, 1, 2)
    assert found["canhman_ingest_fsync_seconds_count"] == {("1",): 2, ("2",): 2}
    assert found["canhman_ingest_fsync_seconds_sum"]["1",] == pytest.approx(3600.003)
    assert found["canhman_ingest_batch_messages_sum"] == {("1",): 22, ("2",): 22}
    assert found["canhman_ingest_received_total"] == {("1",): 5, ("2",): 7}
    assert found["canhman_ingest_lag_seconds"]["1",] == 1.5
    assert found["canhman_readings_written_total"] == {(): 2468}
    assert found["canhman_journal_behind_bytes"] == {(): 1024}


def test_an_ingest_of_before_is_shown_without_them(tmp_path: Path) -> None:
    """A heartbeat that carries no histograms makes no sample, and no fault."""
    found = samples(tmp_path, {"ingest": Service(fresh=False, troubles={}, figures={"bytes_behind": 1})})
    assert "canhman_ingest_fsync_seconds_count" not in found
    assert found["canhman_journal_behind_bytes"] == {(): 1}


@pytest.mark.parametrize("name", FAMILIES)
def test_names_are_as_prometheus_wants_them(name: str) -> None:
    """Our prefix, base units, no suffix that Prometheus adds itself, and a sentence."""
    assert re.fullmatch(r"canhman_[a-z]+(_[a-z]+)*", name)
    assert not re.search(r"_(total|count|sum|bucket|ms|minutes|hours|kb|mb|percent)$", name)
    assert FAMILIES[name].about.endswith(".")
