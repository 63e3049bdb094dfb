"""docs/speed.md and docs/speed.json from what was measured. The page is made from the JSON alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.faults.machine import machine
from bench.ingest.picture import picture
from bench.ingest.why import client, cores_of, sections

TITLE = "# The speed record: what the path from broker to store carries"
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table: `read` gives the figure of what was measured, `rounds` that of each round; `least` or `most` is the goal.

    `why` names the section (`bench.ingest.why`) that says where the time goes.
    """

    about: str
    unit: str
    why: str
    read: Callable[[Found], float]
    rounds: Callable[[Found], Sequence[float]] = lambda _: ()
    least: float | None = None
    most: float | None = None

    def reached(self, figure: float) -> bool:
        """Whether it is."""
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


def _at(*place: str) -> Callable[[Found], Any]:
    """What stands at a place of the figures; `best` is our own client, or paho where there is no other."""

    def read(found: Found) -> Any:
        at: Any = found
        for name in place:
            at = client(at) if name == "best" else at[name]
        return at

    return read


def _times(script: str) -> tuple[Callable[[Found], float], Callable[[Found], Sequence[float]]]:
    """How many times faster than a script: of medians, and of each round."""

    def read(found: Found) -> float:
        return float(client(found["backlog_50"])["per_second"] / found["backlog_50"][script]["per_second"])

    def rounds(found: Found) -> Sequence[float]:
        part = found["backlog_50"]
        return [ours / theirs for ours, theirs in zip(client(part)["rounds"], part[script]["rounds"], strict=False) if theirs]

    return read, rounds


def _speed(about: str, why: str, *place: str, least: float, unit: str = "messages/s") -> Goal:
    return Goal(about=about, unit=unit, why=why, read=_at(*place, "per_second"), rounds=_at(*place, "rounds"), least=least)


def _cpu(about: str, why: str, *place: str, most: float) -> Goal:
    return Goal(about=about, unit="µs a message", why=why, read=_at(*place, "cpu_us", "ingest"), rounds=_at(*place, "cpu_rounds"), most=most)


def _ratio(about: str, script: str, least: float) -> Goal:
    read, rounds = _times(script)
    return Goal(about=about, unit="times", why="drain_50", read=read, rounds=rounds, least=least)


def _live(devices: str, least: float) -> Goal:
    about = f"live, {int(devices):,} devices, of what Mosquitto alone passes on"
    return Goal(about=about, unit="share", why="live", read=_at("live", devices, "share"), rounds=_at("live", devices, "share_rounds"), least=least)


GOALS = (
    _speed("a backlog of 50 devices drains", "drain_50", "backlog_50", "best", least=40_000),
    _ratio("the same against the script that writes each message", "synchronous", 25),
    _ratio("the same against the script that batches (and loses data when killed)", "batching", 2.5),
    _speed("a backlog of 10,000 devices drains", "drain_10000", "backlog_10000", "best", least=25_000),
    _cpu("CPU of ingest while draining, 50 devices", "drain_50", "backlog_50", "best", most=12),
    _cpu("CPU of ingest while draining, 10,000 devices", "drain_10000", "backlog_10000", "best", most=18),
    _live("50", 0.7),
    _live("10000", 0.5),
    Goal(about="at 1,000 messages/s: publish to stored, p99", unit="ms", why="steady", read=_at("steady", "p99_ms"), rounds=_at("steady", "rounds"), most=40),
    _cpu("at 1,000 messages/s: CPU of ingest", "steady", "steady", most=150),
    _speed("with paho-mqtt, a backlog of 50 devices drains", "paho", "backlog_50", "paho", least=20_000),
    _cpu("with paho-mqtt, CPU of ingest", "paho", "backlog_50", "paho", most=45),
    _speed("our listener and SQLite, 50 devices", "listener", "listener", least=25_000, unit="stored/s"),
    _speed("our listener and SQLite, 1,000 devices, 20 million rows stored", "listener_full", "listener_full", least=15_000, unit="stored/s"),
    Goal(about="memory through a 200,000-message backlog, the store down", unit="MiB", why="memory", read=_at("memory", "most_mb"), most=200),
    Goal(about="memory in steady state", unit="MiB", why="memory", read=_at("steady", "memory_mb"), rounds=_at("steady", "memory_rounds"), most=120),
)


def now() -> str:
    """When a part was measured."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(found: Found, folder: Path) -> list[Path]:
    """The page, its figures and its picture."""
    data = {"machine": machine(), "parts": dict(found)}
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"speed.json": json.dumps(data, ensure_ascii=False, indent=1) + "\n", "speed.md": text(data), "speed.svg": picture(found)}
    for name, words in texts.items():
        if words:
            (folder / name).write_text(words)
    return [folder / name for name, words in texts.items() if words]


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

Messages a second, CPU a message, and how long a message takes from its publishing to the store, beside what one would otherwise write and beside the
broker alone.

{reached} of {len(measured)} goals are reached on the machine named below. A message has some 200 bytes, three readings, a battery and a signal (six
rows are stored), and takes the whole path: journal with its fsync before the acknowledgement, decoding, identity, registry, derived salinity, quality
tests, store, cursor. Servers, publisher and ingest share its {cores_of(found)} cores. Figures are {_rounds(found)} of one run; *rounds* is the least and
the most of them.

{_goals(told, found)}

{_picture(found)}{_missed(measured, found)}## What was measured

{"".join(f"{chr(10)}{line}{chr(10)}" for line in _parts(found))}
## How

`make bench` starts Mosquitto with the configuration `canhman broker init` writes, InfluxDB, and `canhman ingest`, all as processes of their own. The
publisher (`canhman/load.py`) has its packets made before the clock starts and counts acknowledgements, so that broker or ingest is the limit, never it.
The clock is the store's cursor: the moment a position of the journal is stored is the moment the cursor passes it; no counting query runs beside the
measurement. CPU is that of the processes and threads in `/proc`, user and system, while the load lasts; what a start of ingest costs is taken off.
*Mosquitto alone* is the same load and the same broker with the least a subscriber can do: take a message, acknowledge it. The scripts are those of the
[fault record](faults.md); the synchronous one gets a twentieth of the backlog, the batching one a third, so that the run ends. What was stored is read
back by plain InfluxQL at the end and held, row by row with its flag, against one judgement over all of it:
{found.get("backlog_50", {}).get("rows_checked", 0):,} rows.

```sh
make bench
```

takes about {_minutes(found)} minutes and keeps what is done in `.make/bench`; `ARGS="--part live"` measures one part again, `--again` everything,
`--small` shows in some minutes that it runs. A part that fails is named, and the others are kept. Against your own servers:
[`canhman bench ingest`](commands.md).

## Where this was run

{_machine(data)}
"""


def _rounds(found: Found) -> str:
    most = max((len(part["rounds"]) for part in (found.get("steady"), found.get("listener")) if part), default=0)
    return f"medians of {most} rounds" if most > 1 else "those of a single round"


def _minutes(found: Found) -> str:
    return f"{max(1.0, sum(part.get('took_s', 0) for part in found.values()) / 60):.0f}"


def _picture(found: Found) -> str:
    return "![CPU µs a message by stage, Mosquitto and InfluxDB beside it, for 50 and 10,000 devices](speed.svg)\n\n" if picture(found) else ""


def _goals(told: list[tuple[Goal, float | None]], found: Found) -> str:
    lines = ["| | Goal | Figure | Rounds | |", "|---|--:|--:|--:|---|"]
    for goal, figure in told:
        wanted = f"≥ {_number(goal.least)}" if goal.least is not None else f"≤ {_number(goal.most or 0)}"
        verdict = "not measured" if figure is None else "reached" if goal.reached(figure) else "**missed**"
        span = "" if figure is None else _span(goal.rounds(found))
        lines.append(f"| {goal.about} | {wanted} {goal.unit} | {'–' if figure is None else _number(figure)} | {span} | {verdict} |")
    return "\n".join(lines)


def _span(rounds: Sequence[float]) -> str:
    return f"{_number(min(rounds))} to {_number(max(rounds))}" if len(rounds) > 1 else ""


def _missed(measured: list[tuple[Goal, float]], found: Found) -> str:
    missed: dict[str, list[str]] = {}
    for goal, figure in measured:
        if not goal.reached(figure):
            missed.setdefault(goal.why, []).append(goal.about)
    told = "\n".join(sections(found, missed))
    return f"## What was missed, and why\n\n{told}\n" if missed else ""


def _parts(found: Found) -> Iterator[str]:
    names = {"own": "own client (MQTT 5)", "paho": "paho-mqtt", "synchronous": "script, a write for each message", "batching": "script, the library's batches"}
    head = "| | Messages/s | Rounds | CPU µs a message |\n|---|--:|---|---|\n"
    for part, title in (("backlog_50", "A backlog of 50 devices drains"), ("backlog_10000", "A backlog of 10,000 devices drains, twice as long")):
        if part in found:
            rows = "".join(_line(names[name], found[part][name]) for name in names if name in found[part])
            alone = found[part].get("alone")
            yield f"### {title}\n\n{head}{rows}" + (_line("Mosquitto alone", alone) if alone else "")
    if "live" in found:
        rows = ""
        for devices in ("50", "10000"):
            part = found["live"][devices]
            rows += _line(f"{int(devices):,} devices", part) + _line(f"Mosquitto alone, {int(devices):,} devices", part["alone"])
            rows += _line(f"{int(devices):,} devices, InfluxDB standing still: journalled", part["journal"])
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
    busy = [part["busy"] for part in data["parts"].values() if "busy" in part]
    others = f"| Cores that other processes filled before a part | {min(busy):.1f} to {max(busy):.1f} |\n" if busy else ""
    days = sorted({part["on"][:10] for part in data["parts"].values() if "on" in part})
    about = "\n".join(f"| {name} | {value} |" for name, value in data["machine"].items())
    return f"| | |\n|---|---|\n| Measured on | {', '.join(days)} |\n{others}{about}"
