"""What is claimed of CONNECT and CONNACK: the fields, the client id, who is let in."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.mqtt.steps import (
    GOODBYE,
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
    get,
    logged_in,
    lose,
    malformed,
    packet,
    publish,
    refused,
    send,
    taken,
    text,
    willed,
)


def _empty_client_id(version: int) -> Sequence[Play]:
    if version == V311:
        return [[send(connect(V311, client="")), get(connack(V311)), *alive()]]
    return [[send(connect(V5, client="")), Step("assigned"), *alive()]]


CLAIMS = (
    Claim(
        v5="MQTT-3.1.0-1",
        v311="MQTT-3.1.0-1",
        text="Anything but CONNECT as the first packet closes the connection without an answer.",
        plays=lambda v: [[send(data), closed()] for data in (PINGREQ, publish(v), GOODBYE, packet(0x20, b"\0\0"), packet(0xF0), b"GET / HTTP/1.1\r\n")],
    ),
    Claim(
        v5="MQTT-3.1.0-2",
        v311="MQTT-3.1.0-2",
        text="A second CONNECT is a protocol error.",
        plays=lambda v: [breaks(v, connect(v), 0x82)],
    ),
    Claim(
        v5="MQTT-3.1.2-1",
        v311="MQTT-3.1.2-1",
        text="Another protocol name than MQTT closes the connection, in MQTT 5 with CONNACK 0x84.",
        plays=lambda v: [
            [send(connect(v, name=text(name))), closed(refused(V5, 0, 0x84) if v == V5 else b"")] for name in ("MQTX", "mqtt", "", "MQTT\N{WHITE SMILING FACE}")
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-2",
        v311="MQTT-3.1.2-2",
        text="Another protocol level is refused in the form the CONNECT is written in: return code 0x01, or reason 0x84; so is MQIsdp (3.1).",
        plays=lambda v: [
            *([send(connect(v, level=level)), closed(refused(v, 0x01, 0x84))] for level in (1, 3, 6, 0x84, 255)),
            [send(connect(V311, name=text("MQIsdp"), level=3)), closed(refused(V311, 0x01, 0))],
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-3",
        v311="MQTT-3.1.2-3",
        text="The reserved connect flag set is a malformed packet.",
        plays=lambda v: [malformed(v, connect(v, flags=0xC3))],
    ),
    Claim(
        v5="MQTT-3.1.2-16",
        v311="MQTT-3.1.2-18",
        text="Without the user name flag, a user name is bytes too many.",
        plays=lambda v: [malformed(v, connect(v, flags=0x02, password=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-17",
        v311="MQTT-3.1.2-19",
        text="With the user name flag, the user name must be there.",
        plays=lambda v: [malformed(v, connect(v, flags=0x82, user=b"", password=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-18",
        v311="MQTT-3.1.2-20",
        text="Without the password flag, a password is bytes too many.",
        plays=lambda v: [malformed(v, connect(v, flags=0x82))],
    ),
    Claim(
        v5="MQTT-3.1.2-19",
        v311="MQTT-3.1.2-21",
        text="With the password flag, the password must be there.",
        plays=lambda v: [malformed(v, connect(v, password=b""))],
    ),
    Claim(
        v311="MQTT-3.1.2-22",
        text="A password without a user name is a malformed packet (MQTT 5 allows it, and the log-in fails).",
        plays=lambda v: [malformed(v, connect(v, flags=0x42, user=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-24",
        text="No packet is larger than the client's maximum: one that could not even take CONNACK is refused with 0x95.",
        plays=lambda v: [[send(connect(V5, properties=bytes.fromhex("27 00000014"))), closed(refused(V5, 0, 0x95))]],
    ),
    Claim(
        v5="MQTT-3.1.2-28",
        text="No response information is ever sent.",
        plays=lambda v: [[send(connect(V5, properties=b"\x19" + bytes((asked,)))), get(connack(V5)), *alive()] for asked in (0, 1)],
    ),
    Claim(
        v5="MQTT-3.1.2-29",
        text="No reason string and no user property is ever sent, so none goes where it was not asked for.",
        plays=lambda v: [
            [
                send(connect(V5, properties=b"\x17\0")),
                get(connack(V5)),
                send(publish(V5, topic="canhman/kg/other/telemetry")),
                Step("acknowledge"),
                get(b"\x40\3\0\1\x87"),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-1",
        v311="MQTT-3.1.3-1",
        text="Client id, will, user name and password are read in this order.",
        plays=lambda v: [
            [*willed(v), lose(), taken((STATUS, b"offline"))],
            [send(connect(v, user=text("pw"), password=text("kl01"))), closed(refused(v, 4, 0x86))],
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-3",
        v311="MQTT-3.1.3-3",
        text="A CONNECT without a client id field is malformed.",
        plays=lambda v: [malformed(v, packet(0x10, text("MQTT") + bytes((v, 0x02, 0, 0)) + (b"\0" if v == V5 else b"")))],
    ),
    Claim(
        v5="MQTT-3.1.3-4",
        v311="MQTT-3.1.3-4",
        text="A client id that is no UTF-8 is malformed.",
        plays=lambda v: [malformed(v, connect(v, client=bad)) for bad in (b"\xff", b"a\0b", b"\xed\xa0\x80")],
    ),
    Claim(
        v5="MQTT-3.1.3-5",
        v311="MQTT-3.1.3-5",
        text="Client ids of 1 to 23 letters and digits are taken, and any text of up to 256 bytes.",
        plays=lambda v: [
            [send(connect(v, client=name)), get(connack(v)), *alive()] for name in ("a", "0123456789abcdefghijklm", "NOPQRSTUVWXYZ", "trạm/1 +#", "x" * 256)
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-6",
        v311="MQTT-3.1.3-6",
        text="An empty client id is given a unique one.",
        plays=_empty_client_id,
    ),
    Claim(
        v5="MQTT-3.1.3-7",
        text="The client id it was given is told in CONNACK.",
        plays=_empty_client_id,
    ),
    Claim(
        v5="MQTT-3.2.2-16",
        text="The client id it was given is not any other's: two clients with empty ids live side by side.",
        plays=lambda v: [[send(connect(V5, client="")), Step("assigned"), send(connect(V5, client=""), 1), Step("assigned", who=1), *alive(), *alive(1)]],
    ),
    Claim(
        v311="MQTT-3.1.3-8",
        text="An empty client id that asks for a kept session is refused with 0x02.",
        plays=lambda v: [[send(connect(V311, client="", flags=0xC0)), closed(refused(V311, 2, 0))]],
    ),
    Claim(
        v5="MQTT-3.1.3-8",
        v311="MQTT-3.1.3-9",
        text="A client id over 256 bytes is refused: 0x85, in 3.1.1 0x02.",
        plays=lambda v: [[send(connect(v, client="x" * 257)), closed(refused(v, 2, 0x85))]],
    ),
    Claim(
        v5="MQTT-3.1.3-12",
        v311="MQTT-3.1.3-11",
        text="A user name that is no UTF-8 is malformed.",
        plays=lambda v: [malformed(v, connect(v, user=text(bad))) for bad in (b"kl\xff", b"kl\0")],
    ),
    Claim(
        v5="MQTT-3.1.4-1",
        v311="MQTT-3.1.4-1",
        text="A CONNECT that is not as the standard says closes the connection: MQTT 5 with CONNACK 0x81 or 0x82, 3.1.1 without.",
        plays=lambda v: [
            malformed(v, connect(v, tail=b"\0")),
            *(
                malformed(v, connect(v, properties=bytes.fromhex(raw)), reason)
                for raw, reason in (
                    ("11 00000001 11 00000001", 0x82),  # twice
                    ("21 0000", 0x82),  # receive maximum 0
                    ("27 00000000", 0x82),  # maximum packet size 0
                    ("17 02", 0x82),
                    ("19 02", 0x82),
                    ("16 0001 41", 0x82),  # authentication data without a method
                    ("23 0001", 0x81),  # a property of PUBLISH
                    ("7f", 0x81),  # no property at all
                    ("11 0000", 0x81),  # cut off
                )
                if v == V5
            ),
            [send(connect(v, first=0x11)), closed()],
        ],
    ),
    Claim(
        v5="MQTT-3.1.4-2",
        text="Wrong credentials, or none, are refused: 0x86, 0x87.",
        plays=lambda v: [
            [send(connect(v, password=text("no"))), closed(refused(v, 4, 0x86))],
            [send(connect(v, flags=0x02, user=b"", password=b"")), closed(refused(v, 5, 0x87))],
            [send(connect(v, flags=0x42, user=b"")), closed(refused(v, 5, 0x87))],
        ],
    ),
    Claim(
        v5="MQTT-3.1.4-5",
        v311="MQTT-3.1.4-4",
        text="A good CONNECT is answered with CONNACK 0.",
        plays=lambda v: [logged_in(v)],
    ),
    Claim(
        v5="MQTT-3.1.4-6",
        v311="MQTT-3.1.4-5",
        text="What comes behind a CONNECT that is refused is not looked at; behind a good one it is, without waiting for CONNACK.",
        plays=lambda v: [
            [send(connect(v, password=text("no")) + publish(v) + PINGREQ), closed(refused(v, 4, 0x86)), taken()],
            [send(connect(v) + publish(v) + PINGREQ), get(connack(v) + b"\xd0\0"), taken((TOPIC, b"{}"))],
        ],
    ),
    Claim(
        v5="MQTT-3.2.0-1",
        v311="MQTT-3.2.0-1",
        text="CONNACK is the first packet the listener sends.",
        plays=lambda v: [[send(connect(v) + PINGREQ), get(connack(v)), get(b"\xd0\0")]],
    ),
    Claim(
        v5="MQTT-3.2.0-2",
        text="There is one CONNACK in a connection.",
        plays=lambda v: [breaks(v, connect(v), 0x82)],
    ),
    Claim(
        v5="MQTT-3.2.2-1",
        text="The acknowledge flags are 0, but for session present.",
        plays=lambda v: [logged_in(v)],
    ),
    Claim(
        v5="MQTT-3.2.2-7",
        v311="MQTT-3.2.2-5",
        text="After a CONNACK that refuses the connection is closed.",
        plays=lambda v: [[send(connect(v, password=text("no"))), closed(refused(v, 4, 0x86))]],
    ),
    Claim(
        v311="MQTT-3.2.2-6",
        text="Where no return code fits, the connection is closed without CONNACK.",
        plays=lambda v: [[send(connect(V311, name=text("MQTX"))), closed()]],
    ),
)
