"""What a headline may add to a verdict of the hours ahead, so that nobody takes the hour at which it gets worse for the end of waiting. Pure.

`Verdict.until` is the first hour that would be judged otherwise, also for the worse. So of `take` alone it is said as it is: there it ends. Of the
others a window is said before all else; then where it may be measured again, or where it gets saltier, whichever comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.forecast import HOUR_MS, Forecast
from core.risk import Risk
from core.verdict import Verdict, WaterState, coming
from core.window import KNOWN, windows, withheld

STAYS_MS = 3 * HOUR_MS  # what is better for a shorter time is of no use: going there and measuring takes as long
ALLOWED = ("take", "measure")  # under these P(S > limit) is below the chance that bids to wait, in that hour and those after it

_DEFAULT = Risk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`kind`: ends (what may be taken, at `start` [ms]) | window (start ≤ t < end, sure enough to pump) | measure (from `start` on worth measuring again,
    and it stays so) | worse (from `start` on the water itself is saltier than this verdict says). `until` [ms]: how far ahead windows were looked for.
    """

    kind: str
    start: int
    end: int | None = None
    until: int | None = None


def outlook(water: WaterState, v: Verdict, forecast: Forecast | None, now: int, *, risk: Risk = _DEFAULT) -> Outlook | None:
    """Of the verdict `v` of this water, forecast and moment [ms]; None where there is nothing to say."""
    if withheld(v):
        return None
    if v.verdict == "take":
        return None if v.until is None else Outlook(kind="ends", start=v.until)
    found = windows(water, v, forecast, now, risk=risk)
    window = found.windows[0] if found.windows else None
    if window is not None and window.start > now:
        return Outlook(kind="window", start=window.start, end=window.end, until=found.until)
    hours = coming(forecast, v.limit, now, risk=risk)
    for i, hour in enumerate(hours):
        if KNOWN.index(hour.alone) > KNOWN.index(v.verdict):
            return Outlook(kind="worse", start=hour.start)
        if v.verdict != "measure" and hour.then in ALLOWED:
            stays = [h for h in hours[i:] if h.start <= hour.start + STAYS_MS]
            if all(h.then in ALLOWED for h in stays) and stays[-1].start - hour.start >= STAYS_MS - HOUR_MS:
                return Outlook(kind="measure", start=hour.start)
    return None
