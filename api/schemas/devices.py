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


class ClockShape(BaseModel):
    """How its clock stands against ours: docs/time.md."""

    verdict: str = Field(description="good, zone, ahead, behind, drifting, lost or unknown")
    offset_s: float | None = Field(description="above 0: it runs ahead")
    spread_s: float | None
    drift_s_per_day: float | None
    at: str = Field(description="the arrival of the last message measured")
    lost_at: str | None = Field(description="when it was last seen to have lost its time")
    text: str


class HoleShape(BaseModel):
    """Numbers from `first` to `last` that never came."""

    first: int
    last: int


class GapShape(BaseModel):
    """What is missing of one boot, between its lowest and highest number. `boot` is null of a device that sends none."""

    boot: int | None
    lowest: int
    highest: int
    missing: int
    last_time: str = Field(description="time of the highest")
    holes: list[HoleShape]


class GapsShape(BaseModel):
    """Messages a device numbered and we never got."""

    device: str
    missing: int
    items: list[GapShape]


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
    clock: ClockShape | None = Field(description="null while nothing was measured, or where it sends no time")
    missing: int = Field(description="messages it numbered and we never got: /devices/{id}/gaps")


class DevicesPage(BaseModel):
    """Devices by id."""

    items: list[DeviceShape]
    next: str | None
