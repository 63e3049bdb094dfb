"""The soil of a field in words and as a picture, for its station's page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analytics.crops import Crop, Crops, Stage
from analytics.field import Probe
from analytics.soil_advice import words
from api.field import Soil, has_soil, soil_of
from api.web.ahead import told_for
from api.web.charts.chart import Chart
from api.web.charts.soil import UNIT, Days, soil, span_text
from api.web.moment import Moment
from api.web.trust import Line
from api.web.view import card
from api.web.words import ago, plain
from core.errors import RefusedError, UnavailableError
from core.place import Station
from core.texts import number, say
from core.verdict import UNIT as SALINITY_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One crop or stage to choose."""

    id: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SoilPart:
    """`crop` and its `name` are those chosen; `advice` is what to do, `facts` why and how sure. `away`: the store could not be read.

    `lasts`: as of when, and how much longer [ms], a page that hears nothing new may go on showing this.
    """

    crops: tuple[Choice, ...]
    stages: tuple[Choice, ...]
    crop: str
    name: str
    advice: tuple[str, ...]
    facts: tuple[Line, ...]
    chart: Chart | None
    away: bool = False
    lasts: tuple[int | None, int | None] = (None, None)


async def soil_part(at: Moment, station: Station, *, crop: str | None, stage: str | None, limit: float | None = None) -> SoilPart | None:
    """None for a station that is no field; `limit` [g/L] is that of the verdict shown above it.

    A crop that is not in the file, or a stage it has not, is as none: a link may be old.
    """
    if not has_soil(at.situation, station):
        return None
    backend = at.request.app.state.backend
    rules: Crops = backend.crops()
    chosen = next((c for c in rules.crops if c.id == crop), None)
    of = stage if chosen is not None and stage is not None and stage in [s.id for s in chosen.stages] else None
    crops = tuple(Choice(id=c.id, name=_name(c, at.lang), chosen=c is chosen) for c in rules.crops)
    stages = tuple(Choice(id=s.id, name=_name(s, at.lang), chosen=s.id == of) for s in (chosen.stages if chosen is not None else ()))
    slug, name = (chosen.id, _name(chosen, at.lang)) if chosen is not None else ("", "")
    try:
        found = await soil_of(backend, at.situation, station, at.now, rules=rules, crop=chosen, stage=of, limit=limit)
    except (UnavailableError, RefusedError):
        return SoilPart(crops=crops, stages=stages, crop=slug, name=name, advice=(), facts=(), chart=None, away=True)
    return SoilPart(
        crops=crops,
        stages=stages,
        crop=slug,
        name=name,
        advice=words(found.advice, at.lang) if found.advice is not None else (),
        facts=tuple(_facts(found, rules, at)),
        chart=_chart(found, at) if any(len(p.days) for p in found.probes) or (chosen is not None and found.water is not None) else None,
        lasts=_lasts(found, at),
    )


def _lasts(found: Soil, at: Moment) -> tuple[int | None, int | None]:
    """Washing as long as the verdict behind it may be shown, the days ahead as long as their issue may."""
    ends = []
    for since, more in (_verdict_lasts(found, at), told_for(at.situation, found.issued)):
        if since is not None and more is not None:
            ends.append(since + more)
    return (at.now, min(ends) - at.now) if ends else (None, None)


def _verdict_lasts(found: Soil, at: Moment) -> tuple[int | None, int | None]:
    if found.verdict is None or found.advice is None or found.advice.act != "leach":
        return None, None
    return found.verdict.as_of, card(at.situation, found.station, at.now, at.lang, limit=found.verdict.limit).good_for


def _facts(found: Soil, rules: Crops, at: Moment) -> list[Line]:
    lang = at.lang
    told: list[Line] = []
    if not found.probes:
        told.append(_fact(say(lang, "soil.none")))
    if found.crop is None:
        told.append(_fact(say(lang, "soil.choose")))
        return told
    zone = found.now
    if zone is not None and zone.time is not None:
        span = span_text(*zone.ece, lang, unit=UNIT)
        since = ago(zone.time, at.now, lang)
        root = say(lang, "soil.root", depth=_cm(found.crop.root_depth.value, lang), span=span, ago=since)
        told.append(Line(icon="gauge", text=root, time=zone.time, ago=since))
    if zone is not None and zone.silent:
        told.append(_fact(say(lang, "soil.silent", points=", ".join(_label(p, lang) for p in found.probes if p.point in zone.silent))))
    told += map(_fact, _water(found, lang))
    if found.watered is not None and found.any_hour is not None:
        told.append(_fact(say(lang, "soil.supposed")))
        least, most = (number(float(course.ece.high[-1]), 1, lang, unit=UNIT) for course in (found.watered, found.any_hour))
        if least != most:
            told.append(_fact(say(lang, "soil.any_hour", days=len(found.any_hour.ece.high), most=most)))
    figures = [found.crop.water_limit, found.crop.root_depth, found.crop.slope, found.crop.threshold_at(found.stage)]
    ground = [rules.ground.saturation_least, rules.ground.saturation_most, rules.ground.use_least, rules.ground.use_most]
    if not all(figure.verified for figure in (*figures, *ground) if figure is not None):
        told.append(_fact(say(lang, "soil.unverified")))
    return told


def _fact(words: str) -> Line:
    return Line(icon="gauge", text=words)


def _water(found: Soil, lang: str) -> list[str]:
    if found.crop is None:
        return []
    limit = plain(found.crop.water_limit.value, lang, unit=SALINITY_UNIT)
    known = [p for p in found.water.above.tolist() if math.isfinite(p)] if found.water is not None else []
    if not known:
        return [say(lang, "soil.water.none", limit=limit)]
    least, most = _of_10(min(known), lang), _of_10(max(known), lang)
    key = "soil.water.each" if least == most else "soil.water.above"
    told = [say(lang, key, days=len(known), limit=limit, **({"n": most} if least == most else {"least": least, "most": most}))]
    shut = sum(p >= 0.5 for p in (found.water.always.tolist() if found.water is not None else ()))
    if shut:
        told.append(say(lang, "soil.water.always", days=shut))
    return told


def _chart(found: Soil, at: Moment) -> Chart:
    depths = [Days(name=_label(p, at.lang), starts=p.days.tolist(), low=p.ece.low.tolist(), high=p.ece.high.tolist()) for p in found.probes]
    ahead, chances = None, []
    if found.crop is not None and found.water is not None:
        n = len(found.water.starts)
        low, high = ([0.0] * n, [math.inf] * n) if found.watered is None else (found.watered.ece.low.tolist(), found.watered.ece.high.tolist())
        ahead = Days(name="", starts=found.water.starts.tolist(), low=low, high=high)
        chances = ["–" if not math.isfinite(p) else say(at.lang, "soil.of_ten", n=_of_10(p, at.lang)) for p in found.water.above.tolist()]
    threshold = found.crop.threshold_at(found.stage) if found.crop is not None else None
    bears = threshold.value if threshold is not None else None
    return soil(depths, ahead, chances, now=at.now, threshold=bears, lang=at.lang, timezone=found.station.timezone)


def _label(p: Probe, lang: str) -> str:
    return p.point if p.depth is None else _cm(p.depth, lang)


def _cm(metres: float, lang: str) -> str:
    return number(100 * metres, 0, lang, unit="cm")


def _of_10(p: float, lang: str) -> str:
    """A chance in parts of ten, never as certain."""
    parts = math.floor(10 * p + 0.5)
    return say(lang, "soil.under", n=1) if parts < 1 else say(lang, "soil.over", n=9) if parts > 9 else number(parts, 0, lang)


def _name(of: Crop | Stage, lang: str) -> str:
    return of.vi if lang == "vi" else of.en
