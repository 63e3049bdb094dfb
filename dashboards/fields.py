"""What a query may name: the measurements of the store with their tags and fields."""

from __future__ import annotations

from core.alert import KINDS, STATES
from core.bands import LINES
from core.forecast import QUANTILES, TARGETS
from core.quantities import QUANTITIES
from dashboards.panels import NOTHING

OF_QUANTITY = ("", "_qc", "_qt", "_adj", "_cor")  # value, flag, test bits, corrected value, correction
POINT_TAGS = frozenset({"org", "station", "point"})

MIRRORED: dict[str, frozenset[str]] = {
    "station": frozenset({"org", "station", "name", "label", "waterway", "waterway_name", "commune", "verdict_point", "lat", "lon", "km"}),
    "latest": POINT_TAGS
    | {"salinity", "fresh", "seen", "flag", "verdict", "name", "waterway", NOTHING}
    | {"pump_from", "pump_to", "pump_of_ten", "pump_limit"},
    "forecast": POINT_TAGS
    | {"target", "lead", "issued", "model", *(f"q{round(100 * q):02d}" for q in QUANTILES), *("p_gt_" + f"{x:g}".replace(".", "_") for x in LINES)},
    "alert": POINT_TAGS | {"kind", "line", "level", "state", "value", "p"},
}

TEXTS = frozenset({"station", "point", "sensor", "name", "label", "waterway", "waterway_name", "commune"})  # may look like numbers: 0012, 1e5
# what a constant in a query may be
VALUES: dict[str, frozenset[str]] = {
    "target": frozenset(TARGETS),
    "lead": frozenset({"latest", "d01", "d03", "d07", "d14"}),
    "kind": frozenset(KINDS),
    "state": frozenset(STATES),
}


def names_of(measurement: str) -> frozenset[str]:
    """Its tags and fields, empty for a measurement that does not exist."""
    if measurement in MIRRORED:
        return MIRRORED[measurement]
    fields = {q.field + end for q in QUANTITIES.values() if q.measurement == measurement for end in OF_QUANTITY}
    return POINT_TAGS | {"sensor", "rx", *fields} if fields else frozenset()
