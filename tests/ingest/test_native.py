"""The native message: trials T01, T04, T06 and T40, the bounds of every field, and both steps of the decoder side by side."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import DecodeError
from core.quantities import QUANTITIES
from ingest.decoder import Record
from ingest.decoders import native
from ingest.decoders.native import decode

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z


def one(text: str) -> Record:
    records = decode(text.encode())
    assert len(records) == 1
    return records[0]


def timed(time: str) -> Record:
    return one(f'{{"time": {time}, "readings": {{"water.ec": 2.31}}}}')


def reasons(record: Record) -> list[tuple[str, str]]:
    return [(r.reason, r.key) for r in record.refused]


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("bad", ["nan", "NaN", '"28,4"', "true", "1e400", '"466.4,252,0.23,1.000"', "-nan", "inf", "-Infinity", "null", "[28.4]", '{"v":1}'])
def test_one_bad_value_costs_nobody_else_anything(bad: str) -> None:
    """T01: its neighbours are kept, it is refused with its key; true is no 1 and text is not guessed at."""
    record = one(f'{{"time":"2026-03-02T03:00:00Z","readings":{{"water.ec":2.31,"water.temperature":{bad},"water.level":1.12}}}}')
    assert record.channels == [("main", {"water.ec": 2.31, "water.level": 1.12})]
    assert reasons(record) == [("not_a_number", "water.temperature")]
    assert record.time == NOON


def test_every_bare_word_of_c_is_read() -> None:
    """A bare nan inside text is left alone."""
    record = one('{"time":"2026-03-02T03:00:00Z","note":"nan \\" inf","readings":{"water.ec":nan,"water.level":-inf,"water.ph":7}}')
    assert record.channels == [("main", {"water.ph": 7.0})]
    assert reasons(record) == [("not_a_number", "water.ec"), ("not_a_number", "water.level")]


@pytest.mark.parametrize("huge", ["1e400", "-1e400", "1" + "0" * 400])
def test_beyond_a_float(huge: str) -> None:
    """A number no float holds is no reading, written as a float or as an integer."""
    record = one(f'{{"time":"2026-03-02T03:00:00Z","readings":{{"water.ec":{huge},"water.level":1}}}}')
    assert record.channels == [("main", {"water.level": 1.0})]
    assert reasons(record) == [("not_a_number", "water.ec")]


def test_an_integer_longer_than_python_reads() -> None:
    """An integer of over 4,300 digits: the message is refused, with a reason."""
    with pytest.raises(DecodeError) as caught:
        decode(b'{"readings":{"water.ec":' + b"9" * 5000 + b"}}")
    assert caught.value.reason == "malformed"


def test_whole_numbers_are_floats() -> None:
    """A store keeps floats: 2 is 2.0, also the largest integer a float nearly holds."""
    record = one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2,"water.level":9007199254740993},"battery":4}')
    assert [type(v) for _, values in record.channels for v in values.values()] == [float, float, float]


def test_unknown_quantities() -> None:
    """A quantity nobody registered is refused by name; a key named like one of ours in other letters too."""
    record = one('{"time":"2026-03-02T03:00:00Z","readings":{"water.salt":1,"Water.ec":2,"water.ec":2.31,"":3}}')
    assert record.channels == [("main", {"water.ec": 2.31})]
    assert reasons(record) == [("unknown_quantity", "water.salt"), ("unknown_quantity", "Water.ec"), ("unknown_quantity", "")]


def test_a_sender_that_invents_names_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of layouts only those of known names are remembered, so many, and so is what a refusal quotes."""
    before = len(native._known_layouts)
    for n in range(100):
        decode(b'{"time":"2026-03-02T03:00:00Z","readings":{"x%d":1}}' % n)
    assert len(native._known_layouts) == before
    monkeypatch.setattr(native, "_MOST_LAYOUTS", before + 100)
    for names in itertools.islice(itertools.permutations(QUANTITIES, 3), 300):
        decode(json.dumps({"time": "2026-03-02T03:00:00Z", "readings": dict.fromkeys(names, 1)}).encode())
    assert len(native._known_layouts) <= before + 100
    record = one(json.dumps({"time": "2026-03-02T03:00:00Z", "readings": {"x" * 100_000: 1}}))
    assert len(record.refused[0].key) <= 200
    assert len(record.refused[0].text) < 300
    record = one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1}}')
    assert record.channels, "a layout met after the cache is full is still read"


def test_the_last_of_a_key_twice() -> None:
    """JSON leaves a repeated key open: the last one counts, in both steps."""
    assert one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1,"water.ec":2.5}}').channels == [("main", {"water.ec": 2.5})]
    assert one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1,"water.ec":2.5,"water.ph":nan}}').channels == [("main", {"water.ec": 2.5})]
    assert one('{"readings":{"water.ec":1},"readings":{"water.ph":7},"time":"2026-03-02T03:00:00Z"}').channels == [("main", {"water.ph": 7.0})]


def test_a_deep_field_is_ignored() -> None:
    """T40: 9,000 brackets in a field nobody reads; refused with a reason or ignored, and the next one is read."""
    deep = '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31},"x":' + "[" * 9000 + "]" * 9000 + "}"
    with contextlib.suppress(DecodeError):
        assert one(deep).channels == [("main", {"water.ec": 2.31})]
    with pytest.raises(DecodeError):
        decode(deep.replace("2.31", "nan").encode())
    assert one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31}}').channels


# ---------------------------------------------------------------- shape


@pytest.mark.parametrize("payload", ["3", '"x"', "null", "true", "{", '{"readings":}', "nan", '{"a":1}{"b":2}', "[1,2"])
def test_no_message(payload: str) -> None:
    """What is no JSON object or array is refused whole."""
    with pytest.raises(DecodeError) as caught:
        decode(payload.encode())
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("value", [b"2.31", b'2.31,"water.ph":nan'])
def test_text_in_another_encoding(value: bytes) -> None:
    """A station's name in Latin-1, in a key nobody reads, costs no reading, whichever step reads it."""
    (record,) = decode(b'{"note":"K\xeanh","time":"2026-03-02T03:00:00Z","readings":{"water.ec":' + value + b"}}")
    assert record.channels == [("main", {"water.ec": 2.31})]


def test_an_array_keeps_its_good_objects() -> None:
    """One element that is no object, or is bad, costs the others nothing; an empty array is an empty message."""
    good = '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.31}}'
    records = decode(f"[{good},7,{good},{{}},[],{good}]".encode())
    assert [bool(r.channels) for r in records] == [True, False, True, False, False, True]
    assert reasons(records[1]) == [("malformed", "")]
    assert reasons(records[3]) == [("bad_time", "time")]
    assert decode(b"[]") == []  # ingest refuses a message without records (tests of mail)


def test_channels() -> None:
    """Each channel by its name; a bad name and a channel that is no object are refused, the others stay."""
    record = one('{"time":"2026-03-02T03:00:00Z","channels":{"d10":{"soil.moisture":0.31},"D 30":{"soil.moisture":0.3},"d30":{"soil.moisture":0.36},"e":{}}}')
    assert record.channels == [("d10", {"soil.moisture": 0.31}), ("d30", {"soil.moisture": 0.36})]
    assert reasons(record) == [("bad_channel", "D 30")]
    record = one('{"time":"2026-03-02T03:00:00Z","readings":[1],"channels":{"d10":{"soil.moisture":"x"},"d30":5,"d60":{"soil.moisture":0.4}}}')
    assert record.channels == [("d60", {"soil.moisture": 0.4})]
    assert reasons(record) == [("malformed", "readings"), ("malformed", "channels.d30"), ("not_a_number", "d10/soil.moisture")]
    assert reasons(one('{"time":"2026-03-02T03:00:00Z","readings":{},"channels":[]}')) == [("malformed", "channels")]


@pytest.mark.parametrize("name", ["", "a" * 65, "Đ10", "d/10", "d10\n", "a.b", "../x", "d_1"])
def test_bad_channel_names(name: str) -> None:
    """A channel is a slug: it becomes a point's name."""
    record = one(json.dumps({"time": "2026-03-02T03:00:00Z", "channels": {name: {"soil.moisture": 0.3}}}))
    assert record.channels == []
    assert reasons(record) == [("bad_channel", name)]


def test_battery_and_signal() -> None:
    """They are the device's own quantities; a bad one is refused alone."""
    record = one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1},"battery":3.71,"rssi":-97,"snr":7.5}')
    assert record.channels[1] == ("main", {"device.battery": 3.71, "device.rssi": -97.0, "device.snr": 7.5})
    record = one('{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1},"battery":"full","rssi":true,"snr":null}')
    assert record.channels == [("main", {"water.ec": 1.0})]
    assert reasons(record) == [("not_a_number", "battery"), ("not_a_number", "rssi")]


def test_other_keys_are_ignored() -> None:
    """Whatever stands beside the known keys is nobody's business."""
    assert one('{"model":{"x":[1]},"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1},"Seq":"?"}') == one(
        '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1}}'
    )


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        ("2026-03-02T03:00:00Z", 0),
        ("2026-03-02T10:00:00+07:00", 0),
        ("2026-03-01T22:30:00-04:30", 0),
        ("2026-03-02T03:00:00.250Z", 250),
        ("2026-03-02T03:00:00.2509999Z", 250),
        ("2026-03-02T03:00:00.999999Z", 999),
        ("2026-03-02T03:00:00.99999999999Z", 999),
        ("2026-03-02T10:00:00.0009999+07:00", 0),
        ("2026-03-02t03:00:00z", 0),
        ("2026-03-02 03:00:00Z", 0),
    ],
)
def test_times(time: str, ms: int) -> None:
    """RFC 3339 with any offset, to whole milliseconds, floored."""
    assert timed(json.dumps(time)).time == NOON + ms


def test_times_before_1970_are_floored_too() -> None:
    """Half a millisecond before 1970 is −1 ms, not 0."""
    assert timed('"1969-12-31T23:59:59.999500Z"').time == -1


@pytest.mark.parametrize(
    "time",
    [
        *('"2026-03-02 10:05:00"', '"2026-03-02T10:05:00"', "1772420400", "1772420400000", '"1772420400"', "true", "[]", "{}", '""', '"now"'),
        *('"2026-02-30T00:00:00Z"', '"2026-03-02T24:00:00Z"', '"2026-03-02T03:00:00+7"', '"2026-03-02T03:00:00 Asia/Ho_Chi_Minh"', '"2026-03-02"'),
        *('"2026-03-02T03:00:60Z"', '"0000-01-01T00:00:00Z"', '"10000-01-01T00:00:00Z"'),
    ],
)
def test_times_refused(time: str) -> None:
    """T06: without a zone, as a number, or impossible: refused, never read as another time; the reason names the zone."""
    record = timed(time)
    assert record.time is None
    assert reasons(record) == [("bad_time", "time")]
    assert "zone" in record.refused[0].text
    assert record.channels == [("main", {"water.ec": 2.31})]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_the_calendar(time: str) -> None:
    """T04: the first and last year are read (and refused later, by the clock) or refused here; nothing breaks."""
    record = timed(json.dumps(time))
    assert record.time is None or not 946_684_800_000 <= record.time <= 4_102_444_800_000
    assert record.time is not None or reasons(record) == [("bad_time", "time")]


def test_a_rebooted_clock_is_read_as_it_is() -> None:
    """T04 c: 1970 is decoded as 1970; the pipeline refuses it with the device's offset."""
    assert one('{"seq":0,"time":"1970-01-01T00:00:03Z","readings":{"water.ec":1}}').time == 3000


def test_no_time_at_all() -> None:
    """Neither time nor age: refused with the way out; null is the same as absent."""
    for text in ('{"readings":{"water.ec":1}}', '{"time":null,"age_s":null,"readings":{"water.ec":1}}'):
        record = one(text)
        assert (record.time, record.age_ms) == (None, None)
        assert reasons(record) == [("bad_time", "time")]
        assert "age_s" in record.refused[0].text


# ---------------------------------------------------------------- identity


@pytest.mark.parametrize("number", ["0", "9223372036854775807"])
def test_the_bounds_of_seq_and_boot(number: str) -> None:
    """0 and 2^63 − 1 are numbers like any other."""
    record = one(f'{{"seq":{number},"boot":{number},"age_s":0,"readings":{{"water.ec":1}}}}')
    assert (record.seq, record.boot, record.age_ms) == (int(number), int(number), 0)
    assert record.refused == []


@pytest.mark.parametrize("number", ["-1", "9223372036854775808", "1e3", "1.5", '"7"', "true", "1" + "0" * 400])
def test_no_seq(number: str) -> None:
    """Any other number is refused; with a time of its own the message stands without it, without one it cannot."""
    record = one(f'{{"seq":{number},"boot":1,"time":"2026-03-02T03:00:00Z","readings":{{"water.ec":1}}}}')
    assert (record.seq, record.boot, record.time) == (None, 1, NOON)
    assert reasons(record) == [("no_identity", "seq")]
    record = one(f'{{"seq":1,"boot":{number},"age_s":5,"readings":{{"water.ec":1}}}}')
    assert (record.boot, record.age_ms) == (None, None)
    assert reasons(record) == [("no_identity", "boot"), ("no_identity", "")]


@pytest.mark.parametrize(("age", "ms"), [("0", 0), ("35", 35_000), ("0.0004", 0), ("1.2345", 1234), ("864000", 864_000_000), ("316224000", 316_224_000_000)])
def test_ages(age: str, ms: int) -> None:
    """Seconds before arrival, up to ten years."""
    assert one(f'{{"seq":1,"boot":1,"age_s":{age},"readings":{{"water.ec":1}}}}').age_ms == ms


@pytest.mark.parametrize("age", ["-1", "-0.001", "316224001", "1e300", "nan", "true", '"35"', "[]"])
def test_no_age(age: str) -> None:
    """A negative, absurd or unreadable age is refused, once."""
    record = one(f'{{"seq":1,"boot":1,"age_s":{age},"readings":{{"water.ec":1}}}}')
    assert record.age_ms is None
    assert {r for r, _ in reasons(record)} == {"bad_time"}


@pytest.mark.parametrize("rest", ["", '"seq":1,', '"boot":1,'])
def test_an_age_needs_seq_and_boot(rest: str) -> None:
    """Without both a redelivery cannot be told from a new reading."""
    record = one(f'{{{rest}"age_s":35,"readings":{{"water.ec":1}}}}')
    assert record.age_ms is None
    assert reasons(record) == [("no_identity", "")]


def test_time_wins_over_age() -> None:
    """Who has a clock is not clockless."""
    record = one('{"seq":1,"boot":1,"age_s":35,"time":"2026-03-02T03:00:00Z","readings":{"water.ec":1}}')
    assert (record.time, record.age_ms) == (NOON, None)


def test_the_digest_is_of_readings_and_channels() -> None:
    """Age, battery, signal and the order of keys change between attempts and are no other content; a value or channel is."""
    first = one('{"seq":1,"boot":1,"age_s":5,"readings":{"water.ec":1,"water.ph":7},"battery":3.7}').digest
    assert one('{"battery":3.6,"rssi":-90,"age_s":65,"boot":1,"seq":1,"readings":{"water.ph":7.0,"water.ec":1}}').digest == first
    others = [
        '{"seq":1,"boot":1,"age_s":5,"readings":{"water.ec":1.01,"water.ph":7}}',
        '{"seq":1,"boot":1,"age_s":5,"readings":{"water.ec":1}}',
        '{"seq":1,"boot":1,"age_s":5,"channels":{"d10":{"water.ec":1,"water.ph":7}}}',
        '{"seq":1,"boot":1,"age_s":5,"readings":{"water.ec":1,"water.ph":7,"water.level":nan}}',
    ]
    assert len({first, *(one(text).digest for text in others)}) == 5


# ---------------------------------------------------------------- both steps

FIRST = datetime(1, 1, 3, tzinfo=UTC)
LAST = datetime(9999, 12, 29, tzinfo=UTC) - FIRST
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
named = st.dictionaries(st.sampled_from([*QUANTITIES, "water.salt", "x"]), values, max_size=4)
zones = st.sampled_from([UTC, timezone(timedelta(hours=7)), timezone(timedelta(hours=-9, minutes=-30))])
instants = st.builds(lambda us, zone: (FIRST + timedelta(microseconds=us)).astimezone(zone), st.integers(0, LAST // timedelta(microseconds=1)), zones)
numbers = st.integers(0, 2**63 - 1) | st.integers(-2, 2**65)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, object]:
    message: dict[str, object] = {
        "readings": draw(named),
        "channels": draw(st.dictionaries(st.sampled_from(["d10", "d30", "main", "D9", ""]), named, max_size=3)),
        "time": draw(st.none() | instants.map(lambda t: t.isoformat())),
        "age_s": draw(st.none() | st.floats(-10, 4e8) | st.integers(-1, 400_000_000)),
        "seq": draw(st.none() | numbers),
        "boot": draw(st.none() | numbers),
        "battery": draw(st.none() | values),
        "rssi": draw(st.none() | values),
        "snr": draw(st.none() | values),
        "extra": draw(st.none() | st.text(max_size=5)),
    }
    order = draw(st.permutations(list(message)))
    left_out = draw(st.sets(st.sampled_from(list(message))))
    return {key: message[key] for key in order if key not in left_out}


def in_order(records: list[Record]) -> list[Record]:
    return [record._replace(refused=sorted(record.refused)) for record in records]


@given(content=messages() | st.lists(messages(), max_size=4))
def test_both_steps_agree(content: object) -> None:
    """Whatever the fast step reads, the tolerant one reads the same, digests and refusals included."""
    payload = json.dumps(content).encode()
    try:
        found = native._plain(payload)
    except msgspec.MsgspecError:
        return  # an integer too large for its field: the tolerant step's alone
    fast = [native.record(item) for item in (found if isinstance(found, list) else [found])]
    assert in_order(fast) == in_order(native._tolerant(payload))
    assert decode(payload) == fast


@given(content=messages(), spoiled=st.sampled_from(["nan", "NaN", "Infinity", '"1"', "true", "null"]))
def test_a_spoiled_neighbour_changes_nothing(content: dict[str, object], spoiled: str) -> None:
    """A message with one more, bad, value decodes to the same and one refusal (and for a clockless one another digest)."""
    clean = one(json.dumps(content | {"readings": content.get("readings", {})}))
    readings = json.dumps(content.get("readings", {}))
    assume("water.turbidity" not in readings)
    text = json.dumps(content | {"readings": "HERE"}).replace('"HERE"', readings[:-1] + (", " if len(readings) > 2 else "") + f'"water.turbidity": {spoiled}}}')
    dirty = one(text)
    assert (dirty.seq, dirty.boot, dirty.time, dirty.age_ms, dirty.channels) == (clean.seq, clean.boot, clean.time, clean.age_ms, clean.channels)
    assert sorted(dirty.refused) == sorted([*clean.refused, *(r for r in dirty.refused if r.key == "water.turbidity")])
    assert [r.reason for r in dirty.refused if r.key == "water.turbidity"] == ["not_a_number"]
    assert all(math.isfinite(v) for _, kept in dirty.channels for v in kept.values())
