"""What doctor and `canhman models` say of trained models: who speaks, what should and cannot, what drifts, and drivers that nobody brings or uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from analytics.forecast_config import DriverSource
from canhman import heartbeat, wiring
from canhman.configuration import read_forecast
from canhman.drifting import of_database
from canhman.lessons import codes, of_other_code
from canhman.settings import Settings
from canhman.speaking import LAST, awaits_learning
from canhman.training import model_files
from core.clock import local
from core.errors import CanhManError
from core.forecast import TARGETS
from core.model_card import ModelCard
from core.ports import ModelFiles


def look(settings: Settings) -> tuple[str, list[str], list[str]]:
    """Who speaks; what should and cannot; what else is to be minded. Raises ConfigError for a broken forecast.toml, and as `wiring.existing_database`."""
    config = read_forecast(settings.config)
    files = model_files(settings)
    speaks, troubles = asyncio.run(whole(files))
    unread = list(dict.fromkeys((*files.look()[1], *troubles.values())))
    db = wiring.existing_database(settings)
    try:
        now = asyncio.run(wiring.clock(settings, db)).now_ms()
        minded = [f"{drift.target}: {drift.words}" for drift in asyncio.run(of_database(db, speaks, now))]
        measured = {(s.key.station, s.key.point, s.key.quantity) for s in asyncio.run(db.states())}
    finally:
        db.close()
    known = [d for d in config.drivers if (d.station, d.point, d.quantity) in measured]
    unknown = [d for d in config.drivers if d not in known]
    minded += [f"driver {d.name} of forecast.toml: no {d.quantity} of {d.station}/{d.point} ever came; forecasts go without it" for d in unknown]
    minded += idle_drivers(known, speaks)
    running = in_service(settings)
    return "; ".join(_words(target, speaks, running) for target in TARGETS), unread, minded


async def whole(files: ModelFiles, targets: Iterable[str] = TARGETS) -> tuple[list[ModelCard], dict[str, str]]:
    """The models that speak, and by target why one that should does not: what of it cannot be read, or of what code it is, in words."""
    speaks, troubles, now = [], {}, codes()
    for target in targets:
        try:
            card = await files.speaking(target)
            if card is None:
                continue
            if other := of_other_code(card, now):
                if await awaits_learning(files, card, now):
                    troubles[target] = f"{target}: {other}"
            else:
                await files.content(card)
                speaks.append(card)
        except CanhManError as error:
            troubles[target] = str(error)
    return speaks, troubles


def in_service(settings: Settings) -> Mapping[str, str]:
    """Name and version of who speaks in the running forecast service, by target; nothing while none runs."""
    beat = heartbeat.read(settings.data, "forecast")
    return beat.facts if beat is not None and beat.runs else {}


def otherwise(settings: Settings, speaks: Sequence[ModelCard], targets: Iterable[str] = TARGETS) -> list[str]:
    """Where the running service speaks with another model than its files tell, `speaks` being those that can be read."""
    running = in_service(settings)
    return [_words(target, speaks, running) for target in targets if running.get(target, _name(target, speaks)) != _name(target, speaks)]


def idle_drivers(drivers: Sequence[DriverSource], speaks: Sequence[ModelCard]) -> list[str]:
    """Drivers that are configured, and that a model of days that speaks does not use: each once for each reason. Hours are told none."""
    found: dict[tuple[str, str], list[str]] = {}
    for driver in drivers:
        for card in speaks:
            if card.target != "hour" and driver.name not in card.drivers:
                why = card.unused.get(driver.name, f"what it learned from ({card.source}) held none of it")
                found.setdefault((driver.name, why), []).append(card.target)
    return [f"driver {name} is configured, but {_model_of(targets)} not use it: {why}" for (name, why), targets in found.items()]


def _model_of(targets: Sequence[str]) -> str:
    return f"the model that speaks of {targets[0]} does" if len(targets) == 1 else f"the models that speak of {' and '.join(targets)} do"


def _name(target: str, speaks: Sequence[ModelCard]) -> str:
    return next((f"{c.model} {c.version}" for c in speaks if c.target == target), LAST)


def _words(target: str, speaks: Sequence[ModelCard], running: Mapping[str, str]) -> str:
    name = _name(target, speaks)
    if (there := running.get(target, name)) != name:
        return f"{target} by {there} in the running service, by {name} after a restart"
    card = next((c for c in speaks if c.target == target), None)
    return f"{target} by {name}" + ("" if card is None else f" since {local(card.promoted_at or card.trained_at)}")
