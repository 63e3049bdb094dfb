"""Waterways and how far the salt reaches up them, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field


class JoinShape(BaseModel):
    """Where it meets another one, km from the sea along the other."""

    waterway: str
    km: float


class ReachShape(BaseModel):
    """Where a line stands: `at` km; `over`: further up than the last good station, at km; `under`: seaward of the first; `unknown`."""

    line: float
    side: str = Field(description="at | over | under | unknown")
    km: float | None
    hatched: bool = Field(description="Whether a station between those that say so is silent.")


class AlongShape(BaseModel):
    """A station on it; `max` of the last 25 h of good salinity, null while it is silent."""

    station: str
    km: float
    max: float | None


class WaterwayShape(BaseModel):
    """A river or canal; km are counted from the sea."""

    id: str
    name: str
    sea: str
    length_km: float
    joins: list[JoinShape]
    unit: str
    reaches: list[ReachShape]
    stations: list[AlongShape]


class WaterwayList(BaseModel):
    """A page of waterways, by id."""

    items: list[WaterwayShape]
    next: str | None
