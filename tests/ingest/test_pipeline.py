"""From the journal to store and database: who may come in, what is refused and why, and that reading again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import Y2000_MS, rfc3339
from core.errors import ConflictError
from core.flags import CLOCK_BIT
from core.place import Deployment, Device, Org
from core.series import SeriesKey
from ingest.pipeline import MAX_CHANNELS
from registry.enrolment import DEVICE_QUOTA

NOON = 1_772_420_400_000
HOUR = 3_600_000
MIN = 60_000


def at(time: int, value: float = 2.31, **more: object) -> str:
    return json.dumps({"time": rfc3339(time), "readings": {"water.ec": value}} | more)


def aged(seq: int, value: float = 2.31, *, age_s: float = 60, **more: object) -> str:
    return json.dumps({"seq": seq, "boot": 1, "age_s": age_s, "readings": {"water.ec": value}} | more)


def devices(line: Any) -> list[str]:
    return sorted(d.id for d in line.ask(line.database.snapshot()).devices)


# ---------------------------------------------------------------- values and times


def test_good_values_beside_bad_ones(line: Any) -> None:
    """Bad values, objects and messages each have a dead letter with position, key and bytes; whatever is good is stored."""
    line.send("kl01", '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31,"water.temperature":nan,"water.salt":1}}')
    line.send("kl01", f"[{at(NOON + 1)},7,{at(NOON + 2).replace('2.31', '1e999')},{at(NOON + 3)}]")
    torn = line.send("kl01", '{"time":"2026-03-02T03:0')
    line.work()
    assert line.rows("kl01") == [(NOON, 2.31, 1), (NOON + 1, 2.31, 1), (NOON + 3, 2.31, 1)]
    assert sorted(line.dead()) == [
        ("malformed", ""),
        ("malformed", "[1]"),
        ("not_a_number", "[2].water.ec"),
        ("not_a_number", "water.temperature"),
        ("unknown_quantity", "water.salt"),
    ]
    letter = next(d for d in line.ask(line.database.dead_letters(reason="malformed")) if not d.key)
    assert (letter.position, letter.head, letter.org, letter.device) == (torn, b'{"time":"2026-03-02T03:0', "default", "kl01")
    assert line.journal.get(torn).payload == letter.head
    assert line.counters() == {"refused:malformed": 2, "refused:not_a_number": 2, "refused:unknown_quantity": 1}


def test_out_of_range_is_stored_with_4(line: Any) -> None:
    """A value that cannot be is kept and flagged, never a dead letter."""
    line.send("kl01", at(NOON, 1e9))
    line.work(judge=False)
    assert line.rows("kl01") == [(NOON, 1e9, 4)], "at once, before the judge"
    assert line.dead() == []


def test_a_clock_that_is_wrong(line: Any) -> None:
    """T04: 1970 until the clock is set: three letters with the offset, the fourth is stored, none is counted as lost."""
    for seq, time in enumerate([3000, 4000, 5000, NOON]):
        line.send("kl01", at(time, seq=seq, boot=1))
    line.work()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]
    letters = line.ask(line.database.dead_letters(reason="clock"))
    assert [letter.offset_ms for letter in letters] == [5000 - line.now, 4000 - line.now, 3000 - line.now]
    assert all("kl01" in letter.text and "before 2000" in letter.text for letter in letters)
    assert [b.holes for b in line.ask(line.database.boots("kl01"))] == [()]
    assert line.counters() == {"refused:clock": 3, "clock:kl01": 3}


@pytest.mark.parametrize(("offset", "stored"), [(0, True), (10 * MIN, True), (10 * MIN + 1, False), (400 * 86_400_000, False), (-9 * 365 * 86_400_000, True)])
def test_ten_minutes_ahead_are_allowed(line: Any, offset: int, stored: bool) -> None:
    """Old is not absurd; ahead is, from 10 minutes on."""
    line.send("kl01", at(line.now + offset))
    line.work()
    assert bool(line.rows("kl01")) == stored
    assert line.dead() == ([] if stored else [("clock", "")])


@pytest.mark.parametrize(("time", "stored"), [(Y2000_MS, True), (Y2000_MS - 1, False), (-62_135_596_800_000, False), (253_402_300_799_999, False)])
def test_the_calendars_ends(line: Any, time: int, stored: bool) -> None:
    """Before 2000 is absurd; the first and the last year break nothing."""
    text = {-62_135_596_800_000: "0001-01-01T00:00:00Z", 253_402_300_799_999: "9999-12-31T23:59:59.999Z"}.get(time) or rfc3339(time)
    line.send("kl01", json.dumps({"time": text, "readings": {"water.ec": 1}}))
    line.work()
    assert line.dead() == ([] if stored else [("clock", "")])
    assert bool(line.rows("kl01")) == stored


def test_a_clock_fallen_back_is_suspect_for_ever(line: Any) -> None:
    """Stored with flag 3 and bit `clock`; so on redelivery, after a restart, and when the journal is read from the start."""
    for seq, time in [(1, NOON), (2, NOON + HOUR), (3, NOON - HOUR), (4, NOON - MIN)]:
        line.send("kl01", at(time, seq=seq, boot=1))
    line.work()

    def clock_bits() -> list[bool]:
        return [bool(bits & 1 << CLOCK_BIT) for bits in line.tests("kl01")]

    def check() -> None:
        assert [flag for _, _, flag in line.rows("kl01")] == [3, 1, 1, 1]
        assert clock_bits() == [True, False, False, False]

    check()
    line.send("kl01", at(NOON - HOUR, seq=3, boot=1))
    line.work()
    check()
    line.restart()
    line.send("kl01", at(NOON - HOUR, seq=3, boot=1))
    line.work()
    check()
    line.restart(stored_to=0)
    line.work()
    check()


# ---------------------------------------------------------------- redelivery


def test_a_clockless_redelivery(line: Any) -> None:
    """Written again at the first one's time, counted as duplicate; another content is kept beside it and counted as conflicting."""
    line.send("kl01", aged(1), received=NOON)
    line.send("kl01", aged(1, age_s=3660), received=NOON + HOUR)
    line.send("kl01", aged(1, 9.9, age_s=0), received=NOON + HOUR)
    line.work()
    line.restart()
    line.send("kl01", aged(1, 9.9, age_s=7), received=NOON + HOUR + 7000)
    line.work()
    assert line.rows("kl01") == [(NOON - MIN, 2.31, 1), (NOON + HOUR, 9.9, 1)]
    assert line.counters() == {"duplicate:kl01": 2, "conflicting:kl01": 1}


def test_a_clockless_redelivery_while_our_clock_is_behind(line: Any) -> None:
    """It has the time of its first arrival, which is not ahead, whatever our clock says by now."""
    line.send("kl01", aged(1), received=NOON)
    line.send("kl01", aged(1, age_s=61), received=NOON - HOUR)
    line.work()
    assert line.rows("kl01") == [(NOON - MIN, 2.31, 1)]
    assert line.counters() == {"duplicate:kl01": 1}


def test_retained(line: Any) -> None:
    """A retained clockless message is of unknown age: refused, unless it arrived before; one with a time is a duplicate."""
    line.send("kl01", aged(1), received=NOON)
    line.send("kl01", aged(1), received=NOON + HOUR, retain=True)
    line.send("kl01", aged(2), received=NOON + HOUR, retain=True)
    line.send("kl01", at(NOON), received=NOON + HOUR, retain=True)
    line.work()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON - MIN, NOON]
    assert line.dead() == [("retained", "")]
    assert line.counters() == {"duplicate:kl01": 3, "refused:retained": 1}


def test_statuses(line: Any) -> None:
    """The last word of a device under its own org; a stranger's, or one under another org, registers nobody and says nothing."""
    line.station("kl01")
    line.send("kl02", "online", leaf="status", received=NOON)
    line.send("kl01", "online", leaf="status", received=NOON + 9, org="elsewhere")
    line.send("kl01", "online", leaf="status", received=NOON)
    line.send("kl01", "offline", leaf="status", received=NOON + 1)
    line.send("kl01", "online", leaf="status", received=NOON + 2, retain=True)
    line.work()
    assert [(s.device, s.status, s.at) for s in line.ask(line.database.device_statuses())] == [("kl01", "offline", NOON + 1)]
    assert devices(line) == ["kl01"]


# ---------------------------------------------------------------- enrolment


def test_open_registers_all_that_came_in_one_transaction(line: Any) -> None:
    """A hundred new devices in one batch are one change of the registry; every message is stored, in its order."""
    before = line.ask(line.database.version())
    for n in range(100):
        line.send(f"Dev.{n}", f"[{at(NOON)},{at(NOON + 1, 3.0)}]")
        line.send(f"Dev.{n}", json.dumps({"time": rfc3339(NOON), "channels": {"d10": {"soil.moisture": 0.3}}}))
    line.work()
    assert line.ask(line.database.version()) == before + 1
    assert line.rows("Dev.7", station="dev-7") == [(NOON, 2.31, 1), (NOON + 1, 3.0, 1)]
    assert line.rows("Dev.7", "soil.moisture", station="dev-7", point="d10", channel="d10") == [(NOON, 0.3, 1)]
    assert line.dead() == []
    snapshot = line.ask(line.database.snapshot())
    assert {s.public for s in snapshot.stations} == {False}
    assert {d.opens_points for d in snapshot.devices} == {True}


def test_two_devices_of_one_slug(line: Any) -> None:
    """`KL.1` and `kl-1` in one batch: two stations."""
    line.send("KL.1", at(NOON))
    line.send("kl-1", at(NOON))
    line.send("kl_1", at(NOON))
    line.work()
    assert [line.rows(device, station=station) for device, station in (("KL.1", "kl-1"), ("kl-1", "kl-1-2"), ("kl_1", "kl-1-3"))] == [[(NOON, 2.31, 1)]] * 3


def test_the_first_org_gets_the_device(line: Any) -> None:
    """Two orgs send as one unknown device in one batch: it is the first one's; the other's message opens nothing there."""
    line.put(Org(id="other", name="Other"))
    line.send("kl01", at(NOON))
    line.send("kl01", at(NOON, channels={"d10": {"soil.moisture": 0.3}}), org="other")
    line.work()
    line.send("kl01", at(NOON + 1), org="other")
    line.send("kl01", at(NOON + 1, channels={"d30": {"soil.moisture": 0.3}}))
    line.work()
    assert line.dead() == [("wrong_org", ""), ("wrong_org", "")]
    assert [d.channel for d in line.ask(line.database.snapshot()).deployments] == ["d30", "main"]
    assert line.rows("kl01") == [(NOON, 2.31, 1), (NOON + 1, 2.31, 1)]


def test_who_cannot_be_registered(line: Any) -> None:
    """An org nobody knows is forbidden; a name that is a join user's cannot be a device."""
    line.send("kl01", at(NOON), org="nobody")
    line.send("org:default", at(NOON))
    line.work()
    assert sorted(r for r, _ in line.dead()) == ["bad_topic", "forbidden"]
    assert devices(line) == []


def test_a_name_that_is_taken_stops_nobody_else(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of a batch cannot be registered the others are, and its messages say why."""
    put = line.database.put

    async def refuse_one(*items: Any, **more: Any) -> int:
        if any(getattr(item, "id", "") == "bad1" for item in items):
            raise ConflictError("station bad1 is taken")
        return int(await put(*items, **more))

    monkeypatch.setattr(line.database, "put", refuse_one)
    for device in ("kl01", "bad1", "bc01"):
        line.send(device, at(NOON))
    line.work()
    assert devices(line) == ["bc01", "kl01"]
    assert line.rows("bc01") == line.rows("kl01") == [(NOON, 2.31, 1)]
    assert line.dead() == [("unknown_device", "")]
    assert line.ask(line.database.dead_letters())[0].text == "station bad1 is taken"


def test_new_channels_open_points(line: Any) -> None:
    """Of a device that registered itself, up to a bound; of one registered by hand a new channel is refused."""
    line.station("kl02")
    for device in ("kl01", "kl02"):
        line.send(device, at(NOON))
        line.send(device, json.dumps({"time": rfc3339(NOON), "channels": {"d10": {"soil.moisture": 0.3}}}))
    line.work()
    assert line.rows("kl01", "soil.moisture", point="d10", channel="d10") == [(NOON, 0.3, 1)]
    assert line.dead() == [("not_deployed", "d10/soil.moisture")]
    many = {f"c{n:03}": {"soil.moisture": 0.3} for n in range(100)}
    line.send("kl01", json.dumps({"time": rfc3339(NOON), "channels": many}))
    line.work()
    assert len([d for d in line.ask(line.database.snapshot()).deployments if d.device == "kl01"]) == MAX_CHANNELS
    assert len(line.dead()) == 1 + 100 - (MAX_CHANNELS - 2)


def test_a_device_that_only_tells_its_battery(line: Any) -> None:
    """It registers with its main channel, and the battery is stored at point `device`."""
    line.send("kl01", json.dumps({"time": rfc3339(NOON), "battery": 3.7}))
    line.work()
    assert line.rows("kl01", "device.battery", point="device") == [(NOON, 3.7, 1)]


def test_closed(make_line: Callable[..., Any]) -> None:
    """Nobody unknown comes in; who is registered does."""
    line = make_line(mode="closed")
    line.station("kl02")
    line.send("kl01", at(NOON))
    line.send("kl02", at(NOON))
    line.work()
    assert line.dead() == [("unknown_device", "")]
    assert line.rows("kl02") == [(NOON, 2.31, 1)]


def test_a_device_registered_a_moment_ago(make_line: Callable[..., Any]) -> None:
    """Nobody waits for the next look at the registry."""
    line = make_line(mode="closed")
    line.work()
    line.station("kl01")
    line.send("kl01", at(NOON))
    line.work()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]


def test_public_stations(make_line: Callable[..., Any]) -> None:
    """Only where the setting says so."""
    line = make_line(public=True)
    line.send("kl01", at(NOON))
    line.work()
    assert [s.public for s in line.ask(line.database.snapshot()).stations] == [True]


def test_approve_keeps_up_to_a_quota(make_line: Callable[..., Any]) -> None:
    """Messages wait up to 1 MiB of a device; beyond it they are counted; a restart and a second reading keep the measure."""
    line = make_line(mode="approve")
    body = at(NOON, pad="x" * 100_000)
    fit = DEVICE_QUOTA // len(body)
    for _ in range(fit + 1):
        line.send("kl01", body)
    line.send("kl02", at(NOON))
    line.work()
    line.restart(stored_to=0)
    line.work()
    line.send("kl01", body)
    line.work()
    waiting = {d.device: d.messages for d in line.ask(line.database.waiting_devices())}
    assert waiting == {"kl01": fit, "kl02": 1}
    assert line.dead() == [("quota", ""), ("quota", "")]
    assert line.counters() == {"refused:quota": 2}
    assert not line.ask(line.store.series())


def test_a_batch_that_fails_leaves_no_trace(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was parked and counted before the database went away is not parked and counted twice when it is tried again."""
    line = make_line(mode="approve")
    line.station("kl02")
    body = at(NOON, pad="x" * (DEVICE_QUOTA // 2))
    for device, payload in (("kl01", body), ("kl02", at(NOON)), ("kl02", "{")):
        line.send(device, payload)
    recalled = line.database.recalled

    async def away(devices: list[str]) -> Any:
        raise ConnectionError(devices)

    for _ in range(3):
        monkeypatch.setattr(line.database, "recalled", away)
        with pytest.raises(ConnectionError):
            line.work()
        assert len(line.processor.pending) == 0
    monkeypatch.setattr(line.database, "recalled", recalled)
    line.work()
    assert [d.messages for d in line.ask(line.database.waiting_devices())] == [1]
    assert line.dead() == [("malformed", "")]
    assert line.counters() == {"refused:malformed": 1}
    assert line.rows("kl02") == [(NOON, 2.31, 1)]


# ---------------------------------------------------------------- the store says no


def test_rows_the_store_refuses(line: Any) -> None:
    """Each is a dead letter at the message it came from, with its bytes; the rows beside it are stored and known."""
    line.station("kl01")
    key = SeriesKey("default", "kl01", "main", "kl01", "water.level")
    line.store.refuses[key] = "field type conflict"
    positions = [line.send("kl01", at(NOON + n, readings={"water.ec": 1.0, "water.level": float(n)})) for n in range(3)]
    line.work()
    assert len(line.rows("kl01")) == 3
    assert line.rows("kl01", "water.level") == []
    letters = sorted(line.ask(line.database.dead_letters()), key=lambda d: d.position)
    assert [(d.reason, d.position, d.device, d.org) for d in letters] == [("store_refused", p, "kl01", "default") for p in positions]
    assert all("field type conflict" in d.text and d.head.startswith(b'{"time"') for d in letters)
    assert key not in {s.key for s in line.ask(line.database.states())}
    line.restart(stored_to=0)
    line.work(limit=1)
    assert len(line.ask(line.database.dead_letters())) == 3, "read again in other batches: the same letters"
    assert line.counters() == {"refused:store_refused": 3}


# ---------------------------------------------------------------- reading again

step = st.one_of(
    st.tuples(st.just("timed"), st.integers(0, 12), st.integers(0, 3)),
    st.tuples(st.just("clockless"), st.integers(0, 6), st.integers(0, 2)),
    st.tuples(st.just("noboot"), st.integers(0, 6), st.integers(0, 3)),
    st.tuples(st.just("bad"), st.integers(0, 5), st.just(0)),
)

BAD = ['{"time":', at(3000), at(NOON, 1e9), '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":nan}}', "7", at(NOON).replace("water.ec", "water.salt")]


def send(line: Any, device: str, kind: str, number: int, extra: int, now: int) -> None:
    if kind == "timed":
        line.send(device, at(NOON + number * MIN - extra * HOUR, float(number), seq=number, boot=1), received=now)
    elif kind == "clockless":
        line.send(device, aged(number, float(extra), age_s=extra), received=now)
    elif kind == "noboot":
        line.send(device, at(NOON + number * MIN, 3.0 + extra, seq=number), received=now)
    else:
        line.send(device, BAD[number], received=now)


def picture(line: Any, device: str) -> dict[str, Any]:
    """All that store and database hold of a device, but for `changed`."""
    keys = line.ask(line.store.series(station=device))
    stored = line.ask(line.store.read(keys, 0, 1 << 62))
    columns = (stored.series, stored.time, stored.value, stored.flag, stored.tests, stored.received)
    letters = line.ask(line.database.dead_letters(device=device, limit=1000))
    states = line.ask(line.database.states(station=device))
    return {
        "rows": list(zip(*(c.tolist() for c in columns), strict=True)),
        "states": [(s.key, s.role, s.newest, s.received, s.judged, s.good, s.dirty_from) for s in states],
        "dead": sorted((d.reason, d.key, d.position, d.count, d.head) for d in letters),
        "seen": sorted((s.boot, s.seq, s.digest, s.time, s.received, s.position) for s in line.ask(line.database.seen(device))),
        "counters": line.counters(),
    }


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    parts=st.lists(st.lists(step, min_size=1, max_size=6), min_size=1, max_size=5),
    again=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([1, 3, 2000]), st.booleans()), min_size=1, max_size=4),
)
def test_reading_again_changes_nothing(line: Any, parts: list[list[tuple[str, int, int]]], again: list[tuple[float, int, bool]]) -> None:
    """From any earlier place, in batches of any size, killed in between or not: store, states, dead letters and counters stay."""
    device = line.fresh()
    line.work()
    begin = line.journal.end
    now = NOON + 5 * HOUR
    for part in parts:
        for kind, number, extra in part:
            send(line, device, kind, number, extra, now)
            now += 1000
        line.work()
    before = picture(line, device)
    for share, limit, finished in again:
        line.restart(stored_to=begin + round(share * (line.journal.end - begin)))
        line.work(limit=limit, commit=finished, judge=finished)
    line.restart()
    line.work()
    assert picture(line, device) == before


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(parts=st.lists(st.tuples(st.lists(step, min_size=1, max_size=6), st.sampled_from(["commit", "kill", "nothing"])), min_size=1, max_size=6))
def test_killed_before_the_commit(make_line: Callable[..., Any], line: Any, parts: list[tuple[list[tuple[str, int, int]], str]]) -> None:
    """Rows stored and not committed are read again: in the end all is as if nobody had been killed."""
    other = line.fresh()
    ends = []
    for device, kills in ((line.fresh(), True), (other, False)):
        line.work()
        now = NOON + 5 * HOUR
        start = line.journal.end
        counted = line.counters()
        for part, event in parts:
            for kind, number, extra in part:
                send(line, device, kind, number, extra, now)
                now += 1000
            line.work(commit=event == "commit", judge=False)
            if event == "kill" and kills:
                line.restart()
        line.work()
        found = picture(line, device)
        found["dead"] = [(reason, key, count) for reason, key, _, count, _ in found["dead"]]
        found["seen"] = [row[:5] for row in found["seen"]]
        found["states"] = [(s[0].quantity, *s[1:]) for s in found["states"]]
        after = found.pop("counters")
        found["counters"] = sorted(
            (k.partition(":")[0], k.partition(":")[2].replace(device, ""), v - counted.get(k, 0))
            for k, v in after.items()
            if v != counted.get(k, 0) and not k.startswith("overwritten")  # counted within a window, which a restart empties
        )
        assert start < line.journal.end
        ends.append(found)
    assert ends[0] == ends[1]


def test_a_device_moved_between_two_readings_of_the_journal(line: Any) -> None:
    """Read again after a move was registered, a reading goes to where the registry says it stood then."""
    line.station("kl01")
    line.send("kl01", at(NOON))
    line.work()
    line.put(
        Device(id="kl01", org="default"),
        Deployment(device="kl01", channel="main", station="kl01", point="main", end=NOON - HOUR),
        Deployment(device="kl01", channel="main", station="kl01", point="in", start=NOON - HOUR),
    )
    line.send("kl01", at(NOON + 1))
    line.work()
    assert line.rows("kl01", point="in") == [(NOON + 1, 2.31, 1)]
    line.restart(stored_to=0)
    line.work()
    assert line.rows("kl01", point="in") == [(NOON, 2.31, 1), (NOON + 1, 2.31, 1)]


def test_what_replaces_another_value_is_counted(line: Any) -> None:
    """The last write wins, and where the value was another one the device's counter says so."""
    line.station("kl01")
    for value in (2.0, 2.0, 3.0):
        line.send("kl01", at(NOON, readings={"water.level": value}))
        line.work()
    assert line.rows("kl01", "water.level") == [(NOON, 3.0, 1)]
    assert line.counters()["overwritten:kl01"] == 1


def test_a_burst_of_a_clockless_device_is_kept_whole(line: Any) -> None:
    """Objects that would fall on one millisecond take the next free ones, the same after a restart; none replaces another."""
    line.station("kl01")
    burst = [json.dumps({"boot": 1, "seq": n, "age_s": 0, "readings": {"water.level": n / 10}}) for n in range(50)]
    for payload in burst:
        line.send("kl01", payload, received=NOON)
    line.work(commit=False)
    line.restart()
    for payload in burst:
        line.send("kl01", payload, received=NOON + 5)
    line.work()
    assert line.rows("kl01", "water.level") == [(NOON + n, n / 10, 1) for n in range(50)]


def test_an_empty_message_leaves_a_trace(line: Any) -> None:
    """No reading in it, or no object: acknowledged, so it must say why nothing is stored."""
    line.station("kl01")
    for payload in ("[]", json.dumps({"time": "2026-03-02T03:00:00Z"}), json.dumps({"time": "2026-03-02T03:00:00Z", "readings": {}})):
        line.send("kl01", payload)
    line.work()
    assert [reason for reason, _ in line.dead()] == ["malformed"] * 3


def test_the_limit_of_points_is_named(line: Any) -> None:
    """A device that opened as many points as it may is told so, not that it stood nowhere."""
    channels = {f"d{n}": {"soil.moisture": 0.3} for n in range(40)}
    line.send("kl01", json.dumps({"time": "2026-03-02T03:00:00Z", "channels": channels}))
    line.work()
    letters = line.ask(line.database.dead_letters(reason="not_deployed"))
    assert len(letters) == 8
    assert all("32 points" in letter.text for letter in letters)
