"""What each service counts of itself, by the names in its heartbeat: for `doctor`, for /metrics and for docs/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping

from adapters import listener_shared, mqtt_inbox
from ingest import meters

_LISTENER = {f"listener_{name}": f"Our listener: {text}." for name, text in listener_shared.COUNTERS.items()}
_BROKER = {f"broker_{name.removeprefix('broker_')}": f"Through a broker: {text}." for name, text in mqtt_inbox.COUNTERS.items()}

# service → figure → what it tells. A name that is no count has its unit in it.
FIGURES: Mapping[str, Mapping[str, str]] = {
    "ingest": {
        "journal_end": "Position after the last byte of the journal.",
        "stored_to": "Position up to which the journal is stored.",
        "bytes_behind": "Bytes of the journal that are not stored yet.",
        "lag_messages": "Messages that are not stored yet, by their mean size.",
        "lag_ms": "How long ago the oldest message came that is not stored yet [ms].",
        "readings_written": "Readings stored.",
        **meters.COUNTS,
        "journal_bytes": "Size of the journal on disk [bytes].",
        "journal_damaged_bytes": "Damaged bytes of the journal that were skipped; canhman journal verify names them.",
        "journal_torn_bytes": "Bytes cut off the journal's end at this start: the unfinished write of a crash, acknowledged to nobody.",
        "quiet_s": "How long ago the last message came, or ingest started [s].",
        **_LISTENER,
        **_BROKER,
        "broker_connected": "Through a broker: 1 where the connection stands, else 0.",
        "broker_connections": "Through a broker: connections so far.",
        "broker_sessions_lost": "Through a broker: how often it had forgotten ingest's session, and with it what devices sent while ingest was away.",
        "broker_echo_ms": "Through a broker: how long the last word of ingest to itself took [ms]; absent while none came back.",
        "broker_echo_filters": "Through a broker: filters by which a word of ingest to itself came back once; of the others silence tells nothing.",
    },
    "judge": {"judged": "Readings judged."},
    "forecast": {
        "issued": "Forecasts issued.",
        "mirrored": "Forecasts written to the store for Grafana.",
        "scored": "Forecasts scored against what came.",
        "points": "Points known in the last round that had something to issue.",
        "points_read": "Points whose readings were read from the store.",
        "last_round_ms": "How long the last round that had something to issue took [ms].",
        "trained": "Targets that a trained model speaks of; of the others persistence does.",
        "trainings": "Trainings begun.",
        "drifting": "Trained models that do worse in the record than when they were promoted.",
    },
    "alerts": {
        "looks": "Looks at what changed.",
        "points": "Points judged in the last look that judged one.",
        "rows": "Readings read from the store.",
        "steps": "Steps of alerts, with or without an event.",
        "events": "Steps in which an alert opened, changed or cleared.",
        "sent": "Messages delivered.",
        "sent_again": "Tries after which a message waits for another one.",
        "failed": "Messages given up.",
        "mirrored": "Alert levels written to the store for Grafana.",
        "mirrored_stations": "Stations written to the store for Grafana, because they were changed.",
        "mirrored_latest": "Rows of the newest values written to the store for Grafana.",
        "last_look_ms": "How long the last look that judged a point took [ms].",
    },
}
