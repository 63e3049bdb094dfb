"""The listener's MQTT: what it speaks, how it is connected to, its limits with their numbers, and the statements of the standard it claims."""

from __future__ import annotations

from adapters.listener_limits import _FREE, _LONGEST_S, _UNHEARD
from adapters.listener_login import MOST_CLIENT_ID_BYTES
from adapters.listener_shared import MAX_AWAY, Limits
from deploy.mqtt import CLAIMS
from deploy.mqtt.steps import NAMES, Claim
from deploy.page import Page, table

REFUSED = (
    ("PUBLISH with QoS 2", "DISCONNECT 0x9B", "closed", "CONNACK says that QoS 1 is the most; a will with QoS 2 is refused in MQTT 5, taken in 3.1.1"),
    ("PUBREC, PUBREL, PUBCOMP", "DISCONNECT 0x82", "closed", "the rest of QoS 2"),
    ("a topic alias", "DISCONNECT 0x94", "–", "CONNACK says 0"),
    ("AUTH, an authentication method", "0x82; CONNACK 0x8C", "–", "user name and password are all there is"),
    ("a filter with a wildcard", "DISCONNECT 0xA2", "SUBACK 0x80", "CONNACK says there are none"),
    ("a shared subscription", "DISCONNECT 0x9E", "SUBACK 0x80", "CONNACK says there are none"),
    ("a subscription identifier", "DISCONNECT 0xA1", "–", "CONNACK says there are none"),
    ("any other topic than the device's own `command`", "SUBACK 0x87", "SUBACK 0x80", "counted"),
    ("PUBLISH to a topic the sender may not use", "PUBACK 0x87", "PUBACK", "journalled, and kept as a dead letter `forbidden`"),
    ("a packet over the limit", "DISCONNECT 0x95", "closed", "at its header: nobody has to send it first"),
    ("more messages in flight than CONNACK allows", "DISCONNECT 0x93", "–", "3.1.1 has no such bound: it is read later"),
    ("a wrong password", "CONNACK 0x86", "CONNACK 4", "later and later, see below"),
    ("a client that does not log in in time, or is silent", "DISCONNECT 0x8D", "closed", "before the log-in without a word"),
)

CONNECTING = (
    ("User name", "the device's id, or `org:SLUG` (also `org/SLUG`) with the org's join key for a device that is new: `canhman devices add`, `canhman orgs`"),
    ("Client id", f"anything of up to {MOST_CLIENT_ID_BYTES} bytes; the device's id is a good one. The same client id again takes the connection over"),
    ("Publish", "below `canhman/ORG/DEVICE/`, at QoS 1: [devices.md](devices.md)"),
    ("Subscribe", "`canhman/ORG/DEVICE/command`, at QoS 1, and nothing else"),
    (
        "Session",
        "clean start 0 (3.1.1: clean session 0) and, in MQTT 5, a session expiry interval: a client that must forget what it has in flight when its session is "
        "gone (gmqtt does) then need not, not even when ingest was killed",
    ),
    ("Will", "one message to the device's own `status`; with a delay in MQTT 5"),
)

NOT_CLAIMED = """What concerns the way from a publisher to a subscriber is not claimed, for there is none: retained messages, overlapping and shared
subscriptions, message expiry, the properties of a message that is passed on. Nor are QoS 2, enhanced authentication, topic aliases, WebSocket, and
what binds clients alone. `RETAIN` is taken as on any publish: firmware written for a broker sets it, and no client may subscribe to a topic another
one publishes to. Properties of a PUBLISH are checked and then left."""


def body() -> str:
    """The page below its head."""
    numbers = [(number, NAMES[version], claim) for claim in CLAIMS for version, number in claim.numbers()]
    five = sum(version == "5" for _, version, _ in numbers)
    return f"""Where no broker is installed, devices connect to ingest itself: `CANHMAN_BROKER=embedded://0.0.0.0:1883`, or `embeddeds://0.0.0.0:8883` with
TLS. That end point is not a broker. It speaks MQTT 3.1.1 and MQTT 5, takes what devices publish, and acknowledges (QoS 1) only what is written to the journal
and fsynced. It passes nothing on.

## Connecting

{table(("", ""), CONNECTING)}

```sh
mosquitto_pub -h HOST -p 1883 -V 5 -i kl01 -u kl01 -P PASSWORD -q 1 -t canhman/mekong/kl01/telemetry \\
  -m '{{"seq":1,"boot":1,"age_s":0,"readings":{{"water.ec":2.31}}}}'
mosquitto_pub -h HOST -p 8883 --cafile ca.pem …          # over TLS, where the certificate names HOST
```

TLS needs `CANHMAN_TLS_CERT` (chain) and `CANHMAN_TLS_KEY`; `canhman doctor` looks at the certificate as a device does. A client without TLS at that
port, or TLS at the plain one, is closed and logged by what it is.

## What is refused, and how

{table(("What", "MQTT 5", "3.1.1", "Why, or what becomes of it"), REFUSED)}

{NOT_CLAIMED}

## Limits

{_limits(Limits())}

Reading later means: the bytes stay with the sender, and nothing is dropped. Log lines strangers can cause come twenty at once, then one a second. All
of it is counted: the figures `listener_…` in [metrics.md](metrics.md).

Addresses of mobile networks are shared by thousands of devices, so nothing refuses a device because another one behind the same address does wrong.
The first {_FREE} wrong log-ins of a user name from an address are answered at once, the next ones later and later, up to {_LONGEST_S:g} s; after
{_UNHEARD:g} the next is not looked at until some 20 seconds have gone by. Another user name and another address are not touched by it. Only where one
address fails several times a second for minutes must user names wait there that have not logged in from it within a day.

## What it costs

`python -m bench.listener`: a registry of 5,000 devices with passwords, publishers on raw sockets in another process, messages of 150 bytes. CPU of
the listener's process, on two cores that other work shared: 2.5 µs a message of 50 connections that send without pause, 4.8 with the journal's fsync;
9 µs of 1,000 connections with four in flight each, most of it the system's own two calls for each of them. A log-in costs 0.2 ms with the first look
at its password, which is remembered while the registry stands: 5,000 devices at once were all in after 4.7 s with a tenth of the machine. A
connection holds 5 KiB.

## Sessions over a restart

The file `mqtt-sessions` in `CANHMAN_DATA` remembers who has a session, until when, and its subscriptions; no message. A new session is handed to the
system before its CONNACK, changes within a second; a `kill -9` forgets none, a power cut perhaps those of the last seconds. The {MAX_AWAY:,} that
were here last are remembered. A damaged or missing file costs sessions, never messages: what was not acknowledged is with the device. Wills that wait
when the service stops are not published.

## The statements of the standard it claims

{len(numbers)} statements, {five} of MQTT 5 and {len(numbers) - five} of MQTT 3.1.1, by their numbers in the OASIS standards. Each is played on bytes,
what goes in and what must come out, by `tests/adapters/test_listener_normative.py`; this table is made from the same list (`deploy/mqtt/`), so none
stands here that is not tested. Codes are those of MQTT 5; 3.1.1 has none and is closed instead.

{table(("Statement", "MQTT", "What the listener does", "Test"), (_row(*n) for n in sorted(numbers, key=lambda n: (n[1] != "5", _order(n[0])))))}"""


def _row(number: str, version: str, claim: Claim) -> tuple[str, ...]:
    return number, version, claim.text, f"`test_claim[{number} of {version}]`"


def _order(number: str) -> list[int]:
    return [int(part) for part in number.removeprefix("MQTT-").replace("-", ".").split(".")]


def _limits(limits: Limits) -> str:
    mib = 1 << 20
    rows = (
        ("connections in all", f"{limits.max_connections:,}, and 384 less than the files the process may open", "one more is closed at once"),
        ("of one address that have not logged in (IPv6: of a /64)", f"{limits.max_strangers_of_address:,}", "one more is closed at once"),
        ("new ones of one address", f"{limits.connects_at_once:,.0f} at once, then {limits.connects_per_s:,.0f} a second", "read later"),
        ("TLS handshake, then CONNECT", f"{limits.connect_timeout_s:g} s each", "closed"),
        ("a CONNECT", f"{limits.max_login_packet >> 10} KiB", "closed at its header"),
        ("a packet after the log-in", f"{limits.max_packet // mib} MiB", "DISCONNECT 0x95"),
        (
            "messages of one connection",
            f"{limits.messages_at_once:,.0f} at once, then {limits.messages_per_s:,.0f} a second, a KiB counting as one more",
            "read later",
        ),
        ("in flight of one connection", f"{limits.receive_maximum:,} (MQTT 5)", "DISCONNECT 0x93"),
        ("unacknowledged of all", f"{limits.max_pending:,} messages or {limits.max_pending_bytes // mib} MiB", "all are read later"),
        ("answers a client does not read", f"64 KiB for {limits.slow_reader_s:g} s", "not read meanwhile, then cut"),
        ("silence", "1.5 × keep-alive; without one, TCP's own after two minutes", "closed, the will published"),
    )
    return table(("What", "How much", "Beyond"), rows)


PAGE = Page(
    title="MQTT without a broker",
    about="Our own listener: connecting, TLS, limits, what it refuses, and each statement of the MQTT standards it claims, with its test.",
    source="`adapters/listener*.py`, `deploy/mqtt/`",
    body=body,
)
