"""Damage done to good bytes: flips, cuts, splices, lying lengths, repetition, and bytes that hurt."""

from __future__ import annotations

import random
from collections.abc import Sequence

HURTFUL = (
    b"\0",
    b"\xff" * 4,
    b"\x80\x80\x80\x80\x01",
    b"\xed\xa0\x80",  # a surrogate
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"+",
    b"#",
    b"/",
    b"$share/g/",
    b"[" * 5000,
    b'{"a":' * 3000,
    b'"' * 3,
    b"\\u0000",
    b"\\ud800",
    b"9" * 5000,
    b"-1e999",
    b"NaN",
    b"-Infinity",
    b"1e-400",
    b"18446744073709551616",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"2026-03-01T00:10:00Z",
    b"0000-00-00T99:99:99.9999999999+99:99",
    b"9999-12-31T23:59:60-14:00",
    "ạ\N{COMBINING DOT BELOW}\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
)
BIG = (0, 1, 127, 128, 255, 256, 16_383, 16_384, 65_535)


def mutated(rng: random.Random, seeds: Sequence[bytes], *, most: int = 6) -> bytes:
    """One of `seeds` with up to `most` things done to it; now and then only random bytes."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randrange(64))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(most + 1)):
        rng.choice(_WAYS)(rng, data, seeds)
    return bytes(data)


def flipped(rng: random.Random, data: bytes, most: int) -> tuple[bytes, list[int]]:
    """`data` with up to `most` bytes changed where they stand, and where those are."""
    places = sorted({rng.randrange(len(data)) for _ in range(rng.randrange(1, most + 1))})
    damaged = bytearray(data)
    for place in places:
        damaged[place] ^= rng.randrange(1, 256)
    return bytes(damaged), places


def chunks(rng: random.Random, data: bytes) -> list[bytes]:
    """`data` in pieces of any size."""
    style = rng.randrange(4)
    if style == 0 or not data:
        return [data]
    size = (1, 3, 1 + len(data) // 3)[style - 1]
    pieces, at = [], 0
    while at < len(data):
        step = rng.randrange(1, 2 * size)
        pieces.append(data[at : at + step])
        at += step
    return pieces


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 8, len(data)))]


def _insert(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = rng.choice(HURTFUL) if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 9))


def _repeat(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    start, size = _place(rng, data), rng.choice((1, 4, 16, 64))
    data[start:start] = data[start : start + size] * rng.randrange(1, 4)


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    data[_place(rng, data) :] = other[rng.randrange(len(other) + 1) :]


def _lie(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A length that is not one."""
    size = rng.choice((1, 2, 4))
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        data[at : at + size] = (rng.choice(BIG) & (256**size - 1)).to_bytes(size, rng.choice(("big", "little")))


_WAYS = (_flip, _flip, _set, _cut, _insert, _repeat, _splice, _lie)
