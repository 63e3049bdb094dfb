"""How a real sensor joins the demo: what to type, on the screen and in a file."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from canhman.demo_network import ORG
from canhman.settings import Settings

SENSOR = "sensor.txt"  # how a real sensor publishes, for when the screen no longer shows it


def sensor_lines(settings: Settings, user: str, key: str) -> list[str]:
    """How a real sensor publishes here with the join key: with mosquitto_pub, and the same without it."""
    port = settings.broker_address.port
    body = """'{"age_s": 0, "boot": '$(date +%s)', "seq": '$(date +%s)', "readings": {"water.ec": 0.62, "water.temperature": 28.4}}'"""
    first = f"mosquitto_pub -h 127.0.0.1 -p {port} -u {user} -P {key} -q 1 -t canhman/{ORG}/vuon-toi/telemetry -m {body}"
    where = f"CANHMAN_DATA={shlex.quote(str(settings.data))} CANHMAN_BROKER=embedded://127.0.0.1:{port} CANHMAN_ENROL=open CANHMAN_CLOCK=sim"
    program = ".venv/bin/canhman" if Path(".venv/bin/canhman").exists() else "canhman"
    return [first, "or, where mosquitto-clients is missing:", f"{where} {program} publish vuon-toi water.ec=0.62 water.temperature=28.4"]


def keep(path: Path, lines: list[str]) -> None:
    """Write them down, readable by their owner alone: they hold the join key. A folder that takes no file costs only this."""
    with contextlib.suppress(OSError):
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n", "utf-8")
