"""What every series store does with a batch before it writes: one row per identity, and no number that is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.ports import RefusedRow

Rows = NDArray[np.intp]

NOT_FINITE = "the value is not a finite number"


def survivors(batch: Batch) -> tuple[Rows, list[RefusedRow]]:
    """Indices of the rows to write, in order of arrival, the last of each identity; and the rows no store takes.

    NaN and the infinities are refused first, so that they never hide a good row of the same identity before them.
    """
    finite = np.isfinite(batch.value)
    if finite.all():
        return last_rows(batch), []
    refused = [RefusedRow(row=int(row), text=NOT_FINITE) for row in np.flatnonzero(~finite)]
    rows = np.flatnonzero(finite)
    return rows[last_rows(batch.take(rows))], refused


def last_rows(batch: Batch) -> Rows:
    """Indices of the last row of each identity, in order of arrival."""
    rises = (batch.series[1:] > batch.series[:-1]) | ((batch.series[1:] == batch.series[:-1]) & (batch.time[1:] > batch.time[:-1]))
    if rises.all():  # sorted, and each once: what ingest sends
        return np.arange(len(batch))
    order = np.lexsort((batch.time, batch.series))  # stable: equal identities keep their order of arrival
    series, time = batch.series[order], batch.time[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    return np.sort(order[last])
