"""Who is told what: news once, nothing twice, nothing that is known already."""

from __future__ import annotations

from alerts.telling import with_intents
from core.alert import Alert, AlertEvent, Step
from core.bands import level

AT = 1000


def make(kind: str, line: float | None, *, id: int = 0, state: str = "open", station: str = "kl") -> Alert:
    of = 0 if line is None else level(line)
    cleared = AT if state == "cleared" else None
    return Alert(id=id, org="o", station=station, point="main", kind=kind, line=line, level=of, state=state, opened_at=1, updated_at=AT, cleared_at=cleared)


def stepped(alert: Alert, what: str) -> Step:
    return Step(alert=alert, event=AlertEvent(at=AT, kind=what))


def told(*steps: Step, live: tuple[Alert, ...] = (), channels: tuple[str, ...] = ("webhook",)) -> list[int]:
    """How many messages each step makes."""
    return [len(s.intents) for s in with_intents(list(steps), live, channels=channels, system_now=7)]


def test_openings_and_clearings_are_told_once_per_channel() -> None:
    """Opened, reopened and cleared make a message per channel; a new peak, and a change of facts alone, none."""
    for kind, line in (("observed", 1.0), ("forecast", 1.0), ("silent", None), ("fault", None)):
        assert told(stepped(make(kind, line), "opened")) == [1]
        assert told(stepped(make(kind, line, id=3), "reopened")) == [1]
        assert told(stepped(make(kind, line, id=3, state="cleared"), "cleared"), live=(make(kind, line, id=3),)) == [1]
        assert told(stepped(make(kind, line, id=3), "raised")) == [0]
        assert told(Step(alert=make(kind, line, id=3))) == [0]
    assert told(stepped(make("observed", 1.0), "opened"), channels=()) == [0]
    assert told(stepped(make("observed", 1.0), "opened"), channels=("webhook", "other")) == [2]


def test_the_key_names_the_event() -> None:
    """The same event has the same key however often it is made; another event, key or channel has another."""
    steps = [stepped(make("observed", 1.0), "opened"), stepped(make("observed", 4.0), "opened"), stepped(make("silent", None), "opened")]
    keys = [i.key for s in with_intents(steps, [], channels=("webhook", "other"), system_now=7) for i in s.intents]
    assert len(set(keys)) == 6
    assert keys[0] == "webhook:kl:main:observed:1:opened:1000"
    assert keys == [i.key for s in with_intents(steps, [], channels=("webhook", "other"), system_now=8) for i in s.intents]


def test_two_lines_at_once_are_both_told() -> None:
    """One reading over both lines is news for both: whoever asked for one of them hears of it."""
    assert told(stepped(make("observed", 1.0), "opened"), stepped(make("observed", 4.0), "opened")) == [1, 1]


def test_forecast_salt_is_no_news_where_it_is_salty() -> None:
    """A forecast of what is measured already, before or in the same moment, is not told; elsewhere or of more it is."""
    assert told(stepped(make("forecast", 1.0), "opened"), live=(make("observed", 1.0, id=1),)) == [0]
    assert told(stepped(make("observed", 1.0), "opened"), stepped(make("forecast", 1.0), "opened")) == [1, 0]
    assert told(stepped(make("forecast", 4.0), "opened"), live=(make("observed", 1.0, id=1),)) == [1]
    assert told(stepped(make("forecast", 1.0), "opened"), live=(make("observed", 4.0, id=1, station="kn"),)) == [1]


def test_measured_salt_is_news_where_it_was_forecast() -> None:
    """What was forecast and is measured now is told."""
    assert told(stepped(make("observed", 1.0), "opened"), live=(make("forecast", 4.0, id=1),)) == [1]


def test_the_end_is_told_when_it_is_the_end() -> None:
    """Cleared is told when nothing at or over that line is left there; at once for two lines that end together."""
    observed, forecast = make("observed", 1.0, id=1), make("forecast", 1.0, id=2)
    gone = stepped(make("observed", 1.0, id=1, state="cleared"), "cleared")
    assert told(gone, live=(observed, forecast)) == [0]
    assert told(gone, live=(observed, make("forecast", 4.0, id=2))) == [0]
    both = stepped(make("forecast", 1.0, id=2, state="cleared"), "cleared")
    assert told(gone, both, live=(observed, forecast)) == [1, 1]
    assert told(stepped(make("observed", 4.0, id=3, state="cleared"), "cleared"), live=(observed, make("observed", 4.0, id=3))) == [1]
