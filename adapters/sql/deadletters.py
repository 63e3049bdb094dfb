"""Dead letters: at most one row per (journal, position, reason, key), and at most 1,000 unresolved of one device and
reason (in one journal).

Beyond 1,000, letters are counted on the newest unresolved row of their device and reason (`count`), which remembers up to
which journal position it counted: a journal is read in order, so what lies at or before that position was counted already.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, case, func, select, update

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, upsert
from adapters.sql.registry import audit
from core.deadletter import HEAD_BYTES, Choice, DeadLetter, Tally
from core.errors import NotFoundError

MOST_ROWS = 1000

_T = t.dead_letter
_KEY = ("journal", "position", "reason", "key")
# what strangers send is cut, for an index takes no text of any length
_KEY_LENGTH, _TEXT_LENGTH = 160, 1000
_INTERNAL = ("counted_to",)

_Group = tuple[str, str, str]  # journal, device, reason


class _Fill(NamedTuple):
    """Of one group: unresolved rows, the highest position of any row, and up to which position letters were only counted."""

    rows: int
    floor: int
    counted: int


_EMPTY = _Fill(rows=0, floor=-1, counted=-1)


def write(c: Connection, letters: Sequence[DeadLetter], *, done: Sequence[int] = (), again: Collection[tuple[str, int]] = (), at: int) -> None:
    """Resolve `done` (read again), then add `letters`; one that was read again and refused again is open once more.

    `again`: further messages (journal, position) read again on purpose: what they bring is new, though their place is not.
    """
    resolved = _resolve(c, done, at)
    places = {(row.journal, row.position) for row in resolved} | set(again)
    rows = {_identity(row): row for row in map(_row, reversed(letters))}
    groups: defaultdict[_Group, list[dict[str, Any]]] = defaultdict(list)
    for row in reversed(rows.values()):
        groups[row["journal"], row["device"], row["reason"]].append(row)
    fills = _fills(c, {device for _, device, _ in groups})
    fresh: list[dict[str, Any]] = []
    over: dict[_Group, list[dict[str, Any]]] = {}
    for group, members in groups.items():
        fill = fills.get(group, _EMPTY)
        known = _known(c, [row for row in members if row["position"] <= fill.floor])
        new = [row for row in members if _identity(row) not in known and _is_new(row, fill, places)]
        room = max(0, MOST_ROWS - fill.rows)
        fresh += new[:room]
        if new[room:]:
            over[group] = new[room:]
    upsert(c, _T, fresh, key=_KEY)
    for group, members in over.items():
        _count(c, group, members)
    for was in resolved:
        refused = rows.get(tuple(was)[1:])
        if refused is not None:
            c.execute(update(_T).where(_T.c.id == was.id).values(resolved_at=None, text=refused["text"]))


def _is_new(row: dict[str, Any], fill: _Fill, places: Collection[tuple[str, int]]) -> bool:
    """Whether a letter without a row is news; up to where letters were only counted it cannot be told: rather one too few than one twice."""
    return row["position"] > fill.counted or (row["journal"], row["position"]) in places


def _fills(c: Connection, devices: Collection[str]) -> dict[_Group, _Fill]:
    """How full each group of these devices is."""
    found: dict[_Group, _Fill] = {}
    for chunk in in_chunks(sorted(devices)):
        query = (
            select(
                _T.c.journal,
                _T.c.device,
                _T.c.reason,
                func.sum(case((_T.c.resolved_at.is_(None), 1), else_=0)).label("rows"),
                func.max(_T.c.position).label("highest"),
                func.max(_T.c.counted_to).label("counted"),
            )
            .where(_T.c.device.in_(chunk))
            .group_by(_T.c.device, _T.c.reason, _T.c.journal)
        )
        for row in c.execute(query):
            counted = -1 if row.counted is None else row.counted
            found[row.journal, row.device, row.reason] = _Fill(rows=int(row.rows), floor=row.highest, counted=counted)
    return found


def _count(c: Connection, group: _Group, letters: Sequence[dict[str, Any]]) -> None:
    """No room for rows of their own: add them to the newest unresolved one."""
    journal, device, reason = group
    newest = select(func.max(_T.c.id)).where(_T.c.journal == journal, _T.c.device == device, _T.c.reason == reason, _T.c.resolved_at.is_(None))
    newest_id = c.execute(newest).scalar_one()
    upto = max(row["position"] for row in letters)
    counted_to = case((_T.c.counted_to > upto, _T.c.counted_to), else_=upto)
    c.execute(update(_T).where(_T.c.id == newest_id).values(count=_T.c.count + sum(row["count"] for row in letters), counted_to=counted_to))


def _known(c: Connection, rows: Sequence[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Which of these, all of one group, have a row already."""
    found: set[tuple[Any, ...]] = set()
    for chunk in in_chunks(rows):
        positions = [row["position"] for row in chunk]
        query = select(*(_T.c[name] for name in _KEY)).where(
            _T.c.journal == chunk[0]["journal"], _T.c.reason == chunk[0]["reason"], _T.c.position.in_(positions)
        )
        found.update(tuple(row) for row in c.execute(query))
    return found


def _resolve(c: Connection, ids: Sequence[int], at: int) -> list[Row[Any]]:
    """Mark as read again; returns their ids and identities."""
    found: list[Row[Any]] = []
    for chunk in in_chunks(map(int, ids)):
        statement = update(_T).where(_T.c.id.in_(chunk)).values(replay=False, resolved_at=at)
        found += c.execute(statement.returning(_T.c.id, *(_T.c[name] for name in _KEY))).all()
    return found


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


_OWNER = func.coalesce(select(t.device.c.org).where(t.device.c.id == _T.c.device).scalar_subquery(), _T.c.org)


def _fits(choice: Choice) -> list[ColumnElement[bool]]:
    wanted = [column == value for column, value in ((_T.c.reason, choice.reason), (_T.c.device, choice.device), (_OWNER, choice.org)) if value is not None]
    if choice.since is not None:
        wanted.append(_T.c.received >= choice.since)
    if choice.until is not None:
        wanted.append(_T.c.received < choice.until)
    return [*wanted, _T.c.resolved_at.is_(None)] if choice.is_open else wanted


def dead_letters(c: Connection, choice: Choice, *, limit: int, before: int | None) -> list[DeadLetter]:
    """Newest first; `before` an id."""
    query = select(_T).where(*_fits(choice)).order_by(_T.c.id.desc()).limit(limit)
    return [_letter(row) for row in c.execute(query if before is None else query.where(_T.c.id < before))]


def tallies(c: Connection, choice: Choice) -> list[Tally]:
    """By reason and device."""
    is_open = _T.c.resolved_at.is_(None)
    query = (
        select(
            _T.c.reason,
            _T.c.device,
            func.min(_OWNER).label("org"),
            func.sum(_T.c.count).label("count"),
            func.sum(case((is_open, _T.c.count), else_=0)).label("open"),
            func.sum(case((is_open, 1), else_=0)).label("rows"),
            func.min(_T.c.received).label("oldest"),
            func.max(_T.c.received).label("newest"),
        )
        .where(*_fits(choice))
        .group_by(_T.c.reason, _T.c.device)
    )
    found = [
        Tally(reason=r.reason, device=r.device, org=r.org, count=int(r._mapping["count"]), open=int(r.open), rows=int(r.rows), oldest=r.oldest, newest=r.newest)
        for r in c.execute(query)
    ]
    return sorted(found, key=lambda one: (one.reason, one.device))


def dead_letter(c: Connection, id: int) -> DeadLetter:
    """One of them. Raises NotFoundError."""
    row = c.execute(select(_T).where(_T.c.id == id)).one_or_none()
    if row is None:
        raise NotFoundError(f"dead letter {id} does not exist: see canhman deadletters list")
    return _letter(row)


def counts(c: Connection) -> dict[str, int]:
    """Unresolved by reason."""
    query = select(_T.c.reason, func.sum(_T.c.count).label("total")).where(_T.c.resolved_at.is_(None)).group_by(_T.c.reason)
    return dict(sorted((row.reason, int(row.total)) for row in c.execute(query)))


def ask_replay(c: Connection, ids: Sequence[int], shift_ms: int, *, actor: str = "", at: int = 0) -> int:
    """Mark the unresolved among `ids`; returns how many."""
    marked = 0
    for chunk in in_chunks(sorted(set(ids))):
        marked += _mark(c, [_T.c.id.in_(chunk)], shift_ms)
    if marked:
        few = ", ".join(map(str, sorted(set(ids))[:10])) + (" …" if len(set(ids)) > 10 else "")
        _audit(c, few, marked, shift_ms, actor=actor, at=at)
    return marked


def ask_replays(c: Connection, choice: Choice, shift_ms: int, *, actor: str, at: int) -> int:
    """Mark all unresolved ones of a choice; returns how many."""
    marked = _mark(c, _fits(choice), shift_ms)
    if marked:
        said = {"reason": choice.reason, "device": choice.device, "org": choice.org, "since": choice.since, "until": choice.until}
        _audit(c, " ".join(f"{name}={value}" for name, value in said.items() if value is not None), marked, shift_ms, actor=actor, at=at)
    return marked


def _mark(c: Connection, which: Sequence[ColumnElement[bool]], shift_ms: int) -> int:
    return int(c.execute(update(_T).where(*which, _T.c.resolved_at.is_(None)).values(replay=True, shift_ms=shift_ms)).rowcount)


def _audit(c: Connection, which: str, marked: int, shift_ms: int, *, actor: str, at: int) -> None:
    if actor:
        after = json.dumps({"marked": marked, "shift_ms": shift_ms}, sort_keys=True)
        audit(c, at=at, actor=actor, kind="replay", subject=which or "all", before="", after=after)


def fail(c: Connection, failed: Sequence[tuple[int, str]]) -> None:
    """These could not be read again, (id, why): they stay open, and say it; nobody waits for them any more."""
    for number, why in failed:
        c.execute(update(_T).where(_T.c.id == int(number)).values(replay=False, text=_clean(why, _TEXT_LENGTH)))


def replays(c: Connection, journal: str, limit: int) -> list[DeadLetter]:
    """Marked and not yet done, oldest first."""
    return [_letter(row) for row in c.execute(select(_T).where(_T.c.replay, _T.c.journal == journal).order_by(_T.c.position, _T.c.id).limit(limit))]


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "reason": letter.reason,
        "text": _clean(letter.text, _TEXT_LENGTH),
        "journal": letter.journal,
        "position": int(letter.position),
        "topic": _clean(letter.topic, _TEXT_LENGTH),
        "org": _clean(letter.org, _KEY_LENGTH),
        "device": _clean(letter.device, _KEY_LENGTH),
        "key": _clean(letter.key, _KEY_LENGTH),
        "received": int(letter.received),
        "head": bytes(letter.head[:HEAD_BYTES]),
        "offset_ms": None if letter.offset_ms is None else int(letter.offset_ms),
        "count": int(letter.count),
        "replay": False,
        "shift_ms": 0,
    }


def _clean(text: str, length: int) -> str:
    """Fit for a text column: no NUL (PostgreSQL has none) and no half of a surrogate pair (no database has)."""
    return text[:length].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(**{name: value for name, value in row._mapping.items() if name not in _INTERNAL})
