"""A CPU profile as Go's servers give it (`/debug/pprof/profile`): gzipped profile.proto, read as far as shares by part need it.

Of each sample the innermost function of the server's own packages counts, with what it called in Go's library; stacks without
any are Go's runtime at its own work (collecting garbage, scheduling).
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator

OWN = "github.com/influxdata/"
RUNTIME = "Go's runtime by itself"
_SAMPLE, _LOCATION, _FUNCTION, _STRING = 2, 4, 5, 6


def shares(data: bytes, own: str = OWN) -> list[tuple[str, float]]:
    """Share of the CPU by package of the server, the dearest first. Empty where nothing was sampled."""
    strings: list[str] = []
    functions: dict[int, int] = {}  # id: number of its name
    lines: dict[int, list[int]] = {}  # of a location: functions, the innermost first (they are inlined in each other)
    samples: list[tuple[list[int], int]] = []
    for field, value in _fields(gzip.decompress(data)):
        if not isinstance(value, bytes):
            continue
        if field == _STRING:
            strings.append(value.decode(errors="replace"))
        elif field == _FUNCTION:
            found = _message(value)
            functions[_number(found, 1)] = _number(found, 2)
        elif field == _LOCATION:
            found = _message(value)
            lines[_number(found, 1)] = [_number(_message(line), 1) for line in found.get(4, []) if isinstance(line, bytes)]
        elif field == _SAMPLE:
            found = _message(value)
            samples.append((_numbers(found.get(1, [])), _numbers(found.get(2, []))[0]))
    spent: Counter[str] = Counter()
    for stack, count in samples:
        names = (strings[functions[function]] for location in stack for function in lines.get(location, []))
        spent[next((_package(name, own) for name in names if own in name), RUNTIME)] += count
    total = sum(spent.values())
    return [(name, count / total) for name, count in spent.most_common()] if total else []


def _package(name: str, own: str) -> str:
    """`tsdb/engine/tsm1` of `github.com/influxdata/influxdb/tsdb/engine/tsm1.(*Cache).WriteMulti`."""
    path = name[name.index(own) + len(own) :]
    folder, slash, rest = path.rpartition("/")
    package = f"{folder}{slash}{rest.partition('.')[0]}"
    return package.removeprefix("influxdb/")


# ------------------------------------------------------------ protobuf, as far as it is needed


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            at += {1: 8, 5: 4}[kind]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _message(data: bytes) -> dict[int, list[int | bytes]]:
    found: dict[int, list[int | bytes]] = {}
    for field, value in _fields(data):
        found.setdefault(field, []).append(value)
    return found


def _number(message: dict[int, list[int | bytes]], field: int) -> int:
    value = message.get(field, [0])[0]
    return value if isinstance(value, int) else 0


def _numbers(values: list[int | bytes]) -> list[int]:
    """A repeated number, packed or one by one."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(number)
    return found
