"""The way of healthy messages and the careful one, object by object: whatever comes in between, both leave the same behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import rfc3339
from core.message import Message
from core.place import Deployment, Device, Station

NOON = 1_772_420_400_000
HOUR = 3_600_000
MINUTE = 60_000
ARRIVAL = NOON + 5 * HOUR


@pytest.fixture(scope="module", params=["open", "approve"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, open_line: Callable[..., Any]) -> Iterator[tuple[Any, Any]]:
    """Two lines that get the same messages: one goes the fast way where it can, the other never."""
    lines = [open_line(tmp_path_factory.mktemp("line"), mode=request.param, careful=careful) for careful in (False, True)]
    yield lines[0], lines[1]
    for line in lines:
        line.close()


NUMBERS = ["2.31", "2", "0.2", "99", "-1", "0.0005", "1e9"]
BAD = ["nan", '"28,4"', "true", "null", "1e400", "[1]", '{"v":1}', "9" * 400]
NAMES = ["water.ec", "water.temperature", "water.level", "water.ec_raw", "water.salinity", "soil.ec_bulk", "soil.moisture", "soil.temperature"]
ODD_NAMES = ["water.salt", "device.battery", "device.snr", ""]
TIMES = [rfc3339(NOON + n * 20 * MINUTE) for n in range(6)]
ODD_TIMES = [
    *("2026-03-02T03:00:00.250Z", "2026-03-02T03:00:00.2509999Z", "2026-03-02T03:00:00.9999999Z", "2026-03-02T10:00:00+07:00", "2026-03-02t03:00:00z"),
    *("2026-03-02 03:00:00", "2026-03-02T03:00:60Z", "2026-03-02T03:60:00Z", "2026-02-30T03:00:00Z", "1970-01-01T00:00:03Z", "0001-01-01T00:00:00Z"),
    *("2030-01-01T00:00:00Z", "2026-03-02T03:00Z", "2026-03-02T03:00:00,5Z", "20260302T030000.123Z", "", "+2026-3-02T03:00:00Z"),
]

value = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.sampled_from(BAD))
healthy = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NUMBERS), min_size=1, max_size=4)
readings = st.one_of(healthy, healthy, st.dictionaries(st.sampled_from(NAMES + ODD_NAMES), value, max_size=4))
time = st.one_of(st.sampled_from(TIMES), st.sampled_from(TIMES), st.sampled_from(ODD_TIMES)).map(json.dumps)


def written(values: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{number}" for name, number in values.items()) + "}"


@st.composite
def objects(draw: st.DrawFn) -> str:
    """One object: mostly what a healthy device sends, with anything else in its place now and then."""
    odd = draw(st.integers(0, 3)) == 0
    parts: dict[str, str] = {}
    if draw(st.booleans()) or odd:
        parts["seq"] = draw(st.sampled_from(["0", "1", "2", "3", "4", "9"] + (["-1", "9223372036854775808", "1.5", "null", '"7"'] if odd else [])))
    if draw(st.booleans()):
        parts["boot"] = draw(st.sampled_from(["1", "1", "1", "2"] + (["-1", "null"] if odd else [])))
    if not odd or draw(st.booleans()):
        parts["time"] = draw(time)
    else:
        parts["age_s"] = draw(st.sampled_from(["5", "0", "60.5", "-1", "nan", "1e12"]))
    parts["readings"] = written(draw(readings)) if not odd or draw(st.booleans()) else draw(st.sampled_from(["{}", "[]", "7"]))
    if draw(st.booleans()):
        parts["battery"] = draw(value)
    if draw(st.booleans()):
        parts["rssi"] = "-97"
    if odd:
        parts["snr"] = "7.5"
        channels = draw(st.dictionaries(st.sampled_from(["main", "d10", "d30", "D 1"]), healthy, max_size=2))
        parts["channels"] = written({name: written(values) for name, values in channels.items()})
    return written(parts)


one = objects()
payload = st.one_of(
    one,
    one,
    one,
    st.lists(st.one_of(one, st.just("7")), max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
    st.sampled_from(["{", "7", "[]", "", "é{", "[[]]"]),
)
DEVICES = ("kl01", "kl02", "kl03")
device = st.sampled_from(["kl01", *DEVICES])
message = st.tuples(
    device,
    payload,
    st.sampled_from(["telemetry"] * 8 + ["status", "senml", "frame/2"]),
    st.sampled_from(["default"] * 8 + ["other"]),
    st.sampled_from([{}] * 8 + [{"retain": True}, {"refused": True, "source": "device:x"}]),
)


def everything(line: Any, prefix: str) -> dict[str, Any]:
    """All that store and database hold of the devices whose ids begin so."""
    keys = [key for key in line.ask(line.store.series()) if key.sensor.startswith(prefix)]
    stored = line.ask(line.store.read(keys, 0, 1 << 62))
    columns = (stored.series, stored.time, stored.value, stored.flag, stored.tests, stored.received)
    names = [d.id for d in line.ask(line.database.snapshot()).devices if d.id.startswith(prefix)]
    letters = [d for name in DEVICES for d in line.ask(line.database.dead_letters(device=f"{prefix}{name}", limit=1000))]
    return {
        "rows": list(zip(*(c.tolist() for c in columns), strict=True)),
        "keys": keys,
        "states": [(s.key, s.role, s.newest, s.received, s.dirty_from) for s in line.ask(line.database.states()) if s.key in keys],
        "dead": sorted((d.reason, d.key, d.text, d.position, d.count, d.org, d.device, d.offset_ms or 0) for d in letters),
        "seen": [line.ask(line.database.seen(name)) for name in names],
        "boots": [line.ask(line.database.boots(name)) for name in names],
        "counters": line.counters(),
        "waiting": [(d.device, d.messages, d.size) for d in line.ask(line.database.waiting_devices())],
        "statuses": line.ask(line.database.device_statuses()),
        "registered": names,
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(messages=st.lists(message, min_size=1, max_size=30), limit=st.sampled_from([1, 4, 2000]))
def test_both_ways_leave_the_same(pair: tuple[Any, Any], messages: list[tuple[str, str, str, str, dict[str, Any]]], limit: int) -> None:
    """Rows with their flags, newest values, dead letters with their words, identities, counters, what waits and who registered."""
    prefix = f"{pair[0].fresh()}-"
    sent = [(f"canhman/{org}/{prefix}{name}/{leaf}", b"online" if leaf == "status" else body.encode(), more) for name, body, leaf, org, more in messages]
    for line in pair:
        line.put(
            Device(id=f"{prefix}kl03", org="default"),
            Station(id=f"{prefix}a", org="default", name="A"),
            Station(id=f"{prefix}b", org="default", name="B"),
            Deployment(device=f"{prefix}kl03", channel="main", station=f"{prefix}a", point="main", end=NOON + 30 * MINUTE),
            Deployment(device=f"{prefix}kl03", channel="main", station=f"{prefix}b", point="main", start=NOON + 50 * MINUTE),
        )
        line.journal.append([Message(topic, body, ARRIVAL, **more) for topic, body, more in sent])
        line.work(limit=limit, judge=False)
    assert everything(pair[0], prefix) == everything(pair[1], prefix)
