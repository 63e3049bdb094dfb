"""`/api/v1/deadletters`: what could not be stored, why, and reading it again. Officers see the letters of their own org's devices."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from api.access import OFFICER, Caller
from api.backend import Backend
from api.paging import MOST, PAGE, Next, PageSize, decode, encode
from api.problem import Problem, bad_value
from api.schemas.deadletters import (
    AskedAgain,
    DeadLetterDetail,
    DeadLetterShape,
    DeadLettersPage,
    ManyAskedAgain,
    MarkedShape,
    TalliesShape,
    TallyShape,
)
from api.times import End, Start, query_time
from core.clock import rfc3339
from core.deadletter import REASONS, Choice, DeadLetter, Tally
from core.errors import NotFoundError
from core.instant import parse_span
from registry.directory import Directory

router = APIRouter(prefix="/deadletters", tags=["devices"])

LOOKS = 10  # pages of the database one answer may look through for an officer's letters; then it ends early, with `next`


Id = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]
Reason = Annotated[str | None, Query(max_length=64, description="Only this reason.")]
Device = Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$", description="Only of this device.")]
Unresolved = Annotated[bool, Query(description="Only those nobody has resolved.")]


@router.get("")
async def dead_letters(
    request: Request,
    caller: Annotated[Caller, OFFICER],
    reason: Reason = None,
    device: Device = None,
    start: Start = None,
    end: End = None,
    unresolved: Unresolved = False,
    limit: PageSize = PAGE,
    next: Next = None,
) -> DeadLettersPage:
    """Dead letters, the newest first; `start` and `end` are about when they were received. A page may hold fewer than `limit` and still have a `next`."""
    # not by the org in the query: an officer's page must end, however many rows of others lie between
    choice = Choice(reason=_known(reason), device=device, since=start, until=end, is_open=unresolved)
    backend: Backend = request.app.state.backend
    directory: Directory = await request.app.state.present.directory()
    scope = f"deadletters {reason} {device}" + (f" {start} {end} {unresolved}" if (start, end, unresolved) != (None, None, False) else "")
    position = decode(scope, next, int)
    before = int(position[0]) if position else None
    size = limit + 1 if caller.role == "admin" else MOST  # an admin is shown every row that is read
    found: list[DeadLetter] = []
    for _ in range(LOOKS):
        rows = await backend.dead_letters.chosen_letters(choice, limit=size, before=before)
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


@router.get("/counts", summary="How many dead letters there are, by reason and device")
async def counts(
    request: Request,
    caller: Annotated[Caller, OFFICER],
    reason: Reason = None,
    device: Device = None,
    start: Start = None,
    end: End = None,
    unresolved: Unresolved = False,
) -> TalliesShape:
    """By reason and device, the most first; of the 1,000 that are most. `start` and `end` are about when they were received."""
    backend: Backend = request.app.state.backend
    choice = _choice(caller, reason=reason, device=device, start=start, end=end, unresolved=unresolved)
    tallies = await backend.dead_letters.dead_letter_tallies(choice)
    return TalliesShape(count=sum(t.count for t in tallies), open=sum(t.open for t in tallies), items=_most(tallies))


@router.get("/{id}", summary="One dead letter with its message")
async def dead_letter(request: Request, id: Id, caller: Annotated[Caller, OFFICER]) -> DeadLetterDetail:
    """`payload` is the whole message where the journal on this machine still keeps it (`kept`), else its first 1,024 bytes."""
    return await _detail(request, await _seen(request, caller, id))


@router.post("/{id}/replay", status_code=202, summary="Have one message read again")
async def replay(request: Request, id: Id, caller: Annotated[Caller, OFFICER], body: AskedAgain | None = None) -> DeadLetterDetail:
    """Ingest reads it again within a second of running: what was mended meanwhile holds. One that is resolved stays as it is; asking twice stores once."""
    backend: Backend = request.app.state.backend
    await _seen(request, caller, id)
    await backend.dead_letters.ask_replay([id], shift_ms=_shift(body.shift if body else "0s"), actor=caller.name)
    return await _detail(request, await _seen(request, caller, id))


@router.post("/replay", status_code=202, summary="Have many messages read again")
async def replay_many(request: Request, body: ManyAskedAgain, caller: Annotated[Caller, OFFICER]) -> MarkedShape:
    """All unresolved ones that fit, of the caller's own org. With `dry_run` they are counted and nothing is done. At least one of reason, device, start."""
    backend: Backend = request.app.state.backend
    start = None if body.start is None else query_time("start", body.start)
    end = None if body.end is None else query_time("end", body.end)
    if body.reason is None and body.device is None and start is None:
        raise bad_value("reason", None, must="given")
    choice = _choice(caller, reason=body.reason, device=body.device, start=start, end=end, unresolved=True)
    shift_ms = _shift(body.shift)
    tallies = await backend.dead_letters.dead_letter_tallies(choice)
    marked = 0 if body.dry_run else await backend.dead_letters.ask_replays(choice, shift_ms=shift_ms, actor=caller.name)
    return MarkedShape(marked=marked, would_mark=sum(t.rows for t in tallies), only_counted=sum(t.open - t.rows for t in tallies), items=_most(tallies))


def _choice(caller: Caller, *, reason: str | None, device: str | None, start: int | None, end: int | None, unresolved: bool) -> Choice:
    """As the parameters say, within what the caller may see. Raises Problem (422)."""
    org = None if caller.role == "admin" else caller.org
    return Choice(reason=_known(reason), device=device, org=org, since=start, until=end, is_open=unresolved)


def _known(reason: str | None) -> str | None:
    """As given. Raises Problem (422) for one that is none: it would find nothing."""
    if reason is not None and reason not in REASONS:
        raise bad_value("reason", reason, must="one_of", expected=", ".join(REASONS))
    return reason


def _shift(text: str) -> int:
    """In ms. Raises Problem (422)."""
    found = parse_span(text)
    if found is None:
        raise bad_value("shift", text, must="shift")
    return found


async def _seen(request: Request, caller: Caller, id: int) -> DeadLetter:
    """The letter. Raises Problem (404), the same whether it is another org's or none."""
    backend: Backend = request.app.state.backend
    try:
        found = await backend.dead_letters.dead_letter(id)
    except NotFoundError:
        found = None
    if found is None or not caller.sees(org=owner_of(found, await request.app.state.present.directory()), public=False):
        raise Problem(404, "no_letter", parameter="id", value=id)
    return found


async def _detail(request: Request, letter: DeadLetter) -> DeadLetterDetail:
    backend: Backend = request.app.state.backend
    message = await asyncio.to_thread(backend.message_at, letter.journal, letter.position) if backend.message_at is not None else None
    payload = letter.head if message is None else message.payload
    shown: dict[str, Any] = _shape(letter).model_dump() | {"payload": payload.decode("utf-8", "backslashreplace")}
    return DeadLetterDetail(**shown, journal=letter.journal, shift_ms=letter.shift_ms, kept=message is not None, payload_base64=b64encode(payload).decode())


def _most(tallies: list[Tally]) -> list[TallyShape]:
    ordered = sorted(tallies, key=lambda t: (-t.count, t.reason, t.device))[:MOST]
    return [
        TallyShape(reason=t.reason, device=t.device, org=t.org, count=t.count, open=t.open, oldest=rfc3339(t.oldest), newest=rfc3339(t.newest)) for t in ordered
    ]


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
