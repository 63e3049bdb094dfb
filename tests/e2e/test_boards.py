"""What Grafana would colour, asked as its board asks, on a real InfluxDB behind a real Mosquitto and all services in one process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from servers.installation import MosquittoInflux
from servers.services import running
from servers.waiting import until

from core.clock import rfc3339

pytestmark = [pytest.mark.servers, pytest.mark.sockets]

MINUTE_MS = 60_000
DAY_MS = 86_400_000
COLOURED = 'SELECT last("salinity") AS "salinity" FROM "latest" WHERE time > now() AND "fresh" = 1 GROUP BY "station", "point"'


def test_what_a_board_may_colour(mosquitto_influx: MosquittoInflux) -> None:
    """A good reading is coloured, a failed one takes the colour away, a silent station has none; the stations' names are there."""
    rig = mosquitto_influx

    def ask(q: str) -> list[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = rig.influx.query(q, db="canhman")
        return [dict(zip(s["columns"], values, strict=True)) | s.get("tags", {}) for s in found for values in s["values"]]

    def coloured() -> dict[str, float]:
        return {row["station"]: round(row["salinity"], 1) for row in ask(COLOURED)}

    def send(device: str, ec: float, at: int) -> None:
        rig.publish(device, json.dumps({"time": rfc3339(at), "readings": {"water.ec": ec, "water.temperature": 28.4}}))

    with running(rig, together=True) as app:
        now = time.time_ns() // 1_000_000
        send("kl01", 15.3, now - 10 * MINUTE_MS)
        send("kl02", 15.3, now - 3 * DAY_MS)
        send("kl03", 0.42, now - 10 * MINUTE_MS)
        until(lambda: coloured() == {"kl01": 9.0, "kl03": 0.2}, 60, lambda: f"two are coloured, not the silent one: {coloured()}\n{app.logs}")
        until(lambda: {r["station"] for r in ask('SELECT last("fresh") FROM "latest" GROUP BY "station"')} >= {"kl02"}, 30, "the silent one is told of")
        (silent,) = ask('SELECT "fresh", "seen", "flag", "verdict" FROM "latest" WHERE "station" = \'kl02\'')
        assert (silent["fresh"], silent["seen"], silent["verdict"]) == (0, now - 3 * DAY_MS, 1)
        assert silent["time"] == silent["seen"]
        names = ask('SELECT last("label") AS "label" FROM "station" GROUP BY "org", "station"')
        assert {(r["org"], r["station"], r["label"]) for r in names} >= {("default", s, f"{s} ({s})") for s in ("kl01", "kl02", "kl03")}

        send("kl01", 900.0, time.time_ns() // 1_000_000)
        until(lambda: coloured() == {"kl03": 0.2}, 60, lambda: f"a failed reading takes the colour away: {coloured()}\n{app.logs}")
        newest = ask('SELECT last("seen") AS "seen", "flag", "fresh" FROM "latest" WHERE "station" = \'kl01\'')
        assert [(r["flag"], r["fresh"]) for r in newest] == [(4, 0)]

        send("kl01", 4.0, time.time_ns() // 1_000_000)
        until(lambda: set(coloured()) == {"kl01", "kl03"}, 60, lambda: f"a good one brings it back: {coloured()}\n{app.logs}")
        assert len(ask('SELECT "salinity" FROM "latest" WHERE time > now() AND "fresh" = 1 GROUP BY "station"')) == 2
