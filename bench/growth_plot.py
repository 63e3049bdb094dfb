"""The plot of `bench.growth` as SVG: µs per message against what is stored, and against devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

INK, INK2, RULE = "#0B1513", "#46514D", "#D5CFBD"
SIDE, HEIGHT, LEFT, GAP, TOP, BOTTOM = 300, 220, 52, 56, 64, 78
LINES = (
    ("sqlite", "cpu_us", "ingest, SQLite within", "#0B6E4F", ""),
    ("influxdb", "cpu_us", "ingest, InfluxDB beside", "#1F5FA8", ""),
    ("influxdb", "server_us", "InfluxDB itself", "#B5541C", "5 4"),
)
Point = Mapping[str, Any]


def picture(points: Sequence[Point]) -> str:
    """The whole file."""
    width, height = LEFT + 2 * SIDE + GAP + 16, TOP + HEIGHT + BOTTOM
    most = max([10.0, *(p[field] for p in points for name, field, *_ in LINES if p["store"] == name)])
    top = next(t for t in (20, 40, 60, 100, 200, 500, 1000, 10_000) if t >= most)
    title = "What a message of six values costs, written, judged and committed [CPU µs]"
    stored = [p for p in points if p["devices"] == 1_000]
    devices = [p for p in points if p["stored"] == 0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t d"'
        ' font-family="Roboto, Segoe UI, Noto Sans, sans-serif" font-size="12">',
        f'<title id="t">{title}</title><desc id="d">{"; ".join(_told(points))}</desc>',
        f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>',
        _text(LEFT, 20, title, weight="bold", size=14),
        *_panel(LEFT, "values stored [millions], 1,000 devices", stored, "stored", [str(n // 1_000_000) for n in _steps(stored, "stored")], top, first=True),
        *_panel(LEFT + SIDE + GAP, "devices, empty store", devices, "devices", [f"{n:,}" for n in _steps(devices, "devices")], top, first=False),
    ]
    x = LEFT
    for _, _, words, colour, dash in LINES:
        parts.append(f'<path d="M{x} {height - 18}h24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        parts.append(_text(x + 30, height - 14, words, fill=INK2))
        x += 40 + 7 * len(words)
    return "\n".join([*parts, "</svg>", ""])


def _steps(points: Sequence[Point], field: str) -> list[int]:
    return sorted({p[field] for p in points})


def _told(points: Sequence[Point]) -> Iterator[str]:
    for p in points:
        server = f", its server {p['server_us']:g}" if p["server_us"] else ""
        yield f"{p['store']}, {p['devices']:,} devices, {p['stored'] / 1e6:.0f} million values: {p['cpu_us']:g} µs{server}"


def _panel(x: int, name: str, points: Sequence[Point], field: str, labels: Sequence[str], top: int, *, first: bool) -> Iterator[str]:
    steps = _steps(points, field)
    yield _text(x, TOP - 14, name, weight="bold")
    for n in range(5):
        y = TOP + HEIGHT * (1 - n / 4)
        yield f'<path d="M{x} {y:g}h{SIDE}" stroke="{RULE}" stroke-width="0.8"/>'
        if first:
            yield _text(x - 8, y + 4, f"{top * n / 4:g}", anchor="end", fill=INK2)
    at = {value: x + SIDE * (i + 0.5) / max(1, len(steps)) for i, value in enumerate(steps)}
    for value, label in zip(steps, labels, strict=True):
        yield _text(at[value], TOP + HEIGHT + 16, label, anchor="middle", fill=INK2)
    for store, cost, _, colour, dash in LINES:
        line = [(at[p[field]], TOP + HEIGHT * (1 - p[cost] / top)) for p in sorted(points, key=lambda p: p[field]) if p["store"] == store]
        if line:
            yield f'<path d="M{"L".join(f"{a:.1f} {b:.1f}" for a, b in line)}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
            yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in line)
    yield f'<path d="M{x} {TOP}V{TOP + HEIGHT}H{x + SIDE}" fill="none" stroke="{INK}" stroke-width="1.2"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = INK, weight: str = "normal", size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}" font-size="{size}">{words}</text>'
