"""Stuck (flat line): a probe that shows the same value for hours while the tide moves (QARTOD test 8).

A sample is suspect when all samples of the last `suspect_h` hours, back to the last one at or before their start,
stay within less than `resolution`; fail for `fail_h`. A window needs `min_samples` samples and no gap over
`max_gap_h`, else it says nothing (2): silence is not a flat line. Not applied to values below `floor`: fresh water
is really flat. Parameters: resolution, floor [unit of the quantity], the others [h] and [1].
Reference: QARTOD temperature and salinity manual, doi:10.7289/V5V40SD4 (flat line: range over the window under the tolerance).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.flags import Flag
from quality.qc import HOUR_MS, Block, Context, Floats, QcTest

BEFORE_H = 9.0  # fail_h + max_gap_h: the sample that opens the longest window is never further back


def run(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """3 and 4 by the length of the flat window that ends at the row, 1 where it moved, 2 where nothing can be said."""
    flags = np.full(len(block.value), Flag.NOT_EVALUATED, dtype=np.uint8)
    used = np.isfinite(params["resolution"]) & block.asked
    if not used.any():
        return flags
    exempt = used & (block.value < params["floor"])
    flags[exempt] = Flag.GOOD
    rows = np.flatnonzero(used & ~exempt)
    spans = _Spans(block.value)
    unbroken = _unbroken_since(block, params["max_gap_h"])[rows]
    few, resolution = params["min_samples"][rows], params["resolution"][rows] * (1 - 1e-6)  # 5.03 − 5.02 is 0.0100000000000002
    for hours, flag in ((params["suspect_h"], Flag.SUSPECT), (params["fail_h"], Flag.FAIL)):
        opens = np.searchsorted(block.place, block.place[rows] - (hours[rows] * HOUR_MS).astype(np.int64), side="right") - 1
        sure = (opens >= unbroken) & (rows - opens + 1 >= few)
        flat = spans.of(opens[sure], rows[sure]) < resolution[sure]
        flags[rows[sure][flat]] = flag
        moved = rows[sure][~flat]
        flags[moved[flags[moved] == Flag.NOT_EVALUATED]] = Flag.GOOD
    return flags


def _unbroken_since(block: Block, max_gap_h: Floats) -> NDArray[np.intp]:
    """For each row the first row of its run without a gap over `max_gap_h` (or of its series)."""
    n = len(block.time)
    breaks = np.zeros(n, dtype=np.intp)
    if n > 1:
        gap = np.zeros(n, dtype=bool)
        gap[1:] = (block.time[1:] - block.time[:-1]) > max_gap_h[1:] * HOUR_MS
        breaks = np.maximum.accumulate(np.where(gap, np.arange(n), 0))
    return np.maximum(breaks, block.first)


class _Spans:
    """max − min over any index window, by a sparse table (levels of doubling width)."""

    def __init__(self, value: Floats) -> None:
        self._low, self._high = [value], [value]

    def of(self, start: NDArray[np.intp], end: NDArray[np.intp]) -> Floats:
        """max − min of value[start..end], both included. Shapes (m,)."""
        if not len(start):
            return np.zeros(0)
        level = (np.frexp((end - start + 1).astype(np.float64))[1] - 1).astype(np.intp)
        self._grow(int(level.max()))
        low, high = np.empty(len(start)), np.empty(len(start))
        for k in np.unique(level):
            rows = level == k
            left, right = start[rows], end[rows] - (1 << int(k)) + 1
            low[rows] = np.minimum(self._low[k][left], self._low[k][right])
            high[rows] = np.maximum(self._high[k][left], self._high[k][right])
        return high - low

    def _grow(self, level: int) -> None:
        while len(self._low) <= level:
            half = 1 << (len(self._low) - 1)
            self._low.append(np.minimum(self._low[-1][:-half], self._low[-1][half:]))
            self._high.append(np.maximum(self._high[-1][:-half], self._high[-1][half:]))


def check(params: Mapping[str, float]) -> None:
    """The longest window must fit in the context the test declares."""
    if not 0 < params["suspect_h"] <= params["fail_h"]:
        raise ValueError(f"suspect_h {params['suspect_h']} must lie between 0 and fail_h {params['fail_h']}")
    if params["fail_h"] + params["max_gap_h"] > BEFORE_H:
        raise ValueError(f"fail_h + max_gap_h = {params['fail_h'] + params['max_gap_h']} h, at most {BEFORE_H} h are kept as context")


NAN = float("nan")
TEST = QcTest(
    name="stuck",
    bit=1,
    before=Context(hours=BEFORE_H),
    after=Context(),
    params={"resolution": NAN, "floor": NAN, "suspect_h": 3.0, "fail_h": 6.0, "max_gap_h": 3.0, "min_samples": 3.0},
    run=run,
    check=check,
    vi="Số đứng yên nhiều giờ",
    en="The value has stood still for hours",
    about={
        "resolution": "A window whose values stay within less than this has not moved [unit of the quantity]: the probe's resolution.",
        "floor": "Values under it are really flat and always good [unit of the quantity].",
        "suspect_h": "Suspect after so long without a move [h].",
        "fail_h": "Fail after so long without a move [h].",
        "max_gap_h": "A window with a longer gap says nothing [h].",
        "min_samples": "A window with fewer samples says nothing.",
    },
)
