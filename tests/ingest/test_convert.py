"""From records to columns: series by the reading's own time, and the quantities derived from others."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingest.convert
from core.batch import Batch
from core.derived import DERIVED, pore_water_ec
from core.flags import CLOCK_BIT
from core.place import FOREVER, Deployment, Device, Station
from core.ports import RegistrySnapshot
from core.seawater import ec25_from_raw, salinity_from_ec
from core.series import SeriesKey, SeriesTable
from ingest.convert import Columns, Layouts
from registry.directory import Directory

NOON = 1_772_420_400_000
HOUR = 3_600_000

Row = tuple[str, str, int, float]  # station/point sensor, quantity, time, value


class Desk:
    """Columns over a registry, with the layouts of the batches before."""

    def __init__(self, *deployments: Deployment) -> None:
        self.table = SeriesTable()
        self.layouts = Layouts(lambda *_: None, self.table)
        self.refused: list[tuple[str, str]] = []
        self.added = 0
        self.register(*deployments)

    def register(self, *deployments: Deployment) -> None:
        devices = {d.device for d in deployments}
        stations = {d.station for d in deployments}
        self.directory = Directory(
            RegistrySnapshot(
                version=1,
                orgs=(),
                devices=tuple(Device(id=d, org="default") for d in sorted(devices)),
                stations=tuple(Station(id=s, org="default", name=s) for s in sorted(stations)),
                deployments=deployments,
                waterways=(),
            )
        )
        self.layouts.clear(self.directory.series_key)

    def columns(self) -> Columns:
        return Columns(self.layouts)

    def add(
        self, columns: Columns, values: dict[str, float], *, time: int = NOON, device: str = "kl01", channel: str = "main", fallen_back: bool = False
    ) -> None:
        self.added += 1
        got = columns.add(device, channel, values, time=time, received=time + 5, at=self.added, fallen_back=fallen_back)
        self.refused += [(r.reason, r.key) for r in got]

    def batch(self, *records: tuple[dict[str, float], int]) -> Batch:
        columns = self.columns()
        for values, time in records:
            self.add(columns, values, time=time)
        return columns.batch()

    def rows(self, batch: Batch) -> list[Row]:
        """In the order of their times; those of one time in the order their series were met."""
        batch = batch.take(np.lexsort((batch.series, batch.time)))
        keys = [self.table.keys[i] for i in batch.series.tolist()]
        return [(f"{k.station}/{k.point} {k.sensor}", k.quantity, t, v) for k, t, v in zip(keys, batch.time.tolist(), batch.value.tolist(), strict=True)]

    def values(self, batch: Batch) -> dict[str, float]:
        return {quantity: value for _, quantity, _, value in self.rows(batch)}


def at(station: str, start: int = 0, end: int = FOREVER, **more: str) -> Deployment:
    return Deployment(**({"device": "kl01", "channel": "main", "point": "main"} | more), station=station, start=start, end=end)  # type: ignore[arg-type] # only texts


# ---------------------------------------------------------------- where


def test_the_station_is_looked_up_by_the_readings_time() -> None:
    """A batch that spans a move: each reading goes to where the device stood then, in any order, on the millisecond."""
    desk = Desk(at("kenh-lau", end=NOON), at("cai-lon", start=NOON))
    times = [NOON - HOUR, NOON, NOON - 1, NOON + HOUR, NOON - 2 * HOUR]
    batch = desk.batch(*(({"water.level": 1.0}, t) for t in times))
    stood = dict(zip(times, ("kenh-lau", "cai-lon", "kenh-lau", "cai-lon", "kenh-lau"), strict=True))
    assert {time: place for place, _, time, _ in desk.rows(batch)} == {time: f"{station}/main kl01" for time, station in stood.items()}
    assert len(batch) == len(times)
    assert batch.received.tolist() == [t + 5 for t in batch.time.tolist()]


def test_a_move_learned_later() -> None:
    """A layout of yesterday's registry is not used after the registry changed."""
    desk = Desk(at("kenh-lau"))
    assert desk.rows(desk.batch(({"water.level": 1.0}, NOON)))[0][0] == "kenh-lau/main kl01"
    desk.register(at("kenh-lau", end=NOON), at("cai-lon", start=NOON))
    assert desk.rows(desk.batch(({"water.level": 1.0}, NOON)))[0][0] == "cai-lon/main kl01"


def test_a_sensor_that_stood_nowhere() -> None:
    """Its values are refused by name; what the device did before and after that time is stored."""
    desk = Desk(at("kenh-lau", end=NOON), at("cai-lon", start=NOON + HOUR))
    batch = desk.batch(*(({"water.level": 1.0, "water.ph": 7.0}, t) for t in (NOON - 1, NOON, NOON + HOUR)))
    assert [(r[0].split("/")[0], r[1]) for r in desk.rows(batch)] == [(s, q) for s in ("kenh-lau", "cai-lon") for q in ("water.level", "water.ph")]
    assert desk.refused == [("not_deployed", "water.level"), ("not_deployed", "water.ph")]


def test_a_channel_nobody_deployed_loses_only_itself() -> None:
    """Depths stay apart; a channel without a place is refused with its name, and the device's own quantities have theirs."""
    desk = Desk(at("ruong", channel="d10", point="d10"), at("ruong", channel="d30", point="d30"))
    columns = desk.columns()
    for channel, value in (("d10", 0.31), ("d30", 0.36), ("d60", 0.4)):
        desk.add(columns, {"soil.moisture": value}, channel=channel)
    desk.add(columns, {"device.battery": 3.7})
    assert desk.rows(columns.batch()) == [
        ("ruong/d10 kl01/d10", "soil.moisture", NOON, 0.31),
        ("ruong/d30 kl01/d30", "soil.moisture", NOON, 0.36),
        ("ruong/device kl01", "device.battery", NOON, 3.7),
    ]
    assert desk.refused == [("not_deployed", "d60/soil.moisture")]


def test_a_mixed_channel_keeps_its_order() -> None:
    """Own and measured quantities in one channel, the measured ones without a place: values stay with their names."""
    desk = Desk(at("ruong", channel="d10", point="d10"))
    columns = desk.columns()
    desk.add(columns, {"water.level": 1.0, "device.battery": 3.7, "water.ec_raw": 2.0, "device.rssi": -97.0})
    assert desk.values(columns.batch()) == {"device.battery": 3.7, "device.rssi": -97.0}
    assert desk.refused == [("not_deployed", "water.level"), ("not_deployed", "water.ec_raw")]


def test_a_check_sensor_keeps_its_role() -> None:
    """Beside the primary at one point it is a series of its own, with role `check`; derived ones too."""
    desk = Desk(at("kenh-lau"), at("kenh-lau", device="kl02", role="check"))
    columns = desk.columns()
    desk.add(columns, {"water.ec": 2.0})
    desk.add(columns, {"water.ec": 2.1}, device="kl02")
    columns.batch()
    roles = {(key.sensor, key.quantity): desk.layouts.roles.get(i, "primary") for i, key in enumerate(desk.table.keys)}
    assert roles == {
        **dict.fromkeys([("kl01", "water.ec"), ("kl01", "water.salinity")], "primary"),
        **dict.fromkeys([("kl02", "water.ec"), ("kl02", "water.salinity")], "check"),
    }


# ---------------------------------------------------------------- derived


def test_the_chain_from_raw() -> None:
    """ec_raw and temperature give ec, and that gives salinity; 1 and 4 g/L are where the tables have them."""
    desk = Desk(at("kenh-lau"))
    got = desk.values(desk.batch(({"water.ec_raw": 2.6, "water.temperature": 31.0}, NOON)))
    ec = float(ec25_from_raw(2.6, 31.0))
    assert got == {"water.ec_raw": 2.6, "water.temperature": 31.0, "water.ec": ec, "water.salinity": float(salinity_from_ec(ec))}
    assert ec < 2.6
    salinity = [desk.values(desk.batch(({"water.ec": ec}, NOON)))["water.salinity"] for ec in (1.964, 7.242)]
    assert salinity == pytest.approx([1.0, 4.0], abs=0.002)


@given(temperature=st.floats(0, 45), ec=st.floats(0.01, 60))
def test_the_waters_temperature_changes_no_salinity(temperature: float, ec: float) -> None:
    """What is compensated already is not compensated twice."""
    desk = Desk(at("kenh-lau"))
    alone = desk.values(desk.batch(({"water.ec": ec}, NOON)))["water.salinity"]
    assert desk.values(desk.batch(({"water.temperature": temperature, "water.ec": ec}, NOON)))["water.salinity"] == alone


def test_what_a_device_sends_itself_is_not_derived_again() -> None:
    """Its own ec and salinity stay; the chain goes on from its own ec."""
    desk = Desk(at("kenh-lau"))
    sent = {"water.ec_raw": 2.6, "water.temperature": 31.0, "water.ec": 9.0}
    assert desk.values(desk.batch((sent, NOON))) == sent | {"water.salinity": float(salinity_from_ec(9.0))}
    sent = {"water.ec": 9.0, "water.salinity": 1.0}
    assert desk.values(desk.batch((sent, NOON))) == sent


def test_nothing_is_derived_from_another_channel() -> None:
    """Conductivity at d10 and temperature at d30 are not of one place."""
    desk = Desk(at("ruong", channel="d10", point="d10"), at("ruong", channel="d30", point="d30"))
    columns = desk.columns()
    desk.add(columns, {"water.ec_raw": 2.6}, channel="d10")
    desk.add(columns, {"water.temperature": 31.0}, channel="d30")
    assert {q for _, q, _, _ in desk.rows(columns.batch())} == {"water.ec_raw", "water.temperature"}


def test_what_is_not_defined_is_left_out() -> None:
    """A negative conductivity is stored and flagged later, but has no salinity; its neighbours have theirs."""
    desk = Desk(at("kenh-lau"))
    batch = desk.batch(({"water.ec": 2.0}, NOON), ({"water.ec": -1566.0}, NOON + 1), ({"water.ec": 3.0}, NOON + 2))
    assert [(q, t - NOON) for _, q, t, _ in desk.rows(batch)] == [
        *[("water.ec", 0), ("water.salinity", 0)],
        ("water.ec", 1),
        *[("water.ec", 2), ("water.salinity", 2)],
    ]
    got = desk.values(desk.batch(({"soil.ec_bulk": 1.0, "soil.moisture": 0.05, "soil.temperature": 28.0}, NOON)))
    assert "soil.ec_pore" not in got
    got = desk.values(desk.batch(({"soil.ec_bulk": 1.0, "soil.moisture": 0.35, "soil.temperature": 28.0}, NOON)))
    assert got["soil.ec_pore"] == float(pore_water_ec(np.array([1.0]), np.array([0.35]), np.array([28.0]))[0])


def test_every_rule_meets_the_batch() -> None:
    """Rows of many layouts in one batch: each derived value equals its formula on its own row, whatever stands around it."""
    desk = Desk(at("kenh-lau"))
    records = [({"water.ec_raw": 1.0 + n, "water.temperature": 20.0 + n} if n % 3 else {"water.ec": 1.0 + n, "water.level": 0.1}, NOON + n) for n in range(30)]
    together = desk.rows(desk.batch(*records))
    assert together == [row for record in records for row in desk.rows(desk.batch(record))]
    assert {d.quantity for d in DERIVED} >= {"water.ec", "water.salinity", "soil.ec_pore"}


# ---------------------------------------------------------------- marks


def test_a_clock_fallen_back_marks_all_of_its_object() -> None:
    """Every row of the object, derived ones too, and no other row."""
    desk = Desk(at("kenh-lau"))
    columns = desk.columns()
    desk.add(columns, {"water.ec": -1.0, "water.level": 1.0}, time=NOON)
    desk.add(columns, {"water.ec": 2.0}, time=NOON + 1, fallen_back=True)
    desk.add(columns, {"water.level": 1.0}, time=NOON + 2)
    batch = columns.batch()
    rows = zip(batch.series.tolist(), batch.time.tolist(), batch.tests.tolist(), strict=True)
    marked = {(desk.table.keys[series].quantity, t - NOON) for series, t, bits in rows if bits == 1 << CLOCK_BIT}
    assert marked == {("water.ec", 1), ("water.salinity", 1)}
    assert sorted(set(batch.tests.tolist())) == [0, 1 << CLOCK_BIT]


def test_where_a_row_came_from() -> None:
    """The place, in the order of arrival, of the message that last gave a row of that identity; whatever the mixture of its values."""
    desk = Desk(at("kenh-lau"))
    columns = desk.columns()
    for place, (time, level) in enumerate([(NOON, 1.0), (NOON + 1, 2.0), (NOON, 3.0)]):
        columns.add("kl01", "main", {"water.ec": 2.0, "water.level": level}, time=time, received=NOON, at=place * 100)
    columns.add("kl01", "main", {"water.ec": 2.5}, time=NOON + 1, received=NOON, at=300)
    columns.batch()
    series = {key.quantity: i for i, key in enumerate(desk.table.keys)}
    assert columns.origin(series["water.level"], NOON) == 200
    assert columns.origin(series["water.salinity"], NOON + 1) == 300
    assert columns.origin(series["water.level"], NOON + 1) == 100
    assert columns.origin(series["water.level"], NOON + 2) is None


def test_nothing_gives_nothing() -> None:
    """No records, no rows."""
    batch = Desk(at("kenh-lau")).columns().batch()
    assert len(batch) == 0
    assert batch.series.dtype == np.int32


def test_mixtures_a_sender_invents_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of its quantities, and channels that stand nowhere: what is remembered is bounded, and every row is right."""
    monkeypatch.setattr(ingest.convert, "_MOST_LAYOUTS", 20)
    desk = Desk(at("ba-lai"))
    for n, names in enumerate(itertools.permutations(["water.ec", "water.level", "water.temperature", "water.turbidity"])):
        values = {name: float(i) for i, name in enumerate(names)}
        columns = desk.columns()
        desk.add(columns, values, time=NOON + n)
        desk.add(columns, values, time=NOON + n, channel=f"c{n}")
        assert values.items() <= desk.values(columns.batch()).items()
    assert len(desk.refused) == 24 * 4
    assert len(desk.layouts._layouts) <= 20
    assert sum(len(form._rows) for form in desk.layouts._forms.values()) <= 20


def test_another_sensor_of_the_same_name_elsewhere() -> None:
    """The device's own quantities go to point `device` of the station where its probes stand, by time."""
    desk = Desk(replace(at("kenh-lau"), end=NOON), replace(at("cai-lon"), start=NOON))
    batch = desk.batch(({"device.battery": 3.7}, NOON - 1), ({"device.battery": 3.6}, NOON))
    assert [(desk.table.keys[i], t - NOON) for i, t in zip(batch.series.tolist(), batch.time.tolist(), strict=True)] == [
        (SeriesKey("default", station, "device", "kl01", "device.battery"), at) for station, at in (("kenh-lau", -1), ("cai-lon", 0))
    ]
