"""The machine and the versions a table was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from servers.mosquitto import binary


def machine() -> dict[str, str]:
    """What stands under a table of figures."""
    return {
        "Processor": f"{os.cpu_count()} cores of {_first('/proc/cpuinfo', 'model name')}",
        "Memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "System": f"{_system()}, Linux {platform.release()}, {platform.python_implementation()} {platform.python_version()}",
        "Mosquitto": _said([binary(), "-h"]).removeprefix("mosquitto version "),
        "InfluxDB": _said(["influxd", "version"]).removeprefix("InfluxDB v").partition(" ")[0],
        "Libraries": ", ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "influxdb-client", "numpy")),
        "Canh Mặn": version("canhman"),
    }


def _first(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "0")


def _system() -> str:
    found = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    return found.get("PRETTY_NAME", "Linux").strip('"')


def _said(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
