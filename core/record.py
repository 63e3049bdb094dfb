"""How issued forecasts scored, as sums that add up: over leads, months, bins and stations, in any order."""

from __future__ import annotations

from dataclasses import dataclass

from core.bands import LINES
from core.sluice import INSIDE, OPEN, OUTSIDE, SHUT

# targets of the record that no issue carries, and their hours: is the highest of the next so many over a line? See `core.highest`
AHEAD = {"max_6h": 6, "max_24h": 24}
# likewise, of a station that measures both sides of a sluice: how sure at least it is, in the hour of each side in which that is surest, that it is better
# open, or shut; see `core.sluice`. They stand in the record of the point inside, and so do the hours of both points (`Day`) that tell what came
SLUICE = {OPEN: "sluice_open", SHUT: "sluice_shut"}
SLUICE_HOURS = {INSIDE: "sluice_in", OUTSIDE: "sluice_out"}
AS_ONE = {**AHEAD, **dict.fromkeys(SLUICE.values(), 24)}  # so many of what is said of hours count as one: each hour says it again of nearly the same water
VALUES = -1.0  # `line` of the scores of the value itself; a text or null in a key would be another thing on each database
BINS = 10  # of probability; a score of the value stands in bin 0
WARN_BIN = 6  # from here on a forecast counts as a warning: at 6 in 10 an alert opens (config/alerts.toml)
_SAME = 1e-9  # 0.3 × 10 is 2.9999999999999996 and belongs to the bin that begins at 0.3


def bin_of(p: float) -> int:
    """The tenth a probability belongs to; the last one holds 1 too."""
    return min(BINS - 1, int(p * BINS + _SAME))


def warns(p: float) -> bool:
    """Whether a probability is a warning."""
    return bin_of(p) >= WARN_BIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The sums over some (issue, lead)s of one point, target and model.

    `lead` is the day ahead; of hours and `SLUICE` the last of its 24 (24, 48, 72); of `AHEAD` its hours. `line` [g/L] is one of `core.bands.LINES`, a crop's
    limit, or `VALUES` for the scores of the value (of `AHEAD` and `SLUICE` only how many there are: no value is stated). `bin` is the tenth of
    probability, `month` the local month of the interval as 202603, 0 for all. `n` were scored, `missing` could not be: no good readings, or a day
    that does not count. Of a line: `said` is the sum of probabilities, `events` how often it came, `squares` the sum of (p − event)², `right` how
    often it came where it was warned of (see `warns`), and did not where not. `known` of the n had a reference (how often the line was passed in the
    60 days before the issue), and over those `squares_known` is ours and `squares_reference` its. Likewise `compared`,
    `squares_compared`, `squares_persistence` of what the model `persistence` would have said. Of the value: `inside` lay within the 90 % interval,
    `within` kept the official rule (error at most 30 % of the truth), `error` is the sum of |median − truth| [g/L].
    """

    station: str
    point: str
    target: str
    model: str
    lead: int
    line: float
    bin: int
    month: int
    n: int = 0
    missing: int = 0
    said: float = 0.0
    events: int = 0
    squares: float = 0.0
    right: int = 0
    known: int = 0
    squares_known: float = 0.0
    squares_reference: float = 0.0
    compared: int = 0
    squares_compared: float = 0.0
    squares_persistence: float = 0.0
    inside: int = 0
    within: int = 0
    error: float = 0.0


KEY = ("station", "point", "target", "model", "lead", "line", "bin", "month")
SUMS = (
    *("n", "missing", "said", "events", "squares", "right", "known", "squares_known", "squares_reference"),
    *("compared", "squares_compared", "squares_persistence", "inside", "within", "error"),
)
COUNTS = ("n", "missing", "events", "right", "known", "compared", "inside", "within")  # of them, the whole numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day that was forecast, is over and settled: what was said of it the day before, and what came. Of `AHEAD` some hours instead.

    `time` is its start [ms]. `said`: P(S > line) of each of `core.bands.LINES` as first issued one day ahead (of hours: for just these), by `model`;
    both empty where nothing was issued that day. `came` [g/L]: its highest (lowest), None where it does not count.
    """

    station: str
    point: str
    target: str
    time: int
    model: str
    said: tuple[float, ...]
    came: float | None


def outcome(day: Day, line: int) -> str:
    """What became of a day at one of `core.bands.LINES` (by its place there): `hit`, `missed`, `vain` (warned of, and it did not come) or `quiet`.

    `unread` where nothing came in to tell, `unsaid` where nothing was said the day before.
    """
    if not day.said:
        return "unsaid"
    if day.came is None:
        return "unread"
    warned, came = warns(day.said[line]), day.came > LINES[line]
    return ("hit" if came else "vain") if warned else ("missed" if came else "quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the scores of a local day rest on, remembered so that it is scored anew where that is no more so. `time` is its start [ms].

    `digest` is of the good readings of that day, empty without any. `targets`: those that no issue carries (`AHEAD` …), and `limits` [g/L]: those beside
    the lines, as they were stated when what ended that day was first scored: made anew, a score is still of what was said then.
    """

    time: int
    digest: str
    targets: tuple[str, ...]
    limits: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """From when on what stands in the record of a point goes, to be put in again: the local midnight [ms] that begins a month, and that month (202603)."""

    station: str
    point: str
    time: int
    month: int
