"""What is claimed of PUBLISH and PUBACK."""

from __future__ import annotations

from deploy.mqtt.steps import (
    ACKNOWLEDGE,
    COMMANDS,
    FOREIGN,
    NO_TEXTS,
    NULL,
    TOPIC,
    V5,
    V311,
    Claim,
    acknowledged,
    alive,
    breaks,
    closed,
    cut,
    denied,
    get,
    logged_in,
    packet,
    puback,
    publish,
    send,
    suback,
    subscribe,
    taken,
    text,
    unsubscribe,
)

CLAIMS = (
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
            *(breaks(v, publish(v, topic=bad), 0x81) for bad in NO_TEXTS),
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
            breaks(v, publish(v, topic=NULL), 0x81),
            breaks(v, subscribe(v, (NULL, 1)), 0x81),
            breaks(v, unsubscribe(v, NULL), 0x81),
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
                get(suback(v, *[denied(v)] * 4, 1)),
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
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x08" + text(bad)), 0x81) for bad in NO_TEXTS],
    ),
    Claim(
        v5="MQTT-3.3.2-14",
        text="A response topic with a wildcard is refused.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x08" + text(bad)), 0x90) for bad in ("a/#", "+")],
    ),
    Claim(
        v5="MQTT-3.3.2-19",
        text="A content type that is no UTF-8 is malformed.",
        plays=lambda v: [breaks(V5, publish(V5, properties=b"\x03" + text(bad)), 0x81) for bad in NO_TEXTS],
    ),
    Claim(
        v5="MQTT-3.3.4-1",
        v311="MQTT-3.3.4-1",
        text="QoS 0 is not answered, QoS 1 with PUBACK.",
        plays=lambda v: [[*logged_in(v), send(publish(v, first=0x30)), taken((TOPIC, b"{}")), ACKNOWLEDGE, *alive()], acknowledged(v)],
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
            acknowledged(v),
            [*logged_in(v), send(publish(v, id=3) + publish(v, id=1) + publish(v, id=2)), *alive(), ACKNOWLEDGE, get(puback(3) + puback(1) + puback(2))],
        ],
    ),
    Claim(
        v5="MQTT-4.3.2-5",
        text="After its PUBACK a packet identifier is a new message's, whatever DUP says.",
        plays=lambda v: [
            [*acknowledged(v), send(publish(v, id=0x1234, first=0x3A, payload=b"new")), taken((TOPIC, b"new")), ACKNOWLEDGE, get(puback(0x1234))],
        ],
    ),
    Claim(
        v5="MQTT-4.9.0-3",
        text="With every message in flight that may be, other packets are answered.",
        plays=lambda v: [
            [*logged_in(V5), send(b"".join(publish(V5, id=n) for n in range(1, 1001))), *alive(), send(subscribe(V5, (COMMANDS, 1))), get(suback(V5, 1))]
        ],
    ),
)
