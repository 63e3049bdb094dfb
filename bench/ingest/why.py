"""What stands beside a missed goal: where the time goes. Tables and sentences are made from the figures alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]
Rows = Mapping[str, float]

PROCESSES = {
    "main": "ingest: socket, journal, acknowledgements",
    "worker": "ingest: from the journal to rows, quality tests, state",
    "InfluxStore": "ingest: lines, HTTP",
    "others": "ingest: other threads",
    "mosquitto": "Mosquitto",
    "influxd": "InfluxDB",
    "else": "all else: publisher, what measures, the system",
}
PACKAGES = 6  # of a server's profile that are told; the rest stands together
ALL, NONE = "**all**", "–"


def client(part: Found) -> Found:
    """The figures of our own client, or of paho where there is no other."""
    return dict(part["own"] if "own" in part else part["paho"])


def by_process(part: Found) -> dict[str, float]:
    """CPU µs a message: threads of ingest, servers, all else."""
    threads = dict(part.get("threads_us") or {})
    found = threads or ({"main": part["cpu_us"]["ingest"]} if "ingest" in part["cpu_us"] else {})
    return found | {name: us for name, us in part["cpu_us"].items() if name != "ingest"} | {"else": part.get("others_us", 0.0)}


def cores_used(part: Found, per_second: float) -> float:
    """How many cores the whole of it fills."""
    return sum(by_process(part).values()) * per_second / 1e6


def where(columns: Mapping[str, Found]) -> str:
    """A column for each measurement, a row for each process."""
    told = {title: by_process(part) for title, part in columns.items()}
    rows = [(words, [_us(us.get(name)) for us in told.values()]) for name, words in PROCESSES.items() if any(name in us for us in told.values())]
    rows.append((ALL, [_us(sum(us.values())) for us in told.values()]))
    rows.append(("messages a second", [f"{part['per_second']:,}" for part in columns.values()]))
    rows.append(("cores filled", [f"{cores_used(part, part['per_second']):.1f}" for part in columns.values()]))
    if any(part.get("batch") for part in columns.values()):
        rows.append(("messages a batch", [f"{part['batch']:,}" if part.get("batch") else NONE for part in columns.values()]))
    return _table("CPU µs a message", list(columns), rows)


def sections(found: Found, missed: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """`missed`: goals by the section that says why."""
    for name, (title, tell) in SECTIONS.items():
        if name in missed:
            try:
                told = tell(found)
            except KeyError:
                told = "Not profiled: a part of the measurement is missing."
            yield f"### {title}\n\nMissed: {'; '.join(missed[name])}.\n\n{told}\n"
    if missed.keys() & {"drain_50", "drain_10000", "steady", "live"} and "stages" in found:
        yield f"### Ingest without servers, InfluxDB without ingest\n\n{_staged(found['stages'])}\n"


def _drain(devices: str, goal: float) -> Callable[[Found], str]:
    def tell(found: Found) -> str:
        backlog = found[f"backlog_{devices}"]
        part = client(backlog)
        columns = {"draining": part} | ({"Mosquitto alone": backlog["alone"]} if isinstance(backlog.get("alone"), Mapping) else {})
        words = [f"All together take {_us(sum(by_process(part).values()))} µs a message, {_dearest(by_process(part))}"]
        words += [_room(part, goal, found)]
        if devices in found.get("stages", {}):
            store = found["stages"][devices]["store"]
            words.append(
                f"InfluxDB without ingest, given the very same lines ready-made and with nothing beside it, takes {store['influxd_us']:.1f} µs a message and "
                f"{store['per_second']:,} messages a second."
            )
        return f"{where(columns)}\n\n{' '.join(words)}"

    return tell


def _dearest(us: Rows) -> str:
    name = max(us, key=lambda key: us[key])
    return f"the most of it ({100 * us[name] / max(1e-9, sum(us.values())):.0f} %): {PROCESSES[name]}."


def _room(part: Found, goal: float, found: Found) -> str:
    cores = cores_of(found)
    servers = sum(us for name, us in part["cpu_us"].items() if name != "ingest")
    room = 1e6 * cores / goal
    ours = part["cpu_us"]["ingest"]
    told = f"At {goal:,.0f} messages a second {cores} cores have {room:.1f} µs for each: the servers take {servers:.1f}"
    if servers >= room:
        return f"{told}, more than that without ingest."
    return f"{told}, which leaves {room - servers:.1f} for ingest, which takes {ours:.1f}, and for all else, which takes {part.get('others_us', 0.0):.1f}."


def _live(found: Found) -> str:
    told = []
    for devices in ("50", "10000"):
        part = found["live"][devices]
        columns = {"live": part, "Mosquitto alone": part["alone"], "live, InfluxDB standing still": part["journal"]}
        told.append(f"{int(devices):,} devices:\n\n{where(columns)}\n\n{_live_words(part, cores_of(found))}")
    return "\n\n".join(told)


def _live_words(part: Found, cores: int) -> str:
    whole = sum(by_process(part).values())
    least = sum(by_process(part["alone"]).values())
    carried = 1e6 * cores / whole
    return (
        f"Mosquitto alone and the two that feed and empty it take {_us(least)} µs a message, the whole path {_us(whole)}: {cores} cores wholly filled would "
        f"carry {carried:,.0f} a second of it, {carried / part['alone']['per_second']:.2f} of what Mosquitto alone passed on. With InfluxDB standing still "
        f"{part['journal']['per_second']:,} a second are journalled and acknowledged, {part['journal']['per_second'] / part['alone']['per_second']:.2f} of it."
    )


def _steady(found: Found) -> str:
    part = dict(found["steady"]) | {"per_second": 1000, "batch": round(found["steady"].get("batch", 0))}
    words = f"From publish to stored: p50 {part['p50_ms']} ms, p99 {part['p99_ms']} ms. By ingest's own meters an fsync takes {part['fsync_ms']:.1f} ms"
    words += f" and a write to InfluxDB {part['write_ms']:.1f} ms, means since its start."
    staged = found.get("stages", {}).get("steady")
    if staged:
        words += (
            f" InfluxDB without ingest takes {staged['store']['write_ms']:.1f} ms for a write of {staged['batch']} messages (median) and "
            f"{staged['store']['influxd_us']:.0f} µs a message."
        )
    return f"{where({'1,000 a second': part})}\n\n{words}"


def _plain(*place: str) -> Callable[[Found], str]:
    def tell(found: Found) -> str:
        part: Any = found
        for name in place:
            part = part[name]
        return f"{where({'': part})}\n\nAll together take {_us(sum(by_process(part).values()))} µs a message, {_dearest(by_process(part))}"

    return tell


def _memory(found: Found) -> str:
    rows = []
    if "memory" in found:
        part = found["memory"]
        kinds = {when: f" ({told['anon']:.1f} its own, {told['file']:.1f} programs and libraries)" for when, told in part.items() if isinstance(told, Mapping)}
        rows += [
            (f"ready, nothing came yet{kinds.get('start', '')}", part["start_mb"]),
            ("50 devices have sent 5,000 messages", part["before_mb"]),
            (f"at most while {part['messages']:,.0f} messages came and the store stood still", part["store_down_mb"]),
            ("at most while they drained", part["most_mb"]),
            (f"in the end{kinds.get('after', '')}", part["after_mb"]),
        ]
    if "steady" in found:
        rows.append(("at 1,000 messages a second, 50 devices", found["steady"]["memory_mb"]))
    few, many = client(found["backlog_50"])["most_mb"], client(found["backlog_10000"])["most_mb"]
    rows += [("after a drain, 50 devices", few), ("after a drain, 10,000 devices", many)]
    table = _table("MiB in RAM", [""], [(about, [f"{mb:.1f}"]) for about, mb in rows])
    return f"{table}\n\nFrom 50 to 10,000 devices: {1024 * (many - few) / 9950:.1f} KiB a device more (tails, identities, layouts, places)."


SECTIONS: Mapping[str, tuple[str, Callable[[Found], str]]] = {
    "drain_50": ("Draining, 50 devices", _drain("50", 40_000)),
    "drain_10000": ("Draining, 10,000 devices", _drain("10000", 25_000)),
    "live": ("Live", _live),
    "steady": ("1,000 messages a second", _steady),
    "paho": ("With paho-mqtt", _plain("backlog_50", "paho")),
    "listener": ("Our listener and SQLite", _plain("listener")),
    "listener_full": ("Our listener and SQLite, 20 million rows stored", _plain("listener_full")),
    "memory": ("Memory", _memory),
}


def _staged(stages: Found) -> str:
    titles = {"50": "50 devices", "10000": "10,000 devices", "steady": "50 devices, few at a time"}
    cases = [name for name in titles if name in stages]
    names = list(stages[cases[0]]["us"])
    rows = [(ALL if name == "all" else name, [f"{stages[case]['us'][name]:.2f}" for case in cases]) for name in names]
    rows.append(("messages a batch", [f"{stages[case]['batch']:,}" for case in cases]))
    ours = _table("Ingest, CPU µs a message", [titles[case] for case in cases], rows)
    stores = [stages[case]["store"] for case in cases]
    rows = [
        ("InfluxDB, CPU µs a message", [f"{store['influxd_us']:.1f}" for store in stores]),
        ("messages a second, one write after the other", [f"{store['per_second']:,}" for store in stores]),
        ("a write, median ms", [f"{store['write_ms']:.1f}" for store in stores]),
        ("bytes of lines a message", [f"{store['bytes']:,}" for store in stores]),
    ]
    profiles = [dict(store["profile"]) for store in stores]
    packages = sorted({name for told in profiles for name in told}, key=lambda name: (-max(told.get(name, 0.0) for told in profiles), name))
    rows += [(f"of its CPU: {_code(name)}", [_share(told.get(name)) for told in profiles]) for name in packages[:PACKAGES]]
    theirs = _table("InfluxDB without ingest", [titles[case] for case in cases], rows)
    return f"""`python -m bench.ingest_stages`: the same messages from the journal to the lines for InfluxDB, without servers, in one thread.

{ours}

Those lines, kept and sent to an empty InfluxDB by the least of clients: what no ingest can spare. Shares are those of the server's own CPU profile
(`/debug/pprof/profile`), taken over a second half that is not counted, by the innermost package of InfluxDB on each stack.

{theirs}"""


def _code(package: str) -> str:
    return f"`{package}`" if "/" in package or package.islower() else package


def _share(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f} %"


def cores_of(found: Found) -> int:
    """Of the machine the parts were measured on."""
    return int(max((part.get("cores", 0) for part in found.values() if isinstance(part, Mapping)), default=0)) or 2


def _us(us: float | None) -> str:
    return NONE if us is None else f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def _table(corner: str, titles: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {corner} | {' | '.join(titles)} |", f"|---|{'--:|' * len(titles)}"]
    return "\n".join([*lines, *(f"| {about} | {' | '.join(values)} |" for about, values in rows)])
