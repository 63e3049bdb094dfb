"""From the true state to a device's samples: block by block, so that a thousand devices cost little."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.clock import Y2000_MS
from core.place import FOREVER
from core.seawater import ec_from_salinity
from firmware_sim import soil
from firmware_sim.device_kinds import Sample
from firmware_sim.estuary import LOCAL_MS, true_level, true_salinity, true_temperature
from firmware_sim.gate import inside_salinity
from firmware_sim.network import FieldDevice, Network
from firmware_sim.noise import DAY_MS, seed_of
from firmware_sim.probe import report

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

BLOCK = 96


def truth(network: Network, device: FieldDevice, channel: str, time_ms: Times) -> dict[str, Floats]:
    """The true state at one channel of a device: {quantity: (n,)}. What a sensor makes of it is `probe.report`'s."""
    site = device.site
    estuary = network.estuary(site.waterway)
    if channel.startswith("d"):
        depth = float(channel[1:])
        water, warmth = soil.moisture(device.seed, depth, time_ms), soil.temperature(depth, time_ms)
        salt = soil.bulk_ec(soil.pore_ec(estuary, site.km, depth, time_ms), water, warmth)
        return {"soil.moisture": water, "soil.ec_bulk": salt, "soil.temperature": warmth}
    inside = channel == "in" and site.gate is not None
    salinity = inside_salinity(site.gate, estuary, site.km, time_ms) if inside and site.gate else true_salinity(estuary, site.km, time_ms)
    found = {"water.ec": np.asarray(ec_from_salinity(salinity), dtype=np.float64), "water.temperature": true_temperature(estuary, site.km, time_ms)}
    if not inside:
        found["water.level"] = true_level(estuary, site.km, time_ms)
    return found


def _self(time_ms: Times) -> dict[str, Floats]:
    day = np.asarray((time_ms + LOCAL_MS) % DAY_MS / DAY_MS, dtype=np.float64)
    return {"device.battery": 3.72 + 0.08 * np.cos(2.0 * np.pi * (day - 15.0 / 24.0)), "device.rssi": np.full(len(day), -92.0)}


def block(network: Network, device: FieldDevice, time_ms: Times, seq: Times, boot: int) -> list[Sample]:
    """The samples of one device at `time_ms` (n,), as its probes report them; none while it is silent."""
    tables: dict[str, dict[str, list[float]]] = {}
    for channel in device.channels:
        seed = seed_of(device.seed, channel)
        values = report(partial(truth, network, device, channel), channel, seed, time_ms, faults=device.faults, before_ms=int(device.interval_ms))
        tables[channel] = {q: v.tolist() for q, v in values.items()}
    own = {q: v.tolist() for q, v in report(_self, "device", device.seed, time_ms).items()}
    speaks = np.ones(len(time_ms), dtype=np.bool_)
    for fault in device.faults:
        if fault.kind == "silent":
            speaks &= (time_ms < fault.start) | (time_ms >= fault.end)
    return [
        Sample(
            seq=int(seq[i]),
            boot=boot,
            time_ms=int(time_ms[i]),
            channels={channel: {q: v[i] for q, v in table.items()} for channel, table in tables.items()},
            device={q: v[i] for q, v in own.items()},
        )
        for i in np.flatnonzero(speaks).tolist()
    ]


def samples(network: Network, device: FieldDevice, start_ms: int, stop_ms: int | None = None) -> Iterator[Sample]:
    """Samples with start ≤ time < stop at the device's interval, for ever without `stop_ms`.

    `seq` counts intervals since 2000 and `boot` stays, as in a device that keeps its log over a restart: the same
    time is the same (device, boot, seq) with the same values, so that a simulator started again says nothing new.
    A device that falls silent for ever (a fault whose end is `core.place.FOREVER`) has no samples after that.
    """
    ends = [f.start for f in device.faults if f.kind == "silent" and f.end >= FOREVER]
    stop_ms = min([*ends, *([] if stop_ms is None else [stop_ms])], default=None)
    origin, step = Y2000_MS + device.offset_ms, device.interval_ms
    # whole blocks, always cut at the same places: vectorised sines differ in the last bit with an element's place in the array
    first = int((start_ms - origin) / step) // BLOCK * BLOCK
    while stop_ms is None or origin + first * step < stop_ms:
        seq = np.arange(first, first + BLOCK, dtype=np.int64)
        for sample in block(network, device, origin + (seq * step).astype(np.int64), seq, device.boot):
            if sample.time_ms >= start_ms and (stop_ms is None or sample.time_ms < stop_ms):
                yield sample
        first += BLOCK
