"""Look-ups by time equal the plain reading of the deployments, for every time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.place import FOREVER, MAIN, Deployment, Device, Org, Station, Waterway
from core.ports import RegistrySnapshot
from core.series import SeriesKey
from registry.directory import Directory, Located, Provenance

LAST = 20
CHANNELS = ("main", "d10", "d30")
STATIONS = ("a", "b")


def directory(*deployments: Deployment) -> Directory:
    return Directory(
        RegistrySnapshot(
            version=7,
            orgs=(Org(id="default", name="Mặc định"),),
            devices=tuple(Device(id=d, org="default") for d in ("kl01", "kl02")),
            stations=tuple(Station(id=s, org="default", name=s) for s in STATIONS),
            deployments=deployments,
            waterways=(Waterway(id="hau", name="Sông Hậu", sea="Biển Đông", length_km=1),),
        )
    )


@st.composite
def placements(draw: st.DrawFn) -> list[Deployment]:
    """Deployments of two devices with three channels: none of one sensor overlap, some are withdrawn, some have no end."""
    found = []
    for device in ("kl01", "kl02"):
        for channel in CHANNELS:
            bounds = sorted(draw(st.lists(st.integers(0, LAST), max_size=6)))
            for start, end in pairwise(bounds):
                if draw(st.booleans()):
                    last = end == bounds[-1] and draw(st.booleans())
                    found.append(
                        Deployment(
                            device=device, channel=channel, station=draw(st.sampled_from(STATIONS)), point=draw(st.sampled_from(("main", "in"))),
                            start=start, end=FOREVER if last and start < end else end, role=draw(st.sampled_from(("primary", "check"))),
                        )
                    )  # fmt: skip
    starts = {(d.device, d.channel, d.start): d for d in found}  # the database knows a deployment by these
    return draw(st.permutations(list(starts.values())))


def plain(deployments: list[Deployment], device: str, channel: str, time: int) -> Deployment | None:
    return next((d for d in deployments if (d.device, d.channel) == (device, channel) and d.start <= time < d.end), None)


def plain_device(deployments: list[Deployment], device: str, time: int) -> Deployment | None:
    standing = {d.channel: d for d in deployments if d.device == device and d.start <= time < d.end}
    return standing.get(MAIN) or standing.get(min(standing, default=""))


@given(placements())
def test_deployment_by_time(deployments: list[Deployment]) -> None:
    """A sensor is where its one deployment that covers the time says; the device where main is, else the first channel."""
    found = directory(*deployments)
    for time in range(-1, LAST + 2):
        for device in ("kl01", "kl02", "nobody"):
            assert found.device_deployment(device, time) == plain_device(deployments, device, time)
            for channel in CHANNELS:
                assert found.deployment(device, channel, time) == plain(deployments, device, channel, time)


@given(placements(), st.sampled_from(CHANNELS), st.sampled_from(["water.ec", "device.battery"]))
def test_series_key_holds_as_long_as_it_says(deployments: list[Deployment], channel: str, quantity: str) -> None:
    """Within its validity the answer is the same for every time, and it is what the deployments say."""
    found = directory(*deployments)
    for time in range(LAST + 2):
        located = found.series_key("kl01", channel, quantity, time)
        own = quantity == "device.battery"
        expected = plain_device(deployments, "kl01", time) if own else plain(deployments, "kl01", channel, time)
        assert (located is None) == (expected is None)
        if located is None or expected is None:
            continue
        assert located.valid_from <= time < located.valid_until
        sensor = "kl01" if own or channel == MAIN else f"kl01/{channel}"
        assert located.key == SeriesKey("default", expected.station, "device" if own else expected.point, sensor, quantity)
        assert located.role == ("primary" if own else expected.role)
        for other in range(located.valid_from, min(located.valid_until, LAST + 2)):
            assert found.series_key("kl01", channel, quantity, other) == located


@given(placements(), st.sampled_from(["main", "in", "device"]), st.integers(0, LAST), st.integers(0, LAST))
def test_sensors_at(deployments: list[Deployment], point: str, start: int, end: int) -> None:
    """Provenance lists, for each time of the window, exactly the sensors that stood at the point then."""
    found = directory(*deployments)
    listed = found.sensors_at("a", point, start, end)
    assert listed == sorted(listed, key=lambda p: (p.start, p.sensor))
    assert all(start <= p.start < p.end <= end for p in listed)
    for time in range(start, end):
        if point == "device":
            expected = {(d, "primary") for d in ("kl01", "kl02") if (at := plain_device(deployments, d, time)) and at.station == "a"}
        else:
            standing = [d for d in deployments if (d.station, d.point) == ("a", point) and d.start <= time < d.end]
            expected = {(d.device if d.channel == MAIN else f"{d.device}/{d.channel}", d.role) for d in standing}
        assert {(p.sensor, p.role) for p in listed if p.start <= time < p.end} == expected


def test_a_moved_device_and_its_backlog() -> None:
    """Readings go to where the device was at their time, not where it is now."""
    moved = directory(
        Deployment(device="kl01", channel="main", station="a", point="main", end=100),
        Deployment(device="kl01", channel="main", station="b", point="in", start=100),
    )
    assert moved.series_key("kl01", "main", "water.ec", 99) == Located(SeriesKey("default", "a", "main", "kl01", "water.ec"), "primary", 0, 100)
    assert moved.series_key("kl01", "main", "water.ec", 100) == Located(SeriesKey("default", "b", "in", "kl01", "water.ec"), "primary", 100, FOREVER)


def test_a_swapped_probe_is_one_series() -> None:
    """Two sensors after one another at a point are the provenance of one series."""
    swapped = directory(
        Deployment(device="kl01", channel="main", station="a", point="main", end=100),
        Deployment(device="kl02", channel="d10", station="a", point="main", start=100),
    )
    assert swapped.sensors_at("a", "main", 50, 150) == [Provenance("kl01", 50, 100, "primary"), Provenance("kl02/d10", 100, 150, "primary")]


def test_by_id() -> None:
    """Things are found by id; what is not registered is None."""
    found = directory(Deployment(device="kl01", channel="main", station="a", point="main"))
    assert (found.version, found.station_ids) == (7, {"a", "b"})
    assert [x.id for x in (found.org("default"), found.device("kl01"), found.station("a"), found.waterway("hau")) if x] == ["default", "kl01", "a", "hau"]
    assert [found.org("x"), found.device("x"), found.station("x"), found.waterway("x"), found.series_key("x", "main", "water.ec", 1)] == [None] * 5
    assert found.deployments_of("kl01") == found.deployments_at("a")
