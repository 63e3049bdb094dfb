"""Which days count: one rule for what models learn from, what they are shown, and what their forecasts are held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OFTEN = 12  # readings of a day: every 2 h or oftener
MEMORY = 30  # days it is remembered that a point is read so often

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


def most_lately(count: Counts) -> Counts:
    """The most readings of a day among each day and the 29 before it, of `count` readings (n, …): a later day tells nothing of an earlier one."""
    found = count.copy()
    for back in range(1, min(MEMORY, len(count))):
        found[back:] = np.maximum(found[back:], count[:-back])
    return found


def counting(count: Counts, whole: Mask, most: Counts) -> Mask:
    """Which days (n,) count: those read at all; of a point that is read `OFTEN`, only those without a gap over 4 h (`whole`).

    What lies in such a gap may be the day's highest. Of a point that is read more seldom, whatever was read is the day.
    """
    found: Mask = (count > 0) & (whole | (most < OFTEN))
    return found
