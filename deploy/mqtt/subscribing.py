"""What is claimed of SUBSCRIBE and UNSUBSCRIBE."""

from __future__ import annotations

from deploy.mqtt.steps import (
    COMMANDS,
    FOREIGN,
    NO_TEXTS,
    STATUS,
    V5,
    V311,
    Claim,
    breaks,
    denied,
    get,
    logged_in,
    send,
    suback,
    subscribe,
    unsuback,
    unsubscribe,
)

CLAIMS = (
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
        plays=lambda v: [breaks(v, subscribe(v, (bad, 1)), 0x81) for bad in NO_TEXTS],
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
                get(suback(v, *[0x80] * 4)),
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
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(suback(v, 1))]],
    ),
    Claim(
        v5="MQTT-3.8.4-2",
        v311="MQTT-3.8.4-2",
        text="SUBACK has the packet identifier of its SUBSCRIBE.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1), id=0x0100)), get(suback(v, 1, id=0x0100))]],
    ),
    Claim(
        v5="MQTT-3.8.4-3",
        v311="MQTT-3.8.4-3",
        text="The same filter again takes the place of the first.",
        plays=lambda v: [
            [
                *logged_in(v),
                send(subscribe(v, (COMMANDS, 1)) + subscribe(v, (COMMANDS, 0))),
                get(suback(v, 1) + suback(v, 0)),
                send(unsubscribe(v, COMMANDS) + unsubscribe(v, COMMANDS)),
                get(unsuback(v, 0) + unsuback(v, 0x11)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.8.4-5",
        v311="MQTT-3.8.4-4",
        text="Several filters in one SUBSCRIBE are answered in one SUBACK.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 1), (FOREIGN, 0), (COMMANDS, 0))), get(suback(v, 1, denied(v), 0))]],
    ),
    Claim(
        v5="MQTT-3.8.4-6",
        v311="MQTT-3.8.4-5",
        text="There is a reason for each filter.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, *[(f"a/{n}", 0) for n in range(99)])), get(suback(v, *[denied(v)] * 99))]],
    ),
    Claim(
        v5="MQTT-3.8.4-7",
        v311="MQTT-3.8.4-6",
        text="The reason is the QoS granted, 1 at most, or that it failed.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 0), (COMMANDS, 1), (COMMANDS, 2), (STATUS, 0))), get(suback(v, 0, 1, 1, denied(v)))]],
    ),
    Claim(
        v5="MQTT-3.2.2-10",
        text="A subscription that asks for QoS 2 is taken, with 1.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, (COMMANDS, 2))), get(suback(v, 1))]],
    ),
    Claim(
        v5="MQTT-3.9.3-1",
        v311="MQTT-3.9.3-1",
        text="Reasons stand in the order of the filters.",
        plays=lambda v: [
            [*logged_in(v), send(subscribe(v, (FOREIGN, 0), (COMMANDS, 1), (FOREIGN, 0), (COMMANDS, 0))), get(suback(v, denied(v), 1, denied(v), 0))]
        ],
    ),
    Claim(
        v5="MQTT-3.9.3-2",
        v311="MQTT-3.9.3-2",
        text="A refused filter has 0x87, in 3.1.1 0x80: codes the standard lists.",
        plays=lambda v: [[*logged_in(v), send(subscribe(v, ("$SYS/broker", 0), (FOREIGN, 1))), get(suback(v, denied(v), denied(v)))]],
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
        plays=lambda v: [breaks(v, unsubscribe(v, bad), 0x81) for bad in NO_TEXTS],
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
                get(suback(v, 1)),
                send(unsubscribe(v, COMMANDS + "/", COMMANDS.upper(), "canhman/kg/+/command", COMMANDS)),
                get(unsuback(v, 0x11, 0x11, 0x11, 0)),
            ]
        ],
    ),
    Claim(
        v5="MQTT-3.10.4-4",
        v311="MQTT-3.10.4-4",
        text="UNSUBSCRIBE is answered with UNSUBACK of the same packet identifier.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, COMMANDS, id=0x0203)), get(unsuback(v, 0x11, id=0x0203))]],
    ),
    Claim(
        v5="MQTT-3.10.4-5",
        v311="MQTT-3.10.4-5",
        text="It is answered also where nothing was subscribed.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, FOREIGN)), get(unsuback(v, 0x11))]],
    ),
    Claim(
        v5="MQTT-3.10.4-6",
        v311="MQTT-3.10.4-6",
        text="Several filters are taken one after the other, and answered in one UNSUBACK.",
        plays=lambda v: [
            [*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(suback(v, 1)), send(unsubscribe(v, COMMANDS, COMMANDS)), get(unsuback(v, 0, 0x11))]
        ],
    ),
    Claim(
        v5="MQTT-3.11.3-1",
        text="Reasons of UNSUBACK stand in the order of the filters.",
        plays=lambda v: [
            [*logged_in(v), send(subscribe(v, (COMMANDS, 1))), get(suback(v, 1)), send(unsubscribe(v, "a", COMMANDS, "b")), get(unsuback(v, 17, 0, 17))]
        ],
    ),
    Claim(
        v5="MQTT-3.11.3-2",
        text="They are 0x00 and 0x11.",
        plays=lambda v: [[*logged_in(v), send(unsubscribe(v, "#", "$share/g/a")), get(unsuback(v, 0x11, 0x11))]],
    ),
)
