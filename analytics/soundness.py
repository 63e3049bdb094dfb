"""Whether what a model says is a forecast: what is not must cost no other point its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from analytics.model import Issue
from core.bands import LINES
from core.forecast import QUANTILES, REASONS

_NOISE = 1e-9  # of arithmetic, in g/L and as a chance: less than a digit that is kept


def unsound(issue: Issue) -> str:
    """What keeps it from being one, in words; empty where nothing does."""
    n = len(issue.leads)
    sizes = {"times": len(issue.times), "quantiles": len(issue.quantiles), "p_gt": len(issue.p_gt)}
    if not n or set(sizes.values()) != {n}:
        return f"{n} leads, {', '.join(f'{size} {name}' for name, size in sizes.items())}: expected as many of each, and at least 1"
    for name, steps in (("leads", issue.leads), ("times", issue.times)):
        if any(later <= earlier for earlier, later in pairwise(steps)):
            return f"{name} do not rise"
    for lead, values, chances in zip(issue.leads, issue.quantiles, issue.p_gt, strict=True):
        if len(values) != len(QUANTILES) or not all(map(math.isfinite, values)) or not _rises(values):
            return f"quantiles of lead {lead} are {_told(values)}: expected {len(QUANTILES)} numbers that rise"
        if len(chances) != len(LINES) or not all(0 <= p <= 1 for p in chances) or not _rises(chances[::-1]):
            return f"p_gt of lead {lead} are {_told(chances)}: expected {len(LINES)} chances from 0 to 1 that fall"
    bad = next((r for r in issue.reasons if r.code not in REASONS or not math.isfinite(r.effect)), None)
    return f"{bad} is no reason" if bad is not None else ""


def _rises(values: Sequence[float]) -> bool:
    return all(later >= earlier - _NOISE for earlier, later in pairwise(values))


def _told(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{float(v):g}" for v in values) + ")"
