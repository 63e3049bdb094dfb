"""The simulated network: what its file holds, what a bad file is told, and how samples come out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.place import SLUG, Deployment, Device, Station, Waterway
from core.quantities import QUANTITIES
from core.seawater import salinity_from_ec
from firmware_sim import probe, sampling
from firmware_sim.network import expand, registry_items, with_faults
from firmware_sim.network_file import default_text, load_network
from firmware_sim.probe import Fault

NETWORK = load_network(default_text())
DAY = 86_400_000
END = NETWORK.start_ms + 60 * DAY


def test_the_network_that_ships() -> None:
    """Twelve stations on two estuaries, two with soil probes at d10 and d30, one sluice with in and out, all positions approximate."""
    devices = NETWORK.devices
    assert len(devices) == 12
    assert {d.site.waterway for d in devices} == {"hau", "cai-lon"} == {w.id for w in NETWORK.waterways}
    assert sorted(d.channels for d in devices if len(d.channels) > 1) == [("in", "out"), ("main", "d10", "d30"), ("main", "d10", "d30")]
    assert {d.model for d in devices} == {"native", "clockless"}
    assert all(d.site.position == "approximate" and d.site.source and SLUG.match(d.id) for d in devices)
    assert all(8.5 < (d.site.lat or 0) < 10.5 and 104.5 < (d.site.lon or 0) < 106.5 for d in devices)
    assert all(d.interval_ms == 900_000 for d in devices)


def test_sixty_days_of_history_make_a_story() -> None:
    """At day 60 one station is under half a gram all day and one over two; Kênh Lầu then rises to its March peak, lower inside."""
    last_day = np.arange(END - DAY, END, 900_000)
    week = np.arange(END, END + 6 * DAY, 900_000)

    def salinity(id: str, channel: str, times: np.ndarray) -> np.ndarray:
        return np.asarray(salinity_from_ec(sampling.truth(NETWORK, NETWORK.device(id), channel, times)["water.ec"]))

    assert salinity("nga-bay", "main", last_day).max() < 0.5
    assert salinity("tran-de", "main", last_day).min() > 2.0
    out, inside = salinity("kenh-lau", "out", week), salinity("kenh-lau", "in", week)
    assert 5.0 < out.max() < 8.0
    assert inside.max() < 0.5 * out.max()


def test_soil_follows_the_water_slowly() -> None:
    """Bulk EC at both depths rises over the season; d10 leads d30, and a tide is not seen in either."""
    device = NETWORK.device("ba-co")
    times = np.arange(NETWORK.start_ms, END, 900_000)
    shallow, deep = (sampling.soil.pore_ec(NETWORK.estuary("cai-lon"), device.site.km, cm, times) for cm in (10.0, 30.0))
    assert shallow[-1] > 1.5 * shallow[0]
    assert shallow[-1] > deep[-1] > deep[0]
    assert np.abs(np.diff(shallow)).max() < 0.02
    for channel in ("d10", "d30"):
        found = sampling.truth(NETWORK, device, channel, times)
        assert set(found) == {"soil.moisture", "soil.ec_bulk", "soil.temperature"}
        assert 0.1 < found["soil.moisture"].min() < found["soil.moisture"].max() < 0.55
        assert 0.05 < found["soil.ec_bulk"].min() < found["soil.ec_bulk"].max() < 5.0


@given(start=st.integers(-400, 400), length=st.integers(0, 250), device=st.sampled_from(NETWORK.devices))
def test_a_sample_is_the_same_whenever_it_is_made(start: int, length: int, device: object) -> None:
    """Any slice of time gives exactly the samples that a longer one gives: a simulator started again repeats itself."""
    assert isinstance(device, type(NETWORK.devices[0]))
    base = NETWORK.start_ms
    whole = {s.time_ms: s for s in sampling.samples(NETWORK, device, base - 450 * 900_000, base + 700 * 900_000)}
    begin = base + start * 900_000
    part = list(sampling.samples(NETWORK, device, begin, begin + length * 900_000))
    assert [s.time_ms for s in part] == [begin + i * 900_000 for i in range(length)]
    assert all(whole[s.time_ms] == s for s in part)


def test_samples_are_what_a_sensor_can_report() -> None:
    """Known quantities within their range, on the probe's resolution, near the truth but not it; seq rises by one."""
    for device in NETWORK.devices:
        found = list(sampling.samples(NETWORK, device, END - DAY, END))
        assert [s.seq for s in found] == list(range(found[0].seq, found[0].seq + 96))
        times = np.array([s.time_ms for s in found])
        for channel in device.channels:
            for quantity, truth in sampling.truth(NETWORK, device, channel, times).items():
                values = np.array([s.channels[channel][quantity] for s in found])
                spec, known = probe.SPECS[quantity], QUANTITIES[quantity]
                assert known.low <= values.min()
                assert values.max() <= known.high
                assert np.allclose(values / spec.resolution, np.round(values / spec.resolution), atol=1e-6)
                slack = 3 * (spec.relative * np.abs(truth) + spec.absolute) + spec.resolution / 2 + 1e-9
                assert (np.abs(values - truth) <= slack).all()
                assert not np.array_equal(values, truth)
        assert set(found[0].device) == {"device.battery", "device.rssi"}


def test_faults_are_labelled_and_seen() -> None:
    """Silent: no samples in the window. Stuck: one value in the window, and the labels say where; all else untouched."""
    name, start, end = "go-quao", END - DAY // 2, END - DAY // 4
    plain = list(sampling.samples(NETWORK, NETWORK.device(name), END - DAY, END))
    silent = with_faults(NETWORK, {name: (Fault(kind="silent", start=start, end=end),)})
    assert list(sampling.samples(silent, silent.device(name), END - DAY, END)) == [s for s in plain if not start <= s.time_ms < end]
    fault = Fault(kind="stuck", start=start, end=end, channel="main", quantity="water.ec")
    stuck = with_faults(NETWORK, {name: (fault,)})
    found = list(sampling.samples(stuck, stuck.device(name), END - DAY, END))
    times = np.array([s.time_ms for s in found])
    labels = probe.labels((fault,), "main", "water.ec", times)
    frozen = {s.channels["main"]["water.ec"] for s, label in zip(found, labels, strict=True) if label == "stuck"}
    assert labels.count("stuck") == 24
    assert frozen == {next(s for s in plain if s.time_ms == start - 900_000).channels["main"]["water.ec"]}
    assert [s for s, label in zip(found, labels, strict=True) if not label] == [s for s, label in zip(plain, labels, strict=True) if not label]
    assert probe.labels((fault,), "main", "water.level", times) == [""] * 96
    with pytest.raises(ConfigError, match="no device 'nowhere'"):
        with_faults(NETWORK, {"nowhere": (fault,)})


def test_expand_makes_any_number_of_devices() -> None:
    """A thousand devices with ids of their own, the first twelve as they were, the same again by the same seed; fewer also work."""
    many = expand(NETWORK, 1000)
    assert len({d.id for d in many.devices}) == 1000
    assert many.devices[:12] == NETWORK.devices
    assert expand(NETWORK, 1000) == many
    assert expand(replace(NETWORK, seed=5), 1000).devices[500].site.km != many.devices[500].site.km
    assert len(expand(NETWORK, 3).devices) == 3
    extra = many.devices[700]
    assert next(iter(sampling.samples(many, extra, END))).time_ms % 900_000 == extra.offset_ms


def test_registry_items_know_every_channel() -> None:
    """What the registry needs: each station before its device before its deployments, one per channel, with depths of soil probes."""
    items = registry_items(NETWORK, "vithanh")
    stations = [i for i in items if isinstance(i, Station)]
    deployments = [i for i in items if isinstance(i, Deployment)]
    assert [len([i for i in items if isinstance(i, kind)]) for kind in (Waterway, Station, Device)] == [2, 12, 12]
    assert {(d.device, d.channel) for d in deployments} == {(d.id, c) for d in NETWORK.devices for c in d.channels}
    assert {d.depth_m for d in deployments} == {None, 0.1, 0.3}
    assert all(d.point == d.channel and d.station == d.device for d in deployments)
    assert all(s.org == "vithanh" and s.position == "approximate" and s.public for s in stations)
    assert next(s for s in stations if s.id == "kenh-lau").verdict_point == "in"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("seed = 2024", "sead = 2024"), "sead"),
        (('waterway = "hau"\nkm = 5.0', 'waterway = "mekong"\nkm = 5.0'), "'tran-de'.*unknown waterway 'mekong'"),
        (('model = "clockless"', 'model = "abacus"'), "unknown model 'abacus'; there are clockless, native"),
        (('channels = ["main", "d10", "d30"]', 'channels = ["main", "deep"]'), "'ba-co'.*channel deep"),
        (("[stations.gate]\nmonths = [2, 3, 4, 5]\nspring_above = 0.95\nleak = 0.33\n", ""), "'kenh-lau'.*need a .stations.gate"),
        (('id = "hoc-po"', 'id = "ba-co"'), "same id"),
        (('id = "hoc-po"', 'id = "Hóc Pó"'), "slug"),
        (("km = 5.0", "km = "), "network.toml: "),
        (('start = "2025-12-31T17:00:00Z"', 'start = "2025-12-31T17:00:00"'), "no zone"),
    ],
)
def test_a_bad_file_is_told_what_is_wrong(change: tuple[str, str], complaint: str) -> None:
    """Unknown key, unknown name, impossible channel: ConfigError that names the file and the thing."""
    text = default_text()
    assert change[0] in text
    with pytest.raises(ConfigError, match=complaint):
        load_network(text.replace(*change, 1))
