"""What one client of the listener publishes: to which topics it may, what of it is in flight, and how its PUBACK will begin."""

from __future__ import annotations

from adapters.listener_shared import TOKEN_SHIFT, Shared
from adapters.mqtt_codec import MqttError, Publish, Reason, StreamDecoder
from adapters.mqtt_publishes import Known, take_publishes
from core.message import Message

_ASK_AGAIN_S = 0.2  # how long a yes or no of the authority about a topic stands
_MOST_TOPICS = 64  # of one connection that are remembered
_LONGEST_TOPIC = 256  # characters; those of the contract have at most 150
PUBACK, PUBACK_REFUSED = 0x4002_0000, 0x1_4003_0000  # their first bytes, above the packet identifier; the latter is followed by 0x87


class Publishes:
    """Of one connection, from its log-in on."""

    __slots__ = ("_asked", "_known", "_principal", "_sequence", "_shared", "_v5", "in_flight")

    def __init__(self, shared: Shared, serial: int) -> None:
        self.in_flight: dict[int, int] = {}  # token → packet identifier and the first bytes of its PUBACK, in order of arrival
        self._shared = shared
        self._sequence = serial << TOKEN_SHIFT
        self._principal = ""
        self._v5 = False
        self._known: Known = {}
        self._asked = 0.0  # loop time at which the authority was asked about them

    def begin(self, principal: str, *, v5: bool) -> None:
        """The client has logged in."""
        self._principal = principal
        self._v5 = v5

    def take(self, decoder: StreamDecoder, taken: list[Message], received: int, now: float) -> bool:
        """The plain PUBLISH packets at the head of what came; whether that was all."""
        data, at = decoder.buffered
        if at == len(data):
            return True
        shared = self._shared
        if now - self._asked >= _ASK_AGAIN_S:
            self._asked = now
            self._known = {raw: self._about(topic) for raw, (topic, _, _) in self._known.items()}
        room = shared.limits.receive_maximum - len(self.in_flight) if self._v5 else 1 << 30
        before = len(taken)
        went, self._sequence = take_publishes(
            data,
            at,
            properties=self._v5,
            largest=decoder.max_packet,
            room=room,
            known=self._known,
            received=received,
            source=self._principal,
            token=self._sequence,
            messages=taken,
            in_flight=self.in_flight,
        )
        decoder.go_on_at(went)
        shared.counters["publishes"] += len(taken) - before
        return went == len(data)

    def take_one(self, packet: Publish, taken: list[Message], received: int) -> None:
        """One that `take` left to the codec. Raises MqttError for what is not taken here."""
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
            if self._v5 and len(self.in_flight) >= shared.limits.receive_maximum:
                raise MqttError(Reason.RECEIVE_MAXIMUM_EXCEEDED, f"more than {shared.limits.receive_maximum} messages in flight")
            self._sequence = token = self._sequence + 1
            self.in_flight[token] = about[2] | packet_id
        shared.counters["publishes"] += 1
        # retain: False, for this is the live publish; only what a broker kept comes back with it set
        taken.append(Message(topic, payload, received, self._principal, qos, False, dup, about[1], token))

    def put(self, taken: list[Message]) -> None:
        """What was taken goes to the inbox, before anything else of this connection does."""
        if taken:
            refused = sum([message[7] for message in taken])
            if refused:
                self._shared.counters["refused_publishes"] += refused
            self._shared.inbox.put(taken)
            taken.clear()

    def _about(self, topic: str) -> tuple[str, bool, int]:
        refused = not self._shared.authority.may_publish(self._principal, topic)
        return topic, refused, PUBACK_REFUSED if refused and self._v5 else PUBACK
