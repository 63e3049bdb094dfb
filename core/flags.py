"""QARTOD flags, their roll-up over tests, and the numbers of the test bits (doi:10.7289/V5V40SD4)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Flag(IntEnum):
    """QARTOD's five flags; they describe a value and never remove it."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


# Roll-up over tests: 4 > 3 > 1 > 2 > 9. Indexed by flag; a higher rank wins.
_RANK = np.zeros(10, dtype=np.uint8)
_RANK[[9, 2, 1, 3, 4]] = [1, 2, 3, 4, 5]
_OF_RANK = np.array([9, 9, 2, 1, 3, 4], dtype=np.uint8)

# Bits of `<quantity>_qt` that no QC test computes: they are given with the row and stay with it.
# Tests own bits 0..31 (`quality/tests/*.py`), these own 32 and up; none is ever used again for something else.
CLOCK_BIT = 32
INHERITED_BIT = 33
WITHDRAWN_BIT = 34
GIVEN_BITS: dict[str, int] = {"clock": CLOCK_BIT, "inherited": INHERITED_BIT, "withdrawn": WITHDRAWN_BIT}


def roll_up(*flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Roll flags of several tests up to one per row: 4 > 3 > 1 > 2 > 9.

    Args: flags: arrays of QARTOD flags, all of shape (n,). Returns: shape (n,), uint8.
    """
    rank = _RANK[flags[0]]
    for other in flags[1:]:
        rank = np.maximum(rank, _RANK[other])
    return _OF_RANK[rank]
