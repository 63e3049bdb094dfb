"""One device's connection to the listener: its packets, its rules, its end."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from typing import cast

import structlog

from adapters.listener_limits import Bucket, address_key
from adapters.listener_login import TOO_OFTEN, WRONG_CREDENTIALS, Refusal, refusal, welcome
from adapters.listener_sessions import FOREVER, Session, expiry_seconds
from adapters.listener_shared import TOKEN_SHIFT, Shared
from adapters.mqtt_codec import (
    V5,
    V311,
    Connack,
    Connect,
    ConnectReturn,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
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
from adapters.mqtt_publishes import Known, take_publishes
from core.message import Message

log = structlog.get_logger(__name__)

_FLUSH_S = 5.0  # how long a closed connection may take to read our last bytes
_ASK_AGAIN_S = 0.2  # how long a yes or no of the authority about a topic stands
_MOST_TOPICS = 64  # of one connection that are remembered
_LONGEST_TOPIC = 256  # characters; those of the contract have at most 150
_SIGN_OF_LIFE_BYTES = 1000  # so much of a packet that is not whole yet counts as one, for long messages over slow links
_PINGRESP = b"\xd0\0"
_PUBACK, _PUBACK_REFUSED = 0x4002_0000, 0x1_4003_0000  # their first bytes, above the packet identifier; the latter is followed by 0x87


class Connection(asyncio.BufferedProtocol):
    """The listener's side of one connection, from accept to loss."""

    __slots__ = (
        "_address",
        "_asked",
        "_begun",
        "_bucket",
        "_client_id",
        "_decoder",
        "_early",
        "_ended",
        "_keep_alive_s",
        "_known",
        "_loop",
        "_part",
        "_peer",
        "_principal",
        "_refused",
        "_seen",
        "_send_limit",
        "_sequence",
        "_serial",
        "_session",
        "_shared",
        "_slow",
        "_throttled",
        "_timer",
        "_transport",
        "_version",
        "_wait_s",
        "_will",
        "_write_full",
        "gone",
        "in_flight",
    )  # half the memory of ten thousand of them

    def __init__(self, shared: Shared, serial: int) -> None:
        self.in_flight: dict[int, int] = {}  # token → packet identifier and the first bytes of its PUBACK, in order of arrival
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shared = shared
        self._serial = serial
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._peer = "?"
        self._address = ""
        self._decoder = StreamDecoder(shared.limits.max_login_packet)
        self._principal = ""  # empty until logged in
        self._version = V311
        self._client_id = ""
        self._will: Will | None = None
        self._session = Session(expiry_s=0)
        self._send_limit = 0  # the client's maximum packet size, 0: none
        self._sequence = serial << TOKEN_SHIFT
        self._begun = False
        self._early = b""  # what came before
        self._wait_s = 0.0  # before it is read at all
        self._ended = False
        self._refused = False  # a log-in whose refusal waits: nothing more is read
        self._write_full = False
        self._throttled = False
        self._bucket = Bucket(shared.limits.messages_per_s, shared.limits.messages_at_once)
        self._known: Known = {}
        self._asked = 0.0  # loop time at which the authority was asked about them
        self._seen = 0.0  # loop time of the last sign of life
        self._part = 0  # bytes since then
        self._keep_alive_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer is there, without TLS."""
        plain = cast(asyncio.Transport, transport)  # which a TCP server's always is
        if self.arrived(plain):
            self.begin(plain)

    def arrived(self, transport: asyncio.Transport) -> bool:
        """Whether there is room for this peer; where there is none it is cut off."""
        shared = self._shared
        self._transport = transport
        name = transport.get_extra_info("peername")
        self._peer, self._address = _peer_name(name), address_key(name[0]) if name else "?"
        shared.sockets.add(self)
        reason, self._wait_s = shared.addresses.enter(self._address, self._loop.time())
        if len(shared.sockets) > shared.limits.max_connections:
            reason = f"{shared.limits.max_connections} connections are the most"
        if reason:
            shared.counters["refused_connections"] += 1
            shared.quiet.warn(self._loop.time(), "mqtt connection refused", peer=self._peer, reason=reason)
            self._ended = True
            transport.abort()
            return False
        shared.counters["connections"] += 1
        _watch_for_dead_peers(transport.get_extra_info("socket"))
        return True

    def begin(self, transport: asyncio.Transport) -> None:
        """It may speak, over this transport: it has some seconds for its CONNECT."""
        self._transport = transport
        if self._ended:
            transport.abort()
            return
        self._begun = True
        self._timer = self._loop.call_later(self._wait_s + self._shared.limits.connect_timeout_s, self._connect_timeout)
        if self._wait_s:
            self._throttle(self._wait_s)
        if self._early:
            self.data_received(b"")

    def no_handshake(self, reason: str) -> None:
        """TLS did not come about."""
        if not self._ended:
            self._ended = True
            self._shared.counters["handshakes"] += 1
            self._shared.quiet.warn(self._loop.time(), "mqtt connection closed", peer=self._peer, reason=reason)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are put: one place for all, for asyncio's own way takes 256 KiB anew at every read."""
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        self.data_received(bytes(self._shared.buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Bytes came; whatever packets they complete are handled at once."""
        if self._ended or self._refused:
            return
        if not self._begun or self._early:
            self._early += data  # behind the TLS handshake, whose end nobody has seen yet
            if not self._begun:
                return
            data, self._early = self._early, b""
        now, received = self._loop.time(), self._shared.clock.now_ms()
        decoder, taken = self._decoder, list[Message]()
        packets, before = 0, self._shared.counters["publishes"]
        decoder.feed(data)
        try:
            while True:
                if self._principal and self._take(taken, received, now):
                    break
                packet = next(decoder, None)
                if packet is None:
                    break
                packets += 1
                if isinstance(packet, Publish):
                    self._publish(packet, received, taken)
                else:
                    self._put(taken)
                    self._handle(packet)
                    if self._ended or self._refused:
                        return
            self._put(taken)
        except MqttError as error:
            self._put(taken)
            self._fail(error)
            return
        count = self._shared.counters["publishes"] - before
        self._part += len(data)
        if packets or count or self._part >= _SIGN_OF_LIFE_BYTES:
            self._seen, self._part = now, 0
        if wait_s := self._bucket.take(count + len(data) / 1024, now):
            self._shared.counters["throttled"] += 1
            self._throttle(wait_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, by whatever way."""
        self._end()
        shared = self._shared
        if self in shared.sockets:
            shared.sockets.discard(self)
            shared.addresses.leave(self._address, stranger=not self._principal)
        if self._slow:
            self._slow.cancel()
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self) -> None:
        """The peer does not read our answers: then we do not read its questions, and not for ever."""
        self._write_full = True
        self.adjust_reading()
        self._slow = self._loop.call_later(self._shared.limits.slow_reader_s, self._cut_slow_reader)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_full = False
        if self._slow:
            self._slow.cancel()
        self.adjust_reading()

    # ------------------------------------------------------------ the listener's calls

    def adjust_reading(self) -> None:
        """Read, or leave the bytes in the peer's hands while too much waits (a CONNECT is always read)."""
        if self._ended:
            return
        if self._write_full or self._throttled or self._refused or (self._shared.inbox.paused and self._principal):
            self._transport.pause_reading()
        else:
            self._seen = self._loop.time()  # the silence was ours
            self._transport.resume_reading()

    def acknowledge(self, answers: list[int]) -> None:
        """Send the PUBACKs, as `in_flight` held them."""
        if max(answers) < _PUBACK_REFUSED:
            self.write(struct.pack(f">{len(answers)}I", *answers))
        else:
            self.write(b"".join([a.to_bytes(4, "big") if a < _PUBACK_REFUSED else (a & 0xFFFF_FFFF).to_bytes(4, "big") + b"\x87" for a in answers]))

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

    def _take(self, taken: list[Message], received: int, now: float) -> bool:
        """The plain PUBLISH packets at the head of what came; whether that was all."""
        data, at = self._decoder.buffered
        if at == len(data):
            return True
        shared = self._shared
        if now - self._asked >= _ASK_AGAIN_S:
            self._asked = now
            self._known = {raw: self._about(topic) for raw, (topic, _, _) in self._known.items()}
        room = shared.limits.receive_maximum - len(self.in_flight) if self._version == V5 else 1 << 30
        before = len(taken)
        went, self._sequence = take_publishes(
            data,
            at,
            properties=self._version == V5,
            largest=self._decoder.max_packet,
            room=room,
            known=self._known,
            received=received,
            source=self._principal,
            token=self._sequence,
            messages=taken,
            in_flight=self.in_flight,
        )
        self._decoder.go_on_at(went)
        shared.counters["publishes"] += len(taken) - before
        return went == len(data)

    def _put(self, taken: list[Message]) -> None:
        """What was taken goes to the inbox, before anything else of this connection does."""
        if taken:
            refused = sum([message[7] for message in taken])
            if refused:
                self._shared.counters["refused_publishes"] += refused
            self._shared.inbox.put(taken)
            taken.clear()

    def _about(self, topic: str) -> tuple[str, bool, int]:
        refused = not self._shared.authority.may_publish(self._principal, topic)
        return topic, refused, _PUBACK_REFUSED if refused and self._version == V5 else _PUBACK

    def _handle(self, packet: Packet) -> None:
        match packet:
            case Pingreq():
                self.write(_PINGRESP)
            case Connect():
                self._connect(packet)
            case Subscribe():
                self._subscribe(packet)
            case Unsubscribe():
                self._unsubscribe(packet)
            case Disconnect():
                self._disconnect(packet)
            case _:
                raise MqttError(Reason.PROTOCOL_ERROR, f"{type(packet).__name__.upper()}, which answers nothing of ours")

    def _publish(self, packet: Publish, received: int, taken: list[Message]) -> None:
        topic, payload, qos, packet_id, _, dup, properties = packet
        shared = self._shared
        if qos == 2:
            raise MqttError(Reason.QOS_NOT_SUPPORTED, "PUBLISH with QoS 2: 1 is the most")
        if properties.topic_alias is not None:
            raise MqttError(Reason.TOPIC_ALIAS_INVALID, "PUBLISH with a topic alias: none are taken")
        if properties.subscription_identifier:
            raise MqttError(Reason.PROTOCOL_ERROR, "PUBLISH of a client with a subscription identifier")
        about = self._about(topic)
        if len(self._known) < _MOST_TOPICS and len(topic) <= _LONGEST_TOPIC:
            self._known[topic.encode()] = about
        token = 0
        if qos:
            if self._version == V5 and len(self.in_flight) >= shared.limits.receive_maximum:
                raise MqttError(Reason.RECEIVE_MAXIMUM_EXCEEDED, f"more than {shared.limits.receive_maximum} messages in flight")
            self._sequence = token = self._sequence + 1
            self.in_flight[token] = about[2] | packet_id
        shared.counters["publishes"] += 1
        # retain: False, for this is the live publish; only what a broker kept comes back with it set
        taken.append(Message(topic, payload, received, self._principal, qos, False, dup, about[1], token))

    def _subscribe(self, packet: Subscribe) -> None:
        if packet.properties.subscription_identifier:
            raise MqttError(Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "SUBSCRIBE with a subscription identifier: none are taken")
        v5, subscriptions = self._version == V5, self._session.subscriptions
        names = [wanted.topic_filter for wanted in packet.subscriptions]
        if v5 and any(name.startswith("$share/") for name in names):
            raise MqttError(Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "SUBSCRIBE to a shared subscription: CONNACK said there are none")
        if v5 and any("+" in name or "#" in name for name in names):
            raise MqttError(Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "SUBSCRIBE with a wildcard: CONNACK said there are none")
        reasons = []
        for wanted in packet.subscriptions:
            name = wanted.topic_filter
            if not (set(name) & set("+#") or name.startswith("$")) and self._shared.authority.may_subscribe(self._principal, name):
                subscriptions.add(name)
                reasons.append(min(wanted.qos, 1))
            else:
                self._shared.counters["refused_subscriptions"] += 1
                reasons.append(Reason.NOT_AUTHORIZED if v5 else Reason.UNSPECIFIED_ERROR)
        self._shared.sessions.subscribed((self._principal, self._client_id), self._session)
        self._send(Suback(packet_id=packet.packet_id, reasons=tuple(reasons)))

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        reasons = []
        for name in packet.topic_filters:  # one after the other: the second time it is gone
            known = name in self._session.subscriptions
            self._session.subscriptions.discard(name)
            reasons.append(Reason.SUCCESS if known else Reason.NO_SUBSCRIPTION_EXISTED)
        self._shared.sessions.subscribed((self._principal, self._client_id), self._session)
        self._send(Unsuback(packet_id=packet.packet_id, reasons=tuple(reasons) if self._version == V5 else ()))

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
        shared, now, username = self._shared, self._loop.time(), packet.username or ""
        codes, text = refusal(packet)
        if text:
            self._refuse(codes, text, username)
            return
        if shared.guesses.unheard(self._address, username, now):
            shared.counters["unheard_logins"] += 1
            self._refuse(TOO_OFTEN, "too many wrong log-ins; the next is looked at within 20 s", username)
            return
        principal = shared.authority.authenticate(username, packet.password or b"", packet.client_id)
        if not principal:
            self._refuse(WRONG_CREDENTIALS, "wrong user name or password", username, wait_s=shared.guesses.wrong(self._address, username, now))
            return
        shared.guesses.right(self._address, username, now)
        self._log_in(packet, principal)

    def _refuse(self, codes: Refusal, text: str, username: str, *, wait_s: float = 0.0) -> None:
        self._shared.counters["refused_logins"] += 1
        self._shared.quiet.warn(self._loop.time(), "mqtt login refused", peer=self._peer, username=username[:64], reason=text)
        self._refused = True
        if self._timer:
            self._timer.cancel()
        if wait_s:
            self.adjust_reading()
            self._timer = self._loop.call_later(wait_s, self._send_refusal, codes)
        else:
            self._send_refusal(codes)

    def _send_refusal(self, codes: Refusal) -> None:
        self._send(Connack(reason=codes[self._version == V5]))
        self._close()

    def _log_in(self, packet: Connect, principal: str) -> None:
        shared, limits = self._shared, self._shared.limits
        self._client_id = packet.client_id or f"canhman-{secrets.token_hex(8)}"
        assigned = "" if packet.client_id else self._client_id
        answers = [
            welcome(packet.version, present=known, assigned=assigned, receive_maximum=limits.receive_maximum, max_packet=limits.max_packet)
            for known in (False, True)
        ]
        if self._send_limit and len(answers[0]) > self._send_limit:
            self._refuse((ConnectReturn.NOT_AUTHORIZED, Reason.PACKET_TOO_LARGE), f"it takes packets of {self._send_limit} bytes only", packet.username or "")
            return
        key = principal, self._client_id
        if old := shared.by_client.get(key):
            old.taken_over()
        wanted = expiry_seconds(packet.properties.session_expiry_interval)
        if packet.version == V311:
            wanted = 0.0 if packet.clean_start else FOREVER
        self._session, present = shared.sessions.begin(key, clean=packet.clean_start, expiry_s=wanted, now=self._loop.time())
        shared.wills.come_back(key, resumed=present)
        self._principal, self._will = principal, packet.will
        shared.live[self._serial] = self
        shared.by_client[key] = self
        shared.addresses.known(self._address)
        shared.counters["logins"] += 1
        self._decoder.max_packet = limits.max_packet
        if self._timer:
            self._timer.cancel()
        self._keep_alive_s = 1.5 * packet.keep_alive
        if self._keep_alive_s:
            self._seen = self._loop.time()
            self._timer = self._loop.call_later(self._keep_alive_s, self._check_keep_alive)
        self.write(answers[present])
        self.adjust_reading()

    # ------------------------------------------------------------ ends

    def taken_over(self) -> None:
        """The same client has connected anew."""
        self._shared.counters["taken_over"] += 1
        log.info("mqtt connection taken over", peer=self._peer, principal=self._principal)
        self._close(Reason.SESSION_TAKEN_OVER)

    def _throttle(self, wait_s: float) -> None:
        """Leave the bytes in the peer's hands for a while."""
        self._throttled = True
        self.adjust_reading()
        self._loop.call_later(wait_s, self._throttled_enough)

    def _throttled_enough(self) -> None:
        self._throttled = False
        self.adjust_reading()

    def _connect_timeout(self) -> None:
        self._shared.counters["connect_timeouts"] += 1
        reason = f"no CONNECT within {self._shared.limits.connect_timeout_s:g} s"
        self._shared.quiet.warn(self._loop.time(), "mqtt connection closed", peer=self._peer, reason=reason)
        self._close()

    def _check_keep_alive(self) -> None:
        """Whole packets count, and what comes of a long one; not the bytes we leave with the peer ourselves."""
        ours = self._shared.inbox.paused or self._throttled or self._write_full
        silent = 0.0 if ours else self._loop.time() - self._seen
        if silent < self._keep_alive_s:
            self._timer = self._loop.call_later(self._keep_alive_s - silent, self._check_keep_alive)
            return
        self._shared.counters["keepalive"] += 1
        log.info("mqtt connection closed", peer=self._peer, principal=self._principal, reason=f"silent for {silent:.0f} s")
        self._close(Reason.KEEP_ALIVE_TIMEOUT)

    def _cut_slow_reader(self) -> None:
        self._shared.counters["slow_readers"] += 1
        reason = f"it has not read our answers for {self._shared.limits.slow_reader_s:g} s"
        log.warning("mqtt connection cut", peer=self._peer, principal=self._principal, reason=reason)
        self._end()
        self._transport.abort()

    def _fail(self, error: MqttError) -> None:
        names = {int(Reason.MALFORMED_PACKET): "malformed", int(Reason.PACKET_TOO_LARGE): "too_large"}
        self._shared.counters[names.get(error.reason, "protocol_errors")] += 1
        self._shared.quiet.warn(self._loop.time(), "mqtt connection closed", peer=self._peer, principal=self._principal, reason=str(error))
        if not self._principal and error.connack:
            self.write(error.connack)
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
        self.in_flight = {}
        if will := self._will:
            delay_s = min(float(will.properties.will_delay_interval or 0), self._session.expiry_s)
            shared.wills.leave(key, delay_s, lambda: self._publish_will(will))

    def _publish_will(self, will: Will) -> None:
        shared = self._shared
        if shared.authority.may_publish(self._principal, will.topic):
            shared.counters["will"] += 1
            shared.inbox.put([Message(will.topic, will.payload, shared.clock.now_ms(), self._principal, 0)])
        else:
            shared.counters["refused_wills"] += 1


def _peer_name(address: tuple[str, int] | None) -> str:
    if not address:
        return "?"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def _watch_for_dead_peers(sock: socket.socket | None) -> None:
    """TCP's own keep-alive, for clients that ask for none of MQTT's: a peer without power is noticed after 2 minutes, also
    where our last bytes to it were never confirmed."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 120_000)):
        if hasattr(socket, name):  # Linux has all four
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
