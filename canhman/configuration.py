"""The TOML files of `config/`: the defaults in the wheel, overridden file by file from CANHMAN_CONFIG."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import config
from alerts.config import AlertRules, parse_alerts
from analytics.crops import Crops, parse_crops
from analytics.forecast_config import ForecastConfig, parse_forecast
from core.errors import ConfigError
from core.place import Waterway
from core.risk import Risk, parse_risk
from quality.rules import QcConfig, parse
from registry.waterways import parse_waterways

FILES = tuple(sorted(entry.name for entry in files(config).iterdir() if entry.name.endswith(".toml")))


def check_folder(folder: Path, name: str) -> None:
    """CANHMAN_CONFIG, before `name` is looked for in it: a folder that is away, or a misspelt file, must not mean the defaults. Raises ConfigError."""
    try:
        if not folder.is_dir():
            raise ConfigError(f"{name}: CANHMAN_CONFIG={str(folder)!r} is not a folder")
        strangers = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name not in FILES)
    except OSError as error:
        raise ConfigError(f"{name}: CANHMAN_CONFIG={str(folder)!r}: {error.strerror}") from error
    if strangers:
        raise ConfigError(f"{name} is not read: {strangers[0]}: no configuration file is called that; known: {', '.join(FILES)}")


def read_text(name: str, folder: Path | None) -> str:
    """The text of `name` (e.g. `qc.toml`) from `folder` where it is there, else the default. Raises ConfigError."""
    if folder is not None:
        check_folder(folder, name)
    own = folder / name if folder else None
    try:
        return own.read_text("utf-8") if own and own.exists() else (files(config) / name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{own}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise ConfigError(f"{own}: {error.strerror}") from error


def read_toml(name: str, folder: Path | None) -> dict[str, Any]:
    """The document `name`, parsed. Raises ConfigError."""
    try:
        return tomllib.loads(read_text(name, folder))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{folder / name if folder else name}: {error}") from error


def read_qc(folder: Path | None) -> QcConfig:
    """Quality control's parameters. Raises ConfigError."""
    return parse(read_toml("qc.toml", folder), where=where("qc.toml", folder))


def left_out(own: QcConfig) -> list[str]:
    """The tests that the shipped `qc.toml` asks for and this one for no quantity: it may be older than they are."""
    asked = {test for test, _ in own.general} | {test for _, test, _ in own.local}
    return sorted({test for test, _ in read_qc(None).general} - asked)


def read_risk(folder: Path | None) -> Risk:
    """The numbers behind the verdict. Raises ConfigError."""
    return parse_risk(read_toml("risk.toml", folder), where=where("risk.toml", folder))


def read_alerts(folder: Path | None) -> AlertRules:
    """When alerts open and clear. Raises ConfigError."""
    return parse_alerts(read_toml("alerts.toml", folder), where=where("alerts.toml", folder))


def read_crops(folder: Path | None) -> Crops:
    """What salt does to crops. Raises ConfigError."""
    return parse_crops(read_toml("crops.toml", folder), where=where("crops.toml", folder))


def read_forecast(folder: Path | None) -> ForecastConfig:
    """Which series drive the forecasts, and when models learn. Raises ConfigError."""
    return parse_forecast(read_toml("forecast.toml", folder), where=where("forecast.toml", folder))


def read_waterways(folder: Path | None) -> tuple[Waterway, ...]:
    """The waterways a new installation begins with. Raises ConfigError."""
    return parse_waterways(read_text("waterways.toml", folder).encode(), source=where("waterways.toml", folder))


def where(name: str, folder: Path | None) -> str:
    """The file `name` as messages call it: the one in `folder` where it is there, else the default."""
    return str(folder / name) if folder and (folder / name).exists() else name
