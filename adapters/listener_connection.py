"""One device's connection to the listener: its packets, its rules, its end."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import cast

import structlog

from adapters.listener_sessions import FOREVER, Session, expiry_seconds
from adapters.listener_shared import TOKEN_SHIFT, Shared
from adapters.mqtt_codec import (
    NO_PROPERTIES,
    V5,
    V311,
    Connack,
    Connect,
    ConnectReturn,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
    Properties,
    Publish,
    Reason,
    StreamDecoder,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
    encode,
)
from core.message import Message

log = structlog.get_logger(__name__)

_CONNECT_BYTES = 128 * 1024  # what a peer nobody knows yet may make us buffer
_FLUSH_S = 5.0  # how long a closed connection may take to read our last bytes
_PINGRESP = b"\xd0\0"
_UNACCEPTABLE_VERSION = b"\x20\x02\0\x01"  # CONNACK 1 as 3.1 and 3.1.1 read it


class Connection(asyncio.Protocol):
    """The listener's side of one connection, from accept to loss."""

    def __init__(self, shared: Shared, serial: int) -> None:
        self.in_flight: dict[int, bytes] = {}  # token → PUBACK to send, in order of arrival
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shared = shared
        self._serial = serial
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._peer = "?"
        self._decoder = StreamDecoder(min(shared.limits.max_packet, _CONNECT_BYTES))
        self._principal = ""  # empty until logged in
        self._version = V311
        self._client_id = ""
        self._will: Will | None = None
        self._session = Session(expiry_s=0)
        self._send_limit = 0  # the client's maximum packet size, 0: none
        self._sequence = serial << TOKEN_SHIFT
        self._ended = False
        self._write_full = False
        self._seen = 0.0  # loop time of the last bytes
        self._keep_alive_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer is there: it has some seconds for its CONNECT."""
        shared = self._shared
        self._transport = cast(asyncio.Transport, transport)  # which a TCP server's always is
        self._peer = _peer_name(transport.get_extra_info("peername"))
        shared.sockets.add(self)
        if len(shared.sockets) > shared.limits.max_connections:
            shared.counters["refused_connections"] += 1
            log.warning("mqtt connection refused", peer=self._peer, reason=f"{shared.limits.max_connections} connections are the most")
            self._ended = True
            self._transport.abort()
            return
        shared.counters["connections"] += 1
        _watch_for_dead_peers(transport.get_extra_info("socket"))
        self._timer = self._loop.call_later(shared.limits.connect_timeout_s, self._connect_timeout)

    def data_received(self, data: bytes) -> None:
        """Bytes came; whatever packets they complete are handled at once."""
        if self._ended:
            return
        self._seen = self._loop.time()
        received = self._shared.clock.now_ms()
        self._decoder.feed(data)
        try:
            for packet in self._decoder:
                if isinstance(packet, Publish):
                    self._publish(packet, received)
                else:
                    self._handle(packet)
                if self._ended:
                    return
        except MqttError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, by whatever way."""
        self._end()
        self._shared.sockets.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self) -> None:
        """The peer does not read our answers: then we do not read its questions."""
        self._write_full = True
        self.adjust_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_full = False
        self.adjust_reading()

    # ------------------------------------------------------------ the listener's calls

    def adjust_reading(self) -> None:
        """Read, or leave the bytes in the peer's hands while too much waits (a CONNECT is always read)."""
        if self._ended:
            return
        if self._write_full or (self._shared.inbox.paused and self._principal):
            self._transport.pause_reading()
        else:
            self._seen = self._loop.time()  # the silence was ours
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes, unless this connection has ended."""
        if not self._ended:
            self._transport.write(data)

    def shut_down(self) -> None:
        """Our own end: no will, for the device did not go."""
        self._will = None
        self._close(Reason.SERVER_SHUTTING_DOWN)

    def abort(self) -> None:
        """Drop the socket, whatever is still to be sent."""
        self._transport.abort()

    # ------------------------------------------------------------ packets

    def _handle(self, packet: Packet) -> None:
        match packet:
            case Pingreq():
                self.write(_PINGRESP)
            case Connect():
                self._connect(packet)
            case Subscribe():
                self._subscribe(packet)
            case Unsubscribe():
                known = [f in self._session.subscriptions for f in packet.topic_filters]
                self._session.subscriptions.difference_update(packet.topic_filters)
                reasons = tuple(Reason.SUCCESS if k else Reason.NO_SUBSCRIPTION_EXISTED for k in known)
                self._send(Unsuback(packet_id=packet.packet_id, reasons=reasons if self._version == V5 else ()))
            case Disconnect():
                self._disconnect(packet)
            case _:
                raise MqttError(Reason.PROTOCOL_ERROR, f"{type(packet).__name__.upper()} is for servers to send")

    def _publish(self, packet: Publish, received: int) -> None:
        topic, payload, qos, packet_id, _, dup, properties = packet
        shared = self._shared
        if qos == 2:
            raise MqttError(Reason.QOS_NOT_SUPPORTED, "PUBLISH with QoS 2: 1 is the most")
        if properties.topic_alias is not None:
            raise MqttError(Reason.TOPIC_ALIAS_INVALID, "PUBLISH with a topic alias: none are taken")
        if properties.subscription_identifier:
            raise MqttError(Reason.PROTOCOL_ERROR, "PUBLISH of a client with a subscription identifier")
        refused = not shared.authority.may_publish(self._principal, topic)
        token = 0
        if qos:
            if self._version == V5 and len(self.in_flight) >= shared.limits.receive_maximum:
                raise MqttError(Reason.RECEIVE_MAXIMUM_EXCEEDED, f"more than {shared.limits.receive_maximum} messages in flight")
            self._sequence = token = self._sequence + 1
            pid = packet_id.to_bytes(2, "big")
            self.in_flight[token] = b"\x40\x03" + pid + b"\x87" if refused and self._version == V5 else b"\x40\x02" + pid
        shared.counters["publishes"] += 1
        if refused:
            shared.counters["refused_publishes"] += 1
        # retain: False, for this is the live publish; only what a broker kept comes back with it set
        shared.inbox.put(Message(topic, payload, received, self._principal, qos, False, dup, refused, token))

    def _subscribe(self, packet: Subscribe) -> None:
        if packet.properties.subscription_identifier:
            raise MqttError(Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "SUBSCRIBE with a subscription identifier: none are taken")
        reasons = []
        for wanted in packet.subscriptions:
            name = wanted.topic_filter
            if not (set(name) & set("+#") or name.startswith("$")) and self._shared.authority.may_subscribe(self._principal, name):
                self._session.subscriptions.add(name)
                reasons.append(min(wanted.qos, 1))
            else:
                self._shared.counters["refused_subscriptions"] += 1
                reasons.append(Reason.NOT_AUTHORIZED if self._version == V5 else Reason.UNSPECIFIED_ERROR)
        self._send(Suback(packet_id=packet.packet_id, reasons=tuple(reasons)))

    def _disconnect(self, packet: Disconnect) -> None:
        interval = packet.properties.session_expiry_interval
        if interval is not None:
            if interval and not self._session.expiry_s:
                raise MqttError(Reason.PROTOCOL_ERROR, "DISCONNECT that keeps a session CONNECT did not ask for")
            self._session.expiry_s = expiry_seconds(interval)
        if not packet.reason:
            self._will = None  # any other reason, 4 among them, keeps it (MQTT-3.14.4-3)
        self._close()

    # ------------------------------------------------------------ login

    def _connect(self, packet: Connect) -> None:
        self._version = packet.version
        self._send_limit = packet.properties.maximum_packet_size or 0
        refusal, text = self._refusal(packet)
        principal = None
        if not text:
            principal = self._shared.authority.authenticate(packet.username or "", packet.password or b"", packet.client_id)
            if not principal:
                refusal, text = (ConnectReturn.BAD_USER_NAME_OR_PASSWORD, Reason.BAD_USER_NAME_OR_PASSWORD), "wrong user name or password"
        if not principal:
            self._shared.counters["refused_logins"] += 1
            log.warning("mqtt login refused", peer=self._peer, username=(packet.username or "")[:64], reason=text)
            self._send(Connack(reason=refusal[self._version == V5]))
            self._close()
            return
        self._log_in(packet, principal)

    def _refusal(self, packet: Connect) -> tuple[tuple[int, int], str]:
        """Why this CONNECT is refused whoever sends it, as (3.1.1, 5) codes and text; empty text: it is not."""
        if packet.properties.authentication_method is not None:
            return (ConnectReturn.NOT_AUTHORIZED, Reason.BAD_AUTHENTICATION_METHOD), "enhanced authentication"
        if packet.version == V311 and not packet.client_id and not packet.clean_start:
            return (ConnectReturn.IDENTIFIER_REJECTED, Reason.CLIENT_IDENTIFIER_NOT_VALID), "no client id, and no clean session"
        if packet.version == V5 and packet.will and packet.will.qos == 2:
            return (ConnectReturn.NOT_AUTHORIZED, Reason.QOS_NOT_SUPPORTED), "a will with QoS 2"
        if packet.username is None:
            return (ConnectReturn.NOT_AUTHORIZED, Reason.NOT_AUTHORIZED), "no user name"
        return (ConnectReturn.ACCEPTED, Reason.SUCCESS), ""

    def _log_in(self, packet: Connect, principal: str) -> None:
        shared, limits = self._shared, self._shared.limits
        self._client_id = packet.client_id or f"canhman-{secrets.token_hex(8)}"
        key = principal, self._client_id
        if older := shared.by_client.get(key):
            older.taken_over()
        wanted = expiry_seconds(packet.properties.session_expiry_interval)
        if packet.version == V311:
            wanted = 0.0 if packet.clean_start else FOREVER
        self._session, present = shared.sessions.begin(key, clean=packet.clean_start, expiry_s=wanted, now=self._loop.time())
        self._principal, self._will = principal, packet.will
        shared.live[self._serial] = self
        shared.by_client[key] = self
        shared.counters["logins"] += 1
        self._decoder.max_packet = limits.max_packet
        if self._timer:
            self._timer.cancel()
        self._keep_alive_s = 1.5 * packet.keep_alive
        if self._keep_alive_s:
            self._timer = self._loop.call_later(self._keep_alive_s, self._check_keep_alive)
        self._send(Connack(session_present=present, properties=self._offer(packet)))
        self.adjust_reading()

    def _offer(self, packet: Connect) -> Properties:
        """What a client of MQTT 5 is told it may do here; 3.1.1 has no words for it."""
        if self._version == V311:
            return NO_PROPERTIES
        return Properties(
            receive_maximum=self._shared.limits.receive_maximum,
            maximum_qos=1,
            retain_available=0,
            maximum_packet_size=self._shared.limits.max_packet,
            assigned_client_identifier=None if packet.client_id else self._client_id,
            topic_alias_maximum=0,
            wildcard_subscription_available=0,
            subscription_identifier_available=0,
            shared_subscription_available=0,
        )

    # ------------------------------------------------------------ ends

    def taken_over(self) -> None:
        """The same client has connected anew."""
        self._shared.counters["taken_over"] += 1
        log.info("mqtt connection taken over", peer=self._peer, principal=self._principal)
        self._close(Reason.SESSION_TAKEN_OVER)

    def _connect_timeout(self) -> None:
        self._shared.counters["connect_timeouts"] += 1
        log.warning("mqtt connection closed", peer=self._peer, reason=f"no CONNECT within {self._shared.limits.connect_timeout_s:g} s")
        self._close()

    def _check_keep_alive(self) -> None:
        """Bytes count, not whole packets: a long message over a slow link is a sign of life too."""
        silent = 0.0 if self._shared.inbox.paused else self._loop.time() - self._seen
        if silent < self._keep_alive_s:
            self._timer = self._loop.call_later(self._keep_alive_s - silent, self._check_keep_alive)
            return
        self._shared.counters["keepalive"] += 1
        log.info("mqtt connection closed", peer=self._peer, principal=self._principal, reason=f"silent for {silent:.0f} s")
        self._close(Reason.KEEP_ALIVE_TIMEOUT)

    def _fail(self, error: MqttError) -> None:
        names = {int(Reason.MALFORMED_PACKET): "malformed", int(Reason.PACKET_TOO_LARGE): "too_large"}
        self._shared.counters[names.get(error.reason, "protocol_errors")] += 1
        log.warning("mqtt connection closed", peer=self._peer, principal=self._principal, reason=str(error))
        if error.reason == Reason.UNSUPPORTED_PROTOCOL_VERSION:
            self.write(_UNACCEPTABLE_VERSION)
        self._close(error.reason)

    def _send(self, packet: Packet) -> None:
        data = encode(packet, self._version)
        if not self._send_limit or len(data) <= self._send_limit:  # too much for the client: as if sent (MQTT-3.1.2-25)
            self.write(data)

    def _close(self, reason: int | None = None) -> None:
        """End, after saying why where the protocol has words for it."""
        if self._ended:
            return
        if reason is not None and self._principal and self._version == V5:
            self._send(Disconnect(reason=reason))
        self._end()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_FLUSH_S, self._transport.abort)

    def _end(self) -> None:
        """Leave every table, once; the will, if there still is one, is the last message of this connection."""
        if self._ended:
            return
        self._ended = True
        if self._timer:
            self._timer.cancel()
        if not self._principal:
            return
        shared = self._shared
        shared.live.pop(self._serial, None)
        key = self._principal, self._client_id
        del shared.by_client[key]  # a newer connection of this client enters it after this one has left
        shared.sessions.leave(key, self._session, now=self._loop.time())
        shared.inbox.release(self.in_flight)
        self.in_flight = {}
        if will := self._will:
            if shared.authority.may_publish(self._principal, will.topic):
                shared.counters["will"] += 1
                shared.inbox.put(Message(will.topic, will.payload, shared.clock.now_ms(), self._principal, 0))
            else:
                shared.counters["refused_wills"] += 1


def _peer_name(address: tuple[str, int] | None) -> str:
    if not address:
        return "?"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def _watch_for_dead_peers(sock: socket.socket | None) -> None:
    """TCP's own keep-alive, for clients that ask for none of MQTT's: a peer without power is noticed after 2 minutes."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # Linux has all three
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
