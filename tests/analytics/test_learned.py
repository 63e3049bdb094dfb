"""A fitted model of days as one that issues: which lead is which day, when it is silent, what it owes to drivers, and that it looks at nothing later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import made_histories as made
import numpy as np
import pytest
from made_histories import AT, scrambled

from analytics.daily.model import LEVELS, Fitted, Said, silence
from analytics.daily.panel import Daily, Index
from analytics.history import DAY_MS, HOUR_MS, History
from analytics.learned import FITTED_LEADS, LEADS, days_model
from analytics.model import DriverHistory, Issue, Model
from core.bands import LINES
from core.clock import local
from core.forecast import QUANTILES
from core.model_card import ModelCard

CARD = ModelCard(
    target="day_max",
    model="ensemble",
    version="1.20260302-abc123",
    trained_at=AT,
    data_from="2024-01-01",
    data_until="2025-03-23",
    stations=("a", "b"),
    drivers=("discharge",),
    rows=388,
    source="store",
    held_out=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Says of a lead the number of the lead, so that it can be told which is asked; NaN for `mute` leads and stations."""

    mute_leads: tuple[int, ...] = ()
    mute: tuple[str, ...] = ()

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        assert set(day.tolist()) == {len(daily.days) - 1}
        found = {lead: silence(len(day), LINES) for lead in FITTED_LEADS}
        for lead, one in found.items():
            for row, at in enumerate(station.tolist()):
                if lead not in self.mute_leads and daily.stations[at] not in self.mute:
                    one.point[row] = lead
                    one.quantiles[row] = lead + np.array(LEVELS)
                    one.p_gt[row] = (0.8, 0.6, 0.4, lead / 100)
        return found


def said(fitted: Fitted, histories: list[History], at: int = AT, drivers: tuple[DriverHistory, ...] = ()) -> list[Issue | None]:
    return days_model(fitted, CARD).say("day_max", histories, range(len(histories)), at, drivers)


def one(fitted: Fitted, at: int = AT, history: History | None = None) -> Issue:
    found = said(fitted, [history or made.histories()[0]], at)[0]
    assert found is not None
    return found


def learned(histories: list[History], drivers: tuple[DriverHistory, ...], at: int = AT) -> list[Issue]:
    """Of the small ensemble."""
    found = [issue for issue in said(made.fitted(), histories, at, drivers) if issue is not None]
    assert len(found) == len(histories)
    return found


def width(issue: Issue) -> float:
    return float(np.log(issue.quantiles[0][-1] / issue.quantiles[0][0]))


def test_it_bears_the_cards_name() -> None:
    """Name, version and target are the card's."""
    model: Model = days_model(Counting(), CARD)
    assert (model.name, model.version, model.targets) == ("ensemble", "1.20260302-abc123", ("day_max",))


@pytest.mark.parametrize("hour", [5, 12, 23])
def test_lead_1_is_the_next_local_day(hour: int) -> None:
    """From 05:00 to midnight the model's lead is one more: its last whole day is yesterday's."""
    issue = one(Counting(), AT + (hour - 5) * HOUR_MS)
    assert issue.leads == tuple(LEADS) == tuple(range(1, 15))
    assert [q[2] - 0.5 for q in issue.quantiles] == list(range(2, 16))
    assert [local(t)[:16] for t in issue.times[:2]] == ["2025-04-11 00:00", "2025-04-12 00:00"]


def test_before_five_the_last_whole_day_is_one_further_off() -> None:
    """An issue that is caught up at night is told from the day before yesterday's, and leaves out what was never learned."""
    issue = one(Counting(), AT + 20 * HOUR_MS, made.histories()[0])
    assert local(issue.times[0])[:10] == "2025-04-12"
    assert [q[2] - 0.5 for q in issue.quantiles] == list(range(3, 16))
    assert issue.leads == tuple(range(1, 14))


def test_quantiles_and_chances_are_the_stated_ones() -> None:
    """Those of QUANTILES out of the model's levels, and P(S > line) of LINES as it says them."""
    issue = one(Counting())
    assert issue.quantiles[0] == pytest.approx([2 + q for q in QUANTILES])
    assert issue.p_gt[0] == (0.8, 0.6, 0.4, 0.02)
    assert not issue.pooled


def test_leads_it_is_silent_of_are_left_out() -> None:
    """Leads, times and values stay side by side; a station it says nothing of has no issue."""
    issue = one(Counting(mute_leads=(2, 9)))
    assert issue.leads == (2, 3, 4, 5, 6, 7, *range(9, 15))
    assert [q[2] - 0.5 for q in issue.quantiles] == [lead + 1 for lead in issue.leads]
    assert [issue is None for issue in said(Counting(mute=("a/main",)), made.histories())] == [True, False]


@pytest.mark.parametrize(("hours", "spoken"), [(6, True), (7, False)])
def test_a_point_that_was_not_read_lately_has_no_forecast(hours: int, spoken: bool) -> None:
    """The newest reading before the issue is at most 6 h old; what lies after it is none."""
    h = made.histories()[0]
    old = replace(h, time=np.append(h.time[h.time <= AT - hours * HOUR_MS], AT), value=np.append(h.value[h.time <= AT - hours * HOUR_MS], 1.0))
    assert (said(Counting(), [old])[0] is not None) == spoken


@pytest.mark.parametrize(("days", "spoken"), [(2, False), (3, True)])
def test_under_three_days_nothing_is_said(days: int, spoken: bool) -> None:
    """Days that count, until the issue."""
    assert (said(Counting(), [made.histories()[0].between(AT - days * DAY_MS, AT)])[0] is not None) == spoken


def test_only_who_is_wanted_is_told_each_in_its_zone() -> None:
    """In the order asked; a point of another zone is told by its own midnights; an empty one is silent."""
    a, b = made.histories()
    empty = replace(a, station="c", time=a.time[:0], value=a.value[:0])
    there = replace(b, zone="America/New_York")
    found = days_model(Counting(), CARD).say("day_max", [a, there, empty], [2, 1, 0], AT, ())
    assert found[0] is None
    assert found[1] is not None
    assert found[2] is not None
    assert local(found[2].times[0])[11:16] == "00:00"
    assert (found[1].times[0] - found[2].times[0]) % DAY_MS == 11 * HOUR_MS


@pytest.mark.parametrize("shift", [0, 1, -HOUR_MS, 7 * HOUR_MS])
def test_nothing_from_the_issue_on_changes_a_forecast(shift: int) -> None:
    """Everything at or after the issue scrambled, other points and drivers included: no bit of quantiles, chances, reasons or names changes."""
    at, points, flow = AT + shift, made.histories(), made.river()
    after = [scrambled(h, at, n) for n, h in enumerate(points)]
    driven = replace(flow, history=scrambled(flow.history, at, 9))
    before = said(made.fitted(), points, at, (flow,))
    assert before == said(made.fitted(), after, at, (driven,))
    assert [issue is not None for issue in before] == [shift >= 0] * 2  # before 05:00 the lead it learned is not tomorrow's


def test_a_point_owes_nothing_to_the_others() -> None:
    """Whoever else is asked, and whatever they read: not one bit."""
    a, b = made.histories()
    company = learned([b, a], (made.river(),))[1]
    assert learned([a], (made.river(),))[0] == company
    assert learned([replace(b, value=b.value[::-1]), a], (made.river(),))[1] == company


def test_a_driver_is_used_named_and_among_the_reasons() -> None:
    """It is told as what went into the forecast, and as what moved it."""
    for issue in learned(made.histories(), (made.river(),)):
        assert (issue.drivers, issue.missing) == (("discharge",), ())
        assert ("driver", "discharge") in {(r.code, r.name) for r in issue.reasons}
        assert {r.lead for r in issue.reasons} == {1}
        assert 1 <= len(issue.reasons) <= 3


@pytest.mark.parametrize("how", ["silent for four days", "gone from the configuration"])
def test_a_driver_that_goes_silent_widens_the_interval_and_is_named(how: str) -> None:
    """The twin that learned without it speaks: on a log scale the 90 % interval is over 1.3 times as wide."""
    drivers = () if how.startswith("gone") else (made.river(until=AT - 4 * DAY_MS),)
    for sure, unsure in zip(learned(made.histories(), (made.river(),)), learned(made.histories(), drivers), strict=True):
        assert width(unsure) > 1.3 * width(sure)
        assert (unsure.drivers, unsure.missing) == ((), ("discharge",))
        assert all(r.code != "driver" for r in unsure.reasons)


def test_a_driver_of_other_stations_is_not_missed() -> None:
    """Where it does not bear on a point nothing of it is used and nothing is missing there."""
    flow = replace(made.river(), bears_on=frozenset({"a"}))
    a, b = learned(made.histories(), (flow,))
    assert (a.drivers, a.missing) == (("discharge",), ())
    assert (b.drivers, b.missing) == ((), ())
