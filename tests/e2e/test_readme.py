"""The README's commands, word by word, against a real demo and a real installation in the folder they are typed in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from servers.demo import Demo
from servers.installation import ListenerSqlite
from servers.services import running
from servers.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.sockets]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def section(heading: str) -> str:
    """The text under `heading`."""
    return README.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]


def block(heading: str, number: int) -> str:
    """A shell block of the section under `heading`."""
    return re.findall(r"```sh\n(.*?)```", section(heading), re.DOTALL)[number]


def type_in(text: str, folder: Path, env: Mapping[str, str], port: int) -> str:
    """Type a block into a shell; every command must succeed. The address is ours, the program the one under test."""
    script = text.replace(".venv/bin/canhman", f"{sys.executable} -m canhman").replace("-p 1883", f"-p {port}").replace("127.0.0.1:1883", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_demo_is_the_first_command() -> None:
    """Before any other, and the Makefile has it."""
    assert re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[0] == "make demo\n"
    assert re.search(r"^demo:.*\n\t@deploy/install.sh\n\t@\.venv/bin/canhman demo \$\(ARGS\)", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_a_real_sensor_in_five_minutes(tmp_path: Path, bytecode: Path) -> None:
    """Both lines of the README beside a running demo: the station shows, as without enough data to forecast."""
    demo = Demo(tmp_path, "--history", "4", "--speed", "10", bytecode=bytecode)
    demo.data = tmp_path / "data" / "demo"  # where it is without --data
    try:
        demo.start()
        demo.wait_for("\nready after", 90)
        port = int(re.findall(r"listening for devices on 127.0.0.1:(\d+)", demo.out)[0])
        key = re.findall(r"-P (\S+)", demo.out)[0]
        type_in(block("A real sensor in five minutes", 0).replace("KEY", key), tmp_path, demo.env, port)

        def values() -> int:
            found = {s["id"] for s in demo.get("/api/v1/stations")["items"]}
            return len(demo.get("/api/v1/stations/vuon-toi/series?quantity=water.ec")["values"]) if "vuon-toi" in found else 0

        until(lambda: values() == 1, 10, lambda: demo.log[-2000:], every=0.1)
        until(lambda: "Chưa đủ số để báo trước" in demo.text("/stations/vuon-toi"), 10, "judged, and without a forecast", every=0.1)
        assert "acknowledged" in type_in(block("A real sensor in five minutes", 1), tmp_path, demo.env, port)
        until(lambda: values() == 2, 10, lambda: demo.log[-2000:], every=0.1)
        assert demo.interrupt()[0] == 0
    finally:
        demo.close()


def test_your_own_installation(listener_sqlite: ListenerSqlite, tmp_path: Path) -> None:
    """A first reading, its station, a simulated week, then devices, swaps and stations."""
    rig = listener_sqlite
    port = int(rig.env["CANHMAN_BROKER"].rpartition(":")[2])
    assert "canhman up" in block("Your own installation", 0)
    with running(rig, together=True, env={"CANHMAN_ENROL_PUBLIC": "1"}) as app:
        shown = type_in(block("Your own installation", 1), tmp_path, rig.env, port)
        assert "acknowledged" in shown
        rig.settle()
        assert "water.salinity" in type_in(".venv/bin/canhman stations show kl01", tmp_path, rig.env, port)
        assert "kl01" in app.page("/")

        assert "8064 of 8064" in type_in(block("Your own installation", 2), tmp_path, rig.env, port)
        rig.settle()
        until(lambda: len({r.station for r in rig.rows()}) == 13, 30, lambda: "twelve stations and kl01")

        listed = type_in(block("Devices, stations, swaps", 0), tmp_path, rig.env, port)
        assert "Rạch Mới" in listed
        places = {(d["id"], tuple(d["places"])) for d in rig.json("devices", "list")["devices"] if d["id"] in ("kl03", "kl04")}
        assert places == {("kl03", ()), ("kl04", ("rach-moi/main",))}
