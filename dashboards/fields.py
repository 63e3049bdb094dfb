"""What a query may name: the measurements of the store with their tags and fields."""

from __future__ import annotations

from core.bands import LINES
from core.forecast import QUANTILES
from core.quantities import QUANTITIES
from dashboards.panels import NOTHING

OF_QUANTITY = ("", "_qc", "_qt", "_adj", "_cor")  # value, flag, test bits, corrected value, correction
POINT_TAGS = frozenset({"org", "station", "point"})

MIRRORED: dict[str, frozenset[str]] = {
    "station": frozenset({"org", "station", "name", "label", "waterway", "waterway_name", "commune", "verdict_point", "lat", "lon", "km"}),
    "latest": POINT_TAGS | {"salinity", "fresh", "seen", "flag", "verdict", "name", "waterway", NOTHING},
    "forecast": POINT_TAGS
    | {"target", "lead", "issued", "model", *(f"q{round(100 * q):02d}" for q in QUANTILES), *("p_gt_" + f"{x:g}".replace(".", "_") for x in LINES)},
    "alert": POINT_TAGS | {"kind", "line", "level", "state", "value", "p"},
}


def names_of(measurement: str) -> frozenset[str]:
    """Its tags and fields, empty for a measurement that does not exist."""
    if measurement in MIRRORED:
        return MIRRORED[measurement]
    fields = {q.field + end for q in QUANTITIES.values() if q.measurement == measurement for end in OF_QUANTITY}
    return POINT_TAGS | {"sensor", "rx", *fields} if fields else frozenset()
