"""What must be true of an installation when all is stored: every row judged as the batch form judges, `series_state` as the store says."""

from __future__ import annotations

import csv
import gzip
import itertools
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from servers.installation import Installation, Row

from canhman.configuration import read_qc
from core.batch import Batch
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules

VIETNAM = timezone(timedelta(hours=7))
Reading = tuple[str, int, float]


def read_file(path: Path) -> set[Reading]:
    """(station, time, value) of a recorded file, read without any code of ours."""
    with gzip.open(path, "rt", newline="") as file:
        found = set()
        for row in csv.DictReader(file):
            local = datetime.strptime(row["time_local"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=VIETNAM)
            found.add((row["station"], round(local.astimezone(UTC).timestamp() * 1000), float(row["salinity_g_L"])))
        return found


def readings(rows: list[Row], quantity: str) -> list[Reading]:
    """(station, time, value) of every stored row of one quantity."""
    return [(row.station, row.time, row.value) for row in rows if row.quantity == quantity]


def assert_judged(installation: Installation, rows: list[Row], *, org: str = "default") -> None:
    """No row waits for the judge; flags and test bits in the store are those of one judgement over the whole store."""
    assert installation.ask("SELECT station, quantity FROM series_state WHERE dirty_from IS NOT NULL") == []
    ordered = sorted(rows, key=lambda row: (row.station, row.point, row.sensor, row.quantity, row.time))
    keys: list[SeriesKey] = []
    series = []
    for row in ordered:
        key = SeriesKey(org, row.station, row.point, row.sensor, row.quantity)
        if not keys or keys[-1] != key:
            keys.append(key)
        series.append(len(keys) - 1)
    batch = Batch.of(series, [row.time for row in ordered], [row.value for row in ordered], tests=[row.tests for row in ordered])
    flags, bits = judge(batch, Rules(read_qc(None), keys))
    wrong = [(row, int(flag), int(bit)) for row, flag, bit in zip(ordered, flags, bits, strict=True) if (row.flag, row.tests) != (flag, bit)]
    assert not wrong, f"{len(wrong)} of {len(ordered)} rows differ from the batch form (flag, bits), e.g. {wrong[:3]}"


def assert_states(installation: Installation, rows: list[Row]) -> None:
    """`series_state` has a row for every series of the store, with its newest and its newest good reading."""
    wanted = {}
    place = lambda row: (row.station, row.point, row.sensor, row.quantity)  # noqa: E731 a key for two calls
    for where, members in itertools.groupby(sorted(rows, key=lambda row: (*place(row), row.time)), key=place):
        own = [(row.time, row.value, row.flag) for row in members]
        good = [reading for reading in own if reading[2] == 1]
        wanted[where] = (*own[-1], *own[-1], *(good[-1] if good else (None, None, None)))
    sql = """SELECT station, point, sensor, quantity, newest_time, newest_value, newest_flag, judged_time, judged_value, judged_flag,
        good_time, good_value, good_flag FROM series_state WHERE station NOT LIKE 'mark-%'"""
    found = {row[:4]: row[4:] for row in installation.ask(sql)}
    wrong = {where: (found.get(where), wanted.get(where)) for where in found.keys() | wanted.keys() if found.get(where) != wanted.get(where)}
    assert not wrong, f"{len(wrong)} of {len(wanted)} series: (series_state, store) = {list(wrong.items())[:3]}"


def assert_whole(installation: Installation, rows: list[Row]) -> None:
    """Judged, `series_state` true, nothing refused."""
    assert_judged(installation, rows)
    assert_states(installation, rows)
    assert installation.ask("SELECT reason, device, text FROM dead_letter") == []
