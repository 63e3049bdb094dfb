"""One number that somebody took from somewhere: what stands behind it goes where it goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number and what stands behind it."""

    value: float
    source: str
    verified: bool
    approved_by: str
