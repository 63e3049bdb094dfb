"""Hours of a window as people say them: `Chiều nay 14–18 giờ`, `This afternoon, 2–6 pm`. Pure; times in ms since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass

from api.web.words import hour_words, local
from core.forecast import HOUR_MS
from core.texts import NBSP, say

PARTS = ((5, "dawn"), (11, "morning"), (13, "noon"), (19, "afternoon"), (22, "evening"), (24, "night"))  # before which hour of the day
LONGEST_H = 12  # of one part of the day; what is longer is told from … to …


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`part` of the day (empty for a long one), and the `hours`, which stay on one line where they are those of a clock."""

    part: str
    hours: str

    def __str__(self) -> str:
        return f"{self.part} {self.hours}" if self.part else self.hours


def clock_hours(start: int, end: int, timezone: str, lang: str) -> str:
    """`14–18 giờ`; `2–6 pm`, `10 am–noon`."""
    first, last = local(start, timezone).hour, local(end, timezone).hour
    if lang == "vi":
        return say(lang, "window.hours", start=first, end=last or 24).replace(" ", NBSP)
    a, b = say(lang, f"hour.{first}"), say(lang, f"hour.{last}")
    number, _, half = a.partition(" ")
    return say(lang, "window.hours", start=number if half and b.endswith(f" {half}") else a, end=b).replace(" ", NBSP)


def span(start: int, end: int, now: int, timezone: str, lang: str, *, until: int | None = None) -> Span:
    """start ≤ t < end, full hours: today, tomorrow or on a day of the week. `until` is how far ahead anything is known."""
    if start <= now and end == until and end - start > LONGEST_H * HOUR_MS:
        whole = say(lang, "window.on", hours=(end - start) // HOUR_MS)
        return Span(part="", hours=whole)
    if end - start > LONGEST_H * HOUR_MS:
        ends = {"start": hour_words(start, now, timezone, lang), "end": hour_words(end, now, timezone, lang)}
        return Span(part="", hours=say(lang, "window.span", **ends))
    then = local(start, timezone)
    part = next(name for before, name in PARTS if then.hour < before)
    days = (then.date() - local(now, timezone).date()).days
    when = ("today", "tomorrow")[days] if 0 <= days <= 1 else "weekday"
    named = say(lang, f"part.{part}.{when}", weekday=say(lang, f"weekday.{then.isoweekday()}"))
    return Span(part=named, hours=clock_hours(start, end, timezone, lang))


def upper(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]
