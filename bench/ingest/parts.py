"""The parts of the measurement, each on its own: what it measures, how long it takes, what it gives (plain values, kept as JSON)."""

from __future__ import annotations

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

import numpy as np

from bench.faults.world import has_own_client
from bench.ingest.stand import (
    PREFIX,
    Clockwork,
    Figure,
    Stand,
    alone,
    broker_stand,
    checked,
    drain,
    listener_stand,
    live,
    publish,
    script,
)
from bench.load import ROOT
from bench.peers.world import PeerWorld
from canhman.benching import Publisher, journal_end, latencies, positions, wait_stored
from canhman.load import device
from canhman.measuring import CursorClock, cpu_s, resident_mb, speed

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
    """Medians, and every round's speed."""
    names = figures[0].cpu_us
    return {
        "per_second": round(median(f.per_second for f in figures)),
        "rounds": [round(f.per_second) for f in figures],
        "cpu_us": {name: round(median(f.cpu_us[name] for f in figures), 1) for name in names},
        "most_mb": round(max(f.most_mb for f in figures), 1),
    }


def backlog_50(size: Size, say: Said) -> dict[str, Any]:
    """Drain of 50 devices: own client, paho, both scripts, Mosquitto alone; in turn, in each round."""
    found: dict[str, list[Figure]] = {name: [] for name in (*clients(), "synchronous", "batching")}
    alones: list[float] = []
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
                alones.append(alone(stand, devices=50, count=size.messages, backlog=True))
                say(f"backlog of 50 devices, round {turn + 1}, Mosquitto alone: {alones[-1]:,.0f}/s")
        finally:
            for world in scripts.values():
                world.close()
        rows = checked(stand, (0, 17))
    return {name: middle(figures) for name, figures in found.items()} | {"alone": round(median(alones)), "rows_checked": rows}


def backlog_10000(size: Size, say: Said) -> dict[str, Any]:
    """Drain of 10,000 devices."""
    found: dict[str, list[Figure]] = {name: [] for name in clients()}
    with broker_stand(10_000) as stand:
        for client in clients():
            drain(stand, devices=10_000, count=20_000, client=client)
        for turn in range(size.rounds):
            for client in clients():
                found[client].append(drain(stand, devices=10_000, count=size.messages, client=client))
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
                alones.append(alone(stand, devices=devices, count=size.live, backlog=False))
                say(f"live, {devices} devices, round {turn + 1}: {figures[-1].per_second:,.0f}/s of {alones[-1]:,.0f}/s")
            share = median(f.per_second / a for f, a in zip(figures, alones, strict=True))
            found[str(devices)] = middle(figures) | {"alone": round(median(alones)), "share": round(share, 2)}
    return found | {"client": client}


def steady(size: Size, say: Said) -> dict[str, Any]:
    """1,000 messages a second: publish to stored, CPU, memory."""
    rounds = []
    with broker_stand(50) as stand:
        drain(stand, devices=50, count=5000, client=clients()[0])
        for turn in range(size.rounds):
            rounds.append(_steady(stand, size.seconds))
            say(f"1,000 a second, round {turn + 1}: p50 {rounds[-1]['p50_ms']:.0f} ms, p99 {rounds[-1]['p99_ms']:.0f} ms, {rounds[-1]['cpu_us']}")
    names = ("p50_ms", "p99_ms", "memory_mb")
    cpu = {name: round(median(r["cpu_us"][name] for r in rounds), 1) for name in rounds[0]["cpu_us"]}
    return {name: round(median(r[name] for r in rounds), 1) for name in names} | {
        "cpu_us": cpu,
        "rounds": [round(r["p99_ms"], 1) for r in rounds],
        "client": clients()[0],
    }


def _steady(stand: Stand, seconds: int) -> dict[str, Any]:
    times = stand.rig.folder / "times.npy"
    stand.rig.start()
    pid = stand.rig.pid
    publish(replace(stand.work.load(stand.base, devices=50, count=2000), rate=1000))  # warm
    load = stand.work.load(stand.base, devices=50, count=1000 * seconds, rate=1000, times=str(times))
    publisher = Publisher(load)
    begin = journal_end(stand.journal)
    clock = CursorClock(read=stand.cursor, every_s=0.001).start()
    pids = {"ingest": pid, **stand.servers}
    before = {name: cpu_s(of) for name, of in pids.items()}
    try:
        publisher.go()
        publisher.wait(seconds + 60)
        wait_stored(clock, stand.journal, begin=begin, at_least=150 * load.count)
        cpu = {name: 1e6 * (cpu_s(of) - before[name]) / load.count for name, of in pids.items()}
        memory = resident_mb(pid)
    finally:
        clock.stop()
        publisher.close()
    stand.rig.stop()
    waits = 1000 * latencies(positions(stand.journal, begin, load.count), np.load(times), clock.moves)
    return {"p50_ms": float(np.nanpercentile(waits, 50)), "p99_ms": float(np.nanpercentile(waits, 99)), "cpu_us": cpu, "memory_mb": memory}


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
        before = cpu_s(pid)
        try:
            publisher.go()
            publisher.wait(180)
            end = wait_stored(clock, stand.journal, begin=begin, at_least=150 * count)
            cpu = 1e6 * (cpu_s(pid) - before) / count
        finally:
            clock.stop()
            publisher.close()
        stand.rig.stop()
        if turn:  # the first meets every device once
            figures.append(Figure(per_second=speed(clock.moves, count, end), cpu_us={"ingest": cpu}, most_mb=clock.most_mb))
            say(f"{title}, round {turn}: {figures[-1].per_second:,.0f}/s, {cpu:.1f} µs")
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
        after = resident_mb(pid)
        stand.rig.stop()
    found = {"messages": size.memory_messages, "before_mb": before, "store_down_mb": waiting_mb, "most_mb": clock.most_mb, "after_mb": after, "drained_s": took}
    say(f"memory: {found}")
    return {name: round(value, 1) for name, value in found.items()}


def stages(size: Size, say: Said) -> dict[str, Any]:
    """Where the time of ingest goes, stage by stage: what bench.ingest_stages prints, for InfluxDB."""
    words = [sys.executable, "-m", "bench.ingest_stages", "--store", "lines", *(("50", "10000") if size.rounds > 1 else ("50",))]
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=True)
    say(done.stdout)
    return {"printed": done.stdout.rstrip()}


PARTS: dict[str, Part] = {
    "backlog_50": Part(about="drain of a backlog, 50 devices, both clients, both scripts, Mosquitto alone", seconds=220, run=backlog_50),
    "backlog_10000": Part(about="drain of a backlog, 10,000 devices", seconds=130, run=backlog_10000),
    "live": Part(about="live, beside Mosquitto alone", seconds=130, run=live_share),
    "steady": Part(about="1,000 messages a second", seconds=80, run=steady),
    "listener": Part(about="listener and SQLite", seconds=40, run=listener),
    "listener_full": Part(about="listener and SQLite, 20 million rows stored", seconds=90, run=listener_full),
    "stages": Part(about="where the time of ingest goes", seconds=60, run=stages),
    "memory": Part(about="memory with the store down", seconds=40, run=memory),
}

SMALL = Size(rounds=1, messages=6000, live=5000, stored_rows=200_000, memory_messages=6000, seconds=3)
