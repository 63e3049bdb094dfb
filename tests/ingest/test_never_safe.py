"""Never "safe" without good, fresh data: odd messages through all of ingest and the judge, against a rule of few lines that knows only what was sent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.clock import SimClock, rfc3339
from core.forecast import HOUR_MS, Forecast
from core.place import Deployment, Device, Station
from core.risk import Risk
from core.seawater import ec25_from_raw, salinity_from_ec
from registry.directory import Directory
from registry.situation import Situation

Sent = tuple[str, int, int, dict[str, float]]  # device, time, arrival, values; in order of arrival

NOON = 1_772_420_400_000
MIN = 60_000
LIMIT = 1.0
WORST = {  # which salinities the numbers of one probe allow at the least [g/L], before any tolerance
    "water.salinity": lambda x: x,
    "water.ec": lambda x: float(salinity_from_ec(x)),
    "water.ec_raw": lambda x: float(salinity_from_ec(ec25_from_raw(x, 40.0))),
    "water.chloride": lambda x: x / 1000,
}
fresh, salt = st.sampled_from([0.05, 0.1, 0.2, 0.4]), st.sampled_from([0.5, 0.6, 1.2, 7.0])
ec = st.sampled_from([-1.0, 0.0, 0.1, 0.2, 0.4, 0.8, 1.2, 12.0, 99.0])
values = st.one_of(
    st.fixed_dictionaries({"water.salinity": st.one_of(fresh, fresh, salt, st.sampled_from([0.0, -1.0, 50.0]))}),
    st.fixed_dictionaries({"water.ec": ec}),
    st.fixed_dictionaries({"water.salinity": fresh}, optional={"water.ec": ec, "water.ec_raw": ec, "water.chloride": st.sampled_from([20.0, 5130.0])}),
    st.fixed_dictionaries({"water.ec_raw": ec, "water.temperature": st.sampled_from([12.0, 29.0])}, optional={"water.salinity": fresh}),
)
# minutes since the step before, which device, minutes its stamp is before (or ahead of) its arrival, what it says, what becomes of the process
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 15, 15, 50, 70, 400]),
        st.sampled_from(["kl01", "kl01", "kl01", "tay"]),
        st.sampled_from([0, 0, 0, 1, 7, 40, -5, -9]),
        values,
        st.sampled_from(["", "", "", "restart", "again"]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module", params=[True, False], ids=["judged in memory", "read back"])
def any_line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, open_line: Callable[..., Any]) -> Iterator[Any]:
    """One line for all examples: each has devices and a station of its own."""
    line = open_line(tmp_path_factory.mktemp("line"), tails=request.param)
    yield line
    line.close()


def calm(station: str, now: int) -> Forecast:
    """P(S > 1) = .02 for three days."""
    times = tuple(now - now % HOUR_MS + i * HOUR_MS for i in range(72))
    about = {"org": "default", "station": station, "point": "main", "target": "hour", "model": "m", "version": "1", "inputs": ""}
    chances = {"quantiles": ((0.1, 0.15, 0.2, 0.25, 0.3),) * 72, "p_gt": ((0.1, 0.02, 0.01, 0.0),) * 72}
    return Forecast(**about, issued_at=now, data_until=now, leads=tuple(range(1, 73)), times=times, **chances)  # type: ignore[arg-type]


def derived(readings: dict[str, float]) -> list[str]:
    """What ingest makes of one message: it takes the place of what was sent before of the same time, for the last write wins."""
    raw = (readings.get(name, math.nan) for name in ("water.ec_raw", "water.temperature"))
    ec = readings["water.ec"] if "water.ec" in readings else float(ec25_from_raw(*raw))
    made = {"water.ec": ec, "water.salinity": float(salinity_from_ec(ec))}
    return [name for name, value in made.items() if math.isfinite(value) and name not in readings]


def forbidden(sent: list[Sent], device: str, now: int) -> list[str]:
    """Why no verdict may say *take* at `now`."""
    told: dict[int, dict[str, tuple[float, int]]] = {}  # by time: the value of each quantity that came last, and when
    for whose, time, arrival, readings in sent:
        if whose == device:
            cell = told.setdefault(time, {})
            for name in derived(readings):
                cell.pop(name, None)
            cell.update({name: (value, arrival) for name, value in readings.items()})
    worst = {time: [(WORST[name](value), arrival) for name, (value, arrival) in cell.items() if name in WORST] for time, cell in told.items()}
    worst = {time: found for time, found in worst.items() if any(math.isfinite(s) for s, _ in found)}
    if not worst:
        return ["nothing was measured"]
    newest = max(worst)
    arrived = max(arrival for _, arrival in worst[newest])
    why = ["it is old"] * (now - newest > HOUR_MS)
    why += ["it says salt"] * any(s >= LIMIT for s, _ in worst[newest])
    why += ["the probe is dry or broken"] * any(not 0.03 <= told[newest][name][0] <= 75 for name in ("water.ec", "water.ec_raw") if name in told[newest])
    why += ["it is out of range"] * ("water.salinity" in told[newest] and not 0.01 <= told[newest]["water.salinity"][0] <= 42)
    later = [time for time in worst if arrived < time < newest and all(time <= arrival > arrived for _, arrival in worst[time])]
    why += ["salt came after it"] * (newest - arrived > MIN and any(s >= LIMIT for time in later for s, _ in worst[time]))
    return why


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps)
@example(steps=[(0, "kl01", 0, {"water.ec": 12.0, "water.salinity": 0.1}, "")])
@example(steps=[(0, "kl01", -5, {"water.salinity": 0.0}, ""), (5, "kl01", 0, {"water.ec": 0.1}, "")])
@example(steps=[(0, "kl01", 0, {"water.ec_raw": -1.0, "water.salinity": 0.05}, "")])
@example(steps=[(0, "kl01", -9, {"water.salinity": 0.1}, ""), (5, "kl01", 0, {"water.salinity": 7.0}, "")])
@example(steps=[(0, "kl01", 0, {"water.salinity": 0.1}, ""), (0, "tay", 0, {"water.salinity": 7.0}, "")])
def test_take_has_good_fresh_data_behind_it(any_line: Any, steps: list[Any]) -> None:
    """After every message, and as time goes on: `take` only where what was sent allows it; and fresh good water may be taken."""
    line = any_line
    names = {"kl01": line.fresh(), "tay": line.fresh()}
    station = names["kl01"]
    line.put(*(Device(id=d, org="default") for d in names.values()), Station(id=station, org="default", name=station))
    for name, role in (("kl01", "primary"), ("tay", "check")):
        line.put(Deployment(device=names[name], channel="main", station=station, point="main", role=role, interval_s=900))
    now, sent = NOON, []
    for minutes, device, before, readings, event in steps:
        now += minutes * MIN
        time = now - before * MIN
        line.now, line.processor._clock = now, SimClock(now, 0)
        line.send(names[device], json.dumps({"time": rfc3339(time), "readings": readings}), received=now)
        sent.append((device, time, now, readings))
        if event == "again":
            line.ask(line.database.judge_again(but="none"))
        line.work()
        if event == "restart":
            line.restart()
        here = Situation(Directory(line.ask(line.database.snapshot())), line.ask(line.database.states(station=station)), [calm(station, now)], Risk())
        for at in (now, now + 20 * MIN, now + 70 * MIN):
            if here.verdict(station, at).verdict == "take":
                assert not forbidden(sent, "kl01", at)
                salty = [g["water.salinity"] for d, t, _, g in sent if d == "tay" and list(g) == ["water.salinity"] and t >= now - 10 * MIN]
                assert not any(0.5 <= value <= 42 for value in salty[-1:]), "a check probe says salt"
