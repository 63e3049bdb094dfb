"""Dead letters: at most one row per (journal, position, reason, key), and at most 1,000 unresolved of one device and
reason (in one journal).

Beyond 1,000, letters are counted on the newest unresolved row of their device and reason (`count`), which remembers up to
which journal position it counted: a journal is read in order, so what lies at or before that position was counted already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, func, select, update

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, upsert
from core.deadletter import HEAD_BYTES, DeadLetter
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


def dead_letters(c: Connection, *, reason: str | None, device: str | None, limit: int, before: int | None) -> list[DeadLetter]:
    """Newest first; `before` an id."""
    query = select(_T).order_by(_T.c.id.desc()).limit(limit)
    for column, wanted in ((_T.c.reason, reason), (_T.c.device, device)):
        if wanted is not None:
            query = query.where(column == wanted)
    return [_letter(row) for row in c.execute(query if before is None else query.where(_T.c.id < before))]


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


def ask_replay(c: Connection, ids: Sequence[int], shift_ms: int) -> int:
    """Mark the unresolved among `ids`; returns how many."""
    marked = 0
    for chunk in in_chunks(sorted(set(ids))):
        query = update(_T).where(_T.c.id.in_(chunk), _T.c.resolved_at.is_(None)).values(replay=True, shift_ms=shift_ms).returning(_T.c.id)
        marked += len(c.execute(query).all())
    return marked


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
