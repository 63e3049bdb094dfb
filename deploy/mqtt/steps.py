"""The steps a claim is played in, and bytes of packets written without our codec: it is what is being tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

V311, V5 = 4, 5
BOTH = (V311, V5)
NAMES = {V311: "3.1.1", V5: "5"}

TOPIC = "canhman/kg/kl01/telemetry"
COMMANDS = "canhman/kg/kl01/command"
STATUS = "canhman/kg/kl01/status"
FOREIGN = "canhman/kg/other/telemetry"


class Step(NamedTuple):
    """`do` is `send`, `get` (these bytes come next), `closed` (after these bytes, nothing more), `lose` (the line breaks), `acknowledge`
    (the journal has all there is), `taken` (these came to ingest: `wanted` as (topic, payload)) or `wait` (`seconds` go by)."""

    do: str
    data: bytes = b""
    who: int = 0
    wanted: tuple[tuple[str, bytes], ...] = ()
    seconds: float = 0.0


Play = Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of the standard by its number in each version that has it, what the listener does, and how that is seen.

    `plays` makes the scenes for a version; each must come out to the byte.
    """

    v5: str = ""
    v311: str = ""
    text: str
    plays: Callable[[int], Sequence[Play]]

    def numbers(self) -> list[tuple[int, str]]:
        """(version, number) of each."""
        return [(version, number) for version, number in ((V311, self.v311), (V5, self.v5)) if number]


def send(data: bytes, who: int = 0) -> Step:
    """Bytes to the listener, on a connection of their own for each `who`."""
    return Step("send", data, who)


def get(data: bytes, who: int = 0) -> Step:
    """The next bytes from it."""
    return Step("get", data, who)


def closed(data: bytes = b"", who: int = 0) -> Step:
    """These bytes, and then it has closed the connection."""
    return Step("closed", data, who)


def lose(who: int = 0) -> Step:
    """The line breaks."""
    return Step("lose", who=who)


def taken(*wanted: tuple[str, bytes]) -> Step:
    """What came to ingest since the last look."""
    return Step("taken", wanted=wanted)


def wait(seconds: float) -> Step:
    """Time goes by."""
    return Step("wait", seconds=seconds)


ACKNOWLEDGE = Step("acknowledge")


# ---------------------------------------------------------------- bytes


def text(value: str | bytes) -> bytes:
    """A string, or what stands in its place, behind its length."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes = b"") -> bytes:
    """A control packet of up to 16 KB."""
    size = len(body)
    return bytes((first, size) if size < 128 else (first, size % 128 + 128, size // 128)) + body


def props(version: int, raw: bytes = b"") -> bytes:
    """Properties with their length, which 3.1.1 has not."""
    return bytes((len(raw),)) + raw if version == V5 else b""


def connect(
    version: int,
    *,
    client: str | bytes = "c",
    flags: int = 0xC2,
    keep_alive: int = 0,
    properties: bytes = b"",
    will: bytes = b"",
    user: bytes = text("kl01"),
    password: bytes = text("pw"),
    name: bytes = text("MQTT"),
    level: int = 0,
    first: int = 0x10,
    tail: bytes = b"",
) -> bytes:
    """CONNECT of the device kl01 with a good password and a clean start, but for what is given."""
    head = name + bytes((level or version, flags)) + keep_alive.to_bytes(2, "big") + props(version, properties)
    return packet(first, head + text(client) + will + user + password + tail)


def will_of(version: int, topic: str | bytes = STATUS, payload: bytes = b"offline", properties: bytes = b"") -> bytes:
    """The fields of a will."""
    return props(version, properties) + text(topic) + text(payload)


def publish(version: int, *, topic: str | bytes = TOPIC, payload: bytes = b"{}", first: int = 0x32, id: int | None = 1, properties: bytes = b"") -> bytes:
    """PUBLISH, at QoS 1 but for what is given."""
    number = id.to_bytes(2, "big") if id is not None and first & 6 else b""
    return packet(first, text(topic) + number + props(version, properties) + payload)


def subscribe(version: int, *filters: tuple[str | bytes, int], id: int = 9, properties: bytes = b"", first: int = 0x82) -> bytes:
    """SUBSCRIBE to (filter, options)."""
    return packet(first, id.to_bytes(2, "big") + props(version, properties) + b"".join(text(name) + bytes((options,)) for name, options in filters))


def unsubscribe(version: int, *filters: str | bytes, id: int = 9, first: int = 0xA2) -> bytes:
    """UNSUBSCRIBE from these."""
    return packet(first, id.to_bytes(2, "big") + props(version) + b"".join(text(name) for name in filters))


# What the listener says: CONNACK tells a client of MQTT 5 the bounds of docs/mqtt.md, in the order of the property identifiers.
_OFFER = bytes.fromhex("21 03e8 22 0000 24 01 27 00100000 28 00 29 00 2a 00")
PINGREQ, PINGRESP = b"\xc0\0", b"\xd0\0"
GOODBYE = b"\xe0\0"


def connack(version: int, *, present: bool = False, assigned: bytes = b"") -> bytes:
    """The CONNACK that lets a client in."""
    return packet(0x20, bytes((present, 0)) + props(version, assigned + _OFFER))


def refused(version: int, code311: int, code5: int) -> bytes:
    """The CONNACK that does not."""
    return packet(0x20, bytes((0, code5 if version == V5 else code311)) + props(version))


def puback(id: int = 1) -> bytes:
    """PUBACK of a message that is kept."""
    return packet(0x40, id.to_bytes(2, "big"))


def cut(version: int, reason: int) -> bytes:
    """DISCONNECT, which a server says in MQTT 5 alone."""
    return packet(0xE0, bytes((reason,))) if version == V5 else b""


def logged_in(version: int, who: int = 0, **fields: Any) -> list[Step]:
    """CONNECT and CONNACK."""
    return [send(connect(version, **fields), who), get(connack(version), who)]


def breaks(version: int, data: bytes, reason: int) -> Play:
    """After a log-in, bytes that end the connection: MQTT 5 is told why."""
    return [*logged_in(version), send(data), closed(cut(version, reason))]


def alive(who: int = 0) -> list[Step]:
    """The connection still answers."""
    return [send(PINGREQ, who), get(PINGRESP, who)]


# ---------------------------------------------------------------- what comes again in several claims

WILL = 0x04  # connect flag
HOUR = bytes.fromhex("11 00000e10")  # session expiry interval

# what no string may hold
SURROGATE, NULL, NO_UTF8 = b"a\xed\xa0\x80", b"a\0b", b"a\xff"
NO_TEXTS = (SURROGATE, NULL, NO_UTF8)


def malformed(version: int, data: bytes, reason: int = 0x81) -> Play:
    """A CONNECT that is wrong: 3.1.1 is closed without CONNACK, 5 is told why."""
    return [send(data), closed(packet(0x20, bytes((0, reason, 0))) if version == V5 else b"")]


def kept(version: int, **fields: Any) -> bytes:
    """CONNECT that asks for its session and for keeping it."""
    return connect(version, **({"flags": 0xC0, "properties": HOUR if version == V5 else b""} | fields))


def willed(version: int, flags: int = WILL, **fields: Any) -> list[Step]:
    """A log-in with a will."""
    return [send(connect(version, flags=0xC2 | flags, will=will_of(version), **fields)), get(connack(version))]


def suback(version: int, *reasons: int, id: int = 9) -> bytes:
    """SUBACK with these reasons."""
    return packet(0x90, id.to_bytes(2, "big") + props(version) + bytes(reasons))


def unsuback(version: int, *reasons: int, id: int = 9) -> bytes:
    """UNSUBACK, whose reasons MQTT 5 alone has."""
    return packet(0xB0, id.to_bytes(2, "big") + (props(version) + bytes(reasons) if version == V5 else b""))


def denied(version: int) -> int:
    """The reason of SUBACK for a filter one may not have."""
    return 0x87 if version == V5 else 0x80


def acknowledged(version: int) -> list[Step]:
    """Nothing comes before the journal has it; then the PUBACK of this very message."""
    return [*logged_in(version), send(publish(version, id=0x1234)), *alive(), taken((TOPIC, b"{}")), ACKNOWLEDGE, get(puback(0x1234))]
