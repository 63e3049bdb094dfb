"""Alerts for Grafana: every change becomes a point, also when the store was away meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from servers.alert_world import DAY, HOUR, MIN, Rig

from alerts.mirroring import Mirroring
from core.alert import Alert
from core.errors import UnavailableError
from core.forecast import Forecast


class Grafana:
    """A mirror that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.points: dict[tuple[object, int], tuple[str, float | None]] = {}

    async def mirror_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        raise AssertionError

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> None:
        if self.away:
            raise UnavailableError("gone")
        for alert in alerts:
            self.points[alert.key, alert.updated_at] = (alert.state, alert.value)


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
