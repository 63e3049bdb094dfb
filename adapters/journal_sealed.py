"""Sealed segments (version 2): the bytes of a finished segment, compressed in blocks; positions stay what they were.

    header   as in version 1, with version 2
    block    marker 4 B · crc32 u32 │ offset i64 · length u32 · packed u32 · records u32 · oldest i64 · newest i64 │ deflated bytes
    index    the right part of each block's front and, before it, where the block stands in the file (i64)
    end      where the index stands i64 · blocks u32 · end of the segment i64 · crc32 u32 of index and end · "CMJI"

`offset` and `length` are of the bytes as they were written, `oldest` and `newest` of the arrivals [ms]. Blocks are cut between
records, so that damage to one takes no record of another; what deflate gives before the damage is read, for each record
has its own crc. A damaged index is made again from the blocks' fronts.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from adapters import journal_segments as segments
from adapters.journal_segments import CHUNK_BYTES, HEADER_BYTES, SEALED, Keys, Plain, Segment, Source

BLOCK_BYTES = 256 << 10
LEVEL = 5  # measured on messages of 230 bytes: 8 times smaller for 7 ms/MB; level 3 takes 5 (7.7 times), level 6 takes 13 (8.8), level 9 takes 43 (9.4)

_FRONT = struct.Struct("<4sI")
_BLOCK = struct.Struct("<qIIIqq")
_ENTRY = struct.Struct("<qqIIIqq")
_END = struct.Struct("<qIq")
_TAIL = struct.Struct("<I4s")
_END_BYTES = _END.size + _TAIL.size
_MAGIC = b"CMJI"
_FRONT_BYTES = _FRONT.size + _BLOCK.size
_FEED = 512  # compressed bytes given to inflate at once in a damaged block


class Block(NamedTuple):
    """One block: where it stands in the file, and what `offset`, `length` … of its front say."""

    at: int
    offset: int
    length: int
    packed: int
    records: int
    oldest: int
    newest: int


def open_source(fd: int, keys: Keys) -> Source:
    """The bytes of the segment open for reading as `fd`, in whichever form it is."""
    raw = os.pread(fd, HEADER_BYTES, 0)
    version = segments.version_in(raw)
    if version is None and raw[:3] == segments.MAGIC and raw[3:4] in (b"\x01", b"\x02"):
        version = raw[3]
    if version == SEALED or (version is None and _read_tail(fd) is not None):
        return Sealed(fd, keys)
    return Plain(fd)


class Sealed:
    """A sealed segment. What is damaged in it reads as zeros, which are no record."""

    def __init__(self, fd: int, keys: Keys) -> None:
        self._fd = fd
        self._keys = keys
        found = _read_tail(fd)
        self.index_is_intact = found is not None
        self.blocks, self.size = found if found is not None else _scan(fd, keys)
        self._last: tuple[int, bytes] = (-1, b"")

    def chunk(self, at: int) -> int:
        """To the end of the block at `at`."""
        block = self._block(at)
        return CHUNK_BYTES if block is None else block.offset + block.length - at

    def pread(self, count: int, at: int) -> bytes:
        """Inflate what is needed for it."""
        parts: list[bytes] = []
        stop = min(at + count, self.size)
        while at < stop:
            block = self._block(at)
            if block is None:  # before the first, or where one is missing: up to the next
                until = min((b.offset for b in self.blocks if b.offset > at), default=stop)
                parts.append(bytes(min(until, stop) - at))
            else:
                data = self._inflate(block)
                parts.append(data[at - block.offset : stop - block.offset])
            at += len(parts[-1])
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def damaged(self) -> Iterator[Block]:
        """The blocks that are not whole, though records of them may still be read."""
        return (block for block in self.blocks if not self.check(block))

    def check(self, block: Block) -> bool:
        """Whether the block is whole: its crc, and that it inflates to its length."""
        packed = os.pread(self._fd, _FRONT_BYTES + block.packed, block.at)
        return _crc_holds(packed, block, self._keys) and len(_inflated(packed[_FRONT_BYTES:], block.length)) == block.length

    def _block(self, at: int) -> Block | None:
        low, high = 0, len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].offset <= at:
                low = middle + 1
            else:
                high = middle
        found = self.blocks[low - 1] if low else None
        return found if found is not None and at < found.offset + found.length else None

    def _inflate(self, block: Block) -> bytes:
        if self._last[0] != block.at:
            packed = os.pread(self._fd, block.packed, block.at + _FRONT_BYTES)
            self._last = block.at, _inflated(packed, block.length).ljust(block.length, b"\0")
        return self._last[1]


def seal(segment: Segment, stop: int, keys: Keys, journal_id: str, new: Path) -> Iterator[int]:
    """Write the sealed form of `segment`, whose records end at offset `stop`, to the file `new`, and make it durable.

    Yields after each block, so that the caller may rest, how many bytes of the segment are done. Everything is read back
    before it ends. Raises OSError, and then `new` is of no use.
    """
    source = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    target = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        plain = open_source(source, keys)
        _put(target, segments.header(journal_id, segment.base, segment.previous_end, segment.created, version=SEALED), 0)
        blocks: list[Block] = []
        at, place = HEADER_BYTES, HEADER_BYTES
        stop = max(HEADER_BYTES, min(stop, plain.size))
        while at < stop:
            block, data = _pack(plain, at, stop, place, keys)
            _put(target, data, place)
            blocks.append(block)
            at, place = at + block.length, place + len(data)
            yield at
        _put(target, _index(blocks, place, stop), place)
        os.fsync(target)
        sealed = Sealed(target, keys)
        for block in blocks:  # what is removed after this must be here
            if sealed.pread(block.length, block.offset) != plain.pread(block.length, block.offset) or not sealed.check(block):
                raise OSError(None, f"{new}: what was written does not read back")
            yield at
        if not sealed.index_is_intact or sealed.blocks != blocks:
            raise OSError(None, f"{new}: its index does not read back")
    finally:
        os.close(source)
        os.close(target)


def _pack(plain: Source, at: int, stop: int, place: int, keys: Keys) -> tuple[Block, bytes]:
    """The block that begins at offset `at`, and its bytes; it ends between two records where that is near."""
    data = plain.pread(min(BLOCK_BYTES, stop - at), at)
    frames = segments.walk(data, keys)
    if not frames.end and at + len(data) < stop:  # one long record, or damage
        data = plain.pread(min(CHUNK_BYTES, stop - at), at)
        frames = segments.walk(data, keys)
        data = data[: frames.end or BLOCK_BYTES]
    elif at + len(data) < stop:
        data = data[: frames.end]  # the record that the block's end cuts begins the next one
    packed = zlib.compress(data, LEVEL)
    block = Block(place, at, len(data), len(packed), frames.records, frames.oldest, frames.newest)
    covered = _BLOCK.pack(*block[1:])
    return block, b"".join((_FRONT.pack(_marker(keys), crc32(packed, crc32(covered, _seed(keys, at)))), covered, packed))


def _index(blocks: list[Block], place: int, stop: int) -> bytes:
    body = b"".join([*(_ENTRY.pack(*block) for block in blocks), _END.pack(place, len(blocks), stop)])
    return body + _TAIL.pack(crc32(body), _MAGIC)


def _read_tail(fd: int) -> tuple[list[Block], int] | None:
    """Blocks and size by the index; None where it is damaged."""
    size = os.fstat(fd).st_size
    if size < HEADER_BYTES + _END_BYTES:
        return None
    end = os.pread(fd, _END_BYTES, size - _END_BYTES)
    place, count, stop = _END.unpack_from(end)
    crc, magic = _TAIL.unpack_from(end, _END.size)
    if magic != _MAGIC or place + count * _ENTRY.size + _END_BYTES != size or place < 0:
        return None
    body = os.pread(fd, size - place - _TAIL.size, place)
    if crc32(body) != crc:
        return None
    return [Block(*fields) for fields in _ENTRY.iter_unpack(body[: count * _ENTRY.size])], stop


def _scan(fd: int, keys: Keys) -> tuple[list[Block], int]:
    """Blocks and size by the fronts of those blocks that are whole: for a file whose index is damaged."""
    blocks: list[Block] = []
    at, size, marker = HEADER_BYTES, os.fstat(fd).st_size, _marker(keys)
    while at < size:
        front = os.pread(fd, _FRONT_BYTES, at)
        if len(front) == _FRONT_BYTES and front[:4] == marker:
            block = Block(at, *_BLOCK.unpack_from(front, _FRONT.size))
            if block.packed <= size - at and block.length <= 2 * CHUNK_BYTES and _crc_holds(os.pread(fd, _FRONT_BYTES + block.packed, at), block, keys):
                blocks.append(block)
                at += _FRONT_BYTES + block.packed
                continue
        found = segments.find_marker(Plain(fd), at + 1, size, marker)
        at = found
    blocks.sort(key=lambda b: b.offset)
    return blocks, max((b.offset + b.length for b in blocks), default=HEADER_BYTES)


def _crc_holds(raw: bytes, block: Block, keys: Keys) -> bool:
    return len(raw) == _FRONT_BYTES + block.packed and crc32(raw[_FRONT.size :], _seed(keys, block.offset)) == _FRONT.unpack_from(raw)[1]


def _inflated(packed: bytes, length: int) -> bytes:
    """What deflate gives, up to where it is damaged, and never more than `length`."""
    try:
        inflate = zlib.decompressobj()
        return inflate.decompress(packed, length)
    except zlib.error:
        pass
    inflate, parts, room = zlib.decompressobj(), [], length
    try:
        for i in range(0, len(packed), _FEED):
            part = inflate.decompress(packed[i : i + _FEED], room)
            parts.append(part)
            room -= len(part)
            if not room:
                break
    except zlib.error:
        pass
    return b"".join(parts)


def _marker(keys: Keys) -> bytes:
    return crc32(b"block", int.from_bytes(keys.marker, "little")).to_bytes(4, "little")


def _seed(keys: Keys, offset: int) -> int:
    return (keys.seed + offset) & 0xFFFF_FFFF


def _put(fd: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written
