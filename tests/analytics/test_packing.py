"""Model files: there and back to the bit, and nothing but what may stand in them."""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zlib
from dataclasses import is_dataclass
from datetime import date
from importlib import import_module
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analytics import packing
from analytics.daily.dressing import Dressing, Scale, dressing
from analytics.daily.forest import Forest
from analytics.daily.gaussian import Kernel
from analytics.daily.learners import fit_learners
from analytics.daily.models.ensemble import Ensemble
from analytics.daily.models.gaussian import GaussianProcess, fit_gaussian
from analytics.daily.panel import Daily
from analytics.daily.spread import fit_spread
from analytics.empirical import curve
from analytics.hourly.models.boosted import BoostedHours
from analytics.packing import CLASSES, packed, unpacked
from core.errors import FormatError

numbers = st.floats(width=64) | st.integers(-(2**62), 2**62) | st.booleans() | st.none() | st.text(max_size=5)
numpy_numbers = st.floats(width=64).map(np.float64) | st.integers(0, 9).map(np.int64)
some_array = arrays.arrays(
    st.sampled_from([np.dtype(t) for t in ("float64", "float32", "int64", "int16", "uint8", "bool", "datetime64[D]")]), arrays.array_shapes(min_side=0)
)
scales = st.builds(Scale, unit=st.floats(1e-6, 1e6), curved=st.booleans(), floor=st.sampled_from([0.0, -np.inf]))
kernels = st.builds(Kernel, theta=st.tuples(*[st.floats(-7, 7)] * 7))
curves = st.lists(st.floats(-5, 5), min_size=5, max_size=40).map(lambda errors: curve(np.sort(np.array(errors))))
dressings = st.builds(Dressing, scale=scales, centres=arrays.arrays(np.float64, 3, elements=st.floats(-5, 5)), curves=st.tuples(curves, curves))
leaves = numbers | numpy_numbers | some_array | some_array.map(np.asfortranarray) | scales | kernels | curves | dressings
trees = st.recursive(leaves, lambda one: st.tuples(one, one) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), one, max_size=3), max_leaves=8)


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, and of the same kinds."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        as_c = np.asarray(one).tobytes() == np.asarray(other).tobytes()
        return as_c and one.dtype == other.dtype and one.shape == other.shape and one.flags.f_contiguous == other.flags.f_contiguous
    if isinstance(one, float):
        return np.float64(one).tobytes() == np.float64(other).tobytes() or (one != one and other != other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(type(a) is type(b) for a, b in zip(one, other, strict=True)) and all(same(one[k], other[k]) for k in one)
    if hasattr(type(one), "__dataclass_fields__"):
        return all(same(getattr(one, name), getattr(other, name)) for name in type(one).__dataclass_fields__)
    return bool(one == other)


def fitted_world() -> tuple[Daily, int]:
    days = np.arange(70)[:, None]
    high = np.exp(0.4 * np.cos(2 * np.pi * days / 14.765 + np.arange(3)) + 0.1 * np.random.default_rng(3).normal(size=(70, 3)))
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), high)
    return Daily(zone="Asia/Ho_Chi_Minh", days=np.datetime64("2026-01-01") + np.arange(70), stations=("a", "b", "c"), drivers={}, **parts), 50


@settings(max_examples=80)
@given(trees)
def test_what_was_packed_is_unpacked_to_the_bit(value: Any) -> None:
    """Numbers, texts, tables, arrays in their order and our classes come back as they were."""
    assert same(unpacked(packed(value)), value)


def test_a_model_says_after_unpacking_what_it_said_before() -> None:
    """To the bit, for each day and lead."""
    daily, n = fitted_world()
    model = fit_gaussian(daily.first(n), (1, 7), (1.0, 4.0))
    again = unpacked(packed(model))
    day, station = np.repeat(np.arange(n, 70), 3), np.tile(np.arange(3), 70 - n)
    one, other = model.say(daily, day, station), again.say(daily, day, station)
    for lead in (1, 7):
        assert np.isfinite(one[lead].point).all()
        for name in ("point", "quantiles", "p_gt"):
            assert getattr(one[lead], name).tobytes() == getattr(other[lead], name).tobytes()


def test_each_learner_says_after_unpacking_what_it_said_before() -> None:
    """Trees, nets, the kernel machine, and the model of the spread: to the bit."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(90, 5)), rng.normal(size=90)
    learners: tuple[Any, ...] = (*fit_learners(x, z, trees=20, lead=3), fit_spread(x, z))
    for learner in learners:
        again = unpacked(packed(learner))
        assert type(again) is type(learner)
        assert again(x + 0.1).tobytes() == learner(x + 0.1).tobytes()


def test_the_same_model_makes_the_same_bytes() -> None:
    """A hash of the file names the model."""
    errors = np.random.default_rng(2).normal(size=50)
    one, other = (dressing(np.arange(50.0), np.arange(50.0) + errors.copy()) for _ in range(2))
    assert packed((one, Kernel())) == packed((other, Kernel()))


def test_an_array_in_two_places_is_kept_once() -> None:
    """A kernel that all leads share does not make the file longer."""
    array = np.random.default_rng(0).random(1000)
    assert len(packed((array, array))) < 1.1 * len(packed((array,)))


@pytest.mark.parametrize("value", [date(2026, 1, 1), [1], {1.5: 2}, np.array(["a"]), np.array([None]), {"x": object()}, len, 1j])
def test_what_may_not_stand_in_a_file_is_refused(value: Any) -> None:
    """What could not come back as it was, or runs when it is read, is named in one line."""
    with pytest.raises(FormatError):
        packed(value)


def test_another_file_and_another_version_are_named() -> None:
    """The message names magic and version: a pickle, an empty file, and a file of tomorrow's format."""
    for content in (pickle.dumps(1), b"", b"CANHMAN-MODE"):
        with pytest.raises(FormatError, match="CANHMAN-MODEL 1"):
            unpacked(content)
    with pytest.raises(FormatError, match="format 2, expected 1"):
        unpacked(packed(1).replace(b" 1\n", b" 2\n", 1))


def test_a_damaged_file_is_told_and_nothing_else() -> None:
    """Cut anywhere, or longer than it was, it is a FormatError; a flipped bit is one, or changes the value alone."""
    content = packed(dressing(np.arange(30.0), np.arange(30.0) ** 1.1))
    for cut in range(len(content)):
        with pytest.raises(FormatError):
            unpacked(content[:cut])
    with pytest.raises(FormatError):
        unpacked(content + b"x")
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 16
        try:
            unpacked(bytes(flipped))
        except FormatError:
            continue


def written(tree: object, arrays: object = (), *content: bytes) -> bytes:
    """A file whose text says this."""
    text = zlib.compress(json.dumps({"tree": tree, "arrays": arrays}).encode())
    return b"CANHMAN-MODEL 1\n" + len(text).to_bytes(8, "big") + text + b"".join(content)


HOSTILE = {
    "fields as a list": written({"c": "Kernel", "f": ["theta"]}),
    "an array by a name": written({"a": "x"}),
    "no arrays": written(1, None),
    "a kind that is no Python": written(1, [["<f8,(", [1], "C", 0]]),
    "days of no length": written(1, [["M8[20000000000000000000s]", [1], "C", 0]]),
    "a shape below zero": written({"a": 0}, [["|u1", [-1], "C", 9]], zlib.compress(b"x")),
    "a length below zero": written({"a": 0}, [["|u1", [1], "C", -1]], zlib.compress(b"x")),
    "more than its shape": written({"a": 0}, [["|u1", [1], "C", 10]], zlib.compress(b"xy")),
    "more than fits into memory": written({"a": 0}, [["<f8", [1 << 50], "C", 9]], zlib.compress(b"x")),
    "very deep": b"".join((b"CANHMAN-MODEL 1\n", len(deep := zlib.compress(b"[" * 100_000)).to_bytes(8, "big"), deep)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_stands_in_a_file_it_is_a_format_error(name: str) -> None:
    """Nothing else reaches who reads it: a service would end of it."""
    with pytest.raises(FormatError, match="damaged"):
        unpacked(HOSTILE[name])


def test_a_file_does_not_grow_beyond_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that holds a lot is refused before it is read whole; so is a text, and the sum of arrays; nor is such a model written."""
    zeros = zlib.compress(bytes(40 << 20))
    tracemalloc.start()
    try:
        for content in (written({"a": 0}, [["|u1", [8], "C", len(zeros)]], zeros), b"CANHMAN-MODEL 1\n" + len(zeros).to_bytes(8, "big") + zeros):
            with pytest.raises(FormatError, match="does not end within"):
                unpacked(content)
        assert tracemalloc.get_traced_memory()[1] < 38 << 20
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(packing, "MOST", 1500)
    two = written({"t": [{"a": 0}, {"a": 1}]}, [["|u1", [1000], "C", len(one := zlib.compress(bytes(1000)))]] * 2, one, one)
    with pytest.raises(FormatError, match="in shape"):
        unpacked(two)
    with pytest.raises(FormatError, match="at most"):
        packed(np.zeros(200))


def test_a_tree_that_leads_back_is_refused() -> None:
    """A forest is walked forward only, and within its nodes: else it would never be left."""
    good = {"feature": np.array([0, -1, -1], dtype=np.int16), "number": np.zeros(3, dtype=np.float32), "right": np.array([2, 0, 0], dtype=np.int32)}
    forest = Forest(**good, start=np.array([0]))
    assert same(unpacked(packed(forest)), forest)
    bad: list[dict[str, Any]] = [
        {"right": np.array([0, 0, 0], dtype=np.int32)},
        {"right": np.array([-1, 0, 0], dtype=np.int32)},
        {"right": np.array([3, 0, 0], dtype=np.int32)},
        {"feature": np.array([0, -1, 0], dtype=np.int16)},
        {"start": np.array([3])},
        {"start": np.array([], dtype=np.int64)},
        {"number": np.zeros(2, dtype=np.float32)},
    ]
    content = packed(forest)
    for change in bad:
        for name, value in change.items():
            object.__setattr__(forest, name, value)
            hostile = packed(forest)
            object.__setattr__(forest, name, unpacked(content).__getattribute__(name))
        with pytest.raises(FormatError, match="damaged"):
            unpacked(hostile)
    with pytest.raises(ValueError, match="feature"):
        Forest(**{**good, "feature": np.array([2, -1, -1], dtype=np.int16)}, start=np.array([0]))(np.zeros((1, 2)))


def test_no_class_but_ours_is_made() -> None:
    """A name that is not on the list, and fields the class does not have, are refused."""
    with pytest.raises(FormatError, match="Popen"):
        unpacked(written({"c": "Popen", "f": {"args": "true"}}))
    with pytest.raises(FormatError, match="Scale"):
        unpacked(written({"c": "Scale", "f": {"unit": 1.0}}))


def test_every_class_of_the_list_is_there() -> None:
    """A class that moved or was renamed is noticed here and not when a model is read."""
    for name, where in CLASSES.items():
        assert hasattr(import_module(where), name)


@pytest.mark.parametrize("root", [Ensemble, GaussianProcess, BoostedHours])
def test_every_class_a_model_may_hold_is_on_the_list(root: type) -> None:
    """A new part of a model that could not be kept is noticed here and not when a training is over."""
    seen: set[type] = set()

    def walk(kind: Any) -> None:
        for part in get_args(kind):
            walk(part)
        if isinstance(kind, type) and is_dataclass(kind) and kind not in seen:
            seen.add(kind)
            assert CLASSES.get(kind.__name__) == kind.__module__, kind
            for hint in get_type_hints(kind).values():
                walk(hint)

    walk(root)
    assert root in seen
