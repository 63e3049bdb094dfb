"""docs/speed.svg: where a message's microseconds go, for 50 and for 10,000 devices. Narrow, so that it can be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INK, INK2, RULE = "#0B1513", "#46514D", "#D5CFBD"
COLOURS = {"50": "#0B6E4F", "10000": "#B5541C"}
NAMES = {"50": "50 devices", "10000": "10,000 devices"}
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 420, 172, 44, 78, 36, 12
STAGES = (
    ("journal: write, read back", ("append", "read")),
    ("decode, place, columns", ("registry", "decode and place", "columns")),
    ("row tests", ("row tests",)),
    ("window tests", ("window tests",)),
    ("lines and HTTP", ("store",)),
    ("state: remember, commit", ("remember", "commit")),
    ("between the stages", ("rest",)),
)
Found = Mapping[str, Any]


def costs(found: Found, devices: str) -> dict[str, float]:
    """CPU µs a message by row of the picture: what the drain itself told of sockets and servers, stages as they are without servers."""
    us = found["stages"][devices]["us"]
    drain = found[f"backlog_{devices}"]
    drain = drain.get("own", drain["paho"])
    threads = drain["threads_us"]
    rows = {"socket, acknowledgements": max(0.0, threads["main"] - us["append"])} if "main" in threads else {}
    rows |= {name: sum(us[stage] for stage in stages) for name, stages in STAGES}
    if "InfluxStore" in threads:
        rows["lines and HTTP"] = threads["InfluxStore"]
    return rows | {"ingest, all of it": drain["cpu_us"]["ingest"], "Mosquitto": drain["cpu_us"]["mosquitto"], "InfluxDB": drain["cpu_us"]["influxd"]}


def picture(found: Found) -> str:
    """The whole file; empty where a part is missing."""
    try:
        told = {devices: costs(found, devices) for devices in NAMES}
    except KeyError:
        return ""
    names = list(told["50"])
    most = max(1.0, *(value for rows in told.values() for value in rows.values()))
    height = TOP + ROW * len(names) + 12
    title = "Where a message's time goes while a backlog drains"
    words = "; ".join(f"{NAMES[devices]}: " + ", ".join(f"{name} {value:.1f}" for name, value in rows.items()) for devices, rows in told.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="t d"'
        ' font-family="Roboto, Segoe UI, Noto Sans, sans-serif" font-size="12">',
        f'<title id="t">{title}</title><desc id="d">{words}</desc>',
        f'<rect width="{WIDTH}" height="{height}" fill="#FFFFFF"/>',
        _text(12, 22, title, weight="bold", size=14),
        _text(12, 40, "CPU µs a message", fill=INK2),
    ]
    x = 12
    for devices, name in NAMES.items():
        parts.append(f'<rect x="{x}" y="50" width="12" height="12" fill="{COLOURS[devices]}"/>')
        parts.append(_text(x + 18, 60, name, fill=INK2))
        x += 110
    for number, name in enumerate(names):
        y = TOP + ROW * number
        bold = "bold" if name.startswith("ingest,") else "normal"
        if name in ("ingest, all of it", "Mosquitto"):
            parts.append(f'<path d="M12 {y - 4}H{WIDTH - 12}" stroke="{RULE}" stroke-width="1"/>')
        parts.append(_text(LEFT - 8, y + BAR + 5, name, anchor="end", weight=bold))
        for turn, devices in enumerate(NAMES):
            value = told[devices].get(name, 0.0)
            length = (WIDTH - LEFT - RIGHT) * value / most
            top = y + turn * (BAR + 1)
            parts.append(f'<rect class="bar" x="{LEFT}" y="{top}" width="{max(1.0, length):.1f}" height="{BAR}" fill="{COLOURS[devices]}"/>')
            parts.append(_text(LEFT + max(1.0, length) + 5, top + BAR - 2, f"{value:.1f}", fill=INK2, size=11))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = INK, weight: str = "normal", size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}" font-size="{size}">{words}</text>'
