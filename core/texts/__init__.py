"""Every sentence a person reads, by key, in Vietnamese and English: one flat TOML file per language beside this module.

Both files hold the same keys with the same placeholders. Numbers are put in by `number`, so that they read as people write them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from core.errors import FormatError, NotFoundError

LANGUAGES = ("vi", "en")  # the first is the one to fall back on
NBSP = "\u00a0"
NO_NUMBER = "–"
LONGEST = 8  # characters of a number
DAYS_FROM_H = 48  # 46 hours are not "1 day"


@cache
def texts(lang: str) -> Mapping[str, str]:
    """All texts of a language, key → text with `{placeholders}`. Raises NotFoundError for a language we do not have."""
    if lang not in LANGUAGES:
        raise NotFoundError(f"no texts in language {lang!r}; there are: {', '.join(LANGUAGES)}")
    table = tomllib.loads(files(__name__).joinpath(f"{lang}.toml").read_text("utf-8"))
    for key, text in table.items():
        if not isinstance(text, str):
            raise FormatError(f"{lang}.toml: {key!r} is not a text; quote keys that hold a dot")
    return MappingProxyType(table)


def say(lang: str, key: str, **values: object) -> str:
    """The text `key` in `lang` with its placeholders filled in. Raises NotFoundError for an unknown key or a value not given."""
    text = texts(lang).get(key)
    if text is None:
        raise NotFoundError(f"no text {key!r} in {lang}.toml")
    try:
        return text.format(**values)
    except KeyError as missing:
        raise NotFoundError(f"text {key!r} needs a value for {missing}") from None


def number(value: float, decimals: int, lang: str, *, unit: str = "") -> str:
    """`value` with `decimals` places, a comma before them in Vietnamese, and `unit` after a no-break space: `3,2 g/L`.

    What would be longer than eight characters is written with a power of ten: `1,0e308`.
    """
    if not math.isfinite(value):
        return NO_NUMBER
    text = f"{value:.{decimals}f}"
    if len(text) > LONGEST:  # no sensor's number: 1e308 must not be 309 digits wide
        text = f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
    if float(text) == 0:
        text = text.lstrip("-")
    if lang == "vi":
        text = text.replace(".", ",")
    return f"{text}{NBSP}{unit}" if unit else text


def age(milliseconds: int, lang: str) -> str:
    """How long ago in words, coarser the older it is: minutes, hours and minutes, from a day on whole hours, from two on days."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 60:
        return say(lang, "age.minutes", minutes=minutes)
    hours = minutes // 60
    if hours >= DAYS_FROM_H:
        return say(lang, "age.days", days=hours // 24)
    return say(lang, "age.hours" if minutes % 60 and hours < 24 else "age.hours.whole", hours=hours, minutes=minutes % 60)


def silence(milliseconds: int, lang: str) -> str:
    """For how long a sensor has said nothing, as a sentence without its full stop; hours become days where those of `age` do."""
    hours = max(0, milliseconds) // 3_600_000
    return say(lang, "alert.silent.days", days=hours // 24) if hours >= DAYS_FROM_H else say(lang, "alert.silent.hours", hours=hours)
