"""Pages of a list: a page size, and an opaque `next` that says where the page before ended.

A position is a key in the list's own order (an id, a time), never an offset: rows added late shift nothing, so that going
on from `next` gives every row that was there exactly once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Annotated

from fastapi import Query

from api.problem import bad_value

PAGE = 100
MOST = 1000

PageSize = Annotated[int, Query(ge=1, le=MOST, description="How many items a page holds at most.")]
Next = Annotated[str | None, Query(max_length=2000, description="`next` of the page before, unchanged, with the same other parameters.")]

Position = tuple[int | str, ...]


def encode(scope: str, *position: int | str) -> str:
    """The `next` that goes on after `position` in the list `scope` (its path and the parameters that choose its rows)."""
    text = json.dumps([_digest(scope), *position], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(scope: str, text: str | None, *types: type[int] | type[str]) -> Position | None:
    """The position in a `next` of this list, None without one. Raises Problem (422) where it is of another list."""
    if text is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    sound = isinstance(found, list) and len(found) == len(types) + 1 and found[0] == _digest(scope)
    sound = sound and not any(isinstance(part, int) and abs(part) >= 1 << 63 for part in found[1:])  # what no database takes
    if not sound or any(type(part) is not wanted for part, wanted in zip(found[1:], types, strict=True)):
        raise bad_value("next", text, must="next")
    return tuple(found[1:])


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:8]
