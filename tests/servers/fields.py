"""Soil probes of a field in the worlds of `servers.backend` and `servers.browser`: two weeks of hourly readings at two depths of ruong-8."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from servers.backend import DAY_MS, NOW

from adapters.sql.database import SqlDatabase
from api.backend import Backend
from core.batch import Batch
from core.flags import Flag
from core.forecast import HOUR_MS
from core.place import Deployment, Device
from core.series import SeriesKey
from core.state import Latest, SeriesState

FIELD = "ruong-8"
PORE = {"p1": 6.0, "d30": 4.0}  # dS/m
MOISTURE = 0.38


async def sow_soil(
    backend: Backend, *, pore: Mapping[str, float] = PORE, moisture: float | None = MOISTURE, last: int = NOW - HOUR_MS // 2, flag: int = Flag.GOOD
) -> None:
    """Pore-water conductivity [dS/m] by point and moisture [m³/m³], hourly up to `last` [ms], of one device; the depth of p1, 10 cm, stands in the registry."""
    db = backend.registry
    assert isinstance(db, SqlDatabase)
    standing = [
        Deployment(device="soil-1", channel=p, station=FIELD, point=p, depth_m=0.1 if p == "p1" else None, interval_s=3600, start=NOW - 30 * DAY_MS)
        for p in pore
    ]
    await db.put(Device(id="soil-1", org="vithanh"), *standing, actor="test")
    states = []
    for point, value in pore.items():
        for quantity, level in (("soil.ec_pore", value), ("soil.moisture", moisture)):
            if level is not None:
                key = SeriesKey("vithanh", FIELD, point, f"soil-1/{point}", quantity)
                states.append(await _series(backend, key, level, last, flag))
    await db.replace(states)


async def _series(backend: Backend, key: SeriesKey, value: float, last: int, flag: int) -> SeriesState:
    times = [last - i * HOUR_MS for i in range(14 * 24 - 1, -1, -1)]
    await backend.store.write(Batch.of([0] * len(times), times, [value] * len(times), flag=np.full(len(times), flag, dtype=np.uint8)), [key])
    newest = Latest(time=last, value=value, flag=int(flag))
    return SeriesState(
        key=key,
        role="primary",
        newest=newest,
        received=last + 2000,
        judged=newest,
        good=newest if flag == Flag.GOOD else None,
        dirty_from=None,
        changed=0,
        interval_ms=HOUR_MS,
    )
