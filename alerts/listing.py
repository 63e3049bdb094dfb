"""What a list of alerts shows: of the lines that a place is over, only the highest."""

from __future__ import annotations

from collections.abc import Iterable

from core.alert import Alert

OVER_A_LINE = ("forecast", "observed")  # in rising order: of two alerts about one line the measured one is shown


def highest(alerts: Iterable[Alert]) -> list[Alert]:
    """Per station and point the highest line among its `observed` and `forecast` alerts (a tie: `observed`); all others as they are.

    A cleared alert neither hides another nor is hidden. Keeps the order.
    """
    shown = list(alerts)
    best: dict[tuple[str, str], Alert] = {}
    for alert in shown:
        place = (alert.station, alert.point)
        if _competes(alert) and (place not in best or _rank(alert) > _rank(best[place])):
            best[place] = alert
    return [a for a in shown if not _competes(a) or best[a.station, a.point] is a]


def _competes(alert: Alert) -> bool:
    return alert.kind in OVER_A_LINE and alert.state != "cleared"


def _rank(alert: Alert) -> tuple[float, int, int]:
    return (alert.line or 0.0, OVER_A_LINE.index(alert.kind), alert.opened_at)
