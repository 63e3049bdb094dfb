"""The Alerts port over SQL: a step is whole or nothing, one open alert of a key, a person's acknowledgement stays."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, insert, text
from sqlalchemy.exc import DBAPIError

from adapters.sql import SqlDatabase, open_database
from adapters.sql import tables as t
from adapters.sql.alerts import _values
from adapters.sql.engine import writing
from core.alert import Alert, AlertEvent, Intent, Step
from core.errors import ConflictError, NotFoundError

T0 = 1_772_000_000_000


def alert(kind: str = "observed", line: float | None = 1.0, *, station: str = "kenh-lau", at: int = T0, state: str = "open") -> Alert:
    return Alert(org="default", station=station, point="main", kind=kind, line=line, level=2 if line else 0, state=state, opened_at=at, updated_at=at)


def step(a: Alert, kind: str | None = None, *keys: str) -> Step:
    event = None if kind is None else AlertEvent(at=a.updated_at, kind=kind, value=a.value, time=a.time, p=a.p)
    return Step(alert=a, event=event, intents=tuple(Intent(key=key, channel="webhook", recipient="https://x") for key in keys))


def take(database: SqlDatabase, *steps: Step, name: str = "", value: int = 0) -> list[Alert]:
    return asyncio.run(database.take_steps(steps, name=name, value=value))


def opened(database: SqlDatabase, a: Alert | None = None, *keys: str) -> Alert:
    return take(database, step(a or alert(), "opened", *keys))[0]


def acknowledge(database: SqlDatabase, id: int, *, actor: str = "lan", at: int = T0 + 9) -> Alert:
    return asyncio.run(database.acknowledge(id, actor=actor, at=at))


def events(database: SqlDatabase, id: int) -> list[tuple[str, str]]:
    return [(e.kind, e.actor) for e in asyncio.run(database.alert_events(id))]


def all_alerts(database: SqlDatabase) -> list[Alert]:
    return asyncio.run(database.alerts(limit=10_000))


def contents(database: SqlDatabase) -> tuple[object, ...]:
    return all_alerts(database), asyncio.run(database.intents(limit=10_000)), asyncio.run(database.load_cursor("alerts"))


# ---------------------------------------------------------------- steps


def test_a_step_is_read_back_whole(url: str, database: SqlDatabase) -> None:
    """Alert, event, intents with their ids, and the cursor, after a restart too."""
    full = Alert(
        org="default",
        station="kenh-lau",
        point="main",
        kind="forecast",
        line=0.5,
        level=1,
        state="open",
        opened_at=T0,
        updated_at=T0 + 1,
        value=1.25,
        time=T0 + 2,
        p=0.6,
        model="persistence",
        config="abc",
        memory={"above_since": T0, "share": 0.5, "none": None},
    )
    (stored,) = take(database, step(full, "opened", "a", "b"), name="alerts", value=17)
    assert stored == replace(full, id=stored.id)
    assert stored.id > 0
    again = open_database(url)
    assert asyncio.run(again.alert(stored.id)) == stored
    (event,) = asyncio.run(again.alert_events(stored.id))
    assert event == AlertEvent(id=event.id, alert=stored.id, at=T0 + 1, kind="opened", value=1.25, time=T0 + 2, p=0.6)
    expected = [(key, "webhook", "https://x", stored.id, event.id, "waiting") for key in ("b", "a")]
    assert [(i.key, i.channel, i.recipient, i.alert, i.event, i.state) for i in asyncio.run(again.intents())] == expected
    assert asyncio.run(again.load_cursor("alerts")) == 17
    again.close()


def test_a_change(database: SqlDatabase) -> None:
    """Every field is as the policy wrote it last; a step without an event leaves the history alone, and no cursor is no cursor."""
    first = opened(database)
    changed = replace(first, level=4, updated_at=T0 + 5, value=math.nan, p=math.inf, memory={"low": math.nan})
    (stored,) = take(database, step(changed, None, "k"))
    assert stored == replace(changed, value=None, p=None, memory={"low": None}), "no number is none"
    assert events(database, first.id) == [("opened", "")]
    assert [(i.alert, i.event) for i in asyncio.run(database.intents())] == [(first.id, 0)]
    assert asyncio.run(database.load_cursor("")) == 0
    (raised,) = take(database, step(stored, "raised"))
    assert (raised, events(database, first.id)) == (stored, [("opened", ""), ("raised", "")])


@pytest.mark.parametrize(
    "bad",
    [
        step(alert(station="ba-co"), "opened", "k"),  # is open already
        step(replace(alert(), id=999), "raised"),
        step(replace(alert(station="elsewhere"), id=1), "raised"),
    ],
)
def test_all_or_nothing(database: SqlDatabase, bad: Step) -> None:
    """One step that cannot be taken takes the others, their intents and the cursor with it."""
    first = opened(database)
    opened(database, alert(station="ba-co"))
    take(database, name="alerts", value=3)
    before = contents(database)
    good = step(replace(first, state="cleared", cleared_at=T0 + 1), "cleared", "g")
    with pytest.raises((ConflictError, NotFoundError)):
        take(database, good, step(alert(station="new"), "opened", "n"), bad, name="alerts", value=4)
    assert contents(database) == before
    assert events(database, first.id) == [("opened", "")]


@pytest.mark.parametrize(("kind", "line"), [("observed", 1.0), ("silent", None), ("fault", None)])
def test_one_open_alert_of_a_key(database: SqlDatabase, kind: str, line: float | None) -> None:
    """A second one is refused while the first is open or acknowledged, no line counting as one; another key is another alert."""
    first = opened(database, alert(kind, line))
    with pytest.raises(ConflictError, match=rf"alert {first.id} about kenh-lau/main {kind}.*is not cleared yet"):
        opened(database, alert(kind, line, at=T0 + 1))
    acknowledge(database, first.id)
    with pytest.raises(ConflictError):
        opened(database, alert(kind, line, at=T0 + 1))
    opened(database, alert(kind, 4.0))
    opened(database, alert(kind, line, station="ba-co"))
    opened(database, replace(alert(kind, line), point="in"))
    take(database, step(replace(first, state="cleared", cleared_at=T0 + 2), "cleared"))
    second = opened(database, alert(kind, line, at=T0 + 3))
    assert second.id != first.id
    with pytest.raises(ConflictError, match=f"alert {second.id} about"):
        take(database, step(replace(first, state="open"), "reopened"))


@pytest.mark.parametrize("line", [1.0, None])
def test_the_database_itself_refuses_a_second(database: SqlDatabase, line: float | None) -> None:
    """Two processes cannot both open one: the unique index holds without our question before it."""
    opened(database, alert(line=line))
    opened(database, alert(line=line, station="ba-co", state="cleared"))
    with pytest.raises(ConflictError), writing(database._engine) as c:
        c.execute(insert(t.alert).values(**_values(alert(line=line))))
    for _ in range(2):  # any number may be cleared
        with writing(database._engine) as c:
            c.execute(insert(t.alert).values(**_values(alert(line=line, state="cleared"))))


def test_clear_and_open_in_one_call(database: SqlDatabase) -> None:
    """Steps are taken in their order."""
    first = opened(database)
    cleared, second = take(database, step(replace(first, state="cleared", cleared_at=T0 + 1), "cleared"), step(alert(at=T0 + 1), "opened"))
    assert (cleared.state, second.state) == ("cleared", "open")


def test_reopened(database: SqlDatabase) -> None:
    """The same alert goes on, with its history."""
    first = opened(database)
    cleared = take(database, step(replace(first, state="cleared", cleared_at=T0 + 1), "cleared"))[0]
    again = take(database, step(replace(cleared, state="open", cleared_at=None), "reopened"))[0]
    assert (again.id, again.state, again.cleared_at) == (first.id, "open", None)
    assert [kind for kind, _ in events(database, first.id)] == ["opened", "cleared", "reopened"]


# ---------------------------------------------------------------- acknowledging


def test_acknowledge(database: SqlDatabase) -> None:
    """open → acknowledged, by whom and when, with an event that has the facts; a second time, by whomever, changes nothing."""
    first = opened(database, replace(alert(), value=1.5, time=T0 - 5))
    done = acknowledge(database, first.id)
    assert done == replace(first, state="acknowledged", acknowledged_by="lan", acknowledged_at=T0 + 9, updated_at=T0 + 9)
    assert asyncio.run(database.alert(first.id)) == done
    event = asyncio.run(database.alert_events(first.id))[-1]
    assert event == AlertEvent(id=event.id, alert=first.id, at=T0 + 9, kind="acknowledged", value=1.5, time=T0 - 5, actor="lan")
    assert acknowledge(database, first.id, actor="minh", at=T0 + 20) == done
    assert events(database, first.id) == [("opened", ""), ("acknowledged", "lan")]


def test_what_cannot_be_acknowledged(database: SqlDatabase) -> None:
    """One that is cleared, and one that is not there."""
    first = opened(database)
    take(database, step(replace(first, state="cleared", cleared_at=T0 + 1), "cleared"))
    with pytest.raises(ConflictError, match=f"alert {first.id} is cleared already"):
        acknowledge(database, first.id)
    with pytest.raises(NotFoundError, match="no alert 999"):
        acknowledge(database, 999)
    with pytest.raises(NotFoundError, match="no alert 999"):
        asyncio.run(database.alert(999))
    assert events(database, first.id) == [("opened", ""), ("cleared", "")]


@pytest.mark.parametrize("kind", [None, "raised"])
def test_an_acknowledgement_made_meanwhile_stays(database: SqlDatabase, kind: str | None) -> None:
    """The policy read it as open and writes it as open: its facts are taken, the acknowledgement is kept, and it is told so."""
    first = opened(database)
    acknowledge(database, first.id)
    (stored,) = take(database, step(replace(first, value=3.0, level=3, updated_at=T0 + 20), kind))
    assert (stored.state, stored.acknowledged_by, stored.acknowledged_at) == ("acknowledged", "lan", T0 + 9)
    assert (stored.value, stored.level, stored.updated_at) == (3.0, 3, T0 + 20)
    assert asyncio.run(database.alert(first.id)) == stored


def test_cleared_and_reopened_end_an_acknowledgement(database: SqlDatabase) -> None:
    """Cleared keeps the record of who acknowledged it; reopened starts anew."""
    first = opened(database)
    acknowledge(database, first.id)
    cleared = take(database, step(replace(first, state="cleared", cleared_at=T0 + 20), "cleared"))[0]
    assert (cleared.state, cleared.acknowledged_by) == ("cleared", "lan")
    again = take(database, step(replace(first, updated_at=T0 + 30), "reopened"))[0]
    assert (again.state, again.acknowledged_by, again.acknowledged_at) == ("open", "", None)


def test_a_clearing_that_another_made_already(database: SqlDatabase) -> None:
    """Who read it before it was cleared changes and clears it no more: neither state, history nor outbox, and the rest of the call is taken."""
    first = opened(database)
    cleared = take(database, step(replace(first, state="cleared", cleared_at=T0 + 20, updated_at=T0 + 20), "cleared", "a:20"))[0]
    late = step(replace(first, state="cleared", cleared_at=T0 + 21, updated_at=T0 + 21), "cleared", "a:21")
    raised = step(replace(first, value=9.0, updated_at=T0 + 22), "raised", "a:22")
    silently = step(replace(first, value=9.0))
    other = step(alert(station="ba-co"), "opened", "b")
    *dropped, new = take(database, late, raised, silently, other, name="alerts", value=7)
    assert dropped == [cleared] * 3
    assert asyncio.run(database.alert(first.id)) == cleared
    assert events(database, first.id) == [("opened", ""), ("cleared", "")]
    assert [i.key for i in asyncio.run(database.intents())] == ["b", "a:20"]
    assert (new.state, asyncio.run(database.load_cursor("alerts"))) == ("open", 7)


@pytest.mark.parametrize("read", [False, True])
def test_a_reopening_that_another_made_already(database: SqlDatabase, read: bool) -> None:
    """It is dropped with its event and its message, and takes no acknowledgement away."""
    first = opened(database)
    cleared = take(database, step(replace(first, state="cleared", cleared_at=T0 + 20), "cleared"))[0]
    again = take(database, step(replace(cleared, state="open", cleared_at=None, updated_at=T0 + 30), "reopened", "a:30"))[0]
    if read:
        again = acknowledge(database, first.id, at=T0 + 31)
    before = events(database, first.id)
    assert take(database, step(replace(cleared, state="open", cleared_at=None, updated_at=T0 + 32), "reopened", "a:32")) == [again]
    assert asyncio.run(database.alert(first.id)) == again
    assert events(database, first.id) == before
    assert [i.key for i in asyncio.run(database.intents())] == ["a:30"]


# ---------------------------------------------------------------- lists


def test_live(database: SqlDatabase) -> None:
    """All that is not cleared, and what was cleared at or after a time."""
    ids = {}
    for name, state, cleared_at in (("a", "open", None), ("b", "acknowledged", None), ("c", "cleared", T0 + 10), ("d", "cleared", T0 + 20)):
        ids[name] = opened(database, replace(alert(station=name, state=state), cleared_at=cleared_at)).id

    def live(since: int) -> str:
        return "".join(sorted(a.station for a in asyncio.run(database.live_alerts(cleared_since=since))))

    assert (live(T0 + 21), live(T0 + 20), live(T0 + 10)) == ("ab", "abd", "abcd")
    assert "".join(sorted(a.station for a in asyncio.run(database.live_alerts()))) == "abcd"


def test_paging_with_equal_times(database: SqlDatabase) -> None:
    """Newest first and each exactly once, whatever the page, where many were opened at once."""
    for n in range(11):
        opened(database, alert(station=f"s{n}", at=T0 + n // 4))
    whole = all_alerts(database)
    assert [(a.opened_at, a.id) for a in whole] == sorted(((a.opened_at, a.id) for a in whole), reverse=True)
    assert len({a.id for a in whole}) == 11
    for size in (1, 2, 3, 5, 20):
        paged: list[Alert] = []
        while page := asyncio.run(database.alerts(limit=size, before=(paged[-1].opened_at, paged[-1].id) if paged else None)):
            assert len(page) <= size
            paged += page
        assert paged == whole


def test_states_station_and_ids(database: SqlDatabase) -> None:
    """Each narrows; no state is every state; ids ask for just these, in the same order, and no id for none."""
    a = opened(database, alert(station="a"))
    b = opened(database, alert(station="b", at=T0 + 5))
    c = opened(database, alert(station="c", state="cleared", at=T0 + 3))
    acknowledged = acknowledge(database, a.id)

    def found(**which: object) -> list[int]:
        return [x.id for x in asyncio.run(database.alerts(**which))]  # type: ignore[arg-type]  # values of several types

    assert found() == found(states=()) == [b.id, c.id, a.id]
    assert found(states=("open",)) == [b.id]
    assert found(states=("acknowledged", "cleared")) == [c.id, acknowledged.id]
    assert found(station="b") == [b.id]
    assert found(station="b", states=("cleared",)) == []
    assert found(ids=[a.id, b.id, 999]) == [b.id, a.id]
    assert found(ids=[a.id, b.id], limit=1) == [b.id, a.id]
    assert found(ids=[a.id, c.id], states=("cleared",)) == [c.id]
    assert found(ids=[]) == []
    assert len(found(ids=range(1, 2000))) == 3


# ---------------------------------------------------------------- outbox


def test_an_intent_is_added_once(database: SqlDatabase) -> None:
    """Known by its key: a second one with it changes nothing, though the first was sent; the rest of the step is taken."""
    first = opened(database, None, "k1")
    (sent,) = asyncio.run(database.intents())
    asyncio.run(database.settle([replace(sent, state="sent", receipt="200")]))
    take(database, step(first, "raised", "k1", "k2", "k2"))
    assert [(i.key, i.state) for i in asyncio.run(database.intents())] == [("k2", "waiting"), ("k1", "sent")]
    assert [kind for kind, _ in events(database, first.id)] == ["opened", "raised"]


def test_due_and_settled(url: str, database: SqlDatabase) -> None:
    """Due are the waiting ones whose time has come, oldest first; what is settled stays so over a restart."""
    first = opened(database)
    due = {"a": 0, "b": 50, "c": 51, "d": 10}
    intents = tuple(Intent(key=key, channel="webhook", recipient="x", due_at=at) for key, at in due.items())
    take(database, Step(alert=first, intents=intents))

    def keys(now: int, limit: int = 100) -> str:
        return "".join(i.key for i in asyncio.run(database.due_intents(now, limit=limit)))

    assert (keys(50), keys(51), keys(9), keys(51, 2)) == ("abd", "abcd", "a", "ab")
    by_key = {i.key: i for i in asyncio.run(database.due_intents(51))}
    late = replace(by_key["a"], attempts=1, due_at=60, receipt="HTTP 503")
    asyncio.run(database.settle([late, replace(by_key["b"], state="sent", attempts=1), replace(by_key["d"], state="failed", attempts=9)]))
    database.close()
    again = open_database(url)
    assert [i.key for i in asyncio.run(again.due_intents(59))] == ["c"]
    assert asyncio.run(again.due_intents(60))[0] == late
    assert [i.key for i in asyncio.run(again.intents())] == ["d", "c", "b", "a"]
    assert [i.key for i in asyncio.run(again.intents(limit=1))] == ["d"]
    assert [i.key for i in asyncio.run(again.intents(state="failed"))] == ["d"]
    again.close()


def test_history_cannot_be_rewritten(url: str, database: SqlDatabase) -> None:
    """Not by us either."""
    opened(database)
    engine = create_engine(url)
    with pytest.raises(DBAPIError, match="alert_event is append-only"), engine.begin() as connection:
        connection.execute(text("UPDATE alert_event SET kind = 'cleared'"))
    engine.dispose()
