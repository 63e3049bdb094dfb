"""The whole recorded file, from `canhman replay --speed max` to the HTTP API of `canhman serve`, read back page by page."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from servers import processes
from servers.checks import Reading, read_file
from servers.installation import MARK, Installation
from servers.ports import free_port
from servers.waiting import until

from core.instant import parse_rfc3339

log = logging.getLogger(__name__)
pytestmark = pytest.mark.servers

PAGE_ROWS = 997  # of a series: no divisor of anything
PAGE_STATIONS = 7
WHEN = {"start": "2019-12-31T17:00:00Z", "end": "2023-01-01T00:00:00+07:00"}


@contextmanager
def serving(rig: Installation) -> Iterator[httpx.Client]:
    """`canhman serve` on this installation, and a client that is nobody."""
    listen, metrics, said = free_port(), free_port(), rig.folder / "serve.log"
    env = rig.env | {"CANHMAN_LISTEN": f"127.0.0.1:{listen}", "CANHMAN_METRICS": f"127.0.0.1:{metrics}"}
    with said.open("wb") as out:
        process = processes.start(["-m", "canhman", "serve"], env=env, cwd=rig.folder, out=out)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listen}/api/v1", timeout=60) as client:

            def answers() -> bool:
                assert process.poll() is None, said.read_text()
                try:
                    return client.get("/stations", params={"limit": 1}).status_code == 200
                except httpx.TransportError:
                    return False

            until(answers, 60, lambda: f"the API answers:\n{said.read_text()}")
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert (process.returncode, "Traceback" in said.read_text()) == (0, False), said.read_text()


def stations(client: httpx.Client) -> Iterator[str]:
    """Every station's id, over pages."""
    params: dict[str, str | int] = {"limit": PAGE_STATIONS}
    while True:
        page = client.get("/stations", params=params).raise_for_status().json()
        assert len(page["items"]) <= PAGE_STATIONS
        yield from (item["id"] for item in page["items"])
        if page["next"] is None:
            return
        params["next"] = page["next"]


def rows(client: httpx.Client, station: str) -> Iterator[Reading]:
    """(station, time, value) of every row of its salinity, over pages."""
    params: dict[str, str | int] = {"quantity": "water.salinity", "limit": PAGE_ROWS, **WHEN}
    while True:
        page = client.get(f"/stations/{station}/series", params=params).raise_for_status().json()
        assert len(page["times"]) <= PAGE_ROWS
        for moment, value, flag in zip(page["times"], page["values"], page["flags"], strict=True):
            at = parse_rfc3339(moment)
            assert at is not None
            assert flag in (1, 3, 4)  # judged
            yield station, at, value
        if page["next"] is None:
            return
        params["next"] = page["next"]


def test_every_row_of_the_file_comes_back_over_http(rig: Installation, recorded: Path) -> None:
    """Walked station by station and page by page as nobody: each row of the file once, in order, with its value; none besides."""
    truth = read_file(recorded)
    rig.env["CANHMAN_ENROL_PUBLIC"] = "1"
    rig.start()
    rig.run("replay", str(recorded), "--speed", "max", env=rig.device_env)
    rig.settle()

    with serving(rig) as client:
        began = time.perf_counter()
        ids = [station for station in stations(client) if not station.startswith(MARK)]
        found = [row for station in ids for row in rows(client, station)]
        log.info("%d rows of %d stations read back in %.1f s", len(found), len(ids), time.perf_counter() - began)  # shown with --log-cli-level=INFO

    assert len(ids) == len(set(ids)) == len({station for station, _, _ in truth})
    assert len(found) == len(truth)
    assert set(found) == truth
    assert found == sorted(found, key=lambda row: row[:2])
    assert rig.stop() == 0
