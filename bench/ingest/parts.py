"""The parts of the measurement, each on its own: what it measures, how long it takes, what it gives (plain values, kept as JSON)."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np

from bench.faults.world import has_own_client
from bench.ingest.alone import broker_alone, journal_alone, store_alone
from bench.ingest.spent import look, memory_mb, spent
from bench.ingest.stand import (
    PREFIX,
    Clockwork,
    Figure,
    Stand,
    broker_stand,
    checked,
    drain,
    figure,
    listener_stand,
    live,
    publish,
    script,
)
from bench.load import ROOT
from bench.peers.world import PeerWorld
from canhman import heartbeat
from canhman.benching import Publisher, journal_end, latencies, positions, wait_stored
from canhman.load import device
from canhman.measuring import CursorClock, resident_mb

Said = Callable[[str], None]
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much: `rounds` of each, `messages` a backlog."""

    rounds: int = 3
    messages: int = 100_000
    live: int = 80_000
    stored_rows: int = 20_000_000
    memory_messages: int = 200_000
    seconds: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part; `seconds` it takes about."""

    about: str
    seconds: int
    run: Callable[[Size, Said], dict[str, Any]]


def clients() -> list[str]:
    """Those this version has."""
    return ["own", "paho"] if has_own_client() else ["paho"]


def middle(figures: list[Figure]) -> dict[str, Any]:
    """Medians, and every round's speed and CPU of ingest."""
    return {
        "per_second": round(median(f.per_second for f in figures)),
        "rounds": [round(f.per_second) for f in figures],
        "cpu_us": _medians([f.cpu_us for f in figures]),
        "cpu_rounds": [round(f.cpu_us["ingest"], 1) for f in figures if "ingest" in f.cpu_us],
        "threads_us": _medians([f.threads_us for f in figures]),
        "others_us": round(median(f.others_us for f in figures), 1),
        "batch": round(median(f.batch for f in figures)),
        "most_mb": round(max(f.most_mb for f in figures), 1),
    }


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(told.get(name, 0.0) for told in rounds), 1) for name in rounds[0]}


def backlog_50(size: Size, say: Said) -> dict[str, Any]:
    """Drain of 50 devices: own client, paho, both scripts, Mosquitto alone; in turn, in each round."""
    found: dict[str, list[Figure]] = {name: [] for name in (*clients(), "synchronous", "batching")}
    alones: list[Figure] = []
    with broker_stand(50) as stand, tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder:
        for client in clients():  # everything is met once: sessions, series, layouts
            drain(stand, devices=50, count=5000, client=client)
        scripts = {form: PeerWorld(Path(folder) / form, form) for form in ("synchronous", "batching")}
        works = {form: Clockwork() for form in scripts}
        try:
            for turn in range(size.rounds):
                for client in clients():
                    found[client].append(drain(stand, devices=50, count=size.messages, client=client))
                    say(f"backlog of 50 devices, round {turn + 1}, {client}: {found[client][-1].per_second:,.0f}/s {found[client][-1].cpu_us}")
                for form, world in scripts.items():
                    count = max(1000, size.messages // (20 if form == "synchronous" else 3))
                    found[form].append(script(world, works[form], devices=50, count=count))
                    say(f"backlog of 50 devices, round {turn + 1}, script, {form}: {found[form][-1].per_second:,.0f}/s")
                alones.append(broker_alone(stand, devices=50, count=size.messages, backlog=True))
                say(f"backlog of 50 devices, round {turn + 1}, Mosquitto alone: {alones[-1].per_second:,.0f}/s")
        finally:
            for world in scripts.values():
                world.close()
        rows = checked(stand, (0, 17))
    return {name: middle(figures) for name, figures in found.items()} | {"alone": middle(alones), "rows_checked": rows}


def backlog_10000(size: Size, say: Said) -> dict[str, Any]:
    """Drain of 10,000 devices, twice as many messages as of 50: twenty of each device."""
    found: dict[str, list[Figure]] = {name: [] for name in clients()}
    with broker_stand(10_000) as stand:
        for client in clients():
            drain(stand, devices=10_000, count=20_000, client=client)
        for turn in range(size.rounds):
            for client in clients():
                found[client].append(drain(stand, devices=10_000, count=2 * size.messages, client=client))
                say(f"backlog of 10,000 devices, round {turn + 1}, {client}: {found[client][-1].per_second:,.0f}/s {found[client][-1].cpu_us}")
    return {name: middle(figures) for name, figures in found.items()}


def live_share(size: Size, say: Said) -> dict[str, Any]:
    """Live at full speed, beside what Mosquitto alone passes on, 50 and 10,000 devices."""
    found: dict[str, Any] = {}
    client = clients()[0]
    with broker_stand(10_000) as stand:
        for devices in (50, 10_000):
            drain(stand, devices=devices, count=2 * devices if devices > 50 else 5000, client=client)
            figures, alones = [], []
            for turn in range(size.rounds):
                figures.append(live(stand, devices=devices, count=size.live, client=client))
                alones.append(broker_alone(stand, devices=devices, count=size.live, backlog=False))
                say(f"live, {devices} devices, round {turn + 1}: {figures[-1].per_second:,.0f}/s of {alones[-1].per_second:,.0f}/s")
            shares = [f.per_second / a.per_second for f, a in zip(figures, alones, strict=True)]
            journal = journal_alone(stand, devices=devices, count=size.live, client=client)
            say(f"live, {devices} devices, the store standing still: {journal.per_second:,.0f}/s journalled")
            found[str(devices)] = middle(figures) | {
                "alone": middle(alones),
                "share": round(median(shares), 2),
                "share_rounds": [round(share, 2) for share in shares],
                "journal": middle([journal]),
            }
    return found | {"client": client}


def steady(size: Size, say: Said) -> dict[str, Any]:
    """1,000 messages a second: publish to stored, CPU, memory."""
    rounds = []
    with broker_stand(50) as stand:
        drain(stand, devices=50, count=5000, client=clients()[0])
        for turn in range(size.rounds):
            rounds.append(_steady(stand, size.seconds))
            say(f"1,000 a second, round {turn + 1}: p50 {rounds[-1]['p50_ms']:.0f} ms, p99 {rounds[-1]['p99_ms']:.0f} ms, {rounds[-1]['cpu_us']}")
    return {name: round(median(r[name] for r in rounds), 2) for name in ("p50_ms", "p99_ms", "memory_mb", "start_mb", "batch", "fsync_ms", "write_ms")} | {
        "cpu_us": _medians([r["cpu_us"] for r in rounds]),
        "threads_us": _medians([r["threads_us"] for r in rounds]),
        "others_us": round(median(r["others_us"] for r in rounds), 1),
        "kinds_mb": _medians([r["kinds_mb"] for r in rounds]),
        "rounds": [round(r["p99_ms"], 1) for r in rounds],
        "cpu_rounds": [round(r["cpu_us"]["ingest"], 1) for r in rounds],
        "memory_rounds": [round(r["memory_mb"], 1) for r in rounds],
        "client": clients()[0],
    }


def _steady(stand: Stand, seconds: int) -> dict[str, Any]:
    times = stand.rig.folder / "times.npy"
    stand.rig.start()
    pid = stand.rig.pid
    start_mb = resident_mb(pid)
    publish(replace(stand.work.load(stand.base, devices=50, count=2000), rate=1000))  # warm
    load = stand.work.load(stand.base, devices=50, count=1000 * seconds, rate=1000, times=str(times))
    publisher = Publisher(load)
    begin = journal_end(stand.journal)
    clock = CursorClock(read=stand.cursor, every_s=0.001).start()
    pids = {"ingest": pid, **stand.servers}
    before = look(pids)
    try:
        publisher.go()
        publisher.wait(seconds + 60)
        wait_stored(clock, stand.journal, begin=begin, at_least=150 * load.count)
        cost = spent(before, look(pids), load.count)
        memory, kinds = resident_mb(pid), memory_mb(pid)
    finally:
        clock.stop()
        publisher.close()
    stand.rig.stop()
    waits = 1000 * latencies(positions(stand.journal, begin, load.count), np.load(times), clock.moves)
    told = {"cpu_us": cost.cpu_us, "threads_us": cost.threads_us, "others_us": cost.others_us, "batch": load.count / max(1, len(clock.moves) - 1)}
    kept = {"memory_mb": memory, "start_mb": start_mb, "kinds_mb": kinds, **_meters(stand.rig.data)}
    return {"p50_ms": float(np.nanpercentile(waits, 50)), "p99_ms": float(np.nanpercentile(waits, 99)), **told, **kept}


def _meters(data: Path) -> dict[str, float]:
    """Mean times of ingest's own meters since its start [ms]: an fsync, a write to the store."""
    beat = heartbeat.read(data, "ingest")
    found = {}
    for name in ("fsync", "write"):
        told = beat.histograms.get(f"{name}_seconds", {}) if beat else {}
        count = sum(told.get("counts", ()))
        found[f"{name}_ms"] = 1000 * told["sum"] / count if count else 0.0
    return found


def listener(size: Size, say: Said) -> dict[str, Any]:
    """Our listener and SQLite, 50 devices over four connections."""
    with listener_stand(50) as stand:
        return _listener(stand, size, say, devices=50, title="listener and SQLite")


def listener_full(size: Size, say: Said) -> dict[str, Any]:
    """The same with 1,000 devices, on a store that holds 20 million rows already."""
    with listener_stand(1000) as stand:
        stand.rig.start()
        stand.rig.stop()
        began = time.monotonic()
        fill(stand.rig.data / "series.db", 1000, size.stored_rows)
        say(f"{size.stored_rows:,} rows stored in {time.monotonic() - began:.0f} s")
        return _listener(stand, size, say, devices=1000, title=f"listener and SQLite with {size.stored_rows:,} rows") | {"rows_before": size.stored_rows}


def _listener(stand: Stand, size: Size, say: Said, *, devices: int, title: str) -> dict[str, Any]:
    figures = []
    for turn in range(size.rounds + 1):
        stand.rig.start()
        pid = stand.rig.pid
        count = 4 * devices if turn == 0 else size.messages
        publisher = Publisher(stand.work.load(stand.base, devices=devices, count=count, connections=4))
        begin = journal_end(stand.journal)
        clock = CursorClock(read=stand.cursor, pid=pid, every_s=0.005).start()
        before = look({"ingest": pid})
        try:
            publisher.go()
            publisher.wait(180)
            end = wait_stored(clock, stand.journal, begin=begin, at_least=150 * count)
            cost = spent(before, look({"ingest": pid}), count)
        finally:
            clock.stop()
            publisher.close()
        stand.rig.stop()
        if turn:  # the first meets every device once
            figures.append(figure(clock, count, end, cost, clock.most_mb))
            say(f"{title}, round {turn}: {figures[-1].per_second:,.0f}/s, {cost.cpu_us['ingest']:.1f} µs")
    return middle(figures)


def fill(path: Path, devices: int, rows: int) -> None:
    """Write `rows` rows of these devices into the store's own tables, in the order of their key."""
    quantities = ("water.ec", "water.temperature", "water.level", "water.salinity", "device.battery", "device.rssi")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        names = [device(PREFIX, n) for n in range(devices)]
        series = [("default", name, "device" if q.startswith("device") else "main", name, q) for name in names for q in quantities]
        db.executemany("INSERT OR IGNORE INTO series(org, station, point, sensor, quantity) VALUES(?, ?, ?, ?, ?)", series)
        day, left = time.time_ns() // 1_000_000 // DAY_MS - 500, rows
        while left > 0:
            slots = min(96, max(1, left // len(series)))
            db.execute(
                """WITH RECURSIVE slot(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM slot WHERE n + 1 < ?)
                INSERT INTO reading(day, series, time, value, flag, tests, received)
                SELECT ?, id, ? + n * 900000, 2.5, 1, 0, ? + n * 900000 FROM series CROSS JOIN slot""",
                (slots, day, day * DAY_MS, day * DAY_MS),
            )
            db.commit()
            left -= slots * len(series)
            day += 1


def memory(size: Size, say: Said) -> dict[str, Any]:
    """Memory while 200,000 messages come in with the store down, and while they drain."""
    with broker_stand(50) as stand:
        stand.client(clients()[0])
        stand.rig.start()
        pid = stand.rig.pid
        start, start_kinds = resident_mb(pid), memory_mb(pid)
        publish(stand.work.load(stand.base, devices=50, count=5000))
        time.sleep(1)
        before = resident_mb(pid)
        clock = CursorClock(read=stand.cursor, pid=pid, every_s=0.01).start()
        begin = journal_end(stand.journal)
        try:
            stand.rig.influx.pause()  # type: ignore[attr-defined] # it is the broker's stand
            publish(stand.work.load(stand.base, devices=50, count=size.memory_messages))
            deadline = time.monotonic() + 60
            while journal_end(stand.journal) < begin + 150 * size.memory_messages and time.monotonic() < deadline:
                time.sleep(0.05)
            waiting_mb = clock.most_mb
            stand.rig.influx.resume()  # type: ignore[attr-defined] # as above
            began = time.monotonic()
            wait_stored(clock, stand.journal, begin=begin, at_least=150 * size.memory_messages)
            took = time.monotonic() - began
        finally:
            clock.stop()
        after, after_kinds = resident_mb(pid), memory_mb(pid)
        stand.rig.stop()
    found = {"messages": size.memory_messages, "start_mb": start, "before_mb": before, "store_down_mb": waiting_mb, "most_mb": clock.most_mb}
    found |= {"after_mb": after, "drained_s": took}
    say(f"memory: {found}")
    kinds = {"start": start_kinds, "after": after_kinds}
    return {name: round(value, 1) for name, value in found.items()} | {when: {k: round(mb, 1) for k, mb in told.items()} for when, told in kinds.items()}


def stages(size: Size, say: Said) -> dict[str, Any]:
    """Where the time of ingest goes, stage by stage, without servers; and what InfluxDB takes for the very same lines, without ingest."""
    return {name: _stages(devices, live, size.messages if not live else 1000 * size.seconds, say) for name, (devices, live) in STAGED.items()}


def _stages(devices: int, live: int, count: int, say: Said) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder:
        file = Path(folder) / "bodies"
        words = [sys.executable, "-m", "bench.ingest_stages", str(devices), "--store", "lines", "--load", str(count), "--keep", str(file), "--json"]
        words += ["--live", str(live)] if live else []
        env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}"
        told = json.loads(done.stdout)
        bodies = msgspec.msgpack.decode(file.read_bytes())
    us = {name: round(row[0], 2) for name, row in told["us_per_message"].items()}
    store = store_alone(bodies["met"], bodies["measured"], count)
    say(f"{devices:,} devices, batches of {told['batch']:,}: ingest without servers {us['all']:.1f} µs; InfluxDB without ingest {store['influxd_us']:.1f} µs, ")
    return {"batch": told["batch"], "messages": count, "us": us, "store": store}


STAGED = {"50": (50, 0), "10000": (10_000, 0), "steady": (50, 12)}  # devices, and messages a batch where that is not ingest's own

PARTS: dict[str, Part] = {
    "backlog_50": Part(about="drain of a backlog, 50 devices, both clients, both scripts, Mosquitto alone", seconds=220, run=backlog_50),
    "backlog_10000": Part(about="drain of a backlog, 10,000 devices", seconds=190, run=backlog_10000),
    "live": Part(about="live, beside Mosquitto alone", seconds=150, run=live_share),
    "steady": Part(about="1,000 messages a second", seconds=80, run=steady),
    "listener": Part(about="listener and SQLite", seconds=40, run=listener),
    "listener_full": Part(about="listener and SQLite, 20 million rows stored", seconds=90, run=listener_full),
    "stages": Part(about="where the time of ingest goes; InfluxDB without ingest", seconds=70, run=stages),
    "memory": Part(about="memory with the store down", seconds=40, run=memory),
}

SMALL = Size(rounds=1, messages=6000, live=5000, stored_rows=200_000, memory_messages=6000, seconds=3)
