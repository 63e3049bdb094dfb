"""May a new model speak? Only one that scored better on days none had seen than the one that speaks, and than the best honest baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats
from analytics.daily.scores import coverage, crps_quantiles
from core.bands import LINES
from core.model_card import HeldOut

LEAST = 20  # forecasts: fewer decide nothing
MOST_SILENT = 0.1  # of the forecasts that a baseline makes; beyond, it may be better only where it is easy
LEAST_SALTY = 0.05  # of the forecasts came to LINES[0] or more: where nearly all is fresh, thousandths of a gram would choose the model of the dry season
_SAME = 1e-9
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one model said of the same k forecasts: `quantiles` (k, L) at `levels`, `p_gt` (k, lines). A row of NaN is silence."""

    quantiles: Floats
    p_gt: Floats
    levels: tuple[float, ...]

    @property
    def spoke(self) -> Mask:
        """(k,)"""
        found: Mask = np.asarray(np.isfinite(self.quantiles).all(axis=1) & np.isfinite(self.p_gt).all(axis=1))
        return found

    @property
    def is_sound(self) -> bool:
        """Where it spoke: quantiles rise, chances lie within 0 and 1 and fall from line to line."""
        q, p = self.quantiles[self.spoke], self.p_gt[self.spoke]
        return bool((np.diff(q) >= -_SAME).all() and (p >= -_SAME).all() and (p <= 1 + _SAME).all() and (np.diff(p) <= _SAME).all())

    def crps(self, came: Floats) -> Floats:
        """Of each row (k,); NaN where it was silent."""
        found = np.full(len(came), np.nan)
        spoke = self.spoke
        found[spoke] = crps_quantiles(self.quantiles[spoke], np.array(self.levels), came[spoke])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether the candidate comes to speak, why in plain words, and the scores behind it (None where nothing could be scored)."""

    better: bool
    why: str
    held_out: HeldOut | None


def judge(candidate: Claim, spoke: Claim | None, baselines: Mapping[str, Claim], came: Floats, *, near: Mask, since: str, until: str) -> Ruling:
    """On the k forecasts `came` (k,) [g/L] that all of them made, of days from `since` to `until`; `near` (k,): those of the next day. `spoke` is None where
    no trained model speaks.

    Lower is better, of the mean CRPS over leads and stations. Forecasts on which one of them is silent are not counted, but a candidate that is silent where
    a baseline is not, on more than a tenth, is not promoted; one that spoke and is silent on more than a tenth of the rest is not waited for. Days without
    salt decide nothing.
    """
    if not candidate.is_sound:
        return Ruling(better=False, why="it says what cannot be: quantiles that fall, or chances beyond 0 and 1", held_out=None)
    first = np.zeros(len(came), dtype=np.bool_)
    for one in baselines.values():
        first |= one.spoke
    silent = int((first & ~candidate.spoke).sum())
    if silent > MOST_SILENT * first.sum():
        return Ruling(better=False, why=f"it is silent on {silent} of {int(first.sum())} forecasts that a baseline makes", held_out=None)
    voiced = {name: one for name, one in baselines.items() if (one.spoke & candidate.spoke).sum() >= (1 - MOST_SILENT) * candidate.spoke.sum()}
    rows = candidate.spoke.copy()
    for one in voiced.values():
        rows &= one.spoke
    n, doubt = int(rows.sum()), ""
    if spoke is not None:
        both = int((rows & spoke.spoke).sum())
        if both < (1 - MOST_SILENT) * n:
            spoke, doubt = None, f"; the one that speaks is silent on {n - both} of {n} of them and does not count"
        else:
            rows, n = rows & spoke.spoke, both
    if not voiced or n < LEAST:
        return Ruling(better=False, why=f"only {n} forecasts from {since} to {until} can be held against a baseline, {LEAST} are needed", held_out=None)
    crps = {name: float(one.crps(came)[rows].mean()) for name, one in voiced.items()}
    best = min(crps, key=lambda name: (crps[name], name))
    own = float(candidate.crps(came)[rows].mean())
    theirs = None if spoke is None else float(spoke.crps(came)[rows].mean())
    q, soon = candidate.quantiles[rows], near[rows]
    missed = np.abs(q[soon, candidate.levels.index(0.5)] - came[rows][soon])
    held_out = HeldOut(
        since=since,
        until=until,
        n=n,
        crps=own,
        spoke=theirs,
        baseline=crps[best],
        baseline_name=best,
        coverage90=coverage(q[:, 0], q[:, -1], came[rows]),
        error=float(missed.mean()) if len(missed) else None,
    )
    salty = int((came[rows] >= LINES[0]).sum())
    if salty < LEAST_SALTY * n:
        rule = f"only {salty} of {n} forecasts of {since} to {until} came to {LINES[0]:g} g/L or more, and {LEAST_SALTY:.0%} must"
        return Ruling(better=False, why=f"nothing is decided, who speaks speaks on: {rule}{doubt}", held_out=held_out)
    better = own < crps[best] and (theirs is None or own < theirs)
    return Ruling(better=better, why=_words(held_out, better=better) + doubt, held_out=held_out)


def _words(held: HeldOut, *, better: bool) -> str:
    """English: for the card, the log and the terminal."""
    against = f"{held.baseline_name} {held.baseline:.3f}" + ("" if held.spoke is None else f", the one that spoke {held.spoke:.3f}")
    on = f"mean CRPS {held.crps:.3f} g/L against {against} on {held.n} forecasts of {held.since} to {held.until}, which none had learned from"
    if better:
        return f"better: {on}"
    worse = ["the best baseline"] if held.crps >= held.baseline else []
    if held.spoke is not None and held.crps >= held.spoke:
        worse.append("the one that speaks")
    return f"not better than {' and '.join(worse)}: {on}"
