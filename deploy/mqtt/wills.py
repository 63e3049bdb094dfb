"""What is claimed of wills."""

from __future__ import annotations

from deploy.mqtt.steps import (
    GOODBYE,
    HOUR,
    STATUS,
    V5,
    V311,
    WILL,
    Claim,
    Play,
    Step,
    closed,
    connack,
    connect,
    cut,
    get,
    kept,
    logged_in,
    lose,
    malformed,
    refused,
    send,
    taken,
    wait,
    will_of,
    willed,
)


def _delayed(*after: Step, seconds: int = 5) -> Play:
    """A will with a delay, in a session that lasts an hour; the line breaks."""
    will = will_of(V5, properties=b"\x18" + seconds.to_bytes(4, "big"))
    return [send(connect(V5, flags=0xC0 | WILL, properties=HOUR, will=will)), get(connack(V5)), lose(), taken(), *after]


CLAIMS = (
    Claim(
        v5="MQTT-3.1.2-7",
        v311="MQTT-3.1.2-8",
        text="A will is published when the connection ends without a good DISCONNECT: line lost, breach of the protocol, silence, reason 0x04 and up.",
        plays=lambda v: [
            [*willed(v), lose(), taken((STATUS, b"offline"))],
            [*willed(v), send(b"\xc1\0"), closed(cut(v, 0x81)), taken((STATUS, b"offline"))],
            [*willed(v, keep_alive=10), wait(15.1), closed(cut(v, 0x8D)), taken((STATUS, b"offline"))],
            *([[*willed(v), send(b"\xe0\1" + bytes((reason,))), closed(), taken((STATUS, b"offline"))] for reason in (0x04, 0x80)] if v == V5 else []),
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
        plays=lambda v: [_delayed(wait(4), send(kept(V5), 1), get(connack(V5, present=True), 1), wait(60), taken())],
    ),
    Claim(
        v5="MQTT-3.1.2-9",
        v311="MQTT-3.1.2-9",
        text="With the will flag, the will's fields must be there.",
        plays=lambda v: [malformed(v, connect(v, flags=0xC2 | WILL))],
    ),
    Claim(
        v5="MQTT-3.1.2-10",
        v311="MQTT-3.1.2-10",
        text="A will is published once, and is gone with a DISCONNECT of reason 0.",
        plays=lambda v: [
            [*willed(v), send(GOODBYE), closed(), wait(60), taken()],
            [*willed(v), lose(), taken((STATUS, b"offline")), *logged_in(v, 1), lose(1), taken()],
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-11",
        v311="MQTT-3.1.2-13",
        text="Without the will flag a will QoS is a malformed packet.",
        plays=lambda v: [malformed(v, connect(v, flags=0xC2 | qos)) for qos in (0x08, 0x10, 0x18)],
    ),
    Claim(
        v5="MQTT-3.1.2-12",
        v311="MQTT-3.1.2-14",
        text="Will QoS 3 is a malformed packet; QoS 2 is taken in 3.1.1 (all wills go to the journal alike), and refused in MQTT 5 (3.2.2-12).",
        plays=lambda v: [
            malformed(v, connect(v, flags=0xC2 | WILL | 0x18, will=will_of(v))),
            *([*willed(v, WILL | qos), lose(), taken((STATUS, b"offline"))] for qos in ((0, 8, 16) if v == V311 else (0, 8))),
        ],
    ),
    Claim(
        v5="MQTT-3.1.2-13",
        v311="MQTT-3.1.2-15",
        text="Without the will flag will-retain is a malformed packet.",
        plays=lambda v: [malformed(v, connect(v, flags=0xC2 | 0x20))],
    ),
    Claim(
        v311="MQTT-3.1.2-11",
        text="Without the will flag, a will's fields are bytes too many.",
        plays=lambda v: [malformed(v, connect(v, will=will_of(v)))],
    ),
    Claim(
        v311="MQTT-3.1.2-12",
        text="Without the will flag nothing is published when the connection ends.",
        plays=lambda v: [[*logged_in(v), lose(), taken()]],
    ),
    Claim(
        v5="MQTT-3.1.3-11",
        v311="MQTT-3.1.3-10",
        text="A will topic that is no UTF-8, or no topic name, is refused.",
        plays=lambda v: [
            malformed(v, connect(v, flags=0xC2 | WILL, will=will_of(v, bad)), reason)
            for bad, reason in ((b"a\xff", 0x81), (b"a\0", 0x81), (b"a/+", 0x90), (b"", 0x90))
        ],
    ),
    Claim(
        v5="MQTT-3.2.2-12",
        text="A will with QoS 2 is refused with 0x9B.",
        plays=lambda v: [[send(connect(V5, flags=0xC2 | WILL | 0x10, will=will_of(V5))), closed(refused(V5, 0, 0x9B))]],
    ),
    Claim(
        v5="MQTT-3.14.4-3",
        v311="MQTT-3.14.4-3",
        text="DISCONNECT (reason 0) discards the will.",
        plays=lambda v: [[*willed(v), send(goodbye), closed(), taken()] for goodbye in ((GOODBYE, b"\xe0\1\0", b"\xe0\2\0\0") if v == V5 else (GOODBYE,))],
    ),
)
