"""Values that are written in steps: "over 1 g/L", of readings to the tenth, is 1.1 or more, and a curve without steps says that above 1.05."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.daily.panel import Floats

NEARLY_ALL = 0.9  # of the values other than 0 stand on a step
_FINEST = 5  # powers of ten below a high value: finer steps change nothing
_NEAR = 1e-6  # of a step


def step_of(values: Floats) -> float:
    """The largest power of ten in whose steps nearly all of `values` are written; 0 where they keep to none. NaN does not count."""
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(size):
        return 0.0
    largest = int(np.floor(np.log10(np.quantile(size, NEARLY_ALL))))
    for power in range(largest, largest - _FINEST, -1):
        steps = size / 10.0**power
        whole = np.round(steps)  # what lies far below a step stands on none: one absurd value among them must not choose it
        if ((np.abs(steps - whole) < _NEAR) & (whole > 0)).mean() >= NEARLY_ALL:
            return float(10.0**power)
    return 0.0


def midway(lines: Sequence[float], step: float) -> tuple[float, ...]:
    """Each line as a curve without steps is to be asked of it: midway between the last value that is not over it and the first that is."""
    return tuple((float(np.floor(line / step + _NEAR)) + 0.5) * step if step else line for line in lines)
