"""One device's connection to the listener: its packets, its rules, its end."""

from __future__ import annotations

import asyncio
import secrets
import struct
from typing import cast

import structlog

from adapters.listener_limits import Bucket, address_key
from adapters.listener_login import Codes, Refused, principal_of, wanted_expiry, welcome
from adapters.listener_peer import peer_name, watch_for_dead_peers
from adapters.listener_publishes import PUBACK_REFUSED, Publishes
from adapters.listener_sessions import Session, expiry_seconds
from adapters.listener_shared import Shared
from adapters.listener_subscriptions import subscribe, unsubscribe
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
from core.message import Message

log = structlog.get_logger(__name__)

_FLUSH_S = 5.0  # how long a closed connection may take to read our last bytes
_SIGN_OF_LIFE_BYTES = 1000  # so much of a packet that is not whole yet counts as one, for long messages over slow links
_PINGRESP = b"\xd0\0"


class Connection(asyncio.BufferedProtocol):
    """The listener's side of one connection, from accept to loss."""

    __slots__ = (
        "_address",
        "_begun",
        "_bucket",
        "_client_id",
        "_decoder",
        "_early",
        "_ended",
        "_keep_alive_s",
        "_loop",
        "_part",
        "_peer",
        "_principal",
        "_refused",
        "_seen",
        "_send_limit",
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
        "publishes",
    )  # half the memory of ten thousand of them

    def __init__(self, shared: Shared, serial: int) -> None:
        self.publishes = Publishes(shared, serial)
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
        self._begun = False
        self._early = b""  # what came before
        self._wait_s = 0.0  # before it is read at all
        self._ended = False
        self._refused = False  # a log-in whose refusal waits: nothing more is read
        self._write_full = False
        self._throttled = False
        self._bucket = Bucket(shared.limits.messages_per_s, shared.limits.messages_at_once)
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
        self._peer, self._address = peer_name(name), address_key(name[0]) if name else "?"
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
        watch_for_dead_peers(transport.get_extra_info("socket"))
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
        decoder, publishes, taken = self._decoder, self.publishes, list[Message]()
        packets, before = 0, self._shared.counters["publishes"]
        decoder.feed(data)
        try:
            while True:
                if self._principal and publishes.take(decoder, taken, received, now):
                    break
                packet = next(decoder, None)
                if packet is None:
                    break
                packets += 1
                if isinstance(packet, Publish):
                    publishes.take_one(packet, taken, received)
                else:
                    publishes.put(taken)
                    self._handle(packet)
                    if self._ended or self._refused:
                        return
            publishes.put(taken)
        except MqttError as error:
            publishes.put(taken)
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
        """Send the PUBACKs, as `publishes.in_flight` held them."""
        if max(answers) < PUBACK_REFUSED:
            self.write(struct.pack(f">{len(answers)}I", *answers))
        else:
            self.write(b"".join([a.to_bytes(4, "big") if a < PUBACK_REFUSED else (a & 0xFFFF_FFFF).to_bytes(4, "big") + b"\x87" for a in answers]))

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
                self._unsubscribe(packet)
            case Disconnect():
                self._disconnect(packet)
            case _:
                raise MqttError(Reason.PROTOCOL_ERROR, f"{type(packet).__name__.upper()}, which answers nothing of ours")

    def _subscribe(self, packet: Subscribe) -> None:
        authority, principal = self._shared.authority, self._principal
        reasons = subscribe(packet, self._session.subscriptions, may=lambda name: authority.may_subscribe(principal, name), v5=self._version == V5)
        self._shared.counters["refused_subscriptions"] += sum(reason >= Reason.UNSPECIFIED_ERROR for reason in reasons)
        self._shared.sessions.subscribed((principal, self._client_id), self._session)
        self._send(Suback(packet_id=packet.packet_id, reasons=tuple(reasons)))

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        reasons = unsubscribe(packet, self._session.subscriptions)
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
        found = principal_of(packet, self._shared, self._address, self._loop.time())
        if isinstance(found, Refused):
            self._refuse(found, packet.username or "")
        else:
            self._log_in(packet, found)

    def _refuse(self, refused: Refused, username: str) -> None:
        self._shared.counters["refused_logins"] += 1
        self._shared.quiet.warn(self._loop.time(), "mqtt login refused", peer=self._peer, username=username[:64], reason=refused.text)
        self._refused = True
        if self._timer:
            self._timer.cancel()
        if refused.wait_s:
            self.adjust_reading()
            self._timer = self._loop.call_later(refused.wait_s, self._send_refusal, refused.codes)
        else:
            self._send_refusal(refused.codes)

    def _send_refusal(self, codes: Codes) -> None:
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
            codes = ConnectReturn.NOT_AUTHORIZED, Reason.PACKET_TOO_LARGE
            self._refuse(Refused(codes=codes, text=f"it takes packets of {self._send_limit} bytes only"), packet.username or "")
            return
        key = principal, self._client_id
        if old := shared.by_client.get(key):
            old.taken_over()
        self._session, present = shared.sessions.begin(key, clean=packet.clean_start, expiry_s=wanted_expiry(packet), now=self._loop.time())
        shared.wills.come_back(key, resumed=present)
        self._principal, self._will = principal, packet.will
        self.publishes.begin(principal, v5=packet.version == V5)
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
        self.publishes.in_flight = {}
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
