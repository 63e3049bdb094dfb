"""How issued forecasts scored, as sums that add up: over leads, months, bins and stations, in any order."""

from __future__ import annotations

from dataclasses import dataclass

VALUES = -1.0  # `line` of the scores of the value itself; a text or null in a key would be another thing on each database
BINS = 10  # of probability; a score of the value stands in bin 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The sums over some (issue, lead)s of one point, target and model.

    `lead` is the day ahead; of hours the last of its 24 (24, 48, 72). `line` [g/L] is one of `core.bands.LINES`, or `VALUES` for the
    scores of the value. `bin` is the tenth of probability, `month` the local month of the interval as 202603, 0 for all. `n` were scored, `missing`
    could not be: no whole good readings. Of a line: `said` is the sum of probabilities, `events` how often it came, `squares` the sum of
    (p − event)², `right` how often p ≥ ½ and the event agreed. `known` of the n had a reference (how often the line was passed in the
    60 days before the issue), and over those `squares_known` is ours and `squares_reference` its. Of the value: `inside` lay within the
    90 % interval, `error` is the sum of |median − truth| [g/L].
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
    inside: int = 0
    error: float = 0.0


KEY = ("station", "point", "target", "model", "lead", "line", "bin", "month")
SUMS = ("n", "missing", "said", "events", "squares", "right", "known", "squares_known", "squares_reference", "inside", "error")
COUNTS = ("n", "missing", "events", "right", "known", "inside")  # of them, the whole numbers
