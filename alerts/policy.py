"""When an alert opens, goes on and clears: one pure step per key, from the alert as it stands and the facts of now.

Facts only, no text; whatever must be remembered between two steps stands in the alert. Nothing is ever cleared by silence:
only fresh good readings clear `observed` and `fault`, only newer issues clear `forecast`, only a fresh reading clears `silent`.
The same facts twice change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alerts.config import AlertRules
from core.alert import Alert, AlertEvent, AlertKey, Step
from core.bands import LINES, band, level
from core.clock import AHEAD_MS
from core.flags import Flag
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.highest import chance_within, covered, touching
from core.risk import Risk
from core.state import Latest
from core.told import is_told

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
ARRIVING_MS = 600_000  # who was heard within this time is sending a backlog, and is not silent
RAISED_BY = 1.25  # a new peak in the same band is told when it is this many times the one told last
BAD = (Flag.SUSPECT, Flag.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the salinity at a point.

    `newest` is the newest stored reading, whatever its flag, that came in at `received` [ms]; `judged` the judged readings of the last hours, oldest first
    (None = they were not read, for there is nothing new); `forecast` the newest issue of the coming hours. `stands` is
    whether a sensor is deployed there now; `since` [ms] is when we began to watch.
    """

    org: str
    newest: Latest | None = None
    received: int | None = None
    interval_s: float | None = None
    judged: tuple[Latest, ...] | None = None
    forecast: Forecast | None = None
    stands: bool = True
    since: int = 0


def reach_back_ms(stale_after: int, rules: AlertRules) -> int:
    """How far back `Facts.judged` must reach for an open alert to clear [ms]."""
    return 2 * stale_after + round(rules.clear_after_min * MINUTE_MS)


def step(key: AlertKey, alert: Alert | None, facts: Facts, now: int, *, rules: AlertRules, risk: Risk) -> Step | None:
    """One step of the alert about `key` at `now` [ms]; None where nothing changes.

    `alert` is the one not cleared, or the last cleared one: within `reopen_h` of its clearing it goes on, later a new one opens.
    """
    point = _Point(facts, now, rules, risk)
    found = _KINDS[key.kind](key, point)
    if alert is not None and alert.state != "cleared":
        return _go_on(alert, found, point)
    if not found.opens or (key.line is not None and key.line not in rules.lines):
        return None
    return _open(key, alert, found, point)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the facts say of one key: whether they open it or clear it, and the facts it would show (`by`: those that open it)."""

    opens: bool = False
    clears: bool = False
    by: Latest | None = None
    value: float | None = None
    time: int | None = None
    p: float | None = None
    model: str = ""
    issue: int | None = None


@dataclass(frozen=True, slots=True)
class _Point:
    facts: Facts
    now: int
    rules: AlertRules
    risk: Risk

    @property
    def interval_s(self) -> float:
        given = self.facts.interval_s
        return given if given is not None and given > 0 else self.risk.interval_s

    def is_fresh(self, time: int) -> bool:
        return -AHEAD_MS <= self.now - time <= self.stale_after

    @property
    def stale_after(self) -> int:
        return self.risk.stale_after_ms(self.interval_s)

    def lasted(self, run: Sequence[Latest]) -> bool:
        """Whether these last readings are enough, long enough, fresh, and the newest that is stored at all."""
        newest = self.facts.newest
        return (
            len(run) >= self.rules.clear_readings
            and run[-1].time - run[0].time >= self.rules.clear_after_min * MINUTE_MS
            and self.is_fresh(run[-1].time)
            and (newest is None or newest.time <= run[-1].time)
        )

    def run(self, readings: Sequence[Latest], holds: Sequence[bool]) -> list[Latest]:
        """The last of `readings` for which it holds without a break; a gap over `stale_after` is one, for nobody knows what was in it."""
        run: list[Latest] = []
        for reading, ok in zip(reversed(readings), reversed(holds), strict=True):
            if not ok or (run and run[0].time - reading.time > self.stale_after):
                break
            run.insert(0, reading)
        return run


def _observed(key: AlertKey, at: _Point) -> _Found:
    good = [r for r in at.facts.judged or () if r.flag == Flag.GOOD and math.isfinite(r.value)]
    if not good or key.line is None:
        return _Found()
    line = key.line
    last = good[-1]
    under = at.run(good, [r.value < at.rules.clear_below * line for r in good])
    if at.lasted(under):
        return _Found(clears=True, value=last.value, time=last.time)
    recent = [r for r in good[-at.rules.open_of :] if at.is_fresh(r.time)]
    over = [r for r in recent if r.value >= line]
    opens = len(over) >= at.rules.open_readings or any(r.value > at.rules.open_at_once * line for r in recent)
    return _Found(opens=opens, by=over[-1] if opens else None, value=last.value, time=last.time)


def _fault(key: AlertKey, at: _Point) -> _Found:
    if not at.facts.stands:
        return _Found(clears=True)
    judged = at.facts.judged or ()
    if at.lasted(at.run(judged, [r.flag == Flag.GOOD for r in judged])):
        return _Found(clears=True, time=judged[-1].time)
    bad = [r for r in judged[-at.rules.open_of :] if r.flag in BAD and at.is_fresh(r.time)]
    if len(bad) < at.rules.fault_readings:
        return _Found()
    return _Found(opens=True, time=bad[-1].time)  # no value: nobody should read one


def _silent(key: AlertKey, at: _Point) -> _Found:
    newest = at.facts.newest
    if newest is None:
        return _Found()
    shown = newest.value if newest.flag not in BAD and math.isfinite(newest.value) else None
    if not at.facts.stands or at.is_fresh(newest.time):
        return _Found(clears=True, value=shown, time=newest.time)
    age = at.now - newest.time
    heard = at.facts.received is not None and abs(at.now - at.facts.received) < ARRIVING_MS
    # after an outage of ours all of them are old: who is well speaks within its interval
    watched = at.now - at.facts.since >= max(ARRIVING_MS, 1000 * at.interval_s)
    opens = watched and not heard and at.risk.silent_after_ms(at.interval_s) <= age <= at.rules.forget_days * DAY_MS
    return _Found(opens=opens, value=shown, time=newest.time)


def _forecast(key: AlertKey, at: _Point) -> _Found:
    issue = at.facts.forecast
    if issue is None or key.line is None or not is_told(issue, at.now, at.rules.forecast_max_age_h):
        return _Found()
    until = at.now + at.rules.ahead_h * HOUR_MS
    hours = touching(issue, at.now, until)
    p = chance_within(issue, at.now, until, key.line)
    peaks = [issue.quantiles[i][MEDIAN] for i in hours]
    if not math.isfinite(p) or not all(map(math.isfinite, peaks)):
        return _Found()
    highest = max(range(len(hours)), key=lambda n: peaks[n])
    return _Found(
        opens=p >= at.rules.forecast_open_p,
        clears=p < at.rules.forecast_clear_p and covered((issue.times[i] for i in hours), at.now, until),
        value=peaks[highest],
        time=issue.times[hours[highest]],
        p=p,
        model=issue.model,
        issue=issue.issued_at,
    )


_KINDS = {"observed": _observed, "forecast": _forecast, "silent": _silent, "fault": _fault}


def _open(key: AlertKey, before: Alert | None, found: _Found, at: _Point) -> Step:
    value, time = (found.by.value, found.by.time) if found.by is not None else (found.value, found.time)
    memory: dict[str, float | int | None] = {}
    if key.kind in ("observed", "forecast") and value is not None:
        memory |= {"told": value, "shown": band(value)}
    if key.kind == "observed":
        memory |= {"seen": found.time}
    if key.kind == "forecast":
        memory |= {"issue": found.issue, "under": 0, "under_issue": None}
    if before is not None and before.cleared_at is not None and at.now - before.cleared_at <= at.rules.reopen_h * HOUR_MS:
        alert = replace(before, state="open", updated_at=max(at.now, before.updated_at), cleared_at=None, acknowledged_by="", acknowledged_at=None)
        what = "reopened"
    else:
        alert = Alert(
            org=at.facts.org,
            station=key.station,
            point=key.point,
            kind=key.kind,
            line=key.line,
            level=level(key.line) if key.line is not None else 0,
            state="open",
            opened_at=at.now,
            updated_at=at.now,
        )
        what = "opened"
    alert = replace(alert, value=value, time=time, p=found.p, model=found.model, config=at.rules.hash, memory=memory)
    return Step(alert=alert, event=_event(what, alert))


def _go_on(alert: Alert, found: _Found, at: _Point) -> Step | None:
    if found.clears and alert.kind == "forecast":
        return _under(alert, found, at)
    if found.clears:
        return _clear(alert, found, at)
    if alert.kind == "silent":
        moved = found.time is not None and (alert.time is None or found.time > alert.time)
        return Step(alert=replace(alert, value=found.value, time=found.time)) if moved else None
    if alert.kind == "fault":
        return None
    return _update(alert, found, at)


def _under(alert: Alert, found: _Found, at: _Point) -> Step | None:
    """A forecast alert clears in the n-th issue, one after the other, that is under the chance."""
    if found.issue == alert.memory.get("under_issue"):
        return None
    count = int(alert.memory.get("under") or 0) + 1
    if count >= at.rules.forecast_clear_issues:
        return _clear(alert, found, at)
    shown = replace(alert, value=found.value, time=found.time, p=found.p, model=found.model)
    return Step(alert=replace(shown, memory={**alert.memory, "issue": found.issue, "under": count, "under_issue": found.issue}))


def _update(alert: Alert, found: _Found, at: _Point) -> Step | None:
    """The newest facts; `updated_at` moves only with what a person would see: another band (held until well under its line), or a new peak."""
    if found.value is None or found.time is None:
        return None
    memory = dict(alert.memory)
    if alert.kind == "observed":
        is_news = found.time > int(memory.get("seen") or 0)
        memory |= {"seen": found.time}
    else:
        past = alert.time is not None and alert.time + HOUR_MS <= at.now and found.time != alert.time
        is_news = found.issue != memory.get("issue") or memory.get("under") != 0 or past
        memory |= {"issue": found.issue, "under": 0, "under_issue": None}
    if not is_news:
        return None
    told, shown = float(memory.get("told") or 0.0), int(memory.get("shown") or 0)
    raised = found.value >= RAISED_BY * told or band(found.value) > band(told)
    still = _band_held(found.value, shown, at.rules.clear_below)
    memory |= {"told": found.value if raised else told, "shown": still}
    changed = replace(alert, value=found.value, time=found.time, p=found.p, model=found.model, memory=memory)
    if raised or still != shown:
        changed = replace(changed, updated_at=max(at.now, alert.updated_at))
    return Step(alert=changed, event=_event("raised", changed) if raised else None)


def _band_held(value: float, shown: int, share: float) -> int:
    """The band to show: up at once, down only well under the line, so that a value dancing on a line changes nothing."""
    now = max(shown, band(value))
    while now > 0 and value < share * LINES[now - 1]:
        now -= 1
    return now


def _clear(alert: Alert, found: _Found, at: _Point) -> Step:
    moment = max(at.now, alert.updated_at)
    facts = replace(alert, value=found.value, time=found.time, p=found.p) if found.time is not None else alert
    cleared = replace(facts, state="cleared", cleared_at=moment, updated_at=moment)
    return Step(alert=cleared, event=_event("cleared", cleared))


def _event(what: str, alert: Alert) -> AlertEvent:
    return AlertEvent(alert=alert.id, at=alert.updated_at, kind=what, value=alert.value, time=alert.time, p=alert.p)
