"""What is claimed of CONNECT, CONNACK, sessions, wills and the end of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deploy.mqtt.steps import (
    BOTH,
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
    cut,
    get,
    logged_in,
    lose,
    packet,
    publish,
    refused,
    send,
    taken,
    text,
    wait,
    will_of,
)

WILL = 0x04
_LONG = {v: publish(v, payload=bytes(9000)) for v in BOTH}
HOUR = bytes.fromhex("11 00000e10")  # session expiry interval


def _malformed(version: int, data: bytes, reason: int = 0x81) -> Play:
    """A CONNECT that is wrong: 3.1.1 is closed without CONNACK, 5 is told why."""
    return [send(data), closed(packet(0x20, bytes((0, reason, 0))) if version == V5 else b"")]


def _kept(version: int, **fields: Any) -> bytes:
    """CONNECT that asks for its session and for keeping it."""
    return connect(version, **({"flags": 0xC0, "properties": HOUR if version == V5 else b""} | fields))


def _kept_flags(version: int) -> Sequence[Play]:
    """First there is no session, then there is; a clean start ends it."""
    again = [send(_kept(version), 1), get(connack(version, present=True), 1), send(GOODBYE, 1), closed(who=1)]
    clean = [send(connect(version, flags=0xC2, properties=HOUR if version == V5 else b""), 2), get(connack(version), 2), lose(2)]
    return [
        [send(_kept(version)), get(connack(version)), lose(), *again],
        [send(_kept(version)), get(connack(version)), lose(), *clean, send(_kept(version), 3), get(connack(version, present=version == V5), 3)],
    ]


def _take_over(version: int) -> Sequence[Play]:
    plain = [*logged_in(version), send(connect(version), 1), get(connack(version), 1), closed(cut(version, 0x8E)), *alive(1)]
    willed = connect(version, flags=0xC2 | WILL, will=will_of(version))
    will = [send(willed), get(connack(version)), *logged_in(version, 1), closed(cut(version, 0x8E)), taken((STATUS, b"offline")), *alive(1)]
    return [plain, will]


def _willed(version: int, flags: int = WILL, **fields: Any) -> list[Step]:
    return [send(connect(version, flags=0xC2 | flags, will=will_of(version), **fields)), get(connack(version))]


def _delayed(*after: Step, seconds: int = 5) -> Play:
    """A will with a delay, in a session that lasts an hour; the line breaks."""
    will = will_of(V5, properties=b"\x18" + seconds.to_bytes(4, "big"))
    return [send(connect(V5, flags=0xC0 | WILL, properties=HOUR, will=will)), get(connack(V5)), lose(), taken(), *after]


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
        plays=lambda v: [_malformed(v, connect(v, flags=0xC3))],
    ),
    Claim(
        v5="MQTT-3.1.2-4",
        v311="MQTT-3.1.2-6",
        text="A clean start ends the session that was there.",
        plays=lambda v: _kept_flags(v)[1:],
    ),
    Claim(
        v5="MQTT-3.1.2-5",
        v311="MQTT-3.1.2-4",
        text="A client that does not start clean finds the session it has kept: its subscriptions; the listener holds no messages for anybody.",
        plays=lambda v: [[send(_kept(v)), get(connack(v)), lose(), send(_kept(v), 1), get(connack(v, present=True), 1), *alive(1)]],
    ),
    Claim(
        v5="MQTT-3.1.2-6",
        text="Without a session to find, one begins.",
        plays=lambda v: [[send(_kept(v)), get(connack(v)), *alive()]],
    ),
    Claim(
        v5="MQTT-3.1.2-7",
        v311="MQTT-3.1.2-8",
        text="A will is published when the connection ends without a good DISCONNECT: line lost, breach of the protocol, silence, reason 0x04 and up.",
        plays=lambda v: [
            [*_willed(v), lose(), taken((STATUS, b"offline"))],
            [*_willed(v), send(b"\xc1\0"), closed(cut(v, 0x81)), taken((STATUS, b"offline"))],
            [*_willed(v, keep_alive=10), wait(15.1), closed(cut(v, 0x8D)), taken((STATUS, b"offline"))],
            *([[*_willed(v), send(b"\xe0\1" + bytes((reason,))), closed(), taken((STATUS, b"offline"))] for reason in (0x04, 0x80)] if v == V5 else []),
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-8",
        text="A will waits for its delay, or for the end of the session where that comes first.",
        plays=lambda v: [
            _delayed(wait(4.9), taken(), wait(0.2), taken((STATUS, b"offline"))),
            [
                send(connect(V5, flags=0xC2 | WILL, will=will_of(V5, properties=bytes.fromhex("18 0000000a")))),
                get(connack(V5)),
                lose(),
                taken((STATUS, b"offline")),  # no session outlives this connection
            ],
            _delayed(*logged_in(V5, 1), taken((STATUS, b"offline"))),  # a clean start ends the session
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-9",
        text="A client back in its session before the delay is over takes its will with it.",
        plays=lambda v: [_delayed(wait(4), send(_kept(V5), 1), get(connack(V5, present=True), 1), wait(60), taken())],
    ),
    Claim(
        v5="MQTT-3.1.2-9",
        v311="MQTT-3.1.2-9",
        text="With the will flag, the will's fields must be there.",
        plays=lambda v: [_malformed(v, connect(v, flags=0xC2 | WILL))],
    ),
    Claim(
        v5="MQTT-3.1.2-10",
        v311="MQTT-3.1.2-10",
        text="A will is published once, and is gone with a DISCONNECT of reason 0.",
        plays=lambda v: [
            [*_willed(v), send(GOODBYE), closed(), wait(60), taken()],
            [*_willed(v), lose(), taken((STATUS, b"offline")), *logged_in(v, 1), lose(1), taken()],
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-11",
        v311="MQTT-3.1.2-13",
        text="Without the will flag a will QoS is a malformed packet.",
        plays=lambda v: [_malformed(v, connect(v, flags=0xC2 | qos)) for qos in (0x08, 0x10, 0x18)],
    ),
    Claim(
        v5="MQTT-3.1.2-12",
        v311="MQTT-3.1.2-14",
        text="Will QoS 3 is a malformed packet; QoS 2 is taken in 3.1.1 (all wills go to the journal alike), and refused in MQTT 5 (3.2.2-12).",
        plays=lambda v: [
            _malformed(v, connect(v, flags=0xC2 | WILL | 0x18, will=will_of(v))),
            *([*_willed(v, WILL | qos), lose(), taken((STATUS, b"offline"))] for qos in ((0, 8, 16) if v == V311 else (0, 8))),
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-13",
        v311="MQTT-3.1.2-15",
        text="Without the will flag will-retain is a malformed packet.",
        plays=lambda v: [_malformed(v, connect(v, flags=0xC2 | 0x20))],
    ),
    Claim(
        v311="MQTT-3.1.2-11",
        text="Without the will flag, a will's fields are bytes too many.",
        plays=lambda v: [_malformed(v, connect(v, will=will_of(v)))],
    ),
    Claim(
        v311="MQTT-3.1.2-12",
        text="Without the will flag nothing is published when the connection ends.",
        plays=lambda v: [[*logged_in(v), lose(), taken()]],
    ),
    Claim(
        v5="MQTT-3.1.2-16",
        v311="MQTT-3.1.2-18",
        text="Without the user name flag, a user name is bytes too many.",
        plays=lambda v: [_malformed(v, connect(v, flags=0x02, password=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-17",
        v311="MQTT-3.1.2-19",
        text="With the user name flag, the user name must be there.",
        plays=lambda v: [_malformed(v, connect(v, flags=0x82, user=b"", password=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-18",
        v311="MQTT-3.1.2-20",
        text="Without the password flag, a password is bytes too many.",
        plays=lambda v: [_malformed(v, connect(v, flags=0x82))],
    ),
    Claim(
        v5="MQTT-3.1.2-19",
        v311="MQTT-3.1.2-21",
        text="With the password flag, the password must be there.",
        plays=lambda v: [_malformed(v, connect(v, password=b""))],
    ),
    Claim(
        v311="MQTT-3.1.2-22",
        text="A password without a user name is a malformed packet (MQTT 5 allows it, and the log-in fails).",
        plays=lambda v: [_malformed(v, connect(v, flags=0x42, user=b""))],
    ),
    Claim(
        v5="MQTT-3.1.2-22",
        v311="MQTT-3.1.2-24",
        text="Nothing for 1.5 times the keep-alive ends the connection (0: no keep-alive). Of a packet that is not whole, a thousand bytes count.",
        plays=lambda v: [
            [*logged_in(v, keep_alive=10), wait(14.9), *alive(), wait(14.9), *alive(), wait(15.1), closed(cut(v, 0x8D))],
            [*logged_in(v, keep_alive=10), wait(10), send(b"\x32"), wait(5.1), closed(cut(v, 0x8D))],
            [*logged_in(v, keep_alive=10), wait(10), send(_LONG[v][:2000]), wait(10), send(_LONG[v][2000:]), wait(10), *alive()],
            [*logged_in(v), wait(100_000), *alive()],
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-23",
        v311="MQTT-3.1.2-5",
        text="A session is kept for its expiry interval after the connection (3.1.1: until a clean one); DISCONNECT may set it anew.",
        plays=lambda v: [
            [send(_kept(v)), get(connack(v)), lose(), wait(3599), send(_kept(v), 1), get(connack(v, present=True), 1)],
            *(
                [
                    [send(_kept(v)), get(connack(v)), send(bytes.fromhex("e0 07 00 05 11 00000000")), closed(), send(_kept(v), 1), get(connack(v), 1)],
                    [
                        send(_kept(v)),
                        get(connack(v)),
                        send(bytes.fromhex("e0 07 00 05 11 00001c20")),
                        closed(),
                        wait(7000),
                        send(_kept(v), 1),
                        get(connack(v, present=True), 1),
                    ],
                ]
                if v == V5
                else [[send(_kept(v)), get(connack(v)), lose(), wait(10_000_000), send(_kept(v), 1), get(connack(v, present=True), 1)]]
            ),
        ],
    ),
    Claim(
        v5="MQTT-4.1.0-2",
        text="When the interval is over, or was 0 or absent, the session is gone.",
        plays=lambda v: [
            [send(_kept(v)), get(connack(v)), lose(), wait(3601), send(_kept(v), 1), get(connack(v), 1)],
            [send(_kept(v, properties=b"")), get(connack(v)), lose(), send(_kept(v), 1), get(connack(v), 1)],
        ],
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
            [*_willed(v), lose(), taken((STATUS, b"offline"))],
            [send(connect(v, user=text("pw"), password=text("kl01"))), closed(refused(v, 4, 0x86))],
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-2",
        v311="MQTT-3.1.3-2",
        text="A session belongs to its client id, and to who logged in: another client id has another one.",
        plays=lambda v: [[send(_kept(v)), get(connack(v)), lose(), send(_kept(v, client="d"), 1), get(connack(v), 1)]],
    ),
    Claim(
        v5="MQTT-3.1.3-3",
        v311="MQTT-3.1.3-3",
        text="A CONNECT without a client id field is malformed.",
        plays=lambda v: [_malformed(v, packet(0x10, text("MQTT") + bytes((v, 0x02, 0, 0)) + (b"\0" if v == V5 else b"")))],
    ),
    Claim(
        v5="MQTT-3.1.3-4",
        v311="MQTT-3.1.3-4",
        text="A client id that is no UTF-8 is malformed.",
        plays=lambda v: [_malformed(v, connect(v, client=bad)) for bad in (b"\xff", b"a\0b", b"\xed\xa0\x80")],
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
        v5="MQTT-3.1.3-11",
        v311="MQTT-3.1.3-10",
        text="A will topic that is no UTF-8, or no topic name, is refused.",
        plays=lambda v: [
            _malformed(v, connect(v, flags=0xC2 | WILL, will=will_of(v, bad)), reason)
            for bad, reason in ((b"a\xff", 0x81), (b"a\0", 0x81), (b"a/+", 0x90), (b"", 0x90))
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-12",
        v311="MQTT-3.1.3-11",
        text="A user name that is no UTF-8 is malformed.",
        plays=lambda v: [_malformed(v, connect(v, user=text(bad))) for bad in (b"kl\xff", b"kl\0")],
    ),
    Claim(
        v5="MQTT-3.1.4-1",
        v311="MQTT-3.1.4-1",
        text="A CONNECT that is not as the standard says closes the connection: MQTT 5 with CONNACK 0x81 or 0x82, 3.1.1 without.",
        plays=lambda v: [
            _malformed(v, connect(v, tail=b"\0")),
            *(
                _malformed(v, connect(v, properties=bytes.fromhex(raw)), reason)
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
        v5="MQTT-3.1.4-3",
        v311="MQTT-3.1.4-2",
        text="A client id that is connected takes the connection over: the old one is told 0x8E (MQTT 5) and closed, and its will published.",
        plays=_take_over,
    ),
    Claim(
        v5="MQTT-3.1.4-4",
        v311="MQTT-3.1.4-3",
        text="Clean start is looked at before anything is answered, also where the connection is taken over.",
        plays=lambda v: [
            [send(_kept(v)), get(connack(v)), send(_kept(v), 1), get(connack(v, present=True), 1), closed(cut(v, 0x8E))],
            [send(_kept(v)), get(connack(v)), send(connect(v), 1), get(connack(v), 1), closed(cut(v, 0x8E))],
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
        v5="MQTT-3.2.2-2",
        v311="MQTT-3.2.2-1",
        text="After a clean start session present is 0.",
        plays=lambda v: [[send(_kept(v)), get(connack(v)), lose(), *logged_in(v, 1)]],
    ),
    Claim(
        v5="MQTT-3.2.2-3",
        v311="MQTT-3.2.2-2",
        text="Without a clean start session present tells whether the session is there, also after a restart of the service.",
        plays=lambda v: _kept_flags(v)[:1],
    ),
    Claim(
        v311="MQTT-3.2.2-3",
        text="Without a session session present is 0.",
        plays=lambda v: [[send(_kept(v)), get(connack(v))]],
    ),
    Claim(
        v5="MQTT-3.2.2-6",
        v311="MQTT-3.2.2-4",
        text="A CONNACK that refuses has session present 0.",
        plays=lambda v: [[send(_kept(v)), get(connack(v)), lose(), send(_kept(v, password=text("no")), 1), closed(refused(v, 4, 0x86), 1)]],
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
    Claim(
        v5="MQTT-3.2.2-12",
        text="A will with QoS 2 is refused with 0x9B.",
        plays=lambda v: [[send(connect(V5, flags=0xC2 | WILL | 0x10, will=will_of(V5))), closed(refused(V5, 0, 0x9B))]],
    ),
    Claim(
        v5="MQTT-3.2.2-22",
        text="No server keep-alive is sent: the client's own holds.",
        plays=lambda v: [[*logged_in(v, keep_alive=65_535), wait(98_000), *alive(), wait(98_400), closed(cut(v, 0x8D))]],
    ),
    Claim(
        v5="MQTT-3.14.0-1",
        text="No DISCONNECT is sent before a CONNACK that lets in.",
        plays=lambda v: [[send(PINGREQ), closed()], [send(connect(v) + connect(v)), closed(connack(v) + cut(v, 0x82))]],
    ),
    Claim(
        v5="MQTT-3.14.1-1",
        v311="MQTT-3.14.1-1",
        text="DISCONNECT with reserved bits set is malformed.",
        plays=lambda v: [breaks(v, b"\xe1\0", 0x81), breaks(v, b"\xe8\0", 0x81)],
    ),
    Claim(
        v5="MQTT-3.14.2-2",
        text="A DISCONNECT of the listener carries a reason and nothing else.",
        plays=lambda v: [breaks(v, connect(v), 0x82)],
    ),
    Claim(
        v5="MQTT-3.14.4-1",
        v311="MQTT-3.14.4-1",
        text="What comes behind a DISCONNECT is not looked at, and nothing is sent any more.",
        plays=lambda v: [[*logged_in(v), send(GOODBYE + publish(v) + PINGREQ), closed(), taken()]],
    ),
    Claim(
        v5="MQTT-3.14.4-2",
        text="After a DISCONNECT, by whom it may be, the connection is closed.",
        plays=lambda v: [[*logged_in(v), send(GOODBYE), closed()], breaks(v, packet(0xF0), 0x82)],
    ),
    Claim(
        v5="MQTT-3.14.4-3",
        v311="MQTT-3.14.4-3",
        text="DISCONNECT (reason 0) discards the will.",
        plays=lambda v: [[*_willed(v), send(goodbye), closed(), taken()] for goodbye in ((GOODBYE, b"\xe0\1\0", b"\xe0\2\0\0") if v == V5 else (GOODBYE,))],
    ),
    Claim(
        v5="MQTT-4.12.0-1",
        text="An authentication method is refused with 0x8C: there is none but user name and password.",
        plays=lambda v: [[send(connect(V5, properties=b"\x15" + text("SCRAM-SHA-1"))), closed(refused(V5, 0, 0x8C))]],
    ),
    Claim(
        v5="MQTT-4.12.0-6",
        text="No AUTH is ever sent; one that comes is a protocol error, one with reserved bits malformed (MQTT-3.15.1-1).",
        plays=lambda v: [breaks(V5, b"\xf0\0", 0x82), breaks(V5, b"\xf0\2\x18\0", 0x82), breaks(V5, b"\xf1\0", 0x81)],
    ),
)
