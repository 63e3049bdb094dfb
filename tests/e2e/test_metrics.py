"""/metrics of running services, and docs/metrics.md: nothing is shown that the page does not explain."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from servers.installation import Installation, MosquittoInflux
from servers.services import Running, running
from servers.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.sockets]
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
MESSAGE = '{"time": "2026-03-01T00:10:00Z", "readings": {"water.ec": 2.31, "water.temperature": 28.4}}'


def rows(page: str) -> list[list[str]]:
    """Every row of its tables, backticks taken away."""
    return [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]


def unexplained(text: str, page: str) -> set[str]:
    """What a scrape shows and the page does not: families by type and labels, figures, events."""
    known = {tuple(row[:2]) for row in rows(page)}
    labels = {row[0]: set(re.findall(r"(?:^|; )(\w+): ", row[2])) for row in rows(page) if row[1] in ("gauge", "counter", "histogram")}
    found = set()
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if (name, family.type) not in known:
            found.add(name)
            continue
        for sample in family.samples:
            found |= {f"{name}{{{label}}}" for label in (set(sample.labels) - ({"le"} if family.type == "histogram" else set())) ^ labels[name]}
        found |= {value for value in _own_names(family) if value not in {"/".join(key) for key in known} | {key[0] for key in known}}
    return found


def _own_names(family: Metric) -> set[str]:
    """The names in labels that have a table of their own."""
    if family.name == "canhman_service_figure":
        return {f"{s.labels['service']}/{s.labels['figure']}" for s in family.samples}
    return {s.labels["event"] for s in family.samples} if family.name == "canhman_ingest_events" else set()


def scrape(found: Running) -> str:
    """What Prometheus would get now."""
    return httpx.get(found.metrics, timeout=30).raise_for_status().text


def test_all_that_running_services_show_is_in_the_page(rig: Installation) -> None:
    """Behind Mosquitto one process each, with our listener all in one; after messages that are stored, come again and are refused."""
    with running(rig, together=not isinstance(rig, MosquittoInflux)) as found:
        rig.publish("kl01", MESSAGE, MESSAGE, "no JSON")
        until(lambda: 'canhman_ingest_events_total{event="refused"}' in scrape(found), 60, lambda: f"the refusal is counted:\n{found.logs}")
        until(lambda: all(f'service="{name}"' in scrape(found) for name in ("ingest", "forecast", "alerts")), 60, "each service has spoken", every=0.5)
        text = scrape(found)
    kind = "broker" if isinstance(rig, MosquittoInflux) else "listener"
    assert f'figure="{kind}_' in text
    assert unexplained(text, PAGE) == set()


@pytest.mark.parametrize(
    ("shown", "what"),
    [
        ("# TYPE canhman_new gauge\ncanhman_new 1\n", "canhman_new"),
        ("# TYPE canhman_database_up_total counter\ncanhman_database_up_total 1\n", "canhman_database_up_total"),
        ('# TYPE canhman_open_alerts gauge\ncanhman_open_alerts{kind="silent",place="x"} 1\n', "canhman_open_alerts{place}"),
        ('# TYPE canhman_service_figure gauge\ncanhman_service_figure{service="ingest",figure="new"} 1\n', "ingest/new"),
        ('# TYPE canhman_ingest_events_total counter\ncanhman_ingest_events_total{event="new"} 1\n', "new"),
    ],
)
def test_what_the_page_does_not_have_is_noticed(shown: str, what: str) -> None:
    """A family, its type, a label, a figure, an event."""
    assert unexplained(shown, PAGE) == {what}
