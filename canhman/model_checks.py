"""What doctor says of trained models: who speaks, what cannot be read, what drifts, and drivers that nobody brings."""

from __future__ import annotations

import asyncio

from canhman import wiring
from canhman.configuration import read_forecast
from canhman.drifting import of_database
from canhman.settings import Settings
from canhman.speaking import LAST
from canhman.training import model_files
from core.clock import local
from core.errors import CanhManError
from core.forecast import TARGETS
from core.model_card import ModelCard


def look(settings: Settings) -> tuple[str, list[str], list[str]]:
    """Who speaks; what cannot be read; what else is to be minded. Raises ConfigError for a broken forecast.toml, and as `wiring.existing_database`."""
    config = read_forecast(settings.config)
    files = model_files(settings)
    unread, speaks = files.look()[1], []
    for target in TARGETS:
        try:
            card = asyncio.run(files.speaking(target))
            if card is not None:
                asyncio.run(files.content(card))
                speaks.append(card)
        except CanhManError as error:
            if str(error) not in unread:
                unread.append(str(error))
    db = wiring.existing_database(settings)
    try:
        now = asyncio.run(wiring.clock(settings, db)).now_ms()
        minded = [f"{drift.target}: {drift.words}" for drift in asyncio.run(of_database(db, speaks, now))]
        measured = {(s.key.station, s.key.point, s.key.quantity) for s in asyncio.run(db.states())}
    finally:
        db.close()
    minded += [
        f"driver {d.name} of forecast.toml: no {d.quantity} of {d.station}/{d.point} ever came; forecasts go without it"
        for d in config.drivers
        if (d.station, d.point, d.quantity) not in measured
    ]
    return "; ".join(_words(target, speaks) for target in TARGETS), unread, minded


def _words(target: str, speaks: list[ModelCard]) -> str:
    card = next((c for c in speaks if c.target == target), None)
    if card is None:
        return f"{target} by {LAST}"
    return f"{target} by {card.model} {card.version} since {local(card.promoted_at or card.trained_at)}"
