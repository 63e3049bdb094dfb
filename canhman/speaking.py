"""Which models speak now: the trained ones that were promoted, each for its target, and persistence behind them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import structlog

from analytics.hourly.learned import hours_model
from analytics.learned import days_model
from analytics.model import Model, models
from analytics.packing import unpacked
from canhman.lessons import codes, of_other_code
from core.errors import CanhManError, FormatError
from core.forecast import TARGETS
from core.model_card import ModelCard
from core.ports import ModelFiles

log = structlog.get_logger()

LAST = "persistence"  # needs no training, and speaks where no other does
AGAIN_S = 60.0  # after a file that could not be read, or is of other code: it may be mended, or decided on


async def awaits_learning(files: ModelFiles, card: ModelCard, codes: Mapping[str, str]) -> bool:
    """Whether this code has not learned yet since a model of other code was promoted. Once it has, and was not better, persistence speaks by decision."""
    since = card.promoted_at or 0
    return not any(c.target == card.target and c.why and c.trained_at >= since and not of_other_code(c, codes) for c in await files.cards())


class Speakers:
    """`models`, the first to be asked first; `cards` of those that were trained; `troubles` by target, where a file cannot be read, or was learned by other
    code and this code has not learned yet: the one before speaks on, after a start persistence."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._codes = codes()
        self._last = models()[LAST]
        self._found: dict[str, tuple[ModelCard, Model]] = {}
        self._failed: dict[str, tuple[str, float]] = {}  # what could not come to speak, and when
        self.troubles: dict[str, str] = {}

    @property
    def models(self) -> tuple[Model, ...]:
        """For the issuer."""
        return (*(model for _, model in self._found.values()), self._last)

    @property
    def cards(self) -> list[ModelCard]:
        """Of the trained ones."""
        return [card for card, _ in self._found.values()]

    @property
    def who(self) -> dict[str, str]:
        """Name and version of who is asked first, by target."""
        return {target: self._instead(target) for target in TARGETS}

    async def look(self) -> bool:
        """Whether another one speaks than at the last look. Cheap where nothing changed."""
        before = self.models
        for target in TARGETS:
            try:
                await self._follow(target)
            except CanhManError as error:
                self.troubles[target] = f"{error}; {self._instead(target)} speaks meanwhile"
            except Exception as error:  # no file may end the service, or keep it from starting
                trouble = f"a fault of ours, see the log: {error!r}; {self._instead(target)} speaks meanwhile"
                if self.troubles.get(target) != trouble:
                    log.exception("a fault while a model was read", target=target)
                self.troubles[target] = trouble
        return [(m.name, m.version, m.targets) for m in before] != [(m.name, m.version, m.targets) for m in self.models]

    async def _follow(self, target: str) -> None:
        card = await self._files.speaking(target)
        held = self._found.get(target)
        if card is None:
            self._found.pop(target, None)
        elif held is None or held[0].sha256 != card.sha256:
            failed = self._failed.get(target)
            if failed is not None and failed[0] == card.sha256 and time.monotonic() - failed[1] < AGAIN_S:
                return
            self._failed[target] = card.sha256, time.monotonic()
            if other := of_other_code(card, self._codes):
                if await awaits_learning(self._files, card, self._codes):
                    raise FormatError(other)
            else:
                content = await self._files.content(card)
                fitted = await asyncio.to_thread(unpacked, content)
                self._found[target] = card, (hours_model if target == "hour" else days_model)(fitted, card)
                self._failed.pop(target, None)
        else:
            await self._files.check(card)  # damaged in place it would be missed only at the next start
        self.troubles.pop(target, None)

    def _instead(self, target: str) -> str:
        held = self._found.get(target)
        return LAST if held is None else f"{held[0].model} {held[0].version}"
