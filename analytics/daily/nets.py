"""Small nets learned side by side: one hidden layer each, together one wide matrix product, ten times quicker than one after the other.

Adam (Kingma & Ba 2015) with weights held small, in batches that all nets share; each begins elsewhere. Steps shrink to nothing, else what the last
batches hold, the same for all nets, would stay in their mean. Arithmetic in single precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats

NETS, HIDDEN, DECAY, EPOCHS, BATCH, RATE = 10, 32, 3.0, 30, 128, 3e-3
WILD = 1.0  # an error of more spreads counts in proportion, not squared (Huber 1964): a storm is not what every day is learned from
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # of Adam: memories of slope and of its square
Singles = NDArray[np.float32]


def fit_nets(x: Floats, z: Floats) -> tuple[Singles, Singles, Singles, float]:
    """Of inputs (n, f) and what came (n,), both of about unit size. Deterministic.

    The mean of all nets is max(0, x·into + bias)·out + level: into (f, nets · hidden), bias and out (nets · hidden,).
    """
    draw = np.random.default_rng(0)
    inputs, came = x.astype(np.float32), z.astype(np.float32)[:, None]
    wide, narrow = (6 / (x.shape[1] + HIDDEN)) ** 0.5, (6 / (HIDDEN + 1)) ** 0.5  # Glorot & Bengio 2010
    shapes = ((x.shape[1], NETS * HIDDEN), (NETS * HIDDEN,), (NETS, HIDDEN), (NETS,))
    numbers = np.concatenate([draw.uniform(-b, b, np.prod(s)) for b, s in zip((wide, wide, narrow, narrow), shapes, strict=True)]).astype(np.float32)
    slopes, first, second = np.empty_like(numbers), np.zeros_like(numbers), np.zeros_like(numbers)
    weights, slope = _parts(numbers, shapes), _parts(slopes, shapes)
    done, steps = 0, EPOCHS * -(-len(z) // BATCH)
    for _ in range(EPOCHS):
        order = draw.permutation(len(z))
        for begin in range(0, len(z), BATCH):
            some = order[begin : begin + BATCH]
            _descend(inputs[some], came[some], weights, slope)
            done += 1
            first += (1 - _FIRST) * (slopes - first)
            second += (1 - _SECOND) * (slopes * slopes - second)
            rate = RATE * (1 - done / steps) * (1 - _SECOND**done) ** 0.5 / (1 - _FIRST**done)
            numbers -= np.float32(rate) * first / (np.sqrt(second) + np.float32(_TINY))
    into, bias, out, level = weights
    return into.copy(), bias.copy(), out.ravel() / np.float32(NETS), float(level.mean(dtype=np.float64))


def _descend(x: Singles, came: Singles, weights: list[Singles], slope: list[Singles]) -> None:
    """Write into `slope` that of half the mean squared error of each net, of large errors in proportion, and of its weights' squares."""
    into, bias, out, level = weights
    hidden = np.maximum(x @ into + bias, 0)
    parts = hidden.reshape(len(x), *out.shape)
    off = np.clip(np.einsum("knh,nh->kn", parts, out) + level - came, -WILD, WILD) / np.float32(len(x))
    np.einsum("kn,knh->nh", off, parts, out=slope[2])
    back = (off[:, :, None] * out).reshape(hidden.shape) * (hidden > 0)
    np.matmul(x.T, back, out=slope[0])
    slope[1][:], slope[3][:] = back.sum(axis=0), off.sum(axis=0)
    for i in (0, 2):
        slope[i] += weights[i] * np.float32(DECAY / len(x))


def _parts(numbers: Singles, shapes: tuple[tuple[int, ...], ...]) -> list[Singles]:
    """Views of one array."""
    cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(numbers, cuts), shapes, strict=True)]
