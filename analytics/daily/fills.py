"""Numbers that stand in files where nothing was measured: -9999, -999, what NetCDF writes, what no quantity can be."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np

from analytics.daily.columns import Readings
from analytics.daily.scores import Mask

# either sign; -32767 and -2147483647 are the defaults of NetCDF for short and int, the numbers beside them the lowest there are
FILLS = (999.0, 999.9, 999.99, 9999.0, 9999.9, 9999.99, 99999.0, 99999.9, 999999.0, 32767.0, 32768.0, 2147483647.0, 2147483648.0)
BEYOND = 1e15  # in no unit is anything as large: 9.96921e36 (NetCDF), 1e20 (climate models), 1e35, -3.4e38 and slips of the pen lie beyond
FAR = 3.0  # times the lowest value: a flow of -12,000 may well be -9,999 another day
SHOWN = 5


def fills(found: Readings, until: date | None, most: float = np.inf) -> Mask:
    """Which readings (r,) measure nothing. `most` is more than the quantity can be, in the unit of the values.

    A fill value counts as one only where it cannot be a measurement: over `most`, or far below zero and below whatever else its name read up to `until`,
    the last day of training. Later days are not looked at: what they hold must not change what is known of earlier ones.
    """
    size = np.abs(found.value)
    marked = np.isin(size, FILLS)
    trained = np.ones(len(size), dtype=bool) if until is None else found.day <= int(np.datetime64(until, "D").astype(np.int64))
    plain = trained & ~marked & (size < BEYOND)
    lowest = np.zeros(len(found.names))
    np.minimum.at(lowest, found.name[plain], found.value[plain])
    apart: Mask = (found.value < FAR * lowest[found.name]) | (found.value > most)
    return (size >= BEYOND) | (marked & apart)


def told(found: Readings, mask: Mask, file: str) -> list[str]:
    """One note that names and counts them; none where there are none."""
    counted = Counter(found.value[mask].tolist()).most_common()
    if not counted:
        return []
    more = f" and {len(counted) - SHOWN} other numbers" if len(counted) > SHOWN else ""
    named = ", ".join(f"{value:.10g} ({n} times)" if n > 1 else f"{value:.10g} (once)" for value, n in counted[:SHOWN])
    return [f"fill values of {file}, no measurements, are left out: {named}{more}"]
