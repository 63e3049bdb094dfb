"""The numbers of the alerts (`config/alerts.toml`): judgement until an agronomist approves them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from core.bands import LINES
from core.errors import ConfigError
from core.parameter import parameter, parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """When alerts open and clear; the defaults are those of `config/alerts.toml`. `hash` is recorded with every alert."""

    lines: tuple[float, ...] = parameter((1.0, 4.0), "Lines that alerts are about; each line of each point is one of its own.", unit="g/L", above=None)
    open_readings: int = parameter(2, "An observed alert opens when this many …")
    open_of: int = parameter(3, "… of the last so many judged good readings are at or over the line …")
    open_at_once: float = parameter(2.0, "… or one of them is over this many lines.", unit="lines", least=1)
    clear_below: float = parameter(0.8, "It clears when all readings were under this share of the line …", unit="share", under=1)
    clear_after_min: float = parameter(60.0, "… for so long …", unit="min")
    clear_readings: int = parameter(2, "… and were this many or more.", least=2)
    ahead_h: float = parameter(24.0, "How far ahead a forecast alert looks.", unit="h")
    forecast_max_age_h: float = parameter(24.0, "An older issue counts as none.", unit="h", most=24)
    forecast_open_p: float = parameter(0.6, "A forecast alert opens at or over this chance to pass the line.", unit="share", under=1)
    forecast_clear_p: float = parameter(0.4, "It clears under this chance …", unit="share", under=1)
    forecast_clear_issues: int = parameter(2, "… in so many issues, one after the other.")
    forget_days: float = parameter(30.0, "Whoever was silent for longer before we looked is a recorded file and no silent sensor.", unit="d")
    fault_readings: int = parameter(2, "A fault opens when this many of the last `open_of` judged readings are suspect or failed.")
    reopen_h: float = parameter(25.0, "Open again within this time of its clearing, the same alert goes on.", unit="h")
    approved_by: str = ""
    hash: str = ""


_ABOUT = parameters(AlertRules)
_COUNTS = ("open_readings", "open_of", "clear_readings", "forecast_clear_issues", "fault_readings")
_SHARES = tuple(name for name, about in _ABOUT.items() if about.under is not None)
# The first must not exceed the second.
ORDERED = (("open_readings", "open_of"), ("fault_readings", "open_of"), ("forecast_clear_p", "forecast_open_p"))


def parse_alerts(document: Mapping[str, Any], *, where: str = "alerts.toml") -> AlertRules:
    """Read a parsed `alerts.toml`. Raises ConfigError for an unknown name, a value of another kind, or numbers that contradict each other."""
    known = [f.name for f in fields(AlertRules) if f.name != "hash"]
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown {name!r}; known: {', '.join(sorted(known))}")
        values[name] = _read(name, value, where)
    rules = AlertRules(**values)
    for low, high in ORDERED:
        if getattr(rules, low) > getattr(rules, high):
            raise ConfigError(f"{where}: {low} {getattr(rules, low):g} must not exceed {high} {getattr(rules, high):g}")
    if rules.clear_readings < 2:
        raise ConfigError(f"{where}: clear_readings {rules.clear_readings} must be at least 2: one reading spans no time")
    if rules.forecast_max_age_h > 24:  # looser than this an old issue would warn as if it were new
        raise ConfigError(f"{where}: forecast_max_age_h {rules.forecast_max_age_h:g} must not exceed 24")
    canonical = json.dumps({**asdict(rules), "hash": ""}, sort_keys=True)
    return replace(rules, hash=hashlib.sha256(canonical.encode()).hexdigest()[:12])


def _read(name: str, value: Any, where: str) -> Any:
    if name == "approved_by":
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {name} must be a text, found {value!r}")
        return value
    if name == "lines":
        return _lines(value, where)
    if not _is_number(value) or value <= 0:
        raise ConfigError(f"{where}: {name} must be a number above 0, found {value!r}")
    if name in _SHARES and value >= 1:
        raise ConfigError(f"{where}: {name} must be under 1, found {value!r}")
    if name in _COUNTS:
        if value != int(value):
            raise ConfigError(f"{where}: {name} must be a whole number, found {value!r}")
        return int(value)
    if name == "open_at_once" and value < 1:
        raise ConfigError(f"{where}: {name} must be at least 1 line, found {value!r}")
    return float(value)


def _lines(value: Any, where: str) -> tuple[float, ...]:
    allowed = ", ".join(f"{line:g}" for line in LINES)
    if not isinstance(value, list) or not value or any(not _is_number(line) or float(line) not in LINES for line in value):
        raise ConfigError(f"{where}: lines must be a list out of {allowed} g/L, found {value!r}")
    if len(set(value)) < len(value):
        raise ConfigError(f"{where}: lines {value!r} names one twice")
    return tuple(sorted(float(line) for line in value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
