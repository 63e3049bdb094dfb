"""Dates, hours, ages and values as people say them, in both languages. Pure; times in ms since 1970 UTC, zones by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import lunar_vn

from core.bands import band
from core.texts import NBSP, age, number, say

SPRING_DAYS = frozenset((29, 30, 1, 2, 3, *range(14, 19)))  # lunar days of nước rong, traditional
NEAP_DAYS = frozenset((*range(7, 11), *range(21, 26)))  # of nước kém

_VI_UNITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_EN_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_EN_TEENS = (*_EN_UNITS, "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@lru_cache(maxsize=32)
def zone(timezone: str) -> ZoneInfo:
    """A station's zone."""
    return ZoneInfo(timezone)


def local(ms: int, timezone: str) -> datetime:
    """The moment `ms` as the clock on the wall there shows it."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone(timezone))


def clock(ms: int, timezone: str) -> str:
    """`7:10`."""
    then = local(ms, timezone)
    return f"{then.hour}:{then.minute:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateHeader:
    """The line under the name: the day, the lunar day, and `tide` (nước rong, nước kém or nothing)."""

    date: str
    lunar: str
    tide: str

    def __str__(self) -> str:
        return " · ".join(part for part in (self.date, self.lunar, self.tide) if part)


def date_header(ms: int, timezone: str, lang: str) -> DateHeader:
    """`Thứ Năm 5/3 · 17 tháng Giêng · nước rong`."""
    today = local(ms, timezone).date()
    moon = lunar_vn.solar_to_lunar(today)
    month = say(lang, f"lunar.{moon.month}")
    if moon.leap:
        month = say(lang, "lunar.leap", month=month)
    return DateHeader(date=_day(today, lang), lunar=say(lang, "lunar", day=moon.day, month=month), tide=tide_word(today, lang))


def tide_word(day: date, lang: str) -> str:
    """The tide people expect by the moon; nothing on the days between."""
    moon = lunar_vn.solar_to_lunar(day).day
    return say(lang, "tide.spring") if moon in SPRING_DAYS else say(lang, "tide.neap") if moon in NEAP_DAYS else ""


def date_words(ms: int, timezone: str, lang: str) -> str:
    """`Thứ Năm 5/3`, `Thursday 5 March`."""
    return _day(local(ms, timezone).date(), lang)


def full_date(ms: int, timezone: str, lang: str) -> str:
    """`05/03/2026`, `2026-03-05`: for paper, which is read on another day."""
    day = local(ms, timezone).date()
    return say(lang, "date.full", day=f"{day.day:02d}", month=f"{day.month:02d}", year=day.year)


def hour_words(ms: int, now: int, timezone: str, lang: str) -> str:
    """To the nearest hour, as people say it: `14 giờ chiều nay`, `3 giờ sáng mai`, `9 giờ sáng thứ Bảy`; `2 pm today`."""
    then = local(ms + 30 * 60_000, timezone)
    hour = say(lang, f"hour.{then.hour}").replace(" ", NBSP, 1)  # a number never parts from its hour
    days = (then.date() - local(now, timezone).date()).days
    if -1 <= days <= 1:
        return say(lang, ("when.today", "when.tomorrow", "when.yesterday")[days], hour=hour)
    if 1 < days < 7:
        return say(lang, "when.weekday", hour=hour, weekday=say(lang, f"weekday.{then.isoweekday()}"))
    return say(lang, "when.date", hour=hour, day=then.day, month=say(lang, f"month.{then.month}"))


def ago(ms: int, now: int, lang: str) -> str:
    """`3 giờ 40 phút trước`; under a minute, or ahead of us, `vừa mới`."""
    return say(lang, "ago.now") if now - ms < 60_000 else say(lang, "ago", age=age(now - ms, lang))


def value_text(value: float, lang: str, *, unit: str = "g/L") -> str:
    """A salinity [g/L] to a tenth, `3,2 g/L`; to a hundredth where a tenth would read as the next band: 0.47 is fresh, 0.5 is not."""
    tenth = math.isfinite(value) and band(max(round(value, 1), 0.0)) != band(max(value, 0.0))
    return number(value, 2 if tenth else 1, lang, unit=unit)


def may_reach(likely: float, most: float, lang: str) -> str:
    """A sentence of how far a forecast may go beyond its likeliest value [g/L]: that one alone reads as a bound. Nothing where it is the same in words."""
    far = math.isfinite(most) and most > likely and value_text(most, lang) != value_text(likely, lang)
    return say(lang, "chart.most", top=value_text(most, lang)) if far else ""


def plain(limit: float, lang: str, *, unit: str = "") -> str:
    """A limit with as many places as it was given with: `1 g/L`, `0,5 g/L`."""
    shown = f"{limit:g}"
    return number(limit, len(shown.partition(".")[2]), lang, unit=unit)


def value_words(value: float, lang: str) -> str:
    """A salinity [g/L] for speech, to a tenth: `ba phẩy hai gam trên lít`."""
    if not math.isfinite(value):
        return say(lang, "band.unknown")
    if not 0 <= value < 99.95:
        return say(lang, "speech.value", number=number(value, 1, lang))
    whole, tenth = divmod(int(f"{value:.1f}".replace(".", "")), 10)
    spell = _vietnamese if lang == "vi" else _english
    words = spell(whole)
    if tenth:
        words = f"{words} {say(lang, 'speech.point')} {spell(tenth)}"
    return say(lang, "speech.value", number=words)


def band_word(kind: int | Literal["unknown", "stale"], lang: str, *, upper: bool = True) -> str:
    """The word of a band: `Hơi lợ` alone or at a beginning, `hơi lợ` within a sentence."""
    word = say(lang, f"band.{kind}")
    return word[:1].upper() + word[1:] if upper else word[:1].lower() + word[1:]


def sure_key(p: float | None) -> str:
    """The text for a probability, told in parts of ten and never as certain; `sure.none` where there is no forecast."""
    if p is None or not math.isfinite(p):
        return "sure.none"
    parts = math.floor(p * 10 + 0.5)
    for least, key in ((9, "sure.9"), (8, "sure.8"), (7, "sure.7"), (4, "sure.5"), (3, "sure.3"), (2, "sure.2")):
        if parts >= least:
            return key
    return "sure.1"


def midnight(ms: int, timezone: str, days: int = 0) -> int:
    """The start [ms] of the local day `ms` lies in, or of the one `days` after it."""
    day = local(ms, timezone).date() + timedelta(days=days)
    return round(datetime(day.year, day.month, day.day, tzinfo=zone(timezone)).timestamp() * 1000)


def _day(day: date, lang: str) -> str:
    text = say(lang, "date", weekday=say(lang, f"weekday.{day.isoweekday()}"), day=day.day, month=say(lang, f"month.{day.month}"))
    return text[:1].upper() + text[1:]


def _vietnamese(n: int) -> str:
    """0 to 99."""
    tens, unit = divmod(n, 10)
    if tens == 0:
        return _VI_UNITS[unit]
    start = "mười" if tens == 1 else f"{_VI_UNITS[tens]} mươi"
    if unit == 0:
        return start
    if unit == 5:
        return f"{start} lăm"
    if tens > 1 and unit == 1:
        return f"{start} mốt"
    return f"{start} {_VI_UNITS[unit]}"


def _english(n: int) -> str:
    """0 to 99."""
    if n < 20:
        return _EN_TEENS[n]
    tens, unit = divmod(n, 10)
    return f"{_EN_TENS[tens]}-{_EN_UNITS[unit]}" if unit else _EN_TENS[tens]
