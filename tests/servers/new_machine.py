"""A machine for docs/install.md: its folders and ports are the test's, its systemd is played, its commands are real."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from servers.influxd import InfluxD
from servers.mosquitto import binary
from servers.ports import free_port
from servers.typed_page import Block, differs
from servers.units import Systemd, read_environment
from servers.waiting import until

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"(?<![\w./])/(?=(?:opt/canhman|etc|var/lib/canhman|var/backups/canhman|usr/local/bin/canhman)\b)")
PORTS = ("1883", "8883", "8000", "9100", "8086", "8088")
PROGRAMS = ("curl", "openssl", "mosquitto_pub", "influxd")
READY_S = 60.0


class NewMachine:
    """Everything lies in `folder`; `ports` are the page's by their numbers there."""

    def __init__(self, folder: Path, bytecode: Path) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            why = f"not installed: {', '.join(missing)} (Debian: apt-get install curl openssl mosquitto-clients influxdb)"
            pytest.fail(why) if os.environ.get("REQUIRE_SERVERS") == "1" else pytest.skip(why)
        self.folder = folder
        self.ports: dict[str, int] = {}
        while len(set(self.ports.values())) < len(PORTS):
            self.ports = {name: free_port() for name in PORTS}
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.group = grp.getgrgid(os.getgid()).gr_name
        self.out = ""
        for name in ("etc/systemd/system", "etc/default", "usr/local/bin", "var/backups", "var/lib", "opt/canhman/.venv/bin"):
            (folder / name).mkdir(parents=True)
        opt = folder / "opt" / "canhman"
        for program, through in (("canhman", "-m canhman "), ("python", "")):
            text = f'#!/bin/sh\nexport PYTHONPATH={ROOT} PYTHONPYCACHEPREFIX={bytecode}\nexec {sys.executable} {through}"$@"\n'
            self._write(opt / ".venv" / "bin" / program, text, 0o755)
        self.packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        for package in self.packages:
            (opt / package).symlink_to(ROOT / package)
        self._write(opt / ".venv/lib/python3/site-packages/library.py", "", 0o644)  # in place of all that is installed there
        self._write(opt / "deploy" / "backup.py", (ROOT / "deploy" / "backup.py").read_text("utf-8"), 0o644)
        for path in (ROOT / "deploy" / "systemd").iterdir():
            text = self.local(path.read_text("utf-8")).replace("user=canhman", f"user={self.user}").replace("#CANHMAN_METRICS=", "CANHMAN_METRICS=")
            self._write(opt / "deploy" / "systemd" / path.name, text, path.stat().st_mode & 0o777)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_") and k != "PYTHONDONTWRITEBYTECODE"}
        self.env = clean | {"PATH": f"{folder}/usr/local/bin:{clean['PATH']}", "NO_COLOR": "1", "COLUMNS": "200"}
        others = {"mosquitto": self._mosquitto, "influxdb": self._influxdb}
        self.systemd = Systemd(folder / "etc" / "systemd" / "system", folder / "log", self.env, others)

    @staticmethod
    def _write(path: Path, text: str, mode: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(mode)

    # ------------------------------------------------------------ from the page to here

    def local(self, text: str) -> str:
        """The page's paths, ports and accounts as they are here; nothing is open to other machines."""
        text = PLACES.sub(f"{self.folder}/", text)
        text = re.sub(r"--port (\d+)", r"--host 127.0.0.1 --port \1", text).replace("0.0.0.0", "127.0.0.1")  # noqa: S104 it is taken out
        text = re.sub(rf"(?<![\w.])({'|'.join(PORTS)})(?![\w.])", lambda m: str(self.ports[m[1]]), text)
        text = re.sub(r"(install .*?)-o \w+ -g \w+", rf"\1-o {self.user} -g {self.group}", text)
        return re.sub(r"\bchown (-R )?\w+:\w+", lambda m: f"chown {m[1] or ''}{self.user}:{self.group}", text)

    def type_in(self, block: Block, **words: str) -> str:
        """Type a block and compare its answer; what only looks is done again until it is as the page shows. `words`: what a person fills in."""
        text = block.text
        for word, value in words.items():
            text = re.sub(rf"(?<!\w){word}\b", lambda _, value=value: value, text)
        if block.kind == "sh systemd":
            for command in block.commands:
                self.systemd.run(command)
            if "restart mosquitto" in text:  # Type=notify: systemctl comes back when it listens
                until(self._broker_listens, READY_S, lambda: self.systemd.log("mosquitto"))
            return ""
        assert block.kind == "sh", block
        looks = all(re.match(r"(canhman (doctor|stations list)|curl -sS \"|openssl verify|ls )", c) for c in block.commands)
        deadline = time.monotonic() + READY_S
        while True:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", self.local(text)], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
            )
            self.out = done.stdout
            trouble = f"it ended with {done.returncode}\n{done.stdout}" if done.returncode else ""
            if not trouble and block.shows and (compared := done.stdout.splitlines()):
                shown = self.local(block.shows)
                # what came last is the answer: a certificate that is made talks before
                answer = done.stdout if block.shows_kind == "json" else "\n".join(compared[-len(shown.splitlines()) :])
                trouble = differs(block, answer, shown)
            elif block.shows and not trouble:
                trouble = "no answer"
            if not trouble and "canhman doctor" in text and (faults := [line for line in self.out.splitlines() if line.startswith(("!", "✕"))]):
                trouble = "\n".join(faults)
            if not trouble:
                return self.out
            if not looks or time.monotonic() > deadline:
                logs = "".join(f"--- {name}\n{self.systemd.log(name)[-1500:]}\n" for name in ("canhman", "canhman-ingest", "canhman-serve", "mosquitto"))
                raise AssertionError(f"{text}\n{trouble}\n{done.stderr[-3000:]}\n{logs}")
            time.sleep(0.3)

    @property
    def url(self) -> str:
        """Of pages and API."""
        return f"http://127.0.0.1:{self.ports['8000']}"

    def settings(self) -> dict[str, str]:
        """As the services have them."""
        return read_environment(self.folder / "etc" / "canhman" / "canhman.env")

    # ------------------------------------------------------------ what other packages bring

    def _mosquitto(self) -> list[str]:
        """Debian's unit with our drop-in: the last ExecStart after the empty one."""
        lines = (self.folder / "etc/systemd/system/mosquitto.service.d/canhman.conf").read_text().splitlines()
        assert lines[-2] == "ExecStart=", "a second ExecStart adds to the first, and is refused, unless an empty one clears it"
        command = lines[-1].removeprefix("ExecStart=").split()
        assert command[0] == "/usr/sbin/mosquitto"
        file = Path(command[-1])
        if os.geteuid() == 0 and "user root" not in file.read_text():
            file.write_text(file.read_text() + "user root\n")  # its own user may not enter the folders of a test
        return [binary(), *command[1:]]

    def _broker_listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports["8883"]), timeout=1).close()
        except OSError:
            return False
        return True

    def _influxdb(self) -> list[str]:
        """Debian's unit reads /etc/default/influxdb into influxd's environment, where it counts before the file."""
        server = InfluxD(self.folder / "var" / "lib" / "influxdb")
        given = read_environment(self.folder / "etc" / "default" / "influxdb")
        return ["env", *(f"{name}={value}" for name, value in given.items()), str(server._binary), "-config", str(server.folder / "influxdb.conf")]

    def close(self) -> None:
        """End every process."""
        self.systemd.close()
