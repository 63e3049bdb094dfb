"""The shipped systemd units, read strictly, and played on a machine without systemd: their own lines start, reload and stop the processes."""

from __future__ import annotations

import ctypes
import errno
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEYS = {
    "Unit": "Description Documentation Wants After PartOf Conflicts StartLimitIntervalSec",
    "Service": "Type User Group Environment EnvironmentFile ExecStart ExecReload KillSignal TimeoutStopSec Restart RestartSec RestartForceExitStatus "
    "WorkingDirectory StateDirectory "
    "StateDirectoryMode UMask LimitNOFILE Nice IOSchedulingClass ProtectSystem ReadWritePaths ProtectHome PrivateTmp PrivateDevices NoNewPrivileges "
    "CapabilityBoundingSet RestrictSUIDSGID RestrictNamespaces RestrictRealtime RestrictAddressFamilies LockPersonality MemoryDenyWriteExecute ProtectClock "
    "ProtectHostname ProtectControlGroups ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc SystemCallArchitectures SystemCallFilter "
    "SystemCallErrorNumber",
    "Timer": "OnCalendar RandomizedDelaySec Persistent",
    "Install": "WantedBy",
}
KNOWN = {section: frozenset(names.split()) for section, names in KEYS.items()}
REPEATED = frozenset({"EnvironmentFile", "ExecStart"})  # an empty ExecStart= in a drop-in clears the one before it
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE = 38, 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit file: (section, key) → its values in order."""

    name: str
    values: Mapping[tuple[str, str], list[str]] = field(default_factory=dict)

    def one(self, section: str, key: str, default: str = "") -> str:
        """The last value."""
        return self.values.get((section, key), [default])[-1]

    def all(self, section: str, key: str) -> list[str]:
        """Words of a list such as After=."""
        return [word for value in self.values.get((section, key), []) for word in value.split()]

    def keys(self, section: str) -> dict[str, list[str]]:
        """Everything of a section."""
        return {key: values for (where, key), values in self.values.items() if where == section}


def read_unit(path: Path) -> Unit:
    """Raises ValueError for anything that is not a plain line we know: systemd itself only warns, and goes on without it."""
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        where = f"{path.name}:{number}: {line!r}"
        if not line or line.startswith("#"):
            continue
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = head[1]
            if section not in KNOWN:
                raise ValueError(f"{where}: no such section")
            continue
        key, equals, value = line.partition("=")
        if not equals or key not in KNOWN.get(section, ()):
            raise ValueError(f"{where}: no such key in [{section}]")
        if value != value.strip() or value.endswith("\\") or " #" in value:
            raise ValueError(f"{where}: a space too many, a comment after a value, or a line that goes on")
        if (section, key) in found and key not in REPEATED:
            raise ValueError(f"{where}: given twice")
        found.setdefault((section, key), []).append(value)
    return Unit(name=path.name, values=found)


def read_environment(path: Path) -> dict[str, str]:
    """An EnvironmentFile as systemd reads it, as far as our own use goes: NAME=value or NAME="value". Raises ValueError for more."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line.startswith(("#", ";")):
            continue
        match = re.fullmatch(r'([A-Z_][A-Z0-9_]*)=("[^"\\$`]*"|[\w:./-]*)', line)
        if match is None:
            raise ValueError(f"{path}:{number}: {line!r} may mean something else to a shell than to systemd")
        found[match[1]] = match[2].strip('"')
    return found


def words(line: str, environment: Mapping[str, str]) -> list[str]:
    """An Exec line as systemd splits it: `$NAME` as a word of its own becomes no word or several."""
    found: list[str] = []
    for word in shlex.split(line):
        found += environment.get(word[1:], "").split() if re.fullmatch(r"\$\w+", word) else [word]
    return found


def harden(unit: Unit) -> Callable[[], None]:
    """For a child: what of the unit's hardening a process can put on itself. A kernel that is too old for one is no failure."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = [
        number for key, number in (("NoNewPrivileges", _PR_SET_NO_NEW_PRIVS), ("MemoryDenyWriteExecute", _PR_SET_MDWE)) if unit.one("Service", key) == "yes"
    ]

    def child() -> None:
        for number in wanted:
            if libc.prctl(number, 1, 0, 0, 0) != 0 and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
                raise OSError(ctypes.get_errno(), f"prctl {number}")

    return child


class Systemd:
    """`systemctl` for the units in `folder`: daemon-reload, enable --now, start, stop, restart, reload. `others` are units of other packages."""

    def __init__(self, folder: Path, logs: Path, base: Mapping[str, str], others: Mapping[str, Callable[[], list[str]]] | None = None) -> None:
        self.folder = folder
        self.logs = logs
        self._base = dict(base)
        self._others = dict(others or {})  # name → makes ready and gives the command line
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stopped: dict[str, int] = {}  # name → exit code of its last stop
        logs.mkdir(exist_ok=True)

    def run(self, line: str) -> None:
        """One line that begins with systemctl."""
        match line.split():
            case ["systemctl", "daemon-reload"]:
                for path in [*self.folder.glob("*.service"), *self.folder.glob("*.target"), *self.folder.glob("*.timer")]:
                    read_unit(path)
            case ["systemctl", "enable", "--now", *names] if names:
                for name in names:
                    assert self.unit(name).one("Install", "WantedBy"), f"{name} cannot be enabled"
                    self.start(name)
            case ["systemctl", ("start" | "stop" | "restart" | "reload") as verb, *names] if names:
                for name in names:
                    getattr(self, verb)(name)
            case _:
                raise AssertionError(f"not played here: {line}")

    def unit(self, name: str) -> Unit:
        """The installed unit; a name without a kind is a service."""
        full = name if name.endswith((".service", ".target", ".timer")) else f"{name}.service"
        return read_unit(self.folder / full)

    def log(self, name: str) -> str:
        """What it wrote so far."""
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def pid(self, name: str) -> int:
        """Of a running service."""
        return self._processes[name].pid

    @property
    def dead(self) -> dict[str, int]:
        """Services that ended by themselves, with their exit codes."""
        return {name: p.returncode for name, p in self._processes.items() if p.poll() is not None}

    def start(self, name: str) -> None:
        """As the unit says; a oneshot is awaited and must succeed. A running one stays as it is."""
        name = name.removesuffix(".service")
        if name in self._processes:
            return
        if name in self._others:
            self._launch(name, self._others[name](), self._base, None, None, -1)
            return
        unit = self.unit(name)
        if name.endswith(".timer"):
            assert self.unit(name.removesuffix(".timer")).one("Service", "Type") == "oneshot"
            return
        if name.endswith(".target"):
            for member in unit.all("Unit", "Wants"):
                self.start(member)
            return
        for other in unit.all("Unit", "Conflicts"):
            self.stop(other)
        given = dict(self._base)
        for file in unit.all("Service", "EnvironmentFile"):
            path = Path(file.removeprefix("-"))
            if path.exists() or not file.startswith("-"):
                given |= read_environment(path)
        command = words(unit.one("Service", "ExecStart"), given)
        self._launch(name, command, given, Path(unit.one("Service", "WorkingDirectory")), harden(unit), int(unit.one("Service", "UMask", "0022"), 8))
        if unit.one("Service", "Type") == "oneshot":
            assert self._processes.pop(name).wait(120) == 0, self.log(name)

    def _launch(self, name: str, command: list[str], env: Mapping[str, str], cwd: Path | None, child: Callable[[], None] | None, umask: int) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, env=dict(env), cwd=cwd, stdout=log, stderr=log, preexec_fn=child, umask=umask)

    def stop(self, name: str) -> None:
        """With the unit's signal, within the unit's time; a target stops what is part of it."""
        name = name.removesuffix(".service")
        if name.endswith(".target"):
            for member in [n for n in self._processes if n not in self._others and name in self.unit(n).all("Unit", "PartOf")]:
                self.stop(member)
            return
        process = self._processes.pop(name, None)
        if process is None:
            return
        theirs = name in self._others
        process.send_signal(signal.SIGTERM if theirs else signal.Signals[self.unit(name).one("Service", "KillSignal", "SIGTERM")])
        try:
            self.stopped[name] = process.wait(30 if theirs else float(self.unit(name).one("Service", "TimeoutStopSec", "90")))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def restart(self, name: str) -> None:
        """Stop and start."""
        self.stop(name)
        self.start(name)

    def reload(self, name: str) -> None:
        """By the unit's ExecReload. What other packages run takes SIGHUP."""
        process = self._processes[name]
        line = "/bin/kill -HUP $MAINPID" if name in self._others else self.unit(name).one("Service", "ExecReload")
        subprocess.run([word.replace("$MAINPID", str(process.pid)) for word in shlex.split(line)], check=True)

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + 30
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
