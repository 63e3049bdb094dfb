"""Alerts for Grafana: every change becomes a point, also when the store was away meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from servers.alert_world import DAY, HOUR, MIN, Rig

from alerts.mirroring import Mirroring
from core.alert import Alert
from core.errors import UnavailableError
from core.forecast import Forecast
from core.ports import RefusedRow


class Grafana:
    """A mirror that can be away, and that never takes alerts of the `never` levels."""

    def __init__(self, never: tuple[float | None, ...] = ()) -> None:
        self.away = False
        self.never = never
        self.asked = 0
        self.points: dict[tuple[object, int], tuple[str, float | None]] = {}

    async def mirror_forecasts(self, forecasts: Sequence[Forecast]) -> list[RefusedRow]:
        raise AssertionError

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        if self.away:
            raise UnavailableError("gone")
        self.asked += len(alerts)
        for alert in (a for a in alerts if a.line not in self.never):
            self.points[alert.key, alert.updated_at] = (alert.state, alert.value)
        return [RefusedRow(row=n, text="field type conflict") for n, a in enumerate(alerts) if a.line in self.never]


def states(grafana: Grafana, line: float = 1.0) -> list[str]:
    return [state for ((*_, at), _), (state, _) in sorted(grafana.points.items(), key=lambda p: p[0][1]) if at == line]


def test_every_change_is_a_point(rig: Rig) -> None:
    """Opened, acknowledged by somebody else, cleared: three points at their times; again, nothing more."""
    grafana = Grafana()
    mirroring = Mirroring(rig.db, grafana)
    rig.feed(1.5, 1.5)
    rig.look()
    rig.run(lambda: mirroring.run(rig.clock.now))
    opened = rig.clock.now
    rig.clock.now += MIN
    rig.run(lambda: rig.db.acknowledge(1, actor="lan", at=rig.clock.now))
    rig.run(lambda: mirroring.run(rig.clock.now))
    rig.clock.now += 2 * HOUR
    rig.feed(*[0.1] * 6)
    rig.look()
    rig.run(lambda: mirroring.run(rig.clock.now))
    assert states(grafana) == ["open", "acknowledged", "cleared"]
    assert min(at for _, at in grafana.points) == opened
    before = dict(grafana.points)
    rig.run(lambda: mirroring.run(rig.clock.now + DAY))
    assert rig.run(lambda: mirroring.run(rig.clock.now + DAY + MIN)) == 0
    assert grafana.points == before


def test_what_happened_while_it_was_away_comes_later(rig: Rig) -> None:
    """Opened and cleared within an outage, and a restart in it: both points come when the store is back."""
    grafana = Grafana()
    rig.run(lambda: Mirroring(rig.db, grafana).run(rig.clock.now))
    grafana.away = True
    rig.clock.now += HOUR
    rig.feed(1.5, 1.5)
    rig.look()
    with pytest.raises(UnavailableError):
        rig.run(lambda: Mirroring(rig.db, grafana).run(rig.clock.now))
    rig.clock.now += 3 * HOUR
    rig.feed(*[0.1] * 6)
    rig.look()
    rig.restart()
    rig.clock.now += 2 * DAY
    grafana.away = False
    rig.run(lambda: Mirroring(rig.db, grafana).run(rig.clock.now))
    assert states(grafana) == ["open", "cleared"]
    assert next(iter(grafana.points.values())) == ("open", 1.5)


def test_nothing_is_sent_twice_while_it_runs(rig: Rig) -> None:
    """What is mirrored is not read and sent again every few seconds; only a restart does so, once."""
    mirroring = Mirroring(rig.db, Grafana())
    rig.feed(9.0)
    rig.look()
    assert rig.run(lambda: mirroring.run(rig.clock.now)) == 4  # two alerts: the event, and as it stands
    assert rig.run(lambda: mirroring.run(rig.clock.now + MIN)) == 0


def test_what_it_never_takes_keeps_nothing_else_from_coming(rig: Rig) -> None:
    """The line of one level is refused for ever: the others are mirrored, it is told and not sent again, what comes later is mirrored, also after a restart."""
    grafana = Grafana(never=(1.0,))
    mirroring = Mirroring(rig.db, grafana)
    rig.feed(9.0)
    rig.look()
    assert rig.run(lambda: mirroring.run(rig.clock.now)) == 2
    assert (states(grafana, 4.0), states(grafana, 1.0)) == (["open"], [])
    assert mirroring.refused == f"an alert of {rig.stations[0]}/main cannot be shown, and 1 more: field type conflict"
    rig.run(lambda: mirroring.run(rig.clock.now + MIN))
    assert (grafana.asked, bool(mirroring.refused)) == (4, True)
    rig.restart()
    rig.clock.now += 2 * HOUR
    rig.feed(*[0.1] * 6)
    rig.look()
    again = Mirroring(rig.db, grafana)
    rig.run(lambda: again.run(rig.clock.now))
    assert (states(grafana, 4.0), states(grafana, 1.0)) == (["open", "cleared"], [])
    rig.run(lambda: again.run(rig.clock.now + HOUR))
    asked = grafana.asked
    later = Mirroring(rig.db, grafana)
    rig.run(lambda: later.run(rig.clock.now + HOUR))
    assert (grafana.asked, later.refused) == (asked, ""), "the cursor has moved past it"
