"""A model is tried on days it never saw: what it learns from, what it is asked, and that no forecast knows what came after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from made_sets import DRIVERS, HEAD, LONG, Season, read, season, without

from analytics.daily.backtest import Result, backtest, steps
from analytics.daily.dataset import Dataset
from analytics.daily.model import LEVELS, DayModel, Fitted, Said, day_models
from analytics.daily.panel import Daily, Floats, Index
from core.errors import ConfigError

MODELS = day_models()
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
TEXT = HEAD + LONG + DRIVERS
OTHER = {"an": "xa", "binh": "xb", "cai": "xc"}


@dataclass
class Shown:
    """What the model beneath was given."""

    learned: list[Daily] = field(default_factory=list)
    asked: list[Daily] = field(default_factory=list)
    rows: list[tuple[Index, Index]] = field(default_factory=list)


def watched(shown: Shown) -> DayModel:
    """Says today's value with a fixed spread, and keeps what it was shown."""

    class Watching:
        def __init__(self, leads: Sequence[int], lines: Sequence[float]) -> None:
            self.leads, self.lines = leads, np.array(lines)

        def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
            shown.asked.append(daily)
            shown.rows.append((day, station))
            now = daily.target[day, station]
            quantiles = now[:, None] + np.array(LEVELS) - 0.5
            said = Said(point=now, quantiles=quantiles, p_gt=np.clip(now[:, None] + 0.5 - self.lines, 0, 1))
            return dict.fromkeys(self.leads, said)

    def fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
        shown.learned.append(daily)
        return Watching(leads, lines)

    return DayModel(name="watched", version="7", fit=fit)


def made(folder: Path, text: str = TEXT, *, what: Season | None = None, source: str = "made.toml") -> Dataset:
    """A dataset on files of its own."""
    (what or season()).write(folder)
    return read(folder, text, source=source)


def elsewhere(what: Season) -> Season:
    """The same under other names."""
    return replace(
        what, salinity=tuple((OTHER[s], t, v) for s, t, v in what.salinity), level=tuple((OTHER[s], t, v) for s, t, v in what.level), river=what.river
    )


def course_of(daily: Daily) -> Floats:
    """It is there, and not all of it unknown."""
    assert daily.course is not None
    assert np.isfinite(daily.course).any()
    return daily.course


def forecasts(result: Result) -> dict[tuple[str, str, int], bytes]:
    """(station, issued, lead) → every bit that was said."""
    found = {}
    for held in result.held:
        for row, (day, station) in enumerate(zip(held.pairs.day.tolist(), held.pairs.station.tolist(), strict=True)):
            said = held.said.point[row : row + 1].tobytes() + held.said.quantiles[row].tobytes() + held.said.p_gt[row].tobytes()
            found[result.daily.stations[station], str(result.daily.days[day]), held.pairs.lead] = said
    return found


# ------------------------------------------------------------ what it learns from and is asked


def test_it_learns_from_training_days_alone(tmp_path: Path) -> None:
    """The last day the model is fitted on is train_until; its stations are all there are."""
    shown = Shown()
    backtest(made(tmp_path), watched(shown))
    (learned,) = shown.learned
    assert (str(learned.days[0]), str(learned.days[-1]), learned.stations) == ("2021-01-01", "2021-04-30", ("an", "binh", "cai"))
    assert all(len(array) == len(learned.days) for array in (learned.target, learned.evening, *learned.drivers.values()))


def test_it_is_scored_on_test_days_alone(tmp_path: Path) -> None:
    """Valid from test_from to test_until, issued on train_until or later, where both days were observed; each is asked once."""
    shown = Shown()
    data = made(tmp_path, "test_until = 2021-06-20\n" + TEXT)
    result = backtest(data, watched(shown))
    seen = np.isfinite(data.daily.target)
    place = {str(day): n for n, day in enumerate(data.daily.days)}
    wanted = {
        (data.daily.stations[s], str(data.daily.days[d]), lead)
        for lead in (1, 3)
        for d in range(place["2021-04-30"], place["2021-06-20"])
        for s in range(3)
        if place["2021-05-01"] <= d + lead <= place["2021-06-20"] and seen[d, s] and seen[d + lead, s]
    }
    assert set(forecasts(result)) == wanted
    day, station = shown.rows[0]
    assert len(np.unique(day * 3 + station)) == len(day)
    assert len(shown.rows) == 1
    assert result.held[0].scores[0].n == len(result.held[0].pairs.day)


def test_train_until_long_before_the_test(tmp_path: Path) -> None:
    """A gap between the two is allowed; a lead longer than the way from train_until to test_from is issued no earlier than train_until."""
    text = without(TEXT, {"2021-04-30": "2021-04-10", "[1, 3]": "[1, 30]"})
    result = backtest(made(tmp_path, text), watched(Shown()))
    issued = {lead: min(day for _, day, h in forecasts(result) if h == lead) for lead in (1, 30)}
    assert issued == {1: "2021-04-30", 30: "2021-04-10"}


def test_only_scored_stations_are_scored(tmp_path: Path) -> None:
    """score_stations: the others are learned from and shown."""
    shown = Shown()
    result = backtest(made(tmp_path, 'score_stations = ["binh"]\n' + TEXT), watched(shown))
    assert {station for station, _, _ in forecasts(result)} == {"binh"}
    assert shown.learned[0].stations == shown.asked[0].stations == ("an", "binh", "cai")
    assert {score.station for held in result.held for score in held.scores} == {"*", "binh"}


def test_what_a_model_says_nothing_of_is_not_held(tmp_path: Path) -> None:
    """A row of NaN is no forecast; the rest is scored."""

    class Silent:
        def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
            told = Shown()
            said = dict(watched(told).fit(daily, (1, 3), (1.0, 4.0)).say(daily, day, station))
            gone = station == 0
            return {
                lead: Said(
                    point=np.where(gone, np.nan, s.point),
                    quantiles=np.where(gone[:, None], np.nan, s.quantiles),
                    p_gt=np.where(gone[:, None], np.nan, s.p_gt),
                )
                for lead, s in said.items()
            }

    result = backtest(made(tmp_path), DayModel(name="silent", version="1", fit=lambda daily, leads, lines: Silent()))
    assert {station for station, _, _ in forecasts(result)} == {"binh", "cai"}
    assert next(s.n for s in result.held[0].scores if s.station == "an") == 0


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    """Steps rise from 0 to all of them."""
    told: list[int] = []
    data = made(tmp_path)
    backtest(data, watched(Shown()), moved=lambda done, what: told.append(done))
    assert told == list(range(steps(data) + 1))


# ------------------------------------------------------------ other places


def test_training_elsewhere(tmp_path: Path) -> None:
    """Another set is learned from up to train_until of this one; this one's stations are not, and are asked with the others beside them."""
    shown = Shown()
    here, there = made(tmp_path / "a"), made(tmp_path / "b", what=elsewhere(season(seed=5)), source="other.toml")
    result = backtest(here, watched(shown), train=there)
    assert shown.learned[0].stations == ("xa", "xb", "xc")
    assert str(shown.learned[0].days[-1]) == "2021-04-30"
    assert shown.asked[0].stations == ("an", "binh", "cai", "xa", "xb", "xc")
    assert {station for station, _, _ in forecasts(result)} == {"an", "binh", "cai"}
    own = [shown.asked[0].stations.index(s) for s in here.daily.stations]
    assert shown.asked[0].target[:, own].tobytes() == here.daily.target.tobytes()
    np.testing.assert_array_equal(course_of(shown.asked[0])[:, :, own], course_of(here.daily))


def test_a_station_is_left_out_of_training(tmp_path: Path) -> None:
    """One file, one station tested, all named for training: the tested one is left out, which is told."""
    shown = Shown()
    one, whole = made(tmp_path, TEXT.replace('unit = "g/L"', 'unit = "g/L"\nstations = ["binh"]')), made(tmp_path, source="all.toml")
    result = backtest(one, watched(shown), train=whole)
    assert shown.learned[0].stations == ("an", "cai")
    assert {station for station, _, _ in forecasts(result)} == {"binh"}
    assert "1 stations of all.toml are in made.toml too and are not learned from: binh" in result.notes
    with pytest.raises(ConfigError, match=r"every station of made\.toml is one of all\.toml"):
        backtest(whole, watched(shown), train=one)


def test_earlier_years_in_another_file(tmp_path: Path) -> None:
    """The same stations without a day in common are their earlier years: learned from, and known when this set is asked."""
    rows = season()
    parts = {
        name: replace(rows, salinity=tuple(r for r in rows.salinity if (r[1] < "2021-04-20") == early), level=rows.level, river=rows.river)
        for name, early in (("a", True), ("b", False))
    }
    shown = Shown()
    early, late = (made(tmp_path / name, what=part, source=f"{name}.toml") for name, part in parts.items())
    split = backtest(late, watched(shown), train=early)
    whole = backtest(made(tmp_path / "c"), watched(Shown()))
    assert shown.learned[0].stations == ("an", "binh", "cai")
    assert str(shown.learned[0].days[-1]) == "2021-04-19"
    assert forecasts(split) == forecasts(whole)
    assert shown.asked[0].target.tobytes() == whole.daily.target.tobytes()
    np.testing.assert_array_equal(course_of(shown.asked[0]), course_of(whole.daily))


def test_drivers_meet_by_name(tmp_path: Path) -> None:
    """What was learned with is always shown, missing where this set has it not; the difference is told."""
    shown = Shown()
    here = made(tmp_path / "a", TEXT.replace("discharge =", "flow ="))
    there = made(tmp_path / "b", what=elsewhere(season(seed=5)), source="other.toml")
    result = backtest(here, watched(shown), train=there)
    assert set(shown.learned[0].drivers) == set(shown.asked[0].drivers) == {"discharge", "level"}
    own = [shown.asked[0].stations.index(s) for s in here.daily.stations]
    assert np.isnan(shown.asked[0].drivers["discharge"][:, own]).all()
    assert np.isfinite(shown.asked[0].drivers["level"][:, own]).any(axis=0).all()
    assert {"other.toml has drivers that made.toml has not: discharge", "made.toml has drivers that other.toml has not: flow"} <= set(result.notes)


def test_another_zone_is_no_neighbour(tmp_path: Path) -> None:
    """Days of another zone begin at other hours: such a set is learned from and not shown."""
    shown = Shown()
    there = made(tmp_path / "b", TEXT.replace("Asia/Ho_Chi_Minh", "America/New_York"), what=elsewhere(season(seed=5)))
    backtest(made(tmp_path / "a"), watched(shown), train=there)
    assert shown.asked[0].stations == ("an", "binh", "cai")


def test_another_unit_is_refused(tmp_path: Path) -> None:
    """mg/L cannot teach g/L."""
    there = made(tmp_path / "b", TEXT.replace('"g/L"', '"mg/L"'), what=elsewhere(season()), source="other.toml")
    with pytest.raises(ConfigError, match=r"other\.toml is in mg/L and made\.toml in g/L"):
        backtest(made(tmp_path / "a"), watched(Shown()), train=there)


def test_one_unit_in_two_spellings(tmp_path: Path) -> None:
    """g/l teaches g/L."""
    there = made(tmp_path / "b", TEXT.replace('"g/L"', '"g/l"'), what=elsewhere(season()), source="other.toml")
    assert backtest(made(tmp_path / "a"), watched(Shown()), train=there).dataset.unit == "g/L"


def test_another_statistic_is_refused(tmp_path: Path) -> None:
    """The day's lowest cannot teach its highest."""
    there = made(tmp_path / "b", TEXT.replace('unit = "g/L"', 'unit = "g/L"\ndaily = "min"'), what=elsewhere(season()), source="other.toml")
    with pytest.raises(ConfigError, match=r'other\.toml has daily = "min" and made\.toml "max": train on a set of the same'):
        backtest(made(tmp_path / "a"), watched(Shown()), train=there)


def test_another_name_of_the_zone_is_a_neighbour(tmp_path: Path) -> None:
    """Asia/Saigon is Asia/Ho_Chi_Minh: such a set is shown."""
    shown = Shown()
    there = made(tmp_path / "b", TEXT.replace("Asia/Ho_Chi_Minh", "Asia/Saigon"), what=elsewhere(season(seed=5)))
    backtest(made(tmp_path / "a"), watched(shown), train=there)
    assert shown.asked[0].stations == ("an", "binh", "cai", "xa", "xb", "xc")


# ------------------------------------------------------------ what a file holds of strange numbers


def test_a_station_without_test_days_is_told(tmp_path: Path) -> None:
    """One note names those that are to be scored and cannot be."""
    rows = season()
    early = replace(rows, salinity=tuple(r for r in rows.salinity if r[0] == "cai" or r[1] < "2021-04-20"))
    result = backtest(made(tmp_path, what=early), watched(Shown()))
    assert result.notes == ("no forecast can be scored, since from 2021-05-01 to 2021-07-19 too little was measured: an, binh",)
    assert not backtest(made(tmp_path / "b"), watched(Shown())).notes


def test_a_number_beyond_any_measurement(tmp_path: Path) -> None:
    """1e300 on a test day: no sum runs over (warnings are errors here), every score is there, and the number is told."""
    rows = season()
    at = next(n for n, (_, time, _) in enumerate(rows.salinity) if time > "2021-06-01")
    strange = replace(rows, salinity=(*rows.salinity[:at], (*rows.salinity[at][:2], 1e300), *rows.salinity[at + 1 :]))
    result = backtest(made(tmp_path, what=strange), watched(Shown()))
    assert result.notes == ("fill values of salinity.csv, no measurements, are left out: 1e+300 (once)",)
    assert all(one.rmse is not None and one.rmse < 100 for held in result.held for one in held.scores if one.threshold is None)


# ------------------------------------------------------------ too short


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"2021-04-30": "2020-12-31"}, "too short to learn from: 0 pairs of days 1 apart"),
        ({"2021-04-30": "2021-01-05"}, "too short to learn from"),
        ({"[1, 3]": "[1, 119]"}, "pairs of days 119 apart up to train_until 2021-04-30"),
        ({"2021-05-01": "2021-07-15"}, "too short to score"),
        ({"2021-05-01": "2023-01-01"}, "too short to score: 0 days from 2023-01-01"),
        ({"2021-05-01": "2023-01-01"}, "0 days from 2023-01-01 on have a value and another 1 day before, 15 are needed (its days are 2021-01-01 to 2021-07"),
        ({"[1, 3]": "[1, 180]"}, "180"),
    ],
)
def test_a_set_too_short(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    """What is too short, how much is there, how much is needed, and what to move."""
    with pytest.raises(ConfigError) as refused:
        backtest(made(tmp_path, without(TEXT, changes)), watched(Shown()))
    assert all(word in str(refused.value) for word in ("made.toml", told, "are needed", "leads_days")), refused.value


# ------------------------------------------------------------ no forecast knows what came after it


@cache
def plain(name: str) -> Result:
    """Of the model on the files as they are."""
    with TemporaryDirectory() as folder:
        return backtest(made(Path(folder)), MODELS[name])


@every_model
def test_nothing_after_an_issue_changes_it(model: DayModel, tmp_path: Path) -> None:
    """Every number of target, other stations and drivers after a day is another one, rows are gone: what was issued up to that day is the same to the bit."""
    first = forecasts(plain(model.name))
    for seed, day in enumerate(("2021-04-30", "2021-06-25")):  # the day between is the next test's
        other = made(tmp_path / str(seed), what=season().scrambled_after(day, seed))
        second = forecasts(backtest(other, model))
        both = [key for key in first if key in second and key[1] <= day]
        assert len(both) >= 3, "nothing to compare"
        assert [key for key in both if first[key] != second[key]] == []
        later = [key for key in first if key in second and key[1] > day]
        if model.name != "climatology":  # it knows the date alone
            assert any(first[key] != second[key] for key in later), "the scrambling reaches nothing"


@every_model
def test_nothing_after_an_issue_changes_it_elsewhere(model: DayModel, tmp_path: Path) -> None:
    """The same with other places to learn from, which are scrambled too."""
    rows, day = elsewhere(season(seed=5)), "2021-05-20"
    first = forecasts(backtest(made(tmp_path / "a"), model, train=made(tmp_path / "b", what=rows)))
    here = made(tmp_path / "c", what=season().scrambled_after(day, 1))
    second = forecasts(backtest(here, model, train=made(tmp_path / "d", what=rows.scrambled_after(day, 2))))
    both = [key for key in first if key in second and key[1] <= day]
    assert [key for key in both if first[key] != second[key]] == []


def test_a_model_that_looks_ahead_is_noticed(tmp_path: Path) -> None:
    """The comparison above would find one that knows tomorrow's discharge."""

    class Peeking:
        def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
            said = watched(Shown()).fit(daily, (1, 3), (1.0, 4.0)).say(daily, day, station)
            return {lead: replace(s, point=np.nan_to_num(daily.drivers["discharge"][day + 1, station])) for lead, s in said.items()}

    model = DayModel(name="peeking", version="1", fit=lambda daily, leads, lines: Peeking())
    first = forecasts(backtest(made(tmp_path / "a"), model))
    second = forecasts(backtest(made(tmp_path / "b", what=season().scrambled_after("2021-05-20", 1)), model))
    assert {key[1] for key in first if key in second and key[1] <= "2021-05-20" and first[key] != second[key]} == {"2021-05-20"}


@every_model
def test_twice_the_same(model: DayModel, tmp_path: Path) -> None:
    """The same files give the same forecasts and scores, to the bit."""
    one, two = plain(model.name), backtest(made(tmp_path), model)
    assert forecasts(one) == forecasts(two)
    assert [h.scores for h in one.held] == [h.scores for h in two.held]
    assert forecasts(one)
