"""What is said of one day must hold together: its lowest is never forecast above its highest.

The two come from models of their own (one may be trained and the other persistence), and nothing joins them before here. The lowest gives way.
The highest decides verdicts and warnings, and it is what was proven on measured seasons (docs/skill.md): raised by the lowest it would warn of salt that
its own record does not bear out, lowered it would keep silent of salt. Nobody is warned by the lowest, and whatever its model says it cannot be above
a highest that is right.

At each level the smaller of the two quantiles, and at each line the smaller of the two chances, are again one distribution: that of the larger of the
two chances to be at most so salty. So what was sound and agreed with itself does so still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.forecast import Forecast

HIGHEST, LOWEST = "day_max", "day_min"
OTHER = {HIGHEST: LOWEST, LOWEST: HIGHEST}

Key = tuple[str, str, str]  # station, point, target


def agreed(issued: Sequence[Forecast], standing: Iterable[Forecast] = ()) -> tuple[list[Forecast], set[Key]]:
    """`issued` with each lowest held under its point's highest, the one issued with it, else the `standing` one; and the standing lowest ones that a
    new highest contradicts. What stands is never changed, and no highest is."""
    now = {key_of(f): f for f in issued}
    said = {key_of(f): f for f in standing} | now
    found = [f if f.target != LOWEST else held_under(f, said.get((f.station, f.point, HIGHEST))) for f in issued]
    left = [f for key, f in said.items() if f.target == LOWEST and key not in now]
    return found, {key_of(f) for f in left if held_under(f, now.get((f.station, f.point, HIGHEST))) is not f}


def held_under(lowest: Forecast, highest: Forecast | None) -> Forecast:
    """`lowest` with nothing over what `highest` says of the same days; itself where nothing was. Of other days it stays as it is."""
    row = {} if highest is None else {time: i for i, time in enumerate(highest.times)}
    pairs = [(j, row.get(time)) for j, time in enumerate(lowest.times)]
    if highest is None or all(i is None or agree(lowest, j, highest, i) for j, i in pairs):
        return lowest
    quantiles = (lowest.quantiles[j] if i is None else _least(lowest.quantiles[j], highest.quantiles[i]) for j, i in pairs)
    chances = (lowest.p_gt[j] if i is None else _least(lowest.p_gt[j], highest.p_gt[i]) for j, i in pairs)
    return replace(lowest, quantiles=tuple(quantiles), p_gt=tuple(chances))


def agree(lowest: Forecast, j: int, highest: Forecast, i: int) -> bool:
    """Whether the lowest of its j-th day is nowhere over the highest of its i-th: no quantile, no chance. What is no number agrees with nothing."""
    pairs = (*zip(lowest.quantiles[j], highest.quantiles[i], strict=True), *zip(lowest.p_gt[j], highest.p_gt[i], strict=True))
    return all(low <= high for low, high in pairs)


def key_of(f: Forecast) -> Key:
    """What a forecast is of."""
    return f.station, f.point, f.target


def _least(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(min(pair) for pair in zip(one, other, strict=True))
