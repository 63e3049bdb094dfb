"""Numbers of one water that cannot all be true, through the whole of ingest: in one message or several, live or judged again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.clock import rfc3339
from core.flags import Flag
from core.state import Latest
from quality.rules import parse

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
MIN = 60_000
ways = pytest.mark.parametrize("tails", [True, False], ids=["judged in memory", "read back"])


def send(line: Any, readings: dict[str, float], *, time: int = NOON, received: int | None = None) -> None:
    line.send("kl01", json.dumps({"time": rfc3339(time), "readings": readings}), received=time if received is None else received)
    line.work()


def salinity(line: Any) -> Any:
    return next(s for s in line.ask(line.database.states(station="kl01")) if s.key.quantity == "water.salinity")


@ways
@pytest.mark.parametrize("first", [{}, {"water.ec": 12.0}], ids=["in one message", "in two"])
def test_a_salinity_against_its_own_conductivity_is_not_good(make_line: Callable[..., Any], tails: bool, first: dict[str, float]) -> None:
    """12 mS/cm and 0.1 g/L of one time: neither is judged good, and the state says so."""
    line = make_line(tails=tails)
    send(line, {"water.ec": 0.2, "water.salinity": 0.1}, time=NOON - 15 * MIN)
    assert salinity(line).judged.flag == Flag.GOOD
    if first:
        send(line, first)
    send(line, {"water.salinity": 0.1} if first else {"water.ec": 12.0, "water.salinity": 0.1})
    assert line.rows("kl01", "water.salinity")[-1] == (NOON, 0.1, Flag.SUSPECT)
    assert line.rows("kl01", "water.ec")[-1] == (NOON, 12.0, Flag.SUSPECT)
    assert salinity(line).judged == salinity(line).newest == Latest(time=NOON, value=0.1, flag=Flag.SUSPECT)
    assert salinity(line).good.time == NOON - 15 * MIN


@ways
@pytest.mark.parametrize("other", [{"water.chloride": 5130.0}, {"water.ec_raw": 12.0}], ids=lambda other: next(iter(other)))
@pytest.mark.parametrize("last", [True, False], ids=["salinity last", "salinity first"])
def test_what_is_no_source_of_it_contradicts_too(make_line: Callable[..., Any], tails: bool, other: dict[str, float], last: bool) -> None:
    """Chloride or a raw conductivity in a message of its own, of the same time, before or after the salinity."""
    line = make_line(tails=tails)
    for readings in ({"water.temperature": 29.0}, {"water.salinity": 0.1}, other):  # all series are known, and judged
        send(line, readings, time=NOON - 60 * MIN * (2 if readings is other else 1))
    messages = [other, {"water.salinity": 0.1}]
    for readings in messages if last else reversed(messages):
        send(line, readings)
    assert salinity(line).judged == Latest(time=NOON, value=0.1, flag=Flag.SUSPECT)
    assert line.rows("kl01", next(iter(other)))[-1][2] == Flag.SUSPECT


@ways
def test_a_correction_ends_the_contradiction(make_line: Callable[..., Any], tails: bool) -> None:
    """Written again with what agrees, both are good."""
    line = make_line(tails=tails)
    send(line, {"water.ec": 12.0, "water.salinity": 0.1})
    send(line, {"water.ec": 0.2}, received=NOON + MIN)
    send(line, {"water.salinity": 0.1}, received=NOON + MIN)
    assert [line.rows("kl01", quantity)[-1][2] for quantity in ("water.ec", "water.salinity")] == [Flag.GOOD] * 2
    assert salinity(line).judged == salinity(line).good == Latest(time=NOON, value=0.1, flag=Flag.GOOD)


def test_judged_again_by_a_tolerance_that_came_later(make_line: Callable[..., Any]) -> None:
    """What an older configuration found good is found out once all is judged anew."""
    line = make_line()
    shipped = line.config
    line.config = parse({})
    line.restart()
    send(line, {"water.ec": 12.0, "water.salinity": 0.1})
    assert salinity(line).judged.flag == Flag.GOOD
    line.config = replace(shipped)
    line.processor.use(line.config)
    line.ask(line.database.judge_again(but=shipped.hash))
    line.work()
    assert salinity(line).judged.flag == Flag.SUSPECT


@ways
def test_a_reading_from_the_future_gives_way_to_one_that_came_later(make_line: Callable[..., Any], tails: bool) -> None:
    """Stamped nine minutes ahead, 0.1 g/L; five minutes later 7 g/L by a clock that was set right: the first is not good any more."""
    line = make_line(tails=tails)
    send(line, {"water.salinity": 0.2}, time=NOON - 15 * MIN)
    send(line, {"water.salinity": 0.1}, time=NOON + 9 * MIN, received=NOON)
    assert salinity(line).judged.flag == Flag.GOOD
    send(line, {"water.salinity": 7.0}, time=NOON + 5 * MIN)
    assert line.rows("kl01", "water.salinity")[-2:] == [(NOON + 5 * MIN, 7.0, Flag.GOOD), (NOON + 9 * MIN, 0.1, Flag.SUSPECT)]
    assert salinity(line).judged == Latest(time=NOON + 9 * MIN, value=0.1, flag=Flag.SUSPECT)
    assert salinity(line).good == Latest(time=NOON + 5 * MIN, value=7.0, flag=Flag.GOOD)
