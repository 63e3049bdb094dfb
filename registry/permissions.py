"""Who may publish and subscribe where: the one rule, for our listener and for the ACL file of a broker.

A principal is who logged in: `device:ID` (its own credential) or `org:SLUG` (the org's join key).
"""

from __future__ import annotations

from collections.abc import Callable

from core.place import Device

# What ingest subscribes to, one by one: `canhman/#` would also bring back our own commands.
FILTERS: tuple[str, ...] = (
    "canhman/+/+/telemetry",
    "canhman/+/+/senml",
    "canhman/+/+/frame/+",
    "canhman/+/+/status",
    "canhman/+/+/command/ack",
    "application/+/device/+/event/up",
    "v3/+/devices/+/up",
)
# What `doctor` reads: Mosquitto's own count of messages it dropped after it had acknowledged them.
BROKER_STATE = "$SYS/broker/publish/messages/dropped"
COMMANDS = "canhman/+/+/command"  # where ingest's own user may publish
# Where ingest says a word to itself, to know that it is heard: below an org that cannot be (a slug has no `_`), or an application.
ECHO = "_echo"
ECHOES: tuple[str, ...] = tuple(f.replace("+", ECHO, 1) for f in FILTERS)  # and there
ECHO_PREFIXES: tuple[str, ...] = tuple(sorted({f"{f.partition('/')[0]}/{ECHO}/" for f in FILTERS}))

# Below `canhman/ORG/DEVICE/`. A join key announces new devices; nobody sends a command to one of those.
JOIN_WRITES: tuple[str, ...] = ("telemetry", "senml", "frame/+", "status")
DEVICE_WRITES: tuple[str, ...] = (*JOIN_WRITES, "command/ack")
DEVICE_READS = "command"

JOIN_PREFIX = "org:"

Owner = Callable[[str], Device | None]


def echo_topic(topic_filter: str, client_id: str) -> str:
    """A topic of this filter where the ingest of this client id, and no device, may publish."""
    return topic_filter.replace("+", ECHO, 1).replace("+", client_id)


def principal_of(username: str) -> str:
    """`org:SLUG` of a join user, `device:ID` of any other.

    A `:` of a user name may be written `/`, and must be at Mosquitto: its password file splits at the first `:` and
    offers no escape. No slug and no device id holds a `/`, so that nothing else can be meant.
    """
    name = username.replace("/", ":")
    return name if name.startswith(JOIN_PREFIX) else f"device:{name}"


def may_publish(principal: str, topic: str, *, owner: Owner) -> bool:
    """Whether `principal` may publish to `topic`; `owner` looks a device up by its id (None where unknown).

    A device publishes under its own id in its own org. A join key publishes under its org for devices that are unknown
    or have no credential of their own; never for one that has, and never for a device of another org.
    """
    kind, _, name = principal.partition(":")
    levels = topic.split("/", 3)
    if len(levels) != 4 or levels[0] != "canhman":
        return False
    _, org, device_id, leaf = levels
    device = owner(device_id)
    if kind == "device":
        return device_id == name and device is not None and bool(device.credential) and device.org == org and _among(leaf, DEVICE_WRITES)
    if kind == "org":
        return org == name and (device is None or (device.org == org and not device.credential)) and _among(leaf, JOIN_WRITES)
    return False


def may_subscribe(principal: str, topic_filter: str, *, owner: Owner) -> bool:
    """Whether `principal` may subscribe: a device with its own credential to its own command topic, nobody to anything else."""
    kind, _, name = principal.partition(":")
    device = owner(name) if kind == "device" else None
    return device is not None and bool(device.credential) and topic_filter == f"canhman/{device.org}/{device.id}/{DEVICE_READS}"


def _among(leaf: str, allowed: tuple[str, ...]) -> bool:
    """Whether `leaf` is one of `allowed`, where `frame/+` takes any one level."""
    if leaf.startswith("frame/"):
        return leaf.count("/") == 1
    return leaf in allowed
