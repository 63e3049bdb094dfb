"""The alert as JSON: the same object in the API and in a webhook. It only ever grows."""

from __future__ import annotations

from alerts.message import text
from core.alert import Alert
from core.clock import rfc3339
from core.place import Station
from core.texts import LANGUAGES


def shape(alert: Alert, *, station: Station, now: int) -> dict[str, object]:
    """The alert object; times RFC 3339, `text` one line per language as of `now` [ms]. No name of who acknowledged it."""
    return {
        "id": alert.id,
        "station": alert.station,
        "point": alert.point,
        "kind": alert.kind,
        "line": alert.line,
        "level": alert.level,
        "state": alert.state,
        "opened_at": rfc3339(alert.opened_at),
        "updated_at": rfc3339(alert.updated_at),
        "cleared_at": None if alert.cleared_at is None else rfc3339(alert.cleared_at),
        "value": alert.value,
        "unit": alert.unit,
        "time": None if alert.time is None else rfc3339(alert.time),
        "p": None if alert.p is None else round(alert.p, 3),
        "text": {lang: text(alert, station=station, lang=lang, now=now).summary for lang in LANGUAGES},
    }
