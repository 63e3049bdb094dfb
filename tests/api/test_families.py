"""What /metrics shows is what `api.families` declares, and so what docs/metrics.md says."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.backend import make_backend

from api.families import FAMILIES, counter, gauge
from api.metrics import Service, exposition

SERVICES = {"ingest": Service(fresh=True, troubles={}, figures={"bytes_behind": 512, "readings_written": 1234})}


def test_every_declared_family_is_shown_and_no_other(tmp_path: Path) -> None:
    """With a full database and a service: name, type, sentence and labels of each."""
    backend = make_backend(tmp_path)
    text = asyncio.run(exposition(backend, Counter({("/", "GET", 200): 1}), SERVICES)).decode()
    shown = {f.name: (f.type, f.documentation, {label for s in f.samples for label in s.labels}) for f in text_string_to_metric_families(text)}
    assert shown == {f.name: (f.type, f.about, set(f.labels)) for f in FAMILIES.values()}
    backend.registry.close()  # type: ignore[attr-defined]  # the database of make_backend


def test_what_is_not_declared_cannot_be_made() -> None:
    """Nor can a gauge be made as a counter."""
    with pytest.raises(KeyError):
        gauge("canhman_undeclared")
    with pytest.raises(KeyError, match="declared as a gauge"):
        counter("canhman_database_up")


@pytest.mark.parametrize("name", FAMILIES)
def test_names_are_as_prometheus_wants_them(name: str) -> None:
    """Our prefix, base units, no suffix that Prometheus adds itself, and a sentence."""
    assert re.fullmatch(r"canhman_[a-z]+(_[a-z]+)*", name)
    assert not re.search(r"_(total|count|sum|bucket|ms|minutes|hours|kb|mb|percent)$", name)
    assert FAMILIES[name].about.endswith(".")
