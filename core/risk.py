"""The numbers behind the verdict (`config/risk.toml`): judgement until an agronomist approves them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from core.errors import ConfigError
from core.parameter import parameter, parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Limits and ages. Times in hours or seconds as named; the defaults are those of `config/risk.toml`."""

    limit: float = parameter(1.0, "What a caller who names no limit is judged by.", unit="g/L")
    stop_from: float = parameter(2.0, "Stop: measured at or over this many limits.", unit="limits", most=4)
    take_below: float = parameter(0.5, "Take: measured under this many limits, and not otherwise.", unit="limits", most=1)
    wait_p: float = parameter(0.5, "Wait: at or over this chance of passing the limit within `ahead_h`.", most=0.7, unit="share", under=1)
    take_p: float = parameter(0.1, "Take: at or under this chance, and not otherwise.", most=0.2, unit="share", under=1)
    ahead_h: float = parameter(6.0, "How far ahead that chance is looked at.", unit="h", least=6, most=24)
    forecast_max_age_h: float = parameter(24.0, "An older forecast counts as none.", unit="h", most=24)
    until_h: float = parameter(24.0, "How far ahead a change of the verdict is told.", unit="h")
    interval_s: float = parameter(900.0, "Interval of a series whose interval nobody knows.", unit="s")
    stale_intervals: float = parameter(3.0, "A reading is stale after this many intervals of its series …", unit="intervals")
    stale_min_h: float = parameter(1.0, "… but not before this age …", unit="h")
    stale_max_h: float = parameter(6.0, "… and from this age on in any case.", unit="h", most=6)
    silent_intervals: float = parameter(12.0, "A sensor is silent after this many intervals without a reading …", unit="intervals")
    silent_min_h: float = parameter(6.0, "… but not before so long …", unit="h")
    silent_max_h: float = parameter(48.0, "… and after so long in any case.", unit="h", most=48)
    approved_by: str = ""
    hash: str = ""

    def stale_after_ms(self, interval_s: float) -> int:
        """A reading older than this is stale [ms]."""
        return round(3_600_000 * min(self.stale_max_h, max(self.stale_min_h, self.stale_intervals * interval_s / 3600)))

    def silent_after_ms(self, interval_s: float) -> int:
        """A sensor that sent nothing for this long is silent [ms]."""
        return round(3_600_000 * min(self.silent_max_h, max(self.silent_min_h, self.silent_intervals * interval_s / 3600)))


# Whoever approves other numbers may be stricter than these bounds, not looser: name, lowest, highest.
BOUNDS = tuple(
    (name, 0.0 if about.least is None else about.least, math.inf if about.most is None else about.most)
    for name, about in parameters(Risk).items()
    if (about.least, about.most) != (None, None)
)
# The first must not exceed the second.
ORDERED = (
    ("take_below", "stop_from"),
    ("take_p", "wait_p"),
    ("stale_min_h", "stale_max_h"),
    ("silent_min_h", "silent_max_h"),
    ("stale_max_h", "silent_max_h"),
)
_WORDS = ("approved_by",)
_SHARES = tuple(name for name, about in parameters(Risk).items() if about.under is not None)


def parse_risk(document: Mapping[str, Any], *, where: str = "risk.toml") -> Risk:
    """Read a parsed `risk.toml`. Raises ConfigError for an unknown name, no number, or numbers that contradict each other."""
    known = {f.name for f in fields(Risk)} - {"hash"}
    for name, value in document.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown {name!r}; known: {', '.join(sorted(known))}")
        if name in _WORDS:
            if not isinstance(value, str):
                raise ConfigError(f"{where}: {name} must be a text, found {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise ConfigError(f"{where}: {name} must be a number above 0, found {value!r}")
        elif name in _SHARES and value >= 1:
            raise ConfigError(f"{where}: {name} is a probability, found {value!r}")
    numbers: dict[str, Any] = {name: value if name in _WORDS else float(value) for name, value in document.items()}
    risk = Risk(**numbers)
    for low, high in ORDERED:
        if getattr(risk, low) > getattr(risk, high):
            raise ConfigError(f"{where}: {low} {getattr(risk, low):g} must not exceed {high} {getattr(risk, high):g}")
    for name, least, most in BOUNDS:
        if not least <= getattr(risk, name) <= most:  # looser than this it would say safe where it must not
            raise ConfigError(f"{where}: {name} {getattr(risk, name):g} must lie from {least:g} to {most:g}")
    canonical = json.dumps({**asdict(risk), "hash": ""}, sort_keys=True)
    return replace(risk, hash=hashlib.sha256(canonical.encode()).hexdigest()[:12])
