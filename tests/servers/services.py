"""The services of an installation beside its ingest, as real processes: `canhman up`, or one process each."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from servers import processes
from servers.installation import Installation
from servers.ports import free_port
from servers.waiting import until

START_S = 60.0
SEPARATE = ("ingest", "forecast", "alerts", "serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running installation: its pages, its API, and what its services wrote."""

    rig: Installation
    url: str
    metrics: str
    names: tuple[str, ...]

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at `path`."""
        answer = httpx.get(f"{self.url}{path}", params=params, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def page(self, path: str) -> str:
        """The page at `path`, as a phone gets it."""
        answer = httpx.get(f"{self.url}{path}", headers={"Accept": "text/html", "Accept-Language": "vi"}, timeout=30, follow_redirects=True)
        answer.raise_for_status()
        return answer.text

    @property
    def logs(self) -> str:
        """Everything the services said."""
        return "".join(f"--- {name}\n{(self.rig.folder / f'{name}.log').read_text(errors='replace')[-4000:]}\n" for name in self.names)


@contextmanager
def running(rig: Installation, *, together: bool, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """All services of `rig` in one process, or each in one of its own; ended by SIGTERM, and then each must exit with 0."""
    listen, metrics = free_port(), free_port()
    given = rig.env | {"CANHMAN_LISTEN": f"127.0.0.1:{listen}", "CANHMAN_METRICS": f"127.0.0.1:{metrics}"} | dict(env or {})
    names = ("up",) if together else SEPARATE
    found = Running(rig=rig, url=f"http://127.0.0.1:{listen}", metrics=f"http://127.0.0.1:{metrics}/metrics", names=names)
    with ExitStack() as stack:
        processes = {name: stack.enter_context(_service(rig, name, given)) for name in names}

        def answers() -> bool:
            dead = {name: process.returncode for name, process in processes.items() if process.poll() is not None}
            assert not dead, f"ended at start: {dead}\n{found.logs}"
            try:
                return httpx.get(f"{found.url}/readyz", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        until(answers, START_S, lambda: f"the pages answer and all is ready:\n{found.logs}")
        yield found
    ended = {name: process.returncode for name, process in processes.items()}
    assert set(ended.values()) == {0}, f"{ended}\n{found.logs}"
    assert "Traceback" not in found.logs, found.logs


@contextmanager
def _service(rig: Installation, name: str, env: Mapping[str, str]) -> Iterator[processes.Process]:
    with (rig.folder / f"{name}.log").open("ab") as log:
        process = processes.start(["-m", "canhman", name], env=env, cwd=rig.folder, out=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
