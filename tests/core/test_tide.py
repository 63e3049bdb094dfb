"""The astronomical tide against published speeds, the moon's node, a published series, and strict reading of a port's file."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.constituents import CONSTITUENTS, argument, astronomical, nodal
from core.errors import ConfigError
from core.instant import to_ms
from core.tide import PRINCIPAL, Port, daily, level, parse_port, port_of_zone, shipped_ports

ZONE = "Asia/Ho_Chi_Minh"
HOUR_MS = 3_600_000

# degrees an hour: Schureman (1958), table 2
SPEEDS = {
    "SA": 0.0410686, "SSA": 0.0821373, "MM": 0.5443747, "MSF": 1.0158958, "MF": 1.0980331, "2Q1": 12.8542862, "Q1": 13.3986609, "RHO1": 13.4715145,
    "O1": 13.9430356, "P1": 14.9589314, "S1": 15.0, "K1": 15.0410686, "J1": 15.5854433, "OO1": 16.1391017, "2N2": 27.8953548, "MU2": 27.9682084,
    "N2": 28.4397295, "NU2": 28.5125831, "M2": 28.9841042, "LAMBDA2": 29.4556253, "L2": 29.5284789, "T2": 29.9589333, "S2": 30.0, "R2": 30.0410667,
    "K2": 30.0821373, "2SM2": 31.0158958, "M3": 43.4761563, "MN4": 57.4238337, "M4": 57.9682084, "MS4": 58.9841042, "M6": 86.9523127, "M8": 115.9364169,
}  # fmt: skip


def vung_tau() -> Port:
    """The port shipped for the Mekong Delta."""
    found = port_of_zone(ZONE, shipped_ports())
    assert found is not None
    return found


def only(**constituents: tuple[float, float]) -> Port:
    """Vũng Tàu with these constituents alone, about a mean level of 0."""
    return replace(vung_tau(), mean_level_m=0.0, constituents=constituents)


def instants(start: str, hours: float, step_h: float = 1.0) -> NDArray[np.int64]:
    """Instants from a UTC time on."""
    first = to_ms(datetime.fromisoformat(f"{start}T00:00+00:00"))
    return (first + np.arange(0, hours, step_h) * HOUR_MS).astype(np.int64)


@pytest.mark.parametrize("name", sorted(SPEEDS))
def test_each_constituent_has_its_published_speed(name: str) -> None:
    """V grows by Schureman's degrees an hour, to the sixth decimal, over a year."""
    hours = 24 * 365
    longitudes, _ = astronomical(instants("2021-01-01", hours + 1, hours))
    turned = float(np.diff(argument(name, longitudes))[0])  # T is taken modulo a day: whole turns are put back
    missed = (SPEEDS[name] * hours - turned + 180) % 360 - 180
    assert abs(missed) / hours < 6e-7


def test_m2_alone_is_a_cosine_of_12_4206_hours() -> None:
    """The tide of M2 alone repeats after half a lunar day, and its highest is f·H."""
    port, time_ms = only(M2=(0.8, 40.0)), instants("2021-03-01", 24 * 60, 0.05)
    values = level(port, time_ms)
    rising = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    at = rising + values[rising] / (values[rising] - values[rising + 1])
    assert float(at[-1] - at[0]) / (len(at) - 1) * 0.05 == pytest.approx(12.4206, abs=2e-4)
    f = nodal(astronomical(time_ms)[1])["M2"][0]
    assert float(values.max()) == pytest.approx(0.8 * float(f.max()), abs=1e-4)


def test_s2_is_exactly_twelve_hours_and_highest_at_noon_and_midnight_of_its_phase() -> None:
    """S2 with phase 0 is highest at 0 and 12 h UTC, whatever the moon does; 30 degrees later means one hour later."""
    time_ms = instants("2024-02-28", 24 * 400)
    values = level(only(S2=(0.3, 0.0)), time_ms)
    np.testing.assert_allclose(values[12:], values[:-12], atol=1e-9)
    assert values[0] == pytest.approx(0.3)
    np.testing.assert_allclose(level(only(S2=(0.3, 30.0)), time_ms)[1:], values[:-1], atol=1e-9)


def test_springs_come_every_14_77_days_at_new_and_full_moon() -> None:
    """M2 and S2 of one phase are in step when moon and sun are: near the full moon of 2021-04-27 03:31 UTC, and each half synodic month."""
    days = np.arange("2021-01-01", "2023-01-01", dtype="datetime64[D]")
    spread = daily(only(M2=(0.8, 0.0), S2=(0.3, 0.0)), "UTC", days).range
    peaks = np.flatnonzero((spread[1:-1] > spread[:-2]) & (spread[1:-1] >= spread[2:])) + 1
    assert (peaks[-1] - peaks[0]) / (len(peaks) - 1) == pytest.approx(14.765, abs=0.05)
    assert np.abs((days[peaks] - np.datetime64("2021-04-27")).astype(int)).min() <= 1


def test_the_node_of_2006_and_2015() -> None:
    """The moon's ascending node stood at the equinox in June 2006 (major standstill) and half a turn from it in October 2015 (minor one)."""
    major, minor = (nodal(astronomical(instants(day, 1))[1]) for day in ("2006-06-19", "2015-10-08"))
    for name, at_major, at_minor in (("M2", 0.963, 1.037), ("O1", 1.183, 0.806), ("K1", 1.113, 0.882), ("K2", 1.317, 0.748)):  # Schureman's extremes
        assert float(major[name][0][0]) == pytest.approx(at_major, abs=0.012)
        assert float(minor[name][0][0]) == pytest.approx(at_minor, abs=0.012)
        assert abs(float(major[name][1][0])) < 0.5


def test_against_the_published_series_of_vung_tau(shared_dir: Path) -> None:
    """Three years and a half, hourly: within 5 cm rms of the tide another program made of the same source; not shifted by an hour."""
    path = shared_dir / "data" / "tides" / "vung_tau_predicted_hourly_2019_2022.csv.gz"
    if not path.exists():
        pytest.skip(f"no measured data at {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [(to_ms(datetime.fromisoformat(r["time_utc"])), float(r["level_m"])) for r in csv.DictReader(lines)]
    time_ms, theirs = np.array([t for t, _ in rows], dtype=np.int64), np.array([v for _, v in rows])
    ours = level(vung_tau(), time_ms)
    assert float(np.sqrt(np.mean((ours - theirs) ** 2))) < 0.03
    assert float(np.corrcoef(ours, theirs)[0, 1]) > 0.999
    assert abs(float(np.mean(ours - theirs))) < 0.005


def test_days_are_those_of_the_zone() -> None:
    """A day of Vietnam runs from 17 h UTC to 17 h UTC; its extremes are those of its minutes, to 2 mm; days may come in any order."""
    days = np.array(["2021-06-02", "2021-06-01", "2020-02-29"], dtype="datetime64[D]")
    found = daily(vung_tau(), ZONE, days)
    for n, start in enumerate(("2021-06-01", "2021-05-31", "2020-02-28")):
        minutes = level(vung_tau(), instants(start, 24, 1 / 60) + 17 * HOUR_MS)
        assert found.high[n] == pytest.approx(float(minutes.max()), abs=0.002)
        assert found.low[n] == pytest.approx(float(minutes.min()), abs=0.002)
        assert found.mean[n] == pytest.approx(float(minutes.mean()), abs=0.002)
    np.testing.assert_allclose(found.range, found.high - found.low)


def test_a_day_of_23_hours_ends_where_the_next_begins() -> None:
    """Where clocks are put forward the day's own 23 hours are looked at: S1, a pure 24-hour wave, then has a mean that is not 0."""
    days = np.array(["2021-03-27", "2021-03-28", "2021-03-29"], dtype="datetime64[D]")
    mean = daily(only(S1=(1.0, 0.0)), "Europe/Amsterdam", days).mean
    assert abs(mean[0]) < 1e-9
    assert abs(mean[1]) > 0.03
    assert abs(mean[2]) < 1e-9


def test_no_days_no_tide() -> None:
    """An empty request is answered with empty columns."""
    assert daily(vung_tau(), ZONE, np.array([], dtype="datetime64[D]")).high.shape == (0,)
    assert level(vung_tau(), np.array([], dtype=np.int64)).shape == (0,)


def test_the_shipped_port_and_the_zones_it_serves() -> None:
    """Vũng Tàu with its licence and 49 constants; a zone without a port has none."""
    port = vung_tau()
    assert (port.id, port.licence, len(port.constituents)) == ("vung_tau", "CC BY 4.0", 49)
    assert port.constituents["M2"] == (0.7733, 193.77)
    assert port_of_zone("Europe/Amsterdam", shipped_ports()) is None
    assert set(PRINCIPAL) <= set(port.constituents) <= set(CONSTITUENTS)


@pytest.mark.parametrize(("zone", "other"), [("Asia/Saigon", ZONE), (ZONE, "Asia/Saigon"), ("US/Pacific", "America/Los_Angeles")])
def test_a_zone_has_several_names(zone: str, other: str) -> None:
    """The port is found by whichever of them it is given and asked for."""
    port = replace(vung_tau(), zone=other)
    assert port_of_zone(zone, (port,)) is port


def test_places_whose_clocks_agree_are_not_one() -> None:
    """tzdata links Amsterdam to Brussels; the tide of one is not that of the other."""
    assert port_of_zone("Europe/Amsterdam", (replace(vung_tau(), zone="Europe/Brussels"),)) is None
    assert port_of_zone("Asia/Phnom_Penh", (replace(vung_tau(), zone="Asia/Bangkok"),)) is None


GOOD = """[port]
id = "a"
name = "A"
zone = "UTC"
latitude = 10
longitude = 107.0
mean_level_m = 0
datum = "mean sea level"
source = "x"
licence = "CC0"
[constituents]
M2 = [1.0, 0]
S2 = [0.5, 10.0]
K1 = [0.5, 10.0]
O1 = [0.5, 10.0]
"""


def test_a_file_as_small_as_may_be() -> None:
    """Four constituents are enough; whole numbers are numbers."""
    assert parse_port(GOOD).constituents["M2"] == (1.0, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[port]", "[port", "a.toml: "),
        ("[port]", "[harbour]", r"the table \[port\] is missing"),
        ("[constituents]\n", "[constituents]\n[extra]\n", r"the table \[constituents\] is missing"),
        ("[port]", "colour = 1\n[port]", "unknown colour"),
        ('id = "a"', 'id = "a"\ncolour = "brown"', "colour is unknown"),
        ('id = "a"\n', "", "id is missing"),
        ('id = "a"', "id = 3", "id: 3 is not a text"),
        ('zone = "UTC"', 'zone = "Asia/Can_Tho"', "'Asia/Can_Tho' is not an IANA zone"),
        ('zone = "UTC"', 'zone = "../x"', "is not an IANA zone"),
        ("latitude = 10", "latitude = 110", "latitude: 110 is not a number from -90 to 90"),
        ("mean_level_m = 0", "mean_level_m = nan", "mean_level_m: nan"),
        ("mean_level_m = 0", "mean_level_m = true", "mean_level_m: True"),
        ("O1 = [0.5, 10.0]\n", "", "O1 is missing; a tide needs at least M2, S2, K1, O1"),
        ("M2 = [1.0, 0]", "M2 = [1.0]", r"M2: \[1.0\] is not written"),
        ("M2 = [1.0, 0]", "M2 = 1.0", "M2: 1.0 is not written"),
        ("M2 = [1.0, 0]", "M2 = [-1.0, 0]", "M2 amplitude: -1.0"),
        ("M2 = [1.0, 0]", "M2 = [1.0, 361]", "M2 phase: 361"),
        ("M2 = [1.0, 0]", 'M2 = [1.0, "0"]', "M2 phase: '0'"),
        ("M2 = [1.0, 0]", "M2 = [inf, 0]", "M2 amplitude: inf"),
        ("M2 = [1.0, 0]", "M2 = [1.0, 0]\nM1 = [0.1, 0]", "M1 is no constituent known here"),
    ],
)
def test_broken_files(old: str, new: str, words: str) -> None:
    """The error names the file, the key and what is wrong with it."""
    assert old in GOOD
    with pytest.raises(ConfigError, match=words):
        parse_port(GOOD.replace(old, new, 1), source="a.toml")
