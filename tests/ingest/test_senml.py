"""SenML: trials T06 and T12, the rules of RFC 8428, and what is refused with the record, and what with the pack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.errors import DecodeError
from core.quantities import QUANTITIES
from ingest import json_text
from ingest.decoder import Record
from ingest.decoders.senml import UNITS, decode

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
BASE = {"bn": "kl01:", "bt": NOON // 1000}
EC = {"n": "water.ec", "u": "mS/cm", "v": 2.31}
LEVEL = {"n": "water.level", "u": "m", "v": 1.12}


def read(*records: Any) -> list[Record]:
    return decode(json.dumps(records).encode())


def values(*records: Any) -> list[tuple[int | None, dict[str, dict[str, float]]]]:
    return [(r.time, dict(r.channels)) for r in read(*records) if r.channels]


def refused(*records: Any) -> list[tuple[str, str]]:
    return [(f.reason, f.key) for r in read(*records) for f in r.refused]


# ---------------------------------------------------------------- time


def test_fractions_of_a_second() -> None:
    """T06: base time and time add up to the millisecond, and S/m becomes mS/cm."""
    found = values({"bn": "kl01:", "bt": 1772420400.25, "n": "water.ec", "u": "S/m", "v": 0.231}, {"n": "water.level", "u": "m", "v": 1.12, "t": -0.5})
    assert found == [(NOON + 250, {"main": {"water.ec": 2.31}}), (NOON - 250, {"main": {"water.level": 1.12}})]


@pytest.mark.parametrize(
    ("seconds", "ms"), [(1276020076.001, 1276020076001), (1772420400.0009, NOON), (1772420400.9999, NOON + 999), (1772420399.999, NOON - 1)]
)
def test_a_time_is_floored_and_never_a_millisecond_short(seconds: float, ms: int) -> None:
    """A float that stands just below its millisecond is that millisecond; what lies beyond one is cut."""
    assert [time for time, _ in values({"bt": seconds, **EC})] == [ms]
    assert [time for time, _ in values({"bt": 1772420400.974, **EC, "t": 67.962})] == [NOON + 68_936]  # 1772420468.9359999 as a float


def test_a_series_of_times() -> None:
    """Each time of a pack is a record of its own, in the order they come (RFC 8428 §5.1.2)."""
    found = values({**BASE, "bu": "mS/cm", "n": "water.ec", "v": 2.0}, *({"n": "water.ec", "t": -60 * i, "v": 2 + i / 10} for i in (1, 2)))
    assert found == [(NOON - 60_000 * i, {"main": {"water.ec": 2 + i / 10}}) for i in (0, 1, 2)]


@pytest.mark.parametrize("time", [{}, {"t": -300}, {"t": 0}, {"t": 3}, {"bt": 86_400}])
def test_a_time_that_counts_from_arrival(time: dict[str, float]) -> None:
    """Below 2^28 (§4.5.3) it says nothing that a redelivery would not change, and SenML has no number to know it by."""
    assert refused({**EC, **time}) == [("no_identity", "water.ec")]
    assert values({**EC, **time}) == []


@pytest.mark.parametrize("time", [1_772_420_400_000, 1e300, "1772420400", None, True, "2026-03-02T03:00:00Z"])
def test_a_time_that_is_none(time: object) -> None:
    """Milliseconds, text and nonsense cost their record, and its neighbour nothing."""
    assert refused({**EC, "t": time}, {**LEVEL, "t": NOON / 1000}) == [("bad_time", "water.ec")]
    assert values({**EC, "t": time}, {**LEVEL, "t": NOON / 1000}) == [(NOON, {"main": {"water.level": 1.12}})]


def test_two_values_for_one_time() -> None:
    """Neither is dropped here: the last one wins in the store, and that it was written over is counted."""
    assert values({**BASE, **EC}, LEVEL, {**EC, "v": 3}) == [(NOON, {"main": {"water.ec": 2.31, "water.level": 1.12}}), (NOON, {"main": {"water.ec": 3.0}})]


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("quantity", "unit", "value", "ours"),
    [
        ("water.ec", "S/m", 1, 10),
        ("water.ec", "uS/cm", 10_000, 10),
        ("water.ec", "dS/m", 10, 10),
        ("water.ec", "mS/m", 1000, 10),
        ("soil.ec_bulk", "S/m", 0.0184, 0.184),
        ("water.salinity", "mg/L", 5130, 5.13),
        ("water.salinity", "kg/m3", 5.13, 5.13),
        ("water.chloride", "g/L", 0.35, 350),
        ("water.temperature", "K", 301.55, 28.4),
        ("water.level", "mm", -12, -0.012),
        ("soil.moisture", "%", 31, 0.31),
        ("soil.moisture", "/", 0.31, 0.31),
        ("air.humidity", "/", 0.71, 71),
        ("air.humidity", "%RH", 71, 71),
        ("air.pressure", "Pa", 101_325, 1013.25),
        ("air.rain", "m", 0.002, 2),
        ("air.wind_speed", "km/h", 36, 10),
        ("air.wind_direction", "rad", 3.141592653589793, 180),
        ("device.battery", "mV", 3710, 3.71),
        ("device.rssi", "dBW", -127, -97),
        ("water.ph", "pH", 7.1, 7.1),
    ],
)
def test_units(quantity: str, unit: str, value: float, ours: float) -> None:
    """T12: against first principles, u as well as bu."""
    for said in ({"u": unit}, {"bu": unit}, {"bu": "A", "u": unit}):
        ((_, channels),) = values({**BASE, **said, "n": quantity, "v": value})
        assert channels["main"][quantity] == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("unit", ["A", "", "S", "us/cm", "ms/cm", 7, None])
def test_another_unit_or_none(unit: object) -> None:
    """Conductivity in amperes, or in nothing, is not guessed at: the units that are known are named."""
    (record,) = read({**BASE, **EC, "u": unit}, LEVEL)
    assert record.channels == [("main", {"water.level": 1.12})]
    assert [(r.reason, r.key) for r in record.refused] == [("unknown_quantity", "water.ec")]
    assert "mS/cm, S/m" in record.refused[0].text


def test_units_are_of_quantities() -> None:
    """No conversion stands there for a unit nothing has."""
    assert set(UNITS) <= {q.unit for q in QUANTITIES.values()}


def test_base_value_and_base_unit() -> None:
    """They hold until the next ones, and add up before the unit is looked at."""
    first, second = {**BASE, "bu": "S/m", "bv": 0.1, "n": "water.ec", "v": 0.02}, {"n": "water.ec", "t": -60, "v": 0.1}
    found = {time: channels["main"]["water.ec"] for time, channels in values(first, second, {**second, "bv": 0, "t": -120})}
    assert found == pytest.approx({NOON: 1.2, NOON - 60_000: 2.0, NOON - 120_000: 1.0})


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("base", "own", "channel"),
    [
        ("", "water.ec", "main"),
        ("kl01:", "water.ec", "main"),
        ("kl01:d10/", "water.ec", "d10"),
        ("kl01:", "d10/water.ec", "d10"),
        ("kl01:main/water.ec", "", "main"),
        ("urn:dev:mac:0024befffe804ff1:", "d10/water.ec", "d10"),
        ("canal-3/", "water.ec", "canal-3"),
    ],
)
def test_names(base: str, own: str, channel: str) -> None:
    """[device:][channel/]quantity, wherever bn ends: resolving a pack changes nothing (§4.6)."""
    split = {"bn": base, **({"n": own} if own else {})}
    for name in (split, {"n": base + own}):
        assert values({"bt": NOON / 1000, **name, "u": "mS/cm", "v": 2.31}) == [(NOON, {channel: {"water.ec": 2.31}})]


def test_two_devices_in_one_pack() -> None:
    """§5.1.6: a topic is one device's, and another's water must not become its: refused whole, both named; a bad value of the other too."""
    for other in (EC, {**EC, "v": None}):
        with pytest.raises(DecodeError, match="'kl01:' and 'kl02:'") as caught:
            read({**BASE, **EC}, {"bn": "kl02:", **other})
        assert caught.value.reason == "malformed"


@pytest.mark.parametrize("channel", ["D10", "a.b", "d_1", "a/b", "x" * 65])
def test_bad_channels(channel: str) -> None:
    """A channel becomes a point's name, so it is a slug."""
    assert refused({**BASE, **EC, "n": f"{channel}/water.ec"}, LEVEL) == [("bad_channel", channel)]


@pytest.mark.parametrize("name", ["water ec", "-water.ec", "nước.ec", "", 7, "water.ec\n"])
def test_names_the_standard_has_not(name: object) -> None:
    """§4.5.1: refused with the record, its neighbour stays."""
    found = read({"bt": NOON / 1000, **LEVEL}, {**EC, "n": name})
    assert [(r.channels, [f.reason for f in r.refused]) for r in found] == [([("main", {"water.level": 1.12})], ["malformed"])]


def test_unknown_names() -> None:
    """What is none of our quantities is told by its whole name."""
    assert refused({**BASE, "n": "ec", "u": "S/m", "v": 0.2}, EC) == [("unknown_quantity", "kl01:ec")]


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    "value", [{"v": "2.31"}, {"v": True}, {"v": None}, {"vs": "x"}, {"vb": False}, {"vd": "aGkgCg"}, {}, {"s": 3}, {"v": 1, "vs": "x"}, {"v": float("nan")}]
)
def test_what_is_no_number(value: dict[str, Any]) -> None:
    """Text, boolean, data, a sum alone, two at once and NaN are no reading; the neighbour is one."""
    (record,) = read({**BASE, "n": "water.ec", "u": "mS/cm", **value}, LEVEL)
    assert record.channels == [("main", {"water.level": 1.12})]
    assert [(r.reason, r.key) for r in record.refused] == [("not_a_number", "water.ec")]


def test_a_bare_nan() -> None:
    """T01: what C prints for no number costs one value."""
    (record,) = decode(b'[{"bt":1772420400,"n":"water.ec","u":"mS/cm","v":-nan},{"n":"water.level","u":"m","v":1}]')
    assert record.channels == [("main", {"water.level": 1.0})]
    assert [r.reason for r in record.refused] == ["not_a_number"]


def test_what_is_json_costs_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader that forgives takes fifty times as long: it is asked only where the standard's has failed."""
    monkeypatch.setattr(json_text, "_patient", lambda payload: pytest.fail("read with patience"))
    assert values({**BASE, **EC}, LEVEL) == [(NOON, {"main": {"water.ec": 2.31, "water.level": 1.12}})]


def test_beyond_a_float() -> None:
    """Two finite numbers whose sum or conversion is none."""
    assert refused({**BASE, **EC, "bv": 1.7e308, "v": 1.7e308}) == [("not_a_number", "water.ec")]
    assert refused({**BASE, **EC, "u": "S/m", "v": 1.7e308}) == [("not_a_number", "water.ec")]


# ---------------------------------------------------------------- packs


@pytest.mark.parametrize(
    "bad",
    [
        {"bver": 11},
        {"bver": 0},
        {"bver": "10"},
        {"bver": True},
        {"bver": [5]},
        {"bn": 1},
        {"bu": None},
        {"bt": "1772420400"},
        {"bt": float("inf")},
        {"bv": "0"},
        {"needed_": 1},
    ],
)
def test_what_costs_the_pack(bad: dict[str, Any]) -> None:
    """A version or a label that is not understood (§4.4), a base that is none: nothing that follows could be trusted."""
    for pack in ([{**BASE, **EC, **bad}, LEVEL], [{**BASE, **EC}, {**LEVEL, **bad}]):
        with pytest.raises(DecodeError) as caught:
            read(*pack)
        assert caught.value.reason == "malformed"


def test_versions() -> None:
    """One version for a pack, said once or often."""
    assert values({**BASE, "bver": 5, **EC}, LEVEL, {"bver": 5, "n": "water.ph", "u": "pH", "v": 7})
    with pytest.raises(DecodeError, match="different versions"):
        read({**BASE, "bver": 10, **EC}, {"bver": 5, **LEVEL})


def test_what_is_ignored() -> None:
    """Unknown labels, sums, update times, and records that only set a base."""
    assert values({"bn": "kl01:"}, BASE, {**EC, "x": [1], "s": 3, "ut": 60}, {"y": 2}) == [(NOON, {"main": {"water.ec": 2.31}})]


def test_a_bad_element() -> None:
    """An element that is no object costs the others nothing; what is no array is no pack."""
    assert refused({**BASE, **EC}, 7, LEVEL) == [("malformed", "")]
    assert values({**BASE, **EC}, 7, LEVEL) == [(NOON, {"main": {"water.ec": 2.31, "water.level": 1.12}})]
    for payload in (b"{}", b"3", b"null", b'"x"'):
        with pytest.raises(DecodeError):
            decode(payload)


def test_from_message_to_store(line: Any) -> None:
    """T06 on the whole path: each value at its time, its salinity derived, sent again the same; a bad value is a letter, and the next one is read."""
    device = line.fresh()
    line.send(device, json.dumps([{**BASE, "n": "water.ec", "u": "S/m", "v": 0.231}, {**LEVEL, "t": -0.5}, {**EC, "t": 1, "v": "x"}]), leaf="senml")
    line.send(device, json.dumps([{**BASE, **EC}]), leaf="senml")
    line.send(device, json.dumps([{**EC}]), leaf="senml")
    line.send(device, json.dumps([{**BASE, **EC, "t": 60}]), leaf="senml")
    line.work()
    assert [row[:2] for row in line.rows(device)] == [(NOON, 2.31), (NOON + 60_000, 2.31)]
    assert [row[:2] for row in line.rows(device, "water.level")] == [(NOON - 500, 1.12)]
    assert [row[1] for row in line.rows(device, "water.salinity")] == pytest.approx([1.184] * 2, abs=0.01)
    assert line.dead()[-2:] == [("not_a_number", "[2].water.ec"), ("no_identity", "water.ec")]


# ---------------------------------------------------------------- packs of others, read in place


def shared(shared_dir: Path) -> dict[str, Any]:
    file = shared_dir / "codecs" / "senml.json"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def test_packs_to_refuse(shared_dir: Path) -> None:
    """Of a pack that others found wrong nothing is stored, and something is said."""
    for pack in shared(shared_dir)["invalid"]:
        try:
            records = decode(json.dumps(pack["input"]).encode())
        except DecodeError:
            continue
        assert not any(r.channels for r in records), pack["name"]
        assert any(r.refused for r in records), pack["name"]


def test_packs_of_the_standard(shared_dir: Path) -> None:
    """With our names for theirs: every value with a time since 1970 is read, at the time and of the size of the resolved pack, and the others are refused."""
    ours = {"temp": "water.temperature", "temperature": "water.temperature", "ec": "water.ec", "level": "water.level"}
    compared = 0
    for pack in shared(shared_dir)["examples"]:
        records = read(*({**r, "n": ours.get(r["n"], r["n"])} if "n" in r else r for r in pack["input"]))
        found = [(r.time, quantity, value) for r in records for _, channel in r.channels for quantity, value in channel.items()]
        since_1970 = "bt" in pack["input"][0]  # else times count from arrival
        resolved = [(round(r["t"] * 1e6) // 1000, re.split("[:/]", r["n"])[-1], r) for r in pack["resolved"] if since_1970]
        expected = [(time, ours[name], r["v"] * 10 if r["u"] == "S/m" else r["v"]) for time, name, r in resolved if name in ours]
        assert sorted(found) == sorted(expected), pack["name"]
        assert len(found) + sum(len(r.refused) for r in records) == len(pack["resolved"]), pack["name"]
        compared += len(found)
    assert compared >= 5
