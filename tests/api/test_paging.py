"""Paging: every row exactly once for any page size, all old rows seen while late ones come, a `next` of another list refused."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory_store import MemoryStore
from api import best
from api.best import Rows, Stretch, read_page
from api.paging import decode, encode
from api.problem import Problem
from core.batch import Batch
from core.series import SeriesKey

LAST = 40
KEYS = [SeriesKey("o", "s", "device", sensor, "device.battery") for sensor in ("kl01", "kl02", "kl02/d10")]
POSITIONS = st.lists(st.one_of(st.integers(-(1 << 62), 1 << 62), st.text(max_size=70)), max_size=4)

Row = tuple[int, int]  # series, time
rows_of = st.lists(st.tuples(st.integers(0, len(KEYS) - 1), st.integers(0, LAST)), unique=True, max_size=60)


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Stretches of three sensors: of one they never overlap, of two they may."""
    found = []
    for key in KEYS:
        bounds = sorted(draw(st.lists(st.integers(0, LAST + 1), max_size=6, unique=True)))
        found += [Stretch(key=key, start=a, end=b) for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    return found


def put(store: MemoryStore, rows: Sequence[Row], flag: int = 1) -> None:
    batch = Batch.of([s for s, _ in rows], [t for _, t in rows], [1000.0 * s + t for s, t in rows], flag=[flag if t % 3 else 3 for _, t in rows])
    asyncio.run(store.write(batch, KEYS))


def truth(rows: Sequence[Row], parts: Sequence[Stretch]) -> list[tuple[int, float]]:
    """(time, value) of the rows inside a stretch of their sensor, by (time, sensor): the plain reading."""
    inside = [(t, KEYS[s].sensor, 1000.0 * s + t) for s, t in rows if any(p.key == KEYS[s] and p.start <= t < p.end for p in parts)]
    return [(t, value) for t, _, value in sorted(inside)]


def seen(page: Rows) -> list[tuple[int, float]]:
    return list(zip(page.time.tolist(), page.value.tolist(), strict=True))


def walk(store: MemoryStore, parts: Sequence[Stretch], limit: int, flags: list[int] | None = None) -> list[tuple[int, float]]:
    """All rows, page by page; no page holds more than `limit`."""
    found: list[tuple[int, float]] = []
    after = None
    while True:
        page = asyncio.run(read_page(store, parts, limit=limit, after=after, flags=flags))
        assert len(page.time) <= limit
        found += seen(page)
        after = page.after
        if after is None:
            return found


@given(rows_of, stretches(), st.integers(1, 70))
def test_every_row_exactly_once(rows: list[Row], parts: list[Stretch], limit: int) -> None:
    """For any rows, sensors, stretches and page size the pages together are the series, in order, each row once."""
    store = MemoryStore()
    put(store, rows)
    assert walk(store, parts, limit) == truth(rows, parts)


@given(rows_of, stretches(), st.integers(1, 10))
def test_flags_choose_rows(rows: list[Row], parts: list[Stretch], limit: int) -> None:
    """With flags the pages hold exactly the rows that have one of them, though the store counts all rows to its limit."""
    store = MemoryStore()
    put(store, rows)
    assert walk(store, parts, limit, [3]) == [row for row in truth(rows, parts) if row[0] % 3 == 0]
    assert walk(store, parts, limit, [1, 2]) == [row for row in truth(rows, parts) if row[0] % 3]


def test_a_page_reads_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no row has the flag, a page ends after so many rows read, empty but with a `next`; walking on still sees the one that has."""
    monkeypatch.setattr(best, "SCAN_ROWS", 5)
    store = MemoryStore()
    put(store, [(0, t) for t in range(1, LAST, 3)])
    put(store, [(0, LAST - 1)], flag=4)
    parts = [Stretch(key=KEYS[0], start=0, end=LAST)]
    first = asyncio.run(read_page(store, parts, limit=2, flags=[3]))
    assert seen(first) == []
    assert first.after is not None
    assert walk(store, parts, 2, [3]) == [(39, 39.0)]


@given(rows_of, rows_of, stretches(), st.integers(1, 12), st.integers(0, 8))
def test_late_rows_shift_nothing(old: list[Row], late: list[Row], parts: list[Stretch], limit: int, when: int) -> None:
    """Rows inserted between two pages: every old row is seen once, late ones at most once, and the order stays."""
    store = MemoryStore()
    put(store, old)
    found: list[tuple[int, float]] = []
    after = None
    page = 0
    while True:
        if page == when:
            put(store, late)
        rows = asyncio.run(read_page(store, parts, limit=limit, after=after))
        found += seen(rows)
        after = rows.after
        page += 1
        if after is None:
            break
    assert len(found) == len(set(found))
    assert set(truth(old, parts)) <= set(found) <= set(truth([*old, *late], parts))
    assert [t for t, _ in found] == sorted(t for t, _ in found)


@given(st.text(max_size=50), POSITIONS)
def test_next_comes_back(scope: str, position: list[int | str]) -> None:
    """What a `next` was made of is read from it again, and it needs no escaping in a URL."""
    position = [p if isinstance(p, int) else p.encode(errors="replace").decode() for p in position]
    text = encode(scope, *position)
    assert decode(scope, text, *(type(p) for p in position)) == tuple(position)
    assert all(c.isalnum() or c in "-_" for c in text)


@given(st.text(max_size=80))
def test_a_strange_next_is_a_422(text: str) -> None:
    """Nothing that is no `next` of ours is taken for one, and nothing but a Problem comes of it."""
    with pytest.raises(Problem, match="invalid") as raised:
        decode("stations", text, str)
    assert (raised.value.status, raised.value.parameter) == (422, "next")


@pytest.mark.parametrize(
    "text",
    [
        encode("alerts open", "kenh-lau"),  # of another list
        encode("stations", 5),  # of another kind
        encode("stations", True),  # no whole number, though Python says so
        encode("stations", "kenh-lau", "x"),  # too long
        base64.urlsafe_b64encode(b"[" * 1500).decode(),  # deep
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    ],
)
def test_next_of_another_list_is_refused(text: str) -> None:
    """A `next` goes with the list and the parameters it came from."""
    with pytest.raises(Problem):
        decode("stations", text, str)


def test_no_next_is_the_beginning() -> None:
    """The first page has no position."""
    assert decode("stations", None, str) is None
