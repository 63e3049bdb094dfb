"""Devices. Names and payloads are strangers' words: plain text, never markup."""

from __future__ import annotations

from pydantic import BaseModel, Field


class DeploymentShape(BaseModel):
    """Where a probe stood; `start` null = for all times before, `end` null = until further notice."""

    channel: str
    station: str
    point: str
    role: str
    start: str | None
    end: str | None
    interval_s: float | None
    depth_m: float | None


class NewestShape(BaseModel):
    """The newest reading of any of its series."""

    time: str
    age_s: int
    received: str


class WaitingShape(BaseModel):
    """Messages that wait for approval; `head` is the beginning of the last one."""

    messages: int
    bytes: int
    first: str
    last: str
    head: str


class DeviceShape(BaseModel):
    """A device, registered or waiting for approval."""

    id: str
    org: str
    state: str = Field(description="registered, or waiting for approval")
    model: str | None
    credential: str | None = Field(description="own, or join_key of its org")
    deployments: list[DeploymentShape]
    status: str | None = Field(description="online or offline, as it or its last will said; it makes no station silent")
    status_at: str | None
    newest: NewestShape | None
    interval_s: float | None
    counters: dict[str, int] = Field(description="duplicate, conflicting, gap …: how many since it was registered")
    waiting: WaitingShape | None


class DevicesPage(BaseModel):
    """Devices by id."""

    items: list[DeviceShape]
    next: str | None
