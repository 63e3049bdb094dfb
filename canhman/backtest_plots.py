"""Pictures of a backtest: are the odds right, what was said of a season, how far ahead it is worth anything.

Ink on paper, colour for water; a title states the finding; lines are named where they end; intervals are always drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.daily.backtest import Held, Result
from analytics.daily.model import LEVELS, MEDIAN
from analytics.daily.panel import Floats
from analytics.daily.reliability import Bin, reliability_table
from analytics.daily.verify import POOLED
from canhman import backtest_places
from canhman.backtest_words import SAME, shortest
from core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, INK2, RULE, SHADE = "#0B1513", "#46514D", "#D5CFBD", "#F0EBE0"
WATER = "#0A5C86"
LINES = ((INK, "-"), (WATER, "--"), ("#94470A", ":"), ("#8A6A42", "-."), ("#4B0A2E", "-"))
FONTS = ("Be Vietnam Pro", "Roboto", "Segoe UI", "Noto Sans", "DejaVu Sans")
STATIONS = 3  # with a picture of their season
LEAST = 10  # forecasts in a bin that a title may speak of
FLOOR = -1.0  # of the picture of skill: what is far worse runs out of it
LOW, HIGH = LEVELS.index(0.05), LEVELS.index(0.95)
STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": INK,
    "axes.linewidth": 1.2,
    "axes.labelcolor": INK,
    "axes.labelweight": "bold",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 12,
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": INK2,
    "ytick.color": INK2,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold two dollars
    "font.size": 11,
    "lines.linewidth": 2.2,
}


def ready() -> None:
    """Raises ConfigError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError("--plots needs matplotlib, which is not installed; bring it with: deploy/install.sh extra:plots") from None


def draw(folder: Path, result: Result) -> list[Path]:
    """Draw every picture into `folder`, which is made where it is missing. The same result gives the same bytes."""
    from matplotlib import font_manager, rc_context

    there = {font.name for font in font_manager.fontManager.ttflist}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--plots {folder} cannot be made: {error.strerror}") from error
    drawn = []
    style: Any = STYLE | {"font.family": [name for name in FONTS if name in there]}
    with rc_context(style):
        for name, figure in _figures(result):
            backtest_places.write("--plots", folder / name, partial(_save, figure))
            drawn.append(folder / name)
    return drawn


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="png", dpi=160, bbox_inches="tight", pad_inches=0.12, metadata={"Software": None})


def _figures(result: Result) -> Iterator[tuple[str, Figure]]:
    for held in result.held:
        if len(held.pairs.day) and result.dataset.lines:
            yield f"reliability-{held.pairs.lead:02d}.png", _reliability(result, held)
    for station in _shown(result):
        slug = re.sub(r"[^\w-]+", "-", result.daily.stations[station])
        yield f"season-{station:02d}-{slug}.png", _season(result, station)
    yield "skill.png", _skill(result)


# ------------------------------------------------------------ are the odds right


def _reliability(result: Result, held: Held) -> Figure:
    lines, unit = result.dataset.lines, result.dataset.unit
    figure = _figure(4.4 * len(lines), 4.4)
    truth, day = held.pairs.truth(result.daily), held.pairs.day
    for at, line in enumerate(lines):
        axes = figure.add_subplot(1, len(lines), at + 1)
        bins = reliability_table(held.said.p_gt[:, at], truth > line, day)
        axes.fill_between([0, 1], [0, 1], [1, 1], color=SHADE, linewidth=0)
        axes.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1.4)
        axes.text(0.03, 0.94, "warned less than happened", fontweight="bold", fontsize=9)
        axes.text(0.97, 0.03, "warned more than happened", fontweight="bold", fontsize=9, ha="right")
        axes.vlines([b.said for b in bins], [b.observed_lo for b in bins], [b.observed_hi for b in bins], color=INK, linewidth=1.8)
        size = [24 + 400 * b.n / len(truth) for b in bins]
        axes.scatter([b.said for b in bins], [b.observed for b in bins], s=size, color=INK, edgecolor="white", linewidth=1.2, zorder=3, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Said (probability)", ylabel="Came (share of days)" if not at else "")
        axes.set_title(f"> {shortest(line)} {unit}, {_days(held.pairs.lead)} ahead:\n{_odds(bins)}")
    _foot(figure, f"{result.dataset.name}; {result.model} {result.version}; n = {len(truth)}, in the size of each dot; bars: 95 % intervals")
    return figure


def _odds(bins: list[Bin]) -> str:
    """The finding: where most is at stake, what 8 in 10 was worth; else what the fullest bin was."""
    spoken = [b for b in bins if b.n >= LEAST and 0.1 < b.said < 0.9]
    if not spoken:
        return "it was all but sure each time"
    one = min(spoken, key=lambda b: (abs(b.said - 0.8), -b.n))
    return f"said {10 * one.said:.1f} in 10, came {10 * one.observed:.1f} in 10"


# ------------------------------------------------------------ a season


def _shown(result: Result) -> list[int]:
    """The stations with the lowest, the middle and the highest values, of those that have forecasts at every lead."""
    held = [set(h.pairs.station.tolist()) for h in result.held]
    first = result.held[0].pairs
    truth = first.truth(result.daily)
    spoken = sorted(set.intersection(*held), key=lambda s: (float(truth[first.station == s].mean()), s))
    if len(spoken) <= STATIONS:
        return sorted(spoken)
    return [spoken[0], spoken[len(spoken) // 2], spoken[-1]]


def _season(result: Result, station: int) -> Figure:
    import matplotlib.dates

    dates: Any = matplotlib.dates  # its calls are untyped

    n, unit, name = len(result.held), result.dataset.unit, result.daily.stations[station]
    figure = _figure(9, 2.6 * n)
    shared: Axes | None = None
    for at, held in enumerate(result.held):
        axes = figure.add_subplot(n, 1, at + 1, sharex=shared, sharey=shared)
        shared = shared or axes
        rows = np.flatnonzero(held.pairs.station == station)
        rows = rows[np.argsort(held.pairs.day[rows])]
        valid = held.pairs.day[rows] + held.pairs.lead
        truth, quantiles = result.daily.target[valid, station], held.said.quantiles[rows]
        days, low, mid, high, came = _by_days(result, valid, quantiles[:, LOW], quantiles[:, MEDIAN], quantiles[:, HIGH], truth)
        axes.fill_between(days, low, high, color=WATER, alpha=0.15, linewidth=0)
        axes.plot(days, low, color=WATER, linewidth=0.6)
        axes.plot(days, high, color=WATER, linewidth=0.6)
        axes.plot(days, mid, color=WATER)
        axes.plot(days, came, color=INK, linestyle="none", marker="o", markersize=3)
        inside = int(((quantiles[:, LOW] <= truth) & (truth <= quantiles[:, HIGH])).sum())
        axes.set_title(f"{name}, {_days(held.pairs.lead)} ahead: {inside} of {len(rows)} days within the 90 % interval")
        axes.set_ylabel(unit)
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=7))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m-%d"))
        _names(axes, days, {"said": (mid, WATER), "came": (came, INK)})
    return figure


def _by_days(result: Result, valid: Any, *values: Floats) -> tuple[Any, ...]:
    """Days without a gap, NaN where nothing was said: lines are not drawn across what is missing."""
    first, last = int(valid.min()), int(valid.max())
    spread = []
    for value in values:
        whole = np.full(last - first + 1, np.nan)
        whole[valid - first] = value
        spread.append(whole)
    return (result.daily.days[first : last + 1], *spread)


def _names(axes: Axes, days: Any, lines: dict[str, tuple[Floats, str]]) -> None:
    """Each line's word where it ends, the higher one above the other and both above the axis."""
    ends = {word: int(np.flatnonzero(np.isfinite(values))[-1]) for word, (values, _) in lines.items()}
    low, high = axes.get_ylim()
    for place, word in enumerate(sorted(lines, key=lambda w: float(lines[w][0][ends[w]]))):
        values, colour = lines[word]
        at, value = ends[word], float(values[ends[word]])
        up = (-6, 8) if value > low + 0.15 * (high - low) else (2, 16)
        axes.annotate(word, (days[at], value), xytext=(8, up[place]), textcoords="offset points", color=colour, va="center", annotation_clip=False)


# ------------------------------------------------------------ how far ahead


def _skill(result: Result) -> Figure:
    figure = _figure(7.2, 4.4)
    axes = figure.add_subplot(1, 1, 1)
    axes.axhline(0, color=INK, linewidth=1.2)
    leads = [held.pairs.lead for held in result.held]
    intervals: list[tuple[float, float]] = []
    ends: list[tuple[float, str, str]] = []
    for at, line in enumerate(result.dataset.lines):
        colour, style = LINES[at % len(LINES)]
        scores = [next(s for s in held.scores if s.station == POOLED and s.threshold == line) for held in result.held]
        found = np.array([[np.nan if v is None else v for v in (s.bss_logistic, s.bss_logistic_lo, s.bss_logistic_hi)] for s in scores])
        place = np.array(leads) + 0.12 * (at - (len(result.dataset.lines) - 1) / 2)
        axes.plot(place, found[:, 0], color=colour, linestyle=style, marker="o", markersize=5)
        axes.vlines(place, found[:, 1], found[:, 2], color=colour, linewidth=1.4)
        intervals += [(lo, hi) for lo, hi in found[:, 1:].tolist() if np.isfinite(lo)]
        if np.isfinite(found[-1, 0]):
            ends.append((float(found[-1, 0]), f"> {shortest(line)} {result.dataset.unit}", colour))
    low, high = axes.get_ylim()
    low, high = max(min(low, -0.1), FLOOR), max(high, 0.1)
    axes.set(ylim=(low, high), xlabel="Days ahead", ylabel="Skill (1 is perfect)", xticks=leads)
    for value, word, colour in _apart([(max(value, low), word, colour) for value, word, colour in ends], (high - low) * 0.06):
        axes.annotate(word, (leads[-1], value), xytext=(14, 0), textcoords="offset points", color=colour, va="center", annotation_clip=False)
    axes.set_title(f"{result.dataset.name}: against logistic persistence\n{_worth(intervals)}")
    _foot(figure, f"{result.model} {result.version}; Brier skill against logistic persistence; bars: 95 % intervals by 15-day blocks")
    return figure


def _worth(intervals: list[tuple[float, float]]) -> str:
    """The finding, from the ends of every interval that is known."""
    better, worse = sum(lo > SAME for lo, _ in intervals), sum(hi < -SAME for _, hi in intervals)
    if not intervals:
        return "too few days to tell, or nothing to win"
    return f"better in {better} of {len(intervals)} cases, worse in {worse}, else no difference beyond chance"


def _foot(figure: Figure, text: str) -> None:
    figure.text(0.01, -0.02, text, color=INK2, fontsize=9)


def _apart(ends: list[tuple[float, str, str]], least: float) -> list[tuple[float, str, str]]:
    """Labels moved up until none covers another."""
    placed: list[tuple[float, str, str]] = []
    for value, word, colour in sorted(ends):
        placed.append((max(value, placed[-1][0] + least) if placed else value, word, colour))
    return placed


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="tight")


def _days(lead: int) -> str:
    return "1 day" if lead == 1 else f"{lead} days"
