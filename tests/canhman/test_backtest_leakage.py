"""No forecast of `canhman backtest` knows what came after its issue: the whole command, from files to what it leaves, with everything scrambled."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sets import DRIVERS, HEAD, LONG, Season, season, without
from servers.front import Front

from analytics.daily import crossfit
from analytics.daily.backtest import Result
from analytics.daily.crossfit import Learned
from analytics.daily.model import DayModel, Fitted
from analytics.daily.panel import Daily
from canhman import backtesting

TEXT = without(HEAD, {"[1, 3]": "[2]", "2021-04-30": "2021-03-31", "2021-05-01": "2021-04-01"}) + LONG + DRIVERS
DAYS = ("2021-03-31", "2021-04-13", "2021-05-04")  # the last of training, one of the test, its last but a few


def years() -> Season:
    """Two dry seasons: enough for the ensemble to learn."""
    parts = [season(days, start=start) for days, start in ((60, "2020-01-01"), (128, "2021-01-01"))]
    return Season(**{name: tuple(row for part in parts for row in getattr(part, name)) for name in ("salinity", "level", "river")})


@dataclass
class Spied:
    """What each run came to, and the one fit of every training panel that was met."""

    fits: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    def model(self, name: str) -> DayModel:
        """The model of that name; what was learned from the same days is not learned again."""
        best = _model(name)

        def fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
            assert daily.course is not None
            parts = (daily.target, daily.high, daily.low, daily.mean, daily.last, daily.evening, daily.course)
            arrays = [daily.days, *parts, *(v for _, v in sorted(daily.drivers.items()))]
            key = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()
            if key not in self.fits:
                self.fits[key] = best.fit(daily, leads, lines)
            found: Fitted = self.fits[key]
            return found

        return replace(best, fit=fit)

    def backtest(self, *given: Any, **named: Any) -> Result:
        """The real one; its result is kept."""
        self.results.append(_backtest(*given, **named))
        return self.results[-1]


_model, _backtest = backtesting.model, backtesting.backtest


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    found = Spied()
    monkeypatch.setattr(backtesting, "model", found.model)
    monkeypatch.setattr(backtesting, "backtest", found.backtest)
    return found


def bits(result: Result) -> dict[tuple[str, str], bytes]:
    """(station, issued) → every bit that was said."""
    (held,) = result.held
    return {
        (result.daily.stations[station], str(result.daily.days[day])): held.said.point[row].tobytes()
        + held.said.quantiles[row].tobytes()
        + held.said.p_gt[row].tobytes()
        for row, (day, station) in enumerate(zip(held.pairs.day.tolist(), held.pairs.station.tolist(), strict=True))
    }


def lines(path: Path) -> dict[tuple[str, str], list[str]]:
    """(station, issued) → what stands in the CSV of it, but for what came."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["station"], row["issued"]): [v for name, v in row.items() if name != "observed"] for row in csv.DictReader(file)}


def test_everything_after_an_issue_is_scrambled(front: Front, tmp_path: Path, spied: Spied, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a day every number of target, other stations and drivers is another or gone: what was issued up to it is the same to the bit, in CSV too."""
    monkeypatch.setattr(crossfit, "MANY", 0)  # so that the learners speak of a set as small as this
    runs: list[tuple[str, dict[tuple[str, str], list[str]]]] = []
    for n, day in enumerate(("", *DAYS)):
        folder = tmp_path / str(n)
        (years().scrambled_after(day, n) if day else years()).write(folder)
        (folder / "made.toml").write_text(TEXT, "utf-8")
        front.ok("backtest", str(folder / "made.toml"), "--forecasts", str(folder / "out.csv"))
        runs.append((day, lines(folder / "out.csv")))
    assert len(spied.fits) == 1, "what it learned from changed with days that came later"
    (fitted,) = spied.fits.values()
    assert isinstance(fitted.leads[2].driven, Learned), "the learners were never asked"
    first, written = bits(spied.results[0]), runs[0][1]
    for (day, other), result in zip(runs[1:], spied.results[1:], strict=True):
        second = bits(result)
        early = [key for key in first if key in second and key[1] <= day]
        assert len(early) >= 3
        assert [key for key in early if first[key] != second[key]] == []
        assert [key for key in early if written[key] != other[key]] == []
        late = [key for key in first if key in second and key[1] > day]
        assert not late or any(first[key] != second[key] for key in late), "the scrambling reaches nothing"
