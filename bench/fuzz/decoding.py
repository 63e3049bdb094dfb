"""Payloads to decoders, and topics to the router."""

from __future__ import annotations

import math
import random

from bench.fuzz.mutate import mutated
from bench.fuzz.target import Target, law
from core.deadletter import REASONS
from core.errors import DecodeError
from core.place import SLUG
from core.quantities import QUANTITIES
from ingest.decoder import LARGEST, Decoder, Plain, Record
from ingest.decoders import native
from ingest.mail import DECODERS
from ingest.route import TOPICS, route

_NATIVE = (
    b'{"seq":1841,"boot":12,"time":"2026-03-01T00:10:00Z","readings":{"water.ec":2.31,"water.temperature":28.4},"battery":3.71,"rssi":-97,"snr":7.5}',
    b'{"seq":1,"boot":2,"age_s":12.5,"readings":{"water.level":1},"channels":{"d10":{"soil.moisture":0.31},"x y":{}}}',
    b'[{"time":"2026-03-01T07:10:00.123456789+07:00","readings":{"water.ec":NaN}},{"readings":[]},7]',
    b'{"time":1772323800,"readings":{"water.ec":"2","nothing":1},"seq":-1,"boot":true}',
    b'{"readings":{"water.ec":1e999,"water.salinity":-Infinity,"water.ph":null},"age_s":-1}',
    '{"time":"2026-03-01T00:10:00Z","trạm":"Cổ Chiên","readings":{"water.ec":0}}'.encode(),
)


def decoder_target(decoder: Decoder) -> Target:
    """One decoder, from its own examples."""
    seeds = tuple(example.payload for example in decoder.examples) + (_NATIVE if decoder.name == "native" else ())

    def feed(payload: bytes) -> None:
        records = decoder.decode(payload)
        for record in records:
            _check(record)
        if decoder.name == "native":
            _same_both_ways(payload, records)

    return Target(
        name=f"decoder {decoder.name}",
        about="values are finite numbers of known quantities, refusals have a known reason, nothing but DecodeError is raised; both ways through it agree",
        share=0.30 / len(DECODERS),
        declared=(DecodeError,),
        make=lambda rng: mutated(rng, seeds),
        feed=feed,
    )


def _check(record: Record) -> None:
    for number in (record.seq, record.boot):
        law(number is None or 0 <= number <= LARGEST, f"a number of {number}")
    law(record.time is None or record.age_ms is None, "a time and an age")
    for channel, values in record.channels:
        law(bool(SLUG.match(channel)), f"channel {channel!r}")
        law(all(name in QUANTITIES and type(value) in (float, int) and math.isfinite(value) for name, value in values.items()), f"values {values}")
    law(all(r.reason in REASONS and len(r.key) <= 300 and len(r.text) <= 1000 for r in record.refused), f"refusals {record.refused}")


def _same_both_ways(payload: bytes, records: list[Record]) -> None:
    """The quick way through plain objects says what the careful one says."""
    try:
        found = native._plain(payload)
    except (ValueError, RecursionError):
        return
    plain = [found] if isinstance(found, Plain) else found
    law(repr([native.record(item) for item in plain]) == repr(records), "the plain objects of a message are not its records")
    law(_sorted(native._tolerant(payload)) == _sorted(records), "the quick and the careful way differ")


def _sorted(records: list[Record]) -> str:
    """As text, for NaN and -0.0 to be compared too; refusals may come in another order."""
    return repr([record._replace(refused=sorted(record.refused)) for record in records])


_FIELDS = {"org": "mekong", "device": "kl-01", "port": 7, "application": "a1", "devEui": "70B3D57ED0000001", "app": "app", "tenant": "t", "id": "kl-01"}
_TOPICS = tuple(topic.format(**_FIELDS).encode() for topic in TOPICS.values())


def _route(raw: bytes) -> None:
    topic = raw.decode("utf-8", "surrogateescape")
    found = route(topic)
    law(found.kind in TOPICS, f"kind {found.kind}")
    law(found.port is None or 0 <= found.port <= 255, f"port {found.port}")
    law(found.device in topic and found.org in topic, "an org or a device that is not in the topic")
    if found.kind in ("telemetry", "senml", "status", "ack"):
        law(TOPICS[found.kind].format(org=found.org, device=found.device) == topic, "a topic that is not what was read from it")


ROUTER = Target(
    name="topic router",
    about="org and device are those of the topic, which can be written again from them",
    share=0.10,
    declared=(DecodeError,),
    make=lambda rng: mutated(rng, _TOPICS, most=3),
    feed=_route,
)

TARGETS = (*(decoder_target(decoder) for decoder in DECODERS.values()), ROUTER)


def random_text(rng: random.Random) -> str:
    """Some text, with what is hard to escape in it."""
    return "".join(rng.choice("aạ,= \\\"'\n\t\0é日\U0001f40b/") for _ in range(rng.randrange(1, 9)))
