"""The quantity registry: rules every entry keeps, since fields, checks, axes and docs are made from it."""

from __future__ import annotations

import re
import unicodedata

import pytest

from core.derived import DERIVED
from core.quantities import ALIASES, QUANTITIES, Quantity

all_quantities = pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)

# UCUM: case-sensitive codes of what is measured here; dBm is the one that UCUM lacks and every radio prints
UNITS = {"mS/cm", "dS/m", "g/L", "mg/L", "Cel", "m", "mm", "m/s", "m3/s", "deg", "m3/m3", "1", "%", "hPa", "V", "[pH]", "{NTU}", "dB", "dBm"}


@all_quantities
def test_name(quantity: Quantity) -> None:
    """`domain.field` in lower case; no field ends like the fields stored beside it, or is one of theirs."""
    assert re.fullmatch(r"(water|soil|air|device)\.[a-z][a-z0-9_]*", quantity.name)
    assert f"{quantity.measurement}.{quantity.field}" == quantity.name
    assert not quantity.field.endswith(("_qc", "_qt", "_adj", "_cor"))
    assert quantity.field not in {"rx", "time", "org", "station", "point", "sensor"}


def test_names_are_unique() -> None:
    """No quantity is defined twice: a field within a measurement means one thing."""
    assert all(name == q.name for name, q in QUANTITIES.items())
    assert len({(q.measurement, q.field) for q in QUANTITIES.values()}) == len(QUANTITIES)


@all_quantities
def test_unit_range_and_decimals(quantity: Quantity) -> None:
    """A known unit, a range with an inside, and as many decimals as a person can read."""
    assert quantity.unit in UNITS
    assert quantity.low < quantity.high
    assert 0 <= quantity.decimals <= 3
    assert quantity.cell_methods in {"time: point", "time: sum", "time: mean"}
    assert quantity.symbol


@all_quantities
def test_labels(quantity: Quantity) -> None:
    """Both languages, composed (NFC), with no space around; the two are not the same words, but for pH."""
    for label in (quantity.vi, quantity.en):
        assert label
        assert label == unicodedata.normalize("NFC", label.strip())
    assert quantity.vi != quantity.en


@pytest.mark.parametrize("field", ["vi", "en"])
def test_labels_tell_quantities_apart(field: str) -> None:
    """No two quantities read the same."""
    labels = [getattr(q, field) for q in QUANTITIES.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("alias", ALIASES)
def test_alias(alias: str) -> None:
    """An alias points to a known quantity by a positive factor, and is not itself the name of one."""
    name, factor = ALIASES[alias]
    assert name in QUANTITIES
    assert factor > 0
    assert alias not in QUANTITIES


@pytest.mark.parametrize(
    ("alias", "value", "expected"),
    [
        ("ec_uS_cm", 10_000, 10.0),
        ("ec_dS_m", 10, 10.0),
        ("ec_mS_m", 1000, 10.0),
        ("ec_S_m", 1, 10.0),
        ("ec_mS_cm", 10, 10.0),
        ("level_cm", 112, 1.12),
        ("discharge_cfs", 1000, 28.316846592),
        ("gate_open_percent", 25, 0.25),
    ],
)
def test_factors_from_first_principles(alias: str, value: float, expected: float) -> None:
    """1 S/m = 10 mS/cm = 10 dS/m = 1000 mS/m = 10,000 µS/cm; a foot is 0.3048 m."""
    assert value * ALIASES[alias][1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("derived", DERIVED, ids=lambda d: d.quantity)
def test_derived_quantities_are_known(derived) -> None:
    """What is derived, and what from, is in the registry."""
    assert {derived.quantity, *derived.sources} <= QUANTITIES.keys()
