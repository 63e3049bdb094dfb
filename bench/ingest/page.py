"""docs/speed.md and docs/speed.json from what was measured. The page is made from the JSON alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.faults.machine import machine

TITLE = "# The speed record: what the path from broker to store carries"
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table: `read` gives the figure of what was measured, `least` or `most` is the goal."""

    about: str
    unit: str
    read: Callable[[Found], float]
    least: float | None = None
    most: float | None = None

    def reached(self, figure: float) -> bool:
        """Whether it is."""
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


def _best(found: Found) -> Mapping[str, Any]:
    return dict(found["own"] if "own" in found else found["paho"])


GOALS = (
    Goal(about="a backlog of 50 devices drains", unit="messages/s", read=lambda f: _best(f["backlog_50"])["per_second"], least=40_000),
    Goal(
        about="the same against the script that writes each message",
        unit="times",
        read=lambda f: _best(f["backlog_50"])["per_second"] / f["backlog_50"]["synchronous"]["per_second"],
        least=25,
    ),
    Goal(
        about="the same against the script that batches (and loses data when killed)",
        unit="times",
        read=lambda f: _best(f["backlog_50"])["per_second"] / f["backlog_50"]["batching"]["per_second"],
        least=2.5,
    ),
    Goal(about="a backlog of 10,000 devices drains", unit="messages/s", read=lambda f: _best(f["backlog_10000"])["per_second"], least=25_000),
    Goal(about="CPU of ingest while draining, 50 devices", unit="µs a message", read=lambda f: _best(f["backlog_50"])["cpu_us"]["ingest"], most=12),
    Goal(about="CPU of ingest while draining, 10,000 devices", unit="µs a message", read=lambda f: _best(f["backlog_10000"])["cpu_us"]["ingest"], most=18),
    Goal(about="live, 50 devices, of what Mosquitto alone passes on", unit="share", read=lambda f: f["live"]["50"]["share"], least=0.7),
    Goal(about="live, 10,000 devices, of what Mosquitto alone passes on", unit="share", read=lambda f: f["live"]["10000"]["share"], least=0.5),
    Goal(about="at 1,000 messages/s: publish to stored, p99", unit="ms", read=lambda f: f["steady"]["p99_ms"], most=40),
    Goal(about="at 1,000 messages/s: CPU of ingest", unit="µs a message", read=lambda f: f["steady"]["cpu_us"]["ingest"], most=150),
    Goal(about="with paho-mqtt, a backlog of 50 devices drains", unit="messages/s", read=lambda f: f["backlog_50"]["paho"]["per_second"], least=20_000),
    Goal(about="with paho-mqtt, CPU of ingest", unit="µs a message", read=lambda f: f["backlog_50"]["paho"]["cpu_us"]["ingest"], most=45),
    Goal(about="our listener and SQLite, 50 devices", unit="stored/s", read=lambda f: f["listener"]["per_second"], least=25_000),
    Goal(
        about="our listener and SQLite, 1,000 devices, 20 million rows stored", unit="stored/s", read=lambda f: f["listener_full"]["per_second"], least=15_000
    ),
    Goal(about="memory through a 200,000-message backlog, the store down", unit="MiB", read=lambda f: f["memory"]["most_mb"], most=200),
    Goal(about="memory in steady state", unit="MiB", read=lambda f: f["steady"]["memory_mb"], most=120),
)


def now() -> str:
    """When a part was measured."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(found: Found, folder: Path) -> list[Path]:
    """Both files."""
    data = {"machine": machine(), "parts": dict(found)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    (folder / "speed.md").write_text(text(data))
    return [folder / "speed.json", folder / "speed.md"]


def figures(found: Found) -> list[tuple[Goal, float | None]]:
    """Every goal with its figure; None where it was not measured."""
    told: list[tuple[Goal, float | None]] = []
    for goal in GOALS:
        try:
            told.append((goal, float(goal.read(found))))
        except (KeyError, ZeroDivisionError):
            told.append((goal, None))
    return told


# ------------------------------------------------------------ the page


def text(data: Mapping[str, Any]) -> str:
    """docs/speed.md."""
    found = data["parts"]
    told = figures(found)
    measured = [(goal, figure) for goal, figure in told if figure is not None]
    reached = sum(goal.reached(figure) for goal, figure in measured)
    return f"""{TITLE}

{reached} of {len(measured)} goals are reached on the machine named below. A message has some 200 bytes, three readings, a battery and a signal (seven
rows are stored), and takes the whole path: journal with its fsync before the acknowledgement, decoding, identity, registry, derived salinity, quality
tests, store, cursor. Servers, publisher and ingest share the two cores. All figures are medians of three rounds of one run.

{_goals(told)}

{_missed(measured, found)}## What was measured

{"".join(f"{chr(10)}{line}{chr(10)}" for line in _parts(found))}
## How

`make bench` starts Mosquitto with the configuration `canhman broker init` writes, InfluxDB, and `canhman ingest`, all as processes of their own. The
publisher (`canhman/load.py`) has its packets made before the clock starts and counts acknowledgements, so that broker or ingest is the limit, never it.
The clock is the store's cursor: the moment a position of the journal is stored is the moment the cursor passes it; no counting query runs beside the
measurement. CPU is that of the processes in `/proc`, user and system, while the load lasts. *Mosquitto alone* is the same load and the same broker with
the least a subscriber can do: take a message, acknowledge it. The scripts are those of the [fault record](faults.md); the synchronous one gets a
twentieth of the backlog, the batching one a third, so that the run ends. What was stored is read back by plain InfluxQL at the end and held, row by row
with its flag, against one judgement over all of it: {found.get("backlog_50", {}).get("rows_checked", 0):,} rows.

```sh
make bench
```

takes about twelve minutes and keeps what is done in `.make/bench`; `ARGS="--part live"` measures one part again, `--again` everything, `--small` shows in
two minutes that it runs. Against your own servers: [`canhman bench ingest`](commands.md).

## Where this was run

{_machine(data)}
"""


def _goals(told: list[tuple[Goal, float | None]]) -> str:
    lines = ["| | Goal | Figure | |", "|---|--:|--:|---|"]
    for goal, figure in told:
        wanted = f"≥ {_number(goal.least)}" if goal.least is not None else f"≤ {_number(goal.most or 0)}"
        verdict = "not measured" if figure is None else "reached" if goal.reached(figure) else "**missed**"
        lines.append(f"| {goal.about} | {wanted} {goal.unit} | {'–' if figure is None else _number(figure)} | {verdict} |")
    return "\n".join(lines)


def _missed(measured: list[tuple[Goal, float]], found: Found) -> str:
    missed = [goal.about for goal, figure in measured if not goal.reached(figure)]
    if not missed:
        return ""
    listed = "\n".join(f"- {about}" for about in missed)
    return f"""## What was missed, and why

{listed}

Where the time of ingest goes, stage by stage (`python -m bench.ingest_stages --store lines`: from the journal to the lines for InfluxDB, without
servers); what broker and store take beside it on the same two cores stands in the tables below.

```text
{found.get("stages", {}).get("printed", "not measured")}
```

"""


def _parts(found: Found) -> Iterator[str]:
    names = {"own": "own client (MQTT 5)", "paho": "paho-mqtt", "synchronous": "script, a write for each message", "batching": "script, the library's batches"}
    head = "| | Messages/s | Rounds | CPU µs a message |\n|---|--:|---|---|\n"
    for part, title in (("backlog_50", "A backlog of 50 devices drains"), ("backlog_10000", "A backlog of 10,000 devices drains")):
        if part in found:
            rows = "".join(_line(names[name], found[part][name]) for name in names if name in found[part])
            alone = found[part].get("alone")
            yield f"### {title}\n\n{head}{rows}" + (f"| Mosquitto alone | {alone:,} | | |\n" if alone else "")
    if "live" in found:
        rows = ""
        for devices in ("50", "10000"):
            part = found["live"][devices]
            rows += _line(f"{int(devices):,} devices", part) + f"| Mosquitto alone, {int(devices):,} devices | {part['alone']:,} | | |\n"
        yield f"### Live, as fast as it goes\n\n{head}{rows}"
    if "steady" in found:
        part = found["steady"]
        cpu = ", ".join(f"{name} {value}" for name, value in part["cpu_us"].items())
        waits = f"Publish to stored: p50 {part['p50_ms']} ms, p99 {part['p99_ms']} ms"
        yield f"### At 1,000 messages a second\n\n{waits}. CPU µs a message: {cpu}. Memory: {part['memory_mb']} MiB."
    rows = "".join(
        _line(title, found[part])
        for part, title in (("listener", "50 devices, an empty store"), ("listener_full", "1,000 devices, 20 million rows stored"))
        if part in found
    )
    if rows:
        yield f"### Our listener and SQLite\n\n{head}{rows}"
    if "memory" in found:
        part = found["memory"]
        told = f"{part['before_mb']} MiB before, {part['store_down_mb']} at most meanwhile, {part['most_mb']} at most while they drained"
        after = f"({part['drained_s']} s), {part['after_mb']} in the end"
        yield f"### Memory with the store down\n\n{part['messages']:,.0f} messages came in while InfluxDB stood still: {told} {after}."


def _line(title: str, part: Mapping[str, Any]) -> str:
    cpu = ", ".join(f"{name} {value}" for name, value in part["cpu_us"].items())
    return f"| {title} | {part['per_second']:,} | {', '.join(f'{r:,}' for r in part['rounds'])} | {cpu} |\n"


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"


def _machine(data: Mapping[str, Any]) -> str:
    days = sorted({part["on"][:10] for part in data["parts"].values() if "on" in part})
    about = "\n".join(f"| {name} | {value} |" for name, value in data["machine"].items())
    return f"| | |\n|---|---|\n| Measured on | {', '.join(days)} |\n{about}"
