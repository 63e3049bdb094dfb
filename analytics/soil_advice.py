"""What to do about salt in the soil: leach, wait, measure first, or not known.

It never says that water may be taken: `core/verdict.py` alone does. Whoever is told to wash puts water on, so that is said only where the verdict is
`take`; nothing here asks for itself how old or how good a reading of the water is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.crops import Crop, Crops
from analytics.figure import Figure
from analytics.soil import Span, leaching_requirement, yield_loss
from core.seawater import ec_from_salinity
from core.texts import number, say
from core.verdict import Verdict
from core.window import KNOWN

Act = Literal["leach", "wait", "measure", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoilState:
    """What is known of a field now.

    `ece` [dS/m] from and to; `age_h` of the newest reading it rests on, `is_good` whether that reading was judged good. `water` is the verdict on the
    irrigation water by a limit that the crop bears, `water_ec` at 25 °C [dS/m] what it was given for; None and NaN where not known.
    """

    ece: tuple[float, float]
    age_h: float
    is_good: bool
    water: Verdict | None = None
    water_ec: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`act`, and `why` as a key of the texts; `loss` of yield [%] least and most; `leaching`: share of the applied water that must drain."""

    act: Act
    why: str
    loss: tuple[float, float] | None = None
    leaching: float | None = None
    is_sensitive: bool = False
    is_approved: bool = False


def soil_advice(state: SoilState, crop: Crop, stage: str | None, rules: Crops) -> Advice:
    """What the soil of a field with `crop` in `stage` (None: not known, the most cautious counts) asks for. Raises NotFoundError for a stage it has not.

    Without a good and fresh reading, or without figures for the crop, it is not known.
    """
    threshold, slope = crop.threshold_at(stage), crop.slope
    is_sensitive = stage is not None and crop.stage(stage).is_sensitive
    if not state.is_good or not _fresh(state.age_h, rules.soil_max_age_h):
        return Advice(act="unknown", why="soil.why.no_reading", is_sensitive=is_sensitive)
    low, high = state.ece
    if not 0 <= low <= high < math.inf:
        return Advice(act="unknown", why="soil.why.no_ece", is_sensitive=is_sensitive)
    if threshold is None or slope is None:
        return Advice(act="unknown", why="soil.why.no_figures", is_sensitive=is_sensitive)
    act, why, leaching = _act(state, threshold.value, rules)
    lost = yield_loss(Span(low=np.float64(low), high=np.float64(high)), threshold=threshold.value, slope=slope.value)  # type: ignore[arg-type]  # scalars
    used: tuple[Figure, ...] = (threshold, slope, crop.water_limit, rules.ground.saturation_least, rules.ground.saturation_most)
    return Advice(
        act=act,
        why=why,
        loss=(float(lost.low), float(lost.high)),
        leaching=leaching,
        is_sensitive=is_sensitive,
        is_approved=bool(rules.approved_by) and all(figure.approved_by for figure in used),
    )


def words(advice: Advice, lang: str) -> tuple[str, ...]:
    """The advice in sentences; the last says so where nobody has approved its figures."""
    said = [say(lang, f"soil.act.{advice.act}"), say(lang, advice.why)]
    if advice.leaching is not None:
        said.append(say(lang, "soil.leaching", share=number(math.ceil(100 * advice.leaching), 0, lang)))
    if advice.loss is not None and advice.loss[1] > 0:
        least, most = (number(bound, 0, lang) for bound in advice.loss)
        said.append(say(lang, "soil.loss", least=least, most=most))
    if advice.is_sensitive:
        said.append(say(lang, "soil.sensitive"))
    if not advice.is_approved:
        said.append(say(lang, "soil.unapproved"))
    return tuple(said)


def _act(state: SoilState, threshold: float, rules: Crops) -> tuple[Act, str, float | None]:
    low, high = state.ece
    if high < threshold:
        return "wait", "soil.why.below", None
    if low < threshold:
        return "measure", "soil.why.unsure", None
    water = state.water
    if water is None or water.verdict not in KNOWN or not 0 <= state.water_ec < math.inf:
        return "measure", "soil.why.no_water", None
    leaching = float(leaching_requirement(state.water_ec, ece=threshold))
    if state.water_ec >= float(ec_from_salinity(water.limit)) or leaching > rules.most_leaching:
        return "wait", "soil.why.salty_water", None
    if water.verdict in ("wait", "stop"):
        return "wait", "soil.why.salt_comes", None
    if water.verdict != "take":
        return "measure", "soil.why.unsure_water", None
    return "leach", "soil.why.above", leaching


def _fresh(age_h: float, most: float) -> bool:
    return 0 <= age_h <= most  # an age that is NaN or in the future is none
