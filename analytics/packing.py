"""Fitted models as bytes: a tree of our own frozen dataclasses, numbers, texts and numpy arrays, there and back to the bit.

`CANHMAN-MODEL 1`, a line feed, the length of a JSON text (8 bytes), that text and then the arrays, each compressed by itself. The text holds the
tree: an array stands in it by its number, an object by the name of its class. Only the classes of `CLASSES` are made, and only from fields they
have: nothing in such a file is ever run, and it never grows beyond what its text says of it, nor beyond MOST and MOST_TEXT.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FormatError
from core.model_card import FORMAT, MAGIC, check_head

# class → where it is today; files hold the name alone
CLASSES: Mapping[str, str] = {
    "Beside": "analytics.daily.models.ensemble",
    "BoostedHours": "analytics.hourly.models.boosted",
    "BoostedTrees": "analytics.hourly.trees",
    "Curve": "analytics.empirical",
    "Driver": "analytics.daily.drivers",
    "Dressing": "analytics.daily.dressing",
    "Ensemble": "analytics.daily.models.ensemble",
    "Forest": "analytics.daily.forest",
    "GaussianProcess": "analytics.daily.models.gaussian",
    "Kernel": "analytics.daily.gaussian",
    "Lead": "analytics.daily.models.ensemble",
    "Learned": "analytics.daily.crossfit",
    "Logistic": "analytics.daily.references",
    "LogisticLead": "analytics.daily.models.logistic",
    "Machine": "analytics.daily.learners",
    "Nets": "analytics.daily.learners",
    "Scale": "analytics.daily.dressing",
    "Shares": "analytics.daily.pool",
    "Spread": "analytics.daily.spread",
    "Standard": "analytics.daily.learners",
}
_KINDS = "biufmM"  # of arrays: truth values, numbers, days
MOST, MOST_TEXT = 512 << 20, 16 << 20  # bytes, of all arrays and of the text: five times the largest model measured
_LEVEL = 1  # of zlib: thresholds of trees hardly get smaller beyond


def packed(value: Any) -> bytes:
    """Raises FormatError for what may not stand in a model's file."""
    arrays: dict[int, tuple[int, NDArray[Any]]] = {}  # by identity: one that stands in several places is kept once
    tree = _tree(value, lambda array: arrays.setdefault(id(array), (len(arrays), array))[0])
    parts = [_part(array) for _, array in arrays.values()]
    heads = [[*head, len(content)] for head, content in parts]
    plain = json.dumps({"tree": tree, "arrays": heads}, allow_nan=False, separators=(",", ":")).encode()
    size = sum(array.nbytes for _, array in arrays.values())
    if size > MOST or len(plain) > MOST_TEXT:
        raise FormatError(f"a model of {size >> 20} MiB of numbers and {len(plain) >> 20} MiB of text is not kept: at most {MOST >> 20} and {MOST_TEXT >> 20}")
    text = zlib.compress(plain, _LEVEL)
    return b"".join((b"%s %d\n" % (MAGIC, FORMAT), len(text).to_bytes(8, "big"), text, *(content for _, content in parts)))


def unpacked(content: bytes) -> Any:
    """What was packed. Raises FormatError for another file, another version, and a damaged one."""
    check_head(content)
    start = content.index(b"\n") + 1
    try:
        end = start + 8 + int.from_bytes(content[start : start + 8], "big")
        document = json.loads(_inflated(content[start + 8 : end], MOST_TEXT))
        arrays, left = [], MOST
        for dtype, shape, order, length in document["arrays"]:
            if length < 0:
                raise ValueError(f"an array of {length} bytes")
            arrays.append(_array(dtype, shape, order, content[end : end + length], left))
            left -= arrays[-1].nbytes
            end += length
        if end != len(content):
            raise ValueError(f"{len(content) - end} bytes behind its end")
        return _value(document["tree"], arrays)
    except FormatError:
        raise
    except Exception as error:  # whatever it holds: a file must not end who reads it
        raise FormatError(f"a damaged model file ({type(error).__name__}: {error}): train anew, or take it from the backup") from error


def _inflated(content: bytes, most: int) -> bytes:
    """Raises ValueError where it holds more than `most`, or does not end with its end."""
    reader = zlib.decompressobj()
    found = reader.decompress(content, most + 1)
    if len(found) > most or not reader.eof or reader.unused_data:
        raise ValueError(f"a part that does not end within {most} bytes")
    return found


def _tree(value: Any, numbered: Callable[[NDArray[Any]], int]) -> Any:
    """What JSON can hold. A table of one letter stands for what JSON has no word for."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            raise FormatError(f"an array of {value.dtype} may not stand in a model file; numbers, truth values and days may")
        return {"a": numbered(value)}
    if isinstance(value, np.generic):
        return {"n": numbered(np.array(value))}  # its arithmetic is numpy's, so it stays one
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"f": repr(value)}
    if isinstance(value, tuple):
        return {"t": [_tree(one, numbered) for one in value]}
    if isinstance(value, Mapping):
        if any(type(key) not in (str, int) for key in value):
            raise FormatError(f"a table with keys {list(value)[:3]!r} may not stand in a model file; texts and whole numbers may be keys")
        return {"d": [[key, _tree(one, numbered)] for key, one in value.items()]}
    name = type(value).__name__
    if is_dataclass(value) and _class(name) is type(value):
        return {"c": name, "f": {field.name: _tree(getattr(value, field.name), numbered) for field in fields(value)}}
    raise FormatError(f"{type(value).__module__}.{name} may not stand in a model file; a new class of ours goes into analytics.packing.CLASSES")


def _value(tree: Any, arrays: list[NDArray[Any]]) -> Any:
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise ValueError("a list where none may be")
        return tree
    if "c" in tree:
        found, given = _class(tree["c"]), tree["f"]
        if found is None or {field.name for field in fields(found)} != set(given):
            raise FormatError(f"the model file holds a {tree['c']!r} that this version does not know so: train anew with canhman train")
        return found(**{name: _value(one, arrays) for name, one in given.items()})
    ((kind, held),) = tree.items()
    if kind == "a":
        return arrays[held]
    if kind == "n":
        return arrays[held][()]
    if kind == "f":
        return float(held)
    if kind == "t":
        return tuple(_value(one, arrays) for one in held)
    if kind == "d":
        return {key: _value(one, arrays) for key, one in held}
    raise ValueError(f"{kind!r} is nothing a tree holds")


def _class(name: str) -> Any:
    """The class of that name, None where it is not one of ours."""
    return getattr(import_module(CLASSES[name]), name) if name in CLASSES else None


def _part(array: NDArray[Any]) -> tuple[list[Any], bytes]:
    """Its kind, shape and order (the bits of a product depend on it), and its compressed numbers."""
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return [array.dtype.str, list(array.shape), order], zlib.compress(array.tobytes(order), _LEVEL)  # type: ignore[arg-type]  # C or F


def _array(dtype: str, shape: list[int], order: str, content: bytes, most: int) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in _KINDS or order not in ("C", "F"):
        raise ValueError(f"an array of {dtype} in order {order}")
    size = math.prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or size > most:
        raise ValueError(f"an array of {dtype} in shape {shape}")
    flat = np.frombuffer(_inflated(content, size), dtype=kind)
    return flat.reshape(shape, order="F" if order == "F" else "C")
