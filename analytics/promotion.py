"""May a new model speak? Only one that scored better on days none had seen than the one that speaks, and than the best honest baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Days, Floats
from analytics.daily.scores import coverage, crps_quantiles
from core.bands import LINES
from core.model_card import HeldOut

LEAST = 20  # forecasts: fewer decide nothing
LEAST_DAYS = 7  # distinct ones that are forecast: all forecasts of a day may be right or wrong together
MOST_SILENT = 0.1  # of the forecasts that a baseline, or the one that speaks, makes; beyond, it may be better only where it is easy
LEAST_SALTY = 0.05  # of the forecasts came to LINES[0] or more: where nearly all is fresh, thousandths of a gram would choose the model of the dry season
_SAME = 1e-9
MOST_DAYS = 14  # ahead; leads beyond are hours
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one model said of the same k forecasts: `quantiles` (k, L) at `levels`, `p_gt` (k, lines). A row of NaN is silence.

    `leads`: how far ahead it speaks at all, where that could be asked: some are further than the days that are put aside.
    """

    quantiles: Floats
    p_gt: Floats
    levels: tuple[float, ...]
    leads: frozenset[int] = frozenset()

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


def judge(candidate: Claim, spoke: Claim | None, baselines: Mapping[str, Claim], came: Floats, *, near: Mask, day: Days, since: str, until: str) -> Ruling:
    """On the k forecasts `came` (k,) [g/L] of days from `since` to `until`; `near` (k,): those of the next day, `day` (k,): the local day each is about.
    `spoke` is None where no trained model speaks.

    Lower is better, of the mean CRPS over leads and stations. The candidate must beat the baselines on all that it and they say, and the one that speaks on
    what both say too, wherever enough of that is left: LEAST forecasts of LEAST_DAYS days. It may not be silent on more than a tenth of what a baseline or
    the one that speaks says, nor on any lead that this one tells. Days without salt decide nothing.
    """
    if not candidate.is_sound:
        return Ruling(better=False, why="it says what cannot be: quantiles that fall, or chances beyond 0 and 1", held_out=None)
    first = np.zeros(len(came), dtype=np.bool_)
    for one in baselines.values():
        first |= one.spoke
    if silence := _silence(candidate, first, "a baseline makes"):
        return Ruling(better=False, why=silence, held_out=None)
    doubt = ""
    if spoke is not None and not _enough(spoke.spoke, day):
        doubt = f"; the one that speaks said only {_many(spoke.spoke, day)} and does not count"
        spoke = None
    if spoke is not None and (silence := _silence(candidate, spoke.spoke, "the one that speaks makes") or _lost(candidate, spoke)):
        return Ruling(better=False, why=silence, held_out=None)
    voiced = {name: one for name, one in baselines.items() if (one.spoke & candidate.spoke).sum() >= (1 - MOST_SILENT) * candidate.spoke.sum()}
    rows = candidate.spoke.copy()
    for one in voiced.values():
        rows &= one.spoke
    both = None if spoke is None else candidate.spoke & spoke.spoke
    for compared, whom in ((rows, "a baseline"), *(((both, "the one that speaks"),) if both is not None else ())):
        if not voiced or not _enough(compared, day):
            few = f"only {_many(compared, day)} from {since} to {until} can be held against {whom}, {LEAST} of {LEAST_DAYS} days are needed"
            return Ruling(better=False, why=few, held_out=None)
    crps = {name: float(one.crps(came)[rows].mean()) for name, one in voiced.items()}
    best = min(crps, key=lambda name: (crps[name], name))
    own = float(candidate.crps(came)[rows].mean())
    n = int(rows.sum())
    theirs = None if spoke is None or both is None else float(spoke.crps(came)[both].mean())
    beside = None if both is None else float(candidate.crps(came)[both].mean())  # on what both said
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
    lost = [] if own < crps[best] else ["the best baseline"]
    if theirs is not None and beside is not None and not beside < theirs:
        lost.append("the one that speaks")
    there = "" if both is None or (both == rows).all() else f" where it is {beside:.3f}, on the {int(both.sum())} that both made"
    return Ruling(better=not lost, why=_words(held_out, lost, there) + doubt, held_out=held_out)


def _silence(candidate: Claim, heard: Mask, who: str) -> str:
    """Why it may not speak, where it is silent on too much of what another says; else empty."""
    silent = int((heard & ~candidate.spoke).sum())
    return f"it is silent on {silent} of {int(heard.sum())} forecasts that {who}" if silent > MOST_SILENT * heard.sum() else ""


def _lost(candidate: Claim, spoke: Claim) -> str:
    """The same of leads: those are told too that are further than the days put aside."""
    lost = sorted(spoke.leads - candidate.leads)
    unit = "days" if max(spoke.leads, default=0) <= MOST_DAYS else "hours"
    return f"it does not tell {', '.join(map(str, lost))} {unit} ahead, as the one that speaks does" if lost else ""


def _many(rows: Mask, day: Days) -> str:
    return f"{int(rows.sum())} forecasts of {len(np.unique(day[rows]))} days"


def _enough(rows: Mask, day: Days) -> bool:
    return int(rows.sum()) >= LEAST and len(np.unique(day[rows])) >= LEAST_DAYS


def _words(held: HeldOut, lost: Sequence[str], there: str) -> str:
    """English: for the card, the log and the terminal."""
    against = f"{held.baseline_name} {held.baseline:.3f}" + ("" if held.spoke is None else f", the one that spoke {held.spoke:.3f}{there}")
    on = f"mean CRPS {held.crps:.3f} g/L against {against} on {held.n} forecasts of {held.since} to {held.until}, which none had learned from"
    return f"not better than {' and '.join(lost)}: {on}" if lost else f"better: {on}"
