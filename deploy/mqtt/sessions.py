"""What is claimed of sessions: kept, found again, taken over."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.mqtt.steps import (
    GOODBYE,
    HOUR,
    STATUS,
    V5,
    WILL,
    Claim,
    Play,
    alive,
    closed,
    connack,
    connect,
    cut,
    get,
    kept,
    logged_in,
    lose,
    refused,
    send,
    taken,
    text,
    wait,
    will_of,
)


def _kept_flags(version: int) -> Sequence[Play]:
    """First there is no session, then there is; a clean start ends it."""
    again = [send(kept(version), 1), get(connack(version, present=True), 1), send(GOODBYE, 1), closed(who=1)]
    clean = [send(connect(version, flags=0xC2, properties=HOUR if version == V5 else b""), 2), get(connack(version), 2), lose(2)]
    return [
        [send(kept(version)), get(connack(version)), lose(), *again],
        [send(kept(version)), get(connack(version)), lose(), *clean, send(kept(version), 3), get(connack(version, present=version == V5), 3)],
    ]


def _take_over(version: int) -> Sequence[Play]:
    plain = [*logged_in(version), send(connect(version), 1), get(connack(version), 1), closed(cut(version, 0x8E)), *alive(1)]
    willed = connect(version, flags=0xC2 | WILL, will=will_of(version))
    will = [send(willed), get(connack(version)), *logged_in(version, 1), closed(cut(version, 0x8E)), taken((STATUS, b"offline")), *alive(1)]
    return [plain, will]


CLAIMS = (
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
        plays=lambda v: [[send(kept(v)), get(connack(v)), lose(), send(kept(v), 1), get(connack(v, present=True), 1), *alive(1)]],
    ),
    Claim(
        v5="MQTT-3.1.2-6",
        text="Without a session to find, one begins.",
        plays=lambda v: [[send(kept(v)), get(connack(v)), *alive()]],
    ),
    Claim(
        v5="MQTT-3.1.2-23",
        v311="MQTT-3.1.2-5",
        text="A session is kept for its expiry interval after the connection (3.1.1: until a clean one); DISCONNECT may set it anew.",
        plays=lambda v: [
            [send(kept(v)), get(connack(v)), lose(), wait(3599), send(kept(v), 1), get(connack(v, present=True), 1)],
            *(
                [
                    [send(kept(v)), get(connack(v)), send(bytes.fromhex("e0 07 00 05 11 00000000")), closed(), send(kept(v), 1), get(connack(v), 1)],
                    [
                        send(kept(v)),
                        get(connack(v)),
                        send(bytes.fromhex("e0 07 00 05 11 00001c20")),
                        closed(),
                        wait(7000),
                        send(kept(v), 1),
                        get(connack(v, present=True), 1),
                    ],
                ]
                if v == V5
                else [[send(kept(v)), get(connack(v)), lose(), wait(10_000_000), send(kept(v), 1), get(connack(v, present=True), 1)]]
            ),
        ],
    ),
    Claim(
        v5="MQTT-4.1.0-2",
        text="When the interval is over, or was 0 or absent, the session is gone.",
        plays=lambda v: [
            [send(kept(v)), get(connack(v)), lose(), wait(3601), send(kept(v), 1), get(connack(v), 1)],
            [send(kept(v, properties=b"")), get(connack(v)), lose(), send(kept(v), 1), get(connack(v), 1)],
        ],
    ),
    Claim(
        v5="MQTT-3.1.3-2",
        v311="MQTT-3.1.3-2",
        text="A session belongs to its client id, and to who logged in: another client id has another one.",
        plays=lambda v: [[send(kept(v)), get(connack(v)), lose(), send(kept(v, client="d"), 1), get(connack(v), 1)]],
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
            [send(kept(v)), get(connack(v)), send(kept(v), 1), get(connack(v, present=True), 1), closed(cut(v, 0x8E))],
            [send(kept(v)), get(connack(v)), send(connect(v), 1), get(connack(v), 1), closed(cut(v, 0x8E))],
        ],
    ),
    Claim(
        v5="MQTT-3.2.2-2",
        v311="MQTT-3.2.2-1",
        text="After a clean start session present is 0.",
        plays=lambda v: [[send(kept(v)), get(connack(v)), lose(), *logged_in(v, 1)]],
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
        plays=lambda v: [[send(kept(v)), get(connack(v))]],
    ),
    Claim(
        v5="MQTT-3.2.2-6",
        v311="MQTT-3.2.2-4",
        text="A CONNACK that refuses has session present 0.",
        plays=lambda v: [[send(kept(v)), get(connack(v)), lose(), send(kept(v, password=text("no")), 1), closed(refused(v, 4, 0x86), 1)]],
    ),
)
