"""What is claimed of the end of a connection: silence, DISCONNECT, AUTH."""

from __future__ import annotations

from deploy.mqtt.steps import (
    BOTH,
    GOODBYE,
    PINGREQ,
    V5,
    Claim,
    alive,
    breaks,
    closed,
    connack,
    connect,
    cut,
    logged_in,
    packet,
    publish,
    refused,
    send,
    taken,
    text,
    wait,
)

_LONG = {v: publish(v, payload=bytes(9000)) for v in BOTH}

CLAIMS = (
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
