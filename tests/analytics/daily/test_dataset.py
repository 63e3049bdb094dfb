"""A dataset's TOML and its CSV files: what they mean by days, and every mistake in one clear line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tomllib
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sets import DRIVERS, HEAD, LONG, Row, Season, long, read, season, wide, without

from adapters.csv_columns import read_columns
from analytics.daily.columns import readings
from analytics.daily.dataset import Dataset
from analytics.daily.panel import Daily
from analytics.daily.spec import Columns, parse_spec
from core.errors import CanhManError, ConfigError
from core.seawater import salinity_from_ec
from core.table import Table

ARRAYS = ("target", "high", "low", "mean", "last", "evening")
WIDE = '[target]\nfile = "wide.csv.gz"\ntime = "time"\ncolumns = { an = "an", binh = "binh", cai = "cai" }\nunit = "g/L"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one season."""
    folder = tmp_path_factory.mktemp("made")
    season().write(folder)
    return folder


def equal(one: Daily, other: Daily) -> bool:
    """To the bit, drivers too."""
    assert one.drivers.keys() == other.drivers.keys()
    parts = [(getattr(one, key), getattr(other, key)) for key in ARRAYS] + [(one.drivers[name], other.drivers[name]) for name in one.drivers]
    return one.stations == other.stations and one.days.tolist() == other.days.tolist() and all(a.tobytes() == b.tobytes() for a, b in parts)


def of(folder: Path, rows: list[Row], text: str) -> Dataset:
    """A dataset of these rows alone."""
    long(folder / "salinity.csv", "salinity", rows)
    return read(folder, text)


# ------------------------------------------------------------ what a day holds


def test_a_day_is_its_readings(tmp_path: Path) -> None:
    """Highest, lowest, mean, last and evening; a day with any reading counts; one without is NaN; days have no gap."""
    rows = [("an", f"2021-04-01 {h:02d}:00", v) for h, v in ((7, 2.0), (1, 1.0), (16, 4.0), (23, 3.0))]
    rows += [("an", "2021-04-03 05:00", 8.0), ("binh", "2021-04-03 05:00", 9.0)]
    found = of(tmp_path, rows, HEAD + LONG).daily
    assert (found.stations, found.days.astype(str).tolist()) == (("an", "binh"), ["2021-04-01", "2021-04-02", "2021-04-03"])
    assert {key: getattr(found, key)[0, 0] for key in ARRAYS} == {"target": 4, "high": 4, "low": 1, "mean": 2.5, "last": 3, "evening": 3.5}
    assert all(np.isnan(getattr(found, key)[1]).all() for key in ARRAYS)
    assert found.high[2].tolist() == [8, 9]
    assert found.course is not None
    assert {n: v for n, v in enumerate(found.course[:, 0, 0].tolist()) if v == v} == {0: 1.0, 3: 2.0, 8: 4.0, 11: 3.0}
    assert np.isnan(found.evening[2, 0])  # `an` is read several times a day, and this evening it was not


def test_one_value_a_day_is_every_value_of_the_day(tmp_path: Path) -> None:
    """A station read once a day, at whatever hour: highest, lowest, mean, last and evening are that value."""
    found = of(tmp_path, [("an", "2021-04-01 06:30", 2.0), ("an", "2021-04-02", 3.0)], HEAD + LONG).daily
    assert all(getattr(found, key).tolist() == [[2.0], [3.0]] for key in ARRAYS)


def test_a_later_day_tells_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    """A station read once a day that is read twice on its last: no column of the days before moves."""
    rows = [("an", f"2021-04-{day:02d} 07:00", float(day)) for day in range(1, 11)]
    before, after = of(tmp_path, rows, HEAD + LONG).daily, of(tmp_path, [*rows, ("an", "2021-04-10 09:00", 99.0)], HEAD + LONG).daily
    assert all(getattr(before, key)[:-1].tobytes() == getattr(after, key)[:-1].tobytes() for key in ARRAYS)
    assert np.isnan(after.evening[-1, 0])


@pytest.mark.parametrize(("daily", "value"), [("max", 4.0), ("min", 1.0), ("mean", 2.5)])
def test_daily_chooses_the_target(tmp_path: Path, daily: str, value: float) -> None:
    """daily = max, min or mean."""
    rows = [("an", f"2021-04-01 {h:02d}:00", v) for h, v in ((7, 2.0), (1, 1.0), (16, 4.0), (23, 3.0))]
    assert of(tmp_path, rows, f'{HEAD}{LONG}daily = "{daily}"\n').daily.target[0, 0] == value


def test_long_and_wide_are_the_same(made: Path, tmp_path: Path) -> None:
    """The same numbers in long form, in wide form (gzipped), and in long form in any order of rows."""
    rows = season().salinity
    wide(tmp_path / "wide.csv.gz", rows)
    first = read(made, HEAD + LONG)
    second = read(tmp_path, HEAD + WIDE)
    shuffled = of(tmp_path, [rows[i] for i in np.random.default_rng(1).permutation(len(rows))], HEAD + LONG)
    assert equal(first.daily, second.daily)
    assert equal(first.daily, shuffled.daily)
    assert first.rows.value.tobytes() == second.rows.value.tobytes() == shuffled.rows.value.tobytes()
    assert len(first.rows.value) == len(rows)


def test_stations_choose_columns_of_the_whole(made: Path) -> None:
    """`stations` leaves the others out and changes nothing of those that stay; `score_stations` leaves all in."""
    whole = read(made, HEAD + LONG)
    part = read(made, HEAD + LONG + 'stations = ["cai", "an"]\n')
    assert part.daily.stations == ("an", "cai")
    assert part.daily.target.tobytes() == np.ascontiguousarray(whole.daily.target[:, [0, 2]]).tobytes()
    assert set(part.rows.station.tolist()) == {0, 1}
    scored = read(made, 'score_stations = ["binh"]\n' + HEAD + LONG)
    assert (scored.scored, scored.daily.stations) == (("binh",), ("an", "binh", "cai"))


def test_names_are_compared_as_they_look(tmp_path: Path) -> None:
    """An accent composed or not, a blank at the end: one station."""
    rows = [("Kênh Lầu", "2021-04-01", 1.0), ("Ke\u0302nh La\u0302\u0300u ", "2021-04-02", 2.0)]
    found = of(tmp_path, rows, HEAD + LONG + 'stations = ["Ke\u0302nh Lầu"]\n')
    assert found.daily.target.tolist() == [[1.0], [2.0]]


def test_no_station_is_called_as_all_are(tmp_path: Path) -> None:
    """`*` is all stations together in the scores."""
    with pytest.raises(ConfigError, match=r"made.toml: \[target\]: a station of salinity.csv is called '\*', as all together are in the scores"):
        of(tmp_path, [("*", "2021-04-01", 1.0)], HEAD + LONG)


SPELT = ("US/CM", "uS/cm @25C", "uS/cm at 25 °C", "microS/cm", "microsiemens/cm", "μS.cm-1", "µS cm⁻¹", "Microsiemens per centimetre")  # all of them µS/cm


@pytest.mark.parametrize("unit", ["uS/cm", "µS/cm", "μS/cm", "mS/cm", "dS/m", "S/m", "mS/m", "S/cm", "us/cm", "µmhos/cm", "mmho/cm", *SPELT])
def test_conductivity_becomes_salinity(tmp_path: Path, unit: str) -> None:
    """12.5 mS/cm at 25 °C in whatever unit is the same salinity in g/L; below zero is no measurement, and that is told."""
    shown = dict.fromkeys(SPELT, 12500) | {
        "uS/cm": 12500,
        "µS/cm": 12500,
        "μS/cm": 12500,
        "mS/cm": 12.5,
        "dS/m": 12.5,
        "S/m": 1.25,
        "mS/m": 1250,
        "S/cm": 0.0125,
        "us/cm": 12500,
        "µmhos/cm": 12500,
        "mmho/cm": 12.5,
    }
    found = of(tmp_path, [("an", "2021-04-01", shown[unit]), ("an", "2021-04-02", -1.0), ("an", "2021-04-03", 0.0)], HEAD + LONG.replace("g/L", unit))
    assert found.unit == "g/L"
    assert found.daily.target[0, 0] == pytest.approx(float(salinity_from_ec(12.5)), rel=1e-12)
    assert np.isnan(found.daily.target[1, 0])
    assert found.notes == ("1 conductivities below zero are left out",)


@pytest.mark.parametrize("unit", ["mile", "m", "cm", "°C", "EC", "uS/cm @20C"])
def test_other_units_are_kept(tmp_path: Path, unit: str) -> None:
    """A value of another unit is as it stands, below zero too; that nothing is converted is told, with what would be."""
    found = of(tmp_path, [("an", "2021-04-01", -2.5)], HEAD + LONG.replace("g/L", unit))
    assert (found.unit, found.daily.target.tolist()) == (unit, [[-2.5]])
    told = f"unit {unit} is not one that is converted (known: uS/cm, mS/cm, dS/m, S/m, mS/m, S/cm): values are kept as they are"
    assert found.notes == (told,)


@pytest.mark.parametrize("unit", ["g/L", "g/l", "mg/L", "psu", "‰", "kg m-3"])
def test_a_concentration_below_zero_is_no_measurement(tmp_path: Path, unit: str) -> None:
    """It is left out as conductivities are, and that is told; any other value is as it stands."""
    found = of(tmp_path, [("an", "2021-04-01", 2.5), ("an", "2021-04-02", -0.1), ("an", "2021-04-03", 0.0)], HEAD + LONG.replace("g/L", unit))
    assert found.unit == unit
    np.testing.assert_array_equal(found.daily.target[:, 0], [2.5, np.nan, 0.0])
    assert found.notes == ("1 concentrations below zero are left out",)


def test_a_conductivity_no_water_has_is_left_out(tmp_path: Path) -> None:
    """Microsiemens called millisiemens: TEOS-10 would make fresh water of 12,500 mS/cm."""
    found = of(tmp_path, [("an", f"2021-04-0{n}", v) for n, v in enumerate((1.25, 12500, 12.5), 1)], HEAD + LONG.replace("g/L", "mS/cm"))
    assert np.isnan(found.daily.target).tolist() == [[False], [True], [False]]
    assert found.notes == ("1 conductivities over 400 mS/cm, more than any water has, are left out: is the unit right?",)


# ------------------------------------------------------------ numbers that stand for nothing


@pytest.mark.parametrize("unit", ["g/L", "mg/L", "uS/cm", "m", "°C"])
@pytest.mark.parametrize("fill", ["-9999", "-999.00", "-99999", "-32767", "9.96921e36", "1e20", "-3.4028235e38", "1e300"])
def test_a_fill_value_is_no_measurement(tmp_path: Path, unit: str, fill: str) -> None:
    """Left out of training and test, in whatever unit; one note names and counts it."""
    cells = ["2", fill, "3", fill]
    text = "station,time,salinity\n" + "".join(f"an,2021-04-{28 + n},{cell}\n" for n, cell in enumerate(cells[:3])) + f"an,2021-05-02,{fill}\n"
    (tmp_path / "salinity.csv").write_text(text)
    found = read(tmp_path, HEAD + LONG.replace("g/L", unit))
    assert np.flatnonzero(np.isfinite(found.daily.target[:, 0])).tolist() == [0, 2]
    assert found.notes[0] == f"fill values of salinity.csv, no measurements, are left out: {float(fill):.10g} (2 times)"


@pytest.mark.parametrize(("unit", "kept"), [("g/L", False), ("mg/L", True), ("mS/cm", False), ("uS/cm", True), ("mile", True)])
def test_nines_above_zero_may_be_measured(tmp_path: Path, unit: str, kept: bool) -> None:
    """9,999 is more than any water has in g/L or mS/cm, and nothing strange in mg/L or µS/cm."""
    found = of(tmp_path, [("an", f"2021-04-0{n}", v) for n, v in enumerate((1.0, 9999.0, 1.0), 1)], HEAD + LONG.replace("g/L", unit))
    assert bool(np.isfinite(found.daily.target[1, 0])) is kept
    assert any("9999 (once)" in note for note in found.notes) is not kept


def test_fill_values_of_a_driver(tmp_path: Path) -> None:
    """A river of -9999 was not measured; one that flows upstream at 12,000 may have done so at 9,999: its own training days tell."""
    kept = season()
    for least, left in ((5.0, True), (-12000.0, False)):
        river = tuple((s, t, -9999.0 if n % 9 == 0 else least if n == 20 else v) for n, (s, t, v) in enumerate(kept.river))
        Season(salinity=kept.salinity, level=kept.level, river=river).write(tmp_path)
        found = read(tmp_path, HEAD + LONG + DRIVERS)
        assert np.isnan(found.daily.drivers["discharge"][0, 0]) == left
        assert (found.notes == (f"fill values of river.csv, no measurements, are left out: -9999 ({len(river[::9])} times)",)) is left


def test_later_days_do_not_tell_what_a_fill_value_is(tmp_path: Path) -> None:
    """Whatever comes after train_until, what is known of the days before it stays."""
    rows = [("an", "2021-04-01", -1.0), ("an", "2021-04-02", -999.0), ("an", "2021-04-03", 2.0)]
    for later in (3.0, -800.0, -999.0):
        found = of(tmp_path, [*rows, ("an", "2021-05-20", later)], HEAD + LONG.replace("g/L", "mm")).daily.target[:3, 0]
        np.testing.assert_array_equal(found, [-1.0, np.nan, 2.0])


def test_a_column_without_values_is_told(tmp_path: Path) -> None:
    """It is no station, and one note names all of them."""
    text = "time,an,binh,cai\n" + "".join(f"2021-04-0{n},,2.0,NA\n" for n in range(1, 5))
    (tmp_path / "wide.csv.gz").write_bytes(gzip.compress(text.encode()))
    found = read(tmp_path, HEAD + WIDE)
    assert found.daily.stations == ("binh",)
    assert found.notes == ("without any value in wide.csv.gz, and left out: an, cai",)


def test_all_stations_may_be_said(made: Path) -> None:
    """stations = "all" of a target is what it is of a driver, and what is meant where it is left out."""
    assert equal(read(made, HEAD + LONG).daily, read(made, HEAD + LONG + 'stations = "all"\n').daily)


def test_the_last_of_two_counts(tmp_path: Path) -> None:
    """The same station and time twice, also in two ways of writing it: the last in the file, and it is told."""
    rows = [("an", "2021-04-01 07:00", 9.0), ("binh", "2021-04-01 07:00", 5.0), ("an", "2021-04-01T00:00:00Z", 2.0), ("an", "2021-04-01 09:00", 1.0)]
    found = of(tmp_path, rows, HEAD + LONG)
    assert found.daily.high.tolist() == [[2.0, 5.0]]
    assert found.notes == ("1 values repeat a station and time of salinity.csv: the last of each counts",)


def test_empty_cells_are_nothing(tmp_path: Path) -> None:
    """Blank, NA, NaN, null: nothing was measured, which is no mistake."""
    text = "station,time,salinity\n" + "".join(f"an,2021-04-0{n},{cell}\n" for n, cell in enumerate(("1.5", "", " NA ", "nan", "NULL", "2"), 1))
    (tmp_path / "salinity.csv").write_text(text)
    found = read(tmp_path, HEAD + LONG)
    assert np.flatnonzero(np.isfinite(found.daily.target[:, 0])).tolist() == [0, 5]


@pytest.mark.parametrize("comma", [";", "\t"])
def test_files_of_a_spreadsheet(tmp_path: Path, comma: str) -> None:
    """Semicolons or tabs with decimal commas, a mark before the first letter, lines of Windows."""
    cells = [("station", "time", "salinity"), ("Trạm", "2021-04-01 01:00", "1,8"), ("Trạm", "2021-04-01 03:00", "13.3")]
    (tmp_path / "salinity.csv").write_bytes("\r\n".join(comma.join(row) for row in cells).encode("utf-8-sig"))
    found = read(tmp_path, HEAD + LONG)
    assert (found.daily.stations, found.daily.low.tolist(), found.daily.high.tolist()) == (("Trạm",), [[1.8]], [[13.3]])


def zipped(data: bytes, *names: str) -> bytes:
    """A zip with this in each of its files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names or ("folder/", "folder/salinity.csv"):
            file.writestr(name, b"" if name.endswith("/") else data)
    return whole.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zipped], ids=["gzip", "xz", "bzip2", "zip"])
def test_packed_files(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A table is read through what it is packed in, whatever its name; one cut short is told."""
    packed = pack(b"station,time,salinity\nan,2021-04-01,1.5\n")
    (tmp_path / "salinity.csv").write_bytes(packed)
    assert read(tmp_path, HEAD + LONG).daily.target.tolist() == [[1.5]]
    (tmp_path / "salinity.csv").write_bytes(packed[:-9])
    with pytest.raises(CanhManError, match=r"^salinity.csv is cut short or broken"):
        read(tmp_path, HEAD + LONG)


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    """Above the names of the columns, between rows, and the empty rows a spreadsheet leaves; a mistake is found in its line nonetheless."""
    text = "\n  \nstation;time;salinity\n\nan;2021-04-01;1,5\n;;\n   \nan;2021-04-02;2\n;;\n;;;;\n"
    (tmp_path / "salinity.csv").write_text(text)
    assert read(tmp_path, HEAD + LONG).daily.target.tolist() == [[1.5], [2.0]]
    (tmp_path / "salinity.csv").write_text(text + "an;2021-04-03;wet\n")
    with pytest.raises(ConfigError, match=r"salinity.csv line 11, column salinity"):
        read(tmp_path, HEAD + LONG)


def test_a_wide_empty_row_costs_no_more_than_its_length(tmp_path: Path) -> None:
    """A sheet's 16,384 empty cells above the names took seconds, ten times as many minutes."""
    (tmp_path / "salinity.csv").write_text(";" * 163_840 + "\n;station;time;salinity\n;an;2021-04-01;1,5\n")
    assert read(tmp_path, HEAD + LONG).daily.target.tolist() == [[1.5]]


def test_what_stands_in_quotes_parts_no_columns(tmp_path: Path) -> None:
    """Names of columns with commas in a file of semicolons."""
    (tmp_path / "salinity.csv").write_text('station;time;"highest, of the day, at 1 m, ‰"\nan;2021-04-01;1,5\n')
    text = without(HEAD + LONG, {'value = "salinity"': 'value = "highest, of the day, at 1 m, ‰"'})
    assert read(tmp_path, text).daily.target.tolist() == [[1.5]]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_columns_are_compared_as_they_look(tmp_path: Path, form: Literal["NFC", "NFD"]) -> None:
    """An accent composed or not, a blank around: one column, in the file and in the TOML."""
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    (tmp_path / "salinity.csv").write_text(f"station,time, {unicodedata.normalize(form, 'Độ mặn')} \nan,2021-04-01,1.5\n", "utf-8")
    text = without(HEAD + LONG, {'value = "salinity"': f'value = "{unicodedata.normalize(other, "Độ mặn")} "'})
    assert read(tmp_path, text).daily.target.tolist() == [[1.5]]


# ------------------------------------------------------------ local days

ZONES = ("UTC", "Asia/Ho_Chi_Minh", "Europe/Amsterdam", "America/Los_Angeles")
MOMENTS = st.builds(
    lambda seconds, zone: datetime.fromtimestamp(seconds, ZoneInfo(zone)), st.integers(631_152_000, 2_524_608_000), st.sampled_from(ZONES)
)  # 1990 to 2049


@given(moments=st.lists(MOMENTS, min_size=1, max_size=20), zone=st.sampled_from(ZONES))
def test_days_are_local_days(moments: list[datetime], zone: str) -> None:
    """A time with a zone lies on the day the clock on the wall of `timezone` shows, whatever zone it is written in."""
    cells = [m.isoformat() for m in moments]
    table = Table(file="x.csv", header=("t", "v"), columns={"t": cells, "v": ["1"] * len(cells)}, lines=range(len(cells)), decimal_comma=False)
    found = readings(Columns(file="x.csv", time="t", wide={"a": "v"}), "x", zone, lambda file, wanted: table)
    local = [m.astimezone(ZoneInfo(zone)) for m in moments]
    assert found.day.astype("datetime64[D]").astype(str).tolist() == [str(m.date()) for m in local]
    assert found.hour.tolist() == [m.hour for m in local]
    assert found.time.tolist() == [int(m.timestamp() // 1) for m in moments]


def test_days_when_the_clocks_change(tmp_path: Path) -> None:
    """The day of 23 hours and that of 25 hold what lies between their midnights."""
    text = without(HEAD, {"Asia/Ho_Chi_Minh": "Europe/Amsterdam"}) + LONG
    ends = {"2021-03-27T22:59:59Z": 27, "2021-03-27T23:00:00Z": 28, "2021-03-28T21:59:59Z": 28, "2021-03-28T22:00:00Z": 29}
    ends |= {"2021-10-30T21:59:59Z": 30, "2021-10-30T22:00:00Z": 31, "2021-10-31T22:59:59Z": 31, "2021-10-31T23:00:00Z": 1}
    for n, (time, day) in enumerate(ends.items()):
        found = of(tmp_path, [("an", time, float(n))], text)
        assert found.daily.days[0].astype(object).day == day, time
    naive = of(tmp_path, [("an", f"2021-10-31 0{h}:30:00", float(h)) for h in range(4)], text)
    assert (len(naive.daily.days), naive.daily.mean[0, 0]) == (1, 1.5)


# ------------------------------------------------------------ drivers


def test_drivers_wide_and_long(made: Path) -> None:
    """A wide driver bears on all; rows of a long one on the target of the same name; each is the mean of the day."""
    found = read(made, HEAD + LONG + DRIVERS).daily
    flow = {time: value for _, time, value in season().river}
    assert found.drivers["discharge"][:, 1].tolist() == [flow[str(day)] for day in found.days]
    assert set(found.drivers) == {"discharge", "level"}
    first = [v for s, t, v in season().level if s == "binh" and t.startswith(str(found.days[7]))]
    assert found.drivers["level"][7, 1] == pytest.approx(np.mean(first), abs=1e-9)


def test_a_long_driver_for_all(made: Path) -> None:
    """stations = "all": every row's station becomes a driver of all targets; a list bears on those alone."""
    text = without(DRIVERS, {'name = "level"\n': 'name = "level"\nstations = "all"\n', '"q" }\nstations = "all"': '"q" }\nstations = ["cai"]'})
    found = read(made, HEAD + LONG + text).daily
    assert set(found.drivers) == {"discharge", "level.an", "level.binh", "level.cai"}
    assert np.isfinite(found.drivers["discharge"]).any(axis=0).tolist() == [False, False, True]
    assert (found.drivers["level.an"][:, 0] == found.drivers["level.an"][:, 2]).all()


def test_one_driver_from_two_rivers(made: Path) -> None:
    """The same name may be told for different stations; twice for one station is a mistake."""
    second = DRIVERS.split("[[driver]]")[1]
    two = [without(second, {'stations = "all"': f"stations = {names}"}) for names in ('["an"]', '["binh", "cai"]')]
    found = read(made, HEAD + LONG + "".join(f"[[driver]]{t}" for t in two)).daily
    assert np.isfinite(found.drivers["discharge"]).all()
    with pytest.raises(ConfigError, match=r"made.toml: \[\[driver\]\] 2: discharge is told twice for an"):
        read(made, HEAD + LONG + f"[[driver]]{second}[[driver]]{second}")


def test_a_driver_of_other_years_is_told(made: Path, tmp_path: Path) -> None:
    """No value on the days of the target is no mistake, and is told."""
    kept = season()
    Season(salinity=kept.salinity, level=kept.level, river=tuple((s, f"19{t[2:]}", v) for s, t, v in kept.river)).write(tmp_path)
    assert "discharge of river.csv has no value on the days of the target" in read(tmp_path, HEAD + LONG + DRIVERS).notes
    assert not read(made, HEAD + LONG + DRIVERS).notes


# ------------------------------------------------------------ mistakes

LEVEL = "[[driver]]" + DRIVERS.split("[[driver]]")[2]
MISTAKES = {
    "unknown key": ({"timezone": "time_zone"}, ["made.toml", "'time_zone'", "timezone"]),
    "unknown key of the target": ({'unit = "g/L"': 'units = "g/L"'}, ["[target]", "'units'", "unit"]),
    "unknown key of a driver": ({'name = "level"': 'label = "level"'}, ["[[driver]] 2", "'label'", "known are"]),
    "a key below its table": ({'unit = "g/L"': 'unit = "g/L"\ntest_until = 2021-06-30'}, ["[target]", "'test_until'", "above [target]"]),
    "no target": ({LONG: ""}, ["made.toml", "[target] is missing"]),
    "no time": ({'time = "time"\nstation': "station"}, ["[target]", "time is missing"]),
    "no value": ({'value = "salinity"\n': ""}, ["[target]", "value is missing", "columns"]),
    "both forms": ({'unit = "g/L"': 'unit = "g/L"\ncolumns = { an = "an" }'}, ["columns (wide form)", "station (long form)"]),
    "a driver without a name": ({'name = "level"\n': ""}, ["[[driver]] 2", "name is missing"]),
    "no such zone": ({"Asia/Ho_Chi_Minh": "Asia/Can_Tho"}, ["timezone", "'Asia/Can_Tho'", "Asia/Ho_Chi_Minh"]),
    "thresholds": ({"[1.0, 4.0]": '["1 g/L"]'}, ["thresholds", "1 g/L", "[0.5, 1.0, 2.0, 4.0]"]),
    "leads": ({"[1, 3]": "[0, 3]"}, ["leads_days", "0", "1 to 366"]),
    "half a lead": ({"[1, 3]": "[1.5]"}, ["leads_days", "1.5"]),
    "not a day": ({"2021-04-30": '"30/4/2021"'}, ["train_until", "30/4/2021", "2021-12-31"]),
    "no end of training": ({"train_until = 2021-04-30\n": ""}, ["train_until is missing", "--train-until"]),
    "overlap": ({"2021-04-30": "2021-05-01"}, ["train_until 2021-05-01", "test_from 2021-05-01", "learned from"]),
    "a test that ends before it begins": ({"test_from": "test_until = 2021-04-01\ntest_from"}, ["test_until 2021-04-01", "test_from 2021-05-01"]),
    "daily": ({'unit = "g/L"': 'unit = "g/L"\ndaily = "median"'}, ["daily", "'median'", "max, min, mean"]),
    "missing column": ({'value = "salinity"': 'value = "salt"'}, ["[target]", "value = 'salt'", "salinity.csv", "station, time, salinity"]),
    "missing column of a driver": ({'"q"': '"flow"'}, ["[[driver]] 1", "columns.discharge = 'flow'", "river.csv", "time, q"]),
    "no such station": ({'unit = "g/L"': 'unit = "g/L"\nstations = ["an", "ben"]'}, ["[target] stations", "'ben'", "an, binh, cai"]),
    "no such station to score": ({'name = "made"': 'name = "made"\nscore_stations = ["ben"]'}, ["score_stations", "'ben'", "an, binh, cai"]),
    "no such station of a driver": ({'stations = "all"': 'stations = ["ben"]'}, ["[[driver]] 1 stations", "'ben'"]),
    "one bracket": ({"[[driver]]\nfile = \"river.csv\"": "[driver]\nfile = \"river.csv\"", LEVEL: ""}, ["driver", "two brackets"]),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_clear_line(made: Path, changes: dict[str, str], told: list[str]) -> None:
    """The file, the key, the value and the way out."""
    with pytest.raises(ConfigError) as refused:
        read(made, without(HEAD + LONG + DRIVERS, changes))
    assert "\n" not in str(refused.value)
    assert all(word in str(refused.value) for word in [*told, "made.toml"]), refused.value


CELLS = {
    "time": ("an,1/4/2021 7h,2.0", ["salinity.csv line 3, column time", "'1/4/2021 7h'", "2022-03-01 07:00"]),
    "a year that cannot be": ("an,0202-04-01,2.0", ["line 3, column time", "'0202-04-01'"]),
    "no time": ("an,,2.0", ["line 3, column time", "''"]),
    "number": ("an,2021-04-02,<0.1", ["line 3, column salinity", "'<0.1'", "leave the cell empty"]),
    "infinite": ("an,2021-04-02,1e999", ["line 3, column salinity", "'1e999'"]),
    "decimal comma among commas": ('an,2021-04-02,"2,5"', ["line 3, column salinity", "'2,5'"]),
    "no station": (",2021-04-02,2.0", ["line 3, column station", "names no station"]),
    "a cell too many": ("an,2021-04-02,2,5", ["line 3", "4 cells", "3 columns"]),
    "an open quote": ('an,2021-04-02,"2', ["line 3", "no CSV"]),
    "an open quote above other lines": ('an,2021-04-02,"2\nan,2021-04-03,2.0\nan,2021-04-04,2.0', ["line 3", "no CSV"]),
}


@pytest.mark.parametrize(("row", "told"), CELLS.values(), ids=CELLS.keys())
def test_a_cell_that_cannot_be_read_is_found(tmp_path: Path, row: str, told: list[str]) -> None:
    """The file, its line, the column and what stands there."""
    (tmp_path / "salinity.csv").write_text(f"station,time,salinity\nan,2021-04-01,1.0\n{row}\n")
    with pytest.raises(CanhManError) as refused:
        read(tmp_path, HEAD + LONG)
    assert all(word in str(refused.value) for word in told), refused.value


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column of salinity.csv; it has none"),
        (b"station,time,salinity\n", "no rows"),
        (b"station,time,salinity\nan,2021-04-01,\n", "holds no number"),
        (b"station,time,time,salinity\n", "2 columns 'time'"),
        ("station,time,salinity\nTrạm,2021-04-01,1\n".encode("cp1258", "replace").replace(b"?", b"\xf2"), "no UTF-8"),
        (gzip.compress(b"station,time,salinity\nan,2021-04-01,1\n" * 99)[:-20], "cut short"),
        (zipped(b"", "a.csv", "b.csv"), "a zip of 2 files"),
    ],
    ids=["empty", "head only", "no number", "twice", "not UTF-8", "cut short", "a workbook"],
)
def test_files_that_hold_nothing(tmp_path: Path, content: bytes, told: str) -> None:
    """A file without what is looked for is told of, by its name."""
    (tmp_path / "salinity.csv").write_bytes(content)
    with pytest.raises(CanhManError, match=r"salinity\.csv") as refused:
        read(tmp_path, HEAD + LONG)
    assert told in str(refused.value)


def test_a_driver_of_other_places_is_no_driver(made: Path, tmp_path: Path) -> None:
    """A long driver none of whose stations is a target says how it would bear on all."""
    kept = season()
    Season(salinity=kept.salinity, level=tuple((f"x{s}", t, v) for s, t, v in kept.level), river=kept.river).write(tmp_path)
    with pytest.raises(ConfigError, match=r'none of the stations of level\.csv is a target; with stations = "all"'):
        read(tmp_path, HEAD + LONG + DRIVERS)


# ------------------------------------------------------------ what is shipped

SHIPPED = sorted((Path(__file__).parents[3] / "docs/datasets").glob("*.toml"))
SHAPES = {
    "mekong.toml": ("g/L", 10, "2020-01-01", "2022-05-31", 0),
    "mekong_all.toml": ("g/L", 37, "2020-01-01", "2022-05-31", 0),
    "mekong_min.toml": ("g/L", 10, "2020-01-01", "2022-05-31", 0),
    "rhine_meuse.toml": ("mg/L", 1, "2011-01-01", "2017-12-31", 11),
    "california_delta.toml": ("g/L", 1, "2000-01-03", "2012-12-31", 6),
    "delaware.toml": ("mile", 1, "2000-03-17", "2015-11-30", 2),
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_sets_are_read(path: Path, shared_dir: Path) -> None:
    """Each file of docs/datasets, on the measured files where they are: stations, unit, span, drivers that hold numbers."""
    spec = parse_spec(tomllib.loads(path.read_text("utf-8")), path.name)
    if not (shared_dir / "data" / spec.target.file).is_file():
        pytest.skip(f"{spec.target.file} is not here")
    found = read(shared_dir / "data", path.read_text("utf-8"))
    shape = (found.unit, len(found.scored), str(found.daily.days[0]), str(found.daily.days[-1]), len(found.daily.drivers))
    assert shape == SHAPES[path.name]
    assert all(np.isfinite(values).mean() > 0.9 for values in found.daily.drivers.values())


def test_the_form_of_the_page_is_read() -> None:
    """The example of docs/backtest.md holds every key there is, and is read as it stands."""
    page = (Path(__file__).parents[3] / "docs/backtest.md").read_text("utf-8")
    content = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    spec = parse_spec(content, "page.toml")
    assert (spec.leads, spec.lines, str(spec.test_until)) == ((1, 3, 7, 14), (0.5, 1.0, 2.0, 4.0), "2022-05-31")
    assert [(d.name, dict(d.columns.wide), d.stations, d.own) for d in spec.drivers] == [("", {"discharge": "Q"}, None, False), ("level", {}, None, True)]
    for key in (*content, *content["target"], *(key for driver in content["driver"] for key in driver), "score_stations"):
        assert f"{key} " in page


def test_only_wanted_columns_are_kept(tmp_path: Path) -> None:
    """A table of many columns costs what is read of it."""
    (tmp_path / "a.csv").write_text("a,b,c\n1,2,3\n\n4,5,6\n")
    found = read_columns(tmp_path / "a.csv", ("c", "z", "c"))
    assert (dict(found.columns), found.header, list(found.lines)) == ({"c": ["3", "6"]}, ("a", "b", "c"), [2, 4])


def test_a_word_is_kept_once(tmp_path: Path) -> None:
    """Millions of rows of a few stations and times cost the memory of a few words."""
    (tmp_path / "a.csv").write_text("station,v\n" + "Mỹ Thuận,1.25\n" * 3)
    cells = read_columns(tmp_path / "a.csv", ("station",)).columns["station"]
    assert len({id(cell) for cell in cells}) == 1
    assert len(cells) == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do(tmp_path: Path, end: str) -> None:
    """Of Unix, Windows or an old Mac; a line within quotes stays in its cell, and no other sign ends one."""
    (tmp_path / "a.csv").write_bytes(end.join(('a,"b', 'c"', "1,2\u2028x", "", "3,4")).encode())
    found = read_columns(tmp_path / "a.csv", ("a", f"b{end}c"))
    assert (dict(found.columns), list(found.lines)) == ({"a": ["1", "3"], f"b{end}c": ["2\u2028x", "4"]}, [3, 5])
