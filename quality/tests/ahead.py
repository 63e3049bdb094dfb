"""Ahead: a reading stamped after it arrived, and contradicted by one that was stamped before it and arrived later.

A clock may run some minutes ahead of ours. Where it is set right, the next readings bear times before the last one, and would stay hidden behind it
until its time has come: of two readings the one that arrived first, and claims to be the later, was measured first. It is suspect, for its time is
wrong. A clock that is always ahead by the same contradicts nothing; nor does a backlog, whose times lie before the arrival of what it comes after.
Parameters: ahead_s [s].
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.clock import AHEAD_MS
from core.flags import Flag
from quality.qc import HOUR_MS, Block, Context, Floats, QcTest, place


def run(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """3 where a later arrival tells that its time is wrong, 1 where none does, 2 where it is not asked for."""
    flags = np.full(len(block.value), Flag.NOT_EVALUATED, dtype=np.uint8)
    used = np.isfinite(params["ahead_s"]) & block.asked
    flags[used] = Flag.GOOD
    ahead = block.time - block.received
    # further ahead than ingest takes it was asked for again, because our own clock was wrong when it came
    rows = np.flatnonzero(used & (ahead > params["ahead_s"] * 1000) & (ahead <= AHEAD_MS))
    opens = np.maximum(np.searchsorted(block.place, place(block.series[rows], block.received[rows]), side="right"), block.first[rows])
    rows, opens = rows[opens < rows], opens[opens < rows]
    if len(rows):
        # the latest arrival of those stamped between; one whose own time is ahead proves nothing
        honest = np.where(block.time <= block.received, block.received, np.iinfo(np.int64).min)
        latest = np.maximum.reduceat(honest, np.column_stack((opens, rows)).ravel())[::2]
        flags[rows[latest > block.received[rows]]] = Flag.SUSPECT
    return flags


def check(params: Mapping[str, float]) -> None:
    """Some seconds no two clocks agree in; from ten minutes on nothing is taken."""
    if not 0 <= params["ahead_s"] * 1000 <= AHEAD_MS:
        raise ValueError(f"ahead_s {params['ahead_s']} must lie between 0 and {AHEAD_MS // 1000}")


NAN = float("nan")
TEST = QcTest(
    name="ahead",
    bit=3,
    before=Context(hours=AHEAD_MS / HOUR_MS),
    after=Context(),
    params={"ahead_s": NAN},
    run=run,
    check=check,
    vi="Giờ của máy chạy trước: có số đến sau mà đo trước giờ ấy",
    en="Its time was ahead of its arrival, and a later arrival bears an earlier one",
    about={"ahead_s": "Only a reading stamped so long after its own arrival is held against later ones [s]."},
)
