"""A Python that has loaded all of Canh Mặn and forks itself at each request: `canhman` starts in a tenth of the time.

A child is what `python WORDS…` is: a process of its own with the environment, folder and files it was given, and nothing run
before it but imports (which read and open nothing: tests/test_packages.py). `servers.processes` is its other end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 18
LOADED = (
    *("alembic.command", "argon2", "fastapi", "gsw", "httpx", "influxdb_client", "jinja2", "numpy", "paho.mqtt.client", "rich.progress", "rich.table"),
    *("sqlalchemy", "structlog", "typer", "uvicorn", "uvicorn.protocols.http.h11_impl", "uvicorn.loops.asyncio"),
    *("adapters.influx", "adapters.sql", "adapters.sqlite_store", "api.app", "canhman.alerting", "canhman.listener_tls"),
    *(
        "adapters.mqtt_look",
        "adapters.mqtt_publisher",
        "canhman.device_facts",
        "ingest.redecode",
        "canhman.services",
        "canhman.serving",
        "canhman.speaking",
        "canhman.wiring",
    ),
)
LATER = "canhman.terminal"  # looks at the environment and at the files it writes to when it is loaded


def serve(control: socket.socket) -> list[str]:
    """Fork at each request until the other end is closed. Comes back in each child, with its words; in the server it does not."""
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    reports: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(1024)
        while reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            report = reports.pop(pid)
            with report, contextlib.suppress(OSError):  # whoever asked may have gone
                report.send(str(os.waitstatus_to_exitcode(status)).encode())
        if control in ready:
            asked, fds, _, _ = socket.recv_fds(control, MOST_BYTES, 4)
            if not asked:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for mine in (control, woken, wake, *reports.values()):
                    mine.detach()  # else its end closes what has the same number then
                return become(json.loads(asked), fds)
            report = reports[pid] = socket.socket(fileno=fds.pop())
            for fd in fds:
                os.close(fd)
            with contextlib.suppress(OSError):
                report.send(str(pid).encode())


def become(asked: dict[str, Any], fds: list[int]) -> list[str]:
    """The files, folder and environment that were asked for, and nothing of the server's."""
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
    os.closerange(3, 1 + max(int(fd.name) for fd in Path("/proc/self/fd").iterdir()))
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    return [str(word) for word in asked["words"]]


def main() -> None:
    """In a child: run its words as `python` does."""
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path.pop(0)  # the folder of this file, which no command has
    for name in LOADED:
        importlib.import_module(name)
    assert LATER not in sys.modules
    gc.freeze()
    control.send(b"ready")
    words = serve(control)
    if words[0] == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(words[0]).parent))
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
