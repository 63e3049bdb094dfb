"""Forecasts as they were issued."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field

from core.bands import LINES
from core.clock import rfc3339
from core.forecast import QUANTILES, Forecast, Reason
from core.reasons import reason_text
from core.texts import LANGUAGES
from core.verdict import UNIT


class ReasonShape(BaseModel):
    """What moved a forecast."""

    code: str = Field(description="tide, course (of the last days), day (the last one), season, driver (another series), persistence")
    name: str = Field(description="The driver's; empty for other codes.")
    effect: float = Field(description="How much higher the expected value at `lead` is than had it not been known [g/L].")
    lead: int
    text: dict[str, str] = Field(description="In Vietnamese and English.")


class ForecastShape(BaseModel):
    """One issue: arrays by lead, in rising order. `issued_at` is null and the arrays are empty where nothing was issued yet."""

    station: str
    point: str
    target: str
    issued_at: str | None
    model: str | None
    version: str | None
    data_until: str | None = Field(description="When the newest reading it used had arrived.")
    inputs: str | None = Field(description="Hash of what the model saw.")
    unit: str
    leads: list[int]
    times: list[str] = Field(description="Start of each interval.")
    q05: list[float]
    q25: list[float]
    q50: list[float]
    q75: list[float]
    q95: list[float]
    p_gt: dict[str, list[float | None]] = Field(
        description="The chance to be over 0.5, 1, 2 and 4 g/L, and over the limit asked for; null where not sound. Scored at lines and crops' limits only."
    )
    reasons: list[ReasonShape] = Field(description="What moved it most, the strongest first.")
    missing: list[str] = Field(description="Drivers it would have used and that were silent; they make it less certain.")
    fresh: bool = Field(description="Whether anything may be told of it now: no older than the verdict lets a forecast be. Pages tell of no other.")


class ForecastList(BaseModel):
    """A page of issues, oldest first: the record, never changed afterwards."""

    items: list[ForecastShape]
    next: str | None


def forecast_shape(f: Forecast | None, *, station: str, point: str, target: str, fresh: bool, limit: float | None = None) -> ForecastShape:
    """The JSON of an issue, `fresh` where the situation believes it; None is one that does not exist yet. With the chance to be over `limit` [g/L] too."""
    p_gt: dict[str, list[float | None]] = {f"{line:g}": [] if f is None else [row[i] for row in f.p_gt] for i, line in enumerate(LINES)}
    if limit is not None and limit not in LINES:
        chances = [] if f is None else [f.exceedance(i, limit) for i in range(len(f.leads))]
        p_gt[f"{limit:g}"] = [p if math.isfinite(p) else None for p in chances]
    return ForecastShape(
        station=station,
        point=point,
        target=target,
        issued_at=None if f is None else rfc3339(f.issued_at),
        model=None if f is None else f.model,
        version=None if f is None else f.version,
        data_until=None if f is None else rfc3339(f.data_until),
        inputs=None if f is None else f.inputs,
        unit=UNIT,
        leads=[] if f is None else list(f.leads),
        times=[] if f is None else [rfc3339(t) for t in f.times],
        **{f"q{round(100 * q):02d}": [] if f is None else [row[i] for row in f.quantiles] for i, q in enumerate(QUANTILES)},
        p_gt=p_gt,
        reasons=[] if f is None else [_reason(r) for r in f.reasons],
        missing=[] if f is None else list(f.missing),
        fresh=fresh,
    )


def _reason(r: Reason) -> ReasonShape:
    return ReasonShape(code=r.code, name=r.name, effect=r.effect, lead=r.lead, text={lang: reason_text(r, lang) for lang in LANGUAGES})
