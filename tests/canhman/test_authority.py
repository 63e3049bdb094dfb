"""Who may log in at our listener: what is remembered for speed never outlives the registry it was said by."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from canhman import authority
from canhman.authority import RegistryAuthority
from core.place import Device, Org
from core.ports import RegistrySnapshot
from registry.broker_files import hash_password, join_key

SECRET = b"s" * 32
TOPIC = "canhman/kg/kl01/telemetry"


def device(password: str, *, org: str = "kg") -> Device:
    return Device(id="kl01", org=org, credential=hash_password(password, salt=b"0" * 12))


class Registry:
    """A registry that is changed by the test."""

    def __init__(self, *devices: Device) -> None:
        self.now = RegistrySnapshot(version=1, orgs=(Org(id="kg", name="Kiên Giang"),), devices=devices, stations=(), deployments=(), waterways=())

    def change(self, **fields: Any) -> None:
        self.now = dataclasses.replace(self.now, version=self.now.version + 1, **fields)

    async def version(self) -> int:
        return self.now.version

    async def snapshot(self) -> RegistrySnapshot:
        return self.now


def made(*devices: Device, closed: bool = False) -> tuple[Registry, RegistryAuthority]:
    registry = Registry(*devices)
    return registry, RegistryAuthority(registry, SECRET, closed=closed)  # type: ignore[arg-type]  # it asks for version and snapshot alone


def test_before_the_registry_was_read_nobody_may_anything() -> None:
    """An authority without a directory says no."""
    _, asked = made(device("pw"))
    assert asked.authenticate("kl01", b"pw", "c") is None
    assert not asked.may_publish("device:kl01", TOPIC)
    assert not asked.may_subscribe("device:kl01", "canhman/kg/kl01/command")


def test_a_password_is_stretched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that comes back costs no stretching; a wrong password does each time, and is never remembered."""
    looked: list[str] = []
    real = authority.verify_password
    monkeypatch.setattr(authority, "verify_password", lambda credential, password: (looked.append(password), real(credential, password))[1])
    _, asked = made(device("pw"))
    asked.read()
    assert [asked.authenticate("kl01", p, "c") for p in (b"pw", b"pw", b"no", b"no", b"pw", b"\xff")] == ["device:kl01"] * 2 + [None] * 2 + [
        "device:kl01",
        None,
    ]
    assert looked == ["pw", "no", "no"]


def test_what_is_remembered_ends_with_its_directory() -> None:
    """A new password, another org, a device that is gone: the next look counts, and nothing said before."""
    registry, asked = made(device("old"))
    asked.read()
    assert asked.authenticate("kl01", b"old", "c") == "device:kl01"
    assert asked.may_publish("device:kl01", TOPIC)
    registry.change(devices=(device("new"),))
    asked.read()
    assert asked.authenticate("kl01", b"old", "c") is None
    assert asked.authenticate("kl01", b"new", "c") == "device:kl01"
    registry.change(devices=(device("new", org="cm"),))
    asked.read()
    assert not asked.may_publish("device:kl01", TOPIC)
    assert asked.may_publish("device:kl01", "canhman/cm/kl01/telemetry")
    registry.change(devices=())
    asked.read()
    assert asked.authenticate("kl01", b"new", "c") is None
    assert not asked.may_publish("device:kl01", "canhman/cm/kl01/telemetry")


def test_topics_that_are_invented_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of topics is bounded, and right all the same."""
    monkeypatch.setattr(authority, "MOST_REMEMBERED", 10)
    _, asked = made(device("pw"))
    asked.read()
    for n in range(100):
        assert not asked.may_publish("device:kl01", f"canhman/kg/kl01/x{n}")
        assert asked.may_publish("device:kl01", TOPIC)
    assert not asked.may_publish("device:kl01", "canhman/kg/kl01/" + "x" * 60_000)
    assert asked._known is not None
    assert max(len(topic) for _, topic in asked._known._may_publish) < 100
    assert len(asked._known._may_publish) <= 10


@pytest.mark.parametrize("closed", [False, True])
def test_join_keys(closed: bool) -> None:
    """The org's key lets a new device in, where enrolment is open; a rotated one does not."""
    registry, asked = made(closed=closed)
    asked.read()
    key = join_key(SECRET, "kg", 1).encode()
    assert asked.authenticate("org:kg", key, "c") == asked.authenticate("org/kg", key, "c") == (None if closed else "org:kg")
    registry.change(orgs=(Org(id="kg", name="Kiên Giang", join_generation=2),))
    asked.read()
    assert asked.authenticate("org:kg", key, "c") is None
