"""A candidate for the course by hours, and what it, the one that speaks and the baselines said of the hours nobody had learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.daily.panel import Days, Floats, Index
from analytics.empirical import MIN_ERRORS, dressed
from analytics.history import History, local_date, local_times
from analytics.hourly.model import FittedHours
from analytics.hourly.panel import Hourly
from analytics.models.persistence import MODEL as PERSISTENCE
from analytics.promotion import Claim, Mask
from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES

MODEL = "boosted"  # what candidates of hours are
LEADS = (1, 2, 3, 6, 9, 12, 18, 24, 36, 48, 60, 72)  # that are asked about
EVERY = 5  # hours between two issues …
MOST_ISSUES = 120  # … and more where there would be more of them
MOST_STATIONS = 60  # that are asked about, drawn where there are more: persistence alone takes a tenth of a second for each
_MOST_ERRORS = 2000
_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HourExam:
    """Issued on the hours `issues` (i,), with nothing known of them yet, at each station; `came` (i · stations · LEADS,) NaN left out by `asked`."""

    hourly: Hourly
    histories: tuple[History, ...]
    issues: Index
    asked: Index
    came: Floats

    @property
    def near(self) -> Mask:
        """Those of the next 24 hours (k,)."""
        found: Mask = np.array([lead <= _DAY for lead in LEADS])[self.asked % len(LEADS)]
        return found

    @property
    def day(self) -> Days:
        """The local day each is about (k,)."""
        hours, place = np.unique(self._valid(), return_inverse=True)
        found: Days = np.array([self._day(int(hour)) for hour in hours], dtype="datetime64[D]")[place]
        return found

    @property
    def since(self) -> str:
        """The local day of the first hour that is forecast."""
        return self._day(self._valid().min(initial=len(self.hourly.value) - 1))

    @property
    def until(self) -> str:
        """Of the last one."""
        return self._day(self._valid().max(initial=0))

    def _valid(self) -> Index:
        """The hours asked about (k,)."""
        found: Index = self.issues[self.asked // (len(LEADS) * len(self.hourly.stations))] + np.array(LEADS)[self.asked % len(LEADS)] - 1
        return found

    def _day(self, hour: int) -> str:
        return str(local_date(self.hourly.start + int(hour) * HOUR_MS, self.hourly.zone))

    def sat(self, fitted: FittedHours) -> Claim:
        """What it says."""
        m = len(self.hourly.stations)
        blind = replace(self.hourly, begun=np.full_like(self.hourly.begun, np.nan))
        said = fitted.say(blind, np.repeat(self.issues, m), np.tile(np.arange(m, dtype=np.int64), len(self.issues)), LEADS)
        return self._claim(said.quantiles, said.p_gt)

    def persistence(self) -> Claim:
        """What speaks where no trained model does."""
        m = len(self.hourly.stations)
        q, p = np.full((len(self.issues), m, len(LEADS), len(QUANTILES)), np.nan), np.full((len(self.issues), m, len(LEADS), len(LINES)), np.nan)
        place = {lead: n for n, lead in enumerate(LEADS)}
        for n, hour in enumerate(self.issues.tolist()):
            for i, issue in enumerate(PERSISTENCE.say("hour", self.histories, range(m), self.hourly.start + hour * HOUR_MS, ())):
                for lead, quantiles, above in zip(issue.leads, issue.quantiles, issue.p_gt, strict=True) if issue is not None else ():
                    if lead in place:
                        q[n, i, place[lead]], p[n, i, place[lead]] = quantiles, above
        return self._claim(q, p)

    def yesterday(self, learned: int) -> Claim:
        """As the same hour of the last day that is over, with the errors this rule made in the hours before `learned`."""
        value, m = self.hourly.value, len(self.hourly.stations)
        q, p = np.full((len(self.issues), m, len(LEADS), len(QUANTILES)), np.nan), np.full((len(self.issues), m, len(LEADS), len(LINES)), np.nan)
        for n, lead in enumerate(LEADS):
            back = _DAY * -(-lead // _DAY)
            errors = _errors(value[:learned], back)
            source = self.issues + lead - 1 - back
            known = (source >= 0)[:, None] & np.isfinite(value[np.maximum(source, 0)])
            if len(errors) >= MIN_ERRORS and known.any():
                q[known, n], p[known, n] = dressed(value[np.maximum(source, 0)][known], errors)
        return self._claim(q, p)

    def climatology(self, learned: int) -> Claim:
        """As the station's hours before `learned` were; of all stations' where it has none."""
        past = self.hourly.value[:learned]
        every = past[np.isfinite(past)]
        q, p = [], []
        for column in past.T:
            own = column[np.isfinite(column)]
            own = own if len(own) else every
            q.append(np.quantile(own, QUANTILES) if len(own) else np.full(len(QUANTILES), np.nan))
            p.append((own[:, None] > LINES).mean(axis=0) if len(own) else np.full(len(LINES), np.nan))
        shape = (len(self.issues), len(q), len(LEADS))
        return self._claim(*(np.broadcast_to(np.array(one)[None, :, None, :], (*shape, len(one[0]))) for one in (q, p)))

    def _claim(self, quantiles: Floats, p_gt: Floats) -> Claim:
        spoken = np.atleast_1d(np.isfinite(quantiles).all(axis=-1).reshape(-1, len(LEADS)).any(axis=0))
        return Claim(
            quantiles=quantiles.reshape(-1, len(QUANTILES))[self.asked],
            p_gt=p_gt.reshape(-1, len(LINES))[self.asked],
            levels=QUANTILES,
            leads=frozenset(lead for lead, spoke in zip(LEADS, spoken.tolist(), strict=True) if spoke),
        )


def hour_exam(hourly: Hourly, histories: Sequence[History], learned: int) -> HourExam:
    """Issues from the hour `learned` on, of hours that were read, at MOST_STATIONS of those read since. The last hour, which is not over, is not asked
    about."""
    end = len(hourly.value) - 1
    read = np.flatnonzero(np.isfinite(hourly.value[learned:end]).any(axis=0))
    if len(read) > MOST_STATIONS:
        drawn = np.sort(np.random.default_rng(0).choice(read, MOST_STATIONS, replace=False))
        hourly, histories = hourly.only(drawn), [histories[i] for i in drawn.tolist()]
    step = max(EVERY, -(-(end - learned) // MOST_ISSUES))
    while math.gcd(step, _DAY) > 1:  # so that all hours of the day have their turn
        step += 1
    issues = np.arange(learned, max(end, learned), step, dtype=np.int64)
    valid = issues[:, None] + np.array(LEADS) - 1
    came = np.where((valid < end)[:, None, :], hourly.value[np.minimum(valid, end)].transpose(0, 2, 1), np.nan).ravel()
    asked = np.flatnonzero(np.isfinite(came)).astype(np.int64)
    return HourExam(hourly=hourly, histories=tuple(histories), issues=issues, asked=asked, came=came[asked])


def hour_baselines(asked: HourExam, learned: int) -> Mapping[str, Claim]:
    """What the honest baselines say."""
    return {"persistence": asked.persistence(), "same hour yesterday": asked.yesterday(learned), "climatology": asked.climatology(learned)}


def hours_until(hourly: Hourly, ms: int) -> int:
    """How many of its hours are over at an instant [ms]."""
    return int(np.clip((ms - hourly.start) // HOUR_MS, 0, len(hourly.value)))


def days_of(hourly: Hourly) -> tuple[str, str]:
    """The first and last local day with a reading; empty where there is none."""
    read = np.flatnonzero(np.isfinite(hourly.value).any(axis=1))
    if not len(read):
        return "", ""
    first, last = (str(local_date(hourly.start + int(hour) * HOUR_MS, hourly.zone)) for hour in (read[0], read[-1]))
    return first, last


def after(day: str, zone: str) -> int:
    """When the local day after `day` begins [ms]."""
    return int(local_times(zone, (np.datetime64(day, "D") + 1).item(), 1)[0])


def _errors(value: Floats, back: int) -> Floats:
    """In log1p, sorted, at most so many: evenly taken."""
    change = np.log1p(np.maximum(value[back:], 0)) - np.log1p(np.maximum(value[: len(value) - back], 0)) if len(value) > back else np.empty(0)
    found = np.sort(change[np.isfinite(change)])
    return found[:: -(-len(found) // _MOST_ERRORS)] if len(found) > _MOST_ERRORS else found
