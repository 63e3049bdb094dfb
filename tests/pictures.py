"""What every chart must hold, and how a test reads one."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from api.web.charts.chart import Chart

SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 12_000


def read(chart_svg: str) -> ET.Element:
    """The picture as a tree, in the namespace a page puts it in."""
    return ET.fromstring(f'<div xmlns="http://www.w3.org/2000/svg">{chart_svg}</div>')  # noqa: S314 made by us


def words(svg: str) -> list[str]:
    """The texts drawn, in order."""
    return [t.text or "" for t in read(svg).iter(f"{SVG}text")]


def check(chart: Chart, *, most: int = MOST_BYTES) -> None:
    """Well formed, labelled, light, no inline style, no colour of its own, no number that is none, a table of one width."""
    tree = read(chart.svg)
    for root in tree:
        assert root.get("role") == "img"
        assert root.get("aria-label") == chart.sentence
    assert chart.sentence
    assert "\n" not in chart.sentence
    assert max((len(part) for part in chart.svg.encode().split(b'<svg class="chart')), default=0) <= most
    assert 'style="' not in chart.svg
    assert not re.search(r"#[0-9A-Fa-f]{3,8}\b|rgb\(", chart.svg)
    drawn = re.sub(r'>[^<]*<| (aria-label|href)="[^"]*"', "><", chart.svg)  # a station may be called "nan"
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert all(len(row) == len(chart.head) for row in chart.rows)
