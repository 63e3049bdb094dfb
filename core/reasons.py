"""Why a forecast says what it says, in words."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.forecast import Reason
from core.texts import number, say, texts

LEAST = 0.05  # [g/L] what is less is not told as a number


Called = Callable[[str], str]  # the name of the place whose id stands in a driver's name


def capitals(place: str) -> str:
    """An id as a name, where no better one is known: `My Tho`."""
    return " ".join(word[:1].upper() + word[1:] for word in re.split("[._-]+", place))


def reason_text(reason: Reason, lang: str, called: Called = capitals) -> str:
    """One sentence: what it is, which way it speaks, and by how much where that can be told."""
    way = "up" if reason.effect >= 0 else "down"
    key = f"reason.{reason.code}" if reason.code == "persistence" else f"reason.{reason.code}.{way}"
    words = say(lang, key, driver=driver_word(reason.name, lang, called)) if reason.code == "driver" else say(lang, key)
    if abs(reason.effect) >= LEAST:
        words = say(lang, f"reason.by.{way}", words=words, value=number(abs(reason.effect), 1, lang, unit="g/L"))
    return words[0].upper() + words[1:] + "."


def missing_text(name: str, lang: str, called: Called = capitals) -> str:
    """That a driver was silent, and what it did to the forecast."""
    return say(lang, "reason.missing", driver=driver_word(name, lang, called))


def driver_word(name: str, lang: str, called: Called = capitals) -> str:
    """A driver as people call it: `level.my-tho` is the water level My Tho; its own name where we have no word."""
    kind, _, place = name.partition(".")
    key = f"driver.{kind}"
    if key not in texts(lang):
        return name
    return f"{say(lang, key)} {called(place)}".strip()


def model_word(model: str, lang: str) -> str:
    """A model as people call it; its own name where we have no word."""
    key = f"model.{model}"
    return say(lang, key) if key in texts(lang) else model
