"""Why a number may be believed or not: its age, its checks, who measured it, by which rules it was judged; and all points of a station."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analytics.record import LineRecord, records
from api.web.history import Check, History
from api.web.words import ago, clock, local, value_text
from core.bands import LINES, band
from core.flags import GIVEN_BITS, Flag
from core.forecast import Forecast
from core.place import Station
from core.quantities import QUANTITIES
from core.reasons import model_word
from core.record import Score
from core.texts import number, say, texts
from quality.rules import TESTS
from registry.situation import SALINITY, Reading, Situation

UNITS = {"Cel": "°C", "[pH]": "", "{NTU}": "NTU", "m3/m3": "m³/m³", "m3/s": "m³/s", "deg": "°", "1": "", "mm": "mm"}  # UCUM as people write it
BITS = {**GIVEN_BITS, **{name: test.bit for name, test in TESTS.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One reason: its icon, and its words. `time` [ms] where the age in them, `ago`, grows.

    `good_for` [ms] is how long after that the icon may stand.
    """

    icon: str
    text: str
    time: int | None = None
    ago: str = ""
    good_for: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """The newest judged value of one quantity at one point, whatever its flag; `band` only of salinity that is good and fresh.

    `good_for` [ms] is how long after it was measured it stays so.
    """

    point: str
    quantity: str
    value: str
    band: int | None
    good_for: int | None
    time: int
    ago: str
    flag: str


def shown(reading: Reading) -> Reading:
    """The series with the newest reading that is judged in the place of one that only waits for the judge: the verdict speaks of that one."""
    if reading.flag != Flag.NOT_EVALUATED or reading.judged is None:
        return reading
    return replace(reading, newest=reading.judged)


def trust(situation: Situation, reading: Reading, past: History, beside: Sequence[Check], *, now: int, lang: str, timezone: str) -> list[Line]:
    """The reasons, the most telling first; of the reading the verdict speaks of. A tick only at what is good, and fresh."""
    reading = shown(reading)
    newest = reading.newest
    since = ago(newest.time, now, lang)
    age = say(lang, "page.trust.age", time=clock(newest.time, timezone), ago=since)
    if reading.interval_s:
        age = f"{age} {say(lang, 'page.trust.interval', minutes=f'{reading.interval_s / 60:g}')}"
    lines = [Line(icon="clock", text=age, time=newest.time, ago=since), _checked(situation, reading, past, now, lang)]
    for check in beside:
        told = ago(check.last.time, now, lang)
        lines.append(Line(icon="gauge", text=say(lang, "page.trust.check", value=value_text(check.last.value, lang), ago=told), time=check.last.time, ago=told))
    forecast = situation.forecast(reading.station, reading.point)
    if forecast is None or not situation.believes(forecast, now):
        lines.append(Line(icon="river", text=f"{say(lang, 'sure.none')}."))
    else:
        told = ago(forecast.issued_at, now, lang)  # it may be of yesterday: an hour alone would read as today's
        words = {"time": clock(forecast.issued_at, timezone), "ago": told, "model": model_word(forecast.model, lang)}
        lines.append(Line(icon="river", text=say(lang, "page.trust.forecast", **words), time=forecast.issued_at, ago=told))
    approved = situation.risk.approved_by
    lines.append(Line(icon="lock", text=say(lang, "page.trust.config" if approved else "page.trust.config.none", by=approved)))
    return lines


def technical(situation: Situation, reading: Reading, beside: Sequence[Check], days: Forecast | None, *, now: int, lang: str) -> list[str]:
    """What only who looks after sensors and models asks: their names, versions and hashes. `days`: the issue of days that is told of."""
    found = [_sensor(situation, shown(reading).sensor, lang), *(say(lang, "page.technical.check", sensor=check.sensor) for check in beside)]
    hours = situation.forecast(reading.station, reading.point)
    for key, issue in (("hours", hours if hours is not None and situation.believes(hours, now) else None), ("days", days)):
        if issue is not None:
            found.append(say(lang, f"page.technical.{key}", model=model_word(issue.model, lang), version=issue.version))
    return [*found, say(lang, "page.technical.config", hash=situation.risk.hash or "–")]


DRY_SEASON = 12  # the month it begins in


def season(now: int, timezone: str) -> int:
    """The month the last dry season began in, as `core.record.Score.month` has it: 202512."""
    today = local(now, timezone)
    return (today.year if today.month >= DRY_SEASON else today.year - 1) * 100 + DRY_SEASON


def record_line(scores: Iterable[Score], *, lang: str) -> Line:
    """How often what was said one day ahead of the line 1 g/L came true; honest where that is little, or was easy. `scores` are of one point.

    Never with a tick: the number says how good it is.
    """
    pooled = records(replace(s, model="") for s in scores)
    line: LineRecord | None = pooled[0].lines[LINES.index(1.0)] if pooled else None
    if line is None or not line.n:
        return Line(icon="river", text=say(lang, "trust.record.none"))
    if line.right is None:
        return Line(icon="river", text=say(lang, "trust.record.few", n=line.n))
    text = say(lang, "trust.record", right=number(100 * line.right, 0, lang), n=line.n)
    easy = "trust.record.fresh" if not line.events else "trust.record.salty" if line.events == line.n else ""
    return Line(icon="river", text=f"{text} {say(lang, easy)}" if easy else text)


def points(situation: Situation, station: Station, *, now: int, lang: str) -> list[PointRow]:
    """All that the station measures, salinity first."""
    found = sorted(situation.readings(station.id), key=lambda r: (r.quantity != SALINITY, r.quantity.startswith("device."), r.point, r.quantity))
    return [_row(situation, r, now, lang) for r in found]


def point_word(point: str, lang: str) -> str:
    """A point as people call it; its own name where we have no word."""
    key = f"page.point.{point}"
    return say(lang, key) if key in texts(lang) else point


def _row(situation: Situation, r: Reading, now: int, lang: str) -> PointRow:
    r = shown(r)
    known = QUANTITIES.get(r.quantity)
    is_salinity = r.quantity == SALINITY
    unit = UNITS.get(known.unit, known.unit) if known is not None else ""
    value = value_text(r.newest.value, lang) if is_salinity else number(r.newest.value, known.decimals if known is not None else 2, lang, unit=unit)
    sound = is_salinity and situation.is_sound(r, now)
    label = (known.vi if lang == "vi" else known.en) if known is not None else r.quantity
    return PointRow(
        point=point_word(r.point, lang),
        quantity=label,
        value=value,
        band=band(r.newest.value) if sound else None,
        good_for=_fresh_for(situation, r) if sound else None,
        time=r.newest.time,
        ago=ago(r.newest.time, now, lang),
        flag=say(lang, f"flag.{int(r.flag)}"),
    )


def _checked(situation: Situation, reading: Reading, past: History, now: int, lang: str) -> Line:
    bits = past.bits(reading.newest.time)
    names = [name for name, bit in sorted(BITS.items(), key=lambda b: b[1]) if bits >> bit & 1]
    tests = ", ".join(say(lang, f"page.test.{n}") if f"page.test.{n}" in texts(lang) else n for n in names)
    word = say(lang, f"flag.{int(reading.flag)}")
    text = say(lang, "page.trust.because", flag=word, tests=tests) if tests else say(lang, "page.trust.flag", flag=word)
    if not situation.is_sound(reading, now):
        return Line(icon="gauge", text=text)
    return Line(icon="check", text=text, time=reading.newest.time, good_for=_fresh_for(situation, reading))


def _fresh_for(situation: Situation, reading: Reading) -> int:
    return situation.risk.stale_after_ms(reading.interval_s or situation.risk.interval_s)


def _sensor(situation: Situation, sensor: str, lang: str) -> str:
    device = situation.directory.device(sensor.partition("/")[0])
    words = say(lang, "page.technical.sensor", sensor=sensor)
    return f"{words} {say(lang, 'page.technical.model', model=device.model)}" if device is not None and device.model != "native" else words
