"""What the connections of one listener have in common: who may do what, limits, counters, tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from adapters.listener_inbox import Inbox
from adapters.listener_sessions import Key, Sessions
from core.clock import Clock

if TYPE_CHECKING:
    from adapters.listener_connection import Connection

TOKEN_SHIFT = 40  # token = serial number of the connection << 40 | number of the publish within it, from 1
MAX_AWAY = 100_000  # sessions of clients that are not connected

COUNTERS = {
    "connections": "connections taken",
    "refused_connections": "connections refused because there were too many",
    "connect_timeouts": "connections closed because they did not log in in time",
    "refused_logins": "log-ins refused: wrong user name or password, or a CONNECT we do not accept",
    "logins": "log-ins",
    "taken_over": "connections closed because the same client came again",
    "keepalive": "connections closed because nothing came for longer than their keep-alive allows",
    "malformed": "connections closed over a packet that cannot be read",
    "too_large": "connections closed over a packet that is too large",
    "protocol_errors": "connections closed over another breach of the protocol",
    "publishes": "PUBLISH packets",
    "refused_publishes": "PUBLISH packets to a topic the sender may not use",
    "refused_subscriptions": "subscriptions refused: to another topic than the device's own commands",
    "will": "last wills published",
    "refused_wills": "last wills to a topic the sender may not use",
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
    """How much one peer, and all of them, may ask of the listener."""

    max_packet: int
    max_connections: int
    connect_timeout_s: float
    receive_maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all connections of one listener have in common."""

    limits: Limits
    authority: Authority
    clock: Clock
    inbox: Inbox
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    sockets: set[Connection] = field(default_factory=set)  # every connection that is open
    live: dict[int, Connection] = field(default_factory=dict)  # logged in, by serial number
    by_client: dict[Key, Connection] = field(default_factory=dict)  # the same by principal and client id
    sessions: Sessions = field(default_factory=lambda: Sessions(MAX_AWAY))
