"""What the demo says of a moment and of a verdict, in the words and with the signs of every page."""

from __future__ import annotations

from api.web import words
from api.web.view import title_of
from canhman.demo_facts import StationFacts
from core.texts import say
from core.verdict import Verdict

ZONE = "Asia/Ho_Chi_Minh"
LANG = "vi"  # where nothing else is asked for
SHAPES = ("●", "■", "▲", "⬣", "◆")
UNKNOWN = "?"
SIGNS = {"take": 0, "measure": 1, "wait": 2, "stop": 3}


def when(now: int, lang: str = LANG) -> str:
    """`Thứ Năm 5/3 07:10`."""
    return f"{words.date_words(now, ZONE, lang)} {words.local(now, ZONE):%H:%M}"


def sign(verdict: Verdict) -> int | None:
    """Of the shape and of the words, as on the pages: by what is to be done, not by the water. None where nothing may be said."""
    if verdict.verdict == "stop" and verdict.band == 4:
        return 4
    return SIGNS.get(verdict.verdict) if verdict.band is not None else None


def verdict_words(s: StationFacts, lang: str = LANG, *, short: bool = False) -> str:
    """What to do, in the words of every page, from the verdict given; `short` as in the rows of the pages."""
    kind = sign(s.verdict)
    text = say(lang, "unknown" if kind is None else f"verdict.{kind}")
    if short:
        return title_of(text)[0]
    return f"{text} {say(lang, 'sure.none')}." if s.verdict.reason == "no_forecast" else text


def count(n: int) -> str:
    """`12 345`."""
    return f"{n:,}".replace(",", " ")
