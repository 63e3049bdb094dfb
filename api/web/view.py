"""A station as a card: the one verdict it has, in words, colour and shape. Nothing here decides what the verdict is."""

from __future__ import annotations

from dataclasses import dataclass

from api.web.hours_words import span
from api.web.words import ago, band_word, clock, hour_words, local, sure_key, value_text, value_words
from core.alert import Alert
from core.outlook import Outlook
from core.place import Station
from core.state import Latest
from core.texts import age, say, silence
from core.verdict import Verdict
from registry.situation import SALINITY, Reading, Situation

WORDS = {"take": 0, "measure": 1, "wait": 2, "stop": 3}  # the text verdict.N and the traffic sign of a verdict
GRAVEST = ("stop", "wait", "measure", "take", "unknown")
BAD = (3, 4, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a verdict card or row shows. `ground` is the colour: a band, or None for the hatch; `sign` the shape of the verdict.

    `good_for` [ms] is how much longer, from `as_of` on, the verdict may be shown without a word from the server; None where it
    says nothing that could become untrue.
    """

    station: Station
    verdict: Verdict
    ground: int | None
    sign: int | str
    title: str
    detail: str
    until: str
    value: str
    spoken: str
    word: str
    measured: str
    ago: str
    why: str
    note: str
    chance: str
    source: str
    good_for: int | None
    last: Latest | None
    alert: Alert | None


def card(situation: Situation, station: Station, now: int, lang: str, *, limit: float | None = None, alerts: list[Alert] | None = None) -> Card:
    """The station's card at `now` [ms] by `limit` [g/L]. Raises ValueError for a limit that is none."""
    v = situation.verdict(station.id, now, limit=limit)
    of = situation.source_of(station.id)
    reading = _reading(situation, of)
    last = _last(reading, v)
    zone = station.timezone
    number = _number(v)
    title, detail = _words(v, number, lang)
    coming = situation.outlook(station.id, v, now) if number is not None else None
    pump = _runs_until(situation, station, v, now) if coming is not None and coming.kind == "ends" else now
    source = situation.directory.station(of) if of != station.id else None
    return Card(
        station=station,
        verdict=v,
        ground=v.band if number is not None else None,
        sign=number if number is not None else "stale" if v.reason == "stale" else "unknown",
        title=title,
        detail=detail,
        until=_until(coming, pump, now, zone, lang),
        value=value_text(last.value, lang, unit="") if last is not None else "",
        spoken=value_words(last.value, lang) if last is not None else "",
        word=band_word(v.band, lang) if v.band is not None else "",
        measured=_at(last.time, now, zone) if last is not None else "",
        ago=ago(last.time, now, lang) if last is not None else "",
        why=_why(v, last, now, lang),
        note=say(lang, "sure.none") if v.reason == "no_forecast" else "",
        chance=_chance(situation, v, lang),
        source=say(lang, "page.source", place=source.name) if source is not None else "",
        good_for=_good_for(situation, reading, v, coming) if number is not None else None,
        last=last,
        alert=alerts[0] if alerts else None,
    )


def gravity(c: Card) -> tuple[int, float, str]:
    """For sorting: what people must know first stands first."""
    return (GRAVEST.index(c.verdict.verdict), -(c.last.value if c.last is not None else 0.0), c.station.name)


def title_of(text: str) -> tuple[str, str]:
    """What to do, and the sentence that adds to it: `Đừng lấy nước. Tưới bằng nước đã trữ.` in two."""
    first, _, rest = text.rstrip(".").rpartition(". ")
    return (first, f"{rest}.") if first else (text.rstrip("."), "")


def where(situation: Situation, station: Station, lang: str) -> str:
    """`Sông Cái Lớn · cách biển 57 km`; how far only where it is told to everybody."""
    known = situation.directory.waterway(station.waterway)
    parts = [known.name if known is not None else ""]
    if station.km is not None and not station.intake:
        parts.append(say(lang, "page.km", km=f"{station.km:.0f}"))
    return " · ".join(part for part in parts if part)


def _number(v: Verdict) -> int | None:
    """Of the text and the sign; None for a verdict that is unknown, or that we do not know: never taken for one that allows."""
    if v.verdict == "stop" and v.band == 4:
        return 4
    return WORDS.get(v.verdict) if v.band is not None else None


def _words(v: Verdict, number: int | None, lang: str) -> tuple[str, str]:
    if number is not None:
        return title_of(say(lang, f"verdict.{number}"))
    return (say(lang, "page.stale"), "") if v.reason == "stale" else (say(lang, "unknown"), "")


def _runs_until(situation: Situation, station: Station, v: Verdict, now: int) -> int:
    """The end of the hours to pump that run now [ms]; `now` where none do."""
    return max((w.end for w in situation.windows(station.id, now, limit=v.limit).windows if w.start <= now), default=now)


def _until(coming: Outlook | None, pump: int, now: int, zone: str, lang: str) -> str:
    """What the hours ahead bring, under what to do now.

    What may be taken ends where salt is in sight; the hours to pump go on to `pump` [ms], where it comes. Between the two nobody is told to stop,
    but to measure.
    """
    if coming is None:
        return ""
    if coming.end is not None:
        return say(lang, "until.window", when=str(span(coming.start, coming.end, now, zone, lang, until=coming.until)))
    kind = "measure" if coming.kind == "ends" and pump > coming.start else coming.kind
    key = "until" if kind == "ends" else f"until.{kind}"
    return say(lang, key, when=hour_words(coming.start, now, zone, lang))


def _reading(situation: Situation, of: str) -> Reading | None:
    point = situation.verdict_point(of)
    return situation.reading(of, point, SALINITY) if point is not None else None


def _last(reading: Reading | None, v: Verdict) -> Latest | None:
    """The reading the verdict speaks of; of what is bad the last good one."""
    if reading is None:
        return None
    last = reading.judged or reading.newest
    return reading.good if last.flag in BAD or v.reason in ("suspect", "fault") else last


def _at(time: int, now: int, zone: str) -> str:
    """`7:10`, with the date where that was another day."""
    then, today = local(time, zone), local(now, zone)
    shown = clock(time, zone)
    return shown if then.date() == today.date() else f"{shown} {then.day}/{then.month}"


def _why(v: Verdict, last: Latest | None, now: int, lang: str) -> str:
    """Why nothing may be said, in one sentence without the age."""
    match v.reason:
        case "silent" if v.as_of is not None:
            return silence(now - v.as_of, lang)
        case "stale" if last is not None:
            return say(lang, "stale", age=age(now - last.time, lang))
        case "suspect" | "fault" | "no_data":
            return say(lang, f"page.why.{v.reason}")
        case _:
            return ""


def _chance(situation: Situation, v: Verdict, lang: str) -> str:
    """How likely the coming hours pass the limit, in parts of ten; nothing where the water is over it already and they were said not to: it is refuted."""
    if v.p is None or (v.verdict in ("wait", "stop") and v.p < situation.risk.wait_p):
        return ""
    sure = say(lang, sure_key(v.p)).rstrip(".")
    return say(lang, "page.chance", limit=limit_text(v.limit, lang), hours=f"{situation.risk.ahead_h:g}", sure=sure)


def limit_text(limit: float, lang: str) -> str:
    """`0,5 g/L`, `1 g/L`."""
    return f"{limit:g}".replace(".", "," if lang == "vi" else ".") + "\u00a0g/L"


def _good_for(situation: Situation, reading: Reading | None, v: Verdict, coming: Outlook | None) -> int | None:
    """How long after its reading a page that hears nothing new may go on saying this [ms]."""
    if reading is None or v.as_of is None:
        return None
    risk = situation.risk
    fresh = risk.stale_after_ms(reading.interval_s or risk.interval_s)
    ends = [v.as_of + fresh]
    if v.until is not None and v.verdict not in ("stop", "wait"):  # a warning that lasts too long harms nobody
        ends.append(v.until)
    if coming is not None and coming.end is not None:
        ends.append(coming.end)
    issue = situation.forecast(reading.station, reading.point)
    if issue is not None and (v.verdict == "take" or coming is not None):
        ends.append(situation.told_until(issue))
    return min(ends) - v.as_of
