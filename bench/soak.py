"""The demo for a long time: memory, errors in its log, and every object stored exactly once, over a `kill -9` too.

    python bench/soak.py [MINUTES] [--speed 600] [--folder FOLDER]

A line a minute; in the end the figures as JSON, and exit code 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.demo import Demo

EVERY_S = 10.0
ROOM = 1.10  # so many times the memory of its second third the last third may have
AFTER_S = 30.0  # how long it goes on after the kill


def figures(pid: int) -> tuple[float, int, float]:
    """(resident MB, threads, CPU seconds so far)."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), (int(ticks[11]) + int(ticks[12])) / 100


def soak(demo: Demo, minutes: float) -> dict[str, object]:
    """Run it; everything that was measured."""
    demo.start()
    ready_s = demo.wait_for("\nready after", 300)
    assert demo.process is not None
    begun, said, memory = time.monotonic(), 0.0, []
    slowest = 0.0
    while (passed := time.monotonic() - begun) < 60 * minutes:
        assert demo.process.poll() is None, demo.out[-3000:]
        asked = time.monotonic()
        demo.get("/api/v1/stations", 30)
        demo.text("/", 30)
        slowest = max(slowest, time.monotonic() - asked)
        megabytes, threads, cpu = figures(demo.process.pid)
        memory.append(megabytes)
        if passed >= said:
            said += 60
            print(f"{passed / 60:5.0f} min  {megabytes:6.1f} MB  {threads} threads  cpu {cpu:6.1f} s  {demo.acknowledged()} objects", flush=True)
        time.sleep(EVERY_S)
    third = max(1, len(memory) // 3)
    demo.kill()
    at_kill = demo.acknowledged()
    demo.start()
    again_s = demo.wait_for("\nready after", 120)
    time.sleep(AFTER_S)
    code, stop_s = demo.interrupt(30)
    return {
        "minutes": minutes,
        "ready_s": round(ready_s, 1),
        "again_s": round(again_s, 1),
        "stop_s": round(stop_s, 1),
        "exit": code,
        "memory_mb": {
            "first": round(memory[0]),
            "second_third": round(statistics.median(memory[third : 2 * third] or memory)),
            "last_third": round(statistics.median(memory[-third:])),
            "most": round(max(memory)),
        },
        "slowest_api_and_page_s": round(slowest, 2),
        "objects_at_the_kill": at_kill,
        "objects": demo.acknowledged(),
        "differences": demo.differences(),
        "dead_letters": len(demo.dead_letters()),
        "faults_in_the_log": demo.faults(),
        "disk_mb": round(sum(p.stat().st_size for p in demo.data.rglob("*") if p.is_file()) / 2**20),
    }


def wrong(found: dict[str, object]) -> list[str]:
    """What is not as it must be."""
    memory = found["memory_mb"]
    assert isinstance(memory, dict)
    return [
        *(["not every object is stored exactly once"] if found["differences"] else []),
        *(["the log tells of faults"] if found["faults_in_the_log"] else []),
        *(["there are dead letters"] if found["dead_letters"] else []),
        *(["memory grows"] if memory["last_third"] > ROOM * memory["second_third"] else []),
        *(["Ctrl-C did not end it with 0"] if found["exit"] else []),
    ]


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=60.0)
    parser.add_argument("--speed", default="600")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="canhman-soak-") as temporary:
        demo = Demo(given.folder or Path(temporary), "--speed", given.speed)
        try:
            found = soak(demo, given.minutes)
        finally:
            demo.close()
    found["wrong"] = wrong(found)
    print(json.dumps(found, ensure_ascii=False, indent=2))
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
