"""A page of a series, as columns."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Version = Literal["best", "raw", "corrected"]


class SeriesPage(BaseModel):
    """Rows in order of time: `times`, `values` and `flags` have the same length. It may hold fewer than `limit` and still have a `next`."""

    station: str
    point: str
    quantity: str
    unit: str
    version: Version
    times: list[str]
    values: list[float]
    flags: list[int] = Field(description="QARTOD: 1 good, 2 not evaluated (yet), 3 suspect, 4 fail, 9 withdrawn.")
    next: str | None
