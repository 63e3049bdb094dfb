"""Simulated devices and our decoders meet only at bytes: what a device encodes, the decoder of its topic reads back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.message import Message
from core.quantities import QUANTITIES
from firmware_sim.network import FieldDevice, expand, models
from firmware_sim.network_file import default_text, load_network
from firmware_sim.sampling import samples
from ingest.mail import Reader, record
from ingest.route import route

NETWORK = expand(load_network(default_text()), 40)
NOW = NETWORK.start_ms + 2 * 86_400_000


def devices() -> Iterator[FieldDevice]:
    """One device of each model and set of channels."""
    seen = set()
    for device in NETWORK.devices:
        kind = (device.model, device.channels)
        if kind not in seen:
            seen.add(kind)
            yield device


def test_every_model_is_in_the_network() -> None:
    """Each simulated model is tried here."""
    assert {d.model for d in devices()} == set(models())


@pytest.mark.parametrize("device", list(devices()), ids=lambda d: f"{d.model}-{'+'.join(d.channels)}")
def test_what_a_device_encodes_is_what_we_decode(device: FieldDevice) -> None:
    """Every value comes back within half of the last digit its probe reports, at its time (a clockless one's to the second)."""
    made = [s for s, _ in zip(samples(NETWORK, device, NOW - 86_400_000, NOW), range(30), strict=False)]
    assert made
    for i in range(0, len(made), device.firmware.batch):
        part = tuple(made[i : i + device.firmware.batch])
        suffix, payload = device.firmware.encode(part, NOW)
        topic = f"canhman/default/{device.id}/{suffix}"
        mail = Reader("test").open([(0, Message(topic, payload, NOW))])
        assert route(topic).device == device.id
        assert mail.dead == []
        records = [record(sender, item) for _, _, _, sender, item in mail.opened]
        assert [r.refused for r in records] == [[]] * len(part)
        assert [r.seq for r in records] == [s.seq for s in part]
        assert [r.boot for r in records] == [s.boot for s in part]
        for found, sample in zip(records, part, strict=True):
            time = found.time if found.time is not None else NOW - (found.age_ms or 0)
            assert abs(time - sample.time_ms) < (1 if found.time is not None else 1000)
            decoded: dict[str, dict[str, float]] = {}
            for channel, values in found.channels:
                decoded.setdefault(channel, {}).update(values)
            sent = {channel: dict(values) for channel, values in sample.channels.items()}
            sent.setdefault("main", {}).update(sample.device)
            assert {c: set(v) for c, v in decoded.items() if v} == {c: set(v) for c, v in sent.items() if v}
            for channel, values in decoded.items():
                for quantity, value in values.items():
                    assert value == pytest.approx(sent[channel][quantity], abs=0.5 * 10 ** -max(2, QUANTITIES[quantity].decimals))
