"""`canhman demo` as a real process on a folder of its own: started, killed and started again at will, on free ports."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from servers import processes
from servers.ports import free_port

from canhman import device_log
from canhman.demo_network import demo_network
from canhman.settings import Settings
from firmware_sim.sampling import samples

ROOT = Path(__file__).parents[2]


class Demo:
    """One folder; `start`, `kill`, `interrupt` are about its process. What it printed is in `out`, over all its lives in `printed`."""

    def __init__(self, folder: Path, *options: str, port: int = 0, bytecode: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "demo"
        self.port = port or free_port()
        self.options = options
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_") and k != "PYTHONDONTWRITEBYTECODE"}
        self.env = clean | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self.env |= {"CANHMAN_BROKER": f"embedded://127.0.0.1:{free_port()}", "CANHMAN_METRICS": f"127.0.0.1:{free_port()}"}
        if bytecode is not None:
            self.env["PYTHONPYCACHEPREFIX"] = str(bytecode)
        self._lives = 0
        self.process: processes.Process | None = None

    @property
    def words(self) -> list[str]:
        """The command."""
        return [sys.executable, "-m", "canhman", "demo", "--data", str(self.data), "--port", str(self.port), *self.options]

    @property
    def url(self) -> str:
        """Of pages and API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def out(self) -> str:
        """The whole lines this life of it printed so far: one that is still being written is not among them."""
        path = self.folder / f"out-{self._lives}"
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        return text[: text.rfind("\n") + 1]

    @property
    def log(self) -> str:
        """Its log file."""
        return "".join(p.read_text("utf-8", errors="replace") for p in sorted(self.data.glob("demo.log*"), reverse=True))

    def start(self) -> None:
        """Start it; returns at once."""
        assert self.process is None, "already running"
        self._lives += 1
        with (self.folder / f"out-{self._lives}").open("wb") as out:
            self.process = processes.start(self.words[1:], env=self.env, cwd=self.folder, out=out)

    def wait_for(self, words: str, seconds: float) -> float:
        """Until it has printed `words`; how long that took [s]."""
        assert self.process is not None
        begun = time.monotonic()
        while words not in self.out:
            assert self.process.poll() is None, f"the demo ended:\n{self.out[-3000:]}\n{self.log[-3000:]}"
            assert time.monotonic() - begun < seconds, f"no {words!r} within {seconds:.0f} s:\n{self.out[-3000:]}\n{self.log[-3000:]}"
            time.sleep(0.1)
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def interrupt(self, seconds: float = 10.0) -> tuple[int, float]:
        """Ctrl-C; (exit code, how long it took [s])."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(seconds)
        self.process = None
        return code, time.monotonic() - begun

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.kill()

    # ------------------------------------------------------------ what it shows

    def get(self, path: str, seconds: float = 10.0) -> Any:
        """JSON of the API."""
        return json.loads(self.text(path, seconds))

    def text(self, path: str, seconds: float = 10.0) -> str:
        """A page."""
        return httpx.get(self.url + path, timeout=seconds).raise_for_status().text

    # ------------------------------------------------------------ what it keeps

    def acknowledged(self) -> int:
        """How many objects its devices had acknowledged, as they remember it."""
        log = device_log.load(self.data / "devices.json")
        return 0 if log is None else log.objects(demo_network(Settings()))

    def differences(self) -> list[str]:
        """What the devices had acknowledged against what stands in the store, device by device; empty where all is there exactly once.

        Of a device with a clock the times must be the same ones; of one without, whose times are those of arrival, the number.
        """
        network, log = demo_network(Settings()), device_log.load(self.data / "devices.json")
        assert log is not None
        found = []
        sql = "SELECT time FROM reading JOIN series ON series.id = reading.series WHERE sensor = ? AND quantity = 'device.battery' ORDER BY time"
        with closing(sqlite3.connect(f"file:{self.data / 'series.db'}?mode=ro", uri=True, timeout=30)) as db:
            for device in network.devices:
                sent = [s.time_ms for s in samples(network, device, log.since, log.taken.get(device.id, log.since))]
                stored = [time for (time,) in db.execute(sql, (device.id,))]
                if len(sent) != len(stored) or (device.firmware.has_clock and sent != stored):
                    lost, more = len(set(sent) - set(stored)), len(set(stored) - set(sent))
                    found.append(f"{device.id}: {len(sent)} acknowledged, {len(stored)} stored ({lost} missing, {more} unknown)")
        return found

    def dead_letters(self) -> list[tuple[Any, ...]]:
        """(reason, device, text) of every dead letter."""
        with closing(sqlite3.connect(f"file:{self.data / 'registry.db'}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute("SELECT reason, device, text FROM dead_letter").fetchall()

    def faults(self) -> list[str]:
        """Lines of its log that tell of a fault."""
        return [line for line in self.log.splitlines() if "[error" in line or "[ERROR" in line or line.startswith("Traceback")]
