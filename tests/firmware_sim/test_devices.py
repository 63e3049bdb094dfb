"""Every simulated model of device: what its messages look like, read with nothing but the JSON of the standard library."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from core.quantities import QUANTITIES
from firmware_sim.device_kinds import SimDevice
from firmware_sim.network import models
from firmware_sim.network_file import default_text, load_network
from firmware_sim.sampling import samples

NETWORK = load_network(default_text())
NOW = NETWORK.start_ms + 3_600_000


@pytest.mark.parametrize("firmware", models().values(), ids=models().keys())
@pytest.mark.parametrize("count", [1, 2, 96])
def test_every_object_tells_what_was_measured(firmware: SimDevice, count: int) -> None:
    """One object alone or an array; (seq, boot), time or age, `readings` of main and `channels` of the others, battery and rssi."""
    for device in NETWORK.devices:
        told = list(samples(NETWORK, device, NOW - count * 900_000, NOW))
        suffix, payload = firmware.encode(told, NOW)
        found = json.loads(payload)
        assert suffix == "telemetry"
        assert isinstance(found, dict) == (count == 1)
        for sample, thing in zip(told, [found] if count == 1 else found, strict=True):
            assert (thing["seq"], thing["boot"]) == (sample.seq, sample.boot)
            assert thing.get("readings", {}) == sample.channels.get("main", {})
            assert thing.get("channels", {}) == {c: v for c, v in sample.channels.items() if c != "main"}
            assert {f"device.{k}" for k in ("battery", "rssi") if k in thing} == set(sample.device)
            assert set(thing) <= {"time", "age_s", "seq", "boot", "readings", "channels", "battery", "rssi"}
            assert all(q in QUANTITIES for values in sample.channels.values() for q in values)
            if firmware.has_clock:
                assert datetime.fromisoformat(thing["time"]).timestamp() * 1000 == sample.time_ms
                assert "age_s" not in thing
            else:
                assert NOW - thing["age_s"] * 1000 == sample.time_ms
                assert "time" not in thing


def test_age_is_counted_anew_and_time_is_not() -> None:
    """Half a minute later a clockless device sends other bytes, one with a clock the same."""
    for name, firmware in models().items():
        told = list(samples(NETWORK, NETWORK.devices[0], NOW - 900_000, NOW))
        same = firmware.encode(told, NOW) == firmware.encode(told, NOW + 30_000)
        assert same is (name != "clockless")


def test_models_fit_a_day_into_a_message() -> None:
    """No model sends more than 96 objects at once."""
    assert set(models()) >= {"native", "clockless"}
    assert all(name == firmware.model and 1 <= firmware.batch <= 96 for name, firmware in models().items())
