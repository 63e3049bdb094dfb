"""What is claimed of PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ and the form of every packet."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.mqtt.steps import (
    ACKNOWLEDGE,
    COMMANDS,
    FOREIGN,
    PINGREQ,
    STATUS,
    TOPIC,
    V5,
    V311,
    Claim,
    Play,
    Step,
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
    puback,
    publish,
    send,
    subscribe,
    taken,
    text,
    unsubscribe,
    wait,
)

_SURROGATE, _NULL, _NO_UTF8 = b"a\xed\xa0\x80", b"a\0b", b"a\xff"
_IN_ALL_STRINGS = (_SURROGATE, _NULL, _NO_UTF8)


def _each_string(version: int, bad: bytes) -> Sequence[Play]:
    """The bad text wherever a client may put one."""
    return [
        [send(connect(version, client=bad)), closed(packet(0x20, b"\0\x81\0") if version == V5 else b"")],
        breaks(version, publish(version, topic=bad), 0x81),
        breaks(version, subscribe(version, (bad, 1)), 0x81),
        breaks(version, unsubscribe(version, bad), 0x81),
    ]


def _suback(version: int, *reasons: int, id: int = 9) -> bytes:
    return packet(0x90, id.to_bytes(2, "big") + props(version) + bytes(reasons))


def _unsuback(version: int, *reasons: int, id: int = 9) -> bytes:
    return packet(0xB0, id.to_bytes(2, "big") + (props(version) + bytes(reasons) if version == V5 else b""))


def _no(version: int) -> int:
    return 0x87 if version == V5 else 0x80


def _pair(key: bytes, value: bytes) -> bytes:
    return b"\x26" + text(key) + text(value)


def _ids(version: int) -> Sequence[Play]:
    return [
        breaks(version, publish(version, id=0), 0x82),
        breaks(version, subscribe(version, (COMMANDS, 1), id=0), 0x82),
        breaks(version, unsubscribe(version, COMMANDS, id=0), 0x82),
    ]


def _acknowledged(version: int) -> list[Step]:
    """Nothing comes before the journal has it; then the PUBACK of this very message."""
    return [*logged_in(version), send(publish(version, id=0x1234)), *alive(), taken((TOPIC, b"{}")), ACKNOWLEDGE, get(puback(0x1234))]


def _reserved_bits(version: int) -> Sequence[Play]:
    firsts = (0xC1, 0xE2, 0x80, 0xA0, 0x41, 0x60)  # PINGREQ, DISCONNECT, SUBSCRIBE, UNSUBSCRIBE, PUBACK, PUBREL
    return [breaks(version, packet(first, b"\0\1"), 0x81) for first in firsts]


CLAIMS = (
    # ------------------------------------------------------------ form
    Claim(
        v5="MQTT-1.5.4-1",
        v311="MQTT-1.5.3-1",
        text="A string that is no UTF-8, or holds a surrogate, is malformed.",
        plays=lambda v: [play for bad in (_SURROGATE, _NO_UTF8) for play in _each_string(v, bad)],
    ),
    Claim(
        v5="MQTT-1.5.4-2",
        v311="MQTT-1.5.3-2",
        text="A string with U+0000 is malformed.",
        plays=lambda v: _each_string(v, _NULL),
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
            *(breaks(V5, publish(V5, properties=_pair(*pair)), 0x81) for bad in _IN_ALL_STRINGS for pair in ((bad, b"x"), (b"x", bad))),
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
        plays=lambda v: [_acknowledged(v)],
    ),
    Claim(
        v5="MQTT-2.2.1-6",
        v311="MQTT-2.3.1-7",
        text="SUBACK and UNSUBACK have the packet identifier of what they answer.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS, 1), id=0xABCD)),
                get(_suback(v, 1, id=0xABCD)),
                send(unsubscribe(v, COMMANDS, id=0xFFFF)),
                get(_unsuback(v, 0, id=0xFFFF)),
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
    # ------------------------------------------------------------ PUBLISH
    Claim(
        v5="MQTT-3.3.1-2",
        v311="MQTT-3.3.1-2",
        text="DUP at QoS 0 is malformed; at QoS 1 it is noted.",
        plays=lambda v: [
            breaks(v, publish(v, first=0x38), 0x81),
            [*logged_in(v), send(publish(v, first=0x3A)), taken((TOPIC, b"{}")), ACKNOWLEDGE, get(puback())],
        ],
    ),
    Claim(
        v5="MQTT-3.3.1-4",
        v311="MQTT-3.3.1-4",
        text="QoS 3 is malformed.",
        plays=lambda v: [breaks(v, publish(v, first=first), 0x81) for first in (0x36, 0x37, 0x3E)],
    ),
    Claim(
        v5="MQTT-3.3.2-1",
        v311="MQTT-3.3.2-1",
        text="A topic name that runs over its packet, or is no UTF-8, is malformed.",
        plays=lambda v: [
            breaks(v, packet(0x30, b"\0\x20canhman"), 0x81),
            breaks(v, packet(0x30, b"\0"), 0x81),
            *(breaks(v, publish(v, topic=bad), 0x81) for bad in _IN_ALL_STRINGS),
        ],
    ),
    Claim(
        v5="MQTT-3.3.2-2",
        v311="MQTT-3.3.2-2",
        text="A topic name with a wildcard is refused: 0x90.",
        plays=lambda v: [breaks(v, publish(v, topic=bad), 0x90) for bad in ("canhman/#", "canhman/+/kl01", "a+", "#")],
    ),
    Claim(
        v5="MQTT-4.7.0-1",
        v311="MQTT-4.7.1-1",
        text="Wildcards belong into filters, not into topic names.",
        plays=lambda v: [breaks(v, publish(v, topic="+", first=0x30), 0x90)],
    ),
    Claim(
        v5="MQTT-4.7.3-1",
        v311="MQTT-4.7.3-1",
        text="An empty topic name (MQTT 5: without an alias) or filter is refused.",
        plays=lambda v: [
            breaks(v, publish(v, topic=""), 0x82),
            breaks(v, subscribe(v, ("", 1)), 0x8F),
            breaks(v, unsubscribe(v, ""), 0x8F),
        ],
    ),
    Claim(
        v5="MQTT-4.7.3-2",
        v311="MQTT-4.7.3-2",
        text="A topic name or filter with U+0000 is malformed.",
        plays=lambda v: [
            breaks(v, publish(v, topic=_NULL), 0x81),
            breaks(v, subscribe(v, (_NULL, 1)), 0x81),
            breaks(v, unsubscribe(v, _NULL), 0x81),
        ],
    ),
    Claim(
        v5="MQTT-4.7.3-4",
        v311="MQTT-4.7.3-4",
        text="Topics are compared as they are: case, slashes and accents count.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS.upper(), 1), (COMMANDS + "/", 1), ("/" + COMMANDS, 1), ("canhman/kg/kl01/co\u0301mmand", 1), (COMMANDS, 1))),
                get(_suback(v, *[_no(v)] * 4, 1)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.3.2-8",
        text="Topic alias 0 is refused, and so is any other: CONNACK said there are none (0x94).",
        plays=lambda v: [
            breaks(V5, publish(V5, properties=b"\x23\0\0"), 0x82),
            breaks(V5, publish(V5, properties=b"\x23\0\1"), 0x94),
            breaks(V5, publish(V5, topic="", properties=b"\x23\0\1"), 0x94),
            breaks(V5, publish(V5, properties=b"\x23\0\1\x23\0\1"), 0x82),
        ],
    ),
    Claim(
        v5="MQTT-3.3.2-13",
        text="A response topic that is no UTF-8 is malformed.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x08" + text(bad)), 0x81) for bad in _IN_ALL_STRINGS],
    ),
    Claim(
        v5="MQTT-3.3.2-14",
        text="A response topic with a wildcard is refused.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x08" + text(bad)), 0x90) for bad in ("a/#", "+")],
    ),
    Claim(
        v5="MQTT-3.3.2-19",
        text="A content type that is no UTF-8 is malformed.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x03" + text(bad)), 0x81) for bad in _IN_ALL_STRINGS],
    ),
    Claim(
        v5="MQTT-3.3.4-1",
        v311="MQTT-3.3.4-1",
        text="QoS 0 is not answered, QoS 1 with PUBACK.",
        plays=lambda v: [[*logged_in(v), send(publish(v, first=0x30)), taken((TOPIC, b"{}")), ACKNOWLEDGE, *alive()], _acknowledged(v)],
    ),
    Claim(
        v5="MQTT-3.3.4-6",
        text="A subscription identifier in a client's PUBLISH is a protocol error.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x0b\1"), 0x82)],
    ),
    Claim(
        v5="MQTT-3.3.4-7",
        text="More than 1,000 messages in flight, as CONNACK said, are refused: 0x93.",
        plays=lambda v: [
            [*logged_in(V5), send(b"".join(publish(V5, id=n) for n in range(1, 1001))), *alive(), send(publish(V5, id=1001)), closed(cut(V5, 0x93))],
            [
                *logged_in(V5),
                send(b"".join(publish(V5, id=n) for n in range(1, 1001))),
                ACKNOWLEDGE,
                get(b"".join(puback(n) for n in range(1, 1001))),
                send(publish(V5, id=1001)),
                *alive(),
            ],
        ],
    ),
    Claim(
        v5="MQTT-3.2.2-9",
        text="CONNACK says that QoS 1 is the most; PUBLISH with QoS 2 is refused: 0x9B.",
        plays=lambda v: [breaks(V5, publish(V5, first=0x34), 0x9B)],
    ),
    Claim(
        v5="MQTT-3.2.2-15",
        text="A packet over the maximum CONNACK names is refused at its header: 0x95.",
        plays=lambda v: [breaks(V5, bytes.fromhex("32 808040"), 0x95), breaks(V5, bytes.fromhex("30 fdff3f"), 0x95)],
    ),
    Claim(
        v5="MQTT-3.4.2-1",
        text="PUBACK of a topic the sender may not use has reason 0x87.",
        plays=lambda v: [[*logged_in(V5), send(publish(V5, topic=FOREIGN, id=7)), ACKNOWLEDGE, get(bytes.fromhex("40 03 0007 87")), *alive()]],
    ),
    Claim(
        v311="MQTT-3.3.5-2",
        text="A PUBLISH to a topic the sender may not use is acknowledged; it becomes a dead letter.",
        plays=lambda v: [[*logged_in(V311), send(publish(V311, topic=FOREIGN, id=7)), ACKNOWLEDGE, get(puback(7)), *alive()]],
    ),
    Claim(
        v5="MQTT-4.3.2-4",
        v311="MQTT-4.3.2-2",
        text="PUBACK is sent when the message is ours: written to the journal and fsynced, never before; in order of arrival.",
        plays=lambda v: [
            _acknowledged(v),
            [*logged_in(v), send(publish(v, id=3) + publish(v, id=1) + publish(v, id=2)), *alive(), ACKNOWLEDGE, get(puback(3) + puback(1) + puback(2))],
        ],
    ),
    Claim(
        v5="MQTT-4.3.2-5",
        text="After its PUBACK a packet identifier is a new message's, whatever DUP says.",
        plays=lambda v: [
            [*_acknowledged(v), send(publish(v, id=0x1234, first=0x3A, payload=b"new")), taken((TOPIC, b"new")), ACKNOWLEDGE, get(puback(0x1234))],
        ],
    ),
    Claim(
        v5="MQTT-4.9.0-3",
        text="With every message in flight that may be, other packets are answered.",
        plays=lambda v: [
            [*logged_in(V5), send(b"".join(publish(V5, id=n) for n in range(1, 1001))), *alive(), send(subscribe(V5, (COMMANDS, 1))), get(_suback(V5, 1))]
        ],
    ),
    # ------------------------------------------------------------ SUBSCRIBE, UNSUBSCRIBE
    Claim(
        v5="MQTT-3.8.1-1",
        v311="MQTT-3.8.1-1",
        text="SUBSCRIBE with other flags than 0010 is malformed.",
        plays=lambda v: [breaks(v, subscribe(v, (COMMANDS, 1), first=first), 0x81) for first in (0x80, 0x83, 0x8A)],
    ),
    Claim(
        v5="MQTT-3.8.3-1",
        v311="MQTT-3.8.3-1",
        text="A filter that is no UTF-8 is malformed.",
        plays=lambda v: [breaks(v, subscribe(v, (bad, 1)), 0x81) for bad in _IN_ALL_STRINGS],
    ),
    Claim(
        v5="MQTT-3.8.3-2",
        v311="MQTT-3.8.3-3",
        text="SUBSCRIBE without a filter is a protocol error.",
        plays=lambda v: [breaks(v, subscribe(v), 0x82)],
    ),
    Claim(
        v311="MQTT-3.8.3-2",
        text="Filters with wildcards are refused, each with 0x80 (MQTT 5: CONNACK says there are none, DISCONNECT 0xA2; shared ones 0x9E).",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, ("canhman/kg/kl01/#", 1), ("#", 0), ("+/kg/kl01/command", 2), ("$share/g/" + COMMANDS, 1))),
                get(_suback(v, *[0x80] * 4)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.8.3-4",
        text="No-local on a shared subscription is a protocol error.",
        plays=lambda v: [breaks(V5, subscribe(V5, ("$share/g/" + COMMANDS, 0x05)), 0x82)],
    ),
    Claim(
        v5="MQTT-3.8.3-5",
        v311="MQTT-3.8.3-4",
        text="Reserved bits in the options are malformed; QoS 3 is so in 3.1.1, a protocol error in MQTT 5, as is retain handling 3.",
        plays=lambda v: (
            [breaks(V5, subscribe(V5, (COMMANDS, options)), 0x81) for options in (0x40, 0x80, 0xC1)]
            + [breaks(V5, subscribe(V5, (COMMANDS, options)), 0x82) for options in (0x03, 0x30)]
            if v == V5
            else [breaks(V311, subscribe(V311, (COMMANDS, options)), 0) for options in (0x03, 0x04, 0x80)]
        ),
    ),
    Claim(
        v5="MQTT-3.8.4-1",
        v311="MQTT-3.8.4-1",
        text="SUBSCRIBE is answered with SUBACK.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(_suback(v, 1))]],
    ),
    Claim(
        v5="MQTT-3.8.4-2",
        v311="MQTT-3.8.4-2",
        text="SUBACK has the packet identifier of its SUBSCRIBE.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1), id=0x0100)), get(_suback(v, 1, id=0x0100))]],
    ),
    Claim(
        v5="MQTT-3.8.4-3",
        v311="MQTT-3.8.4-3",
        text="The same filter again takes the place of the first.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS, 1)) + subscribe(v, (COMMANDS, 0))),
                get(_suback(v, 1) + _suback(v, 0)),
                send(unsubscribe(v, COMMANDS) + unsubscribe(v, COMMANDS)),
                get(_unsuback(v, 0) + _unsuback(v, 0x11)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.8.4-5",
        v311="MQTT-3.8.4-4",
        text="Several filters in one SUBSCRIBE are answered in one SUBACK.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1), (FOREIGN, 0), (COMMANDS, 0))), get(_suback(v, 1, _no(v), 0))]],
    ),
    Claim(
        v5="MQTT-3.8.4-6",
        v311="MQTT-3.8.4-5",
        text="There is a reason for each filter.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, *[(f"a/{n}", 0) for n in range(99)])), get(_suback(v, *[_no(v)] * 99))]],
    ),
    Claim(
        v5="MQTT-3.8.4-7",
        v311="MQTT-3.8.4-6",
        text="The reason is the QoS granted, 1 at most, or that it failed.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 0), (COMMANDS, 1), (COMMANDS, 2), (STATUS, 0))), get(_suback(v, 0, 1, 1, _no(v)))]],
    ),
    Claim(
        v5="MQTT-3.2.2-10",
        text="A subscription that asks for QoS 2 is taken, with 1.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 2))), get(_suback(v, 1))]],
    ),
    Claim(
        v5="MQTT-3.9.3-1",
        v311="MQTT-3.9.3-1",
        text="Reasons stand in the order of the filters.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (FOREIGN, 0), (COMMANDS, 1), (FOREIGN, 0), (COMMANDS, 0))), get(_suback(v, _no(v), 1, _no(v), 0))]],
    ),
    Claim(
        v5="MQTT-3.9.3-2",
        v311="MQTT-3.9.3-2",
        text="A refused filter has 0x87, in 3.1.1 0x80: codes the standard lists.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, ("$SYS/broker", 0), (FOREIGN, 1))), get(_suback(v, _no(v), _no(v)))]],
    ),
    Claim(
        v5="MQTT-4.7.1-1",
        v311="MQTT-4.7.1-2",
        text="`#` anywhere but alone in the last level is refused: 0x8F.",
        plays=lambda v: [breaks(v, subscribe(v, (bad, 1)), 0x8F) for bad in ("a#", "#/a", "a/#/b", "a/b#")],
    ),
    Claim(
        v5="MQTT-4.7.1-2",
        v311="MQTT-4.7.1-3",
        text="`+` with anything else in its level is refused: 0x8F.",
        plays=lambda v: [breaks(v, subscribe(v, (bad, 1)), 0x8F) for bad in ("a+", "+a/b", "a/b+/c", "++")],
    ),
    Claim(
        v5="MQTT-4.8.2-1",
        text="A shared subscription needs a share name.",
        plays=lambda v: [breaks(V5, subscribe(V5, (bad, 1)), 0x8F) for bad in ("$share", "$share/", "$share//a")],
    ),
    Claim(
        v5="MQTT-4.8.2-2",
        text="A share name has no wildcard, and a filter behind it; a good one is refused with 0x9E: CONNACK said there are none.",
        plays=lambda v: [
            *(breaks(V5, subscribe(V5, (bad, 1)), 0x8F) for bad in ("$share/g", "$share/g/", "$share/g+/a", "$share/#/a")),
            breaks(V5, subscribe(V5, ("$share/g/" + COMMANDS, 1)), 0x9E),
        ],
    ),
    Claim(
        v5="MQTT-3.10.1-1",
        v311="MQTT-3.10.1-1",
        text="UNSUBSCRIBE with other flags than 0010 is malformed.",
        plays=lambda v: [breaks(v, unsubscribe(v, COMMANDS, first=first), 0x81) for first in (0xA0, 0xA1, 0xA6)],
    ),
    Claim(
        v5="MQTT-3.10.3-1",
        v311="MQTT-3.10.3-1",
        text="A filter that is no UTF-8 is malformed.",
        plays=lambda v: [breaks(v, unsubscribe(v, bad), 0x81) for bad in _IN_ALL_STRINGS],
    ),
    Claim(
        v5="MQTT-3.10.3-2",
        v311="MQTT-3.10.3-2",
        text="UNSUBSCRIBE without a filter is a protocol error.",
        plays=lambda v: [breaks(v, unsubscribe(v), 0x82)],
    ),
    Claim(
        v5="MQTT-3.10.4-1",
        v311="MQTT-3.10.4-1",
        text="Filters are compared character by character.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS, 1))),
                get(_suback(v, 1)),
                send(unsubscribe(v, COMMANDS + "/", COMMANDS.upper(), "canhman/kg/+/command", COMMANDS)),
                get(_unsuback(v, 0x11, 0x11, 0x11, 0)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.10.4-4",
        v311="MQTT-3.10.4-4",
        text="UNSUBSCRIBE is answered with UNSUBACK of the same packet identifier.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, COMMANDS, id=0x0203)), get(_unsuback(v, 0x11, id=0x0203))]],
    ),
    Claim(
        v5="MQTT-3.10.4-5",
        v311="MQTT-3.10.4-5",
        text="It is answered also where nothing was subscribed.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, FOREIGN)), get(_unsuback(v, 0x11))]],
    ),
    Claim(
        v5="MQTT-3.10.4-6",
        v311="MQTT-3.10.4-6",
        text="Several filters are taken one after the other, and answered in one UNSUBACK.",
        plays=lambda v: [
            [*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(_suback(v, 1)), send(unsubscribe(v, COMMANDS, COMMANDS)), get(_unsuback(v, 0, 0x11))]
        ],
    ),
    Claim(
        v5="MQTT-3.11.3-1",
        text="Reasons of UNSUBACK stand in the order of the filters.",
        plays=lambda v: [
            [*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(_suback(v, 1)), send(unsubscribe(v, "a", COMMANDS, "b")), get(_unsuback(v, 17, 0, 17))]
        ],
    ),
    Claim(
        v5="MQTT-3.11.3-2",
        text="They are 0x00 and 0x11.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, "#", "$share/g/a")), get(_unsuback(v, 0x11, 0x11))]],
    ),
    # ------------------------------------------------------------ PINGREQ
    Claim(
        v5="MQTT-3.12.4-1",
        v311="MQTT-3.12.4-1",
        text="PINGREQ is answered with PINGRESP.",
        plays=lambda v: [[*logged_in(v), *alive(), wait(5), *alive()], [send(connect(v) + PINGREQ * 3), get(connack(v) + b"\xd0\0" * 3)]],
    ),
)
