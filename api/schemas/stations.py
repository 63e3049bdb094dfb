"""Stations, their newest readings and their verdict, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field

QUANTITY = "Quantity name, such as `water.salinity`."


class Entry(BaseModel):
    """The newest stored value of one quantity, whatever its flag."""

    value: float
    unit: str = Field(description="UCUM.")
    time: str
    flag: int = Field(description="QARTOD: 1 good, 2 not evaluated (yet), 3 suspect, 4 fail.")
    fresh: bool = Field(description="Whether it is no older than its series' `stale_after_s`.")
    point: str


class PointEntry(Entry):
    """The same with where it came from and how old it may get."""

    sensor: str
    received_at: str
    interval_s: float | None = Field(description="Seconds between readings; null while nobody knows.")
    stale_after_s: float
    silent_after_s: float


class VerdictShape(BaseModel):
    """What to do about the water, and why. `unknown` means: do not take it."""

    verdict: str = Field(description="take | measure | wait | stop | unknown")
    reason: str = Field(description="ok | stale | silent | suspect | fault | no_forecast | no_data")
    band: int | None = Field(description="0 (fresh) to 4: < 0.5, 0.5-1, 1-2, 2-4, over 4 g/L; null when unknown.")
    as_of: str | None
    until: str | None = Field(description="When the verdict will differ, for better or for worse: no end of waiting. Null beyond 24 h.")
    p: float | None = Field(description="The highest chance of an hour of the next 6 h to pass the limit; scored as `max_6h`, at lines and crops' limits only.")
    limit: float
    unit: str
    config: str = Field(description="Hash of the numbers it was judged by.")


class StationItem(BaseModel):
    """A station as lists show it."""

    id: str
    name: str
    lat: float | None
    lon: float | None
    waterway: str | None
    km: float | None = Field(description="From the sea along the waterway.")
    commune: str | None
    org: str
    public: bool
    latest: dict[str, Entry] = Field(description="One entry per quantity: at the verdict point for water, else at `main`, else at the first point.")
    risk: VerdictShape


class StationList(BaseModel):
    """A page of stations, by id."""

    items: list[StationItem]
    next: str | None


class AliasShape(BaseModel):
    """Another name, valid between two dates (null = open)."""

    name: str
    start: str | None
    end: str | None


class SensorShape(BaseModel):
    """A sensor at a point from a time to a time (null = open). A `check` sensor's readings are not the series."""

    sensor: str
    model: str
    point: str
    role: str
    start: str | None
    end: str | None
    depth_m: float | None
    interval_s: float | None


class StationDetail(StationItem):
    """A station with everything that is known of it."""

    aliases: list[AliasShape]
    commune_scheme: str | None
    timezone: str
    level_datum: str | None
    position: str = Field(description="surveyed | approximate | unknown")
    verdict_point: str | None
    intake: str | None = Field(description="The station whose water this field takes: the verdict is of that one.")
    interval_s: float | None = Field(description="Of the salinity the verdict reads.")
    stale_after_s: float
    silent_after_s: float
    points: dict[str, dict[str, PointEntry]]
    sensors: list[SensorShape]
