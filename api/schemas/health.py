"""Health of the process and of what it stands on."""

from __future__ import annotations

from pydantic import BaseModel, Field


class HealthShape(BaseModel):
    """The process answers."""

    status: str
    version: str


class ReadyShape(BaseModel):
    """`red` names the parts in trouble: database, store, ingest, judge, forecast, alerts."""

    ready: bool
    red: list[str] = Field(default_factory=list)
