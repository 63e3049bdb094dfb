"""What a page says of the hours to pump, and of opening and shutting a sluice. The hours are those of `core.window`; nothing here finds any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from api.web.hours_words import Span, span, upper
from api.web.words import hour_words, plain, value_text
from core.forecast import HOUR_MS
from core.place import Station
from core.sluice import INSIDE, OPEN, OUTSIDE, Side, Sluice
from core.texts import say
from core.tide import Port, port_of_zone, shipped_ports
from core.verdict import UNIT
from core.window import AHEAD_H, KNOWN, Windows, tenths
from registry.situation import SALINITY, Situation

SHOWN = 8  # rows; the others stand folded
OPENINGS = 3
LIKELY = 0.5  # an opening of a sluice that is less sure is not told
SEAS = {"vung_tau": "Biển Đông"}  # the sea a port lies on: on the other one low water comes at other times


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """One window in words: `part` of the day and `hours`; how sure in tenths and in words."""

    part: str
    hours: str
    tenths: int
    sure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumping:
    """The windows of a station as its page shows them. `nothing` says why there are none; `is_unknown`: because nobody knows the water.

    `as_of`, `good_for` [ms]: how long a page that hears nothing new may go on showing them, as `api.web.view.Card` has it.
    """

    rows: tuple[WindowRow, ...]
    folded: tuple[WindowRow, ...]
    nothing: str
    is_unknown: bool
    how: str
    as_of: int | None
    good_for: int | None


def pumping(situation: Situation, w: Windows, of: str, *, now: int, timezone: str, lang: str) -> Pumping:
    """`w` of the station `of`, or of the field that takes its water there."""
    rows = tuple(row(w, i, now=now, timezone=timezone, lang=lang) for i in range(len(w.windows)))
    limit = plain(w.verdict.limit, lang, unit=UNIT)
    point = situation.verdict_point(of)
    as_of, good_for = lasts(situation, of, (point,), w.windows[0].end) if point is not None and w.windows else (None, None)
    return Pumping(
        rows=rows[:SHOWN],
        folded=rows[SHOWN:],
        nothing=_nothing(w, now, limit, lang),
        is_unknown=w.verdict.verdict not in KNOWN,
        how=say(lang, "window.how", limit=limit, n=tenths(w.promised)),
        as_of=as_of,
        good_for=good_for,
    )


def row(w: Windows, i: int, *, now: int, timezone: str, lang: str) -> WindowRow:
    """The i-th window."""
    window = w.windows[i]
    when = span(window.start, window.end, now, timezone, lang, until=w.until)
    sure = tenths(window.p)
    return WindowRow(
        part=upper(when.part),
        hours=when.hours if when.part else upper(when.hours),
        tenths=sure,
        sure=say(lang, "window.of_ten", n=sure),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpLine:
    """The next window of a station in one line, `chiều nay 14–18 giờ`, and how sure; `as_of`, `good_for` as in `Pumping`."""

    when: Span
    sure: str
    as_of: int | None
    good_for: int | None


def pump_line(situation: Situation, station: Station, *, now: int, lang: str) -> PumpLine | None:
    """By the installation's limit, as the card beside it; None where there is no window."""
    w = situation.windows(station.id, now)
    of = situation.source_of(station.id)
    point = situation.verdict_point(of)
    if not w.windows or point is None:
        return None
    window = w.windows[0]
    as_of, good_for = lasts(situation, of, (point,), window.end)
    when = span(window.start, window.end, now, station.timezone, lang, until=w.until)
    return PumpLine(when=when, sure=say(lang, "window.of_ten", n=tenths(window.p)), as_of=as_of, good_for=good_for)


def lasts(situation: Situation, of: str, points: tuple[str, ...], until: int) -> tuple[int | None, int | None]:
    """`as_of` and how much longer [ms]: until a reading at one of the points is stale or its forecast too old, and not beyond `until` [ms]."""
    risk = situation.risk
    seen, ends = [], [until]
    for point in points:
        reading, issue = situation.reading(of, point, SALINITY), situation.forecast(of, point)
        if reading is None or reading.judged is None or issue is None:
            return None, None
        seen.append(reading.judged.time)
        ends.append(reading.judged.time + risk.stale_after_ms(reading.interval_s or risk.interval_s))
        ends.append(situation.told_until(issue))
    return min(seen), min(ends) - min(seen)


def _nothing(w: Windows, now: int, limit: str, lang: str) -> str:
    if w.windows:
        return ""
    if w.verdict.verdict not in KNOWN:
        return f"{say(lang, 'unknown')}."
    if w.reason == "no_forecast":
        return say(lang, "window.no_forecast")
    key = "window.nothing" if w.verdict.verdict == "stop" else "window.nothing.measure"  # the others bid to measure, and then to take
    return say(lang, key, hours=_hours_ahead(w.until, now), limit=limit)


def _hours_ahead(until: int | None, now: int) -> int:
    """How many hours were looked at, the one that runs among them."""
    return AHEAD_H if until is None else max(1, (until - (now - now % HOUR_MS)) // HOUR_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One time to open a sluice, in words: `title` (with `hours` that stay on one line, empty where they are too long for that), how sure and
    with what water, and what to do.
    """

    title: str
    hours: str
    why: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What an officer reads of a sluice: the openings, or `nothing` to tell and why. `as_of`, `good_for` as in `Pumping`."""

    openings: tuple[Opening, ...]
    folded: tuple[Opening, ...]
    nothing: str
    how: str
    as_of: int | None
    good_for: int | None


def gate(situation: Situation, found: Sluice, of: str, *, limit: float, now: int, timezone: str, lang: str) -> Gate:
    """The openings that are likely enough, each with the moment to shut again where the forecast shows it."""
    sure = [side for side in found.sides if side.better == OPEN and side.p >= LIKELY]
    nothing = ""
    if found.reason != "ok":
        nothing = say(lang, "sluice.unknown")
    elif not sure:
        until = found.sides[-1].end if found.sides else None
        nothing = say(lang, "sluice.none", hours=_hours_ahead(until, now), limit=plain(limit, lang, unit=UNIT))
    openings = tuple(_opening(side, now, timezone, lang) for side in sure)
    as_of, good_for = lasts(situation, of, (INSIDE, OUTSIDE), sure[0].end) if sure else (None, None)
    return Gate(openings=openings[:OPENINGS], folded=openings[OPENINGS:], nothing=nothing, how=say(lang, "sluice.how"), as_of=as_of, good_for=good_for)


def _opening(side: Side, now: int, timezone: str, lang: str) -> Opening:
    when = span(side.start, side.end, now, timezone, lang)
    values = {"outside": value_text(side.outside, lang), "inside": value_text(side.inside, lang)}
    return Opening(
        title=say(lang, "sluice.open", when=when.part or when.hours).strip(),
        hours=when.hours if when.part else "",
        why=say(lang, "sluice.fresher", n=tenths(side.p), **values),
        do=say(lang, "sluice.shut", when=hour_words(side.end, now, timezone, lang)) if side.turns else "",
    )


def port_for(situation: Situation, station: Station) -> Port | None:
    """The port whose tide is drawn for a station: of its time zone, and on the sea its waterway opens to; None where that is not known."""
    port = port_of_zone(station.timezone, _ports())
    waterway = situation.directory.waterway(station.waterway)
    if waterway is not None and not waterway.sea and waterway.joins:  # a canal has the tide of the river its kilometres begin at
        waterway = situation.directory.waterway(waterway.joins[0].waterway)
    return port if port is not None and waterway is not None and waterway.sea == SEAS.get(port.id) else None


@cache
def _ports() -> tuple[Port, ...]:
    return shipped_ports()
