"""Forecasts as issued, how they scored, and the models that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.forecast import Forecast
from core.model_card import ModelCard
from core.record import Anew, Basis, Day, Score


class Forecasts(Protocol):
    """`forecast_issue`: forecasts as issued, append-only. Scores and the public record come from here alone."""

    async def issue(self, forecasts: Sequence[Forecast]) -> int:
        """Append these in one transaction; returns how many were new.

        An issue is known by (station, point, target, model, version, issued_at): the same again changes nothing. Raises
        ConflictError for arrays whose lengths differ, are empty or hold what is no number. One whose version ends in `WITHDRAWN` has empty ones.
        """
        ...

    async def latest_forecasts(self, *, target: str, station: str | None = None, until: int | None = None) -> list[Forecast]:
        """The newest issue per (station, point) of one target (of one station; issued at or before `until` [ms]).

        No hindcast, and none after which one of an earlier time came: our clock was ahead when it was made.
        """
        ...

    async def forecasts(self, *, station: str, point: str, target: str, since: int = 0, until: int | None = None, limit: int = 100) -> list[Forecast]:
        """Issues with since ≤ issued_at < until, oldest first."""
        ...

    async def forecasts_after(self, id: int, *, limit: int = 100) -> list[Forecast]:
        """Issues with a greater id, in rising order: for the mirror and the alerts."""
        ...


class ModelFiles(Protocol):
    """Trained models, kept one file each with its card; of each target at most one speaks. Files begin with magic and version."""

    async def keep(self, card: ModelCard, content: bytes) -> ModelCard:
        """Write both, whole or not at all; returns the card with its hash. Raises ConflictError for a version that is there, UnavailableError.

        What of that version is damaged or gone is written anew, where `content` is what was kept; returns the card that was there.
        """
        ...

    async def cards(self) -> list[ModelCard]:
        """All, the newest first. A card that cannot be read is left out; `doctor` names it."""
        ...

    async def promote(self, card: ModelCard, *, at: int, why: str) -> ModelCard:
        """Let it speak from `at` [ms] on, instead of the one that did. Raises NotFoundError."""
        ...

    async def note(self, card: ModelCard, *, why: str) -> ModelCard:
        """Write down why it does not speak. Raises NotFoundError."""
        ...

    async def speaking(self, target: str) -> ModelCard | None:
        """The one that speaks; cheap, asked every second. Raises FormatError where what says so cannot be read, UnavailableError."""
        ...

    async def content(self, card: ModelCard) -> bytes:
        """The file. Raises FormatError where it is not what was kept (hash, magic, version), NotFoundError."""
        ...

    async def check(self, card: ModelCard) -> None:
        """Raises as `content` where that would; cheap where the file did not change since the last check, asked every second."""
        ...


class Records(Protocol):
    """`forecast_score` and `forecast_day`: how issued forecasts scored, as sums that add up, and day by day; each interval stands in them once.

    `forecast_basis`: what the newest of them rest on.
    """

    async def add_scores(
        self,
        scores: Sequence[Score],
        days: Sequence[Day] = (),
        *,
        name: str,
        was: int,
        value: int,
        anew: Anew | None = None,
        bases: Mapping[tuple[str, str], Sequence[Basis]] | None = None,
    ) -> bool:
        """Add these to what is there and move the cursor `name` from `was` to `value`, in one transaction.

        With `anew` they take the place of what stood there from then on. `bases`, by (station, point), take the place of all that was remembered there.
        Returns False, and changes nothing, where the cursor does not stand at `was`: another has scored that stretch.
        """
        ...

    async def bases(self, *, station: str, point: str) -> list[Basis]:
        """What the scores of that point's newest days rest on, by time."""
        ...

    async def anews(self) -> int:
        """How often something was scored anew: what is read while it rises may be part of before and part of after."""
        ...

    async def scores(
        self, *, stations: Sequence[str], target: str, leads: Sequence[int] = (), since: int = 0, lines: Sequence[float] = (), over: Sequence[str] = ()
    ) -> list[Score]:
        """The sums over all months from `since` (as 202512) on, as `month` 0, of these stations and one target (of these leads and lines; none = all), by key.

        Summed up over the keys named in `over` too (`station`, `point`, `model`, `bin`), which are then empty or 0; of very many stations in a few parts.
        """
        ...

    async def scored_days(self, *, stations: Sequence[str], target: str, since: int = 0, until: int | None = None) -> list[Day]:
        """Days of these stations and one target (`day_max`, `day_min`) with since ≤ time < until [ms], by station, point and time."""
        ...
