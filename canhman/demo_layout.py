"""What a line of the demo's screen has room for, and how many stations the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from api.web import words
from canhman.demo_facts import HOURS, StationFacts
from canhman.demo_words import LANG, SHAPES, verdict_words

NAME = 17
NARROW = 80  # columns; where there are fewer, what to do stands on a line of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a station's line has room for: hours of its past, km, trend, the band's word.

    `below`: what to do stands on a line of its own; `short`: without the sentence that adds to it.
    """

    hours: int = HOURS
    km: bool = True
    trend: bool = True
    word: bool = True
    below: bool = False
    short: bool = False


# in this order things are left out: what to do is more than what was
LAYOUTS = (Layout(), Layout(hours=12), Layout(hours=0), Layout(hours=0, km=False), Layout(hours=0, km=False, trend=False))
SHORTEST = Layout(hours=0, km=False, trend=False, word=False)  # the sign stands there still


def layout_for(stations: Sequence[StationFacts], width: int, lang: str = LANG, room: int = 1000) -> Layout:
    """The first in which every verdict stands whole in `width` columns; as the rows of the pages have it where two lines a station are too many for `room`."""
    for short in (False, True):
        if len(stations) * 2 > room if short else width >= NARROW:
            needed = max((cell_len(verdict_words(s, lang, short=short)) for s in stations), default=0)
            for layout in (*LAYOUTS, SHORTEST) if short else LAYOUTS:
                if left_of(layout, lang) + needed <= width:
                    return replace(layout, short=short)
    for layout in LAYOUTS:
        if left_of(layout, lang) <= width:
            return replace(layout, below=True)
    return replace(LAYOUTS[-1], below=True)


def fitting(stations: Sequence[list[Text]], room: int) -> list[Text]:
    """The lines of as many stations as there is room for, and how many more there are."""
    if sum(map(len, stations)) <= room:
        return [line for lines in stations for line in lines]
    shown: list[Text] = []
    for n, lines in enumerate(stations):
        if len(shown) + len(lines) >= room:
            return [*shown, Text(f"… and {len(stations) - n} more on the page")]
        shown += lines
    return shown


def band_width(lang: str) -> int:
    """Columns of the longest word of a band."""
    return max(len(words.band_word(kind, lang)) for kind in range(len(SHAPES)))


def state_width(layout: Layout, lang: str) -> int:
    """Columns of value, band and trend."""
    return 12 + (band_width(lang) if layout.word else 0) + (11 if layout.trend else 0)


def left_of(layout: Layout, lang: str) -> int:
    """Columns before what to do."""
    return NAME + 3 + state_width(layout, lang) + (7 if layout.km else 0) + (layout.hours + 2 if layout.hours else 0)
