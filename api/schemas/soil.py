"""Crops, and what is known of the soil of a field."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field

from analytics import ground
from analytics.crops import FIGURES, Crop, Crops, Stage
from analytics.field import Probe
from analytics.figure import Figure
from analytics.history import Floats
from analytics.soil_advice import words
from api.field import Course, Soil
from api.schemas.stations import VerdictShape
from core import verdict as rule
from core.clock import rfc3339
from core.texts import LANGUAGES
from core.verdict import UNIT

ECE_UNIT = "dS/m"


class FigureShape(BaseModel):
    """A number and what stands behind it."""

    name: str
    value: float
    unit: str
    source: str
    verified: bool = Field(description="Whether it was held against its source.")
    approved_by: str = Field(description="Who stands behind it; empty: *chưa được duyệt*, nobody.")


class StageShape(BaseModel):
    """A stage of growth."""

    id: str
    vi: str
    en: str
    sensitive: bool = Field(description="Whether salt does more harm in it than in others.")
    source: str
    threshold: FigureShape | None = Field(description="Its own, where it has one.")


class CropShape(BaseModel):
    """A crop: what salt does to it."""

    id: str
    vi: str
    en: str
    figures: list[FigureShape]
    stages: list[StageShape]


class CropList(BaseModel):
    """Every crop of `crops.toml`."""

    items: list[CropShape]
    approved_by: str = Field(description="Who stands behind the file; empty: *chưa được duyệt*, nobody.")
    hash: str


class DepthShape(BaseModel):
    """One depth: ECe of each local day, from and to. `quantity` is what it was computed from, null where no good reading tells it."""

    point: str
    depth_m: float | None
    quantity: str | None
    newest: str | None = Field(description="When its newest good and judged reading was measured.")
    days: list[str] = Field(description="Start of each local day.")
    low: list[float]
    high: list[float]


class RootZoneShape(BaseModel):
    """ECe of the crop's root zone now, from and to; null where it is not known: no depth, or a `silent` one."""

    depth_m: float
    low: float | None
    high: float | None
    time: str | None = Field(description="Of the oldest of the readings it rests on.")
    silent: list[str] = Field(description="Points in the root zone without a good and fresh reading.")


class WaterDaysShape(BaseModel):
    """The coming local days of the water the field takes, from the forecasts of their highest and lowest."""

    limit: float | None = Field(description="The crop's limit of irrigation water.")
    unit: str
    issued_at: str | None
    model: str | None
    version: str | None
    days: list[str]
    low: list[float] = Field(description="5 % quantile of the day's lowest.")
    freshest: list[float] = Field(description="95 % quantile of the day's lowest; that of its highest where no forecast of the lowest is there.")
    high: list[float] = Field(description="95 % quantile of the day's highest.")
    p_above_limit: list[float | None] = Field(
        description="The chance that the day's highest is above the limit; scored as `day_max`, 1, 3, 7 and 14 days ahead."
    )
    p_always_above: list[float | None] = Field(description="The chance that its lowest is: no hour under it; scored as `day_min`, likewise.")


class CourseShape(BaseModel):
    """ECe and loss of yield at the end of each day of `water`, from and to, if each day so much is watered as the crop uses; null: all there can be."""

    leaching: float = Field(description="Share of that water that drains.")
    low: list[float]
    high: list[float | None]
    loss_low: list[float] | None
    loss_high: list[float] | None


class AdviceShape(BaseModel):
    """What the soil asks for: leach (only where `verdict` says take), wait, measure or unknown; never whether water may be taken."""

    act: str
    why: str
    loss: list[float] | None = Field(description="Of yield, at least and at most [%].")
    leaching: float | None
    sensitive: bool
    approved: bool
    text: dict[str, list[str]]


class SoilShape(BaseModel):
    """The soil of a station. Without `crop` only `depths` and `water` are told."""

    station: str
    unit: str
    crop: CropShape | None
    stage: str | None
    depths: list[DepthShape]
    root_zone: RootZoneShape | None
    source: str = Field(description="The station whose water the field takes; itself where it names none.")
    point: str | None
    water: WaterDaysShape | None
    watered: CourseShape | None = Field(description="With water of each day's freshest hour.")
    any_hour: CourseShape | None = Field(description="With water of whichever hour.")
    leached: CourseShape | None = Field(description="As `watered`, with what the advice asks for on top.")
    verdict: VerdictShape | None = Field(description="On that water now, by the crop's limit or the one asked for where that is lower: `advice` rests on it.")
    advice: AdviceShape | None
    assumed: list[FigureShape] = Field(description="What stands in for what nobody measured there.")


def crop_list(crops: Crops) -> CropList:
    """The JSON of all crops."""
    return CropList(items=[crop_shape(c) for c in crops.crops], approved_by=crops.approved_by, hash=crops.hash)


def crop_shape(crop: Crop) -> CropShape:
    """The JSON of a crop."""
    figures = [_figure(name, getattr(crop, name), about.unit) for name, about in FIGURES.items() if getattr(crop, name) is not None]
    return CropShape(id=crop.id, vi=crop.vi, en=crop.en, figures=figures, stages=[_stage(s) for s in crop.stages])


def soil_shape(soil: Soil, rules: Crops) -> SoilShape:
    """The JSON of what is known of a station's soil."""
    bottom = soil.crop.root_depth.value if soil.crop is not None else 0.0
    return SoilShape(
        station=soil.station.id,
        unit=ECE_UNIT,
        crop=None if soil.crop is None else crop_shape(soil.crop),
        stage=soil.stage,
        depths=[_depth(p) for p in soil.probes],
        root_zone=None
        if soil.now is None
        else RootZoneShape(
            depth_m=bottom,
            low=None if soil.now.time is None else round(soil.now.ece[0], 3),
            high=None if soil.now.time is None else _finite(soil.now.ece[1]),
            time=None if soil.now.time is None else rfc3339(soil.now.time),
            silent=list(soil.now.silent),
        ),
        source=soil.source,
        point=soil.point or None,
        water=_water(soil),
        watered=_course(soil.watered),
        any_hour=_course(soil.any_hour),
        leached=_course(soil.leached),
        verdict=None if soil.verdict is None else VerdictShape.model_validate(rule.shape(soil.verdict)),
        advice=_advice(soil),
        assumed=[_figure(name, getattr(rules.ground, name), about.unit) for name, about in ground.FIGURES.items()],
    )


def _figure(name: str, figure: Figure, unit: str) -> FigureShape:
    return FigureShape(name=name, value=figure.value, unit=unit, source=figure.source, verified=figure.verified, approved_by=figure.approved_by)


def _stage(stage: Stage) -> StageShape:
    own = None if stage.threshold is None else _figure("threshold", stage.threshold, FIGURES["threshold"].unit)
    return StageShape(id=stage.id, vi=stage.vi, en=stage.en, sensitive=stage.is_sensitive, source=stage.source, threshold=own)


def _depth(p: Probe) -> DepthShape:
    return DepthShape(
        point=p.point,
        depth_m=p.depth,
        quantity=p.quantity or None,
        newest=None if p.newest is None else rfc3339(p.newest),
        days=[rfc3339(t) for t in p.days.tolist()],
        low=_rounded(p.ece.low),
        high=_rounded(p.ece.high),
    )


def _water(soil: Soil) -> WaterDaysShape | None:
    water, issued = soil.water, soil.issued
    if water is None or issued is None:
        return None
    return WaterDaysShape(
        limit=None if soil.crop is None else soil.crop.water_limit.value,
        unit=UNIT,
        issued_at=rfc3339(issued.issued_at),
        model=issued.model,
        version=issued.version,
        days=[rfc3339(t) for t in water.starts.tolist()],
        low=_rounded(water.low),
        freshest=_rounded(water.freshest),
        high=_rounded(water.high),
        p_above_limit=[_finite(p) for p in water.above.tolist()],
        p_always_above=[_finite(p) for p in water.always.tolist()],
    )


def _course(course: Course | None) -> CourseShape | None:
    if course is None:
        return None
    loss = course.loss
    return CourseShape(
        leaching=course.leaching,
        low=_rounded(course.ece.low),
        high=[_finite(x) for x in course.ece.high.tolist()],
        loss_low=None if loss is None else _rounded(loss.low),
        loss_high=None if loss is None else _rounded(loss.high),
    )


def _advice(soil: Soil) -> AdviceShape | None:
    advice = soil.advice
    if advice is None:
        return None
    return AdviceShape(
        act=advice.act,
        why=advice.why.removeprefix("soil.why."),
        loss=None if advice.loss is None else [round(x, 1) for x in advice.loss],
        leaching=advice.leaching,
        sensitive=advice.is_sensitive,
        approved=advice.is_approved,
        text={lang: list(words(advice, lang)) for lang in LANGUAGES},
    )


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def _rounded(column: Floats) -> list[float]:
    return [round(x, 3) for x in column.tolist()]
