"""What is claimed of the form of every packet, and of PINGREQ."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.mqtt.steps import (
    COMMANDS,
    NO_TEXTS,
    NO_UTF8,
    NULL,
    PINGREQ,
    SURROGATE,
    TOPIC,
    V5,
    Claim,
    Play,
    acknowledged,
    alive,
    breaks,
    closed,
    connack,
    connect,
    cut,
    get,
    logged_in,
    packet,
    props,
    publish,
    send,
    suback,
    subscribe,
    taken,
    text,
    unsuback,
    unsubscribe,
    wait,
)


def _each_string(version: int, bad: bytes) -> Sequence[Play]:
    """The bad text wherever a client may put one."""
    return [
        [send(connect(version, client=bad)), closed(packet(0x20, b"\0\x81\0") if version == V5 else b"")],
        breaks(version, publish(version, topic=bad), 0x81),
        breaks(version, subscribe(version, (bad, 1)), 0x81),
        breaks(version, unsubscribe(version, bad), 0x81),
    ]


def _pair(key: bytes, value: bytes) -> bytes:
    return b"\x26" + text(key) + text(value)


def _ids(version: int) -> Sequence[Play]:
    return [
        breaks(version, publish(version, id=0), 0x82),
        breaks(version, subscribe(version, (COMMANDS, 1), id=0), 0x82),
        breaks(version, unsubscribe(version, COMMANDS, id=0), 0x82),
    ]


def _reserved_bits(version: int) -> Sequence[Play]:
    firsts = (0xC1, 0xE2, 0x80, 0xA0, 0x41, 0x60)  # PINGREQ, DISCONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBACK, PUBREL
    return [breaks(version, packet(first, b"\0\1"), 0x81) for first in firsts]


CLAIMS = (
    Claim(
        v5="MQTT-1.5.4-1",
        v311="MQTT-1.5.3-1",
        text="A string that is no UTF-8, or holds a surrogate, is malformed.",
        plays=lambda v: [play for bad in (SURROGATE, NO_UTF8) for play in _each_string(v, bad)],
    ),
    Claim(
        v5="MQTT-1.5.4-2",
        v311="MQTT-1.5.3-2",
        text="A string with U+0000 is malformed.",
        plays=lambda v: _each_string(v, NULL),
    ),
    Claim(
        v5="MQTT-1.5.4-3",
        v311="MQTT-1.5.3-3",
        text="U+FEFF is a character like any other, and is kept.",
        plays=lambda v: [[*logged_in(v), send(publish(v, topic="canhman/kg/kl01/\ufeffx", first=0x30)), taken(("canhman/kg/kl01/\ufeffx", b"{}")), *alive()]],
    ),
    Claim(
        v5="MQTT-1.5.5-1",
        text="A variable byte integer longer than it need be, or over four bytes, is malformed: in the fixed header and in properties.",
        plays=lambda v: [
            breaks(V5, b"\xc0\x80\0", 0x81),
            breaks(V5, b"\x30\xff\xff\xff\xff\x01", 0x81),
            breaks(V5, packet(0x30, text(TOPIC) + b"\x80\0{}"), 0x81),
            breaks(V5, packet(0x30, text(TOPIC) + b"\xff\xff\xff\xff\x01"), 0x81),
        ],
    ),
    Claim(
        v5="MQTT-1.5.7-1",
        text="Both texts of a user property must be UTF-8.",
        plays=lambda v: [
            *(breaks(V5, publish(V5, properties=_pair(*pair)), 0x81) for bad in NO_TEXTS for pair in ((bad, b"x"), (b"x", bad))),
            [*logged_in(V5), send(publish(V5, properties=_pair(b"x", b"1") + _pair(b"x", b"2"))), taken((TOPIC, b"{}"))],
        ],
    ),
    Claim(
        v5="MQTT-2.1.3-1",
        v311="MQTT-2.2.2-1",
        text="A reserved flag that is not as listed is malformed, and so is packet type 0.",
        plays=lambda v: [*_reserved_bits(v), breaks(v, b"\0\0", 0x81)],
    ),
    Claim(
        v311="MQTT-2.2.2-2",
        text="Wrong flags, or a type 3.1.1 does not have, close the connection.",
        plays=lambda v: [*_reserved_bits(v), breaks(v, b"\xf0\0", 0x81)],
    ),
    Claim(
        v5="MQTT-2.2.1-2",
        v311="MQTT-2.3.1-5",
        text="At QoS 0 there is no packet identifier: what stands there is payload.",
        plays=lambda v: [[*logged_in(v), send(publish(v, first=0x30, payload=b"\0\1{}")), taken((TOPIC, b"\0\1{}")), *alive()]],
    ),
    Claim(
        v5="MQTT-2.2.1-3",
        v311="MQTT-2.3.1-1",
        text="Packet identifier 0 in PUBLISH (QoS 1), SUBSCRIBE or UNSUBSCRIBE is a protocol error.",
        plays=_ids,
    ),
    Claim(
        v5="MQTT-2.2.1-5",
        v311="MQTT-2.3.1-6",
        text="PUBACK has the packet identifier of its PUBLISH.",
        plays=lambda v: [acknowledged(v)],
    ),
    Claim(
        v5="MQTT-2.2.1-6",
        v311="MQTT-2.3.1-7",
        text="SUBACK and UNSUBACK have the packet identifier of what they answer.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS, 1), id=0xABCD)),
                get(suback(v, 1, id=0xABCD)),
                send(unsubscribe(v, COMMANDS, id=0xFFFF)),
                get(unsuback(v, 0, id=0xFFFF)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-2.2.2-1",
        text="A packet without properties says so by a length of 0, ours and theirs.",
        plays=lambda v: [
            breaks(V5, packet(0x32, text(TOPIC) + b"\0\1"), 0x81),
            breaks(V5, packet(0x82, b"\0\1"), 0x81),
            [*logged_in(V5), send(subscribe(V5, (COMMANDS, 0))), get(bytes.fromhex("90 04 0009 00 00"))],
        ],
    ),
    Claim(
        v5="MQTT-4.13.1-1",
        v311="MQTT-4.8.0-1",
        text="A packet that is malformed, forbidden, or only for servers to send, ends the connection; its neighbours before it count.",
        plays=lambda v: [
            *(breaks(v, packet(first, body), 0x82) for first, body in ((0x20, b"\0\0" + props(v)), (0x90, b"\0\1" + props(v) + b"\0"), (0xD0, b""))),
            *(breaks(v, packet(first, b"\0\1"), 0x82) for first in (0x40, 0x50, 0x62, 0x70)),
            breaks(v, packet(0xC0, b"\0"), 0x81),
            [*logged_in(v), send(publish(v, first=0x30) + b"\xc0\1\0" + publish(v)), closed(cut(v, 0x81)), taken((TOPIC, b"{}"))],
        ],
    ),
    Claim(
        v5="MQTT-4.13.2-1",
        text="After a reason from 0x80 up the connection is closed.",
        plays=lambda v: [
            [*logged_in(v), send(bytes.fromhex("e0 01 80")), closed()],
            breaks(V5, bytes.fromhex("e0 01 03"), 0x81),  # no reason of a DISCONNECT
            [*logged_in(v), send(bytes.fromhex("e0 07 00 05 11 00000001")), closed(cut(V5, 0x82))],  # keeps a session CONNECT did not ask for
        ],
    ),
    Claim(
        v5="MQTT-3.12.4-1",
        v311="MQTT-3.12.4-1",
        text="PINGREQ is answered with PINGRESP.",
        plays=lambda v: [[*logged_in(v), *alive(), wait(5), *alive()], [send(connect(v) + PINGREQ * 3), get(connack(v) + b"\xd0\0" * 3)]],
    ),
)
