"""Metrics: every family on /metrics, and the names that stand in its labels."""

from __future__ import annotations

from api.families import FAMILIES
from canhman.figures import FIGURES
from deploy.page import Page, mark, table
from ingest.events import EVENTS


def body() -> str:
    """The page below its head."""
    families = table(
        ("Metric", "Type", "Labels", "What it tells"),
        ((mark(f.sample), f.type, "; ".join(f"{mark(label)}: {values}" for label, values in f.labels.items()), f.about) for f in FAMILIES.values()),
    )
    figures = table(
        ("`service`", "`figure`", "What it tells"),
        ((mark(service), mark(figure), text) for service, figures in FIGURES.items() for figure, text in figures.items()),
    )
    events = table(("`event`", "What it tells"), ((mark(event), text) for event, text in EVENTS.items()))
    return f"""`canhman serve` (and `up`, and `demo`) shows these at `/metrics` of `CANHMAN_METRICS`, and nowhere else, in Prometheus' text format. A family
that is not in this table cannot be made. Units are base units and stand in the name; counters end in `_total`,
histograms have `_bucket`, `_sum` and `_count`. No label is made by strangers: device ids,
station ids and paths are in none.

{families}

## Figures of the services

The values of `figure` in `canhman_service_figure`: what a service says of itself in its heartbeat, counted since it started unless the sentence says
otherwise. `listener_…` is there where our own listener takes the messages, `broker_…` where a broker does.

{figures}

## Events of ingest

The values of `event` in `canhman_ingest_events_total`. They are kept in the database, and so go on over a restart.

{events}"""


PAGE = Page(
    title="Metrics",
    about="Everything Prometheus is told: name, type, labels, meaning.",
    source="`api/families.py`, `canhman/figures.py`, `ingest/events.py`",
    body=body,
)
