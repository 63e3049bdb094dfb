"""Enrolment: who is accepted, registered, kept waiting or refused, and what a device may register of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.deadletter import REASONS
from core.place import ALWAYS, FOREVER, Deployment, Device, Org, Station
from core.ports import RegistrySnapshot
from registry.directory import Directory
from registry.enrolment import DEVICE_QUOTA, ORG_QUOTA, Decision, Mode, Refuse, Step, decide, new_channels, self_registration, within_quota
from registry.items import checked

ORG = Org(id="default", name="Mặc định")
KL01 = Device(id="kl01", org="default", opens_points=True)


@pytest.mark.parametrize(
    ("mode", "device", "org", "topic_org", "expected"),
    [
        ("approve", KL01, ORG, "default", Step.ACCEPT),
        ("closed", KL01, ORG, "default", Step.ACCEPT),
        ("open", KL01, Org(id="other", name="O"), "other", Refuse(reason="wrong_org")),
        ("open", KL01, None, "defualt", Refuse(reason="wrong_org")),
        ("approve", None, ORG, "default", Step.PARK),
        ("open", None, ORG, "default", Step.REGISTER),
        ("closed", None, ORG, "default", Refuse(reason="unknown_device")),
        ("open", None, None, "defualt", Refuse(reason="forbidden")),
        ("approve", None, None, "defualt", Refuse(reason="forbidden")),
    ],
)
def test_decide(mode: Mode, device: Device | None, org: Org | None, topic_org: str, expected: Decision) -> None:
    """Registered devices speak under their own org only; unknown ones as the mode says, under an org that exists."""
    found = decide(mode, device=device, org=org, topic_org=topic_org)
    assert found == expected
    assert not isinstance(found, Refuse) or found.reason in REASONS


def test_ids_that_could_never_be_approved() -> None:
    """An unknown device whose id cannot be registered is refused at once."""
    assert decide("open", device=None, org=ORG, topic_org="default", device_id="org:default") == Refuse(reason="bad_topic")
    assert decide("open", device=None, org=ORG, topic_org="default", device_id="kl01") == Step.REGISTER


def test_quota() -> None:
    """1 MiB a device, 256 MiB an org, both to the byte."""
    assert within_quota(10, device_bytes=DEVICE_QUOTA - 10, org_bytes=ORG_QUOTA - 10)
    assert not within_quota(11, device_bytes=DEVICE_QUOTA - 10, org_bytes=0)
    assert not within_quota(11, device_bytes=0, org_bytes=ORG_QUOTA - 10)


def test_self_registration() -> None:
    """A station named after the device, not public, position unknown; a point per channel, from ever on."""
    device, station, deployments = self_registration("KL_01", "default", ["main", "d10", "device"], {"kl-01"})
    assert device == Device(id="KL_01", org="default", opens_points=True)
    assert (station.id, station.name, station.position, station.public) == ("kl-01-2", "KL_01", "unknown", False)
    assert [(d.channel, d.point, d.start, d.end) for d in deployments] == [
        ("d10", "d10", ALWAYS, FOREVER),
        ("device", "device-1", ALWAYS, FOREVER),
        ("main", "main", ALWAYS, FOREVER),
    ]
    assert all(checked(item) == item for item in (device, station, *deployments))
    assert self_registration("kl01", "default", [], (), public=True)[1].public
    assert [d.channel for d in self_registration("kl01", "default", [], ())[2]] == ["main"]


def directory(*deployments: Deployment) -> Directory:
    stations = tuple(Station(id=s, org="default", name=s) for s in ("a", "b"))
    return Directory(RegistrySnapshot(version=1, orgs=(ORG,), devices=(KL01,), stations=stations, deployments=deployments, waterways=()))


AT_A = Deployment(device="kl01", channel="main", station="a", point="main", end=100)
AT_B = replace(AT_A, station="b", start=100, end=FOREVER)


def test_new_channels_open_points_where_the_device_stands() -> None:
    """A channel not seen before gets a point of its name at today's station, from when the device came there."""
    found = new_channels(directory(AT_A, AT_B), KL01, ["main", "d10"], now_ms=500)
    assert found == (Deployment(device="kl01", channel="d10", station="b", point="d10", start=100),)


def test_what_comes_unasked_never_changes_a_series() -> None:
    """At a point with a primary the new channel is a check."""
    other = Deployment(device="kl02", channel="main", station="a", point="d10", start=50)
    assert [d.role for d in new_channels(directory(AT_A, other), KL01, ["d10"], now_ms=60)] == ["check"]


@pytest.mark.parametrize(
    ("device", "deployments"),
    [
        (replace(KL01, opens_points=False), (AT_A,)),
        (KL01, ()),
        (KL01, (AT_A, replace(AT_A, channel="d10", start=7, end=8))),
    ],
)
def test_no_new_channels(device: Device, deployments: tuple[Deployment, ...]) -> None:
    """Not where an officer decides, not where the device stands nowhere, not for a channel that was taken down."""
    assert new_channels(directory(*deployments), device, ["d10"], now_ms=50) == ()
