"""The journal's segment files: their byte layout, and reading them past any damage. All numbers are little-endian.

This is the form they are written in (version 1); a sealed one (version 2) holds the same bytes compressed: `journal_sealed`.

    header   magic "CMJ" · version u8 · journal id 16 B · base i64 · previous end i64 · created i64 [ms] · crc32 of all that
    record   marker 4 B · crc32 u32 · length u32 · received i64 [ms] · flags u8 · topic u16 · source u16 │ topic · source · payload
             └ length counts what stands right of the bar, topic and source are lengths; the crc covers all after itself

A record's position is its segment's base + its offset in the file. Marker and the start value of the crc come from the
journal's random id, and the crc also from the position: a payload that holds a forged or copied record is never taken for
one, and a record is known by itself, whatever the bytes before it say. No length is believed before the crc agrees.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol
from zlib import crc32

from core.errors import FormatError
from core.message import Message

MAGIC = b"CMJ"
VERSION = 1
SEALED = 2  # the version of a sealed segment
VERSIONS = (VERSION, SEALED)
SUFFIX = ".cmj"

_HEADER = struct.Struct("<3sB16sqqq")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size

_RECORD = struct.Struct("<4sIIqBHH")
_FRONT = struct.Struct("<4sI")  # the part the crc does not cover
_COVERED = struct.Struct("<IqBHH")
RECORD_BYTES = _RECORD.size
_FRONT_BYTES = _FRONT.size

_RETAIN, _DUP, _REFUSED = 4, 8, 16  # bits 0 and 1 are the QoS

_MOST_TEXTS = 50_000  # topics and sources remembered, each way
_LONGEST_TEXT = 256  # bytes; a longer one is no device's, and whoever invents such must not fill our memory
_BYTES: dict[str, bytes] = {}
_TEXTS: dict[bytes, str] = {}

_MASK = 0xFFFF_FFFF
_LATEST = 2**63 - 1

Records = list[tuple[int, Message]]  # (position, message)
Gaps = list[tuple[int, int]]  # positions skipped as damaged, from (included) to (excluded)

CHUNK_BYTES = 1 << 20  # read at once
READ_BYTES = 8 << 20  # one read stops after this many, so that big payloads do not fill the memory


class Keys(NamedTuple):
    """What makes records of one journal known: their marker, and where their crc starts."""

    marker: bytes
    seed: int


class Segment(NamedTuple):
    """One file: its base position, where the segment before it ended, when it was made [ms]; `intact` is about its header.

    `created` is 0 where the header does not tell it; `sealed`: it is compressed.
    """

    path: Path
    base: int
    previous_end: int
    created: int
    intact: bool
    sealed: bool = False


class Source(Protocol):
    """The bytes of one segment as they were written, by offset, whatever form the file has now; `size` is the offset after the last."""

    size: int

    def chunk(self, at: int) -> int:
        """How many bytes are best read at once from `at` on."""
        ...

    def pread(self, count: int, at: int) -> bytes:
        """`count` bytes from offset `at` on, fewer at the end."""
        ...


class Plain:
    """A segment in the form it was written in; `fd` is open for reading."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def chunk(self, at: int) -> int:
        """Always the same."""
        return CHUNK_BYTES

    def pread(self, count: int, at: int) -> bytes:
        """As it stands there."""
        return os.pread(self._fd, count, at)


class Run(NamedTuple):
    """How far a read came: offset to go on at, offset after the last intact record (0: none), bytes skipped as damaged."""

    next: int
    intact: int
    damaged: int


class Frames(NamedTuple):
    """Whole frames at the start of a buffer: where they end, how many, and the span of their arrivals [ms]."""

    end: int
    records: int
    oldest: int
    newest: int


def keys_of(journal_id: str) -> Keys:
    """The marker and the crc's start value that belong to a journal."""
    raw = bytes.fromhex(journal_id)
    return Keys(marker=crc32(raw, 1).to_bytes(4, "little"), seed=crc32(raw, 2))


def segment_name(base: int) -> str:
    """File name of the segment at `base`; names sort as positions do."""
    return f"{base:020d}{SUFFIX}"


def header(journal_id: str, base: int, previous_end: int, created: int, *, version: int = VERSION) -> bytes:
    """The first bytes of a segment."""
    packed = _HEADER.pack(MAGIC, version, bytes.fromhex(journal_id), base, previous_end, created)
    return packed + _CRC.pack(crc32(packed))


def version_in(raw: bytes) -> int | None:
    """The version of a header that is whole but for its first four bytes, which its crc proves; None where it is not."""
    if len(raw) < HEADER_BYTES:
        return None
    (crc,) = _CRC.unpack_from(raw, _HEADER.size)
    return next((v for v in VERSIONS if crc32(MAGIC + bytes([v]) + raw[4 : _HEADER.size]) == crc), None)


def id_in_header(path: Path) -> str | None:
    """The journal id in a segment's header; None where the header is damaged."""
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    return None if version_in(raw) is None else bytes(_HEADER.unpack_from(raw)[2]).hex()


def inspect(path: Path, journal_id: str) -> Segment:
    """Read a segment's header. Raises FormatError for another format, version or journal, or a renamed file.

    A header with the right first bytes but a wrong crc is damage: the name gives the base and the records speak for themselves.
    So are other first bytes that the crc proves wrong.
    """
    base = int(path.stem)
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    version = version_in(raw)
    if version is None:
        if len(raw) < 4 or raw[:4] == bytes(4):  # never written out before a power cut: an empty segment
            return Segment(path, base, base, 0, intact=False)
        if raw[:3] != MAGIC:
            raise FormatError(f"{path}: not a journal segment: it begins with {raw[:3]!r}, expected {MAGIC!r}")
        if raw[3] not in VERSIONS:
            raise FormatError(f"{path}: journal format version {raw[3]}, expected {VERSION} or {SEALED}; use the Canh Mặn that wrote it")
        return Segment(path, base, base, 0, intact=False, sealed=raw[3] == SEALED)
    _, _, found, found_base, previous_end, created = _HEADER.unpack_from(raw)
    if found.hex() != journal_id:
        raise FormatError(f"{path}: belongs to journal {found.hex()}, expected {journal_id}")
    if found_base != base:
        raise FormatError(f"{path}: holds positions from {found_base}, expected {base} by its name")
    return Segment(path, base, previous_end, created, intact=True, sealed=version == SEALED)


def encode(messages: Iterable[Message], position: int, keys: Keys) -> bytes:
    """The records of `messages`, the first of them at `position`."""
    marker, seed = keys
    front, covered = _FRONT.pack, _COVERED.pack
    start = position
    parts: list[bytes] = []
    known = _BYTES.get
    for topic, payload, received, source, qos, retain, dup, refused, _ in messages:
        t = known(topic) or _bytes_of(topic)
        s = (known(source) or _bytes_of(source)) if source else b""
        length = len(t) + len(s) + len(payload)
        flags = qos | _RETAIN if retain else qos
        if dup:
            flags |= _DUP
        if refused:
            flags |= _REFUSED
        body = b"".join((covered(length, received, flags, len(t), len(s)), t, s, payload))
        parts += (front(marker, crc32(body, (seed + start) & _MASK)), body)
        start += RECORD_BYTES + length
    return b"".join(parts)


def _bytes_of(text: str) -> bytes:
    """A topic or source as it stands in a record; the same few come again and again."""
    # surrogatepass: what MQTT forbids in a topic is for routing to refuse, the journal keeps it
    found = text.encode("utf-8", "surrogatepass")
    if len(found) <= _LONGEST_TEXT:
        if len(_BYTES) >= _MOST_TEXTS:
            _BYTES.clear()
        _BYTES[text] = found
    return found


def _text_of(raw: bytes) -> str:
    """The other way."""
    found = str(raw, "utf-8", "surrogatepass")
    if len(raw) <= _LONGEST_TEXT:
        if len(_TEXTS) >= _MOST_TEXTS:
            _TEXTS.clear()
        _TEXTS[raw] = found
    return found


def take(buffer: bytes, position: int, keys: Keys, limit: int, out: Records) -> int:
    """Append intact records from the start of `buffer`, which stands at `position`, until `out` holds `limit`.

    Returns the offset it stopped at: the end, or the first thing that is not a whole intact record.
    """
    marker, seed = keys
    unpack, make, known = _RECORD.unpack_from, tuple.__new__, _TEXTS.get
    size = len(buffer)
    last = size - RECORD_BYTES
    room = limit - len(out)
    at = 0
    while at <= last and room > 0:
        mark, crc, length, received, flags, t, s = unpack(buffer, at)
        topic_at = at + RECORD_BYTES
        stop = topic_at + length
        if mark != marker or stop > size or crc32(buffer[at + _FRONT_BYTES : stop], (seed + position + at) & _MASK) != crc:
            break
        payload_at = topic_at + t
        raw = buffer[topic_at:payload_at]
        topic = known(raw) or _text_of(raw)
        source = ""
        if s:
            raw = buffer[payload_at : payload_at + s]
            source = known(raw) or _text_of(raw)
            payload_at += s
        if flags == 1:  # QoS 1 and nothing else: all but a few
            fields = (topic, buffer[payload_at:stop], received, source, 1, False, False, False, 0)
        else:
            fields = (topic, buffer[payload_at:stop], received, source, flags & 3, flags & _RETAIN != 0, flags & _DUP != 0, flags & _REFUSED != 0, 0)
        out.append((position + at, make(Message, fields)))
        at = stop
        room -= 1
    return at


def walk(buffer: bytes, keys: Keys) -> Frames:
    """From frame to frame, without a look at what is in them: where the last whole one ends, how many, and when they arrived."""
    marker, unpack = keys.marker, _RECORD.unpack_from
    at, last, count = 0, len(buffer) - RECORD_BYTES, 0
    oldest, newest = _LATEST, -_LATEST
    while at <= last:
        mark, _, length, received, _, _, _ = unpack(buffer, at)
        stop = at + RECORD_BYTES + length
        if mark != marker or stop > len(buffer):
            break
        oldest, newest = min(oldest, received), max(newest, received)
        at, count = stop, count + 1
    return Frames(end=at, records=count, oldest=oldest if count else 0, newest=newest if count else 0)


def read_run(source: Source, base: int, start: int, stop: int, keys: Keys, limit: int, out: Records, gaps: Gaps | None = None) -> Run:
    """Append records of one segment from offset `start` up to `stop`, skipping what is damaged; `gaps` takes the positions skipped.

    Ends with `limit` records in `out`, at `stop`, or after some MiB once there is a record.
    """
    at, intact, damaged = start, 0, 0
    while at < stop and len(out) < limit and (not out or at - start < READ_BYTES):
        buffer = source.pread(min(source.chunk(at), stop - at), at)
        used = take(buffer, base + at, keys, limit, out)
        if not used and len(buffer) < (whole := _claimed(buffer, keys)) <= stop - at:  # longer than a chunk
            used = take(source.pread(whole, at), base + at, keys, limit, out)
        if used:
            at = intact = at + used
            continue
        found = find_marker(source, at + 1, stop, keys.marker)
        damaged += found - at
        if gaps is not None:
            joins = bool(gaps) and gaps[-1][1] == base + at
            gaps[-1:] = [(gaps[-1][0], base + found)] if joins else [*gaps[-1:], (base + at, base + found)]
        at = found
    return Run(next=at, intact=intact, damaged=damaged)


def read_one(source: Source, base: int, position: int, keys: Keys) -> Message | None:
    """The record at exactly `position`; None where none is intact there."""
    at = position - base
    whole = _claimed(source.pread(RECORD_BYTES, at), keys)
    if not RECORD_BYTES <= whole <= source.size - at:
        return None
    out: Records = []
    take(source.pread(whole, at), position, keys, 1, out)
    return out[0][1] if out else None


def topic_at(source: Source, at: int, keys: Keys) -> str:
    """What a damaged record says its topic is: the flipped bit may be in it, so it is a hint and no more; empty where none begins there."""
    head = source.pread(RECORD_BYTES, at)
    if not _claimed(head, keys):
        return ""
    return source.pread(min(int(_RECORD.unpack_from(head)[5]), 200), at + RECORD_BYTES).decode("utf-8", "replace")


def _claimed(buffer: bytes, keys: Keys) -> int:
    """How long the record at the start of `buffer` says it is; 0 where none begins there."""
    if len(buffer) < RECORD_BYTES or buffer[:4] != keys.marker:
        return 0
    return RECORD_BYTES + int(_RECORD.unpack_from(buffer)[2])


def find_marker(source: Source, start: int, stop: int, marker: bytes) -> int:
    """Offset of the next marker from `start` on, `stop` where there is none before it."""
    at = start
    while at < stop:
        buffer = source.pread(min(CHUNK_BYTES, stop - at), at)
        found = buffer.find(marker)
        if found >= 0:
            return at + found
        if at + len(buffer) >= stop or len(buffer) < len(marker):
            break
        at += len(buffer) - len(marker) + 1  # a marker may lie across two chunks
    return stop
