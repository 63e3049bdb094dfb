"""Moves and swaps: what they change, and how a wrong time of one is mended."""

from __future__ import annotations

import pytest

from core.errors import ConflictError, NotFoundError
from core.place import FOREVER, Deployment, Device, Station
from core.ports import RegistrySnapshot
from registry.deployments import check_overlaps
from registry.directory import Directory
from registry.moves import deploy, swap, withdraw


class Registry:
    """Deployments as the database keeps them: one row for a sensor and a start."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], Deployment] = {}

    @property
    def directory(self) -> Directory:
        return Directory(
            RegistrySnapshot(
                version=1,
                orgs=(),
                devices=tuple(Device(id=d, org="default") for d in ("kl01", "kl02")),
                stations=tuple(Station(id=s, org="default", name=s) for s in ("a", "b")),
                deployments=tuple(self.rows.values()),
                waterways=(),
            )
        )

    def put(self, changed: list[Deployment]) -> None:
        self.rows |= {(d.device, d.channel, d.start): d for d in changed}
        check_overlaps(self.rows.values())

    def spans(self, device: str) -> list[tuple[str, int, int]]:
        """Where it stands: (station, start, end)."""
        return sorted((d.station, d.start, d.end) for d in self.rows.values() if d.device == device and d.start < d.end)


@pytest.fixture
def registry() -> Registry:
    """kl01 stands at a from 10 on."""
    made = Registry()
    made.put(deploy(made.directory, "kl01", station="a", start=10))
    return made


def test_a_move_too_late_is_replaced(registry: Registry) -> None:
    """Without `replacing` it is refused and says how; with it, the later one is as if never made."""
    registry.put(deploy(registry.directory, "kl01", station="b", start=900))
    registry.put(deploy(registry.directory, "kl01", channel="d10", station="b", start=800))
    with pytest.raises(ConflictError, match="--replace"):
        deploy(registry.directory, "kl01", station="b", start=50)
    registry.put(deploy(registry.directory, "kl01", station="b", start=50, replacing=True))
    assert registry.spans("kl01") == [("a", 10, 50), ("b", 50, FOREVER), ("b", 800, FOREVER)]  # the other probe stays


def test_a_move_before_everything_is_replaced(registry: Registry) -> None:
    """A first deployment that began too late: from the earlier time on there is the new one alone."""
    registry.put(deploy(registry.directory, "kl01", station="a", start=0, replacing=True))
    assert registry.spans("kl01") == [("a", 0, FOREVER)]


def test_a_swap_too_late_is_replaced(registry: Registry) -> None:
    """The series changes hands at the right time, and once."""
    registry.put(swap(registry.directory, "kl01", "kl02", at=900))
    with pytest.raises(ConflictError, match="--replace"):
        swap(registry.directory, "kl01", "kl02", at=50)
    registry.put(swap(registry.directory, "kl01", "kl02", at=50, replacing=True))
    assert (registry.spans("kl01"), registry.spans("kl02")) == ([("a", 10, 50)], [("a", 50, FOREVER)])


def test_a_swap_too_early_is_swapped_back(registry: Registry) -> None:
    """Back at the same time, then again at the right one: no moment is lost, none is doubled."""
    registry.put(swap(registry.directory, "kl01", "kl02", at=50))
    registry.put(swap(registry.directory, "kl02", "kl01", at=50))
    assert registry.spans("kl02") == []
    registry.put(swap(registry.directory, "kl01", "kl02", at=90))
    assert (registry.spans("kl01"), registry.spans("kl02")) == ([("a", 10, 50), ("a", 50, 90)], [("a", 90, FOREVER)])


def test_who_stands_there_now_is_never_replaced(registry: Registry) -> None:
    """`replacing` is about what starts later; a device in use is refused."""
    registry.put(deploy(registry.directory, "kl02", station="b", start=20))
    with pytest.raises(ConflictError, match="kl02 is deployed already"):
        swap(registry.directory, "kl01", "kl02", at=50, replacing=True)


def test_withdrawing(registry: Registry) -> None:
    """At its own start it was never there; a device nobody knows is not "stands nowhere"."""
    registry.put(withdraw(registry.directory, "kl01", end=10))
    assert registry.spans("kl01") == []
    with pytest.raises(NotFoundError, match="stands nowhere"):
        withdraw(registry.directory, "kl01", end=10)
    with pytest.raises(NotFoundError, match="no device is called 'nosuch'"):
        withdraw(registry.directory, "nosuch", end=10)
    with pytest.raises(ConflictError, match="itself"):
        swap(registry.directory, "kl01", "kl01", at=50)
