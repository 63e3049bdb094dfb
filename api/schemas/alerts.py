"""Alerts and their history, as JSON; the object itself is that of `alerts.shape`, the same as in a webhook."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Text(BaseModel):
    """One line per language."""

    vi: str
    en: str


class AlertShape(BaseModel):
    """An alert as it stands."""

    id: int
    station: str
    point: str
    kind: str = Field(description="observed | forecast | silent | fault")
    line: float | None = Field(description="The line it is about; null for silent and fault.")
    level: int = Field(description="Band of the line, 1 to 4; 0 without one.")
    state: str = Field(description="open | acknowledged | cleared")
    opened_at: str
    updated_at: str
    cleared_at: str | None
    value: float | None
    unit: str
    time: str | None
    p: float | None = Field(description="Of `forecast`: the chance that the highest of the next 24 h passes the line; scored as `max_24h`, as of each issue.")
    text: Text


class AlertList(BaseModel):
    """A page of alerts, newest first."""

    items: list[AlertShape]
    next: str | None


class EventShape(BaseModel):
    """One line of an alert's history. `actor` is told to the station's own officers only."""

    at: str
    kind: str = Field(description="opened | reopened | raised | acknowledged | cleared")
    value: float | None
    time: str | None
    p: float | None
    actor: str | None


class AlertDetail(AlertShape):
    """An alert with its history, oldest first."""

    model: str | None
    acknowledged_at: str | None
    events: list[EventShape]
