"""The README, typed in word by word: a clone of this checkout's last commit, `make demo` in a terminal, a real sensor, an installation of one's own.

The clone installs from the package index as anybody's does. Where no index can be reached these tests are skipped, with
REQUIRE_SERVERS=1 they fail. Ports are free ones given in the environment; nothing else differs from what README says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.papers import ROOT, block
from servers.ports import free_port
from servers.terminal import CTRL_C, Terminal
from servers.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.sockets]
ALL_MUST_BE_HERE = os.environ.get("REQUIRE_SERVERS") == "1"
NO_INDEX = "is the package index reachable?"  # what deploy/install.sh ends with
# of the make, the checkout and the machine that this test runs in, and of nobody who begins
OURS = ("CANHMAN_", "MAKE", "MFLAGS", "ARGS", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "NO_COLOR")


class Clone:
    """The folder, an environment with free ports, and what can be asked of the pages that run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.broker = free_port(), free_port()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        self.env |= {"CANHMAN_LISTEN": f"127.0.0.1:{self.port}", "CANHMAN_BROKER": f"embedded://127.0.0.1:{self.broker}"}
        self.env["CANHMAN_METRICS"] = f"127.0.0.1:{free_port()}"

    def open(self, text: str) -> Terminal:
        """A terminal in which a block is typed; it goes on running."""
        return Terminal(["bash", "-euo", "pipefail", "-c", text], folder=self.folder, env=self.env)

    def type_in(self, text: str) -> str:
        """Type a block into another terminal, which is told of our port where README names the usual one; every command must succeed."""
        text = text.replace("-p 1883", f"-p {self.broker}").replace("127.0.0.1:1883", f"127.0.0.1:{self.broker}")
        words = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def page(self, path: str) -> str:
        """What the pages' address answers."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10).raise_for_status().text

    def get(self, path: str) -> Any:
        """JSON of the API."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10).raise_for_status().json()

    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """Of every public station, by name."""
        return {s["name"]: s["risk"] for s in self.get("/api/v1/stations")["items"]}

    def is_ready(self) -> bool:
        """Whether every service answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).is_success
        except httpx.TransportError:
            return False

    def values(self, station: str) -> int:
        """How many values of conductivity it has."""
        known = {s["id"] for s in self.get("/api/v1/stations")["items"]}
        return len(self.get(f"/api/v1/stations/{station}/series?quantity=water.ec")["values"]) if station in known else 0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone, with nothing in it but what is committed."""
    folder = tmp_path_factory.mktemp("clone") / "canhman"
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # a checkout may belong to another user than its tests
    anybodys = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    done = subprocess.run(["git", "clone", "--quiet", ROOT, folder], env=os.environ | anybodys, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not (folder / ".venv").exists()
    return Clone(folder)


@pytest.fixture
def demo(clone: Clone) -> Iterator[Terminal]:
    """`make demo` in a terminal, typed into the bare clone as README has it."""
    terminal = clone.open(block("README.md", ""))
    try:
        try:
            terminal.wait_for("ready after", 300)
        except AssertionError:
            if NO_INDEX in terminal.shown and not ALL_MUST_BE_HERE:
                pytest.skip("no package index can be reached, so nothing can be installed into a clean clone")
            raise
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def installed(clone: Clone) -> Clone:
    """The clone after its installation, for tests that run without the demo's."""
    done = subprocess.run(["make", "install"], cwd=clone.folder, env=clone.env, capture_output=True, text=True, timeout=300, check=False)
    if NO_INDEX in done.stderr and not ALL_MUST_BE_HERE:
        pytest.skip("no package index can be reached, so nothing can be installed into a clean clone")
    assert done.returncode == 0, done.stdout + done.stderr
    return clone


def named(verdict: str, clone: Clone) -> set[str]:
    """The stations README names in the row of a verdict."""
    [row] = re.findall(rf"^\| {verdict} \| (.*) \|$", (clone.folder / "README.md").read_text("utf-8"), re.MULTILINE)
    return {name.strip() for name in row.partition(":")[0].split(",")}


def plain(command: str) -> str:
    """A command in one line, without port and key."""
    return re.sub(r"-P \S+", "-P KEY", re.sub(r"(-p |127\.0\.0\.1:)\d+", r"\1PORT", " ".join(command.replace("\\\n", " ").split())))


def test_the_demo_and_a_real_sensor(clone: Clone, demo: Terminal) -> None:
    """Verdicts are as README says; the sensor's blocks are what the demo prints, each brings a value to page and API; `q` ends it, and it goes on."""
    _while_read(demo, lambda: named("take", clone) <= _with("take", clone), lambda: f"{clone.verdicts()}")
    assert named("stop", clone) <= _with("stop", clone)
    assert named("unknown", clone) == _with("unknown", clone)
    demo.wait_for("q quits", 30)
    page, stations = clone.page("/"), clone.verdicts()
    assert len(stations) == 12
    for name in stations:
        assert name in page
        assert name in demo.shown

    lines = [line.strip() for line in demo.shown.splitlines()]
    [first] = [line for line in lines if line.startswith("mosquitto_pub")]
    [second] = [line for line in lines if " publish vuon-toi" in line]
    from_a_shell, from_ours = block("README.md", "A real sensor in five minutes", 0), block("README.md", "A real sensor in five minutes", 1)
    assert plain(from_a_shell) == plain(first)
    assert plain(from_ours).removeprefix("export ") == plain(second)
    assert f"-p {clone.broker} " in first
    key = re.findall(r"-P (\S+)", first)[0]

    sent = 0
    if shutil.which("mosquitto_pub") or ALL_MUST_BE_HERE:
        clone.type_in(from_a_shell.replace("KEY", key))
        sent += 1
        _while_read(demo, lambda: clone.values("vuon-toi") == 1, lambda: demo.shown[-2000:])
    clone.type_in(from_ours)
    sent += 1
    _while_read(demo, lambda: clone.values("vuon-toi") == sent, lambda: demo.shown[-2000:])
    assert "vuon-toi" in clone.page("/")
    demo.press(b"q")
    assert demo.ended() == 0, demo.shown[-2000:]

    again = clone.open(block("README.md", ""))
    try:
        again.wait_for("q quits", 90)
        assert "going on where it stopped" in again.shown
        assert "installing" not in again.shown
        assert clone.values("vuon-toi") == sent
        again.press(CTRL_C)
        again.ended()
        assert "Traceback" not in again.shown
        assert again.shown.rstrip().endswith("\x1b[?25h"), "the terminal is given back"
    finally:
        again.close()


def test_an_installation_of_ones_own(installed: Clone) -> None:
    """Two terminals: a first reading and its station; then a simulated week, devices, a swap, stations from a file."""
    clone = installed
    up = clone.open(block("README.md", "Your own installation", 0))
    try:
        _while_read(up, clone.is_ready, lambda: up.shown[-2000:])
        shown = clone.type_in(block("README.md", "Your own installation", 1))
        assert "acknowledged" in shown
        show = block("README.md", "Your own installation", 1).splitlines()[-1]
        until(lambda: "water.salinity" in clone.type_in(show), 10, lambda: f"acknowledged, and stored soon after:\n{shown}\n{up.shown[-2000:]}")
        assert "kl01" in clone.page("/")

        assert "8064 of 8064" in clone.type_in(block("docs/running.md", "Simulated and recorded data"))
        _while_read(up, lambda: len(clone.verdicts()) == 13, lambda: "twelve stations and kl01")
        assert "Rạch Mới" in clone.type_in(block("docs/running.md", "Devices, stations, swaps"))
        listed = json.loads(clone.type_in(".venv/bin/canhman devices list --json"))["devices"]
        assert {(d["id"], tuple(d["places"])) for d in listed if d["id"] in ("kl03", "kl04")} == {("kl03", ()), ("kl04", ("rach-moi/main",))}
        up.press(CTRL_C)
        assert up.ended() == 0, up.shown[-2000:]
    finally:
        up.close()


def _with(verdict: str, clone: Clone) -> set[str]:
    return {name for name, risk in clone.verdicts().items() if risk["verdict"] == verdict}


def _while_read(terminal: Terminal, condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Until `condition`, while the terminal is read: a screen nobody takes in would hold up what runs in it."""

    def met() -> bool:
        terminal.read(0.05)
        return condition()

    until(met, 60, what)
