"""The growth bench: a short run of it, and its plot."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

from bench.growth import along
from bench.growth_plot import LINES, picture


def test_a_short_run_and_its_plot() -> None:
    """Each level is filled in and measured, and the plot is sound XML with a dot for each figure."""
    found: list[dict[str, Any]] = []
    asyncio.run(along("sqlite", 4, [0, 2_400], 40, found.append))
    assert [(p["store"], p["devices"], p["stored"] > 0) for p in found] == [("sqlite", 4, False), ("sqlite", 4, True)]
    assert found[1]["stored"] >= 2_300
    assert all(p["cpu_us"] > 0 for p in found)
    points = [{**p, "devices": 1_000} for p in found] + [{**found[0], "store": "influxdb", "devices": 50, "server_us": 7.0, "stored": 0}]
    root = ET.fromstring(picture(points))  # noqa: S314 our own
    dots = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 2 + 1 + 2, "stored: SQLite at two levels; devices: SQLite at 1,000, InfluxDB and its server at 50"
    assert [name for name, *_ in LINES] == ["sqlite", "influxdb", "influxdb"]
