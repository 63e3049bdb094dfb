"""SenML (RFC 8428): a pack is a JSON array of records, each one value; base fields hold for those that follow.

    [{"bn": "kl01:", "bt": 1772420400.25, "n": "water.ec", "u": "S/m", "v": 0.231},
     {"n": "water.level", "u": "m", "v": 1.12, "t": -0.5},
     {"n": "d10/soil.moisture", "u": "/", "v": 0.31}]                                    channel d10

A name (bn + n) is [device:][channel/]quantity. Whose it is says the topic; two devices in one pack are refused whole, for
one topic is one device. Every value has its unit (u, else bu), ours or SenML's, and is converted: 0.231 S/m is 2.31 mS/cm. A
time (bt + t) is seconds since 1970 UTC. SenML knows no number of a message, so one that counts from arrival (below 2^28) is
refused: sent again it would be another reading. What is wrong with a record costs that record, with the pack the pack.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from core.errors import DecodeError
from core.place import MAIN, SLUG
from core.quantities import QUANTITIES
from ingest.decoder import Decoder, Example, Record, Refusal
from ingest.json_text import bad_channel, finite, parse, shown

VERSION = 10  # the newest there is; RFC 8428 §4.4: a newer one is refused
_RELATIVE = float(1 << 28)  # §4.5.3: a time below counts from now
_LATEST = 253_402_300_800.0  # the year 10000
_OWN = frozenset(("n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"))
_VALUES = ("v", "vs", "vb", "vd")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*\Z")  # §4.5.1
_PARTS = re.compile(r"(?P<device>.*:)?(?:(?P<channel>[^:]*)/)?(?P<quantity>[^:/]*)\Z")

# our unit → SenML's (RFC 8428 §12.1, RFC 8798) and what probes write: value × factor + offset is ours
_CONDUCTIVITY = {"S/m": (10.0, 0.0), "mS/m": (0.01, 0.0), "mS/cm": (1.0, 0.0), "dS/m": (1.0, 0.0), "uS/cm": (0.001, 0.0)}
_RATIO = {"/": (1.0, 0.0), "1": (1.0, 0.0), "%": (0.01, 0.0), "/100": (0.01, 0.0)}
UNITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "mS/cm": _CONDUCTIVITY,
    "dS/m": _CONDUCTIVITY,
    "g/L": {"kg/m3": (1.0, 0.0), "mg/L": (0.001, 0.0)},
    "mg/L": {"kg/m3": (1000.0, 0.0), "g/L": (1000.0, 0.0)},
    "Cel": {"K": (1.0, -273.15)},
    "m": {"cm": (0.01, 0.0), "mm": (0.001, 0.0)},
    "1": _RATIO,
    "m3/m3": _RATIO,
    "[pH]": {"pH": (1.0, 0.0)},
    "{NTU}": {"NTU": (1.0, 0.0)},
    "%": {"%RH": (1.0, 0.0), "/100": (1.0, 0.0), "/": (100.0, 0.0)},
    "mm": {"m": (1000.0, 0.0), "cm": (10.0, 0.0)},
    "m/s": {"km/h": (1 / 3.6, 0.0)},
    "deg": {"rad": (180 / math.pi, 0.0)},
    "hPa": {"Pa": (0.01, 0.0)},
    "V": {"mV": (0.001, 0.0)},
    "dBm": {"dBW": (1.0, 30.0)},
}


class _Base(NamedTuple):
    """The base fields as of a record."""

    name: str = ""
    time: float = 0.0
    unit: str = ""
    value: float = 0.0
    version: int = 0  # nothing said yet


class _Found(NamedTuple):
    """What became of one record: a value at a time, or why there is none."""

    time: int | None
    device: str = ""
    channel: str = ""
    quantity: str = ""
    value: float = 0.0
    refused: Refusal | None = None


def decode(payload: bytes) -> list[Record]:
    """One record for each time of a pack, and another where a value comes twice for one. Raises DecodeError (`malformed`) for what is no pack."""
    pack = parse(payload)
    if not isinstance(pack, list):
        raise DecodeError("malformed", f"a SenML pack is a JSON array of records, not {shown(pack)}")
    found = list(_records(pack))
    devices = dict.fromkeys(item.device for item in found if item.quantity)
    if len(devices) > 1:
        first, second = list(devices)[:2]
        raise DecodeError("malformed", f"names of two devices in one pack, {first[:60]!r} and {second[:60]!r}: each publishes to its own topic")
    times = Counter[tuple[int | None, str, str]]()
    records: dict[tuple[int | None, int], tuple[dict[str, dict[str, float]], list[Refusal]]] = {}
    for item in found:
        if item.refused is not None:
            records.setdefault((item.time, 0), ({}, []))[1].append(item.refused)
            continue
        series = (item.time, item.channel, item.quantity)
        channels, _ = records.setdefault((item.time, times[series]), ({}, []))
        times[series] += 1
        channels.setdefault(item.channel, {})[item.quantity] = item.value
    return [Record(None, None, time, None, list(channels.items()), refused, b"") for (time, _), (channels, refused) in records.items()]


def _records(pack: list[Any]) -> Iterator[_Found]:
    base = _Base()
    for number, item in enumerate(pack):
        if not isinstance(item, dict):
            yield _Found(None, refused=Refusal("malformed", "", f"element {number} is not an object: {shown(item)}"))
            continue
        for label in item:
            if label.endswith("_"):
                raise DecodeError("malformed", f"the label {label[:80]!r} must be understood, and is not: RFC 8428 has this pack refused")
        base = _based(base, item)
        if not _OWN.isdisjoint(item):
            yield _value(base, item, number)


def _based(base: _Base, item: Mapping[str, Any]) -> _Base:
    """The base fields from this record on. A bad one is no base for anything that follows: the pack is refused."""
    version = item.get("bver", base.version or VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version <= VERSION:
        raise DecodeError("malformed", f"bver = {shown(version)}: SenML is read up to version {VERSION}")
    if base.version not in (0, version):
        raise DecodeError("malformed", f"the records of one pack have different versions (bver {base.version} and {version})")
    for label in ("bn", "bu"):
        if not isinstance(item.get(label, ""), str):
            raise DecodeError("malformed", f"{label} = {shown(item[label])} is not text")
    for label in ("bt", "bv"):
        if finite(item.get(label, 0)) is None:
            raise DecodeError("malformed", f"{label} = {shown(item[label])} is not a finite number")
    name, unit = item.get("bn", base.name), item.get("bu", base.unit)
    return _Base(name, float(item.get("bt", base.time)), unit, float(item.get("bv", base.value)), version)


def _value(base: _Base, item: Mapping[str, Any], number: int) -> _Found:
    """The value of one record."""
    own = item.get("n", "")
    name = base.name + own if isinstance(own, str) else ""
    time, late = _time(base.time, item.get("t", 0), name)
    parts = _PARTS.match(name) if _NAME.match(name) else None
    if parts is None:
        return _Found(
            time, refused=Refusal("malformed", name[:200], f"record {number}: name {name[:80]!r} must begin with a letter or digit, then also - : . / _")
        )
    device, channel, quantity = parts["device"] or "", parts["channel"] or MAIN, parts["quantity"]
    known = QUANTITIES.get(quantity)
    if known is None:
        text = f"no quantity is called {quantity[:80]!r} (see: docs/quantities.md); a name is device:quantity or device:channel/quantity"
        return _Found(time, refused=Refusal("unknown_quantity", name[:200], text))
    key = quantity if channel == MAIN else f"{channel}/{quantity}"[:200]
    if not SLUG.match(channel):
        return _Found(time, device, quantity=quantity, refused=bad_channel(channel))
    value, refused = _converted(base, item, key, known.unit)
    if late is not None or refused is not None:
        return _Found(time, device, quantity=quantity, refused=late or refused)
    return _Found(time, device, channel, quantity, value)


def _converted(base: _Base, item: Mapping[str, Any], key: str, ours: str) -> tuple[float, Refusal | None]:
    """The value in our unit, or why not."""
    given = [label for label in _VALUES if label in item]
    number = finite(item["v"]) if given == ["v"] else None
    if number is None:
        what = f"{given[0]} = {shown(item[given[0]])}" if len(given) == 1 else f"{' and '.join(given)} at once" if given else "no value"
        return 0.0, Refusal("not_a_number", key, f"{key}: {what}; a reading is one finite number v")
    unit = item.get("u", base.unit)
    units = {ours: (1.0, 0.0), **UNITS.get(ours, {})}
    if not isinstance(unit, str) or unit not in units:
        what = f"unit {shown(unit)}" if unit else "no unit"
        return 0.0, Refusal("unknown_quantity", key, f"{key} with {what}: u (or bu) must be one of {', '.join(units)}")
    factor, offset = units[unit]
    value = (base.value + number) * factor + offset
    if not math.isfinite(value):
        return 0.0, Refusal("not_a_number", key, f"{key}: bv + v is not a finite number")
    return value, None


def _time(base: float, own: object, name: str) -> tuple[int | None, Refusal | None]:
    """ms since 1970 UTC, floored; or None and why."""
    key, more = name[:200], finite(own)
    if more is None:
        return None, Refusal("bad_time", key, f"t = {shown(own)} is not a finite number of seconds")
    seconds = base + more
    if seconds < _RELATIVE:
        text = f"time {seconds:g} counts from arrival, and sent again this would be another reading: give bt in seconds since 1970"
        return None, Refusal("no_identity", key, text)
    if seconds >= _LATEST:
        return None, Refusal("bad_time", key, f"time {seconds:g} must be seconds since 1970 (not milliseconds)")
    return round(seconds * 1e6) // 1000, None  # a float of seconds is right to a quarter of a microsecond, and .001 may stand just below itself


DECODER = Decoder(
    name="senml",
    kind="senml",
    decode=decode,
    quantities={},
    examples=(
        Example(
            payload=b'[{"bn":"kl01:","bt":1772420400.25,"n":"water.ec","u":"S/m","v":0.231},{"n":"water.level","u":"m","v":1.12,"t":-0.5},'
            b'{"n":"d10/soil.moisture","u":"/","v":0.31}]',
            records=(
                Record(None, None, 1_772_420_400_250, None, [("main", {"water.ec": 2.31}), ("d10", {"soil.moisture": 0.31})], [], b""),
                Record(None, None, 1_772_420_399_750, None, [("main", {"water.level": 1.12})], [], b""),
            ),
        ),
        Example(
            payload=b'[{"bt":1772420400,"n":"water.ec","v":2310},{"n":"water.temperature","u":"Cel","v":28.4},{"n":"label","vs":"Kenh Lau"}]',
            records=(
                Record(
                    None,
                    None,
                    1_772_420_400_000,
                    None,
                    [("main", {"water.temperature": 28.4})],
                    [
                        Refusal("unknown_quantity", "water.ec", "water.ec with no unit: u (or bu) must be one of mS/cm, S/m, mS/m, dS/m, uS/cm"),
                        Refusal(
                            "unknown_quantity",
                            "label",
                            "no quantity is called 'label' (see: docs/quantities.md); a name is device:quantity or device:channel/quantity",
                        ),
                    ],
                    b"",
                ),
            ),
        ),
    ),
)
