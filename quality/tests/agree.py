"""Agreement: what one probe says of a water at one time in two ways must be one water (as QARTOD's multi-variate test 11).

A value is held against what the others of its sensor and time say of it (`core.agreement`): its own salinity against its conductivity, conductivity
against the raw one and the temperature, salinity against chloride. Outside [low / (1 + share) − least, high · (1 + share) + least] it is suspect,
and so are those it contradicts, for nobody knows which is wrong. Parameters, of the quantity that is held against the others: share [1],
least [unit of the quantity].
Reference: QARTOD temperature and salinity manual, doi:10.7289/V5V40SD4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.flags import Flag
from quality.qc import Block, Context, Floats, QcTest


def run(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """3 for each of those that contradict each other, 1 for a value that agrees with all that stands beside it, 2 where nothing does."""
    flags = np.full(len(block.value), Flag.NOT_EVALUATED, dtype=np.uint8)
    wrong = np.zeros(len(flags), dtype=np.bool_)
    for relation, rows, found in block.beside:
        share, least, value = 1 + params["share"][rows], params["least"][rows], block.value[rows]
        sources = [block.value[at] for at in found]
        # comparisons with NaN are false: without parameters, or where the sources say nothing, nothing is found
        below = value < relation.low(*sources) / share - least
        above = value > relation.high(*sources) * share + least
        flags[rows[np.isfinite(share)]] = Flag.GOOD
        for at in (rows, *found):
            wrong[at[below | above]] = True
    flags[wrong] = Flag.SUSPECT
    return flags


def check(params: Mapping[str, float]) -> None:
    """A tolerance is one, and both halves of it are said."""
    if not (params["share"] >= 0 and params["least"] >= 0):
        raise ValueError(f"share {params['share']} and least {params['least']} must both be given, 0 or more")


NAN = float("nan")
TEST = QcTest(
    name="agree",
    bit=2,
    before=Context(),
    after=Context(),
    beside=True,
    params={"share": NAN, "least": NAN},
    run=run,
    check=check,
    vi="Các số của một đầu đo không khớp nhau",
    en="Two numbers of one probe contradict each other",
    about={
        "share": "Suspect beyond so large a part more or less than the other numbers say [1]: 0.45 is between 1/1.45 and 1.45 times.",
        "least": "Beside that so much is always allowed [unit of the quantity]: rounding, and water that is nearly fresh.",
    },
)
