"""What the connections of one listener have in common: who may do what, limits, counters, tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from adapters.listener_inbox import Inbox
from adapters.listener_limits import Addresses, Bucket, Guesses
from adapters.listener_sessions import Key, Sessions
from adapters.listener_wills import Wills
from core.clock import Clock

if TYPE_CHECKING:
    from adapters.listener_connection import Connection

log = structlog.get_logger(__name__)

TOKEN_SHIFT = 40  # token = serial number of the connection << 40 | number of the publish within it, from 1
READ_BYTES = 256 << 10
MAX_AWAY = 100_000  # sessions of clients that are not connected

COUNTERS = {
    "connections": "connections taken",
    "refused_connections": "connections refused because there were too many, in all or of one address",
    "connect_timeouts": "connections closed because they did not log in in time",
    "handshakes": "connections closed because their TLS handshake failed or took too long",
    "refused_logins": "log-ins refused: wrong user name or password, or a CONNECT we do not accept",
    "unheard_logins": "log-ins refused without a look, after too many wrong ones of that user name or address",
    "logins": "log-ins",
    "taken_over": "connections closed because the same client came again",
    "keepalive": "connections closed because nothing came for longer than their keep-alive allows",
    "slow_readers": "connections cut because they did not read what we answered",
    "malformed": "connections closed over a packet that cannot be read",
    "too_large": "connections closed over a packet that is too large",
    "protocol_errors": "connections closed over another breach of the protocol",
    "publishes": "PUBLISH packets",
    "refused_publishes": "PUBLISH packets to a topic the sender may not use",
    "refused_subscriptions": "subscriptions refused: to another topic than the device's own commands",
    "will": "last wills published",
    "refused_wills": "last wills to a topic the sender may not use",
    "throttled": "times a connection was not read for a while because it sent faster than one may",
    "pauses": "times all reading was paused because the journal could not follow",
}


class Authority(Protocol):
    """Who may connect and do what. Asked in the event loop for every login and message: sync and cheap.

    A principal is `device:ID` or `org:SLUG`.
    """

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        """The principal these credentials belong to, None where they are wrong. `client_id` as the client sent it."""
        ...

    def may_publish(self, principal: str, topic: str) -> bool:
        """Whether `principal` may publish to `topic`."""
        ...

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether `principal` may subscribe to `topic_filter` (never one with wildcards: those are refused unasked)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one peer, and all of them, may ask of the listener. Each is a number in docs/mqtt.md."""

    max_packet: int = 1 << 20
    max_login_packet: int = 16 << 10  # what a peer nobody knows yet may make us buffer
    receive_maximum: int = 1000  # messages in flight of one connection, MQTT 5
    max_connections: int = 10_000
    max_of_address: int = 10_000  # connections; behind one address of a mobile network are thousands of devices
    max_strangers_of_address: int = 5000  # of those, not logged in
    connects_per_s: float = 500.0  # of one address; who comes faster is read later
    connects_at_once: float = 5000.0
    messages_per_s: float = 20_000.0  # of one connection, a kilobyte counting as one more; who sends faster is read later
    messages_at_once: float = 60_000.0
    connect_timeout_s: float = 10.0  # for TLS, and then for CONNECT
    slow_reader_s: float = 60.0  # how long a peer may leave 64 KiB of answers unread
    max_pending: int = 20_000  # queued or unacknowledged, of all
    max_pending_bytes: int = 64 << 20


class Quiet:
    """Log lines strangers can cause: twenty, then one a second, which says how many were left out."""

    def __init__(self) -> None:
        self._bucket = Bucket(1.0, 20.0)
        self._left_out = 0

    def warn(self, now: float, event: str, **fields: object) -> None:
        """Log it, or count it."""
        if self._bucket.take(0, now):
            self._left_out += 1
            return
        self._bucket.take(1, now)
        log.warning(event, **fields, **({"left_out_before": self._left_out} if self._left_out else {}))
        self._left_out = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all connections of one listener have in common."""

    limits: Limits
    authority: Authority
    clock: Clock
    inbox: Inbox
    addresses: Addresses
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    sockets: set[Connection] = field(default_factory=set)  # every connection that is open
    live: dict[int, Connection] = field(default_factory=dict)  # logged in, by serial number
    by_client: dict[Key, Connection] = field(default_factory=dict)  # the same by principal and client id
    sessions: Sessions = field(default_factory=lambda: Sessions(MAX_AWAY))
    wills: Wills = field(default_factory=Wills)
    guesses: Guesses = field(default_factory=Guesses)
    quiet: Quiet = field(default_factory=Quiet)
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_BYTES)))  # what one read fills, and is copied from at once
