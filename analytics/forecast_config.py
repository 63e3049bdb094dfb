"""What `config/forecast.toml` says: which series drive the forecasts, and when models learn anew."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSource:
    """A series that moves the water: see `analytics.model.DriverHistory`."""

    name: str
    station: str
    point: str
    quantity: str
    statistic: str
    bears_on: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """`hour`: local hour at which a training may begin, every `every_days` days; the last `held_out_days` days (a quarter of them where they are fewer
    than four times as many, but at least `least_held_out_days`) are kept from it and decide."""

    hour: int
    every_days: int
    held_out_days: int
    least_held_out_days: int
    least_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastConfig:
    """`digest` is the hash of what was read."""

    drivers: tuple[DriverSource, ...]
    training: Training
    digest: str
