"""From a topic to who sent what: the topics of the contract and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from core.errors import DecodeError
from core.place import DEVICE_ID, SLUG

# kind → its topic, as docs/devices.md shows it
TOPICS = {
    "telemetry": "canhman/{org}/{device}/telemetry",
    "senml": "canhman/{org}/{device}/senml",
    "frame": "canhman/{org}/{device}/frame/{port}",
    "status": "canhman/{org}/{device}/status",
    "ack": "canhman/{org}/{device}/command/ack",
    "chirpstack": "application/{application}/device/{devEui}/event/up",
    "tts": "v3/{app}@{tenant}/devices/{id}/up",
}


LONGEST_TENANT = 128  # of a network server: an application's UUID, or app@tenant; topics are remembered


class Route(NamedTuple):
    """`kind` is `telemetry`, `senml`, `frame`, `status`, `ack`, `chirpstack` or `tts`; `port` only of frames."""

    kind: str
    org: str
    device: str
    port: int | None = None


def route(topic: str) -> Route:
    """Read a topic. Raises DecodeError (reason `bad_topic`) for one outside the contract.

    Of network servers `org` is their application or tenant, to be mapped by the registry.
    """
    parts = topic.split("/")
    match parts:
        case ["canhman", org, device, ("telemetry" | "senml" | "status") as kind]:
            return _own(kind, org, device, topic)
        case ["canhman", org, device, "frame", port] if len(port) <= 3 and port.isascii() and port.isdigit() and int(port) <= 255:
            return _own("frame", org, device, topic, int(port))
        case ["canhman", org, device, "command", "ack"]:
            return _own("ack", org, device, topic)
        case ["application", application, "device", device, "event", "up"] if 0 < len(application) <= LONGEST_TENANT and DEVICE_ID.match(device):
            return Route("chirpstack", application, device)
        case ["v3", tenant, "devices", device, "up"] if 0 < len(tenant) <= LONGEST_TENANT and DEVICE_ID.match(device):
            return Route("tts", tenant, device)
    raise DecodeError("bad_topic", f"topic {topic[:120]!r} is outside the contract (canhman/ORG/DEVICE/telemetry)")


def _own(kind: str, org: str, device: str, topic: str, port: int | None = None) -> Route:
    if not SLUG.match(org):
        raise DecodeError("bad_topic", f"topic {topic[:120]!r}: the org must be 1–64 of a–z, 0–9 and -")
    if not DEVICE_ID.match(device):
        raise DecodeError("bad_topic", f"topic {topic[:120]!r}: the device must be 1–64 of A–Z, a–z, 0–9 and . _ : -")
    return Route(kind, org, device, port)
