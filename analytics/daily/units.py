"""What the unit of a target says: whether its values become salinity, and what they cannot be."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from analytics.daily.panel import Floats
from core.seawater import salinity_from_ec

SALINITY = "g/L"
CONVERTED = "uS/cm, mS/cm, dS/m, S/m, mS/m, S/cm"  # as people write them
MOST = 400.0  # g/L, and mS/cm: no water holds as much salt, nor conducts as well

# to mS/cm, the unit `core.seawater` takes
_EC = {"us/cm": 1e-3, "ms/cm": 1.0, "ds/m": 1.0, "s/m": 10.0, "ms/m": 0.01, "s/cm": 1e3, "us/m": 1e-5}
_PER_LITRE = {"kg/m3": 1.0, "g/l": 1.0, "g/m3": 1e-3, "mg/l": 1e-3, "mg/m3": 1e-6, "ug/l": 1e-6, "mol/l": 58.4, "mmol/l": 0.0584, "meq/l": 0.0584}  # of NaCl
_PER_KILO = dict.fromkeys(("g/kg", "psu", "pss", "pss-78", "pss78", "ppt", "‰", "o/oo", "0/00", "1e-3"), 1.0) | dict.fromkeys(("mg/kg", "ppm"), 1e-3)
_CONCENTRATION = _PER_LITRE | _PER_KILO  # to g/L, near enough to know what cannot be
_WORDS = {"µ": "u", "μ": "u", "micro": "u", "milli": "m", "deci": "d", "centi": "c", "litre": "l", "liter": "l", "metre": "m", "meter": "m"}
_WORDS |= {"grams": "g", "gram": "g", "per": "/", "−": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """`name` as it is shown, of converted values. `factor` to mS/cm where they are conductivities; `most` is more than any water has, in the unit given."""

    name: str
    factor: float | None
    concentration: bool
    most: float

    def converted(self, value: Floats) -> Floats:
        """Salinity of conductivities, NaN of one below zero; any other value as it is."""
        return value if self.factor is None else salinity_from_ec(value * self.factor)


def unit_of(text: str) -> Unit:
    """Of a unit in whatever spelling."""
    word = _spelt(text)
    if word in _EC:
        return Unit(name=SALINITY, factor=_EC[word], concentration=False, most=MOST / _EC[word])
    if word in _CONCENTRATION:
        return Unit(name=text, factor=None, concentration=True, most=MOST / _CONCENTRATION[word])
    return Unit(name=text, factor=None, concentration=False, most=np.inf)


def same_unit(one: str, other: str) -> bool:
    """Are they one unit in two spellings?"""
    return _spelt(one) == _spelt(other)


def _spelt(text: str) -> str:
    """`μS.cm-1`, `US/CM`, `umhos/cm @ 25 °C` → us/cm: a conductivity is taken to be that at 25 °C, so that saying it changes nothing."""
    word = unicodedata.normalize("NFKC", text).casefold()
    for long, short in _WORDS.items():
        word = word.replace(long, short)
    word = re.sub(r"[\s·.*^_]", "", word)
    word = re.sub(r"(?:@|at|,|\()*25(?:°|o|deg)?c\)?$", "", word)
    word = re.sub(r"(?<=[a-z])/?(cm|m|l|kg)-1$", r"/\1", word)
    word = re.sub(r"(?<=[a-z])/?m-3$", "/m3", word)
    return re.sub(r"(?:mhos?|siemens)(?=/)", "s", word)
