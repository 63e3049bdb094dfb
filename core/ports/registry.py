"""The database: what is registered, and who changed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.place import Deployment, Device, Org, Station, Waterway


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySnapshot:
    """All that is registered, at one `version` (rises with every change)."""

    version: int
    orgs: tuple[Org, ...]
    devices: tuple[Device, ...]
    stations: tuple[Station, ...]
    deployments: tuple[Deployment, ...]
    waterways: tuple[Waterway, ...]


class Registry(Protocol):
    """Orgs, devices, stations and deployments. Every change takes an actor and leaves a row in `audit`."""

    async def version(self) -> int:
        """The number of the last change; cheap, asked once a second."""
        ...

    async def snapshot(self) -> RegistrySnapshot:
        """Everything, in one consistent read."""
        ...

    async def put(self, *items: Org | Device | Station | Deployment | Waterway, actor: str, why: str = "") -> int:
        """Insert or change these in one transaction, with audit rows (before → after); returns the new version.

        A Deployment is known by (device, channel, start). Raises ConflictError, and then changes nothing.
        """
        ...

    async def audit(self, *, limit: int = 100) -> list[AuditRow]:
        """The newest changes first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One change: who, when [system ms], to what, from what to what (JSON texts; `before` empty for a new one)."""

    id: int
    at: int
    actor: str
    kind: str
    subject: str
    before: str
    after: str
    why: str
