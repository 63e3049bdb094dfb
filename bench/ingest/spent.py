"""What the processes of a measurement had spent at a moment, by /proc: each process, each thread of ingest by its name, the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from canhman.measuring import cpu_s

_TICKS = os.sysconf("SC_CLK_TCK")
MAIN, OTHERS = "main", "others"
NAMED = ("worker", "InfluxStore")  # `adapters.threads`; the rest of ingest's threads are Python's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """CPU seconds so far: by process, by thread of ingest, of all cores together whoever used them."""

    processes: Mapping[str, float] = field(default_factory=dict)
    threads: Mapping[str, float] = field(default_factory=dict)
    machine: float = 0.0


def look(pids: Mapping[str, int]) -> Look:
    """Now. `ingest` among them is looked at by its threads too."""
    threads = threads_s(pids["ingest"]) if "ingest" in pids else {}
    return Look(processes={name: cpu_s(pid) for name, pid in pids.items()}, threads=threads, machine=machine_s())


def threads_s(pid: int) -> dict[str, float]:
    """CPU seconds by thread: the main one, those of a name of ours, the others together."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").glob("[0-9]*"):
        with suppress(OSError):  # it may just have ended
            name, _, rest = (task / "stat").read_text().partition(" (")[2].rpartition(") ")
            kind = MAIN if task.name == str(pid) else name if name in NAMED else OTHERS
            words = rest.split()
            found[kind] = found.get(kind, 0.0) + (int(words[11]) + int(words[12])) / _TICKS
    return found


def machine_s() -> float:
    """CPU seconds of all cores together that were not idle; 0 where there is no /proc."""
    with suppress(OSError):
        user, nice, system, _idle, _waits, irq, soft, *_ = (int(word) for word in Path("/proc/stat").read_text().split(None, 9)[1:9])
        return (user + nice + system + irq + soft) / _TICKS
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU µs a message between two looks; `others`: of the machine, by whatever is none of the processes."""

    cpu_us: dict[str, float]
    threads_us: dict[str, float]
    others_us: float


def spent(before: Look, after: Look, count: int) -> Spent:
    """For `count` messages."""

    def difference(then: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
        return {name: 1e6 * max(0.0, value - then.get(name, 0.0)) / count for name, value in now.items()}

    cpu = difference(before.processes, after.processes)
    others = 1e6 * (after.machine - before.machine) / count - sum(cpu.values())
    return Spent(cpu_us=cpu, threads_us=difference(before.threads, after.threads), others_us=max(0.0, others))


def memory_mb(pid: int) -> dict[str, float]:
    """Memory in RAM by kind [MiB]: `anon` is what the process made itself, `file` its programs and libraries."""
    found = {}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            for name, kind in (("RssAnon", "anon"), ("RssFile", "file")):
                if line.startswith(name):
                    found[kind] = int(line.split()[1]) / 1024
    return found
