"""`/api/v1/deadletters`: what could not be stored, and why. Officers see the letters of their own org's devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.access import OFFICER, Caller
from api.backend import Backend
from api.paging import MOST, PAGE, Next, PageSize, decode, encode
from api.problem import bad_value
from api.schemas.devices import DeadLetterShape, DeadLettersPage
from core.clock import rfc3339
from core.deadletter import REASONS, DeadLetter
from registry.directory import Directory

router = APIRouter(prefix="/deadletters", tags=["devices"])

LOOKS = 10  # pages of the database one answer may look through for an officer's letters; then it ends early, with `next`


@router.get("")
async def dead_letters(
    request: Request,
    caller: Annotated[Caller, OFFICER],
    reason: Annotated[str | None, Query(max_length=64, description="Only this reason.")] = None,
    device: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$", description="Only of this device.")] = None,
    limit: PageSize = PAGE,
    next: Next = None,
) -> DeadLettersPage:
    """Dead letters, the newest first. A page may hold fewer than `limit` and still have a `next`."""
    if reason is not None and reason not in REASONS:
        raise bad_value("reason", reason, must="one_of", expected=", ".join(REASONS))
    backend: Backend = request.app.state.backend
    directory: Directory = await request.app.state.present.directory()
    scope = f"deadletters {reason} {device}"
    position = decode(scope, next, int)
    before = int(position[0]) if position else None
    size = limit + 1 if caller.role == "admin" else MOST  # an admin is shown every row that is read
    found: list[DeadLetter] = []
    for _ in range(LOOKS):
        rows = await backend.dead_letters.dead_letters(reason=reason, device=device, limit=size, before=before)
        for letter in rows:
            before = letter.id
            if caller.sees(org=owner_of(letter, directory), public=False):
                found.append(letter)
                if len(found) == limit:
                    break
        more = len(rows) == size or (bool(rows) and before != rows[-1].id)
        if len(found) == limit or not more:
            break
    return DeadLettersPage(items=[_shape(x) for x in found], next=encode(scope, before) if more and before is not None else None)


def owner_of(letter: DeadLetter, directory: Directory) -> str:
    """The org a letter concerns: its device's, or where nobody registered that, the one it was sent to."""
    known = directory.device(letter.device)
    return known.org if known is not None else letter.org


def _shape(x: DeadLetter) -> DeadLetterShape:
    return DeadLetterShape(
        id=x.id,
        reason=x.reason,
        text=x.text,
        org=x.org,
        device=x.device,
        key=x.key,
        count=x.count,
        received=rfc3339(x.received),
        topic=x.topic,
        position=x.position,
        offset_ms=x.offset_ms,
        replay=x.replay,
        resolved_at=None if x.resolved_at is None else rfc3339(x.resolved_at),
        payload=x.head.decode("utf-8", "backslashreplace"),
    )
