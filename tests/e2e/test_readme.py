"""The README's commands, word by word, against a real ingest in the folder they are typed in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers.installation import ListenerSqlite
from servers.waiting import until

pytestmark = pytest.mark.servers
README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def block(heading: str, number: int) -> str:
    """A shell block of the section under `heading`."""
    section = README.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[number]


def type_in(rig: ListenerSqlite, text: str, folder: Path) -> str:
    """Type a block into a shell; every command must succeed. The address is the rig's, the program the one under test."""
    port = rig.env["CANHMAN_BROKER"].rpartition(":")[2]
    script = text.replace(".venv/bin/canhman", f"{sys.executable} -m canhman").replace("-p 1883", f"-p {port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **rig.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_two_minutes(listener_sqlite: ListenerSqlite, tmp_path: Path) -> None:
    """A first reading, its station, the mosquitto_pub line, a simulated week, then devices, swaps and stations."""
    rig = listener_sqlite
    assert "canhman ingest" in block("A reading in two minutes", 0)
    rig.start()
    shown = type_in(rig, block("A reading in two minutes", 1), tmp_path)
    assert "acknowledged" in shown
    rig.settle()
    assert "water.salinity" in type_in(rig, ".venv/bin/canhman stations show kl01", tmp_path)

    key = rig.json("orgs", "join-key", "default")["key"]
    type_in(rig, block("A reading in two minutes", 2).replace("KEY", key), tmp_path)
    rig.settle()
    assert len([r for r in rig.rows() if r.station == "kl01" and r.quantity == "water.ec"]) == 2

    assert "8064 of 8064" in type_in(rig, block("A reading in two minutes", 3), tmp_path)
    rig.settle()
    until(lambda: len({r.station for r in rig.rows()}) == 13, 30, lambda: "twelve stations and kl01")

    listed = type_in(rig, block("Devices, stations, swaps", 0), tmp_path)
    assert "Rạch Mới" in listed
    places = {(d["id"], tuple(d["places"])) for d in rig.json("devices", "list")["devices"] if d["id"] in ("kl03", "kl04")}
    assert places == {("kl03", ()), ("kl04", ("rach-moi/main",))}
