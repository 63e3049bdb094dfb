"""What every decoder must do, parametrised over the registry: a new decoder is tested the moment it exists."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deadletter import REASONS
from core.errors import DecodeError
from core.place import SLUG
from core.quantities import QUANTITIES
from ingest.decoder import Decoder, Record
from ingest.mail import DECODERS
from ingest.route import route

every_decoder = pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS.keys())

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["2026-03-02T03:00:00Z", "water.ec", "nan"])
keys = st.sampled_from(["readings", "channels", "time", "age_s", "seq", "boot", "battery", "rssi", "snr", "water.ec", "d10", "main"]) | st.text(max_size=5)
any_json = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20)


def read(decoder: Decoder, payload: bytes) -> list[Record] | None:
    """The records, checked for what must hold of any; None where the message was refused, with a reason that exists."""
    refused = ""
    try:
        records = decoder.decode(payload)
    except DecodeError as error:
        refused, text = error.reason, str(error)
    if refused:
        assert refused in REASONS
        assert text
        return None
    for record in records:
        assert record.time is None or record.age_ms is None
        for number in (record.seq, record.boot):
            assert number is None or (type(number) is int and 0 <= number < 2**63)
        assert record.age_ms is None or (record.seq is not None and record.boot is not None and len(record.digest) >= 8)
        if record.time is None and record.age_ms is None:
            assert record.refused, "an object without a time says why"
        for channel, values in record.channels:
            assert SLUG.match(channel)
            assert values, "an empty channel is no channel"
            for quantity, value in values.items():
                assert quantity in QUANTITIES
                assert type(value) is float
                assert math.isfinite(value)
        for refusal in record.refused:
            assert refusal.reason in REASONS
            assert refusal.text
            assert len(refusal.text) < 400
            assert len(refusal.key) <= 260
    return records


@every_decoder
def test_examples(decoder: Decoder) -> None:
    """Each example decodes to what it says, and there is at least one."""
    assert decoder.examples
    for example in decoder.examples:
        assert read(decoder, example.payload) == list(example.records)


def test_one_decoder_a_kind() -> None:
    """Two decoders without a model never claim one kind of topic: which one reads would be chance."""
    kinds = [d.kind for d in DECODERS.values() if not d.model]
    assert len(kinds) == len(set(kinds))


@every_decoder
def test_kind_is_of_the_contract(decoder: Decoder) -> None:
    """A decoder reads a topic kind that exists, and maps to known quantities alone."""
    topics = ["canhman/o/d/telemetry", "canhman/o/d/senml", "canhman/o/d/frame/2", "application/1/device/d/event/up", "v3/a@t/devices/d/up"]
    assert decoder.kind in {route(topic).kind for topic in topics}
    assert set(decoder.quantities.values()) <= set(QUANTITIES)


@every_decoder
def test_examples_cut_short(decoder: Decoder) -> None:
    """Every beginning of an example is read or refused, never an error of another kind."""
    for example in decoder.examples:
        for end in range(len(example.payload)):
            read(decoder, example.payload[:end])


@every_decoder
@given(data=st.data())
def test_examples_with_flipped_bits(decoder: Decoder, data: st.DataObject) -> None:
    """Wherever bits flip, the message is read or refused, and the same bytes give the same answer."""
    payload = bytearray(data.draw(st.sampled_from(decoder.examples)).payload)
    for place, bit in data.draw(st.lists(st.tuples(st.integers(0, len(payload) - 1), st.integers(0, 7)), min_size=1, max_size=4)):
        payload[place] ^= 1 << bit
    assert repr(read(decoder, bytes(payload))) == repr(read(decoder, bytes(payload)))


@every_decoder
@given(payload=st.binary(max_size=300))
def test_any_bytes(decoder: Decoder, payload: bytes) -> None:
    """No bytes whatever raise anything but DecodeError."""
    read(decoder, payload)


@every_decoder
@given(document=any_json)
def test_any_json(decoder: Decoder, document: object) -> None:
    """Nor does any JSON, with the keys of the contract in all the wrong places."""
    read(decoder, json.dumps(document).encode())


@every_decoder
@pytest.mark.parametrize("payload", [b"", b" ", b"\0" * 200, b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b'"' + b"x" * 1_000_000])
def test_hostile_bytes(decoder: Decoder, payload: bytes) -> None:
    """Empty, binary, nested or endless: refused as a whole."""
    assert read(decoder, payload) is None
