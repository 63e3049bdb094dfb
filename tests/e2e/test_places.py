"""Where a reading belongs, through the real path: probes apart, one series over a swap, a moved device's backlog where it was."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from servers.installation import Installation, MosquittoInflux, Row

from core.clock import rfc3339

pytestmark = pytest.mark.servers

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
HOUR = 3_600_000


def message(time: int, readings: dict[str, float] | None = None, **more: Any) -> str:
    """A native message measured at `time` [ms]."""
    return json.dumps({"time": rfc3339(time), "readings": readings or {}} | more)


def places(rows: list[Row], quantity: str) -> set[tuple[str, str, str, int, float]]:
    """(station, point, sensor, time, value) of one quantity."""
    return {(r.station, r.point, r.sensor, r.time, r.value) for r in rows if r.quantity == quantity}


def test_depths_and_sluice_sides_stay_apart(rig: Installation) -> None:
    """Two depths of one device, the two sides of a sluice: the same quantity and time, four series, no value mixed up."""
    rig.start()
    for i in range(3):
        time = NOON + i * HOUR
        rig.publish("soil7", message(time, channels={"d10": {"soil.moisture": 0.31 + i / 100}, "d30": {"soil.moisture": 0.36 + i / 100}}))
        rig.publish("kl-gate", message(time, channels={"in": {"water.ec": 1.7 + i}, "out": {"water.ec": 5.9 + i}}, battery=3.7))
    rig.settle()
    rows = rig.rows()
    assert places(rows, "soil.moisture") == {
        ("soil7", point, f"soil7/{point}", NOON + i * HOUR, base + i / 100) for point, base in (("d10", 0.31), ("d30", 0.36)) for i in range(3)
    }
    assert places(rows, "water.ec") == {
        ("kl-gate", point, f"kl-gate/{point}", NOON + i * HOUR, base + i) for point, base in (("in", 1.7), ("out", 5.9)) for i in range(3)
    }
    # derived salinity follows its own side, and the device's battery belongs to neither
    assert {(r.point, r.sensor) for r in rows if r.quantity == "water.salinity"} == {("in", "kl-gate/in"), ("out", "kl-gate/out")}
    assert {(r.station, r.point, r.sensor) for r in rows if r.quantity == "device.battery"} == {("kl-gate", "device", "kl-gate")}


def test_a_swapped_probe_stays_one_series(rig: Installation) -> None:
    """`devices swap`: the new device writes where the old one did; one (station, point, quantity), two sensors, no overlap."""
    rig.start()
    old = register(rig, "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    new = register(rig, "kl02")
    before = [NOON + i * HOUR for i in range(4)]
    after = [NOON + i * HOUR for i in range(4, 8)]
    send(rig, old, *(message(t, {"water.ec": 2.0}) for t in before))
    rig.run("devices", "swap", "kl01", "kl02", "--at", rfc3339(after[0]))
    send(rig, new, *(message(t, {"water.ec": 3.0}) for t in after))
    send(rig, new, message(before[0], {"water.ec": 9.9}))  # on the bench: it stood nowhere then
    send(rig, old, message(after[1], {"water.ec": 8.8}))  # in the workshop: it stands nowhere any more
    rig.settle()
    assert places(rig.rows(), "water.ec") == {("kenh-lau", "main", "kl01", t, 2.0) for t in before} | {("kenh-lau", "main", "kl02", t, 3.0) for t in after}
    dead = rig.json("deadletters", "list")["items"]
    assert sorted((d["device"], d["reason"], d["key"]) for d in dead) == [("kl01", "not_deployed", "water.ec"), ("kl02", "not_deployed", "water.ec")]
    spans = rig.json("stations", "show", "kenh-lau")["deployments"]
    assert [(d["device"], d["point"]) for d in spans] == [("kl01", "main"), ("kl02", "main")]
    assert spans[0]["end"] == spans[1]["start"] == after[0]


@pytest.mark.parametrize("registered", ["before the backlog", "in the middle of it"])
def test_the_backlog_of_a_moved_device_goes_to_where_it_was(rig: Installation, registered: str) -> None:
    """Readings go by their own time, not by the day they arrive: also where the move was registered before they came."""
    rig.start()
    login = register(rig, "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    register(rig, "kl02", "--station", "kenh-nam", "--name", "Kênh Năm", "--point", "spare")
    times = [NOON + i * HOUR for i in range(10)]
    moved = times[5]
    backlog = [message(t, {"water.ec": float(i)}, battery=3.7) for i, t in enumerate(times)]
    early = 0 if registered.startswith("before") else 3
    if early:
        send(rig, login, *backlog[:early])
        rig.settle()
    rig.run("devices", "deploy", "kl01", "--station", "kenh-nam", "--at", rfc3339(moved))
    send(rig, login, "[" + ",".join(reversed(backlog[early:])) + "]")  # one array over both places, newest first
    rig.settle()
    rows = rig.rows()
    home = {t: "kenh-lau" if t < moved else "kenh-nam" for t in times}
    assert places(rows, "water.ec") == {(home[t], "main", "kl01", t, float(i)) for i, t in enumerate(times)}
    assert {(r.station, r.point, r.time) for r in rows if r.quantity == "device.battery"} == {(home[t], "device", t) for t in times}
    assert rig.json("deadletters", "list")["items"] == []


class Own(NamedTuple):
    """A device that logs in as itself."""

    device: str
    user: str
    password: str


def register(rig: Installation, device: str, *words: str) -> Own:
    """`canhman devices add`, and at Mosquitto `broker sync`."""
    made = rig.json("devices", "add", device, *words)
    if isinstance(rig, MosquittoInflux):
        rig.sync()
        return Own(device, made["broker_user"], made["password"])
    return Own(device, made["user"], made["password"])


def send(rig: Installation, own: Own, *payloads: str) -> None:
    """Publish as the device itself, and wait for every acknowledgement."""
    with rig.connected(own.device, user=own.user, password=own.password) as client:
        for info in [client.publish(f"canhman/default/{own.device}/telemetry", payload, qos=1) for payload in payloads]:
            info.wait_for_publish(60)
            assert info.is_published()
