"""The texts `canhman broker init` and `broker sync` write for Mosquitto: password file, ACL file and configuration."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import ConfigError, ConflictError
from core.place import Device
from core.ports import RegistrySnapshot
from registry.permissions import BROKER_STATE, COMMANDS, DEVICE_READS, DEVICE_WRITES, ECHOES, FILTERS, JOIN_PREFIX, JOIN_WRITES

INGEST_USER = "canhman-ingest"

# mosquitto_passwd's own default. Few rounds are enough here: stretching slows down guessing of what people choose, and
# these passwords are drawn at random with 128 bits; our listener checks one at every connection of every device.
ITERATIONS = 101
MAX_PACKET_BYTES = 1 << 20
"""As our own listener: a device whose backlog fits there must not be hung up on, again and again, when it moves to Mosquitto."""

EXPIRATION = "persistent_client_expiration 1d"
SALT_BYTES = 12  # Mosquitto 2.0 reads no other length from a password file
_HASH_BYTES = 64
_HASH = re.compile(r"\$7\$([0-9]{1,7})\$([A-Za-z0-9+/]{16})\$([A-Za-z0-9+/]{86}==)\Z")


def hash_password(password: str, *, salt: bytes) -> str:
    """`$7$iterations$salt$hash` (PBKDF2-HMAC-SHA512), as mosquitto_passwd writes it; `salt` has 12 bytes.

    Raises ValueError for a password with U+0000: HMAC fills a key with zeros, so that it would be the same as one without.
    """
    if "\0" in password:
        raise ValueError("a password may not hold the character U+0000")
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt: {len(salt)} bytes, Mosquitto wants {SALT_BYTES}")
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, _HASH_BYTES)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_password(hashed: str, password: str) -> bool:
    """Whether `password` is the one behind `hashed`; false, never an error, for a text of another form."""
    found = _HASH.match(hashed)
    if found is None or not 0 < int(found[1]) <= 1_000_000 or "\0" in password:
        return False
    digest = hashlib.pbkdf2_hmac("sha512", password.encode("utf-8", "surrogatepass"), base64.b64decode(found[2]), int(found[1]), _HASH_BYTES)
    return hmac.compare_digest(digest, base64.b64decode(found[3]))


def join_key(secret: bytes, org: str, generation: int) -> str:
    """The join key of `org`: 26 letters and digits (128 bits), the same whenever asked; a higher generation revokes it."""
    digest = hmac.new(secret, b"canhman join key\0" + org.encode() + b"\0" + str(generation).encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def broker_user(username: str) -> str:
    """How a user name is spelt at Mosquitto, whose password file cannot hold a `:` in it (see `permissions.principal_of`)."""
    return username.replace(":", "/")


def password_file(snapshot: RegistrySnapshot, *, secret: bytes, closed: bool, ingest_password: str) -> str:
    """A line for ingest, for each org's join key (not where enrolment is closed) and each device with its own credential.

    The same input gives the same text: salts of what we hash here come from `secret`.
    Raises ConflictError for a device named like another user, ConfigError for a credential of another form.
    """
    lines = [f"{INGEST_USER}:{_hashed(secret, INGEST_USER, ingest_password)}"]
    if not closed:
        for org in sorted(snapshot.orgs, key=lambda o: o.id):
            name = JOIN_PREFIX + org.id
            lines.append(f"{broker_user(name)}:{_hashed(secret, name, join_key(secret, org.id, org.join_generation))}")
    for device in _with_credential(snapshot):
        if not _HASH.match(device.credential):
            raise ConfigError(f"device {device.id}: its credential is not a $7$ password hash; set a new one")
        lines.append(f"{broker_user(device.id)}:{device.credential}")
    return "\n".join(lines) + "\n"


def acl_file(snapshot: RegistrySnapshot, *, closed: bool) -> str:
    """Exact topics for each device with its own credential, one level of freedom for join keys, and ingest's own.

    A join key is denied every device that has its own credential or belongs to another org, so the file has a line per
    org for each of these. Mosquitto looks at denials first, wherever they stand; they come first all the same.
    """
    blocks = [_block(INGEST_USER, [*(f"topic read {f}" for f in (*FILTERS, BROKER_STATE)), *(f"topic write {t}" for t in (COMMANDS, *ECHOES))])]
    if not closed:
        devices = sorted(snapshot.devices, key=lambda d: d.id)
        for org in sorted(snapshot.orgs, key=lambda o: o.id):
            denied = [f"topic deny canhman/{org.id}/{d.id}/#" for d in devices if d.credential or d.org != org.id]
            allowed = [f"topic write canhman/{org.id}/+/{leaf}" for leaf in JOIN_WRITES]
            blocks.append(_block(broker_user(JOIN_PREFIX + org.id), denied + allowed))
    for device in _with_credential(snapshot):
        home = f"canhman/{device.org}/{device.id}"
        blocks.append(_block(broker_user(device.id), [*(f"topic write {home}/{leaf}" for leaf in DEVICE_WRITES), f"topic read {home}/{DEVICE_READS}"]))
    return "\n".join(blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """Paths, on the broker's machine, of its certificate chain and private key."""

    certfile: str
    keyfile: str


def configuration(
    *,
    password_path: str,
    acl_path: str,
    data_path: str,
    host: str = "",
    port: int = 1883,
    tls: BrokerTls | None = None,
    max_queued_bytes: int = 2 << 30,
    max_packet_size: int = MAX_PACKET_BYTES,
    shared: bool = False,
) -> str:
    """The `mosquitto.conf` this project ships; an empty `host` listens on every interface. Paths must exist for Mosquitto's user.

    `shared`: several ingests share the subscription.
    """
    lines = [
        "# Written by `canhman broker init`. Mosquitto's defaults lose readings; each line below says what it prevents.",
        f"listener {port} {host}".rstrip(),
        *([f"certfile {tls.certfile}", f"keyfile {tls.keyfile}", "tls_version tlsv1.2"] if tls else []),
        "allow_anonymous false",
        "# Both are read again on SIGHUP (systemctl reload mosquitto), without a disconnect.",
        f"password_file {password_path}",
        f"acl_file {acl_path}",
        "",
        "# Queues survive a restart, and a crash but for the last second.",
        "persistence true",
        f"persistence_location {data_path.rstrip('/')}/",
        "autosave_interval 1",
        "",
        "# The default drops, in silence, what an absent ingest has waiting above 1000 messages: bound it by bytes.",
        "# Not 0 for no limit: with 0 Mosquitto 2.0 hangs up on every client after each publish it refuses.",
        "max_queued_messages 1000000000",
        f"max_queued_bytes {max_queued_bytes}",
        "",
        "# The default of 20 in flight makes ingest's batches 20 messages small.",
        "max_inflight_messages 1000",
        "",
        "# A reading has some 200 bytes; whoever sends more than this is disconnected.",
        f"max_packet_size {max_packet_size}",
        "",
        "# Not for a lone ingest, whose session must wait for it for ever. With several ingests behind $share a dead",
        "# member keeps its share until this is over:",
        EXPIRATION if shared else f"# {EXPIRATION}",
    ]
    return "\n".join(lines) + "\n"


def _hashed(secret: bytes, name: str, password: str) -> str:
    """A hash whose salt follows from name and password, so that an unchanged user is an unchanged line."""
    salt = hmac.new(secret, b"canhman salt\0" + name.encode() + b"\0" + password.encode(), hashlib.sha256).digest()[:SALT_BYTES]
    return hash_password(password, salt=salt)


def _with_credential(snapshot: RegistrySnapshot) -> Iterator[Device]:
    """Devices that log in as themselves, by id."""
    for device in sorted(snapshot.devices, key=lambda d: d.id):
        if not device.credential:
            continue
        if device.id == INGEST_USER or device.id.startswith(JOIN_PREFIX):
            raise ConflictError(f"device {device.id}: this id is another user's name and cannot have a credential; register it under another id")
        yield device


def _block(user: str, rules: list[str]) -> str:
    return "\n".join([f"user {user}", *rules]) + "\n"
