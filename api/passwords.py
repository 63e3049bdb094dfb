"""Passwords: Argon2 hashes, made and checked in threads, two at most at a time (each takes 64 MiB and about 0.1 s)."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
SHORTEST = 10
LONGEST = 1024
HASHER = PasswordHasher()
# checked where nobody has the name, so that the answer takes as long: the cost stands in it, no password has this hash
NOBODY = f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43
_COMMON = """1234567890 0123456789 0987654321 12345678910 123456789a a123456789 qwertyuiop 1q2w3e4r5t password123 password1234 matkhau123
matkhau1234 canhman123 canhman1234 administrator iloveyou123 anhyeuem123 vietnam123 vietnam1234 abcdefghij abc1234567 abcd123456
1111111111 0000000000 9999999999 changeme123 welcome123 letmein1234 sonamxanh1 haugiang123"""
COMMON = frozenset(_COMMON.split())
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letter that is read as another


def one_time() -> str:
    """A password for one log-in, easy to read out: four groups of four letters, 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def is_text(text: str) -> bool:
    """Whether UTF-8 can write it: JSON may hold half a surrogate pair, which no hash, database or page takes."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def fault(name: str, new: str) -> str:
    """Why `new` cannot be this person's password (the end of a text's key), or nothing."""
    folded = new.casefold()
    if len(new) < SHORTEST:
        return "short"
    if len(new) > LONGEST:
        return "long"
    if not is_text(new):
        return "letters"
    if folded in COMMON or len(set(folded)) < 4:
        return "common"
    if name.casefold() in folded and folded.replace(name.casefold(), "").strip("0123456789._-! ") == "":
        return "name"
    if folded.strip("0123456789._-! ") == "":
        return "digits"
    return ""


def hash_of(password: str) -> str:
    """The hash that is kept; takes about 0.1 s."""
    return HASHER.hash(password)


def fits(kept: str, password: str) -> bool:
    """Whether `password` has the hash `kept`; takes about 0.1 s either way."""
    if not is_text(password):
        kept, password = NOBODY, ""  # the answer takes as long as any other
    try:
        return HASHER.verify(kept or NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False


class Hashing:
    """The two threads' worth of hashing a process does at most."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def fits(self, kept: str, password: str) -> bool:
        """`fits`, in a thread when its turn comes."""
        async with self._turn:
            return await asyncio.to_thread(fits, kept, password)

    async def hash_of(self, password: str) -> str:
        """`hash_of`, in a thread when its turn comes."""
        async with self._turn:
            return await asyncio.to_thread(hash_of, password)
