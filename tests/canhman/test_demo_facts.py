"""What the demo's screen shows is read from database, store and heartbeats, as any other reader would."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from servers.forecast_world import FIVE, HOUR, Hands

from canhman import heartbeat, wiring
from canhman.demo_facts import Facts, Reader
from canhman.settings import Settings
from core.forecast import QUANTILES, WITHDRAWN, Forecast
from core.place import Station
from core.risk import Risk

ISSUE = Forecast(
    org="default",
    station="a",
    point="main",
    target="hour",
    model="boosted",
    version="1",
    issued_at=FIVE,
    data_until=FIVE,
    inputs="",
    leads=(1,),
    times=(FIVE,),
    quantiles=((1.0,) * len(QUANTILES),),
    p_gt=((0.1,) * 4,),
)


def look(folder: Path, *issues: Forecast, troubles: dict[str, str] | None = None) -> Facts:
    """At 05:00, after these issues, where the forecast service says of itself what is in `troubles`."""
    settings = Settings(data=folder)
    db = wiring.database(settings)
    heartbeat.write(folder, "forecast", troubles or {}, {})

    async def work() -> Facts:
        await db.put(*(Station(id=name, org="default", name=name) for name in "abc"), actor="test")
        await db.issue(issues)
        reader = Reader(db, settings, [], Risk(), Hands(FIVE))
        await reader.open()
        try:
            return await reader.look()
        finally:
            await reader.close()

    try:
        return asyncio.run(work())
    finally:
        db.close()


def test_forecasts_that_may_be_told_are_counted(tmp_path: Path) -> None:
    """Neither one that was taken back nor one that is a day old, nor the models they are by."""
    gone = replace(ISSUE, station="b", model="persistence", version="1" + WITHDRAWN, leads=(), times=(), quantiles=(), p_gt=())
    old = replace(ISSUE, station="c", model="persistence", issued_at=FIVE - 25 * HOUR)
    found = look(tmp_path, ISSUE, gone, old)
    assert (found.forecasts, found.models) == (1, ("boosted",))


def test_troubles_are_those_of_readyz(tmp_path: Path) -> None:
    """By service, in its words; none of a service that is well."""
    found = look(tmp_path, troubles={"model day_max": "its file is damaged"})
    assert found.troubles == {"forecast": "model day_max: its file is damaged"}
    assert look(tmp_path).troubles == {}
