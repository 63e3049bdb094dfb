"""An alert in words: made from its facts when somebody reads it, per language. Measured and forecast stay separate sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.alert import Alert, AlertEvent
from core.bands import band
from core.place import MAIN, Station
from core.texts import age, number, say, silence, texts

HOUR_MS = 3_600_000
STALE_MS = 6 * HOUR_MS  # the longest `stale_after` there is: beyond it a measured value is old at every station


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertText:
    """What a person reads. `title` says what to do, `facts` are whole sentences, `summary` is all of it in one line."""

    title: str
    place: str
    facts: tuple[str, ...]
    summary: str


def text(alert: Alert, *, station: Station, lang: str, now: int) -> AlertText:
    """The alert in `lang` (vi, en) as it stands at `now` [ms]; times are the station's."""
    where = place(alert, station, lang)
    if alert.state == "cleared":
        facts = _cleared(alert, station, lang, now)
        title = facts[0].rstrip(".")
        shown: tuple[str, ...] = facts[1:]
    else:
        title = say(lang, f"verdict.{action(alert)}") if alert.kind in ("observed", "forecast") and alert.level else say(lang, "unknown")
        shown = _facts(alert, station, lang, now)
    return AlertText(title=title, place=where, facts=shown, summary=" ".join([f"{where}: {sentence(title)}", *shown]))


def event_text(event: AlertEvent, alert: Alert, *, station: Station, lang: str, named: bool = False) -> str:
    """One line of the alert's history, without its time; `named` says who read it (for officers only)."""
    if event.kind == "acknowledged":
        return sentence(say(lang, "alert.event.acknowledged.by", name=event.actor) if named and event.actor else say(lang, "alert.event.acknowledged"))
    line = sentence(say(lang, f"alert.event.{event.kind}.{alert.kind}"))
    if alert.kind not in ("observed", "forecast"):
        return line
    facts = [line]
    if event.value is not None and event.time is not None:
        facts.append(_value(alert.kind, event.value, event.time, station, lang, event.at))
    if alert.kind == "forecast" and event.p is not None and alert.line is not None:
        facts.append(_chance(event.p, alert.line, lang))
    return " ".join(facts)


def place(alert: Alert, station: Station, lang: str) -> str:
    """The station's name, with the point as people call it where it is another than `main`."""
    key = f"page.point.{alert.point}"
    point = say(lang, key) if key in texts(lang) else alert.point
    return station.name if alert.point == MAIN else f"{station.name} ({point})"


def sure(p: float, lang: str) -> str:
    """How sure, in parts of ten: never a per cent, never certain. `p` a probability."""
    tenths = min(9, int(p * 10 + 0.5))
    if tenths < 2:
        return say(lang, "alert.sure.hardly")
    if tenths in (2, 5, 8, 9):
        return say(lang, f"sure.{tenths}")
    return say(lang, "alert.sure.of", n=tenths)


def clock_text(time: int, *, station: Station, lang: str, now: int, whole_hour: bool = False) -> str:
    """`7:10` at the station; with the date on another day, and the year in another year. `whole_hour`: `9 giờ`, `9:00`."""
    zone = ZoneInfo(station.timezone)
    then, today = datetime.fromtimestamp(time / 1000, zone), datetime.fromtimestamp(now / 1000, zone)
    shown = say(lang, "alert.hour", hour=then.hour) if whole_hour and then.minute == 0 else f"{then.hour}:{then.minute:02d}"
    if then.date() == today.date():
        return shown
    key = "alert.day" if then.year == today.year else "alert.day.year"
    return say(lang, key, time=shown, day=then.day, month=say(lang, f"month.{then.month}"), year=then.year)


def sentence(words: str) -> str:
    """With its full stop."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def line_text(line: float, lang: str) -> str:
    """A line as people write it: `4 g/L`, `0,5 g/L`."""
    return number(line, 0 if line == int(line) else 1, lang, unit="g/L")


def action(alert: Alert) -> int:
    """What to do goes by the line, and by the measured value where that is worse: 3 g/L over the line of 1 is no water to wait for."""
    return max(alert.level, band(alert.value)) if alert.kind == "observed" and alert.value is not None else alert.level


def _facts(alert: Alert, station: Station, lang: str, now: int) -> tuple[str, ...]:
    if alert.kind == "silent":
        return (_silence(alert, lang, now),)
    if alert.kind == "fault":
        return (say(lang, "alert.fault"),)
    facts: list[str] = []
    if alert.value is not None and alert.time is not None:
        facts.append(_value(alert.kind, alert.value, alert.time, station, lang, now))
    if alert.kind == "forecast":
        if alert.p is not None and alert.line is not None:
            facts.append(_chance(alert.p, alert.line, lang))
        return tuple(facts)
    if alert.line is not None:
        key = "alert.line.still" if alert.value is not None and alert.value < alert.line else "alert.line"
        facts.append(sentence(say(lang, key, line=line_text(alert.line, lang))))
    if alert.time is not None and now - alert.time > STALE_MS:
        facts.append(say(lang, "stale", age=age(now - alert.time, lang)))
    return tuple(facts)


def _cleared(alert: Alert, station: Station, lang: str, now: int) -> tuple[str, ...]:
    """It is over; whether water may be taken now the verdict says, not we."""
    if alert.line is None:
        return (sentence(say(lang, f"alert.event.cleared.{alert.kind}")),)
    if alert.kind == "forecast":  # nothing was measured: that it is under the line nobody can say
        return (sentence(say(lang, "alert.event.cleared.forecast")), say(lang, "alert.cleared.see"))
    facts = [sentence(say(lang, "alert.cleared", line=line_text(alert.line, lang)))]
    if alert.value is not None and alert.time is not None:
        facts.append(_value(alert.kind, alert.value, alert.time, station, lang, now))
    return (*facts, say(lang, "alert.cleared.see"))


def _value(kind: str, value: float, time: int, station: Station, lang: str, now: int) -> str:
    key, whole_hour = ("forecast", True) if kind == "forecast" else ("measured", False)
    at = clock_text(time, station=station, lang=lang, now=now, whole_hour=whole_hour)
    return sentence(say(lang, key, value=number(value, 1, lang, unit="g/L"), time=at))


def _chance(p: float, line: float, lang: str) -> str:
    return sentence(say(lang, "alert.chance", line=line_text(line, lang), sure=sure(p, lang)))


def _silence(alert: Alert, lang: str, now: int) -> str:
    silent = sentence(silence(now - alert.time if alert.time is not None else 0, lang))
    return silent if alert.value is None else f"{silent} {say(lang, 'alert.silent.last', value=number(alert.value, 1, lang, unit='g/L'))}"
