"""Replaying recorded files: columns, zones and bad rows on the way in; order, window, pace and retries on the way out."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import rfc3339
from core.errors import ConfigError, FormatError
from core.place import DEVICE_ID
from core.ports import Delivery
from firmware_sim.delivery import Backoff
from firmware_sim.repeats import Repeats
from firmware_sim.replay import AHEAD_MS, device_id, read_csv, replay
from ingest import identity

AT_ONCE = Backoff(first=0.0)
START = 1_772_420_400_000  # 2026-03-02T03:00:00Z = 10:00 in Vietnam


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def arrived(broker: Any) -> list[tuple[str, int, dict[str, float]]]:
    """[(device, time [ms], readings)] in order of arrival."""
    found = []
    for topic, payload in broker.taken:
        things = json.loads(payload)
        for thing in things if isinstance(things, list) else [things]:
            assert set(thing) == {"time", "readings"}
            found.append((topic.split("/")[2], round(datetime.fromisoformat(thing["time"]).timestamp() * 1000), thing["readings"]))
    return found


def run(path: Path, broker: Any, clock: Any, **options: Any) -> Any:
    zone = {"timezone": options.pop("timezone")} if "timezone" in options else {}
    return asyncio.run(replay(read_csv(path, **zone), lambda device: broker.publisher(), clock, **options))


def test_the_measured_file_is_replayed_whole(broker: Any, leap_clock: Any, shared_dir: Path) -> None:
    """84,357 rows of 37 stations as they stand: each (station, time, value) arrives once, local time made UTC, values bit for bit."""
    path = shared_dir / "data/mekong/salinity_2h_2020_2022.csv.gz"
    if not path.exists():
        pytest.skip(f"no measured data at {path}")
    report = run(path, broker, leap_clock(START))
    assert (report.rows, report.acknowledged, report.waiting, report.bad_count) == (84_357, 84_357, 0, 0)
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    expected = [(s, int(datetime.fromisoformat(t + "+07:00").timestamp() * 1000), {"water.salinity": float(v)}) for s, t, v in rows]
    assert arrived(broker) == expected
    assert report.stations == Counter(row[0] for row in rows)
    assert len(report.stations) == 37


def test_a_bad_row_is_named_and_the_rest_goes_on(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """Each unreadable row with its line and reason; an empty cell is a missing value, no error; blank lines are nothing."""
    text = """station,time_local,salinity_g_L,level_cm
kl01,2026-03-02 10:00:00,1.8,112
kl01,2026-03-02 25:00:00,1.9,113
kl01,2026-03-02 12:00:00,nan,114

kl01,2026-03-02 13:00:00,"1,9",115
kl01
,2026-03-02 14:00:00,2.0,116
kl01,2026-03-02 15:00:00,,117
kl01,2026-03-02 16:00:00,,
kl01,2026-03-02,2.1,118
kl01,2026-03-02 17:00:00,1e999,119
???,2026-03-02 17:00:00,2.2,119
kl01,2026-03-02 18:00:00,2.3,120
"""
    report = run(write(tmp_path / "a.csv", text), broker, leap_clock(START))
    assert arrived(broker) == [
        ("kl01", START, {"water.salinity": 1.8, "water.level": 1.12}),
        ("kl01", START + 5 * 3_600_000, {"water.level": 1.17}),
        ("kl01", START + 8 * 3_600_000, {"water.salinity": 2.3, "water.level": 1.2}),
    ]
    reasons = dict(report.bad)
    assert list(reasons) == [3, 4, 6, 7, 8, 10, 11, 12, 13]
    assert (report.rows, report.bad_count) == (3, 9)
    wanted = ("time '2026-03-02 25:00:00'", "salinity_g_L 'nan'", "salinity_g_L '1,9'", "only 1 columns", "no station", "no value", "no time of day", "'1e999'")
    assert all(word in reason for word, reason in zip(wanted, reasons.values(), strict=False))
    assert "'???' has no letter" in reasons[13]


def test_a_file_that_ends_early_gives_what_it_has(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """Half a gzip file: the rows before the tear are replayed and the tear is named; one that is no gzip at all is one clear error."""
    lines = "".join(f"a,2026-03-02 10:{i % 60:02d}:{i // 60 % 60:02d},{i % 7}.{i % 10}\n" for i in range(5000))
    whole = gzip.compress(f"station,time_utc,salinity_g_L\n{lines}".encode())
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(whole[: len(whole) // 2])
    report = run(torn, broker, leap_clock(START))
    assert 0 < report.rows == report.acknowledged < 5000
    assert "ends early" in report.bad[-1].reason
    torn.write_bytes(whole[:12])
    with pytest.raises(FormatError, match="not a readable gzip file"):
        read_csv(torn)


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("a,b,c", r"no column station, time…, <quantity>_<unit> or an alias; found a, b, c; expected station, time_local"),
        ("station,time_local,colour_red", "no column <quantity>_<unit> or an alias"),
        ("site,time_local,salinity_g_L", "no column station; found site"),
        ("", "found an empty file"),
    ],
)
def test_a_header_without_what_is_needed_is_one_line(tmp_path: Path, header: str, complaint: str) -> None:
    """Says what was found and what is expected."""
    with pytest.raises(FormatError, match=complaint) as caught:
        read_csv(write(tmp_path / "a.csv", header + "\n"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "quantity", "value"),
    [
        ("salinity_g_L", "water.salinity", 5.13),
        ("water.salinity_g/L", "water.salinity", 5.13),
        ("ec_uS_cm", "water.ec", 0.00513),
        ("water_ec_uS_cm", "water.ec", 0.00513),
        ("water.ec_mS/cm", "water.ec", 5.13),
        ("ec_S_m", "water.ec", 51.3),
        ("soil.moisture_m3/m3", "soil.moisture", 5.13),
        ("water.temperature_Cel", "water.temperature", 5.13),
        ("level_cm", "water.level", 0.0513),
        ("chloride_mg_L", "water.chloride", 5.13),
    ],
)
def test_columns_by_quantity_and_unit(tmp_path: Path, column: str, quantity: str, value: float) -> None:
    """A quantity with our unit, or an alias with its factor; the value comes out in our unit."""
    path = write(tmp_path / "a.csv", f"{column};station;time_utc;remark\n5.13;kl01;2026-03-02T03:00;x\n")
    (row,) = read_csv(path)
    assert row.readings == {quantity: pytest.approx(value, rel=1e-12)}
    assert (row.station, row.time_ms, row.device) == ("kl01", START, "kl01")


@pytest.mark.parametrize(
    ("column", "text", "zone", "moment"),
    [
        ("time_local", "2026-03-02 10:00:00", "Asia/Ho_Chi_Minh", START),
        ("time_local", "2026-03-02 04:00:00", "Europe/Paris", START),
        ("time_utc", "2026-03-02 03:00:00", "Asia/Ho_Chi_Minh", START),
        ("time", "2026-03-02T03:00:00Z", "Asia/Ho_Chi_Minh", START),
        ("time_local", "2026-03-02T05:30:00.25+02:30", "Asia/Ho_Chi_Minh", START + 250),
        ("time", "2026-03-02 10:00:00", "Asia/Ho_Chi_Minh", None),
    ],
)
def test_times_in_their_zone(tmp_path: Path, column: str, text: str, zone: str, moment: int | None) -> None:
    """`_local` in the zone given, `_utc` in UTC, an offset as it says; a time that says nothing is refused, never guessed."""
    recording = read_csv(write(tmp_path / "a.csv", f"station,{column},salinity_g_L\nkl01,{text},1.0\n"), timezone=zone)
    assert [row.time_ms for row in recording] == ([] if moment is None else [moment])
    assert moment is not None or "no time zone" in recording.bad[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2024-03-10 01:59", ""),
        ("2024-03-10 02:30", "does not exist in America/New_York"),
        ("2024-03-10 03:00", ""),
        ("2024-11-03 00:59", ""),
        ("2024-11-03 01:30", "came twice in America/New_York"),
        ("2024-11-03 01:30-05:00", ""),
        ("2024-11-03 02:00", ""),
    ],
)
def test_summer_time_is_not_guessed(tmp_path: Path, text: str, reason: str) -> None:
    """A local time that never was, or was twice, is a bad row with that reason; with an offset it is read."""
    recording = read_csv(write(tmp_path / "a.csv", f"station,time_local,salinity_g_L\nkl01,{text},1.0\n"), timezone="America/New_York")
    assert len(list(recording)) == (not reason)
    assert [reason in bad.reason for bad in recording.bad] == ([True] if reason else [])


def test_what_is_said_twice_is_told(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """Another value for one station and time is named by its line; the same again is counted; another quantity is neither."""
    text = """station,time_utc,salinity_g_L,level_m
kl01,2026-03-02 03:00,1.8,
kl02,2026-03-02 03:00,2.5,
kl01,2026-03-02 03:00,,0.4
kl01,2026-03-02 03:00,1.8,
kl01,2026-03-02T03:00:00Z,1.9,0.4
kl01,2026-03-02 03:00,1.8,0.5
kl01,2026-03-02 03:00,1.8,0.5
"""
    report = run(write(tmp_path / "a.csv", text), broker, leap_clock(START))
    assert (report.rows, report.acknowledged, report.repeated, report.clash_count) == (7, 7, 2, 2)
    assert [tuple(c) for c in report.clashes] == [
        (6, "kl01 at 2026-03-02T03:00:00Z: water.salinity 1.8, now 1.9"),
        (7, "kl01 at 2026-03-02T03:00:00Z: water.salinity 1.9, now 1.8, water.level 0.4, now 0.5"),
    ]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_repeats_equal_the_plain_rule(rows: list[tuple[str, int, int]]) -> None:
    """A row repeats or clashes by what was said last of its device and time."""
    repeats, said = Repeats(), {}
    for device, time_ms, value in rows:
        before = said.get((device, time_ms))
        same, differing = repeats.compare(device, time_ms, {"water.ec": float(value)})
        assert same == (before == value)
        assert bool(differing) == (before is not None and before != value)
        said[device, time_ms] = value


def test_repeats_remember_a_bounded_number() -> None:
    """Of a file of any length the newest values are known; what is long past is forgotten."""
    repeats = Repeats(remembered=10)
    for time_ms in range(100):
        assert repeats.compare("a", time_ms, {"water.ec": 1.0}) == (False, "")
    assert repeats.compare("a", 96, {"water.ec": 1.0})[0]
    assert not repeats.compare("a", 5, {"water.ec": 1.0})[0]


@pytest.mark.parametrize("batch", [1, 96])
def test_times_that_ingest_refuses_are_counted(broker: Any, leap_clock: Any, tmp_path: Path, batch: int) -> None:
    """More than 10 minutes ahead of the clock, and before 2000; exactly 10 minutes is taken."""
    assert AHEAD_MS == identity.AHEAD_MS
    moments = [START, START + 600_000, START + 600_001, START + 10**9, 946_684_799_999, 946_684_800_000]
    text = "station,time,salinity_g_L\n" + "".join(f"a,{rfc3339(m)},1\n" for m in moments)
    report = run(write(tmp_path / "a.csv", text), broker, leap_clock(START), batch=batch)
    assert (report.acknowledged, report.ahead, report.before_2000) == (6, 2, 1)
    moved = run(tmp_path / "a.csv", broker, leap_clock(START), batch=batch, shift_to_now=True)
    assert moved.ahead == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_one_clear_error(tmp_path: Path, encoding: str) -> None:
    """Not a wall of zero bytes; so is a file that is no text."""
    (tmp_path / "a.csv").write_bytes("station,time_utc,salinity_g_L\nKênh,2026-03-02 03:00,1\n".encode(encoding))
    (tmp_path / "b.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (tmp_path / "c.csv").write_bytes(b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)))
    for name in ("a.csv", "b.csv", "c.csv"):
        with pytest.raises(FormatError, match="not UTF-8 text") as caught:
            read_csv(tmp_path / name)
        assert "x00" not in str(caught.value)
        assert len(str(caught.value)) < 200 + len(str(tmp_path))


def test_an_unknown_zone_is_named(tmp_path: Path) -> None:
    """ConfigError with the zone as it was written."""
    with pytest.raises(ConfigError, match="'Asia/Saigong'"):
        read_csv(write(tmp_path / "a.csv", "station,time_local,salinity_g_L\n"), timezone="Asia/Saigong")


def test_names_of_stations_become_devices(tmp_path: Path) -> None:
    """A valid name stays, others lose accents and case; two names that would meet in one id are not mixed, the second one is a bad row."""
    assert [device_id(n) for n in ("goquao", "KL.01:x", "Kênh Lầu", "Đại Ngãi", "  Cống số 2, bờ “trái” ")] == [
        "goquao",
        "KL.01:x",
        "kenh-lau",
        "dai-ngai",
        "cong-so-2-bo-trai",
    ]
    text = "station,time_utc,salinity_g_L\n" + "".join(f"{n},2026-03-02 03:00,1\n" for n in ("Kênh Mới", "Kênh Mới", "Kênh Mối", "kenh-moi"))
    recording = read_csv(write(tmp_path / "a.csv", text))
    assert [row.device for row in recording] == ["kenh-moi", "kenh-moi"]
    assert [(b.line, "would both be the device 'kenh-moi'" in b.reason) for b in recording.bad] == [(4, True), (5, True)]


@given(st.text(min_size=1, max_size=80))
def test_any_name_is_a_valid_device_or_an_error(name: str) -> None:
    """Whatever the name, the id may stand in a topic."""
    try:
        found = device_id(name)
    except ValueError:
        assert not any(c.isascii() and c.isalnum() for c in name)
    else:
        assert DEVICE_ID.match(found)


def many(tmp_path: Path, stations: int = 3, rows: int = 40) -> Path:
    """A file of `stations` × `rows`, two-hourly, station after station."""
    lines = [f"s{s},{rfc3339(START + i * 7_200_000)},{s}.{i % 10}" for s in range(stations) for i in range(rows)]
    return write(tmp_path / "many.csv", "\n".join(["station,time,salinity_g_L", *lines]) + "\n")


@pytest.mark.parametrize(("window", "batch"), [(1, 1), (7, 1), (100, 1), (5, 16), (50, 1000)])
def test_what_nobody_took_is_sent_again(broker: Any, leap_clock: Any, tmp_path: Path, window: int, batch: int) -> None:
    """Without subscribers nothing counts as done; each row arrives exactly once, each station in order, never more in flight than allowed."""
    broker.answer = lambda topic, payload, attempt: Delivery.NO_SUBSCRIBERS if attempt % 4 == 1 and attempt < 60 else Delivery.ACKNOWLEDGED
    claims: list[bool] = []
    report = run(
        many(tmp_path),
        broker,
        leap_clock(START),
        window=window,
        batch=batch,
        backoff=AT_ONCE,
        on_progress=lambda r: claims.append(r.acknowledged <= len(arrived(broker))),
    )
    by_station = defaultdict(list)
    for device, time_ms, _ in arrived(broker):
        by_station[device].append(time_ms)
    assert {d: sorted(t) for d, t in by_station.items()} == {f"s{s}": [START + i * 7_200_000 for i in range(40)] for s in range(3)}
    assert window > 1 or all(t == sorted(t) for t in by_station.values())
    assert report.acknowledged == 120 < report.published
    assert broker.most_in_flight <= window
    assert all(claims)
    assert report.stations == {"s0": 40, "s1": 40, "s2": 40}
    assert all(payload.startswith(b"[") == (batch > 1) for _, payload in broker.taken)


def test_order_is_kept_with_a_window(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """Publishes are called in the order of the file although a hundred are on their way."""
    run(many(tmp_path), broker, leap_clock(START), window=100)
    assert arrived(broker) == sorted(arrived(broker), key=lambda a: (a[0], a[1]))
    assert broker.most_in_flight > 10


def test_refused_rows_are_counted_and_not_repeated(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """A station that may not publish does not stop the others."""
    broker.answer = lambda topic, payload, attempt: Delivery.REFUSED if "/s1/" in topic else Delivery.ACKNOWLEDGED
    report = run(many(tmp_path), broker, leap_clock(START))
    assert (report.refused, report.acknowledged, report.waiting, report.published) == (40, 80, 0, 120)


def test_speed_plays_stations_side_by_side_in_time(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """At speed 60 two hours take two minutes of the clock: rows come in order of time, none before its moment."""
    clock = leap_clock(START + 10**9)
    moments: list[int] = []

    def note(topic: str, payload: bytes, attempt: int) -> Delivery:
        moments.append(clock.ms)
        return Delivery.ACKNOWLEDGED

    broker.answer = note
    run(many(tmp_path), broker, clock, speed=60.0)
    times = [time_ms for _, time_ms, _ in arrived(broker)]
    assert times == sorted(times)
    assert len(times) == 120
    assert all((moment - START - 10**9) >= (time_ms - START) / 60 - 1 for moment, time_ms in zip(moments, times, strict=True))


@pytest.mark.parametrize("speed", [None, 0.5, 1.0, 60.0])
def test_shift_to_now_is_never_ahead_of_the_clock(broker: Any, leap_clock: Any, tmp_path: Path, speed: float | None) -> None:
    """All times move by the same whole minutes; no row is ahead of the clock when it is sent, and the newest is (nearly) now."""
    clock = leap_clock(START + 10**10 + 12_345)
    ahead: list[int] = []

    def note(topic: str, payload: bytes, attempt: int) -> Delivery:
        ahead.append(round(datetime.fromisoformat(json.loads(payload)["time"]).timestamp() * 1000) - clock.ms)
        return Delivery.ACKNOWLEDGED

    broker.answer = note
    report = run(many(tmp_path), broker, clock, speed=speed, shift_to_now=True)
    assert report.acknowledged == 120
    assert report.shift_ms % 60_000 == 0
    assert max(ahead) <= 0
    assert [t - START for _, t, _ in arrived(broker) if _][0:1] == [report.shift_ms]
    assert max(ahead) > -120_000 or speed == 0.5


def test_the_same_file_twice_is_the_same_bytes(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """No counter and no clock of ours in the messages: a replay repeated changes nothing."""
    run(many(tmp_path), broker, leap_clock(START))
    once = list(broker.taken)
    run(many(tmp_path), broker, leap_clock(START + 999))
    assert broker.taken == once * 2


def test_settings_that_make_no_sense_are_refused(broker: Any, leap_clock: Any, tmp_path: Path) -> None:
    """Speed 0, window 0, batch 0."""
    for options in ({"speed": 0.0}, {"window": 0}, {"batch": 0}):
        with pytest.raises(ConfigError):
            run(many(tmp_path), broker, leap_clock(START), **options)
