"""Seeded noise that is a function of time: the same seed and time give the same number, in any order and after a restart."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DAY_MS = 86_400_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def seed_of(*parts: object) -> int:
    """A 63-bit seed from names and numbers; stable over processes and versions of Python."""
    text = "\0".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def uniform(seed: int, counter: ArrayLike) -> Floats:
    """Numbers in [0, 1), one per integer of `counter` (n,): splitmix64, Steele et al. 2014, doi:10.1145/2714064.2660195."""
    z = np.atleast_1d(np.asarray(counter, dtype=np.int64)).astype(np.uint64) * _GOLDEN + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def normal(seed: int, counter: ArrayLike) -> Floats:
    """Standard normal numbers, one per integer of `counter` (n,), by Box and Muller."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seed, counter)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(seed_of(seed, "angle"), counter)), dtype=np.float64)


def slow(seed: int, time_ms: ArrayLike, *, days: tuple[float, float], waves: int = 12) -> Floats:
    """A smooth random function of time (n,) with variance 1: cosines of seeded phase with periods between `days`."""
    u = uniform(seed, np.arange(2 * waves))
    periods = days[0] * (days[1] / days[0]) ** ((np.arange(waves) + u[:waves]) / waves)
    t = np.atleast_1d(np.asarray(time_ms, dtype=np.float64))[:, None] / DAY_MS
    return np.asarray(np.cos(2.0 * np.pi * (t / periods + u[waves:])).sum(axis=1) * np.sqrt(2.0 / waves), dtype=np.float64)
