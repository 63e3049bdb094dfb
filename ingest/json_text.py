"""JSON as devices write it: read with more patience than the standard has, and its values as strictly as ours must be."""

from __future__ import annotations

import json
import math
import re

import msgspec

from core.errors import DecodeError
from ingest.decoder import Refusal

# A bare nan or inf outside a string: not JSON, but printed by every C library, and its neighbours are good values.
_BARE = re.compile(r'("(?:[^"\\]|\\.)*")|([-+]?\b(?:nan|inf(?:inity)?)\b)', re.IGNORECASE)


def parse(payload: bytes) -> object:
    """What a message holds; a bare nan or inf is read as NaN. Raises DecodeError (`malformed`) where it is no JSON."""
    try:
        strict: object = msgspec.json.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):  # patience costs fifty times as much: only where it is needed, which also says what is wrong
        return _patient(payload)
    return strict


def _patient(payload: bytes) -> object:
    text = payload.decode("utf-8", "replace")  # a name in another encoding, in a key nobody reads, costs no reading
    try:
        found: object = json.loads(_BARE.sub(lambda m: m.group(1) or "NaN", text))
    except RecursionError as error:
        raise DecodeError("malformed", "JSON nested too deep") from error
    except ValueError as error:  # JSONDecodeError, or an integer of over 4,300 digits
        raise DecodeError("malformed", f"not JSON: {str(error)[:160]}") from error
    return found


def finite(value: object) -> float | None:
    """The number, or None; a bool is an int in Python and never a reading, and text is never guessed at."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def shown(value: object) -> str:
    """A stranger's value in a text of ours, cut."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def bad_channel(channel: str) -> Refusal:
    """The refusal of a channel whose name is no slug."""
    return Refusal("bad_channel", channel[:200], f"channel {channel[:80]!r} must be 1–64 of a–z, 0–9 and -")
