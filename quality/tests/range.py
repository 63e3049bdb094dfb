"""Gross range: fail outside what the thing itself can be, suspect outside what is usual here (QARTOD test 4).

Parameters [unit of the quantity]: fail_low, fail_high (default: the registry's physical range), suspect_low,
suspect_high (default: none). Reference: QARTOD temperature and salinity manual, doi:10.7289/V5V40SD4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.flags import Flag
from quality.qc import Block, Context, Floats, QcTest


def run(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """4 outside [fail_low, fail_high], 3 outside [suspect_low, suspect_high], else 1; 2 where no range is known."""
    value = block.value
    flags = np.full(len(value), Flag.GOOD, dtype=np.uint8)
    # comparisons with NaN are false: an absent bound flags nothing
    flags[(value < params["suspect_low"]) | (value > params["suspect_high"])] = Flag.SUSPECT
    flags[(value < params["fail_low"]) | (value > params["fail_high"])] = Flag.FAIL
    unknown = np.isnan(params["fail_low"]) & np.isnan(params["fail_high"]) & np.isnan(params["suspect_low"]) & np.isnan(params["suspect_high"])
    flags[unknown] = Flag.NOT_EVALUATED
    return flags


def check(params: Mapping[str, float]) -> None:
    """Bounds must not cross."""
    for name in ("fail", "suspect"):
        low, high = params[f"{name}_low"], params[f"{name}_high"]
        if low > high:
            raise ValueError(f"{name}_low {low} is above {name}_high {high}")


NAN = float("nan")
TEST = QcTest(
    name="range",
    bit=0,
    before=Context(),
    after=Context(),
    params={"fail_low": NAN, "fail_high": NAN, "suspect_low": NAN, "suspect_high": NAN},
    run=run,
    check=check,
    vi="Ngoài khoảng có thể có",
    en="Outside the possible range",
    about={
        "fail_low": "Fail under it [unit of the quantity]; where nothing is said the low end of the quantity's range.",
        "fail_high": "Fail over it [unit of the quantity]; where nothing is said the high end of the quantity's range.",
        "suspect_low": "Suspect under it [unit of the quantity].",
        "suspect_high": "Suspect over it [unit of the quantity].",
    },
)
