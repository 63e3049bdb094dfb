"""The native message: a JSON object, or an array of them.

    {"seq": 1841, "boot": 12, "time": "2026-03-01T00:10:00Z",
     "readings": {"water.ec": 2.31, "water.temperature": 28.4},          channel main
     "channels": {"d10": {"soil.moisture": 0.31}}, "battery": 3.71, "rssi": -97, "snr": 7.5}

A device without a clock sends "age_s" in place of "time", and then "seq" and "boot" are required. Other top-level keys
are ignored. Fast step: msgspec checks everything in one pass. What it refuses goes the tolerant way, value by value,
so that one bad value never costs its neighbours; only a message that is not JSON at all is refused whole.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec

from core.errors import DecodeError
from core.place import MAIN, SLUG
from core.quantities import QUANTITIES
from ingest.decoder import LARGEST, Decoder, Example, Plain, Record, Refusal
from ingest.instants import instant
from ingest.json_text import bad_channel, finite, parse, shown

_OLDEST_AGE_S = 10 * 366 * 86_400.0
_DEVICE_KEYS = {"battery": "device.battery", "rssi": "device.rssi", "snr": "device.snr"}

_plain = msgspec.json.Decoder(Plain | list[Plain]).decode
_MOST_LAYOUTS = 10_000
_NAMES = {name: name for name in QUANTITIES}
_known_layouts: set[tuple[str, ...]] = set()  # only what is known, so that none is longer than the list of quantities


def decode(payload: bytes) -> list[Record]:
    """All objects of a message. Raises DecodeError (`malformed`) where it is no JSON object or array."""
    try:
        found = _plain(payload)
    except (ValueError, RecursionError):  # also what msgspec raises
        return _tolerant(payload)
    return [record(found)] if type(found) is Plain else [record(item) for item in found]


def record(item: Plain) -> Record:
    """What becomes of a plain object."""
    channels: list[tuple[str, dict[str, float]]] = []
    refused: list[Refusal] = []
    if item.readings and (kept := item.readings if _all_known(item.readings) else _keep_known(MAIN, item.readings, refused)):
        channels.append((MAIN, kept))
    for channel, readings in item.channels.items() if item.channels else ():
        if not SLUG.match(channel):
            refused.append(bad_channel(channel))
        elif readings and (kept := readings if _all_known(readings) else _keep_known(channel, readings, refused)):
            channels.append((channel, kept))
    device: dict[str, float] = {}
    if item.battery is not None:
        device["device.battery"] = item.battery
    if item.rssi is not None:
        device["device.rssi"] = item.rssi
    if item.snr is not None:
        device["device.snr"] = item.snr
    if device:
        channels.append((MAIN, device))
    return _checked(item.seq, item.boot, _time(item.time, refused), item.age_s, channels, refused)


def _all_known(readings: dict[str, float]) -> bool:
    layout = tuple(readings)
    if layout in _known_layouts:
        return True
    if not all(name in QUANTITIES for name in layout):
        return False
    if len(_known_layouts) < _MOST_LAYOUTS:  # a sender that mixes names must not fill our memory
        _known_layouts.add(tuple(_NAMES[name] for name in layout))
    return True


def _keep_known(channel: str, readings: dict[str, Any], refused: list[Refusal]) -> dict[str, float]:
    """The values that are finite numbers of known quantities; the others are refused, each with its reason."""
    kept: dict[str, float] = {}
    for name, value in readings.items():
        key = name if channel == MAIN else f"{channel}/{name}"
        if name not in QUANTITIES:
            refused.append(Refusal("unknown_quantity", key[:200], f"no quantity is called {name[:80]!r} (see: docs/quantities.md)"))
            continue
        number = finite(value)
        if number is None:
            refused.append(Refusal("not_a_number", key[:200], f"{name} = {shown(value)} is not a finite number"))
        else:
            kept[name] = number
    return kept


def _number(value: object, name: str, refused: list[Refusal]) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        refused.append(Refusal("no_identity", name, f"{name} = {shown(value)} must be a whole number from 0 to 2^63 − 1"))
        return None
    return value


def _checked(
    seq: int | None, boot: int | None, time: int | None, age_s: float | None, channels: list[tuple[str, dict[str, float]]], refused: list[Refusal]
) -> Record:
    """The rules about time and identity, common to both steps."""
    if time is not None:
        return Record(seq, boot, time, None, channels, refused, b"")
    if age_s is None:
        if not any(r.reason == "bad_time" for r in refused):
            refused.append(Refusal("bad_time", "time", 'the message has neither "time" (RFC 3339 with a zone) nor "age_s"'))
        return Record(seq, boot, None, None, channels, refused, b"")
    if not (math.isfinite(age_s) and 0 <= age_s <= _OLDEST_AGE_S):
        refused.append(Refusal("bad_time", "age_s", f"age_s = {age_s} must be seconds from 0 to ten years"))
        return Record(seq, boot, None, None, channels, refused, b"")
    if seq is None or boot is None:
        refused.append(Refusal("no_identity", "", 'a message with "age_s" needs "seq" and "boot": without them a redelivery cannot be told from a new reading'))
        return Record(seq, boot, None, None, channels, refused, b"")
    content = sorted((channel, sorted(readings.items())) for channel, readings in channels if not _only_device(readings))
    digest = hashlib.blake2b(repr((content, sorted(refused))).encode(), digest_size=16).digest()
    return Record(seq, boot, None, round(age_s * 1000), channels, refused, digest)


def _only_device(readings: dict[str, float]) -> bool:
    """Battery and signal change between attempts and are not part of an object's identity."""
    return all(name.startswith("device.") for name in readings)


# ---------------------------------------------------------------- the tolerant step


def _tolerant(payload: bytes) -> list[Record]:
    found = parse(payload)
    if isinstance(found, dict):
        return [_tolerant_record(found)]
    if not isinstance(found, list):
        raise DecodeError("malformed", f"a message is a JSON object or an array of them, not {shown(found)}")
    return [_tolerant_record(item) if isinstance(item, dict) else _not_an_object(i, item) for i, item in enumerate(found)]


def _not_an_object(i: int, item: object) -> Record:
    return Record(None, None, None, None, [], [Refusal("malformed", "", f"element {i} is not an object: {shown(item)}")], b"")


def _tolerant_record(item: dict[str, Any]) -> Record:
    refused: list[Refusal] = []
    channels: list[tuple[str, dict[str, float]]] = []
    for channel, readings in _channels(item, refused):
        kept = _keep_known(channel, readings, refused)
        if kept:
            channels.append((channel, kept))
    device: dict[str, float] = {}
    for key, quantity in _DEVICE_KEYS.items():
        value = item.get(key)
        if value is None:
            continue
        number = finite(value)
        if number is None:
            refused.append(Refusal("not_a_number", key, f"{key} = {shown(value)} is not a finite number"))
        else:
            device[quantity] = number
    if device:
        channels.append((MAIN, device))
    seq, boot = _number(item.get("seq"), "seq", refused), _number(item.get("boot"), "boot", refused)
    return _checked(seq, boot, _time(item.get("time"), refused), _age(item.get("age_s"), refused), channels, refused)


def _channels(item: dict[str, Any], refused: list[Refusal]) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    readings, channels = item.get("readings", {}), item.get("channels", {})
    if isinstance(readings, dict):
        found.append((MAIN, readings))
    else:
        refused.append(Refusal("malformed", "readings", f"readings is not an object: {shown(readings)}"))
    if not isinstance(channels, dict):
        refused.append(Refusal("malformed", "channels", f"channels is not an object: {shown(channels)}"))
        return found
    for channel, values in channels.items():
        if not SLUG.match(channel):
            refused.append(bad_channel(channel))
        elif isinstance(values, dict):
            found.append((channel, values))
        else:
            refused.append(Refusal("malformed", f"channels.{channel}", f"channel {channel} is not an object: {shown(values)}"))
    return found


def _time(value: object, refused: list[Refusal]) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        text = f"time = {shown(value)}: give text with a zone, such as 2026-03-02T03:05:00Z (numbers are ambiguous: s, ms or ns)"
        refused.append(Refusal("bad_time", "time", text))
        return None
    time = instant(value)
    if time is None:
        refused.append(Refusal("bad_time", "time", f"time {value[:60]!r} is not RFC 3339 with a zone, such as 2026-03-02T10:05:00+07:00"))
    return time


def _age(value: object, refused: list[Refusal]) -> float | None:
    if value is None:
        return None
    number = finite(value)
    if number is None:
        refused.append(Refusal("bad_time", "age_s", f"age_s = {shown(value)} is not a finite number of seconds"))
    return number


DECODER = Decoder(
    name="native",
    kind="telemetry",
    decode=decode,
    plain=_plain,
    record=record,
    quantities={},
    examples=(
        Example(
            payload=b'{"seq":7,"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31,"water.temperature":28.4},"battery":3.7}',
            records=(
                Record(7, None, 1_772_420_400_000, None, [("main", {"water.ec": 2.31, "water.temperature": 28.4}), ("main", {"device.battery": 3.7})], [], b""),
            ),
        ),
        Example(
            payload=b'{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":NaN,"water.level":1.12}}',
            records=(
                Record(
                    None,
                    None,
                    1_772_420_400_000,
                    None,
                    [("main", {"water.level": 1.12})],
                    [Refusal("not_a_number", "water.ec", "water.ec = nan is not a finite number")],
                    b"",
                ),
            ),
        ),
    ),
)
