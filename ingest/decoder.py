"""What a decoder gives: records of values by channel, and the values it refused with a reason each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec


class Refusal(NamedTuple):
    """One value (or with an empty key the whole object) that cannot be taken: a reason of `core.deadletter.REASONS`."""

    reason: str
    key: str
    text: str


class Record(NamedTuple):
    """One object of a message: when, which number, and the values of each channel.

    `time` [ms since 1970 UTC] or, of a device without a clock, `age_ms` before arrival; both None where neither could
    be read (then `refused` says why). `channels` is [(channel, {quantity: value})]; `digest` identifies the content of
    a clockless object.
    """

    seq: int | None
    boot: int | None
    time: int | None
    age_ms: int | None
    channels: list[tuple[str, dict[str, float]]]
    refused: list[Refusal]
    digest: bytes


LARGEST = 2**63 - 1  # what every store and database takes as an integer
_Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]


class Plain(msgspec.Struct, gc=False):
    """One object as a healthy device sends it in JSON: it goes into the columns as it is, and no `Record` is made of it.

    Its types are right and its numbers finite; what else may be wrong (names, the time's text) is for `Decoder.record`.
    """

    readings: dict[str, float] = {}
    channels: dict[str, dict[str, float]] = {}
    time: str | None = None
    age_s: float | None = None
    seq: _Number | None = None
    boot: _Number | None = None
    battery: float | None = None
    rssi: float | None = None
    snr: float | None = None


Decode = Callable[[bytes], list[Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A payload and the records it decodes to: the decoder's own test and documentation."""

    payload: bytes
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder for one topic kind (`telemetry`, `senml`, `frame` …); for frames, of one device model.

    `decode(payload)` raises DecodeError where nothing of the message can be read, and nothing else ever. A format whose
    objects are `Plain` may offer `plain`, which reads nothing else (ValueError, RecursionError), and `record`, which says what
    `decode` makes of such an object.
    """

    name: str
    kind: str
    model: str = ""
    decode: Decode
    examples: tuple[Example, ...]
    quantities: Mapping[str, str]  # key in the payload → quantity (empty where the payload names quantities itself)
    plain: Callable[[bytes], Plain | list[Plain]] | None = None
    record: Callable[[Plain], Record] | None = None
