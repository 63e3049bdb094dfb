"""What is derived inherits its sources' flags; what a device sent by itself does not, whatever stands beside it."""

from __future__ import annotations

import numpy as np

from core.batch import Batch
from core.flags import INHERITED_BIT
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules, parse

CONFIG = parse({"range": {"water.temperature": {"suspect_low": 15.0, "suspect_high": 40.0}}})
T0 = 1_772_420_400_000


def flags(rows: list[tuple[str, int, float]]) -> dict[tuple[str, int], tuple[int, bool]]:
    """{(quantity, time): (flag, whether it was inherited)} of rows of one sensor."""
    names = sorted({name for name, _, _ in rows})
    keys = [SeriesKey("default", "s", "main", "kl01", name) for name in names]
    batch = Batch.of([names.index(n) for n, _, _ in rows], [T0 + t for _, t, _ in rows], [v for _, _, v in rows]).last_wins()
    found, bits = judge(batch, Rules(CONFIG, keys))
    inherited = (bits >> np.int64(INHERITED_BIT)) & 1
    return {(names[s], int(t) - T0): (int(f), bool(i)) for s, t, f, i in zip(batch.series, batch.time, found, inherited, strict=True)}


def test_a_conductivity_sent_by_itself_does_not_inherit_from_the_thermometer() -> None:
    """`water.ec` comes of raw value and temperature: without the raw value it was sent, not derived."""
    found = flags([("water.ec", 0, 2.0), ("water.temperature", 0, 12.0), ("water.salinity", 0, 1.0)])
    assert found[("water.temperature", 0)] == (3, False)
    assert found[("water.ec", 0)] == (1, False)
    assert found[("water.salinity", 0)] == (1, False)


def test_a_derived_conductivity_inherits_and_hands_it_on() -> None:
    """From the thermometer to conductivity to salinity."""
    found = flags([("water.ec_raw", 0, 2.0), ("water.temperature", 0, 12.0), ("water.ec", 0, 2.6), ("water.salinity", 0, 1.4)])
    assert found[("water.ec", 0)] == found[("water.salinity", 0)] == (3, True)


def test_only_at_the_same_time() -> None:
    """A raw value of another time makes no derivation."""
    found = flags([("water.ec_raw", 1, 2.0), ("water.temperature", 0, 12.0), ("water.ec", 0, 2.6), ("water.ec", 1, 2.6), ("water.temperature", 1, 28.0)])
    assert found[("water.ec", 0)] == (1, False)
    assert found[("water.ec", 1)] == (1, False)


def test_a_salinity_is_no_better_than_the_raw_conductivity_beside_it() -> None:
    """One cell: where raw conductivity fails, a salinity of the device's own is bad too, also without a temperature, and conductivity that was sent is not."""
    found = flags([("water.ec_raw", 0, -1.0), ("water.ec", 0, 0.1), ("water.salinity", 0, 0.05)])
    assert found[("water.salinity", 0)] == (4, True)
    assert found[("water.ec", 0)] == (1, False)
