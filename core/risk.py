"""The numbers behind the verdict (`config/risk.toml`): judgement until an agronomist approves them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Limits and ages. Times in hours or seconds as named; the defaults are those of `config/risk.toml`."""

    limit: float = 1.0  # what a caller who names none is judged by [g/L]
    stop_from: float = 2.0  # stop at or over this many limits, measured
    take_below: float = 0.5  # take only under this many limits, measured
    wait_p: float = 0.5  # wait at or over this chance to pass the limit
    take_p: float = 0.1  # take only at or under it
    ahead_h: float = 6.0  # how far ahead that chance is looked at [h]
    forecast_max_age_h: float = 24.0  # an older forecast is none [h]
    until_h: float = 24.0  # how far ahead a change of the verdict is told [h]
    interval_s: float = 900.0  # of a series whose interval nobody knows [s]
    stale_intervals: float = 3.0
    stale_min_h: float = 1.0
    stale_max_h: float = 6.0
    silent_intervals: float = 12.0
    silent_min_h: float = 6.0
    silent_max_h: float = 48.0
    approved_by: str = ""
    hash: str = ""

    def stale_after_ms(self, interval_s: float) -> int:
        """A reading older than this is stale [ms]."""
        return round(3_600_000 * min(self.stale_max_h, max(self.stale_min_h, self.stale_intervals * interval_s / 3600)))

    def silent_after_ms(self, interval_s: float) -> int:
        """A sensor that sent nothing for this long is silent [ms]."""
        return round(3_600_000 * min(self.silent_max_h, max(self.silent_min_h, self.silent_intervals * interval_s / 3600)))


# Whoever approves other numbers may be stricter than these, not looser: name, lowest, highest.
BOUNDS = (
    ("take_below", 0.0, 1.0),
    ("stop_from", 0.0, 4.0),
    ("take_p", 0.0, 0.2),
    ("wait_p", 0.0, 0.7),
    ("ahead_h", 6.0, 24.0),
    ("forecast_max_age_h", 0.0, 24.0),
    ("stale_max_h", 0.0, 6.0),
    ("silent_max_h", 0.0, 48.0),
)
_WORDS = ("approved_by",)
_SHARES = ("wait_p", "take_p")


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
    for low, high in (
        ("take_below", "stop_from"),
        ("take_p", "wait_p"),
        ("stale_min_h", "stale_max_h"),
        ("silent_min_h", "silent_max_h"),
        ("stale_max_h", "silent_max_h"),
    ):
        if getattr(risk, low) > getattr(risk, high):
            raise ConfigError(f"{where}: {low} {getattr(risk, low):g} must not exceed {high} {getattr(risk, high):g}")
    for name, least, most in BOUNDS:
        if not least <= getattr(risk, name) <= most:  # looser than this it would say safe where it must not
            raise ConfigError(f"{where}: {name} {getattr(risk, name):g} must lie from {least:g} to {most:g}")
    canonical = json.dumps({**asdict(risk), "hash": ""}, sort_keys=True)
    return replace(risk, hash=hashlib.sha256(canonical.encode()).hexdigest()[:12])
