"""How issued forecasts scored."""

from __future__ import annotations

from pydantic import BaseModel, Field

from analytics.record import LineRecord, Record
from core.verdict import UNIT


class TenthShape(BaseModel):
    """The forecasts whose probability lay in one tenth: how many, their mean, how often the line was passed, and its 95 % interval of independent days.

    Of `max_6h` and `max_24h`, issued each hour: of independent stretches of so many hours. Of `sluice_open` and `sluice_shut` a chance *at least* was
    said: `came` is to be as high as `said`, or higher.
    """

    n: int
    said: float
    came: float
    came_lo: float
    came_hi: float


class LineShape(BaseModel):
    """One line. A rate is null where fewer than 20 forecasts stand behind it; of `max_6h` and `max_24h` 20 that do not overlap: 120 and 480.

    Of `sluice_open` and `sluice_shut`, scored at the limit 1 g/L alone: `events` is how often it was so; 480 likewise.
    """

    n: int
    events: int = Field(description="How often the line was passed.")
    right: float | None = Field(description="Share where at least 0.6 was said and the line was passed, or less and it was not.")
    brier: float | None = Field(description="Mean squared error of the probability: 0 is perfect.")
    skill: float | None = Field(
        description="1 − Brier / Brier of how often the line was passed in the 60 days before each issue; null for hours, `max_6h` and `max_24h`."
    )
    reliability: list[TenthShape]
    warned: int = Field(description="How often at least 0.6 was said: from there on an alert opens.")
    hits: int = Field(description="How often of those the line was passed.")
    hit_rate: float | None = Field(description="Share of the times the line was passed that were warned of.")
    false_alarm_ratio: float | None = Field(description="Share of the warnings after which the line was not passed.")
    skill_persistence: float | None = Field(description="As `skill`, against what the model `persistence` would have said at each issue.")


class RecordShape(BaseModel):
    """All issues of one model for one target and lead at a point, scored once each. Of hours, `lead` is the last of its 24; of `max_6h` 6, of `max_24h` 24.

    These two are what is said of the highest of the next hours, made of the issue of hours as of its instant: by verdicts and by alerts. `sluice_open`
    and `sluice_shut` stand at the point inside: how sure at least it was said to be, of each stretch of hours in the hour in which that is surest.
    """

    station: str
    point: str
    target: str
    model: str
    lead: int
    unit: str
    n: int = Field(description="How many were scored.")
    missing: int = Field(description="How many could not be scored: no whole good readings of their time.")
    inside_90: float | None = Field(
        description="Share of truths within the 90 % interval; null of `max_6h` and `max_24h`, of which no value is stated, and of sluices."
    )
    mean_absolute_error: float | None = Field(description="Of the median, in `unit`.")
    lines: dict[str, LineShape] = Field(description="By line in g/L; and by crops' limits: of `max_6h`, and of days 1, 3, 7 and 14 ahead.")
    within_30pct: float | None = Field(description="Share with an error of the median of at most 30 % of the truth: the official rule.")


class RecordList(BaseModel):
    """Records by station, point, model and lead; empty where no forecast's time has passed and settled yet."""

    items: list[RecordShape]
    next: str | None


def record_shape(r: Record) -> RecordShape:
    """The JSON of a record."""
    return RecordShape(
        station=r.station,
        point=r.point,
        target=r.target,
        model=r.model,
        lead=r.lead,
        unit=UNIT,
        n=r.n,
        missing=r.missing,
        inside_90=_short(r.inside),
        mean_absolute_error=_short(r.error),
        lines={f"{line.line:g}": _line(line) for line in r.lines},
        within_30pct=_short(r.within),
    )


def _line(line: LineRecord) -> LineShape:
    tenths = [TenthShape(n=t.n, said=round(t.said, 4), came=round(t.came, 4), came_lo=round(t.low, 4), came_hi=round(t.high, 4)) for t in line.tenths]
    return LineShape(
        n=line.n,
        events=line.events,
        right=_short(line.right),
        brier=_short(line.brier),
        skill=_short(line.skill),
        reliability=tenths,
        warned=line.warned,
        hits=line.hits,
        hit_rate=_short(line.hit_rate),
        false_alarm_ratio=_short(line.false_alarms),
        skill_persistence=_short(line.skill_persistence),
    )


def _short(x: float | None) -> float | None:
    return None if x is None else round(x, 4)
