"""The course of the issue day by twelfths, and the tide of that day and the day ahead by twelfths: where in its tides the water stands.

A day's highest value alone does not say whether the water was still rising when the day ended, nor whether the next tide comes early or late. Where the
zone has no port, only the course of the water is told. The tide's days are local ones from midnight; in operation those of the water end at 05:00, in what is
learned as in what is asked.
"""

from __future__ import annotations

import numpy as np

from analytics.daily.dressing import Scale
from analytics.daily.panel import TWELFTHS, Daily, Floats, Index
from analytics.daily.recent import extremes_of, filled, recent

LEAST = TWELFTHS // 2  # twelfths with a value: under so many a day has no course
_GAP = 2  # twelfths without a value that a line is drawn across
_LATE = (0, 2, 4)  # twelfths: the water takes its time upstream
_THIRD = TWELFTHS // 3


def course_columns(daily: Daily, day: Index, station: Index, scale: Scale, now: Floats) -> dict[str, Floats]:
    """Of issues at the end of `day` (k,) whose value is `now` (k,) on the scale; NaN of a day without a course. Names begin with `i_`."""
    if daily.course is None:
        return {}
    parts = np.stack([recent(part, day, station, memory=2) for part in daily.course], axis=2)
    both = scale.of(parts.reshape(len(day), 2 * TWELFTHS))
    enough = np.isfinite(both[:, TWELFTHS:]).sum(axis=1) >= LEAST
    today = np.where(enough[:, None], filled(both, gap=_GAP)[:, TWELFTHS:], np.nan)
    course = today[:, ::-1] - now[:, None]  # the last first
    found = {f"i_c{k}": course[:, k] for k in range(TWELFTHS)}
    found["i_high_at"], found["i_low_at"] = _place(course), _place(-course)
    found["i_late_high"] = extremes_of(today, _THIRD, least=1)[0] - now
    found["i_turn1"], found["i_turn2"] = course[:, 0] - course[:, 1], course[:, 0] - course[:, 2]
    return found


def tide_columns(course: Floats, now: Index, then: Index) -> dict[str, Floats]:
    """Of the tide's `course` (n, TWELFTHS) [m] on the issue days `now` (k,) and the days ahead `then` (k,). Names begin with `t_`."""
    found = {f"t_c{k}": course[then, k] for k in range(TWELFTHS)}
    for late in _LATE:
        today, ahead = _late(course, now, late), _late(course, then, late)
        high = today.max(axis=1)
        found[f"t_high_chg{late}"] = ahead.max(axis=1) - high
        found[f"t_early_chg{late}"] = ahead[:, :_THIRD].max(axis=1) - high
        found[f"t_first_chg{late}"] = ahead[:, 0] - today[:, -1]
    return found


def _late(course: Floats, day: Index, late: int) -> Floats:
    """The course (k, TWELFTHS) as it was so many twelfths before."""
    return np.concatenate((course[day - 1], course[day]), axis=1)[:, TWELFTHS - late : 2 * TWELFTHS - late]


def _place(course: Floats) -> Floats:
    """How many twelfths before the end (k,) the highest stands; NaN of none."""
    known = np.isfinite(course)
    return np.where(known.any(axis=1), np.where(known, course, -np.inf).argmax(axis=1), np.nan)
